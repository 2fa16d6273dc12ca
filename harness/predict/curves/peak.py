"""A mean curve that rises to a peak and falls again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import stats
from harness.errors import ClaimError
from harness.predict import sampling, tables, words
from harness.predict.base import Prediction, Rule, Unusable
from harness.predict.curves import features as grids
from harness.predict.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Peak(Prediction):
    """The mean curve of y over x rises to a peak inside the range of x and falls again (or it has a valley).

    The effect is the smaller of the rise to the peak, from the lowest point before it, and the fall from it, to the lowest
    point after it, in the units of y.  For every unit the three places are chosen on other units, since the highest of
    several noisy points is above its neighbours whatever the truth is; interval and p are those of ``stats.Prominence``,
    where the reasons are given.  A curve that only rises, or only falls, has no peak: an edge is not a peak, since nobody knows
    what lies beyond it.

    Attributes:
        y: column of the height.
        x: column of numbers that it is a curve of; the same three or more values in every unit.
        unit: columns that identify a curve.
        valley: the curve falls to a valley and rises again instead.
    """

    y: str
    x: str
    unit: str | tuple[str, ...]
    valley: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._columns_as_tuples("unit")
        if not self.unit:
            raise ClaimError("Peak has no unit: name the columns that identify one curve")

    def picture(self) -> Mapping[str, Any]:
        """See :meth:`Prediction.picture`."""
        return {"kind": "lines", "x": self.x, "y": self.y}

    @property
    def rule(self) -> Rule:
        """Direction: above zero."""
        return "above"

    @property
    def parts(self) -> tuple[str, str]:
        """What the curve does before and after."""
        return ("fall to the valley", "rise from it") if self.valley else ("rise to the peak", "fall from it")

    def own_columns(self) -> tuple[str, ...]:
        """Both variables and unit."""
        return (self.y, self.x, *self.unit)

    def sentence(self) -> str:
        """What is tested."""
        course = "falls to a valley and rises again" if self.valley else "rises to a peak and falls again"
        return f"On average over {self.crossed(self.unit)}, the curve of {self.word(self.y)} over {self.word(self.x)} {course}"

    def _terms(self) -> str:
        return f"; the smallest rise and fall of interest is {words.number(self.margin)}"

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Prominence of the peak; see the class and :meth:`Prediction.estimate`."""
        frame = tables.usable(self, table, keys=(*self.unit, self.x), numeric=(self.x, self.y))
        units, points, (heights,) = grids.grid(frame, tuple(self.unit), self.x, (self.y,))
        tables.enough(len(units), f"units ({self.crossed(self.unit)})")
        grids.enough_points(points, self.x)
        sample = sampling.of(self, units)
        curves = self._averaged(sample, -heights if self.valley else heights)
        seen = stats.prominence(curves)
        self._spread(curves, seen)
        first, second = self.parts
        return self.seen(
            seen,
            estimand=f"smaller of {first} and {second} of mean {self.word(self.y)} over {self.word(self.x)}",
            unit=self.crossed(self.unit),
            p=float(seen.above(0)),
            n=len(units),
            standardised=self._standardised(curves),
            strata=(self.stratum(first, seen.rise, len(units)), self.stratum(second, seen.fall, len(units))),
            notes=(self._where(points, curves.mean(axis=0)),),
            **sample.fields(),
        )

    def _averaged(self, sample: sampling.Sample, curves: grids.Floats) -> grids.Floats:
        """One curve for each unit, or for each level of the random factor above the units: its mean."""
        if len(sample.carried) > 1:
            both = words.listed(sample.carried)
            raise Unusable(f"{both} are random and cross, and a peak is chosen across one factor: declare the other one fixed")
        averaged = sample.averaged(curves)
        if sample.counted is not None:
            tables.enough(len(averaged), f"levels of {sample.carried[0]}, each with its mean curve")
        return averaged

    def _spread(self, curves: grids.Floats, seen: stats.Prominence) -> None:
        """Refuse curves that are the same in all units, up to where they start."""
        shape = curves - curves[:, :1]
        if seen.effect != 0 and all(stats.is_constant(each, float(np.abs(curves).max())) for each in shape.T):
            raise Unusable(f"every unit has the same course of {self.y} over {self.x}, so that there is no spread")

    def _standardised(self, curves: grids.Floats) -> tuple[float, float, float] | None:
        """Size of the smaller side in standard deviations between units; none where it has no spread."""
        side = stats.peak_sides(curves).lesser
        if stats.is_constant(side, float(np.abs(curves).max())):
            return None
        return stats.standardised(stats.stratified_mean(side), self.alpha)

    def _where(self, points: grids.Floats, curve: grids.Floats) -> str:
        """Where the mean curve of all units has its peak."""
        peak, what = stats.summit(curve), "valley" if self.valley else "peak"
        if peak.prominence <= 0:
            return f"Mean curve of all units has no {what} inside the range of {self.word(self.x)}."
        place, before, after = (words.number(float(points[i])) for i in (peak.place, peak.before, peak.after))
        beside = "highest" if self.valley else "lowest"
        return (
            f"The {what} of the mean curve of all units lies at {self.word(self.x)} = {place}; it is {beside} before it at "
            f"{before} and after it at {after}."
        )

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        first, second = self.parts
        return (
            f"The smaller of {first} and {second} of mean "
            f"{self.word(self.y)} over {self.word(self.x)} is {words.number(estimate.effect)} "
            f"{words.bracket(estimate.interval)}"
        )
