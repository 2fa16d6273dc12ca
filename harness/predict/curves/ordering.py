"""A value that rises over three or more ordered levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from harness import stats
from harness.errors import ClaimError
from harness.predict import tables, words
from harness.predict.base import Prediction, Rule
from harness.predict.curves import features as grids
from harness.predict.differences.strata import InStrata, average, stratum
from harness.predict.estimate import Estimate, Stratum
from harness.predict.sampling import Sample

if TYPE_CHECKING:
    import pandas as pd


def rises(values: grids.Floats, sample: Sample) -> tuple[list[float], stats.Confidence | None]:
    """P of "this step rises" for every step, which is certain without any spread, and all steps that have one together.

    Args:
        values: shape (unit, level).
        sample: how the units were drawn.
    """
    p, uncertain = [], []
    for step in np.diff(values, axis=1).T:
        if stats.is_constant(step):
            p.append(0.0 if step.mean() > 0 else 1.0)
        else:
            uncertain.append(sample.mean(step).confidence)
            p.append(float(stats.Skewed(uncertain[-1]).above(0)))
    return p, stats.Least(tuple(uncertain)) if uncertain else None


@dataclass(frozen=True, repr=False)
class Ordering(InStrata, Prediction):
    """A value rises over ordered levels of a factor (a dose and its response), on average over units.

    Each unit gives one number: the least-squares slope of value on the step number 0, 1, 2, …, in natural units per
    step.  The mean over strata (equal weight) of their mean has a t interval, which decides.  Support needs the
    ranks too: p is that of Page's trend test with units as blocks, or the levels of a random factor above them (Page 1963,
    J. Am. Stat. Assoc. 58, 216-230), and where it is above alpha support is withheld.  So is it unless the mean change of
    every single step is above zero at alpha, by t and with its skewness allowed for: "the more, the more" says that each level
    lies above the one before, which a trend that one step carries does not (intersection-union, without a correction).

    Attributes:
        value: column that rises.
        factor: column that holds the levels; one row per unit and level.
        levels: three or more levels, in the order in which the value is predicted to rise.
        unit: columns that identify a unit (with ``strata``).
        strata: columns whose levels get equal weight, such as the architecture; none for one stratum.
    """

    value: str
    factor: str
    levels: tuple[str | float, ...]
    unit: str | tuple[str, ...]
    strata: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._columns_as_tuples("levels", "unit", "strata")
        if not self.unit:
            raise ClaimError("Ordering has no unit: name the columns that identify one unit")
        if len(self.levels) < grids.MIN_POINTS or len(set(self.levels)) < len(self.levels):
            raise ClaimError(
                f"Ordering has levels={self.levels!r}; it orders three or more different levels (two are compared by "
                "PairedDifference)"
            )

    def picture(self) -> Mapping[str, Any]:
        """See :meth:`Prediction.picture`."""
        return {"kind": "strip", "x": self.factor, "y": self.value}

    @property
    def rule(self) -> Rule:
        """Direction: above zero."""
        return "above"

    @property
    def order(self) -> str:
        """The levels in their order: "8 → 16 → 32"."""
        return " → ".join(map(self.word, self.levels))

    def own_columns(self) -> tuple[str, ...]:
        """Value, factor, unit and strata."""
        return (self.value, self.factor, *self.keys)

    def sentence(self) -> str:
        """What is tested."""
        return f"{self.over_units()}, {self.word(self.value)} rises in the order {self.word(self.factor)} = {self.order}"

    def _terms(self) -> str:
        return f"; the smallest rise of interest is {words.number(self.margin)} a step"

    def estimate(self, table: pd.DataFrame, *, rng: np.random.Generator) -> Estimate:
        """Mean slope per step; see the class and :meth:`Prediction.estimate`."""
        strata = tuple(self.strata or ())
        frame = tables.usable(self, table, keys=(*self.keys, self.factor), numeric=(self.value,))
        units, _, (values,) = grids.grid(frame, self.keys, self.factor, (self.value,), self.levels)
        slopes = stats.slope(np.arange(len(self.levels)), values)
        scale = len(self.levels) * float(np.abs(values).max())  # a sum over levels carries the rounding of each
        what = f"rise of {self.word(self.value)}"
        found = average(self, units, slopes, strata, noun="unit", what=what, scale=scale)
        page = float(scipy.stats.page_trend_test(found.sample.averaged(values)).pvalue)
        risen, every = rises(values, found.sample)
        steps = tuple(
            stratum(self, f"{self.word(a)} → {self.word(b)}", stats.stratified_mean(step, found.codes), len(step))
            for a, b, step in zip(self.levels, self.levels[1:], np.diff(values, axis=1).T, strict=False)
        )
        return self.seen(
            found.mean.confidence,
            estimand=f"mean least-squares {what} a step of {self.word(self.factor)}, {self.order}{self.equal_weight()}",
            unit=self.crossed(self.keys),
            p=page,
            n=len(slopes),
            standardised=stats.standardised(found.mean, self.alpha),
            strata=steps,
            notes=found.notes,
            objection=self._objection(page, steps, risen),
            second_p=max(page, *risen),
            planned=every,
            **found.said(slopes),
        )

    def _objection(self, page: float, steps: tuple[Stratum, ...], risen: list[float]) -> str | None:
        """Why there is no rise although the slopes rise: the ranks, or single steps; not every trend is an ordering."""
        if page > self.alpha:
            return f"The ranks do not agree (Page's test, p = {words.number(page)})."
        flat = [(p, step.name) for step, p in zip(steps, risen, strict=True) if p > self.alpha]
        if not flat:
            return None
        p, least = max(flat)
        if len(flat) == 1:
            return f"The step {least} (p = {words.number(p)}) shows no clear rise."
        return f"{len(flat)} of {len(steps)} steps show no clear rise, such as {least}."

    def finding(self, estimate: Estimate) -> str:
        """What was seen."""
        comparison = "rises" if estimate.effect >= 0 else "falls"
        return (
            f"Mean {self.word(self.value)} {comparison} by {words.number(abs(estimate.effect))} a step from "
            f"{self.briefly_at(self.factor, self.levels[0])} to {self.word(self.levels[-1])} {words.bracket(estimate.interval)}"
        )
