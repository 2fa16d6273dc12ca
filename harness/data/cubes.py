"""Vertices of a cube with arbitrary labels beside one coordinate that gives them away.

(After Theoretical Understanding of Adversarial Examples: Expressive Power and Training Dynamics, Robust Generalization Requires
Exponentially Large Models: a linearly separable distribution on which small networks have a large robust error; and Robust
Generalization for Low-dimensional-manifold Data.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.base import Dataset, DataSpec, require_finite
from harness.streams import numpy_generator

MOST_BITS = 16


@dataclass(frozen=True)
class LabelledCube(DataSpec):
    """x = (z + noise · u, 1/2 + gap · y): z a vertex of {0, 1}^bits, y = ±1 its label, u uniform in [−1, 1].

    Half of the vertices, drawn by ``seed``, are positive.  The last coordinate separates the classes linearly, with a margin
    of ``gap``: under larger perturbations only the vertices are left, and their labels follow no rule.  Vertices are visited
    equally often.  With ``ambient`` the points are embedded isometrically into more dimensions: they lie on a linear manifold
    of dimension bits + 1.

    Attributes:
        bits: dimension of the cube.
        gap: margin of the last coordinate.
        noise: how far a point may lie from its vertex, below 1/2.
        train: training points.
        test: held-out points.
        ambient: None, or the dimension that they are embedded in, more than ``bits``.
        seed: names labels, noise and embedding.
    """

    bits: int = 4
    gap: float = 0.2
    noise: float = 0.05
    train: int = 1024
    test: int = 512
    ambient: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= MOST_BITS:
            raise ValueError(f"LabelledCube has bits={self.bits!r}; it has to be from 1 to {MOST_BITS}")
        for name in ("train", "test"):
            if getattr(self, name) < 2:
                raise ValueError(f"LabelledCube has {name}={getattr(self, name)!r}; it has to be 2 or more")
        if self.ambient is not None and self.ambient <= self.bits:
            raise ValueError(
                f"LabelledCube has ambient={self.ambient!r}; a manifold of dimension {self.bits + 1} needs that many or more"
            )
        if self.noise >= 0.5:
            raise ValueError(f"LabelledCube has noise={self.noise!r}; from 1/2 on, points leave their vertex")
        if self.seed < 0:
            raise ValueError(f"LabelledCube has seed={self.seed!r}; it has to be 0 or more")
        require_finite(self, gap=self.gap, noise=self.noise)

    @property
    def shape(self) -> tuple[int, ...]:
        """See :attr:`DataSpec.shape`."""
        return (self.ambient or self.bits + 1,)

    @property
    def classes(self) -> int:
        """See :attr:`DataSpec.classes`."""
        return 2

    def labels(self) -> NDArray[np.int64]:
        """Label of every vertex, 0 or 1, shape (2^bits,); vertex n has the binary digits of n."""
        vertices = 2**self.bits
        order = numpy_generator("cube labels", self.seed, self.bits).permutation(vertices)
        found: NDArray[np.int64] = (order < vertices // 2).astype(np.int64)
        return found

    def embedding(self) -> NDArray[np.float64]:
        """Orthonormal columns that map the coordinates of the manifold into the ambient space, shape (ambient, bits + 1)."""
        if self.ambient is None:
            return np.eye(self.bits + 1, dtype=np.float64)
        drawn = numpy_generator("cube embedding", self.seed, self.ambient).standard_normal((self.ambient, self.bits + 1))
        columns: NDArray[np.float64] = np.linalg.qr(drawn)[0]
        return columns

    def coordinates(self) -> Dataset:
        """The same points in the coordinates of the manifold, shape (point, bits + 1)."""
        return self._dataset(self._draw("train", self.train), self._draw("test", self.test))

    def load(self) -> Dataset:
        """See :meth:`DataSpec.load`."""
        own = self.coordinates()
        if self.ambient is None:
            return own
        rows = self.embedding().T
        train = np.asarray(own.train_x @ rows), own.train_y
        return self._dataset(train, (np.asarray(own.test_x @ rows), own.test_y))

    def _dataset(self, train: tuple[NDArray[Any], NDArray[Any]], test: tuple[NDArray[Any], NDArray[Any]]) -> Dataset:
        where = "" if self.ambient is None else f", embedded in {self.ambient} dimensions"
        return Dataset.of(
            "labelled cube", train, test, classes=2, bounds=None,
            provenance=f"generated: vertices of a {self.bits}-dimensional cube with random labels{where}, gap {self.gap:g}, "
                       f"noise {self.noise:g}, seed {self.seed}",
        )  # fmt: skip

    def _draw(self, split: str, points: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        rng = numpy_generator("cube points", split, self.seed, self.bits)
        vertex = rng.permutation(np.resize(rng.permutation(2**self.bits), points))
        labels = self.labels()[vertex]
        bits = (vertex[:, None] >> np.arange(self.bits)) & 1
        x = np.column_stack([bits + self.noise * rng.uniform(-1, 1, bits.shape), 0.5 + self.gap * (2 * labels - 1)])
        return x, labels
