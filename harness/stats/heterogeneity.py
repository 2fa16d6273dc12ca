"""Whether strata, blocks or repeated measurements differ by more than chance: heterogeneity, intraclass correlation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from harness.stats.means import is_constant, stratified_mean

Floats = NDArray[np.float64]


def welch_anova(effect: ArrayLike, error: ArrayLike, freedom: ArrayLike) -> Floats:
    """P of "all strata have the same effect", each with its own standard error.

    With k effects m_s, weights w_s = 1 / error_s^2, W = sum(w_s), M = sum(w_s m_s) / W and
    L = sum((1 - w_s / W)^2 / df_s):  F = [sum(w_s (m_s - M)^2) / (k - 1)] / [1 + 2 (k - 2) L / (k^2 - 1)]
    with k - 1 and (k^2 - 1) / (3 L) degrees of freedom (Welch 1951, Biometrika 38, 330-336).  For means of groups this
    is Welch's analysis of variance; for other effects with t errors (differences of two groups) it is an
    approximation of the same order.

    Args:
        effect: array of shape (..., stratum).
        error: standard errors, likewise, above 0.
        freedom: their degrees of freedom, likewise.

    Returns:
        P, of the shape of the leading axes.
    """
    means, df = np.asarray(effect, dtype=float), np.asarray(freedom, dtype=float)
    weight = 1 / np.asarray(error, dtype=float) ** 2
    k = means.shape[-1]
    share = weight / weight.sum(axis=-1, keepdims=True)
    offset = means - (share * means).sum(axis=-1, keepdims=True)
    between = (weight * offset**2).sum(axis=-1) / (k - 1)
    slack = ((1 - share) ** 2 / df).sum(axis=-1)
    p: Floats = scipy.stats.f.sf(between / (1 + 2 * (k - 2) * slack / (k**2 - 1)), k - 1, (k**2 - 1) / (3 * slack))
    return p


def heterogeneity(groups: Sequence[ArrayLike], scale: float | None = None, trim: float = 0.0) -> float | None:
    """P of "all groups have the same mean" by Welch's analysis of variance.

    Args:
        groups: values of each group, two or more in each.
        scale: size of the numbers that the values were computed from; None for the values' own (``is_constant``).
        trim: share of the units of each group that its mean leaves out at either end.

    Returns:
        P; None for fewer than two groups, or where a group has no spread and so no error to weigh it by.
    """
    data = [np.asarray(group, dtype=float) for group in groups]
    if len(data) < 2 or any(is_constant(group, scale) for group in data):
        return None
    means = [stratified_mean(group, trim=trim) for group in data]
    if not all(each.error > 0 for each in means):
        return None
    effects, errors, freedoms = zip(*((each.mean, each.error, each.freedom) for each in means), strict=True)
    return float(welch_anova(effects, errors, freedoms))


def cochran_q(z: ArrayLike, error: ArrayLike) -> Floats:
    """P of "all blocks have the same correlation", by Cochran's Q on Fisher's z.

    Q = sum(w_b (z_b - M)^2) with w_b = 1 / error_b^2 and M the weighted mean, against chi-squared with k - 1 degrees of
    freedom (Cochran 1954, Biometrics 10, 101-129; Hedges & Olkin 1985, chapter 11).  It takes the blocks as
    independent: with shared units that correlate positively it finds too few differences.

    Args:
        z: Fisher's z, shape (..., block), two blocks or more.
        error: standard errors, likewise.

    Returns:
        P, of the shape of the leading axes.
    """
    values, weight = np.asarray(z, dtype=float), 1 / np.asarray(error, dtype=float) ** 2
    pooled = (weight * values).sum(axis=-1, keepdims=True) / weight.sum(axis=-1, keepdims=True)
    q = (weight * (values - pooled) ** 2).sum(axis=-1)
    p: Floats = scipy.stats.chi2.sf(q, values.shape[-1] - 1)
    return p


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
