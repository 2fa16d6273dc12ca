"""Permutation tests of groups and of courses: what would be seen if labels belonged to other units."""

from __future__ import annotations

from itertools import combinations
from math import comb, prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
        rest = np.array([np.setdiff1d(np.arange(len(members)), each) for each in chosen], dtype=np.intp)
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
