"""What predictions of an equivalence have in common: the rule, and a sentence that names the margin itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from harness import stats
from harness.errors import ClaimError
from harness.predict import words
from harness.predict.base import Prediction, Rule

Floats = NDArray[np.float64]


class Equivalence:
    """An effect that lies within the margin of a centre; beside ``Prediction``."""

    @property
    def rule(self) -> Rule:
        """Equivalence to the centre, which is zero unless a kind says otherwise."""
        return "within"

    def _terms(self) -> str:
        return ""

    def scattered(self, values: Floats) -> str | None:
        """Why support is withheld where units go apart though their mean does not."""
        assert isinstance(self, Prediction)
        p = float(stats.scattered_p(values, self.centre, self.margin))
        if p > self.alpha:
            return None
        inside = int((np.abs(values - self.centre) < self.margin).sum())
        return (
            f"The mean hides that units go apart: {inside} of {len(values)} lie within the margin, fewer than normal ones of "
            f"this mean and spread would (p = {words.number(p)})."
        )

    def bends(self, mean: Callable[[Floats], stats.Mean], lower: Floats, upper: Floats, what: str) -> str | None:
        """Why support is withheld where a line bends: its halves differ, and not both are shown to be within the margin.

        Args:
            mean: mean of one number per unit.
            lower: slope of each unit on the lower half of the points.
            upper: on the upper half.
            what: the slope in words.
        """
        assert isinstance(self, Prediction)
        numbers = (lower, upper, upper - lower)
        if any(stats.is_constant(each) for each in numbers):
            return None
        readings = [mean(each).confidence for each in numbers]
        if not stats.bent(readings[0], readings[1], readings[2], self.centre, self.margin, self.alpha):
            return None
        low, high = (f"{words.number(float(each.effect))} ({words.span(each.interval(self.alpha))})" for each in readings[:2])
        return f"It is no straight line: the {what} is {low} on the lower half and {high} on the upper half of the range."


class AtValue(Equivalence):
    """An effect that lies at ``value`` plus or minus ``tolerance``, which is the margin."""

    value: float
    tolerance: float

    def _take_tolerance(self) -> None:
        """Make the tolerance the margin, before ``Prediction`` checks it."""
        object.__setattr__(self, "margin", self.tolerance)

    def _check_value(self, what: str) -> None:
        if not np.isfinite(self.value):
            raise ClaimError(f"{type(self).__name__} has value={self.value}; {what} is a number")

    @property
    def centre(self) -> float:
        """The value that is claimed."""
        return self.value
