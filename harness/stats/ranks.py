"""What ranks say about a correlation, and about the difference of two: score intervals, which hold in small samples.

A hypothesis is tested with the expectation and the variance that the estimate would have *if the hypothesis were true*, and the
interval holds the values that are not rejected (score tests, Rao 1948; for a share this is Wilson's interval, 1927).
Spearman's correlation is biased towards zero in small samples and its error shrinks towards one, so that errors taken at
the estimate fall to one side (docs/decisions/0008-correlation-intervals.md has the measured rates).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from harness.stats import attenuation
from harness.stats.attenuation import bisected, mean_spearman
from harness.stats.confidence import Confidence, Student

Floats = NDArray[np.float64]


@lru_cache(maxsize=256)
def _t_of_variance_1(freedom: float) -> Any:
    """The t distribution with this many degrees of freedom, scaled; making one takes longer than asking it something."""
    return scipy.stats.t(freedom, scale=np.sqrt((freedom - 2) / freedom))


class Scored(Confidence):
    """An effect whose p values come from a score: how far the estimate lies from what a hypothesis expects.

    Fisher's z has kurtosis 2 / (n - 1) (Hotelling 1953, J. R. Statist. Soc. B 15, 193-232), as t has with 3 n + 1 degrees
    of freedom.  At alpha = 0.05 that is the normal distribution; at 0.005 the normal one would be wrong in 0.64 % of
    studies of 16 units.
    """

    @abstractmethod
    def deviation(self, value: Any) -> Any:
        """Standard errors by which the estimate lies above its expectation if the effect is ``value``; falls with it."""

    @property
    @abstractmethod
    def null_variance(self) -> float:
        """Variance of Fisher's z where there is no correlation: 1 / (n - 3) in one block."""

    @abstractmethod
    def _where(self, deviation: float) -> Any:
        """The value with a deviation."""

    @property
    def law(self) -> Any:
        """Distribution of the deviation: t with the kurtosis of Fisher's z, at variance 1."""
        return _t_of_variance_1(4 + 3 / self.null_variance)

    def above(self, value: float) -> Any:
        """One-sided p of "the effect is above ``value``"."""
        return self.law.sf(self.deviation(value))

    def below(self, value: float) -> Any:
        """One-sided p of "the effect is below ``value``"."""
        return self.law.cdf(self.deviation(value))

    def interval(self, alpha: float) -> tuple[Any, Any]:
        """The values whose deviation lies within the (1 - alpha) quantile."""
        quantile = self.law.ppf(1 - alpha)
        return self._where(quantile), self._where(-quantile)


@dataclass(frozen=True)
class Ranked(Scored):
    """A Spearman correlation, or the mean of Fisher's z of several (``stats.pool``).

    Were the correlation rho, Spearman's r in n units would be E = ((n - 2) rho + 3 tau) / (n + 1) on average (Moran 1948,
    Biometrika 35, 203-206; Kendall's tau as normal variables have it), Fisher's z of it

        atanh(E) + rho (1 + rho^2 / 2) / (n - 1)

    to second order (half of z'' = 2 rho / (1 - rho^2)^2 times the variance), with variance (1 + rho^2 / 2) / (n - 3)
    (Bonett & Wright 2000, Psychometrika 65(1), 23-28).  All of these are taken at the rho that is tested.

    Where noise of the measurements is known, rho is the correlation of what was measured: that of the measurements, which it
    leads one to expect, is smaller by what noise leaves of it (:mod:`harness.stats.attenuation`), and the error holds
    how well that is known, upwards for estimates above the expectation and downwards for those below.

    Attributes:
        plain: Fisher's z of the measurements with Bonett & Wright's error at the estimate, for planning.
        sizes: numbers of units that blocks have.
        shares: weight of the blocks of each size; they sum to 1.
        variance: of the mean z, in units of 1 + rho^2 / 2.
        kept: what noise leaves of the correlation; None where no noise is known.
    """

    plain: Student
    sizes: Sequence[float]
    shares: Sequence[float]
    variance: float
    kept: attenuation.Kept | None = None

    @property
    def effect(self) -> Any:
        """Spearman's correlation; of several, Fisher's mean."""
        return self.plain.effect if self.kept is None else attenuation.true(self.plain.effect, self.kept.factor)

    @property
    def null_variance(self) -> float:
        """That of the mean z."""
        return self.variance

    def seen(self, rho: Any) -> Any:
        """What noise leaves of a correlation."""
        return rho if self.kept is None else attenuation.seen(rho, self.kept.factor)

    def expected(self, rho: Any) -> Any:
        """Expectation of the mean of Fisher's z if the correlation is ``rho``."""
        return self._expected(self.seen(np.asarray(rho, dtype=float)))

    def _expected(self, rho: Any) -> Any:
        """That of measurements whose correlation is ``rho``."""
        expected = np.zeros(np.shape(rho))
        with np.errstate(divide="ignore"):
            for n, share in zip(self.sizes, self.shares, strict=True):
                mean = mean_spearman(rho, n)
                expected = expected + share * (np.arctanh(mean) + rho * (1 + rho**2 / 2) / (n - 1))
        return expected

    def error(self, rho: Any) -> Any:
        """Standard error of the mean of Fisher's z if the correlation is ``rho`` and what noise leaves of it is known."""
        return np.sqrt(self.variance * (1 + np.square(self.seen(rho)) / 2))

    def doubt(self, rho: Any) -> Any:
        """Standard error that comes from what is not known of the noise; 0 where there is none."""
        return 0.0 if self.kept is None else self._doubt(self.kept, np.asarray(rho, dtype=float), self.expected(rho))

    def _doubt(self, kept: attenuation.Kept, value: Any, expected: Any) -> Any:
        """That at a correlation which leads one to expect this mean."""
        above = (self.plain.estimate - expected) * np.where(value < 0, -1, 1) > 0
        other = np.where(above, kept.high, kept.low)
        return np.abs(self._expected(attenuation.seen(value, other)) - expected)

    def slope(self, rho: Any) -> Any:
        """Derivative of the mean of Fisher's z by the correlation."""
        steep = 1.0 if self.kept is None else attenuation.slope(rho, self.kept.factor)
        return steep / (1 - np.square(self.seen(rho)))

    def surplus(self, rho: Any) -> Any:
        """Mean of Fisher's z less its expectation if the correlation is ``rho``."""
        return self.plain.estimate - self.expected(rho)

    def deviation(self, value: Any) -> Any:
        """Standard errors above what a correlation of ``value`` leads one to expect.

        Noise never turns a correlation round, so that a value beyond 0 is as far from the estimate as 0 is, or further.
        """
        if self.kept is None:
            return self.surplus(value) / self.error(value)
        rho, zero = np.asarray(value, dtype=float), self._at_zero
        expected = self.expected(rho)
        found = (self.plain.estimate - expected) / np.hypot(self.error(rho), self._doubt(self.kept, rho, expected))
        return np.where(rho * zero < 0, np.sign(zero) * np.maximum(np.abs(found), np.abs(zero)), found)

    @cached_property
    def _at_zero(self) -> Any:
        """Standard errors above what no correlation leads one to expect."""
        return self.surplus(0.0) / self.error(0.0)

    def _where(self, deviation: float) -> Any:
        """The correlation with a deviation, by bisection."""
        return bisected(lambda value: self.deviation(value) <= deviation, np.shape(self.effect))

    def approximate(self, alpha: float) -> Student:
        """Fisher's z with Bonett & Wright's error; with noise, that of the correlation of what was measured."""
        if self.kept is None:
            return self.plain
        rho = np.clip(self.effect, -BRINK, BRINK)
        error = np.hypot(self.error(rho), self.doubt(rho)) / self.slope(rho) / (1 - rho**2)
        return replace(self.plain, estimate=np.arctanh(rho), error=error)

    def resized(self, before: float, after: float) -> Ranked:
        """Every block resized."""
        smaller = self.plain.resized(before, after)
        return replace(
            self,
            plain=smaller,
            sizes=tuple(max(n * after / before, 4.0) for n in self.sizes),
            variance=self.variance * float(np.max(np.square(smaller.error / self.plain.error))),
            kept=None if self.kept is None else self.kept.resized(float(np.sqrt(before / after))),
        )


BRINK = 0.999
"""Largest correlation, and largest partial correlation, among those that are tested: beyond, variances vanish."""

STRIDE = 0.025
"""Distance of the differences that are tested; between them the deviation is taken as straight."""


def covariance(one: Any, two: Any, third: Any) -> Any:
    """Covariance, times n, of two Spearman correlations that share a variable; of one with itself its variance.

    [(third - one two / 2)(1 - one^2 - two^2 - third^2) + third^3] sqrt((1 + one^2 / 2)(1 + two^2 / 2)): that of Pearson's
    (Olkin & Siotani 1976) with the variance of Spearman's (Bonett & Wright 2000).

    Args:
        one: a correlation.
        two: another one.
        third: the correlation of the two variables that they do not share; 1 for a variance.
    """
    pearson = (third - one * two / 2) * (1 - one**2 - two**2 - third**2) + third * third**2
    return pearson * np.sqrt((1 + one**2 / 2) * (1 + two**2 / 2))


def _possible(r12: Any, a: Any, b: Any) -> Any:
    """The third correlation, moved to where three variables can have all three."""
    room = BRINK * np.sqrt((1 - a**2) * (1 - b**2))
    return np.clip(r12, a * b - room, a * b + room)


@dataclass(frozen=True)
class Overlapping(Scored):
    """The difference of two correlations that share a variable and the units: first minus second.

    A difference d is tested at the three correlations nearest to those seen, in units of their own covariance, among those
    with rho1 - rho2 = d: restricted generalised least squares, which Steiger (1980, Psychological Bulletin 87(2),
    245-251) advises for d = 0.  The score is the difference of the surpluses of Fisher's z (:class:`Ranked`), each times its
    slope 1 - rho^2, over its standard error there.  The nearest correlations are followed outwards from those seen, and a
    difference is rejected if one on the way to it is: the values that are not rejected are an interval.

    Attributes:
        first: confidence of the first correlation.
        second: of the second, on the same units.
        r12: mean over blocks of the correlation between the two variables that are not shared.
        kept: factor that noise leaves of that one.
    """

    first: Ranked
    second: Ranked
    r12: Any
    kept: Any = 1.0

    @property
    def effect(self) -> Any:
        """The difference."""
        return self.first.effect - self.second.effect

    @property
    def null_variance(self) -> float:
        """That of either correlation."""
        return self.first.variance

    @cached_property
    def _curve(self) -> tuple[Floats, Floats]:
        """Differences, ascending, and their deviations, descending: each of shape (..., point)."""
        down, up = self._outwards(-1), self._outwards(1)
        at = np.concatenate([down[0][..., :0:-1], up[0]], axis=-1)
        return at, np.concatenate([down[1][..., :0:-1], up[1]], axis=-1)

    def _outwards(self, side: int) -> tuple[Floats, Floats]:
        """Differences from the one seen to one side, and the largest deviation towards that side so far."""
        start = (np.asarray(self.first.effect), np.asarray(self.second.effect), np.asarray(self.r12))
        a, b, g = np.clip(start[0], -BRINK, BRINK), np.clip(start[1], -BRINK, BRINK), start[2]
        differences, deviations = [], []
        for step in range(1 + int(np.ceil(2 * BRINK / STRIDE))):
            value = np.clip(self.effect + side * step * STRIDE, -2 * BRINK, 2 * BRINK)
            one, three = _pull(a, b, g)
            excess = start[0] - start[1] - value
            a = np.clip(start[0] - excess * one, np.maximum(-BRINK, value - BRINK), np.minimum(BRINK, value + BRINK))
            b = a - value
            g = _possible(start[2] - excess * three, a, b)
            differences.append(value)
            deviations.append(side * self._score(a, b, g))
        furthest: Floats = np.minimum.accumulate(np.stack(deviations, axis=-1), axis=-1)
        return np.stack(differences, axis=-1), side * furthest

    def _score(self, a: Any, b: Any, g: Any) -> Any:
        """Standard errors above what these three correlations lead one to expect."""
        if self.first.kept is self.second.kept is None:
            score = (1 - a**2) * self.first.surplus(a) - (1 - b**2) * self.second.surplus(b)
            return score / np.sqrt(np.maximum(_variance(a, b, g), 1e-12) * self.null_variance)
        one, two = self.first.slope(a), self.second.slope(b)
        score = self.first.surplus(a) / one - self.second.surplus(b) / two
        doubts = np.square(self.first.doubt(a) / one) + np.square(self.second.doubt(b) / two)
        return score / np.sqrt(np.maximum(self._noisy_variance(a, b, g), 1e-12) * self.null_variance + doubts)

    def _noisy_variance(self, a: Any, b: Any, g: Any) -> Any:
        """Variance, times n, of the difference of the correlations of what was measured, from that of the measurements."""
        seen = self.first.seen(a), self.second.seen(b), attenuation.seen(g, self.kept)
        one, two = self.first.slope(a) * (1 - seen[0] ** 2), self.second.slope(b) * (1 - seen[1] ** 2)
        own = covariance(seen[0], seen[0], 1.0) / one**2 + covariance(seen[1], seen[1], 1.0) / two**2
        return own - 2 * covariance(*seen) / (one * two)

    def deviation(self, value: Any) -> Any:
        """Standard errors above what a difference of ``value`` leads one to expect."""
        at, deviation = self._curve
        return _read(at, deviation, (at <= np.expand_dims(value, -1)).sum(axis=-1), value)

    def _where(self, deviation: float) -> Any:
        """The difference with a deviation."""
        at, deviations = self._curve
        inside = deviations > deviation if deviation < 0 else deviations >= deviation
        return _read(deviations, at, inside.sum(axis=-1), deviation)

    def resized(self, before: float, after: float) -> Overlapping:
        """Both correlations resized."""
        return replace(self, first=self.first.resized(before, after), second=self.second.resized(before, after))


def _variance(a: Any, b: Any, g: Any) -> Any:
    """Variance, times n, of the difference of two correlations."""
    return covariance(a, a, 1.0) + covariance(b, b, 1.0) - 2 * covariance(a, b, g)


def _pull(a: Any, b: Any, g: Any) -> tuple[Any, Any]:
    """By how much the first and the third correlation follow the difference: covariances with it over its variance."""
    own, shared = covariance(a, a, 1.0), covariance(a, b, g)
    variance = np.maximum(own + covariance(b, b, 1.0) - 2 * shared, 1e-9)
    return (own - shared) / variance, (covariance(a, g, b) - covariance(b, g, a)) / variance


def _read(x: Floats, y: Floats, right: Any, value: Any) -> Any:
    """Y at a value of x, on the straight line between point right - 1 and point right; at the ends the last value."""
    right = np.expand_dims(np.clip(right, 1, x.shape[-1] - 1), -1)
    (x0, x1), (y0, y1) = ([np.take_along_axis(each, place, axis=-1)[..., 0] for place in (right - 1, right)] for each in (x, y))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(x1 == x0, 1.0, (value - x0) / (x1 - x0))
    return y0 + np.clip(share, 0, 1) * (y1 - y0)
