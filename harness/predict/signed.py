"""What predictions of a correlation with a sign have in common."""

from __future__ import annotations

from typing import Literal

from harness.claim import ClaimError
from harness.predict import words
from harness.predict.base import Rule


class Signed:
    """A correlation that is predicted to be positive or negative; beside ``Prediction``, for a kind with a ``sign``."""

    sign: Literal[1, -1]
    margin: float

    def _check_sign(self) -> None:
        kind = type(self).__name__
        if self.sign not in (1, -1):
            raise ClaimError(f"{kind} has sign={self.sign!r}; allowed are +1 and -1")
        if self.margin >= 1:
            raise ClaimError(f"{kind} has margin={self.margin}; a correlation lies below 1")

    @property
    def rule(self) -> Rule:
        """Direction: the sign."""
        return "above" if self.sign == 1 else "below"

    @property
    def largest(self) -> float:
        """A correlation's."""
        return 1.0

    def _terms(self) -> str:
        return f"; the smallest correlation of interest is {words.number(self.sign * self.margin)}"
