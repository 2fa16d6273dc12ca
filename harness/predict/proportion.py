"""Share of units that have a property."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness import stats
from harness.claim import ClaimError
from harness.predict import tables, words
from harness.predict.base import Estimate, Prediction, Rule, Stratum, Unusable

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Proportion(Prediction):
    """More than a given share of the units has a property, at every level of some columns.

    The interval is Clopper & Pearson's.  With ``every`` the claim is an intersection: each combination of
    levels is estimated (``strata``), and the one that decides is reported.  That is the one whose interval
    ends lowest if any interval misses ``exceeds + margin``, else the one whose interval begins
    lowest.  Support needs no correction for the number of levels (intersection-union); refutation has none
    either, so that k levels that all lie exactly at ``exceeds + margin`` are wrongly refuted with probability
    up to k alpha.

    Attributes:
        success: column of booleans or of 0 and 1.
        unit: columns that identify a unit within each combination of levels.
        exceeds: share that must be exceeded.
        every: columns at whose every combination of levels the claim must hold.
    """

    success: str
    unit: str | tuple[str, ...]
    exceeds: float
    every: str | tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._columns_as_tuples("unit", "every")
        if not self.unit:
            raise ClaimError("Proportion has no unit: name the columns that identify one unit")
        if not 0 <= self.exceeds < 1:
            raise ClaimError(f"Proportion has exceeds={self.exceeds}; allowed is 0 to below 1")
        if self.exceeds + self.margin > 1:
            raise ClaimError(
                f"Proportion has exceeds={self.exceeds} and margin={self.margin}; no share reaches the "
                f"sum: the margin may be {1 - self.exceeds:.3g} at most"
            )

    @property
    def rule(self) -> Rule:
        """Direction: above ``exceeds``."""
        return "above"

    @property
    def centre(self) -> float:
        """The share that must be exceeded."""
        return self.exceeds

    def own_columns(self) -> tuple[str, ...]:
        """Success, unit and every."""
        return (self.success, *self.unit, *self.every)

    def _terms(self) -> str:
        return f"; the smallest share of interest is {words.number(self.exceeds + self.margin)}"

    def sentence(self) -> str:
        """What is tested."""
        every = f" at every level of {self.crossed(self.every)}" if self.every else ""
        return (
            f"More than {words.number(self.exceeds)} of the units ({self.crossed(self.unit)}) have "
            f"{self.word(self.success)}{every}"
        )

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Share of units with the property; see the class and :meth:`Prediction.estimate`."""
        keys = tuple(dict.fromkeys((*self.every, *self.unit)))
        frame = tables.usable(self, table, keys=keys, numeric=(self.success,))
        tables.once(frame, keys)
        odd = ~frame[self.success].isin([0, 1])
        if odd.any():
            first = frame.loc[odd, self.success].iloc[0]
            raise Unusable(f"{self.success} holds {first:.3g}; it must be yes or no, 1 or 0")
        levels = []
        for name, part in tables.groups(frame, tuple(self.every)):
            tables.enough(len(part), f"units ({self.crossed(self.unit)})" + (f" in {name}" if name else ""))
            yes = int(part[self.success].sum())
            levels.append(
                Stratum(name, yes / len(part), stats.share_interval(yes, len(part), self.alpha), len(part))
            )
        worst = self._deciding(levels)
        return Estimate(
            estimand=f"share of units with {self.word(self.success)}{self._at(levels)}",
            unit=self.crossed(self.unit),
            effect=worst.effect,
            interval=worst.interval,
            p=max(stats.share_p(round(each.effect * each.n), each.n, self.exceeds) for each in levels),
            n=worst.n,
            strata=tuple(levels) if self.every else (),
        )

    def _deciding(self, levels: list[Stratum]) -> Stratum:
        """The level by which all are supported, or any is refuted."""
        missed = [each for each in levels if each.interval[1] < self.exceeds + self.margin]
        if missed:
            return min(missed, key=lambda each: each.interval[1])
        return min(levels, key=lambda each: each.interval[0])

    def _at(self, levels: list[Stratum]) -> str:
        if not self.every:
            return ""
        return f" at {self._deciding(levels).name}, which decides among {words.counted(len(levels), 'level')}"

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        yes = round(estimate.effect * estimate.n)
        return (
            f"{yes} of {estimate.n} units ({estimate.unit}) have {self.word(self.success)}"
            f"{self._at(list(estimate.strata))}: a share of "
            f"{words.number(estimate.effect)} ({words.level(self.alpha)} {words.span(estimate.interval)})"
        )
