"""A kind of prediction of a user's own: the median of units against a number, by the sign test.

Put into ``harness/predict/`` with one line in ``harness/kinds.py`` it is a kind of the library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from harness.predict import tables, words
from harness.predict.base import Prediction, Rule
from harness.predict.estimate import Estimate
from harness.stats import Confidence, Student


@dataclass(frozen=True)
class Signs(Confidence):
    """A median with the p values of sign tests.

    Attributes:
        values: one for each unit, rising.
    """

    values: tuple[float, ...]

    @property
    def effect(self) -> float:
        """The median."""
        return float(np.median(self.values))

    def above(self, value: float) -> float:
        """So many values or more lie above it where it is the median."""
        return float(scipy.stats.binom.sf(sum(each > value for each in self.values) - 1, len(self.values), 0.5))

    def below(self, value: float) -> float:
        """The mirror image."""
        return float(scipy.stats.binom.sf(sum(each < value for each in self.values) - 1, len(self.values), 0.5))

    def interval(self, alpha: float) -> tuple[float, float]:
        """Two of the values, or all numbers where there are too few."""
        n = len(self.values)
        out = int(scipy.stats.binom.ppf(alpha, n, 0.5))
        out -= scipy.stats.binom.cdf(out - 1, n, 0.5) > alpha
        return (self.values[out - 1], self.values[n - out]) if out else (-np.inf, np.inf)

    def resized(self, before: float, after: float) -> Student:
        """As a normal estimate."""
        return self.approximate(0.05).resized(before, after)


@dataclass(frozen=True, repr=False)
class Median(Prediction):
    """The median of a value over units exceeds a number.

    Attributes:
        value: column of what was measured.
        unit: columns that identify a unit.
        exceeds: number that must be exceeded.
    """

    value: str
    unit: str | tuple[str, ...]
    exceeds: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self._columns_as_tuples("unit")

    @property
    def rule(self) -> Rule:
        """Direction: above ``exceeds``."""
        return "above"

    @property
    def centre(self) -> float:
        """The number that must be exceeded."""
        return self.exceeds

    def own_columns(self) -> tuple[str, ...]:
        """Value and unit."""
        return (self.value, *self.unit)

    def sentence(self) -> str:
        """What is tested."""
        return f"The median of {self.word(self.value)} over {self.crossed(self.unit)} exceeds {words.number(self.exceeds)}"

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """The median; see :meth:`Prediction.estimate`."""
        frame = tables.usable(self, table, keys=tuple(self.unit), numeric=(self.value,))
        tables.once(frame, tuple(self.unit))
        tables.enough(len(frame), f"units ({self.crossed(self.unit)})")
        found = Signs(tuple(np.sort(frame[self.value].to_numpy(dtype=float)).tolist()))
        said: dict[str, Any] = {"estimand": f"median of {self.word(self.value)}", "unit": self.crossed(self.unit)}
        return self.seen(found, p=found.above(self.exceeds), n=len(frame), **said)

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        return f"the median of {estimate.n} units is {words.number(estimate.effect)} ({words.span(estimate.interval)})"
