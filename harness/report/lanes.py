"""Where the marks of a figure lie beside each other, and which colour each series has; nothing here draws.

Small operations on tidy columns (lists by name), as the rows of a figure are kept in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Columns = Mapping[str, Sequence[Any]]


def levels(values: Sequence[Any]) -> list[Any]:
    """The distinct values of a column: numbers ascending, anything else in order of appearance."""
    found = list(dict.fromkeys(value for value in values if value is not None))
    return sorted(found) if all(is_number(value) for value in found) else found


def where(table: Columns, keep: Sequence[bool]) -> dict[str, list[Any]]:
    """The rows of ``table`` that are kept."""
    return {name: [value for value, kept in zip(values, keep, strict=True) if kept] for name, values in table.items()}


def at_level(table: Columns, column: str | None, level: Any) -> Columns:
    """The rows in which ``column`` has the value ``level``; all rows where there is no such column."""
    return table if column is None else where(table, [value == level for value in table[column]])


def is_number(value: Any) -> bool:
    """Whether ``value`` is a number; a boolean is a category."""
    return isinstance(value, int | float) and not isinstance(value, bool)


REGIMES = ("standard", "robust", "finetuned")  # the same colour and mark in every figure, whatever else it shows
_WIDTH = 0.72  # of the space between two categories that their marks take
_JOINED = 0.35  # of their lanes' distance at which pairs of different colours stand, so that lines do not cross at the ends


@dataclass(frozen=True)
class FigureStyle:
    """What all panels of a figure share: the figure's fields and the order of its colours and categories."""

    figure: Mapping[str, Any]
    hues: tuple[Any, ...]
    categories: tuple[Any, ...]

    @classmethod
    def of(cls, figure: Mapping[str, Any]) -> FigureStyle:
        """The style of ``figure``, with its levels over all panels."""
        hues = levels(figure["data"][figure["hue"]]) if figure["hue"] else []
        return cls(figure, tuple(hues) or (None,), tuple(levels(figure["data"][figure["x"]])))

    @property
    def paints(self) -> tuple[int, ...]:
        """Which colour, mark and dash each hue has: a regime its own, any other the next that is free."""
        own = {hue: REGIMES.index(hue) for hue in self.hues if hue in REGIMES}
        free = (paint for paint in range(len(REGIMES) + len(self.hues)) if paint not in own.values())
        return tuple(own[hue] if hue in own else next(free) for hue in self.hues)

    @property
    def categorical(self) -> bool:
        """Whether the horizontal axis has categories instead of numbers."""
        return self.figure["kind"] not in ("scatter", "lines")

    def series(self, rows: Columns) -> list[tuple[int, Any, list[Any], list[float]]]:
        """Rows by hue: (position of the hue, hue, x values or category positions, y values)."""
        found = []
        for position, hue in enumerate(self.hues):
            own = at_level(rows, self.figure["hue"], hue)
            x, y = list(own[self.figure["x"]]), list(own[self.figure["y"]])
            found.append((position, hue, [self.categories.index(v) for v in x] if self.categorical else x, y))
        return found

    def lane(self, position: int) -> float:
        """How far the marks of a hue are shifted from their x: apart within a category, less so where pairs are joined."""
        if not self.categorical:
            return 0.0
        return (_JOINED if self.figure["kind"] == "paired" else 1.0) * self.dodge(position)[0]

    def dodge(self, position: int) -> tuple[float, float]:
        """Centre and width of the lane of a hue beside its category."""
        width = _WIDTH / len(self.hues)
        return (position - (len(self.hues) - 1) / 2) * width, width
