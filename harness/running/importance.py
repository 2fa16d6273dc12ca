"""Which settings the effect goes with: Sobol' indices of the surfaces that the effects allow.

How quickly the effect changes along a setting is not known beforehand, and a few trials say little of it.  A single best fit of
it takes one guess for the truth: of four trials it finds a setting that "explains everything", most often a wrong one.  So the
kernel's lengths are drawn from their posterior, too (MacKay 1992; Rasmussen & Williams 2006, chapter 5.2), by the ensemble
sampler of Goodman & Weare (2010, doi 10.2140/camcos.2010.5.65), and each draw has a surface and its indices (Sobol' 2001, doi
10.1016/S0378-4754(00)00270-6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from harness.running.scope import Scope, Settings

Floats = NDArray[np.float64]
LENGTHS = (0.05, 20.0)  # along an axis: a step at some place of it, or so long that the axis does not matter
REMAINDERS = (1e-5, 0.1)  # variance that no setting explains, in that of all effects
WALKERS = 64  # kernels at a time; of the last ones a surface each is drawn
STEPS = 120  # of each walker; half of these, or twice as many, give the same indices
TRIES = 1024  # kernels from which the walkers start, by their likelihood
POINTS = 64  # pairs of points that an index is estimated from; a surface is drawn at axes + 2 times as many
JITTER = 1e-6  # of a surface's variance, so that the covariance of many places can be inverted
AT_LEAST = 0.2  # of the variance is what a setting is behind for sure, or nothing is said of any
_STRETCH = 2.0  # of a move, as Goodman & Weare have it


@dataclass(frozen=True)
class Index:
    """How much of the variance of the effect over the scope a setting is behind.

    Attributes:
        name: the setting.
        alone: first-order Sobol' index: the share that goes with the setting's own value.
        total: total index: the share that would be gone if the setting were known, interactions included.
        interval: 90 % interval of the total over surfaces that the effects allow, of which ``total`` is the median.
    """

    name: str
    alone: float
    total: float
    interval: tuple[float, float]


def importance(scope: Scope, settings: Sequence[Settings], effects: Floats, errors: Floats) -> tuple[Index, ...]:
    """Sobol' indices of the effect, the most important setting first; none where the effects leave open what it goes with.

    Args:
        scope: the axes.
        settings: where the claim was judged.
        effects: found there, in any unit, shape (setting,).
        errors: their standard errors, shape (setting,).
    """
    rng = np.random.default_rng(0)
    scale = max(float(effects.std()), 1e-9)
    seen = _Seen(scope.columns(settings), (effects - effects.mean()) / scale, np.maximum(errors / scale, 1e-3) ** 2)
    dimensions = len(scope.axes)
    # Twice as many columns, and not twice as many points: later points of the sequence lie close to earlier ones.
    points = scipy.stats.qmc.Sobol(2 * dimensions, rng=rng).random(POINTS)
    a, b = points[:, :dimensions], points[:, dimensions:]
    mixed = [np.where(np.arange(dimensions) == axis, b, a) for axis in range(dimensions)]
    everywhere = scope.columns([scope.at(place) for place in np.concatenate([a, b, *mixed])])
    drawn = np.stack([seen.surface(kernel, everywhere, rng) for kernel in _kernels(seen, rng)])
    alone, total = _indices(drawn, dimensions)
    own, (low, middle, high) = np.median(alone, axis=0), np.quantile(total, (0.05, 0.5, 0.95), axis=0)
    found = [
        Index(axis.name, float(own[at]), float(middle[at]), (float(low[at]), float(high[at])))
        for at, axis in enumerate(scope.axes)
    ]
    found.sort(key=lambda index: -index.total)
    return tuple(found) if found and found[0].interval[0] >= AT_LEAST else ()


@dataclass(frozen=True)
class _Seen:
    """Effects at places of the scope, around 0 and with a spread of 1.

    A kernel is a vector of logarithms: the amplitude's square, the remainder, and a length for each column.

    Attributes:
        columns: shape (setting, column).
        values: shape (setting,).
        noise: squared errors, shape (setting,).
    """

    columns: Floats
    values: Floats
    noise: Floats

    @cached_property
    def bounds(self) -> Floats:
        """Least and greatest of each number of a kernel but the first, shape (number, 2)."""
        return np.log([REMAINDERS, *[LENGTHS] * self.columns.shape[1]])

    @cached_property
    def _apart(self) -> Floats:
        return _squared(self.columns)

    def likelihood(self, kernels: Floats) -> Floats:
        """Logarithm of the posterior density of kernels, shape (kernel,), but for a constant; −∞ out of bounds."""
        inside = ((kernels[:, 1:] >= self.bounds[:, 0]) & (kernels[:, 1:] <= self.bounds[:, 1])).all(axis=1)
        found = np.full(len(kernels), -np.inf)
        some = kernels[inside]
        if len(some):
            own = self.noise[None] + np.exp(some[:, 1:2])
            covariance = _covariance(some, self._apart) + own[:, :, None] * np.eye(len(self.values))
            root = np.linalg.cholesky(covariance)
            solved = np.linalg.solve(root, np.broadcast_to(self.values[:, None], (*root.shape[:2], 1)))[..., 0]
            halves = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
            found[inside] = -(solved**2).sum(axis=1) / 2 - halves - some[:, 0] ** 2 / 2  # log amplitude² is about 0 ± 1
        return found

    def surface(self, kernel: Floats, places: Floats, rng: np.random.Generator) -> Floats:
        """A surface that the effects allow, drawn at places of shape (place, column)."""
        every = np.concatenate([self.columns, places])
        whole = _covariance(kernel[None], _squared(every))[0]
        n = len(self.values)
        root = np.linalg.cholesky(whole[:n, :n] + np.diag(self.noise + np.exp(kernel[1])))
        across = np.linalg.solve(root, whole[:n, n:])
        mean = across.T @ np.linalg.solve(root, self.values)
        left = whole[n:, n:] - across.T @ across
        left += JITTER * np.exp(kernel[0]) * np.eye(len(places))
        found: Floats = mean + np.linalg.cholesky(left) @ rng.standard_normal(len(places))
        return found


def _squared(places: Floats) -> Floats:
    """Squared distances along each column, shape (place, place, column)."""
    found: Floats = (places[:, None] - places[None]) ** 2
    return found


def _covariance(kernels: Floats, apart: Floats) -> Floats:
    """Matérn covariances with ν = 5/2, shape (kernel, place, place), of squared distances of shape (place, place, column)."""
    distance = np.sqrt(np.einsum("kc,pqc->kpq", np.exp(-2 * kernels[:, 2:]), apart) * 5)
    found: Floats = np.exp(kernels[:, 0])[:, None, None] * (1 + distance + distance**2 / 3) * np.exp(-distance)
    return found


def _kernels(seen: _Seen, rng: np.random.Generator) -> Floats:
    """Kernels from their posterior: walkers that start where the likelihood is, and move along the lines between them."""
    bounds = seen.bounds
    tries = np.column_stack([rng.standard_normal(TRIES), rng.uniform(bounds[:, 0], bounds[:, 1], (TRIES, len(bounds)))])
    likely = np.concatenate([seen.likelihood(some) for some in np.array_split(tries, TRIES // WALKERS)])
    weights = np.exp(likely - likely.max())
    walkers = tries[rng.choice(TRIES, WALKERS, p=weights / weights.sum())]
    walkers[:, 1:] = np.clip(walkers[:, 1:] + rng.normal(0, 0.05, walkers[:, 1:].shape), bounds[:, 0], bounds[:, 1])
    heights, half, dimensions = seen.likelihood(walkers), WALKERS // 2, walkers.shape[1]
    for step in range(2 * STEPS):
        moved, still = (slice(0, half), slice(half, None)) if step % 2 else (slice(half, None), slice(0, half))
        stretch = ((_STRETCH - 1) * rng.random(half) + 1) ** 2 / _STRETCH
        toward = walkers[still][rng.integers(half, size=half)]
        proposed = toward + stretch[:, None] * (walkers[moved] - toward)
        height = seen.likelihood(proposed)
        taken = np.log(rng.random(half)) < (dimensions - 1) * np.log(stretch) + height - heights[moved]
        walkers[moved] = np.where(taken[:, None], proposed, walkers[moved])
        heights[moved] = np.where(taken, height, heights[moved])
    return walkers


def _indices(surfaces: Floats, dimensions: int) -> tuple[Floats, Floats]:
    """First-order and total indices of each surface, shape (surface, axis): the estimators of Saltelli et al. 2010, table 2."""
    at_a, at_b, *at_mixed = np.split(surfaces, dimensions + 2, axis=1)
    mixed = np.stack(at_mixed, axis=1)  # (surface, axis, point)
    variance = np.maximum(np.concatenate([at_a, at_b], axis=1).var(axis=1), 1e-12)[:, None]
    alone = (at_b[:, None] * (mixed - at_a[:, None])).mean(axis=2) / variance
    total = ((at_a[:, None] - mixed) ** 2).mean(axis=2) / 2 / variance
    return np.clip(alone, 0, 1), np.clip(total, 0, 1)
