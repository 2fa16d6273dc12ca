"""Two settings at a time: where the surface has the claim hold, for the settings that matter most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from harness.running.importance import Index
from harness.running.scope import Axis, Settings
from harness.running.surface import Surface

FIELDS = 9  # of a map along an axis, or as many as the setting has values
MOST = 16  # values of a list that have a field each; of a longer one those in the middles of the usual number of fields
SETTINGS = 3  # that may stand in maps: each with each, three maps at most


@dataclass(frozen=True)
class Map:
    """Where a claim holds over two settings, all others at their defaults.

    Attributes:
        across: the setting along the map, the more important one.
        up: the other.
        across_values: values in the middles of the fields.
        up_values: likewise.
        holds: probability by the surface that the claim holds in each field, one row for each value of ``up``.
        default: places of the defaults, across and up, from 0 to 1; None for one that lies beside the scope.
        trials: places and verdict of every trial that changed no other setting: (across, up, verdict).
    """

    across: str
    up: str
    across_values: tuple[Any, ...]
    up_values: tuple[Any, ...]
    holds: tuple[tuple[float, ...], ...]
    default: tuple[float | None, float | None]
    trials: tuple[tuple[float, float, str], ...]


def maps_of(surface: Surface, importance: Sequence[Index], tried: Sequence[tuple[Settings, str]]) -> tuple[Map, ...]:
    """Maps of the settings that matter most, each with each.

    Args:
        surface: through all effects.
        importance: the settings, the most important first.
        tried: settings and verdict of every trial.
    """
    names = [index.name for index in importance[:SETTINGS]]
    return tuple(_map(surface, across, up, tried) for across, up in combinations(names, 2))


def _map(surface: Surface, across: str, up: str, tried: Sequence[tuple[Settings, str]]) -> Map:
    x, y = surface.scope.axis(across), surface.scope.axis(up)
    columns, lines = _values(x), _values(y)
    fields = [{across: value, up: other} for other in lines for value in columns]
    holds = [round(float(chance), 4) for chance in surface.holds(fields)]
    inside = [
        (round(_at(x, given.get(across, x.default)), 4), round(_at(y, given.get(up, y.default)), 4), verdict)
        for given, verdict in tried if set(given) <= {across, up}
    ]  # fmt: skip
    default = tuple(_at(axis, axis.default) if not axis.values or axis.among(axis.default) else None for axis in (x, y))
    wide = len(columns)
    return Map(
        across, up, columns, lines, tuple(tuple(holds[row * wide : (row + 1) * wide]) for row in range(len(lines))),
        (default[0], default[1]), tuple(inside),
    )  # fmt: skip


def _values(axis: Axis) -> tuple[Any, ...]:
    count = len(axis.values) if 0 < len(axis.values) <= MOST and not axis.cuts else FIELDS
    return tuple(axis.value((number + 0.5) / count) for number in range(count))


def _at(axis: Axis, value: Any) -> float:
    return min(max(axis.place(value), 0.0), 1.0)
