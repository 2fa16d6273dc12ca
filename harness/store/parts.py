"""How many members are worked on as one stack, and how much work they are.

As many as memory holds, one at the least, and never more than a set number.  A stack is also a worker's share of the work.  How
the members are cut changes no number: see :mod:`harness.train`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.device import memory_limit

if TYPE_CHECKING:
    from harness.data.base import Dataset
    from harness.recipe import Recipe

MEMBERS_AT_A_TIME = {"trained": 64, "measured": 16}
# What a step of one member takes beside its products, in weights × points.  With it the work of the 45 recipes of the full grid
# of slt, from one layer of 8 units to three of 128, is proportional to their training times within a factor of 1.6.
OVERHEAD = 1e5
MEASURED_POINTS = 256  # of a measurement's step, which it does not say


def trained_together(recipe: Recipe, data: Dataset, device: str) -> int:
    """Members of a recipe that are trained as one stack."""
    from harness.train import memory_needed

    return _fitting("trained", memory_needed(recipe, data, 1), device)


def measured_together(recipe: Recipe, device: str) -> int:
    """Members of a recipe that are read and measured together; what a measurement holds beside them is its own affair."""
    return _fitting("measured", 4 * recipe.program().layout.total * len(recipe.kept), device)


def _fitting(what: str, each: int, device: str) -> int:
    return max(1, min(MEMBERS_AT_A_TIME[what], memory_limit(device) // each))


def training_work(recipe: Recipe, data: Dataset) -> float:
    """What training one member takes, relative to other recipes."""
    steps = recipe.epochs * len(data.train_x) / recipe.batch_size
    return max(1.0, steps) * recipe.regime.passes * _step(recipe, recipe.batch_size)


def measuring_work(recipe: Recipe) -> float:
    """What measuring one member takes, relative to other recipes and by the same measurement."""
    return len(recipe.kept) * _step(recipe, MEASURED_POINTS)


def _step(recipe: Recipe, points: int) -> float:
    return points * recipe.program().layout.total + OVERHEAD


def cut(seeds: tuple[int, ...], size: int) -> list[tuple[int, ...]]:
    """The seeds in parts of a size; the last has what is left."""
    return [seeds[first : first + size] for first in range(0, len(seeds), size)]
