"""Points around orthogonal cluster features, in two classes or with a class for every cluster.

(Theoretical Understanding of Adversarial Examples: Expressive Power and Training Dynamics, Data Distribution.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.data.base import Dataset, DataSpec, equal_counts, require_finite
from harness.streams import numpy_generator


@dataclass(frozen=True)
class Clusters(DataSpec):
    """x = μ_j + noise · ξ with orthogonal features ‖μ_j‖ = √d and ξ ~ N(0, I_d).

    The features lie along the first k axes, μ_j = √d e_j.  Noise, initialisation and Euclidean robustness know no axes, so
    that any other orthogonal features would be the same task.  Clusters are equal in size, the first ones take what is left
    over; the first half of them (rounded up) is the positive class.  The points do not depend on ``labels``.

    Attributes:
        clusters: k.
        dimension: d, at least k.
        train: training points.
        test: held-out points.
        noise: σ, the standard deviation of the noise.
        labels: "binary" (1 for the positive clusters, else 0) or "cluster" (the number of the cluster).
        seed: names the random streams; training and held-out points come from independent ones.
    """

    clusters: int = 4
    dimension: int = 256
    train: int = 256
    test: int = 256
    noise: float = 1.0
    labels: Literal["binary", "cluster"] = "binary"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.clusters < 2:
            raise ValueError(f"Clusters has clusters={self.clusters!r}; it has to be 2 or more")
        if self.dimension < self.clusters:
            raise ValueError(
                f"Clusters has dimension={self.dimension!r}; {self.clusters} orthogonal features need that many or more"
            )
        for name in ("train", "test"):
            if getattr(self, name) < self.clusters:
                raise ValueError(f"Clusters has {name}={getattr(self, name)!r}; give one point or more for each cluster")
        if self.labels not in ("binary", "cluster"):
            raise ValueError(f"Clusters has labels={self.labels!r}; allowed are 'binary' and 'cluster'")
        if self.seed < 0:
            raise ValueError(f"Clusters has seed={self.seed!r}; it has to be 0 or more")
        require_finite(self, noise=self.noise)

    @property
    def shape(self) -> tuple[int, ...]:
        """See :attr:`DataSpec.shape`."""
        return (self.dimension,)

    @property
    def classes(self) -> int:
        """See :attr:`DataSpec.classes`."""
        return 2 if self.labels == "binary" else self.clusters

    @property
    def groups(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The clusters of the negative and of the positive class: class 0 and class 1 of the binary task."""
        half = (self.clusters + 1) // 2
        return tuple(range(half, self.clusters)), tuple(range(half))

    def features(self) -> NDArray[np.float64]:
        """The features μ_j, shape (cluster, input)."""
        return np.asarray(math.sqrt(self.dimension) * np.eye(self.clusters, self.dimension), dtype=np.float64)

    def direction(self) -> NDArray[np.float64]:
        """The document's attack, −Σ_{J+} μ_j + Σ_{J−} μ_j, shape (input,)."""
        signs = np.ones(self.clusters)
        signs[list(self.groups[1])] = -1
        return np.asarray(signs @ self.features(), dtype=np.float64)

    def load(self) -> Dataset:
        """See :meth:`DataSpec.load`."""
        return Dataset.of(
            "orthogonal clusters", self._draw("train", self.train), self._draw("test", self.test),
            classes=self.classes, bounds=None,
            provenance=f"generated: {self.clusters} orthogonal clusters in {self.dimension} dimensions, ‖μ‖ = √d, Gaussian "
                       f"noise of standard deviation {self.noise:g}, seed {self.seed}",
        )  # fmt: skip

    def _draw(self, split: str, points: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        rng = numpy_generator("clusters", split, self.seed)
        cluster = rng.permutation(np.repeat(np.arange(self.clusters), equal_counts(points, self.clusters)))
        x = self.noise * rng.standard_normal((points, self.dimension))
        x[np.arange(points), cluster] += np.sqrt(self.dimension)
        labels = np.isin(cluster, self.groups[1]) if self.labels == "binary" else cluster
        return x.astype(np.float32), labels.astype(np.int64)
