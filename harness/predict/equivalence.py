"""What predictions of an equivalence have in common: the rule, and a sentence that names the margin itself."""

from __future__ import annotations

import numpy as np

from harness.claim import ClaimError
from harness.predict.base import Rule


class Equivalence:
    """An effect that lies within the margin of a centre; beside ``Prediction``."""

    @property
    def rule(self) -> Rule:
        """Equivalence to the centre, which is zero unless a kind says otherwise."""
        return "within"

    def _terms(self) -> str:
        return ""


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
