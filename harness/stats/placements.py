"""How often a unit of one group lies above a unit of another: the probability of superiority of unpaired groups."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from harness.stats.confidence import Share, Student
from harness.stats.drawn import Again, Drawn, carried

Floats = NDArray[np.float64]


def superiority(higher: ArrayLike, lower: ArrayLike) -> Floats:
    """Share of the pairs of a unit of either group in which the first is above the second, equal ones counting half.

    Args:
        higher: shape (..., unit).
        lower: shape (..., other unit).

    Returns:
        Shape (...).
    """
    share: Floats = _wins(higher, lower).mean(axis=(-2, -1))
    return share


def _wins(higher: ArrayLike, lower: ArrayLike) -> Floats:
    """1, 1/2 or 0 for every pair, shape (..., unit, other unit)."""
    one, other = np.asarray(higher, dtype=float), np.asarray(lower, dtype=float)
    wins: Floats = (1 + np.sign(one[..., :, None] - other[..., None, :])) / 2
    return wins


def placed_share(higher: ArrayLike, lower: ArrayLike) -> Share:
    """The probability of superiority, as a share of so many independent units as the two groups are worth.

    The estimate theta has the variance v = var(placements of the first) / m + var(placements of the second) / n, whatever the
    two distributions look like (Brunner & Munzel 2000, Biometrical Journal 42(1), 17-25), and a share of k units has
    theta (1 - theta) / k: so k = theta (1 - theta) / v.  Its interval is that of Clopper & Pearson, since t around theta errs
    where theta is near 1, and has nothing to go by where the groups do not overlap.  With few units v is hardly known: k is
    never less than the smaller group, which is what one group that does not vary makes of the other (the largest variance
    there can be, Birnbaum & Klose 1957, Ann. Math. Statist. 28(4), 933-945), and never more than 3 m n / (m + n + 1), that of
    equal distributions (Mann & Whitney 1947).

    Args:
        higher: shape (..., unit), two units or more.
        lower: shape (..., other unit), likewise.
    """
    wins = _wins(higher, lower)
    m, n = wins.shape[-2:]
    share = wins.mean(axis=(-2, -1))
    variance = wins.mean(axis=-1).var(axis=-1, ddof=1) / m + wins.mean(axis=-2).var(axis=-1, ddof=1) / n
    return _of(share, variance, *worth(m, n))


def worth(m: int, n: int) -> tuple[float, float]:
    """Fewest and most independent units that groups of ``m`` and ``n`` are worth."""
    return float(min(m, n)), max(3 * m * n / (m + n + 1), float(min(m, n)))


def _of(share: Floats, variance: Floats, least: float, most: float) -> Share:
    with np.errstate(invalid="ignore", divide="ignore"):
        units = np.where(variance > 0, share * (1 - share) / variance, least)
    units = np.clip(units, least, most)
    return Share(share * units, units)


def drawn_placed_share(plain: Share, again: Again, drawn: Drawn, alpha: float) -> Share:
    """The same, with the variance that leaving out levels of random factors gives.

    As that is known from a few levels, units count by the square of the normal over the t quantile (Korn & Graubard 1998,
    Survey Methodology 24(2), 193-201); where leaving out levels changes nothing a level counts as one unit.

    Args:
        plain: as of units that were drawn one by one.
        again: the share, from some of the rows.
        drawn: how the rows of both groups were drawn.
        alpha: at which the quantiles are taken.
    """
    share, units = np.asarray(plain.effect), np.asarray(plain.n)
    found = carried(Student(share, np.sqrt(share * (1 - share) / units)), again, drawn)
    lost = (scipy.stats.norm.ppf(1 - alpha) / scipy.stats.t.ppf(1 - alpha, found.freedom)) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        known = np.where(found.error > 0, share * (1 - share) / np.square(found.error) * lost, float(min(drawn.levels)))
    kept = np.clip(np.minimum(known, units), 1.0, None)
    return Share(share * kept, kept)
