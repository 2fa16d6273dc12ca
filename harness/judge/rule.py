"""The written rule: an interval against a margin, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from harness.predict import Rule

Label = Literal["reversed", "negligible"] | None


class Outcome(StrEnum):
    """What a verdict says.  INVALID and ERROR say nothing about the claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"
    ERROR = "error"


def decide(rule: Rule, centre: float, margin: float, interval: tuple[float, float]) -> tuple[Outcome, Label]:
    """The written rule, on the two-sided (1 - 2 alpha) interval [low, high] at the level of the unit.

    With c the centre and m the margin (smallest effect of interest, or largest that counts as none):

    - "above" (theta > c): SUPPORTED if low > c and high >= c + m; REFUTED if high < c + m, and then
      *reversed* if high < c, *negligible* if low > c (real, but below interest); else INCONCLUSIVE.
    - "below" (theta < c): the mirror image.
    - "within" (|theta - c| < m): SUPPORTED if the interval lies inside (c - m, c + m), which is TOST; REFUTED
      if it lies wholly outside; else INCONCLUSIVE.
    - "exact": SUPPORTED if low = high = c; else REFUTED.

    Each side errs with probability alpha at most.  A gate that failed, or evidence that cannot be used, never
    comes here: it is INVALID.

    Args:
        rule: "above", "below", "within" or "exact".
        centre: c, in natural units.
        margin: m, in natural units.
        interval: low and high, in natural units.

    Returns:
        Outcome and label ("reversed", "negligible" or None).
    """
    low, high = interval
    if rule == "exact":
        return (Outcome.SUPPORTED if low == high == centre else Outcome.REFUTED), None
    if rule == "within":
        if centre - margin < low and high < centre + margin:
            return Outcome.SUPPORTED, None
        if low >= centre + margin or high <= centre - margin:
            return Outcome.REFUTED, None
        return Outcome.INCONCLUSIVE, None
    if rule == "below":
        return decide("above", -centre, margin, (-high, -low))
    if rule != "above":
        raise ValueError(f"decide knows the rules above, below, within and exact; given {rule!r}")
    if high < centre + margin:
        return Outcome.REFUTED, "reversed" if high < centre else "negligible" if low > centre else None
    return (Outcome.SUPPORTED if low > centre else Outcome.INCONCLUSIVE), None


def conjoin(outcomes: Sequence[Outcome]) -> Outcome:
    """Outcome of a conjunction (intersection-union: no correction inside).

    INVALID if any part is; else SUPPORTED if every part is; else REFUTED if any part is; else INCONCLUSIVE.
    """
    if Outcome.INVALID in outcomes:
        return Outcome.INVALID
    if all(outcome is Outcome.SUPPORTED for outcome in outcomes):
        return Outcome.SUPPORTED
    return Outcome.REFUTED if Outcome.REFUTED in outcomes else Outcome.INCONCLUSIVE
