"""Differences of trimmed means: how the middle of the units differs, whatever lies at the ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness import stats
from harness.predict.independent import IndependentDifference
from harness.predict.paired import PairedDifference

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
