"""How well a measurement repeats: intraclass correlation over independent chains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Reliability:
    """Share of the variance between units that is not noise of the measurement.

    Attributes:
        single: ICC(1,1), reliability of one repeat.
        mean: ICC(1,k), reliability of the mean of all k repeats.
        low: lower end of the two-sided (1 - 2 alpha) interval of ``mean``: the one to gate on where that mean is used.
        high: its upper end.
    """

    single: float
    mean: float
    low: float
    high: float


def reliability(values: ArrayLike, alpha: float = 0.05) -> Reliability:
    """Intraclass correlations of the one-way random-effects model.

    With B and W the mean squares between and within units and k repeats, ICC(1,1) = (B - W) / (B + (k - 1) W)
    and ICC(1,k) = (B - W) / B (Shrout & Fleiss 1979, Psychological Bulletin 86(2), 420-428).
    Either may be negative when units differ by less than their noise.  B / W over its expectation has an F distribution with
    n - 1 and n (k - 1) degrees of freedom, which gives the interval (McGraw & Wong 1996, Psychological Methods 1(1), 30-46).

    Args:
        values: array of shape (unit, repeat), two or more of each, for instance one LLC per member and chain.
        alpha: error of the interval on each side.

    Raises:
        ValueError: fewer than two units or repeats, a value that is not finite, or units that do not differ.
    """
    data = np.asarray(values, dtype=float)
    if data.ndim != 2 or min(data.shape) < 2:
        raise ValueError(f"reliability needs shape (unit, repeat) with two or more of each; given {data.shape}")
    if not np.isfinite(data).all():
        raise ValueError(f"{int((~np.isfinite(data)).sum())} of {data.size} values are not finite")
    units, repeats = data.shape
    means = data.mean(axis=1)
    between = repeats * means.var(ddof=1)
    within = ((data - means[:, None]) ** 2).sum() / (units * (repeats - 1))
    if between == 0:
        raise ValueError("all units have the same mean, so that there is no variance to be reliable about")
    ratio = between / within if within > 0 else np.inf
    freedom = (units - 1, units * (repeats - 1))
    return Reliability(
        single=float((between - within) / (between + (repeats - 1) * within)),
        mean=float((between - within) / between),
        low=float(1 - scipy.stats.f.ppf(1 - alpha, *freedom) / ratio),
        high=float(1 - scipy.stats.f.ppf(alpha, *freedom) / ratio),
    )
