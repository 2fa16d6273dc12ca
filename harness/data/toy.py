"""Small generated images: low-dimensional, so that many networks can be trained and sampled on them.

"Adversarial Robustness Through the Lens of Singular Learning Theory" uses "3-by-3 images delineated equally
into three classes" and says no more about them.  Here an image of class c has row c lit, over Gaussian noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.base import Dataset, DataSpec, equal_counts, require_finite
from harness.streams import numpy_generator

SIDE = 3


@dataclass(frozen=True)
class ToyImages(DataSpec):
    """3-by-3 images in three classes; row c of an image of class c is lit.

    x[r, s] = amplitude · [r = c] + noise · g with g ~ N(0, 1).  The smallest L∞ change that makes one
    class's mean another's is amplitude / 2, so with the defaults the threshold 2 lies inside the best
    possible margin, and 3 at it.  The values have no bounds.

    Attributes:
        train: training points; classes are equal in size, the first ones take the remainder.
        test: held-out points.
        amplitude: brightness of the lit row.
        noise: standard deviation of the noise.
        seed: names the random streams; training and held-out points come from independent ones.
    """

    train: int = 3072
    test: int = 256
    amplitude: float = 6.0
    noise: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("train", "test"):
            if getattr(self, name) < SIDE:
                raise ValueError(
                    f"ToyImages has {name}={getattr(self, name)!r}; it has to be {SIDE} or more, one point for each class"
                )
        if self.seed < 0:
            raise ValueError(f"ToyImages has seed={self.seed!r}; it has to be 0 or more")
        require_finite(self, amplitude=self.amplitude, noise=self.noise)

    @property
    def shape(self) -> tuple[int, ...]:
        """See :attr:`DataSpec.shape`."""
        return SIDE, SIDE

    @property
    def classes(self) -> int:
        """See :attr:`DataSpec.classes`."""
        return SIDE

    def load(self) -> Dataset:
        """See :meth:`DataSpec.load`."""
        return Dataset.of(
            "toy images", self._draw("train", self.train), self._draw("test", self.test),
            classes=SIDE, bounds=None,
            provenance=f"generated: row c of a {SIDE}-by-{SIDE} image of class c at {self.amplitude:g} over "
                       f"Gaussian noise of standard deviation {self.noise:g}, seed {self.seed}",
        )  # fmt: skip

    def _draw(self, split: str, points: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        rng = numpy_generator("toy images", split, self.seed)
        labels = rng.permutation(np.repeat(np.arange(SIDE), equal_counts(points, SIDE)))
        images = self.noise * rng.standard_normal((points, SIDE, SIDE))
        images[np.arange(points), labels] += self.amplitude
        return images.astype(np.float32), labels.astype(np.int64)
