"""How noise of a measurement shrinks correlations and slopes, from the standard errors of what was measured.

If noise is independent of everything else, the share of a variable's variance V that is not noise is its reliability
lambda = 1 - s^2 / V, with s^2 the mean squared standard error.  A Pearson correlation shrinks by the root of the reliability of
each of the two variables (Spearman 1904, American Journal of Psychology 15, 72-101), and a slope on a noisy regressor by the
reliability itself.  Spearman's rho follows from the relation to Pearson's r for normal variables, r = 2 sin(pi rho / 6).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_NOTHING = 1e-12  # a share of noise that rounding makes
HALVINGS = 55  # a bisection of [-1, 1] ends below the precision of a double


@dataclass(frozen=True)
class Kept:
    """What noise leaves of a correlation: the factor of Pearson's r, with how well it is known.

    Attributes:
        factor: the factor, in (0, 1]; shape (...).
        low: the factor one standard error lower; 0 where the noise may be all that there is.
        high: one standard error higher, at most 1.
    """

    factor: Any
    low: Any
    high: Any

    def both(self, other: Kept) -> Kept:
        """Of two variables: factors multiply, and the logarithms of their errors add in squares."""
        factor = self.factor * other.factor
        with np.errstate(divide="ignore"):
            down = np.hypot(np.log(self.low / self.factor), np.log(other.low / other.factor))
            up = np.hypot(np.log(self.high / self.factor), np.log(other.high / other.factor))
        return Kept(factor, factor * np.exp(-down), np.minimum(1, factor * np.exp(up)))

    def resized(self, share: float) -> Kept:
        """Errors ``share`` times as large."""
        with np.errstate(divide="ignore"):
            return Kept(
                self.factor,
                self.factor * (self.low / self.factor) ** share,
                np.minimum(1, self.factor * (self.high / self.factor) ** share),
            )


@dataclass(frozen=True)
class Noise:
    """The share of a variable's variance that is noise of its measurement.

    Attributes:
        share: 1 - lambda; 1 and more where noise explains all that is seen.  Shape (...).
        log_error: standard error of its logarithm.
    """

    share: Any
    log_error: Any

    @property
    def kept(self) -> Kept:
        """What is left of a correlation: the root of the reliability.  Only for shares below 1."""
        low, high = (np.clip(self.share * np.exp(side * self.log_error), 0, 1) for side in (1, -1))
        return Kept(np.sqrt(1 - self.share), np.sqrt(1 - low), np.sqrt(1 - high))

    def reliability(self, quantile: float) -> tuple[Any, Any]:
        """Ends of an interval of the reliability, ``quantile`` standard errors of the logarithm to both sides."""
        low, high = (1 - self.share * np.exp(side * quantile * self.log_error) for side in (1, -1))
        return low, high


def noise(values: ArrayLike, errors: ArrayLike, parts: Sequence[NDArray[np.intp]] | None = None) -> Noise:
    """Share of noise in the ranks of a variable, and how well it is known.

    If the noise were added once more, the correlation of the values before and after would show its share: for normal variables
    r = 1 / sqrt(1 + s^2 / V).  The expectation of Spearman's correlation over the second noise is known without
    drawing it: the expected rank of unit i is 1/2 plus the sum over j of Phi((x_i - x_j) / sqrt(e_i^2 + e_j^2)).
    Read off ranks, the share holds for skewed variables and for errors that grow with the value, where s^2 / V is carried by
    a few units (adding noise and extrapolating back: Cook & Stefanski 1994, J. Am. Stat. Assoc. 89, 1314-1328).  How well it
    is known is told by leaving out each unit (Tukey 1958).

    Args:
        values: what was measured, shape (..., unit).
        errors: standard errors of the measurements, likewise.
        parts: units of each block within which values are compared, more than three of them; the blocks' correlations have the
            weights n - 3.  None for one block.
    """
    x, squared = np.asarray(values, dtype=float), np.square(np.asarray(errors, dtype=float))
    blocks = [np.arange(x.shape[-1])] if parts is None else parts
    sizes = np.array([len(rows) for rows in blocks])
    weights = (sizes - 3) / (sizes - 3).sum()
    # Study by study, since it takes the square of the number of units; the first of each row is with all of them.
    studies = zip(x.reshape(-1, x.shape[-1]), squared.reshape(-1, x.shape[-1]), strict=True)
    rhos = np.stack([_correlations(*study, blocks, weights) for study in studies])
    owner = np.repeat(np.arange(len(blocks)), sizes)
    counts = np.vstack([sizes, sizes - np.eye(len(blocks), dtype=int)[owner]])
    shares = _share(rhos, counts, weights)
    every, without = shares[:, 0], shares[:, 1:]
    variance = np.zeros(len(every))
    for block, n in enumerate(sizes):
        own = without[:, owner == block]
        variance += (n - 1) / n * np.square(own - own.mean(axis=1, keepdims=True)).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(every > 0, np.sqrt(variance) / every, 0.0)
    return Noise(every.reshape(x.shape[:-1]), error.reshape(x.shape[:-1]))


def _correlations(x: Floats, squared: Floats, blocks: Sequence[NDArray[np.intp]], weights: Floats) -> Floats:
    """Expected Spearman correlation of one study with itself after as much noise again; then without each unit in turn."""
    every, without = zip(*(_repeated(x[rows], squared[rows]) for rows in blocks), strict=True)
    total = float(weights @ np.array(every))
    moved = [weight * (one - rho) for weight, one, rho in zip(weights, without, every, strict=True)]
    return total + np.concatenate([[0.0], *moved])


def _repeated(x: Floats, squared: Floats) -> tuple[float, Floats]:
    """Expected Spearman correlation of a block with itself after as much noise again; and without each of its units."""
    n = len(x)
    apart = x[:, None] - x
    reach = np.sqrt(squared[:, None] + squared)
    now = (np.sign(apart) + 1) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        then = np.where(reach > 0, scipy.special.ndtr(apart / reach), now)
    before, after = now.sum(axis=1) - n / 2, then.sum(axis=1) - n / 2
    every = _kept_of((before * after).sum(), np.square(before).sum())
    # Column k: centred ranks of the others without unit k.
    left, right = before[:, None] - now + 0.5, after[:, None] - then + 0.5
    np.fill_diagonal(left, 0.0)
    return float(every), _kept_of((left * right).sum(axis=0), np.square(left).sum(axis=0))


def _kept_of(products: Any, squares: Any) -> Floats:
    """Sum of products of centred ranks before and after, over that of squares before.

    Without ties that is Spearman's correlation.  Ranks that are tied before differ by chance alone after the smallest noise;
    over the squares before, noise of size 0 leaves all.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(squares > 0, products / squares, 0.0)


def _share(rho: Floats, sizes: NDArray[np.intp], weights: Floats) -> Floats:
    """Share of noise that would lead one to expect a mean Spearman correlation with the same after as much noise again.

    Args:
        rho: shape (study, case).
        sizes: units of the blocks in each case, shape (case, block).
        weights: of the blocks.
    """
    pearson = 2 * np.sin(np.pi * bisected(lambda value: mean_spearman(value[..., None], sizes) @ weights >= rho, rho.shape) / 6)
    with np.errstate(divide="ignore"):
        share = np.where(pearson > 0, 1 / np.square(pearson) - 1, np.inf)
    return np.where(share > _NOTHING, share, 0.0)


def kendall_tau(rho: ArrayLike) -> Floats:
    """Kendall's tau of normal variables with a Spearman correlation: (2/pi) asin(2 sin(pi rho / 6)) (Kruskal 1958)."""
    tau: Floats = 2 / np.pi * np.arcsin(np.minimum(np.maximum(2 * np.sin(np.pi * np.asarray(rho, dtype=float) / 6), -1), 1))
    return tau


def mean_spearman(rho: Any, n: Any) -> Any:
    """Expectation of Spearman's rho of n units, ((n - 2) rho + 3 tau) / (n + 1) (Moran 1948, Biometrika 35, 203-206)."""
    return ((n - 2) * rho + 3 * kendall_tau(rho)) / (n + 1)


def bisected(beyond: Callable[[Floats], Any], shape: tuple[int, ...]) -> Floats:
    """The correlation in [-1, 1] from which on ``beyond`` holds."""
    low, high = np.full(shape, -1.0), np.full(shape, 1.0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        over = beyond(middle)
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    found: Floats = (low + high) / 2
    return found


def seen(rho: Any, factor: Any) -> Any:
    """Spearman's correlation of two noisy variables whose true values have correlation ``rho``."""
    return 6 / np.pi * np.arcsin(factor * np.sin(np.pi * rho / 6))


def true(rho: Any, factor: Any) -> Any:
    """The correlation of which noise leaves ``rho``; the largest there is where not even that would do."""
    largest = np.sin(np.pi / 6)
    return 6 / np.pi * np.arcsin(np.clip(np.sin(np.pi * rho / 6) / factor, -largest, largest))


def slope(rho: Any, factor: Any) -> Any:
    """Derivative of :func:`seen` by the true correlation."""
    angle = np.pi * rho / 6
    return factor * np.cos(angle) / np.sqrt(1 - np.square(factor * np.sin(angle)))


def members(codes: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Places of the members of each group, from codes 0, 1 and so on."""
    return [np.flatnonzero(codes == group) for group in range(int(codes.max()) + 1)]


def spread_of_points(x: Floats, errors: Floats | None) -> tuple[float, float]:
    """Sum of squares of x about its mean, and what noise with these standard errors adds to it on average."""
    added = 0.0 if errors is None else float(np.square(errors).sum() * (1 - 1 / len(x)))
    return float(np.square(x - x.mean()).sum()), added


def steeper(numerators: ArrayLike, sums: ArrayLike, noises: ArrayLike) -> Floats:
    """Slopes of units on a noisy regressor, as pseudo-values of the slope that all of them give together.

    The slope is sum(S_xy) / sum(S_xx - noise) over units (method of moments; Fuller 1987, "Measurement Error Models", section
    1.2).  n times it less n - 1 times that without a unit is that unit's pseudo-value (Tukey 1958), and the mean of
    these has a t interval that carries what is not known of the noise.

    Args:
        numerators: S_xy of each unit, shape (unit,).
        sums: S_xx, likewise.
        noises: what noise adds to S_xx on average, likewise.

    Raises:
        ValueError: noise explains all of the spread of the regressor.
    """
    xy, left = np.asarray(numerators, dtype=float), np.asarray(sums, dtype=float) - np.asarray(noises, dtype=float)
    n, without = len(xy), left.sum() - left
    if min(left.sum(), without.min()) <= 0:
        raise ValueError("the standard errors of the regressor are as large as its spread")
    values: Floats = n * xy.sum() / left.sum() - (n - 1) * (xy.sum() - xy) / without
    return values
