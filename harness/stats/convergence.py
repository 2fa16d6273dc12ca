"""Whether chains agree, how many independent draws they are worth, and so how far off their mean may be.

Rank-normalised split R̂ and effective sample sizes as Vehtari, Gelman, Simpson, Carpenter and Bürkner define them (2021,
Bayesian Analysis 16, doi 10.1214/20-BA1221).  Arrays of shape (..., chain, draw) in, arrays of shape (...) out: numbers, for
the chains of one model.  What is not finite, or has too few draws to tell, is NaN.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import fft, special

Floats = NDArray[np.floating[Any]]

LEAST_DRAWS = 4  # that a chain needs to be split


def split_rhat(chains: Floats) -> Any:
    """Rank-normalised split R̂: the larger of that of the draws and that of their distances from the median.

    Chains that have not found each other differ in place (the first) or in spread (the second); near 1 they do not differ.

    Args:
        chains: draws, shape (..., chain, draw), at least :data:`LEAST_DRAWS` a chain.

    Returns:
        R̂, shape (...); NaN where a draw is not finite or there are too few, 1 where all draws are equal.
    """
    usable = _usable(chains)
    if not usable.any():
        return _number(np.full(usable.shape, np.nan))
    halves = _split(np.where(usable[..., None, None], chains, 0.0))
    folded = np.abs(halves - np.median(halves, axis=(-2, -1), keepdims=True))
    rhat = np.maximum(_rhat(_normalised(halves)), _rhat(_normalised(folded)))
    return _number(np.where(usable, np.where(np.ptp(chains, axis=(-2, -1)) == 0, 1.0, rhat), np.nan))


def effective_draws(chains: Floats, *, ranks: bool = False) -> Any:
    """Effective sample size for the mean, over all chains together.

    Args:
        chains: draws, shape (..., chain, draw), at least :data:`LEAST_DRAWS` a chain.
        ranks: of the rank-normalised draws, the "bulk" effective sample size, which heavy tails do not disturb.

    Returns:
        The number of independent draws whose mean would be as exact, shape (...); NaN where a draw is not finite or there are
        too few.
    """
    return _number(_of_the_mean(chains, ranks=ranks)[0])


def mean_error(chains: Floats) -> Any:
    """Standard error of the mean over all chains: the root of their pooled variance over the effective sample size.

    The pooled variance has what lies between the chains in it, so that chains in different places have a large error.

    Args:
        chains: draws, shape (..., chain, draw).

    Returns:
        The standard error, shape (...); NaN where :func:`effective_draws` is.
    """
    return _number(_of_the_mean(chains)[1])


def mean_precision(chains: Floats) -> tuple[Any, Any]:
    """:func:`effective_draws` and :func:`mean_error`, which share their work.

    Args:
        chains: draws, shape (..., chain, draw).
    """
    effective, error = _of_the_mean(chains)
    return _number(effective), _number(error)


def growth(chains: Floats) -> tuple[Any, Any]:
    """Change of the mean from the first to the second half of the draws, relative to the mean over all.

    For losses it is the drift of an estimate.  For squared distances from the start it shows long before anything else that
    chains have not settled: the slowest directions contribute most to these distances, which grow while they spread out.

    Args:
        chains: draws, shape (..., chain, draw).

    Returns:
        The change and its standard error, shape (...) each; NaN where there are too few draws to tell.
    """
    difference, error = _halves(chains)
    whole = np.abs(chains.mean((-2, -1), dtype=float))
    with np.errstate(all="ignore"):
        return _number(np.where(whole > 0, difference / whole, np.nan)), _number(np.where(whole > 0, error / whole, np.nan))


def change(chains: Floats) -> Any:
    """Change of the mean from the first to the second half of the draws, in standard errors.

    Args:
        chains: draws, shape (..., chain, draw).

    Returns:
        The change, shape (...); NaN where there are too few draws to tell, 0 where nothing varies.
    """
    difference, error = _halves(chains)
    with np.errstate(all="ignore"):
        return _number(np.where((difference == 0) & (error == 0), 0.0, difference / error))


def _number(values: NDArray[Any]) -> Any:
    """A number where there is one model, else the array."""
    return values[()] if isinstance(values, np.ndarray) else values


def _of_the_mean(chains: Floats, *, ranks: bool = False) -> tuple[Floats, Floats]:
    """Effective number of draws, and the standard error of the mean."""
    usable = _usable(chains)
    if not usable.any():
        return np.full(usable.shape, np.nan), np.full(usable.shape, np.nan)
    halves = _split(np.where(usable[..., None, None], chains, 0.0))
    effective = _effective(_normalised(halves) if ranks else halves)
    error = np.sqrt(_pooled(halves)[1] / effective)
    return np.where(usable, effective, np.nan), np.where(usable, error, np.nan)


def _halves(chains: Floats) -> tuple[Floats, Floats]:
    """Mean of the second half of the draws less that of the first, and its standard error."""
    half = chains.shape[-1] // 2
    if not half:
        nothing = np.full(chains.shape[:-2], np.nan)
        return nothing, nothing
    both = np.stack([chains[..., :half], chains[..., -half:]]).astype(float)
    means, errors = both.mean((-2, -1)), _of_the_mean(both)[1]
    with np.errstate(invalid="ignore"):
        return means[1] - means[0], np.hypot(errors[0], errors[1])


def _usable(chains: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(chains).all((-2, -1)) & (chains.shape[-1] >= LEAST_DRAWS))


def _split(chains: Floats) -> Floats:
    """Both halves of every chain as chains of their own, without the middle draw of an odd number, as float64."""
    half = chains.shape[-1] // 2
    return np.concatenate([chains[..., :half], chains[..., -half:]], axis=-2).astype(float)


def _normalised(chains: Floats) -> Floats:
    """Normal scores of the ranks among all draws of a model (eq. 14)."""
    flat = chains.reshape(*chains.shape[:-2], -1)
    ranks = scipy.stats.rankdata(flat, axis=-1).reshape(chains.shape)
    scores: Floats = special.ndtri((ranks - 0.375) / (flat.shape[-1] + 0.25))
    return scores


def _pooled(chains: Floats) -> tuple[Floats, Floats]:
    """Variance within chains, and the pooled estimate with what lies between them (eqs. 1 to 3)."""
    draws = chains.shape[-1]
    within = chains.var(-1, ddof=1).mean(-1)
    between = chains.mean(-1).var(-1, ddof=1) if chains.shape[-2] > 1 else np.zeros_like(within)
    return within, within * (draws - 1) / draws + between


def _rhat(chains: Floats) -> Floats:
    within, pooled = _pooled(chains)
    with np.errstate(all="ignore"):
        return np.where(pooled == 0, 1.0, np.sqrt(pooled / within))


def _effective(chains: Floats) -> Floats:
    """Eqs. 10 and 13: autocorrelations over all chains, summed in pairs while they are positive, never rising (Geyer 1992)."""
    count, draws = chains.shape[-2:]
    within, pooled = _pooled(chains)
    centred = chains - chains.mean(-1, keepdims=True)
    length = fft.next_fast_len(2 * draws)
    spectrum = np.abs(fft.rfft(centred, length)) ** 2
    covariance = fft.irfft(spectrum.mean(-2), length)[..., :draws] / draws
    still = pooled == 0  # nothing varies
    correlation = 1 - (within[..., None] - covariance) / np.where(still, 1.0, pooled)[..., None]
    correlation[..., 0] = 1.0
    even = draws - draws % 2
    pairs = correlation[..., :even:2] + correlation[..., 1:even:2]
    positive = np.logical_and.accumulate(pairs > 0, axis=-1)
    summed = np.where(positive, np.minimum.accumulate(pairs, axis=-1), 0.0).sum(-1)
    ended = 2 * positive.sum(-1)  # where the pairs end the first alone may still count
    rest = np.take_along_axis(correlation, np.minimum(ended, draws - 1)[..., None], axis=-1)[..., 0]
    time = -1 + 2 * summed + np.where(ended < draws, np.maximum(rest, 0.0), 0.0)
    # The bound of the paper for chains whose draws repel each other: no more than that many times their number.
    effective = count * draws / np.maximum(time, 1 / math.log10(count * draws))
    return np.where(still, float(count * draws), effective)
