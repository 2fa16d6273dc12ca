"""One curve that lies above another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import stats
from harness.predict import tables, words
from harness.predict.base import Rule
from harness.predict.curves import features as grids
from harness.predict.differences.paired import OnPairs
from harness.predict.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class AreaDifference(OnPairs):
    """A curve lies higher at one level of a factor than at another, on average over its whole range and over pairs.

    Each pair gives one number: the area between its two curves, the trapezoid integral of y[higher] - y[lower] over x,
    divided by the range of x.  So the effect is a mean height, in the units of y.  The mean over strata (equal weight) of
    their mean has a t interval (``stats.stratified_mean``), p is that of its sign flips.

    Attributes:
        y: column of the height.
        x: column of numbers that it is a curve of; both curves of a pair have the same three or more values.
        factor: column that holds the two levels.
        higher: level at which the curve is predicted to be higher.
        lower: the other level.
        pair: columns that identify a pair of curves (with ``strata``).
        strata: columns whose levels get equal weight, such as the architecture; none for one stratum.
        log_x: the integral runs over log2 x, so that every doubling counts the same.
    """

    y: str
    x: str
    factor: str
    higher: str | float
    lower: str | float
    pair: str | tuple[str, ...]
    strata: str | tuple[str, ...] | None = None
    log_x: bool = False

    def picture(self) -> Mapping[str, Any]:
        """See :meth:`Prediction.picture`."""
        return {"kind": "lines", "x": self.x, "y": self.y, "hue": self.factor, "log_x": self.log_x}

    @property
    def rule(self) -> Rule:
        """Direction: above zero."""
        return "above"

    @property
    def levels(self) -> tuple[str | float, str | float]:
        """Higher and lower."""
        return self.higher, self.lower

    @property
    def curve(self) -> str:
        """The curve in words: "loss over log2 of width"."""
        return f"{self.word(self.y)} over {'log2 of ' if self.log_x else ''}{self.word(self.x)}"

    def own_columns(self) -> tuple[str, ...]:
        """Both variables, factor, pair and strata."""
        return (self.y, self.x, self.factor, *self.keys)

    def sentence(self) -> str:
        """What is tested."""
        return (
            f"{self.on_average()}, the curve of {self.curve} lies higher "
            f"{self.level(self.factor, self.higher)} than {self.level(self.factor, self.lower)}"
        )

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Mean height between the curves; see the class and :meth:`Prediction.estimate`."""
        frame = tables.usable(self, table, keys=(*self.keys, self.x, self.factor), numeric=(self.x, self.y))
        higher, lower = tables.sides(frame, (*self.keys, self.x), self.factor, self.levels)
        between = higher.assign(**{self.y: higher[self.y] - lower[self.y]})
        pairs = between.drop_duplicates(list(self.keys)).reset_index(drop=True)
        heights, points = [], 0
        for _, part in tables.groups(between, self.keys):
            curve = part.sort_values(self.x)
            x = curve[self.x].to_numpy()
            grids.enough_points(x, f"{self.x} in {tables.first(part, [True] + [False] * (len(x) - 1), self.keys)}")
            heights.append(float(stats.mean_height(grids.axis(x, self.x, self.log_x), curve[self.y].to_numpy())))
            points = max(points, len(x))
        scale = points * float(frame[self.y].abs().max())  # a sum over points carries the rounding of each
        what = f"height difference of the curves of {self.curve}"
        return self.judged(pairs, np.array(heights), scale, what, rng)

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        comparison = "higher" if estimate.effect >= 0 else "lower"
        return (
            f"Mean curve of {self.curve} lies {words.number(abs(estimate.effect))} {comparison} "
            f"{self.briefly_level(self.factor, self.higher)} than {self.briefly_level(self.factor, self.lower)} "
            f"{words.bracket(estimate.interval)}"
        )
