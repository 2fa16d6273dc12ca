"""The effect as a surface over a claim's scope: a Gaussian process through effects of known error.

What is modelled is the distance of the effect from where the verdict turns, in margins: positive where the claim holds.  So
the level set at 0 is where it stops holding.  scikit-learn fits and predicts; see Rasmussen & Williams 2006, chapters 2 and 5,
and Sobol' (2001), doi 10.1016/S0378-4754(00)00270-6, for the shares of variance.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from harness.running.scope import Scope, Settings
from harness.running.values import distinct, same

Floats = NDArray[np.float64]
MOST = 4.0
"""Margins beyond which a distance says no more than that: one huge effect is not to bend the surface everywhere."""
_LENGTHS = (
    0.05,
    20.0,
)  # of the correlation along an axis: a step at some place of it, or so long that the axis does not matter
_DRAWS = 64  # surfaces that are drawn for the intervals of the indices
_POINTS = 64  # pairs of points that an index is estimated from; a surface is drawn at axes + 2 times as many


@dataclass(frozen=True)
class Index:
    """How much of the variance of the effect over the scope a setting is behind.

    Attributes:
        name: the setting.
        alone: first-order Sobol' index: the share that goes with the setting's own value.
        total: total index: the share that would be gone if the setting were known, interactions included.
        interval: 90 % interval of the total over surfaces that the effects allow.
    """

    name: str
    alone: float
    total: float
    interval: tuple[float, float]


class Surface:
    """Distances over the scope, with their uncertainty.

    Args:
        scope: the axes.
        settings: where the claim was judged.
        distances: from the value on which the verdict turns, in margins, shape (setting,).
        errors: their standard errors, shape (setting,).
        most: distance beyond which it says no more than that; infinity for a surface of the effects as they are.
    """

    def __init__(
        self, scope: Scope, settings: Sequence[Settings], distances: Floats, errors: Floats, most: float = MOST
    ) -> None:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        self.scope = scope
        columns = scope.columns(settings)
        seen = np.clip(distances, -most, most)
        self._middle, self._scale = float(np.median(seen)), float(max(seen.std(), 0.05))
        noise = np.maximum(errors / self._scale, 1e-3) ** 2
        kernel = (
            ConstantKernel(1.0, (0.1, 20.0)) * Matern(np.full(columns.shape[1], 0.7), _LENGTHS, nu=2.5)
            + WhiteKernel(1e-2, (1e-5, 0.1))
        )  # fmt: skip
        process = GaussianProcessRegressor(kernel, alpha=noise, n_restarts_optimizer=1, random_state=0)
        with warnings.catch_warnings():  # a length at its bound is an answer: the axis does not matter
            warnings.simplefilter("ignore")
            process.fit(columns, (seen - self._middle) / self._scale)
        # What no setting explains is noise of one study, and no part of the surface.
        smooth = process.kernel_.k1
        smallest = process.kernel_.k2.noise_level
        self._smooth = smooth
        self._lay(columns, (seen - self._middle) / self._scale, noise + smallest)

    def _lay(self, columns: Floats, values: Floats, noise: Floats) -> None:
        """Through these values, with the lengths that were found."""
        from sklearn.gaussian_process import GaussianProcessRegressor

        self._columns, self._values, self._noise = columns, values, noise
        self._process = GaussianProcessRegressor(self._smooth, alpha=noise, optimizer=None)
        self._process.fit(columns, values)

    def believing(self, settings: Settings) -> Surface:
        """The surface after a trial that comes out as it expects: no higher and no lower, but surer there."""
        column = self.scope.columns([settings])
        expected = self._process.predict(column)
        made = copy.copy(self)
        made._lay(
            np.concatenate([self._columns, column]), np.concatenate([self._values, expected]),
            np.append(self._noise, np.median(self._noise)),
        )  # fmt: skip
        return made

    def at(self, settings: Sequence[Settings]) -> tuple[Floats, Floats]:
        """Expected distance and its standard deviation, each of shape (setting,)."""
        mean, deviation = self._process.predict(self.scope.columns(settings), return_std=True)
        return mean * self._scale + self._middle, deviation * self._scale

    def holds(self, settings: Sequence[Settings]) -> Floats:
        """Probability that the claim holds there, shape (setting,)."""
        mean, deviation = self.at(settings)
        found: Floats = scipy.stats.norm.cdf(mean / np.maximum(deviation, 1e-9))
        return found

    def importance(self) -> tuple[Index, ...]:
        """Sobol' indices of the surface, the most important setting first.

        Surfaces are drawn from the process at the points of Saltelli's scheme, and the indices are those of each drawn surface:
        their median is told, and their interval holds what the effects leave open about the surface.
        """
        dimensions = len(self.scope.axes)
        # Twice as many columns, and not twice as many points: later points of the sequence lie close to earlier ones.
        points = scipy.stats.qmc.Sobol(2 * dimensions, rng=np.random.default_rng(0)).random(_POINTS)
        a, b = points[:, :dimensions], points[:, dimensions:]
        mixed = [np.where(np.arange(dimensions) == axis, b, a) for axis in range(dimensions)]
        everywhere = self.scope.columns([self.scope.at(place) for place in np.concatenate([a, b, *mixed])])
        drawn = self._process.sample_y(everywhere, n_samples=_DRAWS, random_state=0).T  # (draw, point)
        alone, total = _indices(drawn, dimensions)
        own, (low, middle, high) = np.median(alone, axis=0), np.quantile(total, (0.05, 0.5, 0.95), axis=0)
        found = [
            Index(axis.name, float(own[at]), float(middle[at]), (float(low[at]), float(high[at])))
            for at, axis in enumerate(self.scope.axes)
        ]
        return tuple(sorted(found, key=lambda index: -index.total))


def _indices(surfaces: Floats, dimensions: int) -> tuple[Floats, Floats]:
    """First-order and total indices of each surface, shape (surface, axis): the estimators of Saltelli et al. 2010, table 2."""
    at_a, at_b, *at_mixed = np.split(surfaces, dimensions + 2, axis=1)
    mixed = np.stack(at_mixed, axis=1)  # (surface, axis, point)
    variance = np.maximum(np.concatenate([at_a, at_b], axis=1).var(axis=1), 1e-12)[:, None]
    alone = (at_b[:, None] * (mixed - at_a[:, None])).mean(axis=2) / variance
    total = ((at_a[:, None] - mixed) ** 2).mean(axis=2) / 2 / variance
    return np.clip(alone, 0, 1), np.clip(total, 0, 1)


def even(distances: Floats, errors: Floats, units: Floats) -> float:
    """P of Welch's test: that effects differ as much as they do by their errors alone, which are estimates themselves.

    Cochran's Q takes errors for known; of a few units each, it finds differences where there are none.  (Welch 1951, doi
    10.1093/biomet/38.3-4.330.)

    Args:
        distances: the effects, shape (setting,).
        errors: their standard errors, shape (setting,).
        units: of which each error was estimated; infinity where it is known.
    """
    weights = 1 / np.maximum(errors, 1e-9) ** 2
    share, others = weights / weights.sum(), len(distances) - 1
    spread = float((weights * (distances - (share * distances).sum()) ** 2).sum() / others)
    loose = float(((1 - share) ** 2 / np.maximum(units - 1, 1.0)).sum())
    scale = 1 + 2 * (others - 1) / (others * (others + 2)) * loose
    freedom = others * (others + 2) / (3 * loose) if loose > 0 else 1e9
    return float(scipy.stats.f.sf(spread / scale, others, freedom))


@dataclass(frozen=True)
class Split:
    """The single condition that best separates where the claim holds from where it does not.

    Attributes:
        name: the setting.
        below: the largest value on the one side, or the values there for a setting whose values have no order.
        above: the smallest on the other, or its values.
        holds_below: whether the claim holds on the first side.
        right: trials on the side where they belong.
        of: all trials.
    """

    name: str
    below: Any
    above: Any
    holds_below: bool
    right: int
    of: int


def best_split(scope: Scope, settings: Sequence[Mapping[str, Any]], holds: Sequence[bool]) -> Split | None:
    """The best of all conditions on one setting; None where no condition is better than none at all."""
    truth = np.array(holds)
    best: Split | None = None
    for axis in scope.axes:
        given = [each.get(axis.name, axis.default) for each in settings]
        for below, names in _sides(axis.ordered, given):
            right = int(max((truth == below).sum(), (truth != below).sum()))
            agrees = bool((truth == below).sum() >= (truth != below).sum())
            if best is None or right > best.right:
                best = Split(axis.name, *names, holds_below=agrees, right=right, of=len(truth))
    return best if best is not None and best.right > max(truth.sum(), (~truth).sum()) else None


def _sides(ordered: bool, given: Sequence[Any]) -> list[tuple[NDArray[np.bool_], tuple[Any, Any]]]:
    """Every way to part the trials by one setting: which are on the first side, and where the sides end."""
    if ordered:
        levels = sorted(set(given))
        return [(np.array([value <= low for value in given]), (low, high)) for low, high in pairwise(levels)]
    names = distinct(given)
    return [
        (np.array([same(value, name) for value in given]), (name, tuple(other for other in names if other is not name)))
        for name in names
    ] if len(names) > 1 else []  # fmt: skip
