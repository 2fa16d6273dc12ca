"""The written rule: an interval against a margin, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Literal, get_args

import numpy as np

from harness.predict import Rule

Label = Literal["reversed", "negligible"] | None
Grade = Literal["at least m", "m not excluded", "probably below m"]
"""How large a supported effect is against the margin m, the smallest effect of interest."""
GRADES: tuple[Grade, ...] = get_args(Grade)
"""The strongest first."""


class Outcome(StrEnum):
    """What a verdict says.  INVALID and ERROR say nothing about the claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"
    ERROR = "error"


def supports(rule: Rule, centre: float, margin: float, low: Any, high: Any) -> Any:
    """Whether intervals [low, high] support the claim; numbers, or arrays over studies.

    Raises:
        ValueError: the rule does not read an interval.
    """
    if rule == "above":
        return (low > centre) & (high >= centre + margin)
    if rule == "below":
        return (high < centre) & (low <= centre - margin)
    if rule == "within":
        return (centre - margin < low) & (high < centre + margin)
    if rule == "exact":
        return (low == centre) & (high == centre)
    raise ValueError(f"decide knows the rules above, below, within and exact; given {rule!r}")


def refutes(rule: Rule, centre: float, margin: float, low: Any, high: Any) -> Any:
    """Whether intervals [low, high] refute the claim; numbers, or arrays over studies.

    Raises:
        ValueError: the rule does not read an interval.
    """
    if rule == "above":
        return high < centre + margin
    if rule == "below":
        return low > centre - margin
    if rule == "within":
        return (low >= centre + margin) | (high <= centre - margin)
    return np.logical_not(supports(rule, centre, margin, low, high))


def decide(rule: Rule, centre: float, margin: float, interval: tuple[float, float]) -> tuple[Outcome, Label]:
    """The written rule, on the two-sided (1 - 2 alpha) interval [low, high] at the level of the unit.

    With c the centre and m the margin (smallest effect of interest, or largest that counts as none):

    - "above" (theta > c): SUPPORTED if low > c and high >= c + m; REFUTED if high < c + m, and then
      *reversed* if high < c, *negligible* if low > c (real, but below interest); else INCONCLUSIVE.
    - "below" (theta < c): the mirror image.
    - "within" (|theta - c| < m): SUPPORTED if the interval lies inside (c - m, c + m), which is TOST; REFUTED
      if it lies wholly outside; else INCONCLUSIVE.
    - "exact": SUPPORTED if low = high = c; else REFUTED.

    Each side errs with probability alpha at most.  After a failed gate, or with evidence that cannot be used,
    this rule is never applied: the claim is INVALID.

    Args:
        rule: "above", "below", "within" or "exact".
        centre: c, in natural units.
        margin: m, in natural units.
        interval: low and high, in natural units.

    Returns:
        Outcome and label ("reversed", "negligible" or None).
    """
    low, high = float(interval[0]), float(interval[1])
    if supports(rule, centre, margin, low, high):
        return Outcome.SUPPORTED, None
    if not refutes(rule, centre, margin, low, high):
        return Outcome.INCONCLUSIVE, None
    return Outcome.REFUTED, _label(rule, centre, low, high)


def agreed(
    rule: Rule, centre: float, margin: float, interval: tuple[float, float], second: tuple[float, float] | None
) -> tuple[Outcome, Label]:
    """What two intervals decide alike by :func:`decide`: outcome and label, INCONCLUSIVE where the second decides otherwise.

    Args:
        rule: "above", "below", "within" or "exact".
        centre: c, in natural units.
        margin: m, in natural units.
        interval: low and high, in natural units.
        second: those of the second opinion; None where there is none.
    """
    outcome, label = decide(rule, centre, margin, interval)
    if second is None or decide(rule, centre, margin, second)[0] is outcome:
        return outcome, label
    return Outcome.INCONCLUSIVE, None


def _label(rule: Rule, centre: float, low: float, high: float) -> Label:
    """How a direction is refuted: by an effect of the other sign, or by one of its own sign that is too small."""
    if rule not in ("above", "below"):
        return None
    own, other = (low > centre, high < centre) if rule == "above" else (high < centre, low > centre)
    return "reversed" if other else "negligible" if own else None


def clears(rule: Rule, centre: float, margin: float, low: Any, high: Any) -> Any:
    """Whether intervals [low, high] exclude every effect below the smallest of interest; numbers, or arrays over studies."""
    return low >= centre + margin if rule == "above" else high <= centre - margin


def grade(rule: Rule, centre: float, margin: float, effect: float, interval: tuple[float, float]) -> Grade | None:
    """How large a supported effect is: support says that the effect is real, and the grade says which of three sizes it has.

    - *at least m*: the interval excludes everything smaller than the smallest effect of interest.  A smaller effect gets this
      grade with probability alpha at most.
    - *m not excluded*: the interval contains the smallest effect of interest, and the estimate is no smaller.
    - *probably below m*: the interval contains it, but the estimate is smaller: real, but more likely too small to matter than
      not.

    Args:
        rule: "above", "below", "within" or "exact".
        centre: c, in natural units.
        margin: m, in natural units.
        effect: the estimate, in natural units.
        interval: low and high, in natural units.

    Returns:
        The grade; None if the claim is not supported, and for the rules whose support has only one size.
    """
    low, high = float(interval[0]), float(interval[1])
    if rule not in ("above", "below") or not supports(rule, centre, margin, low, high):
        return None
    if clears(rule, centre, margin, low, high):
        return "at least m"
    reached = effect >= centre + margin if rule == "above" else effect <= centre - margin
    return "m not excluded" if reached else "probably below m"


def joint_grade(grades: Sequence[Grade | None], needed: int) -> Grade | None:
    """Grade of a whole of which ``needed`` parts have to come true: that of the weakest among the ``needed`` strongest.

    Args:
        grades: of the parts whose support counts; None for those whose support has only one size, which weaken nothing.
        needed: parts that have to come true, no more than there are grades.
    """
    order = (None, *GRADES)
    return sorted(grades, key=order.index)[needed - 1]


def conjoin(supporting: Sequence[Outcome], refuting: Sequence[Outcome], needed: int | None = None) -> Outcome:
    """Outcome of several parts of which a given number have to come true.

    INVALID if any part is; else SUPPORTED if ``needed`` parts are; else REFUTED if so many are refuted that fewer than
    ``needed`` are left; else INCONCLUSIVE.

    Args:
        supporting: each part's outcome at the alpha at which its support counts.  If all k parts have to come true, that is
            its own alpha (intersection-union: no correction inside).
        refuting: each part's outcome at the alpha at which its refutation counts.  If all k parts have to come true, that is
            alpha / k (Bonferroni, since any of them refutes the whole).
        needed: parts that have to come true; None for all.
    """
    needed = len(supporting) if needed is None else needed
    if Outcome.INVALID in supporting:
        return Outcome.INVALID
    if supporting.count(Outcome.SUPPORTED) >= needed:
        return Outcome.SUPPORTED
    refuted = refuting.count(Outcome.REFUTED) > len(refuting) - needed
    return Outcome.REFUTED if refuted else Outcome.INCONCLUSIVE
