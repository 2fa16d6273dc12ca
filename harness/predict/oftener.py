"""How often a value of one group is higher than one of another group: a comparison that no tail and no outlier can sway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness import stats
from harness.predict import sampling, words
from harness.predict.estimate import Estimate, own_size
from harness.predict.independent import OnGroups
from harness.predict.superiority import MoreOften

if TYPE_CHECKING:
    import pandas as pd


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
            f"{self.level(self.factor, self.higher)} than {self.level(self.factor, self.lower)} ({words.level(self.alpha)} of "
            f"the share {words.span(estimate.interval)}; {words.counted(estimate.n, 'unit')} ({estimate.unit}))"
        )
