"""Mean paired difference between two levels of a factor."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness import stats
from harness.errors import ClaimError
from harness.predict import tables, words
from harness.predict.base import Prediction, Rule
from harness.predict.differences.strata import Averaged, average
from harness.predict.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


class OnPairs(Prediction):
    """What comparisons of two levels of a factor within pairs have in common; not itself a kind.

    The effect is the mean over strata (equal weight) of the mean of one number per pair; its interval is the t interval of
    ``stats.stratified_mean``.
    """

    factor: str
    pair: str | tuple[str, ...]
    strata: str | tuple[str, ...] | None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._columns_as_tuples("pair", "strata")
        kind = type(self).__name__
        if not self.pair:
            raise ClaimError(f"{kind} has no pair: name the columns that both sides of a pair share")
        if self.levels[0] == self.levels[1]:
            raise ClaimError(f"{kind} compares {self.levels[0]!r} with itself")

    @property
    @abstractmethod
    def levels(self) -> tuple[str | float, str | float]:
        """The two levels; the effect is the first minus the second."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns that identify a pair in the whole table."""
        return tuple(dict.fromkeys((*(self.strata or ()), *self.pair)))

    def picture(self) -> Mapping[str, Any] | None:
        """One line a pair, between the two levels."""
        value = getattr(self, "value", None)
        panel = self.strata[0] if self.strata and len(self.strata) == 1 else None
        return None if value is None else {"kind": "paired", "x": self.factor, "y": value, "pair": self.keys, "facet": panel}

    def on_average(self) -> str:
        """Over what the mean is taken: "On average over pairs with the same seed"."""
        equal = f", each {self.crossed(self.strata)} with equal weight" if self.strata else ""
        same = words.listed(map(self.word, self.keys))
        return f"On average over pairs with the same {same}{equal}{words.left_out(self.trim)}"

    def paired_values(self, table: pd.DataFrame, value: str) -> tuple[pd.DataFrame, Floats, float]:
        """One row per pair, value at the first level minus value at the second, and the largest value."""
        frame = tables.usable(self, table, keys=(*self.keys, self.factor), numeric=(value,))
        first, second = tables.sides(frame, self.keys, self.factor, self.levels)
        scale = float(frame[value].abs().max())
        return first, first[value].to_numpy() - second[value].to_numpy(), scale

    def judged(self, pairs: pd.DataFrame, difference: Floats, scale: float, what: str, rng: np.random.Generator) -> Estimate:
        """Estimate of the mean of one number per pair.

        Args:
            pairs: one row per pair, with the columns ``keys``.
            difference: one number per pair.
            scale: size of the numbers that they were computed from.
            what: what a pair's number is, in words.
            rng: generator for the sign flips.
        """
        strata = tuple(self.strata or ())
        found = average(self, pairs, difference, strata, noun="pair", what=what, scale=scale)
        one, other = map(self.word, self.levels)
        return self.seen(
            found.mean.confidence,
            estimand=f"{words.mean(self.trim)} paired {what}, {one} minus {other}"
            + (f", equal weight per {self.crossed(strata)}" if strata else ""),
            unit=f"pair ({self.crossed(self.keys)})",
            p=self._p(found, difference, rng),
            n=len(difference),
            standardised=stats.standardised(found.mean, self.alpha),
            strata=found.shown,
            notes=found.notes,
            objection=self.objects(difference),
            **found.said(difference),
        )

    def objects(self, difference: Floats) -> str | None:
        """Why support is withheld although the mean would give it; no reason for a direction."""
        return None

    def _p(self, found: Averaged, difference: Floats, rng: np.random.Generator) -> float:
        """P of the mean: by the sign flips of the same weighted mean, for a direction over pairs that were drawn one by one."""
        if found.sample.carried or self.trim:
            return self.tail(found.mean.confidence)
        return stats.sign_flip_p(difference, 1 / np.bincount(found.codes)[found.codes], rng=rng)


@dataclass(frozen=True, repr=False)
class PairedDifference(OnPairs):
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

    @property
    def rule(self) -> Rule:
        """Direction: above zero."""
        return "above"

    @property
    def levels(self) -> tuple[str | float, str | float]:
        """Higher and lower."""
        return self.higher, self.lower

    def own_columns(self) -> tuple[str, ...]:
        """Value, factor, pair and strata."""
        return (self.value, self.factor, *self.keys)

    def sentence(self) -> str:
        """What is tested."""
        return (
            f"{self.on_average()}, {self.word(self.value)} is higher {self.level(self.factor, self.higher)} "
            f"than {self.level(self.factor, self.lower)}"
        )

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Mean paired difference; see the class and :meth:`Prediction.estimate`."""
        pairs, difference, scale = self.paired_values(table, self.value)
        return self.judged(pairs, difference, scale, f"difference of {self.word(self.value)}", rng)

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        comparison = "higher" if estimate.effect >= 0 else "lower"
        return (
            f"{words.on_average(self.trim)} {self.word(self.value)} is {words.number(abs(estimate.effect))} {comparison} "
            f"{self.briefly_level(self.factor, self.higher)} than {self.briefly_level(self.factor, self.lower)} "
            f"{words.bracket(estimate.interval)}"
        )
