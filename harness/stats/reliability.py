"""How well a measurement repeats: intraclass correlation over independent chains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Reliability:
    """Share of the variance between units that is not noise of the measurement.

    Attributes:
        single: ICC(1,1), reliability of one repeat.
        mean: ICC(1,k), reliability of the mean of all k repeats: the one to gate on where that mean is used.
    """

    single: float
    mean: float


def reliability(values: ArrayLike) -> Reliability:
    """Intraclass correlations of the one-way random-effects model.

    With B and W the mean squares between and within units and k repeats, ICC(1,1) = (B - W) / (B + (k - 1) W)
    and ICC(1,k) = (B - W) / B (Shrout & Fleiss 1979, Psychological Bulletin 86(2), 420-428).
    Either may be negative when units differ by less than their noise.

    Args:
        values: array of shape (unit, repeat), two or more of each, for instance one LLC per member and chain.

    Raises:
        ValueError: fewer than two units or repeats, a value that is not finite, or units that do not differ.
    """
    data = np.asarray(values, dtype=float)
    if data.ndim != 2 or min(data.shape) < 2:
        raise ValueError(
            f"reliability needs shape (unit, repeat) with two or more of each; given {data.shape}"
        )
    if not np.isfinite(data).all():
        raise ValueError(f"{int((~np.isfinite(data)).sum())} of {data.size} values are not finite")
    units, repeats = data.shape
    means = data.mean(axis=1)
    between = repeats * means.var(ddof=1)
    within = ((data - means[:, None]) ** 2).sum() / (units * (repeats - 1))
    if between == 0:
        raise ValueError("all units have the same mean, so that there is no variance to be reliable about")
    return Reliability(
        single=float((between - within) / (between + (repeats - 1) * within)),
        mean=float((between - within) / between),
    )
