"""Comparisons that no tail and no outlier can sway: how often one value is above another, and differences of trimmed means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness import stats
from harness.errors import ClaimError
from harness.predict import sampling, tables, words
from harness.predict.base import Prediction, Rule
from harness.predict.differences.independent import IndependentDifference, OnGroups
from harness.predict.differences.paired import OnPairs, PairedDifference
from harness.predict.estimate import Estimate, own_size

if TYPE_CHECKING:
    import pandas as pd


class MoreOften(Prediction):
    """A share of pairs that is predicted to be above a half: what kinds have in common that ask how often."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.margin > self.centre:
            raise ClaimError(f"{type(self).__name__} has margin={self.margin}; a share lies at most 0.5 above a half")

    @property
    def rule(self) -> Rule:
        """Direction: above a half."""
        return "above"

    @property
    def centre(self) -> float:
        """Half of the pairs."""
        return 0.5

    @property
    def largest(self) -> float:
        """A share's."""
        return 1.0

    def _terms(self) -> str:
        return f"; the smallest share of interest is {words.number(0.5 + self.margin)}"


@dataclass(frozen=True, repr=False)
class Superiority(MoreOften, OnPairs):
    """A value is higher at one level of a factor than at another in more than half of all pairs.

    The effect is the probability of superiority, the share of pairs in which value[higher] - value[lower] is above zero, equal
    values counting half (Vargha & Delaney 2000, J. Educ. Behav. Stat. 25(2), 101-132).  Its interval is that of Clopper and
    Pearson, which is exact whatever the differences look like; where random factors stand above the pair they count as many as
    they are worth (``stats.drawn_share``).  The mean that ``PairedDifference`` asks for counts how large differences are and
    can be swayed by rare ones; this asks how often.

    Attributes:
        value: column that is compared.
        factor: column that holds the two levels.
        higher: level at which the value is predicted to be higher.
        lower: the other level.
        pair: columns that identify a pair: what both sides share, such as architecture and seed.
    """

    value: str
    factor: str
    higher: str | float
    lower: str | float
    pair: str | tuple[str, ...]
    strata = None

    @property
    def levels(self) -> tuple[str | float, str | float]:
        """Higher and lower."""
        return self.higher, self.lower

    def pilot(self, n: int) -> stats.Confidence | None:
        """Exact."""
        return stats.Share(n, n)

    def own_columns(self) -> tuple[str, ...]:
        """Value, factor and pair."""
        return (self.value, self.factor, *self.keys)

    def sentence(self) -> str:
        """What is tested."""
        return (
            f"In more than half of the pairs with the same {words.listed(map(self.word, self.keys))}, {self.word(self.value)} "
            f"is higher {self.level(self.factor, self.higher)} than {self.level(self.factor, self.lower)}"
        )

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Share of pairs; see the class and :meth:`Prediction.estimate`."""
        pairs, difference, _ = self.paired_values(table, self.value)
        tables.enough(len(pairs), "pairs")
        wins = (1 + np.sign(difference)) / 2
        sample = sampling.of(self, pairs)
        share = sample.share(wins)
        one, other = map(self.word, self.levels)
        equal = int((wins == 0.5).sum())
        return self.seen(
            share,
            estimand=f"share of pairs whose {self.word(self.value)} is higher in {one} than in {other}",
            unit=f"pair ({self.crossed(self.keys)})",
            p=float(share.above(self.centre)),
            n=len(wins),
            standardised=own_size(share, self.alpha),
            notes=(f"{words.counted(equal, 'pair')} of equal values count half.",) if equal else (),
            **sample.fields(),
        )

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        return (
            f"In a share of {words.number(estimate.effect)} of the pairs {self.word(self.value)} is higher "
            f"{self.briefly_level(self.factor, self.higher)} than {self.briefly_level(self.factor, self.lower)} "
            f"{words.bracket(estimate.interval)}"
        )


@dataclass(frozen=True, repr=False)
class IndependentSuperiority(MoreOften, OnGroups):
    """A unit of one group has a higher value than one of another group in more than half of all pairs of them.

    The effect is the probability of superiority, equal values counting half (Vargha & Delaney 2000, J. Educ. Behav. Stat.
    25(2), 101-132), with the variance of Brunner and Munzel, which holds whatever the two distributions look like; interval
    and p are those of a share of as many units as the groups are worth (``stats.placed_share``).  Where both groups share
    something, such as the initialisation, ``Superiority`` says more.

    Attributes:
        value: column that is compared.
        factor: column that holds the two levels.
        higher: level at which the value is predicted to be higher.
        lower: the other level.
        unit: columns that identify a unit; no unit has both levels.
    """

    value: str
    factor: str
    higher: str | float
    lower: str | float
    unit: str | tuple[str, ...]
    strata = None

    def pilot(self, n: int) -> stats.Confidence | None:
        """Of two groups of equal size and shape."""
        units = stats.worth(n // 2, n - n // 2)[1]
        return stats.Share(units, units)

    def sentence(self) -> str:
        """What is tested."""
        return (
            f"Of two units ({self.crossed(self.keys)}), {self.word(self.value)} is higher in that "
            f"{self.level(self.factor, self.higher)} than in that {self.level(self.factor, self.lower)} in more than half of "
            "all pairs"
        )

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Share of pairs; see the class and :meth:`Prediction.estimate`."""
        frame, side = self._groups(table)
        values = frame[self.value].to_numpy()
        one, other = values[side == 1], values[side == 0]
        sample = sampling.of(self, frame, apart=(self.factor,))

        def again(kept: NDArray[np.bool_]) -> NDArray[np.float64]:
            return stats.superiority(values[kept & (side == 1)], values[kept & (side == 0)])

        share = stats.placed_share(one, other)
        if sample.drawn is not None:
            share = stats.drawn_placed_share(share, again, sample.drawn, self.alpha)
        equal = int((one[:, None] == other[None, :]).sum())
        return self.seen(
            share,
            estimand=f"share of pairs of units whose {self.word(self.value)} is higher in {self.word(self.higher)} than in "
            f"{self.word(self.lower)}",
            unit=self.crossed(self.keys),
            p=float(share.above(self.centre)),
            n=len(values),
            standardised=own_size(share, self.alpha),
            notes=(self._sizes(side), *([f"{words.counted(equal, 'pair')} of equal values count half."] if equal else [])),
            **sample.fields(),
        )

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        return (
            f"In a share of {words.number(estimate.effect)} of all pairs of units {self.word(self.value)} is higher "
            f"{self.briefly_level(self.factor, self.higher)} than {self.briefly_level(self.factor, self.lower)} "
            f"{words.bracket(estimate.interval)}"
        )


FEWEST = 8
"""Fewest units, of each of two groups: of six one is left out at either end, and a long tail errs in 6.5 % of studies."""


@dataclass(frozen=True, repr=False)
class TrimmedDifference(PairedDifference):
    """A value is higher at one level of a factor than at another, on average over the middle 60 % of the pairs.

    The effect is the mean over strata of the trimmed mean of value[higher] - value[lower]: the fifth of the differences that is
    highest and the fifth that is lowest are left out (Tukey & McLaughlin 1963; ``stats.contrast``).  Where the differences are
    symmetric around a centre it estimates that centre, as the mean does; where they have a tail it says less of the tail.
    Rare failures do not sway it, and are not what it speaks of.

    Attributes:
        value: column that is compared.
        factor: column that holds the two levels.
        higher: level at which the value is predicted to be higher.
        lower: the other level.
        pair: columns that identify a pair (with ``strata``): what both sides share, such as architecture and seed.
        strata: columns whose levels get equal weight, such as the architecture, five pairs or more in each; none for one.
    """

    trim: ClassVar[float] = stats.TRIM
    fewest: ClassVar[int] = FEWEST


@dataclass(frozen=True, repr=False)
class IndependentTrimmedDifference(IndependentDifference):
    """A value is higher in one group of units than in another group of other units, on average over the middle 60 % of each.

    The effect is the mean over strata of the difference of the groups' trimmed means, a fifth left out at either end of each
    (Yuen 1974; ``stats.contrast``); p is that of its t.

    Attributes:
        value: column that is compared.
        factor: column that holds the two levels.
        higher: level at which the value is predicted to be higher.
        lower: the other level.
        unit: columns that identify a unit (with ``strata``); no unit has both levels.
        strata: columns whose levels get equal weight, five units or more of either group in each; none for one.
    """

    trim: ClassVar[float] = stats.TRIM
    fewest: ClassVar[int] = FEWEST
