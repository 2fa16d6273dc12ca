"""Test error of random-feature regression against the number of its parameters.

y = β·x + τ g with x ~ N(0, I_d) and ‖β‖ = 1; the features relu(W x) have fixed rows w ~ N(0, I_d/d), and their coefficients are
the least-squares fit, of minimum norm where p exceeds the number of points: the solution of gradient descent from zero, in
closed form.  (Mei & Montanari 2019, arXiv:1908.05355, 1; Belkin et al. 2019, doi 10.1073/pnas.1903070116; the references for
double descent of Adversarial Robustness Through Overparameterization.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.linalg
from numpy.typing import NDArray

from harness.spec import require
from harness.streams import numpy_generator

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RandomFeatures:
    """A family of regressions, one for every number of features.

    Attributes:
        points: n, training points.
        dimension: d of the inputs.
        ratios: numbers of features p in units of n, rising.
        noise: τ, standard deviation of the noise in the training labels; the test error is that against β·x without it.
        test: test points.
        linear: leave the ReLU out, which is ordinary least squares on p random projections; its error is known.
    """

    points: int = 200
    dimension: int = 50
    ratios: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0)
    noise: float = 0.5
    test: int = 500
    linear: bool = False

    def __post_init__(self) -> None:
        for name in ("points", "dimension", "test"):
            require(getattr(self, name) >= 1, self, name, "1 or more")
        rising = all(one < other for one, other in zip(self.ratios, self.ratios[1:], strict=False))
        require(bool(self.ratios) and rising and self.ratios[0] > 0, self, "ratios", "one or more, above 0 and rising")
        require(self.noise >= 0, self, "noise", "0 or more")


def minimum_norm_fit(features: Floats, targets: Floats) -> Floats:
    """The least-squares coefficients of smallest norm, by the singular value decomposition; features (point, feature)."""
    solution: Floats = scipy.linalg.lstsq(features, targets, lapack_driver="gelsd")[0]
    return solution


def errors_by_size(spec: RandomFeatures, seeds: Iterable[int]) -> pd.DataFrame:
    """One row per seed × ratio: everything random (points, labels, β, features) is the seed's own.

    Columns seed, ratio, features (p), train_error and test_error (mean squares; the first against the noisy labels, the second
    against β·x), norm (‖coefficients‖).  The features of a smaller p are the first ones of a larger.
    """
    rows = []
    for seed in seeds:
        rng = numpy_generator("random features", seed)
        beta = rng.standard_normal(spec.dimension)
        beta /= np.linalg.norm(beta)
        x, z = (rng.standard_normal((count, spec.dimension)) for count in (spec.points, spec.test))
        y = x @ beta + spec.noise * rng.standard_normal(spec.points)
        counts = [max(1, round(ratio * spec.points)) for ratio in spec.ratios]
        weights = rng.standard_normal((counts[-1], spec.dimension)) / np.sqrt(spec.dimension)
        of_x, of_z = (_features(spec, points, weights) for points in (x, z))
        for ratio, count in zip(spec.ratios, counts, strict=True):
            fitted = minimum_norm_fit(of_x[:, :count], y)
            rows.append({
                "seed": seed, "ratio": ratio, "features": count,
                "train_error": float(np.square(of_x[:, :count] @ fitted - y).mean()),
                "test_error": float(np.square(of_z[:, :count] @ fitted - z @ beta).mean()),
                "norm": float(np.linalg.norm(fitted)),
            })  # fmt: skip
    return pd.DataFrame(rows)


def _features(spec: RandomFeatures, points: Floats, weights: Floats) -> Floats:
    """relu(W x), or W x; shape (point, feature)."""
    values = points @ weights.T
    return values if spec.linear else np.maximum(values, 0)
