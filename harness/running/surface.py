"""The effect as a surface over a claim's scope: a Gaussian process through effects of known error.

What is modelled is the distance of the effect from where the verdict turns, in margins: positive where the claim holds.  So
the level set at 0 is where it stops holding.  scikit-learn fits and predicts; see Rasmussen & Williams 2006, chapters 2 and 5.
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


class Surface:
    """Distances over the scope, with their uncertainty.

    Args:
        scope: the axes.
        settings: where the claim was judged.
        distances: from the value on which the verdict turns, in margins, shape (setting,).
        errors: their standard errors, shape (setting,).
    """

    def __init__(self, scope: Scope, settings: Sequence[Settings], distances: Floats, errors: Floats) -> None:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        self.scope = scope
        columns = scope.columns(settings)
        seen = np.clip(distances, -MOST, MOST)
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
