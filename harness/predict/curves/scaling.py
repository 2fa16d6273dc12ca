"""Exponent of a scaling law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import stats
from harness.errors import ClaimError
from harness.predict import sampling, tables, words
from harness.predict.base import Unusable
from harness.predict.correlations.noisy import Noisy
from harness.predict.curves import features as grids
from harness.predict.differences.equivalence import AtValue
from harness.predict.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

MIN_POINTS = 3
"""Fewest values of x in a fit; two points would lie on any line."""


@dataclass(frozen=True, repr=False)
class ScalingExponent(AtValue, Noisy):
    """y scales as a power of x with a given exponent, within a tolerance.

    Each unit gives one exponent, the least-squares slope of log y on log x; the mean over units has a t
    interval, and p is that of the two one-sided tests (TOST) against ``value`` plus or minus ``tolerance``.  Units are
    replicates, which tell whether y is a power of x at all: where the lower and the upper half of the points have different
    exponents, and not both are shown to be within the tolerance, support is withheld (``stats.bent``).

    Attributes:
        y: column that scales, above 0.
        x: column that it scales with, above 0; one row per unit and x, three or more different x.
        unit: columns that identify a unit.
        value: the exponent.
        tolerance: how far from it still counts as it; the margin of this kind.
        errors: column of the standard errors of x, where x was measured
            (:class:`harness.predict.correlations.noisy.Noisy`): noise of x makes slopes flatter, and each
            unit counts by its pseudo-value of the corrected slope (``stats.steeper``).
    """

    y: str
    x: str
    unit: str | tuple[str, ...]
    value: float
    tolerance: float
    margin: float = field(init=False, default=float("nan"))

    def __post_init__(self) -> None:
        self._take_tolerance()
        super().__post_init__()
        self._columns_as_tuples("unit")
        if not self.unit:
            raise ClaimError("ScalingExponent has no unit: name the columns that identify one fit")
        self._check_value("an exponent")

    def picture(self) -> Mapping[str, Any]:
        """See :meth:`Prediction.picture`."""
        return {"kind": "scatter", "x": self.x, "y": self.y, "log_x": True, "log_y": True, "slope": self.value}

    @property
    def noisy(self) -> tuple[str, ...]:
        """The regressor."""
        return (self.x,)

    def own_columns(self) -> tuple[str, ...]:
        """Both variables, standard errors of x, and unit."""
        return (self.y, self.x, *self.error_columns, *self.unit)

    def sentence(self) -> str:
        """What is tested."""
        return (
            f"With one fit for each {self.crossed(self.unit)}, {self.word(self.y)} scales as "
            f"{self.word(self.x)} to the power {words.number(self.value)} ± {words.number(self.tolerance)}"
        )

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Mean slope; see the class and :meth:`Prediction.estimate`."""
        keys = (*self.unit, self.x)
        frame = tables.usable(self, table, keys=keys, numeric=(self.x, self.y, *self.error_columns))
        tables.once(frame, keys)
        self.check_errors(frame)
        for column in (self.x, self.y):
            least = float(frame[column].min())
            if least <= 0:
                raise Unusable(f"{column} has the value {least:.3g}; a power law needs values above 0")
        parts = tables.groups(frame, tuple(self.unit))
        tables.enough(len(parts), f"units ({self.crossed(self.unit)})")
        slopes, fits, lower, upper = np.transpose([self._fit(name, part) for name, part in parts])
        flat, slopes = slopes, self.steeper(slopes, [self._spread(part) for _, part in parts])
        if stats.is_constant(slopes):
            raise Unusable(f"every unit has the same exponent, {slopes[0]:.3g}, so that there is no spread")
        units = frame[list(self.unit)].drop_duplicates().reset_index(drop=True)
        sample = sampling.of(self, units)
        mean = self._mean(sample, slopes, frame)
        return self.seen(
            mean.confidence,
            estimand=f"exponent of {self.word(self.y)} against {self.word(self.x)}, mean over "
            f"{self.crossed(self.unit)}{self.corrected()}",
            unit=self.crossed(self.unit),
            p=float(mean.confidence.within(self.value, self.tolerance)),
            n=len(slopes),
            standardised=stats.standardised(mean, self.alpha, self.value),
            notes=(
                f"Each straight line explains {words.percent(float(fits.min()))} or more of the variance.",
                *self.flatter(flat),
            ),
            objection=self._lack_of_fit(sample, lower, upper),
            **sample.fields(beyond=sample.beyond(slopes, mean.confidence)),
        )

    @property
    def more_factors(self) -> tuple[str, ...]:
        """The points of x."""
        return (self.x,)

    def _mean(self, sample: sampling.Sample, slopes: grids.Floats, frame: pd.DataFrame) -> stats.Mean:
        """Mean exponent; where the points of x stand for others, all units have to have the same."""
        if not self.random_among((self.x,)):
            return sample.mean(slopes)
        _, points, (curves,) = grids.grid(frame, tuple(self.unit), self.x, (self.y,))
        return sample.slope(slopes, np.log(points), np.log(curves), self.x)

    def _lack_of_fit(self, sample: sampling.Sample, lower: grids.Floats, upper: grids.Floats) -> str | None:
        """Why support is withheld where y is no power of x; where points of x stand for others the error carries it."""
        if self.random_among((self.x,)):
            return None
        return self.bends(sample.mean, lower, upper, f"exponent of {self.word(self.y)}")

    def _spread(self, part: pd.DataFrame) -> tuple[float, float]:
        """Sum of squares of log x about its mean, and what noise adds to it: errors of logarithms are relative ones."""
        x = part[self.x].to_numpy()
        return stats.spread_of_points(np.log(x), None if not self.errors else part[self.errors[self.x]].to_numpy() / x)

    def _fit(self, name: str, part: pd.DataFrame) -> tuple[float, float, float, float]:
        """Slope of log y on log x, the share of the variance of log y that it explains, the slopes of both halves."""
        part = part.sort_values(self.x)
        x, y = np.log(part[self.x].to_numpy()), np.log(part[self.y].to_numpy())
        if len(x) < MIN_POINTS:
            raise Unusable(f"{name} has {len(x)} value(s) of {self.x}; a fit needs {MIN_POINTS} or more")
        tables.varies(x, f"log {self.x}", f" of {name}")
        dx, dy = x - x.mean(), y - y.mean()
        slope = (dx @ dy) / (dx @ dx)
        if stats.is_constant(y):
            return 0.0, 1.0, 0.0, 0.0
        lower, upper = stats.halves(x, y)
        return float(slope), float(1 - ((dy - slope * dx) ** 2).sum() / (dy @ dy)), float(lower), float(upper)

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        return (
            f"On average {self.word(self.y)} scales as {self.word(self.x)} to the power "
            f"{words.number(estimate.effect)} {words.bracket(estimate.interval)}"
        )
