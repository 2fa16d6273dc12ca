"""Difference of the means of two groups of different units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness import stats
from harness.errors import ClaimError
from harness.predict import sampling, tables, words
from harness.predict.base import MINIMUM, Rule, Unusable
from harness.predict.differences.strata import InStrata, differences, stratum
from harness.predict.estimate import Estimate, Stratum
from harness.rows import present

if TYPE_CHECKING:
    import pandas as pd


class OnGroups(InStrata):
    """What comparisons of two groups of different units have in common; not itself a kind."""

    in_a_block: ClassVar[str] = "every block compares units of its own in both groups, without pairing them"

    value: str
    factor: str
    higher: str | float
    lower: str | float

    def __post_init__(self) -> None:
        super().__post_init__()
        self._columns_as_tuples("unit", "strata")
        if not self.unit:
            raise ClaimError(f"{type(self).__name__} has no unit: name the columns that identify one unit")
        if self.higher == self.lower:
            raise ClaimError(f"{type(self).__name__} compares {self.higher!r} with itself")

    def picture(self) -> Mapping[str, Any]:
        """See :meth:`Prediction.picture`."""
        return {"kind": "strip", "x": self.factor, "y": self.value}

    def own_columns(self) -> tuple[str, ...]:
        """Value, factor, unit and strata."""
        return tuple(dict.fromkeys((self.value, self.factor, *self.keys)))

    def _groups(self, table: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.intp]]:
        """One row per unit of both groups, and 1 for those in the group that is predicted to be higher."""
        keys = tuple(dict.fromkeys((*self.keys, self.factor)))
        frame = tables.usable(self, table, keys=keys, numeric=(self.value,))
        for level in (self.higher, self.lower):
            if not (frame[self.factor] == level).any():
                raise Unusable(f"no row has {self.factor} = {level}; present: {present(frame[self.factor])}")
        frame = frame[frame[self.factor].isin([self.higher, self.lower])].reset_index(drop=True)
        tables.once(frame, keys)
        both = frame.duplicated(list(self.keys), keep=False).to_numpy()
        if both.any():
            raise Unusable(
                f"{int(both.sum()) // 2} units stand in both groups, e.g. {tables.first(frame, both, self.keys)}; compare "
                f"them with PairedDifference or, where they share nothing but a name, add {self.factor} to unit"
            )
        side = (frame[self.factor] == self.higher).to_numpy().astype(np.intp)
        for at, level in ((1, self.higher), (0, self.lower)):
            tables.enough(int((side == at).sum()), f"units with {self.factor} = {level}", self.fewest)
            for name, part in tables.groups(frame, tuple(self.strata or ())):
                least = MINIMUM if self.trim else 2
                tables.enough(int((side[part.index] == at).sum()), f"unit(s) with {self.factor} = {level} in {name}", least)
        return frame, side

    def _sizes(self, side: NDArray[np.intp]) -> str:
        first, second = int(side.sum()), int((1 - side).sum())
        return (
            f"There are {first:,} units {self.level(self.factor, self.higher)} and {second:,} "
            f"{self.level(self.factor, self.lower)}."
        )


@dataclass(frozen=True, repr=False)
class IndependentDifference(OnGroups):
    """A value is higher, on average, in one group of units than in another group of other units.

    The effect is the mean over strata (equal weight) of mean value[higher] - mean value[lower]; its interval is that of
    Welch and Satterthwaite (``stats.contrast``), its p that of the permutation of the groups within strata
    (``stats.label_p``).  Where both groups share something, such as the initialisation, ``PairedDifference`` says more.

    Where seeds are added in blocks each block has units of both groups, whose means are compared by Welch's t: no unit of one
    group is paired with one of the other.

    Attributes:
        value: column that is compared.
        factor: column that holds the two levels.
        higher: level at which the value is predicted to be higher.
        lower: the other level.
        unit: columns that identify a unit (with ``strata``); no unit has both levels.
        strata: columns whose levels get equal weight, such as the architecture; none for one stratum.
    """

    value: str
    factor: str
    higher: str | float
    lower: str | float
    unit: str | tuple[str, ...]
    strata: str | tuple[str, ...] | None = None

    @property
    def rule(self) -> Rule:
        """Direction: above zero."""
        return "above"

    def sentence(self) -> str:
        """What is tested."""
        return (
            f"{self.over_units()}, {self.word(self.value)} is higher "
            f"{self.level(self.factor, self.higher)} than in other units {self.level(self.factor, self.lower)}"
        )

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Difference of means; see the class and :meth:`Prediction.estimate`."""
        strata = tuple(self.strata or ())
        frame, side = self._groups(table)
        parts = tables.groups(frame, strata)
        codes, values = tables.codes(frame, strata), frame[self.value].to_numpy()
        if all(stats.is_constant(values[(codes == s) & (side == at)]) for s in range(len(parts)) for at in (0, 1)):
            raise Unusable(
                f"{self.value} is the same in every unit of a group{' and stratum' if strata else ''}, so that there is "
                "no spread to judge the difference by"
            )
        weights = np.tile([-1.0, 1.0], len(parts)) / len(parts)
        sample = sampling.of(self, frame, strata, apart=(self.factor,))
        alike = sample.alike(values, 2 * codes + side)
        mean = sample.contrast(values, 2 * codes + side, weights)
        within = [stats.contrast(values[codes == s], side[codes == s], [-1, 1], self.trim) for s in range(len(parts))]
        shown = tuple(
            stratum(self, name, each, len(part))
            for (name, part), each in zip(parts, within, strict=True) if strata
        )  # fmt: skip
        return self.seen(
            mean.confidence,
            estimand=f"difference of {words.mean(self.trim)} {self.word(self.value)}"
            f", {self.word(self.higher)} minus {self.word(self.lower)}"
            f"{self.equal_weight()}",
            unit=self.crossed(self.keys),
            p=self._p(mean, sample, values, side, codes, rng),
            n=len(values),
            standardised=self._size(mean, np.bincount(2 * codes + side), weights),
            strata=shown,
            notes=(self._sizes(side), *self._heterogeneity(shown, within), *alike),
            **sample.fields(),
        )

    def _p(
        self,
        mean: stats.Mean,
        sample: sampling.Sample,
        values: NDArray[np.float64],
        side: NDArray[np.intp],
        codes: NDArray[np.intp],
        rng: np.random.Generator,
    ) -> float:
        """P of the mean: by permuted labels, for a plain mean over units that were drawn one by one."""
        if sample.carried or self.trim:
            return self.tail(mean.confidence)
        return stats.label_p(values, side, codes, rng=rng)

    def _size(self, mean: stats.Mean, count: NDArray[np.intp], weights: NDArray[np.float64]) -> tuple[float, float, float]:
        if self.trim:
            return stats.standardised(mean, self.alpha)
        return stats.hedges_g(mean, count, weights, self.alpha)

    def _heterogeneity(self, shown: tuple[Stratum, ...], within: list[stats.Mean]) -> tuple[str, ...]:
        p = None
        if len(within) > 1 and all(each.error > 0 for each in within):
            means, errors, freedoms = zip(*((each.mean, each.error, each.freedom) for each in within), strict=True)
            p = float(stats.welch_anova(means, errors, freedoms))
        return differences("difference", shown, p, self.alpha)

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        comparison = "higher" if estimate.effect >= 0 else "lower"
        return (
            f"{words.on_average(self.trim)} {self.word(self.value)} is {words.number(abs(estimate.effect))} {comparison} "
            f"{self.briefly_level(self.factor, self.higher)} than {self.briefly_level(self.factor, self.lower)} "
            f"{words.bracket(estimate.interval)}"
        )
