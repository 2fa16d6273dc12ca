"""Points without any structure: a network that fits them has memorised them.

"Generate random data from an x_i ~ N(0, I_d/d), and labels y_i ~ U({±1})."  (Adversarial Robustness Through
Overparameterization, Setup (Random Data).)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.base import Dataset, DataSpec
from harness.streams import numpy_generator


@dataclass(frozen=True)
class RandomLabels(DataSpec):
    """Gaussian points of mean norm 1 with labels ±1 at random, as real targets of one output.

    The first points of a larger set are those of a smaller one.

    Attributes:
        train: training points.
        dimension: d; a coordinate has variance 1/d.
        test: held-out points, whose labels are equally random.
        seed: names the random streams.
    """

    train: int = 1000
    dimension: int = 10
    test: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("train", "dimension", "test"):
            if getattr(self, name) < 1:
                raise ValueError(f"RandomLabels has {name}={getattr(self, name)!r}; it has to be 1 or more")
        if self.seed < 0:
            raise ValueError(f"RandomLabels has seed={self.seed!r}; it has to be 0 or more")

    @property
    def shape(self) -> tuple[int, ...]:
        """See :attr:`DataSpec.shape`."""
        return (self.dimension,)

    @property
    def classes(self) -> int:
        """One real output."""
        return 1

    def load(self) -> Dataset:
        """See :meth:`DataSpec.load`."""
        return Dataset.of(
            "random labels", self._draw("train", self.train), self._draw("test", self.test), classes=1, bounds=None,
            provenance=f"generated: x ~ N(0, I/{self.dimension}), y = ±1 at random, seed {self.seed}",
        )  # fmt: skip

    def _draw(self, split: str, points: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        x = numpy_generator("random labels, inputs", split, self.seed).standard_normal((points, self.dimension))
        y = numpy_generator("random labels", split, self.seed).integers(0, 2, (points, 1)) * 2 - 1
        return (x / np.sqrt(self.dimension)).astype(np.float32), y.astype(np.float32)
