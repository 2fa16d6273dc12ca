"""Courses over time: what is left of a series when what any model would show is taken away, and who moves with whom."""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from harness.stats.correlations import fisher_z

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
    sides = []
    for each in (x, y):
        ranks = scipy.stats.rankdata(each, axis=-1)
        centred = ranks - ranks.mean(axis=-1, keepdims=True)
        sides.append(centred / np.sqrt((centred**2).sum(axis=-1, keepdims=True)))
    return fisher_z(sides[0] @ np.swapaxes(sides[1], -1, -2), sides[0].shape[-1])
