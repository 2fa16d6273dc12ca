"""What can be read off a curve: its peak, its change from one level to another, where it settles, its mean height.

Curves are arrays of shape (..., point) over increasing x of shape (point,).  A valley of y is a peak of -y.  For courses over
time there is also what is left once the part that every model shows is removed (:func:`detrended`), and which units' series
move together (:func:`between_units`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.stats.correlations import fisher_z, rank_directions

Floats = NDArray[np.float64]
Detrend = Literal["difference", "linear"]


def slope(x: ArrayLike, y: ArrayLike) -> Floats:
    """Least-squares slope of y on x along the last axis: sum(dx dy) / sum(dx^2), with dx and dy from their means."""
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    da = a - a.mean(axis=-1, keepdims=True)
    fitted: Floats = (da * (b - b.mean(axis=-1, keepdims=True))).sum(axis=-1) / (da**2).sum(axis=-1)
    return fitted


def detrended(time: ArrayLike, series: ArrayLike, how: Detrend) -> Floats:
    """Changes from one time to the next, or what is left beside a straight line in time.

    Args:
        time: shape (point,).
        series: shape (..., point).
        how: "difference" (one point fewer) or "linear".
    """
    values, at = np.asarray(series, dtype=float), np.asarray(time, dtype=float)
    if how == "difference":
        return np.diff(values, axis=-1)
    left: Floats = values - values.mean(axis=-1, keepdims=True) - slope(at, values)[..., None] * (at - at.mean())
    return left


def between_units(x: ArrayLike, y: ArrayLike) -> Floats:
    """Fisher's z of the Spearman correlation over points of every unit's x with every unit's y.

    Args:
        x: shape (..., unit, point), no constant series.
        y: likewise.

    Returns:
        Shape (..., unit, unit): unit i's x with unit j's y; a unit with itself stands on the diagonal.
    """
    a, b = rank_directions(x), rank_directions(y)
    return fisher_z(a @ np.swapaxes(b, -1, -2), a.shape[-1])


Codes = NDArray[np.intp]


def pick(values: ArrayLike, place: Codes) -> Floats:
    """The value at one place of each curve: shape (..., point) and places (...) give shape (...)."""
    data = np.asarray(values, dtype=float)
    taken: Floats = np.take_along_axis(data, np.expand_dims(place, -1), axis=-1)[..., 0]
    return taken


def _lowest_so_far(y: Floats) -> Codes:
    """Where the lowest value up to each point stands (the first, of equal ones)."""
    lower = np.concatenate([np.ones_like(y[..., :1], dtype=bool), np.diff(np.minimum.accumulate(y, axis=-1), axis=-1) < 0], -1)
    place: Codes = np.maximum.accumulate(np.where(lower, np.arange(y.shape[-1]), 0), axis=-1)
    return place


@dataclass(frozen=True)
class Summit:
    """The most prominent peak of each curve; every field has the shape of the leading axes.

    Attributes:
        place: index of the peak, never the first or the last point.
        before: index of the lowest point before it.
        after: index of the lowest point after it.
        prominence: the smaller of rise and fall, y[place] minus the higher of both lows; 0 or less where the curve has
            no peak.
    """

    place: Codes
    before: Codes
    after: Codes
    prominence: Floats


def summit(y: ArrayLike) -> Summit:
    """The point from which the curve falls farthest on both sides: it maximises the smaller of rise and fall.

    Where it is above 0 it is the topographic prominence of the most prominent peak (as in ``scipy.signal``).  Unlike the
    highest point it is no edge: a curve that falls, rises and falls again has its peak inside.  Of equal points the
    first counts.

    Args:
        y: shape (..., point), three points or more.
    """
    data = np.asarray(y, dtype=float)
    last = data.shape[-1] - 1
    before = _lowest_so_far(data)[..., :-2]
    after = last - _lowest_so_far(data[..., ::-1])[..., ::-1][..., 2:]
    inner = data[..., 1:-1]
    lows = np.maximum(np.take_along_axis(data, before, axis=-1), np.take_along_axis(data, after, axis=-1))
    best = (inner - lows).argmax(axis=-1)
    at = np.expand_dims(best, -1)
    low_before, low_after = (np.take_along_axis(each, at, axis=-1)[..., 0] for each in (before, after))
    return Summit(best + 1, low_before, low_after, pick(inner - lows, best))


def _crossing(x: Floats, y: Floats, start: Codes, end: Codes, level: Floats) -> Floats:
    """X at which the straight line between two points of each curve passes a level (the nearer end beyond it)."""
    from_y, to_y = pick(y, start), pick(y, end)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.nan_to_num((level - from_y) / (to_y - from_y), nan=0.0)
    passed: Floats = x[start] + np.clip(share, 0, 1) * (x[end] - x[start])
    return passed


def _nearest(reached: NDArray[np.bool_], place: Codes, side: int) -> Codes:
    """Index of the true point nearest to a place, before it (side -1, the place excluded) or after it (+1)."""
    index = np.arange(reached.shape[-1])
    at = np.expand_dims(place, -1)
    if side < 0:
        before: Codes = np.where(reached & (index < at), index, -1).max(axis=-1)
        return before
    after: Codes = np.where(reached & (index > at), index, len(index)).min(axis=-1)
    return after


def summit_width(x: ArrayLike, y: ArrayLike, peak: Summit) -> Floats:
    """Width of each peak at half its prominence, by linear interpolation (``scipy.signal.peak_widths``); nan without one."""
    at, data = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    there = peak.prominence > 0
    level = pick(data, peak.place) - peak.prominence / 2
    low = data <= level[..., None]
    # Without a peak there is no low side; the places are then whatever keeps the indices inside.
    left = np.where(there, _nearest(low, peak.place, -1), 0)
    right = np.where(there, _nearest(low, peak.place, 1), 1)
    width = _crossing(at, data, right - 1, right, level) - _crossing(at, data, left + 1, left, level)
    return np.where(there, width, np.nan)


@dataclass(frozen=True)
class Change:
    """The best split of each curve into two levels; every field has the shape of the leading axes.

    Attributes:
        place: index of the first point after the change, 1 or more.
        before: mean before it.
        after: mean from it on.
    """

    place: Codes
    before: Floats
    after: Floats

    @property
    def size(self) -> Floats:
        """Level after minus level before; 0 for a constant curve."""
        return self.after - self.before


def change(y: ArrayLike) -> Change:
    """Least-squares split into two levels: it maximises s (k - s) / k (m_after - m_before)^2 over s of k points.

    Of equal splits (within rounding, 1e-12 of the best) the first counts.

    Args:
        y: shape (..., point), two points or more.
    """
    data = np.asarray(y, dtype=float)
    k = data.shape[-1]
    origin = data.mean(axis=-1, keepdims=True)
    count = np.arange(1, k)
    summed = np.cumsum(data - origin, axis=-1)
    before, after = summed[..., :-1] / count, (summed[..., -1:] - summed[..., :-1]) / (k - count)
    gain = count * (k - count) / k * (after - before) ** 2
    best: Codes = (gain >= gain.max(axis=-1, keepdims=True) * (1 - 1e-12)).argmax(axis=-1)
    return Change(best + 1, pick(before + origin, best), pick(after + origin, best))


def change_width(x: ArrayLike, y: ArrayLike, split: Change) -> Floats:
    """Distance over which each curve goes from 10 % to 90 % of its change, by linear interpolation; nan without one.

    It runs from the last point before the split that is no farther than 10 % to the first after it that has come 90 % of
    the way; both exist, since the levels are means.
    """
    at, data = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    there = split.size != 0
    share = (data - split.before[..., None]) / np.where(there, split.size, 1)[..., None]
    left = np.where(there, _nearest(share <= 0.1, split.place, -1), 0)
    right = np.where(there, _nearest(share >= 0.9, split.place - 1, 1), 1)
    width = _crossing(at, share, right - 1, right, np.full(right.shape, 0.9)) - _crossing(
        at, share, left, left + 1, np.full(left.shape, 0.1)
    )
    return np.where(there, width, np.nan)


def settled_at(x: ArrayLike, y: ArrayLike, share: float = 0.1) -> Floats:
    """First x from which each curve stays within a share of its total range of its last value."""
    data = np.asarray(y, dtype=float)
    away = np.abs(data - data[..., -1:]) > share * np.ptp(data, axis=-1, keepdims=True)
    first: Codes = np.where(away, np.arange(data.shape[-1]) + 1, 0).max(axis=-1)
    return np.asarray(np.asarray(x, dtype=float)[first])


def mean_height(x: ArrayLike, y: ArrayLike) -> Floats:
    """Area under each curve (trapezoids) divided by the range of x, in the units of y."""
    at = np.asarray(x, dtype=float)
    height: Floats = np.trapezoid(np.asarray(y, dtype=float), at, axis=-1) / (at[-1] - at[0])
    return height


def half_step(x: ArrayLike, place: Codes) -> Floats:
    """Half the longer of the steps beside an inner point: how well a place that is read off the grid is known."""
    steps = np.diff(np.asarray(x, dtype=float))
    reach: Floats = np.maximum(steps[place - 1], steps[place]) / 2
    return reach
