"""Real MNIST: whole or in part, some digits or all, in any resolution.

Which points a part consists of depends on the spec alone, not on the source: a seeded order of each digit
begins with those that the embedded subset holds (:func:`pool_order`).  All arithmetic is on whole numbers,
except for one correctly rounded division, so the arrays are the same to the last bit on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.data.base import DataError, Dataset, DataShortfall, DataSpec
from harness.data.mnist_files import raw_mnist, shortfall
from harness.data.parts import SPLITS, Ranked, Split, balanced, relabelled, require_part, shuffled
from harness.data.sources import RawImages

POOL = {"train": 1000, "test": 200}  # images of each digit in the embedded subset
SIDE = 28
_LEVELS = 255
_BLOCK = 4096  # images resized at a time, to bound the memory
_SOURCES = {
    "folder": "original files, from the folder in HARNESS_DATA",
    "cache": "original files, downloaded earlier",
    "download": "original files, downloaded",
    "embedded": "embedded subset",
}


@dataclass(frozen=True)
class Mnist(DataSpec):
    """MNIST's handwritten digits.

    Attributes:
        train: training points, equally many of each digit (the first digits take what is left over), in a
            seeded order; None for all of the whole set in its own order.
        test: held-out points, likewise.
        digits: the digits to keep, relabelled 0, 1, … in this order; None for all ten.
        side: pixels a side; images are area-averaged to it.
        normalise: "unit-interval" (0 to 1) or "unit-norm" (each image, after resizing, of Euclidean norm 1).
        seed: names the order in which points are taken; it has no effect where ``train`` and ``test`` are None.
    """

    train: int | None = None
    test: int | None = None
    digits: tuple[int, ...] | None = None
    side: int = SIDE
    normalise: Literal["unit-interval", "unit-norm"] = "unit-interval"
    seed: int = 0

    def __post_init__(self) -> None:
        require_part(self, "digits", self.kept, self.train, self.test, self.seed)
        if self.side < 1:
            raise ValueError(f"Mnist has side={self.side!r}; it has to be 1 or more pixels")
        if self.normalise not in ("unit-interval", "unit-norm"):
            raise ValueError(f"Mnist has normalise={self.normalise!r}; allowed are 'unit-interval' and 'unit-norm'")

    @property
    def kept(self) -> tuple[int, ...]:
        """The digits that are kept, in the order of their labels."""
        return tuple(range(10)) if self.digits is None else tuple(self.digits)

    @property
    def shape(self) -> tuple[int, ...]:
        """See :attr:`DataSpec.shape`."""
        return self.side, self.side

    @property
    def classes(self) -> int:
        """See :attr:`DataSpec.classes`."""
        return len(self.kept)

    def load(self) -> Dataset:
        """See :meth:`DataSpec.load`."""
        raw = raw_mnist()
        train, test = (self._split(raw, split) for split in SPLITS)
        name = "MNIST" if self.digits is None else f"MNIST {'/'.join(map(str, self.digits))}"
        return Dataset.of(
            name,
            train,
            test,
            classes=self.classes,
            bounds=(0.0, 1.0) if self.normalise == "unit-interval" else None,
            provenance=f"MNIST (LeCun, Cortes, Burges), {_SOURCES[raw.source]}",
        )

    def _split(self, raw: RawImages, split: Split) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        images, digits = (raw.train_x, raw.train_y) if split == "train" else (raw.test_x, raw.test_y)
        chosen = self._chosen(raw, split, digits)
        return _scaled(images[chosen], self.side, self.normalise), relabelled(digits[chosen], self.kept)

    def _chosen(self, raw: RawImages, split: Split, digits: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of the points to take."""
        points: int | None = getattr(self, split)
        if points is None:
            if not raw.whole:
                raise shortfall(f"{self} asks for all {split} points of the whole set", raw)
            return np.flatnonzero(np.isin(digits, self.kept))

        def lacking(own: Ranked, count: int) -> Exception:
            need = f"{self} asks for {count:,} {split} images of digit {own.label}"
            if not raw.whole:
                return shortfall(need, raw)
            return DataShortfall(f"{need}, and MNIST has {len(own.positions):,}: ask for fewer points, or for None (all)")

        ranked = [_ranked(raw, split, digit, np.flatnonzero(digits == digit)) for digit in self.kept]
        return balanced("mnist", split, ranked, points, self.seed, lacking)


def pool_order(split: Split, digit: int, points: int) -> NDArray[np.int64]:
    """A fixed order of all images of a digit; the embedded subset holds the first ``POOL[split]`` of them."""
    return shuffled(points, "mnist pool", split, digit)


def _ranked(raw: RawImages, split: Split, digit: int, own: NDArray[np.int64]) -> Ranked:
    """Images of a digit, those of the pool first."""
    return Ranked(digit, own[pool_order(split, digit, len(own))] if raw.whole else own, POOL[split])


def _overlaps(source: int, target: int) -> NDArray[np.float64]:
    """Overlap of ``target`` cells with ``source`` cells on one edge, which is ``source * target`` units long.

    Returns:
        Array of shape (target, source) of whole numbers; each row sums to ``source``.
    """
    lower = np.maximum.outer(np.arange(target) * source, np.arange(source) * target)
    upper = np.minimum.outer(np.arange(1, target + 1) * source, np.arange(1, source + 1) * target)
    overlaps: NDArray[np.float64] = np.maximum(upper - lower, 0).astype(np.float64)
    return overlaps


def _sums(images: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    """Σ of pixel levels over each target cell, weighted by overlap: whole numbers, exact below 2⁵³."""
    overlaps = _overlaps(images.shape[-1], side)
    sums: NDArray[np.float64] = overlaps @ images.astype(np.float64) @ overlaps.T
    return sums


def area_average(images: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    """Resize square images; each new pixel is the mean of the area that it covers, so the image's mean stays.

    Args:
        images: uint8 array of shape (point, pixel, pixel).
        side: pixels a side of the result, fewer or more than before.

    Returns:
        Array of shape (point, side, side), in the levels of ``images``, correctly rounded.
    """
    average: NDArray[np.float64] = _sums(images, side) / images.shape[-1] ** 2
    return average


def _scaled(images: NDArray[np.uint8], side: int, normalise: str) -> NDArray[np.float32]:
    """Resized and normalised images, shape (point, side, side)."""
    scaled = np.empty((len(images), side, side), np.float32)
    for start in range(0, len(images), _BLOCK):
        sums = _sums(images[start : start + _BLOCK], side)
        divisor = np.array(float(_LEVELS * images.shape[-1] ** 2))
        if normalise == "unit-norm":
            divisor = np.sqrt((sums**2).sum(axis=(1, 2), keepdims=True))
            if not divisor.all():
                raise DataError("MNIST has a blank image, which cannot be scaled to norm 1: use normalise='unit-interval'")
        scaled[start : start + _BLOCK] = sums / divisor
    return scaled
