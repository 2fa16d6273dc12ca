"""Which points a part of a stored set consists of.

A part depends on its spec alone, not on the source: a seeded order of each class begins with the images that
the subset holds (its *pool*), so that a machine with the subset and one with the whole set train on the same
points as long as the subset suffices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.data.base import equal_counts
from harness.streams import sequence

Split = Literal["train", "test"]
Positions = NDArray[np.int64]
SPLITS: tuple[Split, ...] = ("train", "test")


@dataclass(frozen=True, eq=False)
class Ranked:
    """The images of one class.

    Attributes:
        label: the class.
        positions: where they are in the stored set, those of the pool first.
        pool: how many belong to the pool.
    """

    label: int
    positions: Positions
    pool: int


def shuffled(points: int, purpose: str, *owner: int | str) -> Positions:
    """A permutation made from raw words, whose stream numpy guarantees, unlike that of ``permutation``."""
    words = np.random.PCG64(sequence(purpose, *owner)).random_raw(points)
    order: Positions = np.argsort(words, kind="stable")
    return order


def balanced(
    name: str, split: Split, ranked: list[Ranked], points: int, seed: int, lacking: Callable[[Ranked, int], Exception]
) -> Positions:
    """Equally many points of each class, mixed; the first classes take what is left over.

    Args:
        name: data set, which names the streams ("mnist").
        split: "train" or "test".
        ranked: the classes, in the order of their labels.
        points: how many in all.
        seed: names the order in which points are taken.
        lacking: makes the error for a class with fewer points than are wanted.

    Returns:
        Positions in the stored set.
    """
    taken = []
    for own, count in zip(ranked, equal_counts(points, len(ranked)), strict=True):
        if count > len(own.positions):
            raise lacking(own, count)
        pool, rest = own.positions[: own.pool], own.positions[own.pool :]
        order = np.concatenate([
            pool[shuffled(len(pool), f"{name} order", split, own.label, seed)],
            rest[shuffled(len(rest), f"{name} rest", split, own.label, seed)],
        ])  # fmt: skip
        taken.append(order[:count])
    return np.concatenate(taken)[shuffled(points, f"{name} mix", split, seed)]


def require_part(owner: object, classes: str, kept: tuple[int, ...], train: int | None, test: int | None, seed: int) -> None:
    """Raise a ValueError that names a field with an impossible value.

    Args:
        owner: the spec.
        classes: name of its field that says which classes are kept.
        kept: those classes.
        train: training points, or None for all.
        test: held-out points, or None for all.
        seed: of the order.
    """
    name = type(owner).__name__
    if len(kept) < 2 or len(set(kept)) < len(kept) or not set(kept) <= set(range(10)):
        raise ValueError(
            f"{name} has {classes}={getattr(owner, classes)!r}; give two or more different {classes} from 0 to 9, or None"
        )
    for split, points in zip(SPLITS, (train, test), strict=True):
        if points is not None and points < len(kept):
            raise ValueError(
                f"{name} has {split}={points!r}; give at least one point for each of the {len(kept)} {classes}, or None for all"
            )
    if seed < 0:
        raise ValueError(f"{name} has seed={seed!r}; it has to be 0 or more")


def relabelled(labels: NDArray[np.int64], kept: tuple[int, ...]) -> NDArray[np.int64]:
    """Labels 0, 1, … in the order of ``kept``."""
    numbers = np.full(10, -1)
    numbers[list(kept)] = np.arange(len(kept))
    found: NDArray[np.int64] = numbers[labels]
    return found
