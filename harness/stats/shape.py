"""What a mean, a slope or a correlation does not see: units that go apart, lines that bend, relations that turn, shared timing.

Each is a second look at the same units.  Where it finds what the first one hides, support is withheld; it never gives support.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from harness.stats.confidence import Confidence, Student
from harness.stats.correlations import mid_ranks
from harness.stats.curves import between_units, change, slope

Floats = NDArray[np.float64]
LEAST_OVERLAP = 5
"""Fewest points of two courses that are laid over each other; with fewer they are left where they are."""


def scattered_p(values: ArrayLike, centre: float, margin: float) -> Floats:
    """P of as few units within centre ± margin as there are, were they normal around their mean.

    Half of the units far above and half far below have a mean that does not change; normal units of the same mean and spread
    would stand between.  The number within is binomial; mean and spread are those seen, which makes p larger, not smaller.

    Args:
        values: one number per unit, shape (..., unit).
        centre: where no change is.
        margin: half the width within which a change counts as none.
    """
    data = np.asarray(values, dtype=float)
    mean, spread = data.mean(axis=-1), data.std(axis=-1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = [np.where(spread > 0, (centre + side * margin - mean) / spread, side * np.inf) for side in (-1, 1)]
    expected = scipy.stats.norm.cdf(ends[1]) - scipy.stats.norm.cdf(ends[0])
    inside = (np.abs(data - centre) < margin).sum(axis=-1)
    p: Floats = scipy.stats.binom.cdf(inside, data.shape[-1], expected)
    return p


def halves(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    """Slope of y on the lower half of the points of x, and on the upper half; both have the middle one of an odd number.

    Args:
        x: ascending, shape (point,), three points or more.
        y: shape (..., point).
    """
    at, data = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    size = (len(at) + 1) // 2
    return slope(at[:size], data[..., :size]), slope(at[-size:], data[..., -size:])


def bent(first: Student, second: Student, between: Student, centre: float, margin: float, alpha: float) -> Any:
    """Whether a line bends: its two halves have different slopes, and not both are shown to lie within centre ± margin.

    Args:
        first: mean slope of the lower half.
        second: of the upper half.
        between: mean difference of the two within units.
        centre: the slope that is claimed.
        margin: how far from it still counts as it.
        alpha: twice the error rate of the difference, on both sides together, so that few straight lines are lost.
    """
    differ = 2 * np.minimum(between.above(0), between.below(0)) <= alpha / 2
    shown = np.maximum(first.within(centre, margin), second.within(centre, margin)) <= alpha
    return differ & ~shown


def folded(values: ArrayLike) -> Floats:
    """How far the rank of each unit lies from the middle one, along the last axis: what a relation that turns depends on."""
    ranks = mid_ranks(values)
    distance: Floats = np.abs(ranks - (ranks.shape[-1] + 1) / 2)
    return distance


def turned(seen: Confidence, margin: float, alpha: float) -> Any:
    """Whether a correlation with a folded column is there, and not shown to be within the margin; one of two looks.

    Args:
        seen: the correlation.
        margin: largest that counts as none.
        alpha: error rate of both looks together, on both sides.
    """
    there = 4 * np.minimum(seen.above(0), seen.below(0)) <= alpha
    return there & ~(seen.within(0, margin) <= alpha)


def transition(x: ArrayLike, y: ArrayLike) -> NDArray[np.intp]:
    """Index of the step at which two courses go over into another level, each in units of its own spread (``stats.change``).

    Args:
        x: courses, shape (..., point).
        y: likewise.

    Returns:
        Index of the change from one point to the next, shape (...).
    """
    turned = []
    for each in (np.asarray(x, dtype=float), np.asarray(y, dtype=float)):
        scaled = (each - each.mean(axis=-1, keepdims=True)) / each.std(axis=-1, keepdims=True)
        turned.append(scaled * np.sign(change(scaled).size)[..., None])
    place: NDArray[np.intp] = change(turned[0] + turned[1]).place - 1
    return place


def aligned(x: Floats, y: Floats, at: NDArray[np.intp]) -> Floats:
    """Fisher's z of every unit's x with every unit's y, one of them shifted so that both have their transition at one time.

    Units that share nothing but when each goes over correlate as well with another unit, once that is moved to go over at the
    same time.  Only points that both have after the shift count.

    Args:
        x: changes of one study, shape (unit, point).
        y: likewise.
        at: index of each unit's transition (:func:`transition`).

    Returns:
        Shape (unit, unit): unit i's x with unit j's y.
    """
    points = x.shape[-1]
    shift = at[:, None] - at[None, :]
    z = between_units(x, y)
    for s in np.unique(shift[np.abs(shift) <= points - LEAST_OVERLAP]):
        if s == 0:
            continue
        here, there = (x[:, s:], y[:, : points - s]) if s > 0 else (x[:, :s], y[:, -s:])
        with np.errstate(invalid="ignore", divide="ignore"):
            moved = between_units(here, there)
        z = np.where((shift == s) & np.isfinite(moved), moved, z)
    return z
