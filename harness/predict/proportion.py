"""Share of units that have a property."""

from __future__ import annotations

from collections.abc import Sequence
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

    The interval is Clopper & Pearson's.  With ``every`` the estimand is the smallest share over all combinations
    of levels (``stats.Least``): support needs no correction for their number, the upper end of the interval,
    by which it is refuted, is taken at alpha divided by it.

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

    def pilot(self, n: int) -> stats.Confidence | None:
        """Exact, at one level: how many there are is not known beforehand."""
        return stats.Share(n, n)

    @property
    def largest(self) -> float:
        """A share's."""
        return 1.0

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
        names, shares = [], []
        for name, part in tables.groups(frame, tuple(self.every)):
            tables.enough(len(part), f"units ({self.crossed(self.unit)})" + (f" in {name}" if name else ""))
            names.append(name)
            shares.append(stats.Share(int(part[self.success].sum()), len(part)))
        least = stats.Least(tuple(shares))
        levels = tuple(self.stratum(name, share, share.n) for name, share in zip(names, shares, strict=True))
        strata = levels if self.every else ()
        return self.seen(
            least,
            estimand=f"share of units with {self.word(self.success)}{_at(strata)}",
            unit=self.crossed(self.unit),
            p=float(least.above(self.exceeds)),
            n=_lowest(levels).n,
            standardised=self._cohen(least),
            strata=strata,
        )

    def _cohen(self, share: stats.Confidence) -> tuple[float, float, float]:
        """Cohen's h (1988, chapter 6): 2 asin sqrt(share) - 2 asin sqrt(exceeds), with its interval."""
        ends = np.array([share.effect, *share.interval(self.alpha)], dtype=float)
        h, low, high = 2 * np.arcsin(np.sqrt(ends)) - 2 * np.arcsin(np.sqrt(self.exceeds))
        return float(h), float(low), float(high)

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        yes, at = round(estimate.effect * estimate.n), _at(estimate.strata)
        whose = " of the smallest share" if estimate.strata else ""
        return (
            f"{yes} of {estimate.n} units ({estimate.unit}) have {self.word(self.success)}{at}: a share of "
            f"{words.number(estimate.effect)} ({words.level(self.alpha)}{whose} {words.span(estimate.interval)})"
        )


def _lowest(levels: Sequence[Stratum]) -> Stratum:
    """The level with the smallest share; of equal ones that of which least is known."""
    return min(levels, key=lambda each: (each.effect, each.interval))


def _at(levels: Sequence[Stratum]) -> str:
    """Which level the numbers are of."""
    if not levels:
        return ""
    if len({(each.effect, each.n) for each in levels}) == 1:
        return f" at each of {words.counted(len(levels), 'level')}"
    return f" at {_lowest(levels).name}, the lowest of {words.counted(len(levels), 'level')}"
