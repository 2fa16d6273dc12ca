"""How far an effect moved between two runs, and how far chance moves it.

Two independent runs of one estimand scatter both.  What the old run lets one expect of the new one is a prediction interval:
it is wider than either confidence interval, and its half widths follow from theirs, since variances of independent
estimates add (Zou and Donner 2008, Statist. Med. 27, 1693-1702, the MOVER: halves of the two intervals that face each other
count, so that asymmetric intervals are served, too).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import scipy

from harness.report.rows import Row

ALPHA = 0.05  # a shift is beyond chance where Holm's adjustment over all claims compared leaves p at or below it


@dataclass(frozen=True)
class Shift:
    """How far an effect moved.

    Attributes:
        difference: new less old, in natural units.
        interval: (low, high) of the differences that chance explains at ``level``.  None where a run has no interval, or where
            both have the same networks and so are not independent.
        level: level of the interval (0.9).
        p: two-sided and approximate (normal), of a difference at least as large between two independent runs of one truth;
            None without an interval.
        p_adjusted: Holm's, over all claims compared.
    """

    difference: float
    interval: tuple[float, float] | None = None
    level: float | None = None
    p: float | None = None
    p_adjusted: float | None = None

    @property
    def beyond(self) -> bool:
        """Whether the new effect lies outside the prediction interval."""
        return self.interval is not None and not self.interval[0] <= self.difference <= self.interval[1]

    @property
    def demonstrable(self) -> bool:
        """Whether it would so in fewer than one of twenty comparisons of whole runs without any difference."""
        return self.beyond and self.p_adjusted is not None and self.p_adjusted <= ALPHA


def shift(old: Row, new: Row, *, independent: bool) -> Shift:
    """How far the effect of ``new`` lies from that of ``old``; both are known.

    Args:
        old: row of the run before.
        new: row of the run after.
        independent: whether the two runs trained networks of their own; only then chance explains a difference.
    """
    difference = new["effect"] - old["effect"]
    if not independent or None in (old["interval"], new["interval"]):
        return Shift(difference)
    down, up, level = half_widths(old, new)
    return Shift(difference, (-down, up), level, _chance(difference, up if difference > 0 else down, level))


def half_widths(old: Row, new: Row) -> tuple[float, float, float]:
    """How far below and above the old effect chance puts the new one, and the level of that interval.

    Each half width is the root of the sum of squares of the two that face each other: upwards, the upper half of the old
    interval and the lower half of the new one.  Where the two intervals have different levels, that of the lower level is
    widened to the higher by the ratio of normal quantiles.
    """
    (old_down, old_up), (new_down, new_up) = _halves(old), _halves(new)
    alpha = min(_alpha(old), _alpha(new))
    wider_old, wider_new = (_quantile(alpha) / _quantile(_alpha(row)) for row in (old, new))
    downwards = math.hypot(old_down * wider_old, new_up * wider_new)
    upwards = math.hypot(old_up * wider_old, new_down * wider_new)
    return downwards, upwards, 1 - 2 * alpha


def in_half_widths(difference: float, row: Row) -> float:
    """A difference in units of half the row's interval; in natural units where that has no finite width."""
    down, up = _halves(row) if row["interval"] else (0.0, 0.0)
    half = (down + up) / 2
    return abs(difference) / half if 0 < half < math.inf else abs(difference)


def _chance(difference: float, half: float, level: float) -> float:
    """Two-sided p of a difference, where one of ``half`` is the end of the interval of ``level``; normal tails."""
    if difference == 0:
        return 1.0
    return 2 * float(scipy.stats.norm.sf(_quantile((1 - level) / 2) * abs(difference) / half)) if half else 0.0


def _halves(row: Row) -> tuple[float, float]:
    """From the estimate down and up to the ends of its interval; an end that is unknown is unbounded."""
    effect, (low, high) = row["effect"], row["interval"]
    down = math.inf if low is None else max(0.0, effect - low)
    up = math.inf if high is None else max(0.0, high - effect)
    return down, up


def _alpha(row: Row) -> float:
    return float(row["alpha"]) if row["alpha"] else ALPHA


def _quantile(tail: float) -> float:
    return float(scipy.stats.norm.isf(tail))
