"""A value that does not change with another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness import stats
from harness.errors import ClaimError
from harness.predict import tables, words
from harness.predict.base import Unusable
from harness.predict.correlations.noisy import Noisy
from harness.predict.curves import features as grids
from harness.predict.differences.equivalence import Equivalence
from harness.predict.differences.strata import Averaged, InStrata, average
from harness.predict.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

PER = ("doubling", "unit")


@dataclass(frozen=True, repr=False)
class NoTrend(Equivalence, InStrata, Noisy):
    """A value has no trend along x: its slope is smaller than the margin in either direction.

    Each unit gives one number, the least-squares slope of value on log2 x or on x; the mean over strata (equal weight) of
    their mean has a t interval, and p is that of the two one-sided tests (TOST).  A slope speaks of a straight
    line: where the lower and the upper half of the points have different slopes, and not both are shown to be within
    the margin, support is withheld (``stats.bent``).

    Attributes:
        value: column that does not change.
        x: column of numbers that it does not change with; one row per unit and x, three or more different x.
        unit: columns that identify a unit (with ``strata``).
        per: slope per "doubling" of x (which is then above 0) or per "unit" of it.
        strata: columns whose levels get equal weight, such as the architecture; none for one stratum.
        errors: column of the standard errors of x, where x was measured, as in ``ScalingExponent``.
    """

    value: str
    x: str
    unit: str | tuple[str, ...]
    per: Literal["doubling", "unit"] = "doubling"
    strata: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._columns_as_tuples("unit", "strata")
        if not self.unit:
            raise ClaimError("NoTrend has no unit: name the columns that identify one fit")
        if self.per not in PER:
            raise ClaimError(f"NoTrend has per={self.per!r}; allowed are {words.listed(map(repr, PER))}")

    def picture(self) -> Mapping[str, Any]:
        """See :meth:`Prediction.picture`."""
        return {"kind": "scatter", "x": self.x, "y": self.value, "log_x": self.per == "doubling"}

    @property
    def step(self) -> str:
        """What the slope is per."""
        return f"{self.per} of {self.word(self.x)}"

    @property
    def noisy(self) -> tuple[str, ...]:
        """The regressor."""
        return (self.x,)

    def own_columns(self) -> tuple[str, ...]:
        """Value, x, its standard errors, unit and strata."""
        return (self.value, self.x, *self.error_columns, *self.keys)

    def sentence(self) -> str:
        """What is tested."""
        return (
            f"{self.over_units()}, {self.word(self.value)} has no trend along "
            f"{self.word(self.x)}: its slope lies between {words.number(-self.margin)} and "
            f"{words.number(self.margin)} for every {self.step}"
        )

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Mean slope; see the class and :meth:`Prediction.estimate`."""
        strata = tuple(self.strata or ())
        keys = (*self.keys, self.x)
        frame = tables.usable(self, table, keys=keys, numeric=(self.x, self.value, *self.error_columns))
        tables.once(frame, keys)
        self.check_errors(frame)
        units = frame[list(self.keys)].drop_duplicates().reset_index(drop=True)
        fits, lower, upper = np.transpose([self._slopes(name, part) for name, part in tables.groups(frame, self.keys)])
        parts = tables.groups(frame, self.keys)
        flat, fits = fits, self.steeper(fits, [self._spread(part) for _, part in parts], tables.codes(units, strata))
        what = f"slope of {self.word(self.value)} for every {self.step}"
        found = average(
            self, units, fits, strata, noun="unit", what=what, scale=self._rounding(frame), curves=self._curves(frame)
        )
        return self.seen(
            found.mean.confidence,
            estimand=f"mean least-squares {what}{self.equal_weight()}{self.corrected()}",
            unit=self.crossed(self.keys),
            p=float(found.mean.confidence.within(0, self.margin)),
            n=len(fits),
            standardised=stats.standardised(found.mean, self.alpha),
            strata=found.shown,
            notes=(*found.notes, *self.flatter(flat)),
            objection=self._bend(found, lower, upper),
            **found.said(fits),
        )

    @property
    def more_factors(self) -> tuple[str, ...]:
        """The points of x."""
        return (self.x,)

    def _curves(self, frame: pd.DataFrame) -> tuple[str, grids.Floats, grids.Floats] | None:
        """Column, points and curves, where the points stand for others; all units have to have the same."""
        if not self.random_among((self.x,)):
            return None
        _, points, (curves,) = grids.grid(frame, self.keys, self.x, (self.value,))
        return self.x, grids.axis(points, self.x, self.per == "doubling"), curves

    def _axis(self, part: pd.DataFrame) -> grids.Floats:
        return grids.axis(part[self.x].to_numpy(), self.x, self.per == "doubling")

    def _spread(self, part: pd.DataFrame) -> tuple[float, float]:
        """Sum of squares of the axis about its mean, and what noise adds to it."""
        x = part[self.x].to_numpy()
        scale = 1 / (x * np.log(2)) if self.per == "doubling" else np.ones(len(x))
        errors = None if not self.errors else part[self.errors[self.x]].to_numpy() * scale
        return stats.spread_of_points(self._axis(part), errors)

    def _rounding(self, frame: pd.DataFrame) -> float:
        """Size of the numbers behind a slope: the values over the shortest range of x, once for every point of a sum."""
        parts = [self._axis(part) for _, part in tables.groups(frame, self.keys)]
        return float(frame[self.value].abs().max()) * max(len(x) / np.ptp(x) for x in parts)

    def _bend(self, found: Averaged, lower: grids.Floats, upper: grids.Floats) -> str | None:
        """Why support is withheld where a fall follows a rise; where points of x stand for others the error carries it."""
        if self.random_among((self.x,)):
            return None
        return self.bends(found.sample.mean, lower, upper, f"slope of {self.word(self.value)}")

    def _slopes(self, name: str, part: pd.DataFrame) -> tuple[float, float, float]:
        """Slope of the value, and that on the lower and on the upper half of the points."""
        part = part.sort_values(self.x)
        x = self._axis(part)
        if len(x) < grids.MIN_POINTS:
            raise Unusable(f"{name} has {len(x)} value(s) of {self.x}; a trend needs {grids.MIN_POINTS} or more")
        y = part[self.value].to_numpy()
        lower, upper = stats.halves(x, y)
        return float(stats.slope(x, y)), float(lower), float(upper)

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        return (
            f"Mean {self.word(self.value)} changes by "
            f"{words.number(estimate.effect)} for every {self.step} "
            f"{words.bracket(estimate.interval)}"
        )
