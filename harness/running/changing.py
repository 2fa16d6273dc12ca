"""Measured values made others: shuffled over all rows, or changed beyond recognition, to see what follows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

FAR = 1e6  # factor by which what must not matter is changed
FACTORS = (FAR, -FAR, 1 / FAR)  # far up and down, differing far among themselves, and all alike, next to nothing
NAMES = ("seed", "epoch", "recipe", "architecture", "regime", "scope")  # columns that say what a row is of


@dataclass(frozen=True)
class Spare:
    """What a claim may not need.

    Attributes:
        recipes: keys of recipes.
        scopes: parts of the network.
    """

    recipes: frozenset[str] = field(default_factory=frozenset)
    scopes: frozenset[str] = field(default_factory=frozenset)

    def __bool__(self) -> bool:
        return bool(self.recipes or self.scopes)

    def rows(self, table: pd.DataFrame) -> Any:
        """Which rows of a measured table are of it, shape (row,)."""
        mine = np.zeros(len(table), dtype=bool)
        for column, levels in (("recipe", self.recipes), ("scope", self.scopes)):
            if column in table:
                mine |= table[column].isin(levels).to_numpy()
        return mine


@dataclass(frozen=True)
class Shuffled:
    """Gives every row the measured values of another one; what networks are, and their seeds, stay."""

    seed: int

    def __call__(self, table: pd.DataFrame, labels: frozenset[str]) -> pd.DataFrame:
        """The table, with its measured values in another order."""
        order = np.random.default_rng(self.seed).permutation(len(table))
        return table.assign(**{name: table[name].to_numpy()[order] for name in _measured(table, labels)})


@dataclass(frozen=True)
class Changed:
    """Changes measured values beyond recognition: far up or down, all alike or undefined; truths and words likewise.

    Attributes:
        factor: of numbers.
        spare: whose values are changed; None for all.
        first: another change before it.
    """

    factor: float
    spare: Spare | None = None
    first: Shuffled | None = None

    def __call__(self, table: pd.DataFrame, labels: frozenset[str]) -> pd.DataFrame:
        """The table, with other measured values."""
        measured = _measured(table, labels)
        table = table.copy() if self.first is None else self.first(table, labels)
        mine = np.ones(len(table), dtype=bool) if self.spare is None else self.spare.rows(table)
        for name in measured:
            old = table[name].to_numpy()
            table[name] = np.where(mine, self._far(old), old)
        return table

    def _far(self, old: Any) -> Any:
        if old.dtype.kind == "b":
            return np.full(len(old), self.factor > 0) if abs(self.factor) >= FAR else ~old
        if old.dtype.kind not in "fiu":
            words = {FAR: "~", -FAR: ""}
            return np.full(len(old), words.get(self.factor, old[0] if len(old) else ""), dtype=object)
        if old.dtype.kind == "f":
            with np.errstate(all="ignore"):
                return (self.factor * (1 + np.abs(np.nan_to_num(old)))).astype(old.dtype)
        ends = np.iinfo(old.dtype)
        far = (FAR if np.isnan(self.factor) else self.factor) * (1 + np.abs(old.astype(float)))
        return np.clip(far, ends.min / 2, ends.max / 2).astype(old.dtype)


def _measured(table: pd.DataFrame, labels: frozenset[str]) -> list[str]:
    """Columns that are measured, as far as they can be told from those that say what a row is of.

    These are truths; what differs from seed to seed; what is the same in all rows, since it may be the best possible value; and
    fractions that differ from recipe to recipe.  Levels of a radius and numbers of parameters are none of these.
    """
    names = [name for name in table.columns if name not in NAMES and name not in labels]
    return [str(name) for name in names if _can_change(table[name]) and _is_measured(table, name)]


def _can_change(column: pd.Series[Any]) -> bool:
    import pandas as pd

    return column.dtype.kind in "fiub" or pd.api.types.is_string_dtype(column)


def _is_measured(table: pd.DataFrame, name: str) -> bool:
    column = table[name]
    if column.dtype.kind == "b" or len(column.unique()) <= 1:
        return True
    others = [by for by in ("seed", "recipe") if by in table and (by == "seed" or column.dtype.kind == "f")]
    return not others or any(len({frozenset(own.unique()) for _, own in table.groupby(by)[name]}) > 1 for by in others)
