"""Stacked training: all members of a recipe as one tensor program.

Every member has its own streams (initialisation, order of the data, what its regime draws), named by its seed.  So a fully
connected member comes out the same to the last bit whoever shares its stack, if all batches are multiples of eight points; with
other batches (including a shorter last one), and with a user's module, which runs through ``torch.func``, it comes out the same
up to the rounding of its matrix products.  Members of one seed share initialisation and data order under every regime: they are
pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch

from harness.data.base import Dataset
from harness.networks import encode, keep_freed_memory, loss_and_pull
from harness.networks.ascent import margin
from harness.networks.callers import batchable
from harness.networks.memory import require_memory
from harness.networks.training_mode import training_mode
from harness.optimiser import Adam
from harness.recipe import Recipe, RecipeError, TrainingStep, digest
from harness.streams import torch_generator
from harness.training.batches import Streams, batches, check_augmentation
from harness.training.descent import Descent, descent
from harness.training.regime_check import check_regime

POINTS_PER_LOOK = 256  # whoever shares the stack: a member's rounding must not depend on it
Progress = Callable[[float], None]


class Diverged(RuntimeError):  # noqa: N818 - a state of the world, not a fault
    """Training diverged for some members: a parameter is not finite.

    Args:
        recipe: what was trained.
        seeds: the members that diverged.
        kept: parameters of all members by kept epoch, as :func:`train` would have returned them.
    """

    def __init__(self, recipe: Recipe, seeds: Sequence[int], kept: dict[int, torch.Tensor]) -> None:
        super().__init__(
            f"training of {recipe.name} diverged for seeds {list(seeds)}: a parameter is not finite; "
            f"lower the learning rate ({recipe.optimiser.learning_rate})"
        )
        self.seeds, self.kept = tuple(seeds), kept


def initial(recipe: Recipe, seeds: Sequence[int]) -> torch.Tensor:
    """Initialised parameters, shape (member, parameter); equal for recipes of one architecture and one data shape."""
    program = recipe.program()
    name = digest(recipe.architecture.drawn())
    return torch.stack([program.initial(torch_generator("initialisation", name, seed)) for seed in seeds])


def train(
    recipe: Recipe,
    data: Dataset,
    seeds: Sequence[int],
    *,
    start: torch.Tensor | None = None,
    device: str = "cpu",
    progress: Progress = lambda share: None,
) -> dict[int, torch.Tensor]:
    """Train one member for each seed, stacked.

    Args:
        recipe: what to train.
        data: the loaded ``recipe.data``.
        seeds: training seeds.
        start: parameters to begin with, shape (member, parameter); None for a fresh initialisation.
        device: "cpu" or "cuda".
        progress: told the share of the work that is done, a few times a second at most.

    Returns:
        For each kept epoch the parameters, shape (member, parameter), on the CPU.

    Raises:
        RecipeError: the recipe does not fit the data, or cannot be trained; raised before anything is trained.
        Diverged: training diverged for some members (a parameter is not finite); it names them and holds the others.
        MemoryShortfall: the stack does not fit into memory; raised before anything is computed.
    """
    keep_freed_memory()
    program = recipe.program()
    _check(recipe)
    require_memory(memory_needed(recipe, data, len(seeds)), f"training {len(seeds)} × {recipe.name}", device)
    whole = (initial(recipe, seeds) if start is None else start.clone()).to(device)
    streams = Streams.of(seeds, "finetuning" if recipe.parent else "training", device)
    inputs = torch.from_numpy(data.train_x).to(device).movedim(0, -1)
    targets = encode(torch.from_numpy(data.train_y).to(device), data.classes)
    check_augmentation(recipe, inputs)
    loss = recipe.regime.loss(recipe.loss)
    mode = training_mode(program, inputs, targets, _sizes(recipe, inputs.shape[-1]), loss)
    endless = whole.isinf()  # a buffer may hold infinities from the start, as the masks of attention do
    stack = descent(recipe.optimiser, program, whole.clone(), loss, mode)
    with nullcontext() if mode is None else batchable():
        check_regime(recipe, program, whole, (inputs, targets), data.bounds)
        kept = _descend(recipe, data, whole, stack, streams, (inputs, targets), progress)
    lost = whole.isnan() | (whole.isinf() & ~endless)
    if broken := [seed for seed, row in zip(seeds, lost, strict=True) if bool(row.any())]:
        raise Diverged(recipe, broken, kept)
    return kept


def _descend(
    recipe: Recipe,
    data: Dataset,
    whole: torch.Tensor,
    stack: Descent,
    streams: Streams,
    points: tuple[torch.Tensor, torch.Tensor],
    progress: Progress,
) -> dict[int, torch.Tensor]:
    """All epochs; ``whole`` holds all members' parameters, those that have stopped included.  Returns those that are kept."""
    inputs, targets = points
    kept = {0: whole.cpu().clone()} if 0 in recipe.kept else {}
    going = torch.arange(len(whole), device=whole.device)  # members that have not stopped: the rows of the stack
    for epoch in range(1, recipe.epochs + 1):
        if len(going):
            for batch, labels in batches(recipe, inputs, targets, streams):
                stack.rate = _rate(recipe, epoch - 1, stack.taken, inputs.shape[-1])
                step = TrainingStep(stack.program, stack.parameters, data.bounds, streams.regime, epoch - 1, recipe.epochs)
                stack.step(*recipe.regime.examples(step, batch, labels), streams.network)
            whole[going] = stack.theta
        if epoch in recipe.kept:
            kept[epoch] = whole.cpu().clone()
        if len(going) and recipe.until and epoch % recipe.until.every == 0 and epoch < recipe.epochs:
            on = ~_reached(recipe, stack, inputs, targets)
            if not bool(on.all()):
                going = going[on]
                stack.keep(on)
                streams.keep(on.tolist())
        progress(epoch / recipe.epochs)
    return kept


def _check(recipe: Recipe) -> None:
    """There has to be something to train."""
    if not recipe.program().scopes["all"]:
        raise RecipeError(f"no parameter of {recipe.architecture.name} can be trained: all have requires_grad=False")


def _sizes(recipe: Recipe, points: int) -> list[int]:
    """The sizes of the training batches, in points; none if nothing is trained."""
    whole, left = divmod(points, recipe.batch_size)
    return [size for size in (recipe.batch_size if whole else 0, left) if size] if recipe.epochs else []


def _rate(recipe: Recipe, epochs: int, steps: int, points: int) -> float:
    """The learning rate after so many whole epochs and steps."""
    schedule, base = recipe.schedule, recipe.optimiser.learning_rate
    if schedule is None:
        return base
    if schedule.per == "epoch":
        return schedule.rate(base, epochs, recipe.epochs)
    return schedule.rate(base, steps, recipe.epochs * math.ceil(points / recipe.batch_size))


def memory_needed(recipe: Recipe, data: Dataset, members: int) -> int:
    """Bytes that training needs at least: parameters, gradient, the optimiser's state, a batch, and what is kept."""
    layout = recipe.program().layout
    batch = min(recipe.batch_size, len(data.train_x))
    # θ twice, the gradient, and what the optimiser remembers: mean and square, or velocity and start
    rule = recipe.optimiser
    remembered = 2 if isinstance(rule, Adam) else bool(rule.momentum) + bool(rule.row_radius)
    copies = 3 + remembered + len(recipe.kept)
    return 4 * members * (copies * layout.total + batch * (3 * layout.units + 2 * math.prod(data.train_x.shape[1:])))


@torch.no_grad()
def _reached(recipe: Recipe, stack: Descent, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Which members have reached what the recipe trains until, on the clean training set; booleans of shape (member,)."""
    until = recipe.until
    assert until is not None
    members, points = len(stack.theta), inputs.shape[-1]
    worst, total = torch.zeros(members, device=inputs.device), torch.zeros(members, device=inputs.device)
    for begin in range(0, points, POINTS_PER_LOOK):
        x, y = (values[..., begin : begin + POINTS_PER_LOOK][None] for values in (inputs, targets))
        logits = stack.program.logits(stack.parameters, x.expand(members, *x.shape[1:]))
        if until.quantity == "residual":
            worst = torch.maximum(worst, (logits - y).abs().amax((1, 2)))
            able = worst < until.threshold
        elif until.quantity == "loss":
            total += loss_and_pull(logits, y, recipe.loss, pull=False)[0].sum(1)
            able = total / points < until.threshold
        else:
            total += (margin(logits, y) > 0).sum(1)
            able = (total + max(0, points - begin - POINTS_PER_LOOK)) / points >= until.threshold
        if not bool(able.any()):  # whatever the other points say: no loss is below 0
            break
    return able
