"""Mean paired difference between two levels of a factor."""

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
class PairedDifference(Prediction):
    """A value is higher at one level of a factor than at another, on average over pairs.

    The effect is the mean over strata (equal weight) of the mean difference value[higher] - value[lower]; its
    interval is the t interval of ``stats.stratified_mean``, its p the sign-flip test of the same mean.

    Attributes:
        value: column that is compared.
        factor: column that holds the two levels.
        higher: level at which the value is predicted to be higher.
        lower: the other level.
        pair: columns that identify a pair (with ``strata``): what both sides share, such as architecture and
            seed.
        strata: columns whose levels get equal weight, such as the architecture; none for one stratum.
    """

    value: str
    factor: str
    higher: str | float
    lower: str | float
    pair: str | tuple[str, ...]
    strata: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._columns_as_tuples("pair", "strata")
        if not self.pair:
            raise ClaimError("PairedDifference has no pair: name the columns that both sides of a pair share")
        if self.higher == self.lower:
            raise ClaimError(f"PairedDifference compares {self.higher!r} with itself")

    @property
    def rule(self) -> Rule:
        """Direction: above zero."""
        return "above"

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns that identify a pair in the whole table."""
        return tuple(dict.fromkeys((*(self.strata or ()), *self.pair)))

    def own_columns(self) -> tuple[str, ...]:
        """Value, factor, pair and strata."""
        return (self.value, self.factor, *self.keys)

    def sentence(self) -> str:
        """What is tested."""
        equal = f", each {self.crossed(self.strata)} with equal weight" if self.strata else ""
        return (
            f"On average over pairs with the same {words.listed(map(self.word, self.keys))}{equal}, "
            f"{self.word(self.value)} is higher {self.level(self.factor, self.higher)} "
            f"than {self.level(self.factor, self.lower)}"
        )

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Mean paired difference; see the class and :meth:`Prediction.estimate`."""
        strata = tuple(self.strata or ())
        frame = tables.usable(self, table, keys=(*self.keys, self.factor), numeric=(self.value,))
        upper, lower = tables.sides(frame, self.keys, self.factor, (self.higher, self.lower))
        tables.enough(len(upper), "pairs")
        difference = upper[self.value].to_numpy() - lower[self.value].to_numpy()
        scale = float(frame[self.value].abs().max())
        parts = tables.groups(upper, strata)
        for name, part in parts:
            tables.enough(len(part), f"pair(s) in {name}", 2)
        if all(stats.is_constant(difference[part.index], scale) for _, part in parts):
            raise Unusable(
                f"every pair{' of a stratum' if strata else ''} has the same difference of {self.value} "
                f"({difference[0]:.3g}), so that there is no spread to judge it by"
            )
        codes = tables.codes(upper, strata)
        mean = stats.stratified_mean(difference, codes)
        low, high = mean.interval(self.alpha)
        shown = tuple(self._stratum(name, difference[part.index]) for name, part in parts) if strata else ()
        return Estimate(
            estimand=f"mean paired difference of {self.word(self.value)}, {self.word(self.higher)} minus "
            f"{self.word(self.lower)}" + (f", equal weight per {self.crossed(strata)}" if strata else ""),
            unit=f"pair ({self.crossed(self.keys)})",
            effect=float(mean.mean),
            interval=(float(low), float(high)),
            p=stats.sign_flip_p(difference, 1 / np.bincount(codes)[codes], rng=rng),
            n=len(difference),
            standardised=stats.standardised(mean, self.alpha),
            strata=shown,
            notes=self._heterogeneity(shown),
        )

    def _stratum(self, name: str, difference: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Stratum:
        mean = stats.stratified_mean(difference)
        low, high = mean.interval(self.alpha) if mean.error > 0 else (mean.mean, mean.mean)
        return Stratum(name, float(mean.mean), (float(low), float(high)), len(difference))

    def _heterogeneity(self, strata: tuple[Stratum, ...]) -> tuple[str, ...]:
        if len(strata) < 2:
            return ()
        low, high = min(strata, key=lambda each: each.effect), max(strata, key=lambda each: each.effect)
        positive = sum(each.effect > 0 for each in strata)
        return (
            f"The difference is above 0 in {positive} of {len(strata)} strata, from "
            f"{words.number(low.effect)} in {low.name} to {words.number(high.effect)} in {high.name}.",
        )

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        comparison = "higher" if estimate.effect >= 0 else "lower"
        return (
            f"On average {self.word(self.value)} is {words.number(abs(estimate.effect))} {comparison} "
            f"{self.level(self.factor, self.higher)} than {self.level(self.factor, self.lower)} ("
            f"{words.level(self.alpha)} of the difference {words.span(estimate.interval)}; "
            f"{words.counted(estimate.n, 'pair')} with the same {words.listed(map(self.word, self.keys))})"
        )
