"""Means of one number per unit, and contrasts of them: interval, sign-flip test, standardised size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from harness.stats.confidence import Student

Floats = NDArray[np.float64]

RESAMPLES = 9_999
"""Monte-Carlo resamples; scipy enumerates all 2^n sign patterns where they are fewer (n <= 13)."""

TRIM = 0.2
"""Share of units that a trimmed mean leaves out at either end."""

TRIMMED_CAUTION = 0.5
"""Share of alpha at which its skewed reading is taken (docs/decisions/0035)."""


@dataclass(frozen=True)
class Mean:
    """A mean over units with its uncertainty; every field has the shape of the leading axes of the values.

    Attributes:
        mean: mean over strata of the means within strata (equal weight per stratum), or another contrast of cells.
        error: its standard error.
        freedom: degrees of freedom of the error.
        spread: standard deviation within strata or cells, pooled over them.
        lean: skewness of the mean itself, estimated (:class:`harness.stats.Student`).
        trim: share of units that was left out at either end of every cell.
    """

    mean: Floats
    error: Floats
    freedom: Floats
    spread: Floats
    lean: Floats
    trim: float = 0.0

    @property
    def confidence(self) -> Student:
        """The mean with its t distribution."""
        plain = Student(self.mean, self.error, self.freedom, spread=self.spread, lean=self.lean)
        return replace(plain, gain=1 - 2 * self.trim, caution=TRIMMED_CAUTION) if self.trim else plain

    def interval(self, alpha: float) -> tuple[Floats, Floats]:
        """Two-sided (1 - 2 alpha) t interval; each end excludes the truth with probability alpha."""
        return self.confidence.interval(alpha)


def contrast(values: ArrayLike, cells: ArrayLike, weights: ArrayLike, trim: float = 0.0) -> Mean:
    """Weighted sum of the means of cells of units, with an error that lets every cell have its own variance.

    With weights c_s and cells of n_s units, mean m_s and variance s_s^2 the estimate is sum(c_s m_s), its squared
    error sum(v_s) with v_s = c_s^2 s_s^2 / n_s, and its degrees of freedom sum(v_s)^2 / sum(v_s^2 / (n_s - 1))
    (Welch 1947, Biometrika 34, 28-35; Satterthwaite 1946, Biometrics Bulletin 2(6), 110-114).  Weights 1 and -1
    give Welch's t statistic of two groups, one cell the one-sample t statistic.  Its third cumulant is sum(c_s^3 k_s / n_s^2)
    with the k statistics k_s = n_s / ((n_s - 1) (n_s - 2)) sum(residual^3) (Fisher 1930), 0 for cells of two units.

    With ``trim`` m_s is the mean of the h_s units that are left once the g_s = floor(trim n_s) lowest and as many highest are
    left out, and s_s^2 the variance of all, these set to the lowest and highest of those left (winsorised).  Then
    v_s = c_s^2 s_s^2 (n_s - 1) / (h_s (h_s - 1)) with h_s - 1 degrees of freedom (Tukey & McLaughlin 1963, Sankhya A 25,
    331-352; for two groups Yuen 1974, Biometrika 61(1), 165-170), and the third cumulant grows by (n_s / h_s)^3.

    Args:
        values: array of shape (..., unit).
        cells: integer codes 0..C-1 of shape (unit,), each with two units or more.
        weights: shape (cell,).
        trim: share of the units of each cell that is left out at either end, below 1/2.

    Raises:
        ValueError: a cell has fewer than two units.
    """
    data, codes = np.asarray(values, dtype=float), np.asarray(cells, dtype=int)
    weight = np.asarray(weights, dtype=float)
    member = np.eye(len(weight))[codes]
    count = member.sum(axis=0)
    if count.min() < 2:
        raise ValueError(f"a stratum has {int(count.min())} unit(s); its variance needs two or more")
    left = count - 2 * np.floor(trim * count + 1e-9)
    means, data = (data @ member / count, data) if trim == 0 else winsorised(data, codes, len(weight), trim)
    residual = data - (data @ member / count)[..., codes]
    squares = residual**2 @ member
    part = weight**2 * squares / (left - 1) / left
    total = part.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):  # no spread at all: nan, for the caller to refuse
        freedom = total**2 / (part**2 / (left - 1)).sum(axis=-1)
    pooled = squares.sum(axis=-1) / (count - 1).sum() / (1 - 2 * trim) ** 2
    cubes = weight**3 / (count * (count - 1) * np.maximum(count - 2, 1)) * (count / left) ** 3
    # A power of 3 takes NumPy ten times as long as the product, which its squares do not.
    third = ((residual * residual**2) @ member * cubes).sum(axis=-1)
    return Mean(means @ weight, np.sqrt(total), freedom, np.sqrt(pooled), leaning(third, total), trim)


def winsorised(data: Floats, codes: NDArray[np.intp], cells: int, trim: float) -> tuple[Floats, Floats]:
    """Trimmed means of the cells, shape (..., cell), 0 for those without units, and values with both ends of each pulled in.

    Args:
        data: shape (..., unit).
        codes: cell of each unit, shape (unit,).
        cells: number of cells.
        trim: share of the units of each that is left out at either end, below 1/2.
    """
    means, pulled = np.zeros((*data.shape[:-1], cells)), np.array(data)
    for cell in np.unique(codes):
        own = data[..., codes == cell]
        ordered = np.sort(own, axis=-1)
        out = int(trim * own.shape[-1] + 1e-9)
        kept = ordered[..., out : own.shape[-1] - out]
        means[..., cell] = kept.mean(axis=-1)
        pulled[..., codes == cell] = np.clip(own, kept[..., :1], kept[..., -1:])
    return means, pulled


def leaning(third: Floats, variance: Floats) -> Floats:
    """Skewness of an estimate from its third cumulant and its variance; 0 without any variance."""
    lean: Floats = np.where(variance > 0, third / np.where(variance > 0, variance, 1) ** 1.5, 0.0)
    return lean


def stratified_mean(values: ArrayLike, strata: ArrayLike | None = None, trim: float = 0.0) -> Mean:
    """Mean of the stratum means: the :func:`contrast` with weight 1/S for each of S strata.

    Args:
        values: array of shape (..., unit).
        strata: integer codes 0..S-1 of shape (unit,), each with two units or more; None for one stratum.
        trim: share of the units of each stratum that is left out at either end.

    Raises:
        ValueError: a stratum has fewer than two units.
    """
    units = np.shape(values)[-1]
    codes = np.zeros(units, dtype=int) if strata is None else np.asarray(strata, dtype=int)
    count = int(codes.max(initial=0)) + 1
    return contrast(values, codes, np.full(count, 1 / count), trim)


def sign_flip_p(values: ArrayLike, weights: ArrayLike | None = None, *, rng: np.random.Generator) -> float:
    """One-sided p of "the weighted sum is above 0" when every value might as well have had the other sign.

    All 2^n patterns where they are no more than ``RESAMPLES`` (n <= 13), else Monte Carlo with
    p = (b + 1) / (B + 1) (Phipson & Smyth 2010); both as in ``scipy.stats.permutation_test``.

    Args:
        values: one number per unit, shape (unit,).
        weights: weight of each unit in the sum; None for equal weights.
        rng: generator of the sign patterns.
    """
    data = np.asarray(values, dtype=float)
    scaled = data if weights is None else data * np.asarray(weights, dtype=float)
    result = scipy.stats.permutation_test(
        (scaled,), np.sum, permutation_type="samples", alternative="greater", vectorized=True,
        n_resamples=RESAMPLES, rng=rng,
    )  # fmt: skip
    return float(result.pvalue)


def standardised(mean: Mean, alpha: float, centre: float = 0.0) -> tuple[float, float, float]:
    """Distance of a mean from ``centre`` in standard deviations between units (d_z), with its (1 - 2 alpha) interval.

    var(d) = (error/spread)^2 + d^2 / (2 df), the large-sample variance of Hedges & Olkin (1985) for
    one group; it is shown beside the effect and decides nothing.
    """
    size = float((mean.mean - centre) / mean.spread)
    error = np.sqrt(float(mean.error / mean.spread) ** 2 + size**2 / (2 * float(mean.freedom)))
    reach = float(scipy.stats.norm.ppf(1 - alpha) * error)
    return size, size - reach, size + reach


def hedges_g(mean: Mean, count: ArrayLike, weights: ArrayLike, alpha: float) -> tuple[float, float, float]:
    """A contrast of groups in pooled standard deviations, freed of its small-sample bias, with its interval.

    g = J d with d = mean / spread and J = 1 - 3 / (4 df - 1), df = N - C for N units in C cells;
    var(g) = J^2 (sum(c_s^2 / n_s) + d^2 / (2 N)) (Hedges 1981, J. Educ. Stat. 6(2), 107-128; for two groups the formulas
    4.18 to 4.24 of Borenstein et al. 2009, "Introduction to Meta-Analysis").  It is shown beside the effect and decides
    nothing.

    Args:
        mean: the contrast, one study.
        count: units of each cell.
        weights: weight c_s of each cell.
        alpha: the interval is the two-sided (1 - 2 alpha) one.
    """
    n, c = np.asarray(count, dtype=float), np.asarray(weights, dtype=float)
    size = float(mean.mean / mean.spread)
    correction = 1 - 3 / (4 * (n.sum() - len(n)) - 1)
    error = correction * np.sqrt((c**2 / n).sum() + size**2 / (2 * n.sum()))
    g, reach = float(correction * size), float(scipy.stats.norm.ppf(1 - alpha) * error)
    return g, g - reach, g + reach


def is_constant(values: ArrayLike, scale: float | None = None) -> bool:
    """Whether the values differ by no more than rounding.

    A difference of two doubles of size ``scale`` carries an error of at most eps * scale, so that equal
    differences spread by at most 2 eps * scale; twice that is allowed.

    Args:
        values: array of any shape.
        scale: size of the numbers that the values were computed from; None for the values' own.
    """
    data = np.asarray(values, dtype=float)
    size = float(np.abs(data).max()) if scale is None else scale
    return bool(np.ptp(data) <= 4 * np.finfo(float).eps * size)
