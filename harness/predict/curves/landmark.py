"""Where on its curve every unit has its peak, its valley or its change, or how wide that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness import stats
from harness.errors import ClaimError
from harness.predict import sampling, tables, words
from harness.predict.base import Prediction, Unusable
from harness.predict.curves import features as grids
from harness.predict.differences.equivalence import AtValue
from harness.predict.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

OF = ("peak", "valley", "change")
WHAT = ("position", "width")
LEAST = 1e-9
"""Least standard error in half steps of the grid, so that equal readings keep an interval that is a number."""


@dataclass(frozen=True, repr=False)
class Landmark(AtValue, Prediction):
    """A landmark of every unit's own curve lies at a given x, or has a given width, within a tolerance.

    The peak is the most prominent one (``stats.summit``), its width that at half its prominence; a valley is a peak
    upside down; the change is the least-squares split of the curve into two levels (``stats.change``), half-way between the
    points on both sides, its width the distance from 10 % to 90 % of it.  The mean over units has a t interval, which
    is widened by half a step of the grid at both ends (the mean over units, at their landmarks): what is
    read off a grid is known no better, however many units agree.  Where fewer units lie within the tolerance than normal ones
    of that mean and spread would, support is withheld.  P is that of the two one-sided tests (TOST).

    Attributes:
        y: column of the height.
        x: column of numbers that it is a curve of; the same three or more values in every unit.
        unit: columns that identify a curve.
        of: "peak", "valley" or "change".
        what: "position" or "width".
        value: where it lies or how wide it is, on the axis of x.
        tolerance: how far from it still counts as it; the margin of this kind.
        log_x: the axis is log2 x: value, tolerance and effect are numbers of doublings.
    """

    y: str
    x: str
    unit: str | tuple[str, ...]
    of: Literal["peak", "valley", "change"]
    what: Literal["position", "width"]
    value: float
    tolerance: float
    log_x: bool = False
    margin: float = field(init=False, default=float("nan"))

    def __post_init__(self) -> None:
        self._take_tolerance()
        super().__post_init__()
        self._columns_as_tuples("unit")
        if not self.unit:
            raise ClaimError("Landmark has no unit: name the columns that identify one curve")
        if self.of not in OF:
            raise ClaimError(f"Landmark has of={self.of!r}; allowed are {words.listed(map(repr, OF))}")
        if self.what not in WHAT:
            raise ClaimError(f"Landmark has what={self.what!r}; allowed are {words.listed(map(repr, WHAT))}")
        if self.what == "width" and not 0 < self.value < np.inf:
            raise ClaimError(f"Landmark has value={self.value}; a width is a number above 0")
        self._check_value("a position")

    def picture(self) -> Mapping[str, Any]:
        """See :meth:`Prediction.picture`."""
        return {"kind": "lines", "x": self.x, "y": self.y, "log_x": self.log_x}

    @property
    def landmark(self) -> str:
        """The landmark in words: "peak of loss over log2 of width"."""
        return f"{self.of} of {self.word(self.y)} over {'log2 of ' if self.log_x else ''}{self.word(self.x)}"

    def own_columns(self) -> tuple[str, ...]:
        """Both variables and unit."""
        return (self.y, self.x, *self.unit)

    def sentence(self) -> str:
        """What is tested."""
        target = f"{words.number(self.value)} ± {words.number(self.tolerance)}"
        says = f"is {target} wide" if self.what == "width" else f"lies at {target}"
        return f"On average over {self.crossed(self.unit)}, the {self.landmark} {says}"

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Mean position or width; see the class and :meth:`Prediction.estimate`."""
        frame = tables.usable(self, table, keys=(*self.unit, self.x), numeric=(self.x, self.y))
        units, points, (heights,) = grids.grid(frame, tuple(self.unit), self.x, (self.y,))
        tables.enough(len(units), f"units ({self.crossed(self.unit)})")
        grids.enough_points(points, self.x)
        x = grids.axis(points, self.x, self.log_x)
        read, reach = self._read(units, x, heights)
        equal = stats.is_constant(read, float(np.abs(x).max()))
        sample, half = sampling.of(self, units), float(reach.mean())
        mean = stats.stratified_mean(read) if equal else sample.mean(read)
        error = max(float(mean.error), LEAST * half)
        freedom = float(mean.freedom) if sample.carried and not equal else len(read) - 1
        lean = 0.0 if equal else float(mean.lean)
        seen = stats.Blurred(stats.Student(float(mean.mean), error, freedom, lean=lean), half)
        return self.seen(
            seen,
            estimand=f"mean {self.what} of the {self.landmark}",
            unit=self.crossed(self.unit),
            p=float(seen.within(self.value, self.tolerance)),
            n=len(read),
            standardised=None if equal else stats.standardised(mean, self.alpha, self.value),
            notes=(
                f"Its {self.what} is {words.number(read.min())} to {words.number(read.max())} in single units; what is read "
                f"off the grid is known to ± {words.number(half)}, by which the interval is widened.",
            ),
            objection=None if equal else self.scattered(read),
            **sample.fields(beyond=() if equal else sample.beyond(read, mean.confidence)),
        )

    def _read(self, units: pd.DataFrame, x: grids.Floats, heights: grids.Floats) -> tuple[grids.Floats, grids.Floats]:
        """The landmark of every unit, and half a step of the grid there."""
        if self.of == "change":
            split = stats.change(heights)
            self._refuse(units, np.ptp(heights, axis=-1) == 0)
            before, after = x[split.place - 1], x[split.place]
            read = (before + after) / 2 if self.what == "position" else stats.change_width(x, heights, split)
            return read, (after - before) / 2
        curves = -heights if self.of == "valley" else heights
        top = stats.summit(curves)
        self._refuse(units, top.prominence <= 0)
        read = x[top.place] if self.what == "position" else stats.summit_width(x, curves, top)
        return read, stats.half_step(x, top.place)

    def _refuse(self, units: pd.DataFrame, lacking: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        """Refuse curves without the landmark."""
        if lacking.any():
            never = {"peak": "rises and falls again", "valley": "falls and rises again", "change": "changes"}[self.of]
            raise Unusable(
                f"{int(lacking.sum())} of {len(units)} units have no {self.of} of {self.y} over {self.x}, e.g. "
                f"{tables.first(units, lacking, tuple(self.unit))}, where the curve never {never}"
            )

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        says, wide = ("is", " wide") if self.what == "width" else ("lies at", "")
        return f"Mean {self.landmark} {says} {words.number(estimate.effect)}{wide} {words.bracket(estimate.interval)}"
