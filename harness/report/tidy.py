"""Small operations on tidy columns (lists by name), as the rows of a figure are kept in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
