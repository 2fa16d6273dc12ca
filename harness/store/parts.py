"""How many members are worked on as one stack: as many as memory holds, one at the least, and never more than a set number.

A stack is also a worker's share of the work.  How the members are cut changes no number: see :mod:`harness.train`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.device import memory_limit

if TYPE_CHECKING:
    from harness.data.base import Dataset
    from harness.recipe import Recipe

MEMBERS_AT_A_TIME = {"trained": 64, "measured": 16}


def trained_together(recipe: Recipe, data: Dataset, device: str) -> int:
    """Members of a recipe that are trained as one stack."""
    from harness.train import memory_needed

    return _fitting("trained", memory_needed(recipe, data, 1), device)


def measured_together(recipe: Recipe, device: str) -> int:
    """Members of a recipe that are read and measured together; what a measurement holds beside them is its own affair."""
    return _fitting("measured", 4 * recipe.program().layout.total * len(recipe.kept), device)


def _fitting(what: str, each: int, device: str) -> int:
    return max(1, min(MEMBERS_AT_A_TIME[what], memory_limit(device) // each))


def cut(seeds: tuple[int, ...], size: int) -> list[tuple[int, ...]]:
    """The seeds in parts of a size; the last has what is left."""
    return [seeds[first : first + size] for first in range(0, len(seeds), size)]
