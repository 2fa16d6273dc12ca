"""Two columns that move together over training, within each model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from harness import stats
from harness.errors import ClaimError
from harness.predict import sampling, tables, words
from harness.predict.base import MINIMUM, Prediction, Unusable
from harness.predict.correlations.noisy import Signed
from harness.predict.curves import features as grids
from harness.predict.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

MIN_UNITS = 8
"""Fewest models: with fewer, hardly any permutation of the models differs from the one that was seen."""

DETREND = {"difference": "changes from one {over} to the next", "linear": "courses beside a straight line in {over}"}


@dataclass(frozen=True, repr=False)
class Trajectory(Signed, Prediction):
    """Over epochs, two columns move together within a model, beyond what all models share.

    Each unit gives one number: Fisher's z of the Spearman correlation of its two series after differencing (or after a
    straight line in ``over`` is taken away).  Two tests must agree, and p is the larger of theirs:

    * t on z over units (interval and effect, as a correlation);
    * a permutation of which unit's x stands beside which unit's y.  All models learn, and what they learn at the same
      epoch makes any model's x move with any other model's y; the mean of the units with themselves has to be
      larger than that of units that are paired at random; otherwise support is withheld.  It is also withheld if all that the
      two series of a unit share is the time at which they change to another state: then another unit's series, shifted to
      change at the same time, does as well (``stats.aligned``); so the same permutation of shifted series has to agree, too.

    Correlating the raw series would not do: two trends correlate whatever caused them.

    Attributes:
        x: one column.
        y: the other.
        over: column of numbers along which they move, such as the epoch; the same values in every unit.
        unit: columns that identify a trained model.
        sign: +1 where they move the same way, -1 where they move opposite ways.
        detrend: "difference" or "linear".
    """

    fewest: ClassVar[int] = MIN_UNITS

    x: str
    y: str
    over: str
    unit: str | tuple[str, ...]
    sign: Literal[1, -1] = field(kw_only=True)
    detrend: Literal["difference", "linear"] = field(default="difference", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._columns_as_tuples("unit")
        if not self.unit:
            raise ClaimError("Trajectory has no unit: name the columns that identify one trained model")
        self._check_sign()
        if self.detrend not in DETREND:
            raise ClaimError(f"Trajectory has detrend={self.detrend!r}; allowed are {words.listed(map(repr, DETREND))}")

    def picture(self) -> Mapping[str, Any]:
        """See :meth:`Prediction.picture`."""
        return {"kind": "scatter", "x": self.x, "y": self.y, "hue": self.over}

    @property
    def series(self) -> str:
        """What is correlated: "changes from one epoch to the next"."""
        return DETREND[self.detrend].format(over=self.word(self.over))

    def own_columns(self) -> tuple[str, ...]:
        """Both variables, over and unit."""
        return (self.x, self.y, self.over, *self.unit)

    def sentence(self) -> str:
        """What is tested."""
        way = "the same way" if self.sign == 1 else "opposite ways"
        return (
            f"Within each {self.crossed(self.unit)}, {self.word(self.x)} and {self.word(self.y)} move {way} over "
            f"{self.word(self.over)} (Spearman correlation of their {self.series}), beyond what all units share"
        )

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Mean Fisher z over units; see the class and :meth:`Prediction.estimate`."""
        unit = self.crossed(self.unit)
        units, at, *series = self._series(table)
        z = stats.between_units(series[0], series[1])
        own = np.diagonal(z)
        if stats.is_constant(own):
            raise Unusable(f"every {unit} has the same correlation, so that there is no spread to judge it by")
        sample = sampling.of(self, units)
        mean = sample.mean(own)
        confidence = replace(mean.confidence, link="fisher")
        paired = stats.pairing_p(z, self.sign, rng=rng)
        timed = stats.pairing_p(stats.aligned(series[0], series[1], at), self.sign, rng=rng)
        others = float(np.tanh(z[~np.eye(len(z), dtype=bool)].mean()))
        return self.seen(
            confidence,
            estimand=f"mean over {unit} of the Spearman correlation of {self.word(self.x)} and {self.word(self.y)} "
            f"within it, {self.series} (Fisher z)",
            unit=unit,
            p=max(paired, timed, float(confidence.above(0) if self.sign == 1 else confidence.below(0))),
            n=len(own),
            standardised=stats.standardised(mean, self.alpha),
            notes=(
                f"Between one unit's {self.word(self.x)} and another's {self.word(self.y)} the correlation is "
                f"{words.number(others)} on average.",
            ),
            objection=self._objection(paired, timed),
            second_p=max(paired, timed),
            **sample.fields(),
        )

    def _objection(self, paired: float, timed: float) -> str | None:
        if max(paired, timed) <= self.alpha:
            return None
        shifted = ", shifted to go over into their other state at the same time," if paired <= self.alpha else ""
        p = timed if shifted else paired
        return (
            f"Another unit's course would do as well: with units that are paired at random{shifted} "
            f"p = {words.number(p)}, above {words.number(self.alpha)}."
        )

    def _series(self, table: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray[Any, Any], grids.Floats, grids.Floats]:
        """One row per unit, where each has its transition, and both series after detrending, shape (unit, point)."""
        keys = (*self.unit, self.over)
        frame = tables.usable(self, table, keys=keys, numeric=(self.over, self.x, self.y))
        units, points, columns = grids.grid(frame, tuple(self.unit), self.over, (self.x, self.y))
        tables.enough(len(units), f"units ({self.crossed(self.unit)})", MIN_UNITS)
        left = len(points) - (self.detrend == "difference")
        if left < MINIMUM:
            raise Unusable(f"{len(points)} value(s) of {self.over} leave {left} for each series; {MINIMUM} or more are needed")
        series = []
        for name, values in zip((self.x, self.y), columns, strict=True):
            moves = stats.detrended(points, values, self.detrend)
            scale = len(points) * np.abs(values).max(axis=1)  # a fit carries the rounding of every point
            still = np.array([stats.is_constant(each, size) for each, size in zip(moves, scale, strict=True)])
            if still.any():
                raise Unusable(
                    f"{name} has no {self.series} that differ in {int(still.sum())} of {len(units)} units, e.g. "
                    f"{tables.first(units, still, tuple(self.unit))}"
                )
            series.append(moves)
        return units, stats.transition(columns[0], columns[1]), series[0], series[1]

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        return (
            f"Mean Spearman correlation of {self.word(self.x)} and {self.word(self.y)} within each, {self.series}, is "
            f"{words.number(estimate.effect)} {words.bracket(estimate.interval)}"
        )
