"""How often a value is higher within a pair: a comparison that no tail and no outlier can sway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness import stats
from harness.claim import ClaimError
from harness.predict import sampling, tables, words
from harness.predict.base import Prediction, Rule
from harness.predict.estimate import Estimate, own_size
from harness.predict.paired import OnPairs

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
            f"{self.level(self.factor, self.higher)} than {self.level(self.factor, self.lower)} "
            f"{self.measured(estimate, 'share')}"
        )
