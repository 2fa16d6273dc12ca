"""Random variables of the simulated studies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.judge.power import Terms, power
from harness.stats import Student

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


def left(rng: Generator, *shape: int) -> Floats:
    """Lognormal of log-scale 1, mirrored: mean 0, variance 1, skewness -6.2, one long tail to the left."""
    return (np.exp(0.5) - np.exp(rng.standard_normal(shape))) / np.sqrt(np.e * (np.e - 1))


def right(rng: Generator, *shape: int) -> Floats:
    """The same with its tail to the right."""
    return -left(rng, *shape)


def rare(rng: Generator, *shape: int) -> Floats:
    """Normal, but for one in twenty, which lies 15 standard deviations lower; the mean is 0."""
    return rng.standard_normal(shape) - 15 * ((rng.random(shape) < 0.05) - 0.05)


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


def t_power(size: float, n: int, alpha: float, groups: int = 1) -> float:
    """Power that the plan promises for a mean ``size`` standard deviations above 0, or between groups of ``n``."""
    return power(_study(n, groups), Terms("above", 0.0, size / 2, alpha), size)


def tost_power(margin: float, n: int, alpha: float) -> float:
    """Power that the plan promises to confirm an absence within ``margin`` standard deviations where there is none."""
    return power(_study(n, 1), Terms("within", 0.0, margin, alpha), 0.0)


def _study(n: int, groups: int) -> Student:
    return Student(0.0, np.sqrt(groups / n), groups * (n - 1), lean=0.0)
