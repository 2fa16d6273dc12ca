"""Random variables of the simulated studies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats as sps

Floats = NDArray[np.float64]
Generator = np.random.Generator


def normal(rng: Generator, *shape: int) -> Floats:
    """Standard normal."""
    return rng.standard_normal(shape)


def heavy(rng: Generator, *shape: int) -> Floats:
    """T with three degrees of freedom, scaled to variance 1."""
    return rng.standard_t(3, shape) / np.sqrt(3)


def tied(rng: Generator, *shape: int) -> Floats:
    """Normal, rounded to steps of a standard deviation: about five different values."""
    return np.round(rng.standard_normal(shape))


def course(rng: Generator, *shape: int, memory: float = 0.9) -> Floats:
    """Stationary autoregressive courses of variance 1 along the last axis."""
    values = rng.standard_normal(shape)
    for t in range(1, shape[-1]):
        values[..., t] = memory * values[..., t - 1] + np.sqrt(1 - memory**2) * values[..., t]
    return values


def pearson(rho: float) -> float:
    """Pearson correlation of normal variables whose Spearman correlation is rho (Kruskal 1958)."""
    return 2 * float(np.sin(np.pi * rho / 6))


def pair(rng: Generator, rho: float, *shape: int) -> tuple[Floats, Floats]:
    """Two normal variables with a Spearman correlation."""
    r = pearson(rho)
    x, e = rng.standard_normal((2, *shape))
    return x, r * x + np.sqrt(1 - r**2) * e


def triple(rng: Generator, rhos: Sequence[float], *shape: int) -> tuple[Floats, Floats, Floats]:
    """Normal y, x1 and x2 whose Spearman correlations (y, x1), (y, x2) and (x1, x2) are given."""
    a, b, c = map(pearson, rhos)
    root = np.linalg.cholesky([[1, a, b], [a, 1, c], [b, c, 1]])
    y, x1, x2 = np.moveaxis(rng.standard_normal((*shape, 3)) @ root.T, -1, 0)
    return y, x1, x2


def t_power(size: float, n: int, alpha: float) -> float:
    """Power of the one-sided one-sample t test for an effect of ``size`` standard deviations."""
    return float(sps.nct.sf(sps.t.ppf(1 - alpha, n - 1), n - 1, size * np.sqrt(n)))


def tost_power(margin: float, n: int, alpha: float) -> float:
    """Power of the two one-sided t tests to confirm an absence within ``margin`` standard deviations where there is none.

    The mean has to lie within margin - t s / sqrt(n), integrated over the distribution of s.
    """
    s = np.sqrt(sps.chi2.ppf((np.arange(2000) + 0.5) / 2000, n - 1) / (n - 1))
    room = np.maximum(margin * np.sqrt(n) - sps.t.ppf(1 - alpha, n - 1) * s, 0)
    return float((2 * sps.norm.cdf(room) - 1).mean())
