"""Where a curve is flat: over which stretch of a scale its values are shown to be the same.

A stretch is flat where no two of its places differ by as much as a tolerance.  That is a claim of equivalence, so that it is
proven or not: the one-sided test at 5 % of each pair (Schuirmann 1987, doi 10.1007/BF01068419) has to pass for every pair, and
since all of them have to, none needs a correction for there being many (Berger 1982, doi 10.2307/1267823).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

QUANTILE = float(special.ndtri(0.95))
Verdict = Literal["plateau", "none", "undecided"]


@dataclass(frozen=True)
class Plateau:
    """The widest flat stretch of a curve.

    Attributes:
        verdict: "plateau" where one is shown, "none" where every stretch is shown to change by more than the tolerance,
            "undecided" between the two, or where there is no stretch of that length.
        first: number of the stretch's first place, of the widest that is not shown to change where it is undecided; None with
            "none".
        last: number of its last place.
        mean: of the curve over it; NaN with "none".
        change: largest difference between two of its places, relative to the mean.
        bound: upper limit of that, the standard errors allowed for.
    """

    verdict: Verdict
    first: int | None = None
    last: int | None = None
    mean: float = math.nan
    change: float = math.nan
    bound: float = math.nan


def plateau(places: np.ndarray, values: np.ndarray, errors: np.ndarray, *, tolerance: float, span: float = 10.0) -> Plateau:
    """The widest stretch of neighbouring places over which the mean curve changes by less than the tolerance.

    For a difference between two places its standard error is that of the mean over the curves of their own differences, or
    that which the errors of the values alone make, whichever is larger.

    Args:
        places: rising and above 0, shape (place,).
        values: shape (curve, place); curves with a value that is not finite are left out.
        errors: standard errors of the values, independent of each other, likewise.
        tolerance: largest change, relative to the mean of the curve over the stretch.
        span: least ratio of the last place of a stretch to its first.

    Returns:
        The stretch; of those equally wide the first.
    """
    whole = np.isfinite(values).all(1)
    values, errors = values[whole], errors[whole]
    found: dict[bool, Plateau] = {}
    differences, deviations = _pairs(values, errors) if whole.any() else (np.empty(0), np.empty(0))
    candidates = 0
    for first, last in _stretches(places, span) if whole.any() else ():
        candidates += 1
        own = slice(first, last + 1)
        mean = float(values[:, own].mean())
        size = abs(mean) or math.nan
        change, error = differences[own, own] / size, QUANTILE * deviations[own, own] / size
        bound = float((change + error).max())
        shown = bound < tolerance
        if shown or not (change - error).max() > tolerance:
            verdict: Verdict = "plateau" if shown else "undecided"
            found.setdefault(shown, Plateau(verdict, first, last, mean, float(change.max()), bound))
    return found.get(True) or found.get(False) or Plateau("none" if candidates else "undecided")


def _stretches(places: np.ndarray, span: float) -> list[tuple[int, int]]:
    """First and last places of all stretches that are long enough, the widest first."""
    count = len(places)
    some = [(first, last) for first in range(count) for last in range(first + 1, count)
            if places[last] / places[first] >= span * (1 - 1e-9)]  # fmt: skip
    return sorted(some, key=lambda ends: (-round(math.log(places[ends[1]] / places[ends[0]]), 9), ends))


def _pairs(values: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of the mean curve's values at every two places, and its standard error, each of shape (place, place)."""
    curves = len(values)
    between = values[:, :, None] - values[:, None, :]
    squares = errors**2
    sampling = np.sqrt((squares[:, :, None] + squares[:, None, :]).sum(0)) / curves
    over_curves = between.std(0, ddof=1) / math.sqrt(curves) if curves > 1 else np.zeros_like(sampling)
    deviations = np.maximum(sampling, over_curves)
    np.fill_diagonal(deviations, 0.0)
    return np.abs(between.mean(0)), deviations
