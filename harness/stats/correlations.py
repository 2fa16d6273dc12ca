"""Spearman correlations: Fisher's z, pooling over blocks, permutation test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from harness.stats.attenuation import Kept
from harness.stats.confidence import Student
from harness.stats.means import RESAMPLES
from harness.stats.ranks import Ranked

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

CHUNK = 1_000
"""Permutations held in memory at once."""


def mid_ranks(values: ArrayLike) -> Floats:
    """Ranks from 1 along the last axis, equal values with the mean of theirs.

    Those of ``scipy.stats.rankdata``, which is left what it alone can do, ties and NaN: on a few series of ten points it takes
    several times as long as everything else that is done with the ranks.
    """
    data = np.asarray(values, dtype=float)
    order = np.argsort(data, axis=-1)
    ordered = np.take_along_axis(data, order, axis=-1)
    if data.shape[-1] < 2 or not (ordered[..., 1:] > ordered[..., :-1]).all():
        return np.asarray(scipy.stats.rankdata(data, axis=-1), dtype=float)
    ranks = np.empty(data.shape)
    np.put_along_axis(ranks, order, np.arange(1.0, data.shape[-1] + 1), axis=-1)
    return ranks


def _centred_ranks(values: ArrayLike) -> Floats:
    ranks = mid_ranks(values)
    centred: Floats = ranks - ranks.mean(axis=-1, keepdims=True)
    return centred


def rank_directions(values: ArrayLike) -> Floats:
    """Centred mid-ranks along the last axis, scaled to length 1: the products of two of them are Spearman's correlations."""
    ranks = _centred_ranks(values)
    direction: Floats = ranks / np.sqrt((ranks**2).sum(axis=-1, keepdims=True))
    return direction


def spearman(x: ArrayLike, y: ArrayLike) -> Floats:
    """Spearman's rank correlation (mid-ranks for ties) along the last axis; nan for a constant variable."""
    a, b = _centred_ranks(x), _centred_ranks(y)
    size = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    with np.errstate(invalid="ignore"):
        rho: Floats = (a * b).sum(axis=-1) / size
    return rho


def fisher_z(rho: ArrayLike, n: ArrayLike) -> Floats:
    """Fisher's z = atanh(rho), finite also for a perfect ranking.

    Exchanging two neighbours lowers a perfect rho by 12 / (n (n^2 - 1)); rho is capped half such a step short
    of 1 (a continuity correction), since a perfect ranking of a few units is no proof of an infinite z.

    Args:
        rho: Spearman correlations.
        n: number of units behind each.
    """
    count = np.asarray(n, dtype=float)
    cap = 1 - 6 / (count * (count**2 - 1))
    z: Floats = np.arctanh(np.clip(rho, -cap, cap))
    return z


def z_error(z: ArrayLike, n: ArrayLike) -> Floats:
    """Standard error of Fisher's z of a Spearman correlation, sqrt((1 + rho^2 / 2) / (n - 3)).

    Source: Bonett & Wright 2000, Psychometrika 65(1), 23-28.

    Args:
        z: Fisher's z.
        n: number of units behind each, above 3.
    """
    error: Floats = np.sqrt((1 + np.tanh(z) ** 2 / 2) / (np.asarray(n, dtype=float) - 3))
    return error


def clusters(member: ArrayLike) -> Codes:
    """Group blocks that share a unit, directly or through other blocks.

    Args:
        member: booleans of shape (block, unit): which unit stands in which block.

    Returns:
        Cluster code of each block, shape (block,).
    """
    table = np.asarray(member, dtype=int)
    codes: Codes = scipy.sparse.csgraph.connected_components(table @ table.T, directed=False)[1].astype(np.intp)
    return codes


def pool(z: ArrayLike, n: ArrayLike, cluster: ArrayLike | None = None, kept: Kept | None = None) -> Ranked:
    """Weighted mean over blocks of Fisher's z (weights n - 3), as a correlation.

    Blocks of different clusters are independent; blocks of one cluster share units and are taken as perfectly
    dependent (their errors add, not their variances), which is the most that they can be.

    Args:
        z: Fisher's z, shape (..., block).
        n: units of each block, shape (block,).
        cluster: cluster code of each block; None when no two blocks share a unit.
        kept: what noise of the measurements leaves of the correlation; None where none is known.

    Returns:
        Confidence of the pooled correlation, of the shape of the leading axes.
    """
    values, count = np.asarray(z, dtype=float), np.asarray(n, dtype=float)
    weight = (count - 3) / (count - 3).sum()
    codes = np.arange(len(weight)) if cluster is None else np.asarray(cluster, dtype=int)
    member = np.eye(codes.max() + 1)[codes]
    error = np.sqrt((((weight * z_error(values, n)) @ member) ** 2).sum(axis=-1))
    variance = float((((weight / np.sqrt(count - 3)) @ member) ** 2).sum())
    lost = 1 - float((count - 3).sum() / count.sum())
    sizes, which = np.unique(count, return_inverse=True)
    return Ranked(
        Student(values @ weight, error, link="fisher", lost=lost),
        tuple(map(float, sizes)),
        tuple(map(float, np.bincount(which, weight))),
        variance,
        kept,
    )


def permutation_p(
    x: Sequence[ArrayLike],
    y: Sequence[ArrayLike],
    unit: Sequence[ArrayLike],
    sign: int,
    *,
    rng: np.random.Generator,
) -> float:
    """One-sided Monte-Carlo p of the pooled correlation when y belongs to the units in any order.

    One random order of all units is drawn a resample and used in every block that they stand in, so that
    units which several blocks share are permuted jointly.  p = (b + 1) / (B + 1) with B = ``RESAMPLES``.

    Args:
        x: values of one variable, one array of shape (unit of the block,) per block.
        y: values of the other, likewise.
        unit: codes 0..U-1 of the units, likewise.
        sign: +1 when a positive correlation is predicted, -1 for a negative one.
        rng: generator of the orders.
    """
    count = np.array([len(np.asarray(codes)) for codes in unit])
    weight = (count - 3) / (count - 3).sum()
    blocks = []
    for a, b, codes in zip(x, y, unit, strict=True):
        blocks.append((rank_directions(a), rank_directions(b), np.asarray(codes)))
    observed = sum(w * fisher_z(a @ b, len(c)) for w, (a, b, c) in zip(weight, blocks, strict=True))
    units = 1 + max(int(codes.max()) for _, _, codes in blocks)
    hits = 0
    for start in range(0, RESAMPLES, CHUNK):
        key = rng.random((min(CHUNK, RESAMPLES - start), units))
        drawn = np.zeros(len(key))
        for w, (a, b, codes) in zip(weight, blocks, strict=True):
            drawn += w * fisher_z(b[np.argsort(key[:, codes], axis=1)] @ a, len(codes))
        # Equal rankings may differ in the last digits of their sums; 1e-9 is far below a step of rho (6/n^3).
        hits += int((sign * drawn >= sign * observed - 1e-9).sum())
    return (hits + 1) / (RESAMPLES + 1)
