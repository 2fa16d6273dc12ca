"""Means of one number per unit: interval, sign-flip test, equivalence test, standardised size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]

RESAMPLES = 9_999
"""Monte-Carlo resamples; scipy enumerates all 2^n sign patterns where they are fewer (n <= 13)."""


@dataclass(frozen=True)
class Mean:
    """A mean over units with its uncertainty; every field has the shape of the leading axes of the values.

    Attributes:
        mean: mean over strata of the means within strata (equal weight per stratum).
        error: its standard error.
        freedom: degrees of freedom of the error.
        spread: standard deviation within strata, pooled over them.
    """

    mean: Floats
    error: Floats
    freedom: Floats
    spread: Floats

    def interval(self, alpha: float) -> tuple[Floats, Floats]:
        """Two-sided (1 - 2 alpha) t interval; each end excludes the truth with probability alpha."""
        reach = stats.t.ppf(1 - alpha, self.freedom) * self.error
        return self.mean - reach, self.mean + reach


def stratified_mean(values: ArrayLike, strata: ArrayLike | None = None) -> Mean:
    """Mean of the stratum means, with an error that lets every stratum have its own variance.

    With S strata of n_s units, mean m_s and variance s_s^2 the mean is sum(m_s)/S, its squared error sum(v_s)
    with v_s = s_s^2 / (n_s S^2), and its degrees of freedom sum(v_s)^2 / sum(v_s^2 / (n_s - 1))
    (Satterthwaite 1946, Biometrics Bulletin 2(6), 110-114).  With one stratum this is the one-sample t
    statistic.

    Args:
        values: array of shape (..., unit).
        strata: integer codes 0..S-1 of shape (unit,), each with two units or more; None for one stratum.

    Raises:
        ValueError: a stratum has fewer than two units.
    """
    data = np.asarray(values, dtype=float)
    codes = np.zeros(data.shape[-1], dtype=int) if strata is None else np.asarray(strata, dtype=int)
    member = np.eye(codes.max(initial=0) + 1)[codes]
    count = member.sum(axis=0)
    if count.min() < 2:
        raise ValueError(f"a stratum has {int(count.min())} unit(s); its variance needs two or more")
    means = data @ member / count
    residual = data - means[..., codes]
    squares = residual**2 @ member
    part = squares / (count - 1) / (count * len(count) ** 2)
    total = part.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):  # no spread at all: nan, for the caller to refuse
        freedom = total**2 / (part**2 / (count - 1)).sum(axis=-1)
    pooled = squares.sum(axis=-1) / (count - 1).sum()
    return Mean(means.mean(axis=-1), np.sqrt(total), freedom, np.sqrt(pooled))


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
    result = stats.permutation_test(
        (scaled,), np.sum, permutation_type="samples", alternative="greater", vectorized=True,
        n_resamples=RESAMPLES, rng=rng,
    )  # fmt: skip
    return float(result.pvalue)


def equivalence_p(estimate: Any, error: Any, margin: float, freedom: Any = np.inf) -> Any:
    """P of "the truth lies inside (-margin, margin)": the larger one-sided p (TOST, Schuirmann 1987).

    Args:
        estimate: estimated distance from the value that is claimed.
        error: its standard error.
        margin: largest distance that counts as none.
        freedom: degrees of freedom of the t distribution; infinite for the normal one.
    """
    estimate = np.asarray(estimate, dtype=float)
    return np.maximum(
        stats.t.sf((estimate + margin) / error, freedom), stats.t.sf((margin - estimate) / error, freedom)
    )


def standardised(mean: Mean, alpha: float) -> tuple[float, float, float]:
    """Mean in units of the spread between units (d_z), with its approximate (1 - 2 alpha) interval.

    var(d) = (error/spread)^2 + d^2 / (2 df), the large-sample variance of Hedges & Olkin (1985) for
    one group; it is shown beside the effect and decides nothing.
    """
    size = float(mean.mean / mean.spread)
    error = np.sqrt(float(mean.error / mean.spread) ** 2 + size**2 / (2 * float(mean.freedom)))
    reach = float(stats.norm.ppf(1 - alpha) * error)
    return size, size - reach, size + reach


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
