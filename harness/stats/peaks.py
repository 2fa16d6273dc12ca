"""Whether the mean curve of several units has a peak, where its place is not known beforehand."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.stats.confidence import Confidence, Skewed, Student
from harness.stats.curves import pick, summit
from harness.stats.means import leaning, stratified_mean

Floats = NDArray[np.float64]

SMALLEST = 1e-9
"""Least standard error in units of the largest value: equal sides of all units keep an interval that is a number."""


@dataclass(frozen=True)
class Sides:
    """Rise and fall of every unit's curve at places that other units chose; fields of shape (..., unit).

    Attributes:
        rise: from the lowest point before the peak to the peak.
        fall: from the peak to the lowest point after it.
        lesser: whichever of both is smaller on average over the units that are judged together.
    """

    rise: Floats
    fall: Floats
    lesser: Floats


def peak_sides(y: ArrayLike) -> Sides:
    """Rise to the peak and fall from it, at places that were chosen on other units.

    The highest of several noisy points is above its neighbours, so that no curve may choose the places at which it is
    judged.  The units stand in a ring; every half of it (neighbours in the ring) chooses peak and lows
    on its mean curve (:func:`~harness.stats.curves.summit`) for the units outside it, and a unit has the mean over all
    halves that it is outside of.  Where a half's mean curve has no peak, rise and fall are 0 there.

    Args:
        y: shape (..., unit, point), four units or more.
    """
    data = np.asarray(y, dtype=float)
    n = data.shape[-2]
    totals, times = [np.zeros(data.shape[:-1]) for _ in range(3)], np.zeros(n)
    for start in range(n if n % 2 else n // 2):
        inside = np.isin(np.arange(n), (start + np.arange(n // 2)) % n)
        for chooser, judged in ((inside, ~inside), (~inside, inside)):
            peak = summit(data[..., chooser, :].mean(axis=-2))
            curves = np.moveaxis(data[..., judged, :], -2, 0)
            top = pick_each(curves, peak.place)
            rise, fall = (np.where(peak.prominence > 0, top - pick_each(curves, low), 0.0) for low in (peak.before, peak.after))
            lesser = np.where(rise.mean(axis=0) <= fall.mean(axis=0), rise, fall)
            for total, side in zip(totals, (rise, fall, lesser), strict=True):
                total[..., judged] += np.moveaxis(side, 0, -1)
            times[judged] += 1
    return Sides(*(total / times for total in totals))


def pick_each(curves: Floats, place: NDArray[np.intp]) -> Floats:
    """Values of every unit's curve (unit, ..., point) at the places (...) that they share."""
    return pick(curves, np.broadcast_to(place, curves.shape[:-1]))


@dataclass(frozen=True, eq=False)
class Prominence(Confidence):
    """How far the mean curve falls on both sides of its most prominent peak: 0 for a curve without one.

    The prominence is theta = max over p of min(max over l < p of m_p - m_l, max over r > p of m_p - m_r, 0 at least) for
    the expected curve m.  Two bounds answer for its two ends:

    * "it is above v" by the smaller side at places that other units chose (:func:`peak_sides`), whose expectation is
      theta at most wherever the places are.  (Not by the mean of all rises and that of all falls: on both slopes
      of a valley noise makes small peaks, with a large rise on the one and a large fall on the other.)  The two
      halves of the units choose for each other, so that their means depend on each other; they are taken as
      perfectly dependent, which makes the standard error sqrt(2) times that of independent units.  (Leaving out one unit at a
      time does not do: all but one of the units choose nearly alike, and flat curves after a step were found to have a
      peak in 10 to 22 % of simulated studies at alpha = 0.05; with two halves taken as independent in 9 to 10 %; as
      it is here in 3 to 5 %.)
    * "it is below v" by every triple l < p < r: theta is below v if for every p all rises or all falls are, each at alpha / 2
      (rise or fall, Bonferroni).  No place is chosen and nothing is lost by looking at all of them, since the true ones
      are among them.  (The sides above would be wrong here: places chosen on few units miss the peak, and
      a peak as large as the margin was refuted in up to 43 % of simulated studies.)

    Both bounds are means of units, of curves at places that are given, so that they have a second opinion as other means have
    (:class:`~harness.stats.confidence.Skewed`).  The chosen places are taken as one half of the units chooses for the other:
    as a mean of half as many units, in its third cumulant as in its error.

    Attributes:
        lesser: confidence of the smaller side at the chosen places.
        rise: of the mean rise there, to be shown.
        fall: of the mean fall there, to be shown.
        steps: of the mean of curve[p] minus curve[l], shape (..., p, l).
    """

    lesser: Student | Skewed
    rise: Student
    fall: Student
    steps: Student | Skewed

    def __eq__(self, other: object) -> bool:  # the default would ask an array whether it is true
        return isinstance(other, Prominence) and all(
            type(one) is type(its) and all(map(_same, _numbers(one), _numbers(its)))
            for one, its in zip(self._parts(), other._parts(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def _parts(self) -> tuple[Student | Skewed, ...]:
        return self.lesser, self.rise, self.fall, self.steps

    @property
    def effect(self) -> Any:
        """The smaller side, on average."""
        return self.lesser.effect

    @property
    def cautious(self) -> Prominence | None:
        """Both bounds with the skewness that the units show."""
        if isinstance(self.lesser, Skewed) or isinstance(self.steps, Skewed):
            return None
        return replace(self, lesser=Skewed(self.lesser), steps=Skewed(self.steps))

    def above(self, value: float) -> Any:
        """P of "rise and fall are both above ``value``"."""
        return self.lesser.above(value)

    def below(self, value: float) -> Any:
        """P of "no point stands out by ``value`` on both sides"."""
        with np.errstate(divide="ignore", invalid="ignore"):
            p = self.steps.below(np.asarray(value)[..., None, None])  # type: ignore[arg-type]
        p = np.minimum(1, 2 * _best(np.where(np.isnan(p), 0.5, p)))
        p = np.where(np.asarray(value) < 0, 1.0, p)  # a prominence is never below 0
        return np.where(value < self.effect, np.maximum(p, 0.5), p)

    def interval(self, alpha: float) -> tuple[Any, Any]:
        """Lower end by the chosen places, upper end by all of them; never below the effect."""
        low, _ = self.lesser.interval(alpha)
        high = _best(self.steps.interval(alpha / 2)[1])
        return low, np.maximum(np.maximum(high, 0), self.effect)

    def resized(self, before: float, after: float) -> Prominence:
        """Every error shrinks with the root of the number of units; at least one degree of freedom is left."""
        return Prominence(*(part.resized(before, after) for part in self._parts()))  # type: ignore[arg-type]

    def approximate(self, alpha: float) -> Student:
        """The smaller side at the chosen places, by whose lower end support hangs, as of half as many units."""
        lesser = self.lesser.plain if isinstance(self.lesser, Skewed) else self.lesser
        return replace(lesser, freedom=np.maximum((lesser.freedom + 1) / 2 - 1, 1))


def _numbers(part: Student | Skewed) -> tuple[Any, ...]:
    student = part.plain if isinstance(part, Skewed) else part
    return tuple(getattr(student, each.name) for each in fields(student))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) or one is None or other is None:
        return bool(one == other)
    return np.array_equal(one, other, equal_nan=True)


def _best(pairs: Floats) -> Floats:
    """Max over p of min(max over l < p, max over r > p) of an array of shape (..., p, other)."""
    k = pairs.shape[-1]
    earlier, later = np.tril(np.ones((k, k), dtype=bool), -1), np.triu(np.ones((k, k), dtype=bool), 1)
    before, after = (np.where(side, pairs, -np.inf).max(axis=-1) for side in (earlier, later))
    best: Floats = np.minimum(before, after).max(axis=-1)
    return best


def prominence(y: ArrayLike) -> Prominence:
    """Confidence of the prominence of the mean curve's peak.

    Args:
        y: shape (..., unit, point), four units and three points or more.
    """
    data = np.asarray(y, dtype=float)
    n = data.shape[-2]
    least = SMALLEST * np.abs(data).max(axis=(-2, -1))

    def confidence(side: Floats) -> Student:
        mean = stratified_mean(side)
        error = np.maximum(np.sqrt(2) * mean.error, least)
        lean = leaning(4 * mean.lean * mean.error**3, error**2)  # k3 / (n / 2)^2 over the cube of the error
        return Student(mean.mean, error, n - 1, lean=lean)

    sides = peak_sides(data)
    return Prominence(confidence(sides.lesser), confidence(sides.rise), confidence(sides.fall), _steps(data))


def _steps(data: Floats) -> Student:
    """Mean over units of every curve's value at p minus that at l, shape (..., p, l)."""
    n, mean = data.shape[-2], data.mean(axis=-2)
    away = data - mean[..., None, :]
    away = away - away.mean(axis=-1, keepdims=True)  # a unit's own height stands in no difference, and would cost digits
    products = np.swapaxes(away, -1, -2) @ away
    squares = np.diagonal(products, axis1=-2, axis2=-1)
    variance = np.maximum(squares[..., :, None] + squares[..., None, :] - 2 * products, 0) / (n - 1) / n
    cubes, mixed = (away * away**2).sum(axis=-2), np.swapaxes(away**2, -1, -2) @ away
    third = cubes[..., :, None] - cubes[..., None, :] - 3 * (mixed - np.swapaxes(mixed, -1, -2))
    lean = leaning(third / (n * (n - 1) * (n - 2)), variance)
    return Student(mean[..., :, None] - mean[..., None, :], np.sqrt(variance), n - 1.0, lean=lean)
