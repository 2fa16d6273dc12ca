"""A value that does not change from one level of a factor to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.predict import words
from harness.predict.differences.equivalence import Equivalence
from harness.predict.differences.paired import Floats, OnPairs
from harness.predict.differences.strata import Averaged
from harness.predict.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class NoChange(Equivalence, OnPairs):
    """A value changes by less than the margin from one level of a factor to another, on average over pairs.

    Effect and interval are those of ``PairedDifference``, for value[second] - value[first]; p is that of the two one-sided
    t tests (TOST).  Where fewer pairs lie within the margin than normal ones of that mean and spread would, as where half of
    them rise and half of them fall, support is withheld (``stats.scattered_p``).  What is not measured well does not change
    either: a claim with this prediction needs gates on the reliability of the value.

    Attributes:
        value: column that is compared.
        factor: column that holds the two levels.
        first: level from which it might change.
        second: the other level.
        pair: columns that identify a pair (with ``strata``): what both sides share, such as architecture and seed.
        strata: columns whose levels get equal weight, such as the architecture; none for one stratum.
    """

    value: str
    factor: str
    first: str | float
    second: str | float
    pair: str | tuple[str, ...]
    strata: str | tuple[str, ...] | None = None

    @property
    def levels(self) -> tuple[str | float, str | float]:
        """Second and first."""
        return self.second, self.first

    def own_columns(self) -> tuple[str, ...]:
        """Value, factor, pair and strata."""
        return (self.value, self.factor, *self.keys)

    def sentence(self) -> str:
        """What is tested."""
        return (
            f"{self.on_average()}, {self.word(self.value)} is the same {self.level(self.factor, self.second)} "
            f"and {self.level(self.factor, self.first)}: the difference lies between "
            f"{words.number(-self.margin)} and {words.number(self.margin)}"
        )

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Mean paired difference; see the class and :meth:`Prediction.estimate`."""
        pairs, difference, scale = self.paired_values(table, self.value)
        return self.judged(pairs, difference, scale, f"difference of {self.word(self.value)}", rng)

    def objects(self, difference: Floats) -> str | None:
        """Units that go apart."""
        return self.scattered(difference)

    def _p(self, found: Averaged, difference: Floats, rng: np.random.Generator) -> float:
        return self.tail(found.mean.confidence)

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        return (
            f"Mean {self.word(self.value)} differs by {words.number(estimate.effect)} between "
            f"{self.briefly_at(self.factor, self.first)} and {self.word(self.second)} {words.bracket(estimate.interval)}"
        )
