"""Checks of a regime before training: shapes, losses, random numbers, and whether members stay independent of each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch

from harness.networks import Program, loss_and_pull
from harness.networks.member_streams import ambient_randomness
from harness.recipe import Adversarial, Recipe, Standard, TrainingStep
from harness.spec import RecipeError
from harness.streams import torch_generator

Bounds = tuple[float, float] | None
Batch = tuple[torch.Tensor, torch.Tensor]


def check_regime(recipe: Recipe, program: Program, theta: torch.Tensor, points: Batch, bounds: Bounds) -> None:
    """Check that what a regime makes of a member's batch depends on the member, the batch and its generator alone.

    Args:
        recipe: what is to be trained.
        program: its program.
        theta: parameters to begin with, shape (member, parameter).
        points: inputs (*input, point) and encoded targets (class, point).
        bounds: smallest and largest admissible value of an input, or None.

    Raises:
        RecipeError: it returns something of another shape or type, draws random numbers from elsewhere than its generators,
            lets one member depend on another, or gives something that is not a loss.
    """
    if not recipe.epochs or type(recipe.regime) in (Standard, Adversarial):  # these are held by tests
        return
    theta, points = theta.cpu(), (points[0].cpu(), points[1].cpu())  # where the same is the same to the last bit
    probe = _Probe(recipe, program, theta, points, bounds)
    for epoch in dict.fromkeys((0, recipe.epochs // 2, recipe.epochs - 1)):  # it may begin, or end, something on the way
        _compared(recipe, partial(probe.examples, epoch=epoch), "what becomes of a member's batch")
    _check_loss(recipe, probe)


def _compared(recipe: Recipe, made: Callable[[Sequence[int]], Batch], what: str) -> None:
    """Check that what is made of two members' batches is the same when it is made again, and beside other members.

    Args:
        recipe: what is to be trained.
        made: makes something of a batch of each member, given in which of its versions each is.
        what: what is made, in words.
    """
    before = ambient_randomness()
    once, again, first, second = (made(kinds) for kinds in ((0, 0), (0, 0), (0, 1), (1, 0)))
    if ambient_randomness() != before or not _same(once, again, (0, 1)):
        raise RecipeError(
            f"the regime {recipe.regime.name!r} draws random numbers from elsewhere than its generators, or keeps state from "
            "call to call, so a member could not be trained again; draw everything in examples from step.generators, as "
            "step.normal and step.uniform do"
        )
    if not (_same(once, first, (0,)) and _same(once, second, (1,))):
        raise RecipeError(
            f"in the regime {recipe.regime.name!r} {what} depends on the other members of the stack; compute along all axes "
            "but the first, and draw each member's numbers from its own generator (step.normal, step.uniform)"
        )


class _Probe:
    """Two members' first batch, in two versions each."""

    def __init__(self, recipe: Recipe, program: Program, theta: torch.Tensor, points: Batch, bounds: Bounds) -> None:
        self.recipe, self.program, self.bounds = recipe, program, bounds
        self.theta = torch.stack([theta[0], theta[-1]])
        size = min(recipe.batch_size, points[0].shape[-1])
        self.versions = [tuple(each[..., :size] for each in points), tuple(each[..., -size:].flip(-1) for each in points)]

    def examples(self, kinds: Sequence[int], epoch: int = 0) -> Batch:
        """What the regime makes of the batches, each member's in one of its versions."""
        inputs, targets = (torch.stack([self.versions[kind][part] for kind in kinds]).contiguous() for part in (0, 1))
        generators = [torch_generator("regime", "check", row, kind) for row, kind in enumerate(kinds)]
        theta = self.theta.clone()
        parameters = self.program.layout.views(theta)
        step = TrainingStep(self.program, parameters, self.bounds, generators, epoch, self.recipe.epochs)
        shapes = [(each.shape, each.dtype) for each in (inputs, targets)]
        made = self.recipe.regime.examples(step, inputs, targets)
        good = isinstance(made, tuple) and len(made) == 2 and all(isinstance(each, torch.Tensor) for each in made)
        if not good or [(each.shape, each.dtype) for each in made] != shapes:
            raise RecipeError(
                f"the regime {self.recipe.regime.name!r} returned {_said(made)} for {' and '.join(map(_told, shapes))}: return "
                "inputs and targets of the same shapes and types"
            )
        if not _equal(theta, self.theta):
            raise RecipeError(f"the regime {self.recipe.regime.name!r} changes the parameters; only the optimiser may")
        return made


def _same(one: Batch, other: Batch, rows: Sequence[int]) -> bool:
    return all(_equal(mine[row], its[row]) for mine, its in zip(one, other, strict=True) for row in rows)


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.equal(one.nan_to_num(), other.nan_to_num())


def _told(shape: tuple[torch.Size, torch.dtype]) -> str:
    return f"{tuple(shape[0])} of {shape[1]}"


def _said(made: object) -> str:
    if isinstance(made, tuple):
        return " and ".join(_told((each.shape, each.dtype)) if isinstance(each, torch.Tensor) else type(each).__name__
                            for each in made) or "nothing"  # fmt: skip
    return type(made).__name__


def _check_loss(recipe: Recipe, probe: _Probe) -> None:
    """A regime's loss is the recipe's, or one differentiable number per point that depends on no other member."""
    loss = recipe.regime.loss(recipe.loss)
    if loss == recipe.loss:
        return
    parameters = probe.program.layout.views(probe.theta.clone())

    def descended(kinds: Sequence[int]) -> Batch:
        inputs, targets = probe.examples(kinds)
        return loss_and_pull(probe.program.logits(parameters, inputs), targets, loss)

    try:
        _compared(recipe, descended, "the loss of a member")
    except ValueError as problem:
        if isinstance(problem, RecipeError):
            raise
        raise RecipeError(f"the loss of the regime {recipe.regime.name!r}: {problem}") from problem
