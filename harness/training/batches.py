"""The batches that the members of a stack are trained on: in each member's own order, with the recipe's augmentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import torch

from harness.networks.member_streams import ambient_randomness
from harness.recipe import Recipe
from harness.spec import RecipeError
from harness.streams import torch_generator

VALUES_PER_BLOCK = 2**18  # gathered inputs at a time, which stay in the cache: 1 MiB in single precision


@dataclass
class Streams:
    """The random streams of every member of a stack.

    Attributes:
        order: for the order of the data.
        regime: for the regime, such as the random starts of its attack.
        augmentation: for the recipe's augmentation.
        network: for what the networks themselves draw in training (dropout), on the device that they are trained on.
    """

    order: list[torch.Generator]
    regime: list[torch.Generator]
    augmentation: list[torch.Generator]
    network: list[torch.Generator]

    @classmethod
    def of(cls, seeds: Sequence[int], stage: str, device: str = "cpu") -> Streams:
        """The streams of these members in a stage of training ("training" or "finetuning")."""
        return cls(
            [torch_generator("order", stage, seed) for seed in seeds],
            [torch_generator("training attack", stage, seed) for seed in seeds],
            [torch_generator("augmentation", stage, seed) for seed in seeds],
            [torch_generator("dropout", stage, seed, device=device) for seed in seeds],
        )

    def keep(self, rows: Sequence[bool]) -> None:
        """The streams of these members only."""
        for each in fields(self):
            generators = getattr(self, each.name)
            setattr(self, each.name, [generator for generator, kept in zip(generators, rows, strict=True) if kept])


def batches(
    recipe: Recipe, inputs: torch.Tensor, targets: torch.Tensor, streams: Streams
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch of batches: inputs (member, *input, batch) and targets (member, class, batch), in each member's order.

    The last batch holds what is left.
    """
    for x, y in _ordered(inputs, targets, recipe.batch_size, streams.order):
        yield _augmented(recipe, x, streams.augmentation), y


def _ordered(
    inputs: torch.Tensor, targets: torch.Tensor, size: int, generators: Sequence[torch.Generator]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    points = inputs.shape[-1]
    x_rows, y_rows = inputs.movedim(-1, 0), targets.movedim(-1, 0)  # whole points, which lie in one piece each
    order = torch.stack([torch.randperm(points, generator=g) for g in generators]).to(inputs.device)
    per_point = len(generators) * inputs[..., 0].numel()
    block = max(1, VALUES_PER_BLOCK // (per_point * size)) * size
    for first in range(0, points, block):
        chosen = order[:, first : first + block]
        x, y = (rows.index_select(0, chosen.flatten()).reshape(*chosen.shape, *rows.shape[1:]) for rows in (x_rows, y_rows))
        for begin in range(0, chosen.shape[1], size):
            some = slice(begin, begin + size)
            yield x[:, some].movedim(1, -1).contiguous(), y[:, some].movedim(1, -1).contiguous()


def _augmented(recipe: Recipe, inputs: torch.Tensor, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """The recipe's augmentation of a batch (member, *input, point), each member's part by its own stream."""
    if recipe.augment is None:
        return inputs
    before = ambient_randomness()
    for row, generator in zip(inputs, generators, strict=True):
        points = row.movedim(-1, 0).contiguous()
        changed = recipe.augment(points, generator)
        _require_alike(recipe, points, changed)
        row.copy_(changed.movedim(0, -1))
    if ambient_randomness() != before:
        _refuse_ambient(recipe)
    return inputs


def check_augmentation(recipe: Recipe, inputs: torch.Tensor) -> None:
    """Check before training that the augmentation is a function of inputs and generator alone.

    Args:
        recipe: what is to be trained.
        inputs: the data, shape (*input, point).

    Raises:
        RecipeError: it gives two results for equal arguments, or something of another shape or type.
    """
    if recipe.augment is None:
        return
    some = inputs[..., : min(recipe.batch_size, inputs.shape[-1])][None]
    once, again = (_augmented(recipe, some.clone(), [torch_generator("augmentation", "check")]) for _ in range(2))
    if not torch.equal(once, again):
        _refuse_ambient(recipe)


def _require_alike(recipe: Recipe, given: torch.Tensor, returned: object) -> None:
    if not isinstance(returned, torch.Tensor):
        got = type(returned).__name__
    elif returned.shape == given.shape and returned.dtype == given.dtype:
        return
    else:
        got = f"shape {tuple(returned.shape)} of {returned.dtype}"
    raise RecipeError(
        f"the augmentation {recipe.augment!r} returned {got} for inputs of shape {tuple(given.shape)} of {given.dtype}: "
        "return a tensor of the same shape and type"
    )


def _refuse_ambient(recipe: Recipe) -> None:
    raise RecipeError(
        f"the augmentation {recipe.augment!r} draws random numbers from elsewhere than its generator, so a member could not "
        "be trained again; draw everything from the generator (torch.rand(…, generator=generator))"
    )
