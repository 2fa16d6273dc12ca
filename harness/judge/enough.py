"""How many units would decide an open claim if what was seen stayed as it is, and of what.

This is no power: power at the effect that was observed repeats its p value (Hoenig & Heisey 2001).  It is the question whether
an open verdict is open for want of units.  Where an effect lies on its margin no number of units decides, and the claim is
undecidable at its margin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.judge.caution import MOST_UNITS, survives
from harness.judge.rule import Outcome, decide
from harness.predict import Estimate, Prediction, words

_NEARER = 0.5
"""Degrees of freedom below those of the levels, from which on what all units share at the points of x limits an estimate."""
_STRAIGHT = 2  # degrees of freedom that a straight line takes


@dataclass(frozen=True)
class Enough:
    """What would decide an open verdict.

    Attributes:
        unit: what there would have to be more of: the unit, the levels of a random factor, or points of x.
        n: of these there are.
        units: about as many would decide it, with effect, spread and skewness as seen; None if no number would.
        outcome: what they would say; None if nothing.
    """

    unit: str
    n: int
    units: int | None
    outcome: Outcome | None

    def to_json(self) -> dict[str, Any]:
        """Its part of a row of the report."""
        return {"unit": self.unit, "n": self.n, "units": self.units, "verdict": self.outcome and self.outcome.value,
                "statement": str(self)}  # fmt: skip

    def __str__(self) -> str:
        several = words.plural(self.unit)
        if self.units is None or self.outcome is None:
            return f"With effect and spread as seen no number of {several} decides it."
        return f"With effect and spread as seen about {self.units:,} {several} (now {self.n:,}) make it {self.outcome.value}."


def enough(prediction: Prediction, seen: Estimate, *, support: float = 1.0, refute: float = 1.0) -> Enough | None:
    """What would decide a prediction that is open.

    Args:
        prediction: what was fixed beforehand.
        seen: the estimate.
        support: share of alpha at which a support counts, for a part of a conjunction.
        refute: the same of a refutation.

    Returns:
        The number of units; None for kinds without sampling error.
    """
    if seen.confidence is None or prediction.rule not in ("above", "below", "within"):
        return None
    unit, n = _limiting(prediction, seen)
    for units in _numbers(n):
        for outcome, share in ((Outcome.SUPPORTED, support), (Outcome.REFUTED, refute)):
            if _decides(prediction, seen, outcome, prediction.alpha * share, n, units):
                return Enough(unit, n, units, outcome)
    return Enough(unit, n, None, None)


def _numbers(n: int) -> Iterator[int]:
    """Numbers of units, each a tenth above the one before."""
    more = float(n)
    while more < MOST_UNITS:
        more = max(more * 1.1, more + 1)
        yield round(more)


def _decides(prediction: Prediction, seen: Estimate, outcome: Outcome, alpha: float, n: int, units: int) -> bool:
    """Whether so many units would say so, by the rule and by the second opinion."""
    assert seen.confidence is not None
    study = seen.confidence.resized(n, units)
    low, high = map(float, study.interval(alpha))
    if decide(prediction.rule, prediction.centre, prediction.margin, (low, high))[0] is not outcome:
        return False
    if not survives(outcome, prediction, study, alpha):
        return False
    if outcome is Outcome.REFUTED or seen.planned is None:
        return True
    least, most = map(float, seen.planned.resized(n, units).interval(alpha))  # every step, where support needs each of them
    return least > prediction.centre if prediction.rule == "above" else most < prediction.centre


def _limiting(prediction: Prediction, seen: Estimate) -> tuple[str, int]:
    """What there are too few of, and how many there are.

    Where the points of x stand for others, what all units share at a point is no noise of the units: the line has as many
    degrees of freedom as there are points less two, and more units do not make it better known.
    """
    unit, n = seen.counted or (seen.unit, seen.n)
    x = getattr(prediction, "x", None)
    freedom = float(np.min(getattr(seen.confidence, "freedom", np.inf)))
    if isinstance(x, str) and prediction.random_among((x,)) and freedom < n - 1 - _NEARER:
        return f"value of {prediction.word(x)}", round(freedom) + _STRAIGHT
    return unit, n
