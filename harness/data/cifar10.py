"""Real CIFAR-10: whole or in part, some classes or all.

Which points a part consists of depends on the spec alone, not on the source: a seeded order of each class
begins with those among the first 10,000 training (2,000 test) images, which the subset holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.data.base import DataError, Dataset, DataShortfall, DataSpec
from harness.data.cifar10_files import POOL, SHAPE, raw_cifar10, shortfall
from harness.data.parts import SPLITS, Ranked, Split, balanced, relabelled, require_part
from harness.data.sources import RawImages

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_LEVELS = np.float32(255)
_BLOCK = 4096  # images normalised at a time, to bound the memory
_SOURCES = {
    "folder": "from the folder in HARNESS_DATA",
    "cache": "original files, downloaded earlier",
    "download": "original files, downloaded",
}


@dataclass(frozen=True)
class Cifar10(DataSpec):
    """CIFAR-10's colour images of shape (3, 32, 32).

    Attributes:
        train: training points, equally many of each class (the first classes take what is left over), in a
            seeded order; None for all of the whole set in its own order.
        test: held-out points, likewise.
        labels: the classes to keep, relabelled 0, 1, … in this order; None for all ten.
        normalise: "unit-interval" (0 to 1) or "unit-norm" (each image of Euclidean norm 1).
        seed: names the order in which points are taken; it has no effect where ``train`` and ``test`` are None.
    """

    train: int | None = None
    test: int | None = None
    labels: tuple[int, ...] | None = None
    normalise: Literal["unit-interval", "unit-norm"] = "unit-interval"
    seed: int = 0

    def __post_init__(self) -> None:
        require_part(self, "labels", self.kept, self.train, self.test, self.seed)
        if self.normalise not in ("unit-interval", "unit-norm"):
            raise ValueError(f"Cifar10 has normalise={self.normalise!r}; allowed are 'unit-interval' and 'unit-norm'")

    @property
    def kept(self) -> tuple[int, ...]:
        """The classes that are kept, in the order of their new labels."""
        return tuple(range(10)) if self.labels is None else tuple(self.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """See :attr:`DataSpec.shape`."""
        return SHAPE

    @property
    def classes(self) -> int:
        """See :attr:`DataSpec.classes`."""
        return len(self.kept)

    def load(self) -> Dataset:
        """See :meth:`DataSpec.load`."""
        raw = raw_cifar10()
        train, test = (self._split(raw, split) for split in SPLITS)
        name = "CIFAR-10" if self.labels is None else f"CIFAR-10 {'/'.join(NAMES[label] for label in self.kept)}"
        return Dataset.of(
            name,
            train,
            test,
            classes=self.classes,
            bounds=(0.0, 1.0) if self.normalise == "unit-interval" else None,
            provenance=f"CIFAR-10 (Krizhevsky), {'' if raw.whole else 'a subset, '}{_SOURCES[raw.source]}",
        )

    def _split(self, raw: RawImages, split: Split) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        images, labels = (raw.train_x, raw.train_y) if split == "train" else (raw.test_x, raw.test_y)
        chosen = self._chosen(raw, split, labels)
        return _scaled(images[chosen], self.normalise), relabelled(labels[chosen], self.kept)

    def _chosen(self, raw: RawImages, split: Split, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of the points to take."""
        points: int | None = getattr(self, split)
        if points is None:
            if not raw.whole:
                raise shortfall(f"{self} asks for all {split} points of the whole set", raw)
            return np.flatnonzero(np.isin(labels, self.kept))

        def lacking(own: Ranked, count: int) -> Exception:
            need = f"{self} asks for {count:,} {split} images of class {own.label} ({NAMES[own.label]})"
            if not raw.whole:
                return shortfall(f"{need}; {len(own.positions):,} are there", raw)
            return DataShortfall(f"{need}, and CIFAR-10 has {len(own.positions):,}: ask for fewer points, or for None (all)")

        ranked = []
        for label in self.kept:
            own = np.flatnonzero(labels == label)
            ranked.append(Ranked(label, own, pool=int((own < POOL[split]).sum())))
        return balanced("cifar10", split, ranked, points, self.seed, lacking)


def _scaled(images: NDArray[np.uint8], normalise: str) -> NDArray[np.float32]:
    """Normalised images, shape (point, 3, 32, 32)."""
    if normalise == "unit-interval":
        return images.astype(np.float32) / _LEVELS
    scaled = np.empty(images.shape, np.float32)
    for start in range(0, len(images), _BLOCK):
        exact = images[start : start + _BLOCK].astype(np.float64)  # sums of squares are exact: whole, below 2⁵³
        norms = np.sqrt((exact**2).sum(axis=(1, 2, 3), keepdims=True))
        if not norms.all():
            raise DataError("CIFAR-10 has a black image, which cannot be scaled to norm 1: use normalise='unit-interval'")
        scaled[start : start + _BLOCK] = exact / norms
    return scaled
