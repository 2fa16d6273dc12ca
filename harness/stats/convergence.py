"""Whether chains agree and how many independent draws they are worth, and so how far their mean may be off.

Rank-normalised split R̂ and effective sample sizes as Vehtari, Gelman, Simpson, Carpenter and Bürkner define them (2021,
Bayesian Analysis 16, doi 10.1214/20-BA1221).  Arrays of shape (chain, draw) in, numbers out.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import fft, special, stats

LEAST_DRAWS = 4  # that a chain needs to be split


def split_rhat(chains: np.ndarray) -> float:
    """Rank-normalised split R̂: the larger of that of the draws and that of their distances from the median.

    Chains that have not found each other differ in place (the first) or in spread (the second); near 1 they do not differ.

    Args:
        chains: draws, shape (chain, draw), at least :data:`LEAST_DRAWS` a chain.

    Returns:
        R̂; NaN where a draw is not finite or there are too few, 1 where all draws are equal.
    """
    if not _usable(chains):
        return math.nan
    if np.ptp(chains) == 0:
        return 1.0
    halves = _split(chains)
    return max(_rhat(_normalised(halves)), _rhat(_normalised(np.abs(halves - np.median(halves)))))


def effective_draws(chains: np.ndarray, *, ranks: bool = False) -> float:
    """Effective sample size for the mean, over all chains together.

    Args:
        chains: draws, shape (chain, draw), at least :data:`LEAST_DRAWS` a chain.
        ranks: of the rank-normalised draws, the "bulk" effective sample size, which heavy tails do not disturb.

    Returns:
        The number of independent draws whose mean would be as exact; NaN where a draw is not finite or there are too few.
    """
    if not _usable(chains):
        return math.nan
    halves = _split(chains)
    return _effective(_normalised(halves) if ranks else halves)


def mean_error(chains: np.ndarray) -> float:
    """Standard error of the mean over all chains: the root of their pooled variance over the effective sample size.

    The pooled variance has what lies between the chains in it, so that chains in different places have a large error.

    Args:
        chains: draws, shape (chain, draw).

    Returns:
        The standard error; NaN where :func:`effective_draws` is.
    """
    if not _usable(chains):
        return math.nan
    halves = _split(chains)
    return math.sqrt(_pooled(halves)[1] / _effective(halves))


def growth(strains: np.ndarray) -> tuple[float, float]:
    """Change of the mean squared distance from the start, from the first to the second half of the draws, relative to it.

    The slowest directions have the largest part in that distance.  While they spread out it grows, long before what has other
    parts shows that they have not arrived.

    Args:
        strains: squared distance at each draw, in any unit, shape (chain, draw).

    Returns:
        The change and its standard error; NaN where there are too few draws to tell.
    """
    half, whole = strains.shape[1] // 2, float(strains.mean())
    if not half or not whole:
        return math.nan, math.nan
    difference, error = _halves(strains)
    return difference / whole, error / whole


def change(chains: np.ndarray) -> float:
    """Change of the mean from the first to the second half of the draws, in standard errors.

    Args:
        chains: draws, shape (chain, draw).

    Returns:
        The change; NaN where there are too few draws to tell, 0 where nothing varies.
    """
    difference, error = _halves(chains)
    return difference / error if error else (math.copysign(math.inf, difference) if difference else 0.0)


def _halves(chains: np.ndarray) -> tuple[float, float]:
    """Mean of the second half of the draws less that of the first, and its standard error."""
    half = chains.shape[1] // 2
    if not half:
        return math.nan, math.nan
    first, second = chains[:, :half], chains[:, -half:]
    return float(second.mean() - first.mean()), math.hypot(mean_error(first), mean_error(second))


def _usable(chains: np.ndarray) -> bool:
    return chains.shape[1] >= LEAST_DRAWS and bool(np.isfinite(chains).all())


def _split(chains: np.ndarray) -> np.ndarray:
    """Both halves of every chain as chains of their own, without the middle draw of an odd number, as float64."""
    half = chains.shape[1] // 2
    return np.concatenate([chains[:, :half], chains[:, -half:]]).astype(float)


def _normalised(chains: np.ndarray) -> np.ndarray:
    """Normal scores of the ranks among all draws (eq. 14)."""
    ranks = stats.rankdata(chains, axis=None).reshape(chains.shape)
    scores: np.ndarray = special.ndtri((ranks - 0.375) / (chains.size + 0.25))
    return scores


def _pooled(chains: np.ndarray) -> tuple[float, float]:
    """Variance within chains, and the pooled estimate with what lies between them (eqs. 1 to 3)."""
    draws = chains.shape[1]
    within = float(chains.var(1, ddof=1).mean())
    between = float(chains.mean(1).var(ddof=1)) if len(chains) > 1 else 0.0
    return within, within * (draws - 1) / draws + between


def _rhat(chains: np.ndarray) -> float:
    within, pooled = _pooled(chains)
    if within == 0:
        return 1.0 if pooled == 0 else math.inf
    return math.sqrt(pooled / within)


def _effective(chains: np.ndarray) -> float:
    """Eqs. 10 and 13: autocorrelations over all chains, summed in pairs while they are positive, never rising (Geyer 1992)."""
    count, draws = chains.shape
    within, pooled = _pooled(chains)
    if pooled == 0:
        return float(count * draws)
    centred = chains - chains.mean(1, keepdims=True)
    length = fft.next_fast_len(2 * draws)
    covariance = fft.irfft(np.abs(fft.rfft(centred, length)) ** 2, length)[:, :draws].mean(0) / draws
    correlation = 1 - (within - covariance) / pooled
    correlation[0] = 1.0
    even = draws - draws % 2
    pairs = correlation[:even:2] + correlation[1:even:2]
    positive = len(pairs) if (pairs > 0).all() else int(np.argmax(pairs <= 0))
    rest = correlation[2 * positive] if 2 * positive < draws else 0.0  # where the pairs end the first alone may still count
    time = -1 + 2 * float(np.minimum.accumulate(pairs[:positive]).sum()) + max(float(rest), 0.0)
    # The bound of the paper for chains whose draws repel each other: no more than that many times their number.
    return float(count * draws / max(time, 1 / math.log10(count * draws)))
