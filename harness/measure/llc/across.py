"""The LLC of networks of one shape on different data, as one stack of chains.

As in training, short chains of small networks spend their time on calls, not in them.  Every chain has its own stream and its
own row, so that the estimates are those of :class:`harness.measure.llc.LLC` to the last bit (held by tests).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from harness.device import memory_limit
from harness.measure.llc.estimate import LLC
from harness.population import Population
from harness.recipe import MLP, Recipe, digest

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset

MOST = 64
COPIES = 4  # of a network's points while a stack is put together


def kind_of(measurement: object, recipe: Recipe, data: Dataset) -> Hashable | None:
    """What populations have to share for their chains to be one stack; None for a measurement that is done one by one.

    Args:
        measurement: what is measured.
        recipe: of the population.
        data: the loaded ``recipe.data``.
    """
    if type(measurement) is not LLC or measurement.engine not in (None, "stacked") or type(recipe.architecture) is not MLP:
        return None
    shape = data.train_x[: measurement.points].shape
    return digest(measurement), recipe.architecture, len(recipe.kept), shape, data.classes


def most_together(measurement: LLC, data: Dataset, device: str) -> int:
    """Networks whose chains are one stack: as many as memory holds the points of, and never more than a set number."""
    points = data.train_x[: measurement.points].nbytes
    return max(1, min(MOST, memory_limit(device) // (COPIES * max(points, 1))))


def measured_across(measurement: LLC, seen: Sequence[tuple[Population, Dataset]], device: str) -> list[pd.DataFrame]:
    """The tables of several populations of one kind, each on data of its own.

    Args:
        measurement: what is measured.
        seen: populations, each with its data.
        device: "cpu" or "cuda".

    Returns:
        For every population what ``measurement.run`` returns.
    """
    table = measurement._together(seen, device)
    each = len(table) // sum(len(population) for population, _ in seen)  # rows of a member: scopes and epochs
    found, begin = [], 0
    for population, _ in seen:
        found.append(table.iloc[begin : begin + each * len(population)].reset_index(drop=True))
        begin += each * len(population)
    return found
