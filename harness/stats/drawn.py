"""What random factors above the unit do to an estimate: how much it changes when one of their levels is left out.

Units that share a level of a random factor (an architecture, a draw of the data, a test point) are not independent of each
other, so the error of an estimate comes from the differences between levels.  The jackknife reads it off any estimate: with G
levels and the estimate theta_(-g) without level g the variance is (G - 1) / G sum((theta_(-g) - their mean)^2) (Tukey 1958;
over clusters Bell & McCaffrey 2002, Survey Methodology 28(2), 169-181), with a t distribution on G - 1 degrees of freedom.  For
a mean over levels of equal size that is the t interval of the levels' means, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from harness.stats.confidence import Share, Student
from harness.stats.means import Mean, contrast, leaning, winsorised

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.intp]

FEWEST_LEAN = 5
"""Fewest levels whose skewness is read: that of three is 1.7 or less whatever they are, and has an error as large."""

Again = Callable[[Bools], Floats]
"""The estimate, on the scale of its link, from the rows that are kept: booleans (row,) to shape (...)."""


@dataclass(frozen=True)
class Drawn:
    """How the rows of a study were drawn.

    Attributes:
        factors: level of every row in each random factor, codes 0..G-1 of shape (row,); none is finer than another.
        strata: fixed stratum of every row, likewise; sets of levels that share no stratum are drawn apart from each other.
    """

    factors: tuple[Codes, ...]
    strata: Codes

    @property
    def levels(self) -> tuple[int, ...]:
        """Number of levels of each factor."""
        return tuple(int(codes.max()) + 1 for codes in self.factors)

    @property
    def cells(self) -> int:
        """Combinations of levels that there are."""
        return len(np.unique(np.stack(self.factors), axis=1).T)


@dataclass(frozen=True)
class Part:
    """A variance of an estimate with its degrees of freedom and its third cumulant; of the shape of its leading axes."""

    variance: Floats
    freedom: Floats
    third: Floats | float = 0.0


def finer(one: Codes, other: Codes) -> bool:
    """Whether every level of one factor lies within a level of another."""
    return len(np.unique(np.stack([one, other]), axis=1).T) == len(np.unique(one))


def coarsest(factors: Sequence[Codes]) -> list[int]:
    """Which of several factors carry the others: those that do not lie within another one (of equal ones the first)."""
    return [
        i for i, one in enumerate(factors)
        if not any(finer(one, other) and (j < i or not finer(other, one)) for j, other in enumerate(factors) if j != i)
    ]  # fmt: skip


def drawn_apart(levels: Codes, strata: Codes) -> Codes:
    """Set of each level of a factor: levels that share a stratum, directly or through other levels, are of one set."""
    held = np.zeros((int(levels.max()) + 1, int(strata.max()) + 1), dtype=int)
    held[levels, strata] = 1
    found: Codes = scipy.sparse.csgraph.connected_components(held @ held.T, directed=False)[1].astype(np.intp)
    return found


def left_out(again: Again, levels: Codes, strata: Codes) -> Part:
    """Variance of an estimate by leaving out one level of a factor at a time.

    Levels that share no stratum, directly or through other levels, are drawn apart: their variances add, with degrees of
    freedom by Satterthwaite (1946).  So do their third cumulants, -(G - 1)^2 / (G (G - 2)) sum((theta_(-g) - their mean)^3),
    which for a mean over levels of equal size is the k statistic of the levels' means over G^2; 0 for fewer than
    five levels, of which nobody knows.
    """
    count = int(levels.max()) + 1
    without = np.stack([np.asarray(again(levels != level), dtype=float) for level in range(count)], axis=-1)
    apart = drawn_apart(levels, strata)
    total = squares = third = np.zeros(without.shape[:-1])
    for own in (without[..., apart == group] for group in range(int(apart.max()) + 1)):
        size = own.shape[-1]
        away = own - own.mean(axis=-1, keepdims=True)
        part = (size - 1) / size * (away**2).sum(axis=-1)
        total, squares = total + part, squares + part**2 / max(size - 1, 1)
        if size >= FEWEST_LEAN:
            third = third - (size - 1) ** 2 / (size * (size - 2)) * (away * away**2).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Part(total, np.where(squares > 0, total**2 / squares, count - 1), third)


def from_cell_to_cell(plain: Student, parts: Sequence[Part], levels: Sequence[int], cells: int) -> Floats:
    """What varies from one combination of levels to another, v, as a part of the variance of the estimate.

    The error of units as if each were drawn by itself is V_0 = v + sum((V_k - v) G_k / N) with N cells and G_k levels; 0 where
    there are so few cells that it does not tell.
    """
    variances = np.stack([part.variance for part in parts])
    share = np.array(levels, dtype=float) / cells
    if share.sum() >= 1:
        return np.zeros(variances.shape[1:])
    found: Floats = (np.square(plain.error) - np.tensordot(share, variances, 1)) / (1 - share.sum())
    return found


def carry(plain: Student, parts: Sequence[Part], own: Floats | float = 0.0) -> Student:
    """The estimate with an error that carries what its random factors differ by.

    One factor has the error that leaving out its levels gives.  Of several that cross, each part V_k holds the factor's own
    variance and once what varies from cell to cell, v; so the sum of K parts holds it K times, and K - 1 of them are taken off.
    v is never taken below 0 or above the smallest part, and the whole never below the largest.  The degrees of freedom are
    V^2 / sum(V_k^2 / f_k), at least 1: those of the parts before anything was taken off, so that they err to the small side.

    Args:
        plain: the estimate with the error of units that were drawn one by one.
        parts: of each factor, such as :func:`left_out` gives them.
        own: v, for several factors (:func:`from_cell_to_cell`).
    """
    variances = np.stack([part.variance for part in parts])
    freedoms = np.stack([np.broadcast_to(part.freedom, part.variance.shape) for part in parts])
    third = np.sum([np.broadcast_to(part.third, part.variance.shape) for part in parts], axis=0)

    def with_error(variance: Floats, freedom: Floats) -> Student:
        lean = None if plain.lean is None else leaning(third, variance)
        return replace(plain, error=np.sqrt(variance), freedom=freedom, lost=0.0, lean=lean, gain=1.0)

    if len(parts) == 1:
        return with_error(variances[0], freedoms[0])
    held = np.clip(own, 0, variances.min(axis=0))
    total = np.maximum(variances.sum(axis=0) - (len(parts) - 1) * held, variances.max(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = total**2 / (variances**2 / freedoms).sum(axis=0)
    freedom = np.clip(np.nan_to_num(freedom, nan=1.0), 1, freedoms.max(axis=0))
    return with_error(total, freedom)


def carried(plain: Student, again: Again, drawn: Drawn) -> Student:
    """An estimate with the error that its random factors give it.

    Args:
        plain: with the error of units that were drawn one by one.
        again: the same estimate from some of the rows.
        drawn: how the rows were drawn.
    """
    parts = [left_out(again, levels, drawn.strata) for levels in drawn.factors]
    return carry(plain, parts, from_cell_to_cell(plain, parts, drawn.levels, drawn.cells) if len(parts) > 1 else 0.0)


def drawn_contrast(values: Floats, cells: Codes, weights: Floats, drawn: Drawn, trim: float = 0.0) -> Mean:
    """A contrast of the means of cells (``stats.contrast``) with the error that the random factors give it.

    Cells that lose all their rows with a level that is left out pass their weight on to the others of its sign.
    """
    plain = contrast(values, cells, weights, trim)
    member = np.eye(len(weights))[cells]

    def again(kept: Bools) -> Floats:
        count = member[kept].sum(axis=0)
        there = np.where(count > 0, weights, 0.0)
        for side in (weights > 0, weights < 0):
            if side.any():
                there[side] *= weights[side].sum() / there[side].sum()
        if trim:
            return np.asarray(winsorised(values[..., kept], cells[kept], len(weights), trim)[0] @ there)
        return np.asarray(values[..., kept] @ (member[kept] * (there / np.maximum(count, 1))).sum(axis=1))

    found = carried(plain.confidence, again, drawn)
    return replace(plain, error=np.asarray(found.error), freedom=np.asarray(found.freedom), lean=np.asarray(found.lean))


def about_line(x: Floats, y: Floats, weights: Floats) -> tuple[Part, Floats]:
    """Variance of a mean slope where the points of x stand for others: how far the mean curve strays from its straight line.

    What all units share at a point, a lack of fit, moves every unit's slope in the same way, so that units do not tell.  The
    error is that of least squares on the mean curve, with as many degrees of freedom as it has points, less two.

    Args:
        x: shape (point,).
        y: shape (..., unit, point).
        weights: of each unit in the mean, shape (unit,); they sum to 1.

    Returns:
        The part of the points, and v of :func:`carry`: what varies from point to point within units.
    """
    dx = x - x.mean()
    size, freedom = float(dx @ dx), len(x) - 2
    dy = y - y.mean(axis=-1, keepdims=True)
    left = dy - (dy @ dx / size)[..., None] * dx
    mean = np.einsum("...ux,u->...x", left, weights)
    noise = ((left - mean[..., None, :]) ** 2).sum(axis=(-2, -1)) / (max(len(weights) - 1, 1) * freedom)
    part = Part((mean**2).sum(axis=-1) / freedom / size, np.full(mean.shape[:-1], float(freedom)))
    return part, np.asarray(noise * (weights**2).sum() / size)


def drawn_share(has: NDArray[np.bool_] | Floats, drawn: Drawn, alpha: float) -> Share:
    """A share of units that are alike within the levels of random factors: as of so many independent units as they are worth.

    A level of m units is worth m / (1 + (m - 1) ICC) of them (Kish 1965).  The intraclass correlation of each factor is taken
    at its upper limit by the F distribution of its analysis of variance (Searle 1971, "Linear Models", section 9.8), since with
    a few levels it is hardly known: where all units agree it is 1, and a level counts as one unit.  Several factors add, up to
    one of them with all of the variance.

    Args:
        has: which units have the property, or to what share (0, 1/2, 1), shape (..., unit).
        drawn: how they were drawn.
        alpha: at which the limit is taken.
    """
    yes = np.asarray(has, dtype=float)
    n = yes.shape[-1]
    excess = np.zeros(yes.shape[:-1])
    for levels in drawn.factors:
        size = len(levels) / (levels.max() + 1)
        excess = excess + (_worth(levels) - 1) * _most_alike(yes, levels, size, alpha)
    worth = np.clip(n / (1 + excess), min(n / _worth(levels) for levels in drawn.factors), n)
    return Share(yes.mean(axis=-1) * worth, worth)


def _worth(levels: Codes) -> float:
    """Mean size of the level that a unit stands in: sum(m^2) / sum(m)."""
    count = np.bincount(levels)
    return float((count**2).sum() / count.sum())


def _most_alike(yes: Floats, levels: Codes, size: float, alpha: float) -> Floats:
    """Upper limit of the intraclass correlation; 1 where nothing varies within levels."""
    count = np.bincount(levels).astype(float)
    member = np.eye(len(count))[levels]
    means = yes @ member / count
    between = (count * (means - yes.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1) / (len(count) - 1)
    within = ((yes - means[..., levels]) ** 2).sum(axis=-1) / max(len(levels) - len(count), 1)
    low = scipy.stats.f.ppf(alpha, len(count) - 1, max(len(levels) - len(count), 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(within > 0, between / within, np.inf) / low
        icc = np.where(np.isinf(ratio), 1.0, (ratio - 1) / (ratio + size - 1))
    return np.clip(icc, 0, 1)


@dataclass(frozen=True)
class Spread:
    """How far the levels of a random factor lie apart.

    Attributes:
        deviation: standard deviation between levels, tau; what varies within them taken off where it is known.
        icc: share of the variance of single units that lies between levels; None where every level is one unit.
        levels: number of levels.
    """

    deviation: float
    icc: float | None
    levels: int

    def expected(self, estimate: Student, alpha: float) -> tuple[float, float]:
        """Where the value of a new level lies: estimate plus and minus t sqrt(tau^2 + error^2), at (1 - 2 alpha).

        Source: Higgins, Thompson & Spiegelhalter 2009, J. R. Statist. Soc. A 172(1), 137-159.
        """
        freedom = min(float(estimate.freedom), self.levels - 1)
        reach = float(scipy.stats.t.ppf(1 - alpha, freedom) * np.hypot(self.deviation, float(estimate.error)))
        return float(estimate.estimate) - reach, float(estimate.estimate) + reach


def spread(values: Floats, levels: Codes, strata: Codes, crossing: Sequence[Codes] = ()) -> Spread:
    """Analysis of variance of one study by the levels of a random factor, within fixed strata.

    The effects of factors that cross it are not noise between its levels, which all share them alike: they are removed.

    Args:
        values: one number per unit, shape (unit,).
        levels: level of each.
        strata: fixed stratum of each, whose mean is taken off.
        crossing: levels of other random factors that cross it.
    """
    within = values - (np.bincount(strata, values) / np.bincount(strata))[strata]
    count = np.bincount(levels).astype(float)
    means = np.bincount(levels, within) / count
    between = float((count * means**2).sum() / (len(count) - 1))
    left = len(values) - len(count) - int(strata.max())
    if left < 1 or count.max() == 1:
        return Spread(float(np.sqrt(between / count.mean())), None, len(count))
    rest = within - means[levels]
    single = noise = float((rest**2).sum() / left)
    for other in crossing:
        rest = rest - (np.bincount(other, rest) / np.bincount(other))[other]
        left -= int(other.max())
        noise = float((rest**2).sum() / left) if left > 0 else noise
    size = (len(values) - (count**2).sum() / len(values)) / (len(count) - 1)
    variance = max(0.0, (between - noise) / float(size))
    return Spread(float(np.sqrt(variance)), variance / (variance + single) if variance + single > 0 else None, len(count))
