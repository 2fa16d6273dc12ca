"""Permutation tests, and how often a unit of one group lies above a unit of another."""

from __future__ import annotations

from itertools import combinations
from math import comb, prod

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from harness.stats.confidence import Share, Student
from harness.stats.drawn import Again, Drawn, carried
from harness.stats.means import RESAMPLES, contrast

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

# Equal rearrangements may differ in the last digits of their sums; they count as equal within this.
SLACK = 1e-9


def label_p(values: ArrayLike, higher: ArrayLike, strata: ArrayLike | None = None, *, rng: np.random.Generator) -> float:
    """One-sided p of "the first group has the higher mean" when labels might as well belong to other units of the stratum.

    The statistic is studentised (difference over its Welch error), which keeps the test valid, for many units, also where
    the groups have unequal variances (Janssen 1997, Statist. Probab. Lett. 36, 9-21; Chung & Romano 2013,
    Ann. Statist. 41(2), 484-507).  All rearrangements where they are no more than ``RESAMPLES``, else Monte Carlo
    with p = (b + 1) / (B + 1) (Phipson & Smyth 2010).

    Args:
        values: one number per unit, shape (unit,).
        higher: whether each unit is in the group that is predicted to be higher, shape (unit,).
        strata: codes 0..S-1 within which labels are exchanged, two or more units of either group in each; None for one.
        rng: generator of the rearrangements.
    """
    data, side = np.asarray(values, dtype=float), np.asarray(higher, dtype=np.intp)
    codes = np.zeros(len(data), dtype=np.intp) if strata is None else np.asarray(strata, dtype=np.intp)
    weights = np.tile([-1.0, 1.0], int(codes.max()) + 1)
    least = 4 * np.finfo(float).eps * np.abs(data).max()  # the error of equal numbers, instead of 0

    def statistic(rearranged: Floats) -> Floats:
        mean = contrast(rearranged, 2 * codes + side, weights)
        return np.asarray(mean.mean / np.maximum(mean.error, least))

    observed = float(statistic(data))
    limit = observed - SLACK * max(1.0, abs(observed))
    ways = prod(comb(int((codes == s).sum()), int(side[codes == s].sum())) for s in range(int(codes.max()) + 1))
    if ways <= RESAMPLES:
        return float(np.mean(statistic(data[_every_order(side, codes)]) >= limit))
    key = rng.random((RESAMPLES, len(data))) + codes  # ordered by stratum, at random within it
    orders = np.empty((RESAMPLES, len(data)), dtype=np.intp)
    orders[:, np.argsort(codes, kind="stable")] = np.argsort(key, axis=1)
    return (int((statistic(data[orders]) >= limit).sum()) + 1) / (RESAMPLES + 1)


def _every_order(side: Codes, codes: Codes) -> Codes:
    """Every way to deal the two labels within strata, as orders of the units: shape (way, unit)."""
    orders = np.arange(len(side))[None]
    for s in range(int(codes.max()) + 1):
        first, second = np.flatnonzero((codes == s) & (side == 1)), np.flatnonzero((codes == s) & (side == 0))
        members = np.concatenate([first, second])
        chosen = np.array(list(combinations(range(len(members)), len(first))), dtype=np.intp)
        left = np.ones((len(chosen), len(members)), dtype=bool)
        np.put_along_axis(left, chosen, False, axis=1)
        rest = np.nonzero(left)[1].reshape(len(chosen), len(second))
        dealt = members[np.concatenate([chosen, rest], axis=1)]
        orders = np.repeat(orders, len(dealt), axis=0)
        orders[:, members] = np.tile(dealt, (len(orders) // len(dealt), 1))
    return orders


def pairing_p(z: ArrayLike, sign: int, *, rng: np.random.Generator) -> float:
    """One-sided Monte-Carlo p of the mean of a unit with itself against units that are paired at random.

    p = (b + 1) / (B + 1) with B = ``RESAMPLES`` permutations of which unit's x stands beside which unit's y.

    Args:
        z: association of unit i's x with unit j's y, shape (unit, unit).
        sign: +1 when a positive association is predicted, -1 for a negative one.
        rng: generator of the permutations.
    """
    table = np.asarray(z, dtype=float)
    units = np.arange(len(table))
    orders = rng.permuted(np.tile(units, (RESAMPLES, 1)), axis=1)
    hits = sign * table[units, orders].mean(axis=1) >= sign * np.diag(table).mean() - SLACK
    return (int(hits.sum()) + 1) / (RESAMPLES + 1)


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
