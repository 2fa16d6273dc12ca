"""How much of every cluster feature each first-layer weight has learned.

w_r^(t) = w_r^(0) + Σ_j λ_{r,j}^(t) μ_j + Σ_i σ_{r,i}^(t) ξ_i for data x = μ_j + ξ around orthogonal cluster features μ_j
(Theoretical Understanding of Adversarial Examples: Expressive Power and Training Dynamics, Lemma (Weight Decomposition)).
Since the features are orthogonal, λ_{r,j} = ⟨w_r^(t) − w_r^(0), μ_j⟩ / ‖μ_j‖², up to what the noise has along μ_j: for
ξ ~ N(0, σ²I) that is σ_{r,i} · N(0, σ²/‖μ_j‖²), one part in √d where ‖μ_j‖ = Θ(√d).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from harness.measure import stacks
from harness.measure.base import Measurement
from harness.measure.spectra import weight_matrices
from harness.measure.stacks import Epochs, Numbers, by_epoch, per_member
from harness.measure.walk import Given
from harness.models import Parameters
from harness.population import Population
from harness.recipe import require

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset

# Largest |cosine| of two features that are orthogonal up to the rounding of single precision: √d · 2⁻²⁴ is 1e-5 at d = 30,000.
MOST_OVERLAP = 1e-4


@runtime_checkable
class Clustered(Protocol):
    """A data spec whose points lie around known features."""

    def features(self) -> NDArray[Any]:
        """The features μ_j, shape (cluster, *input)."""


def feature_coefficients(weights: ArrayLike, features: ArrayLike) -> Numbers:
    """λ_{r,j} = ⟨w_r, μ_j⟩ / ‖μ_j‖².

    Args:
        weights: array of shape (…, unit, input).
        features: orthogonal features, shape (cluster, input).

    Returns:
        Array of shape (…, unit, cluster).

    Raises:
        ValueError: the sizes differ, a feature is zero, or two features are not orthogonal.
    """
    w, mu = np.asarray(weights, dtype=np.float64), np.asarray(features, dtype=np.float64)
    if mu.ndim != 2 or w.shape[-1] != mu.shape[1]:
        raise ValueError(
            f"weights have shape {w.shape} and features {mu.shape}; expected (…, unit, input) and (cluster, input) with "
            "equally many inputs"
        )
    lengths = np.sqrt(np.square(mu).sum(1))
    if not (lengths > 0).all():
        raise ValueError(f"feature {int(np.argmin(lengths))} is zero or not a number; every feature needs a direction")
    cosines = (mu / lengths[:, None]) @ (mu / lengths[:, None]).T - np.eye(len(mu))
    one, other = np.unravel_index(np.abs(cosines).argmax(), cosines.shape)
    if abs(cosines[one, other]) > MOST_OVERLAP:
        raise ValueError(
            f"features {one} and {other} have the cosine {cosines[one, other]:.3g}; projections are the coefficients of "
            f"orthogonal features only (|cosine| at most {MOST_OVERLAP:g})"
        )
    # Not one product over all members: the order of its sums could then depend on how many there are.
    coefficients: Numbers = np.einsum("...ri,ji->...rj", w, mu, optimize=False) / lengths**2
    return coefficients


@dataclass(frozen=True)
class FeatureCoefficients(Measurement):
    """λ of every unit of the first layer on every cluster feature.

    One row per member × epoch × unit × feature: unit, feature, coefficient (λ), cosine (of the angle between the unit's
    weights, as they are, and the feature; 0 for weights that are zero) and, where ``output`` is given, unit_class.

    Attributes:
        features: the orthogonal features, one tuple of numbers each; None for those of the data, whose spec then has a
            method ``features()`` that returns an array (cluster, *input).
        weight: name of the first layer's weights, of shape (unit, *input); None for the first trained weight matrix.
        output: None, or the name of the parameter or buffer that joins the units to the outputs: of shape (class, unit), a
            unit's class being the one that it raises most; or of shape (unit,), where class 1 has a positive weight and 0
            a negative one.
        since_start: measure what was learned, w^(t) − w^(0), as in the formula; the recipe then keeps checkpoint 0.
        epochs: "final" or "all".
    """

    features: tuple[tuple[float, ...], ...] | None = None
    weight: str | None = None
    output: str | None = None
    since_start: bool = True
    epochs: Epochs = "final"

    def __post_init__(self) -> None:
        stacks.require_choices(self, epochs=("final", "all"))
        require(self.features is None or len(self.features) > 0, self, "features", "None or one tuple a feature")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "feature coefficients"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        import pandas as pd

        if self.since_start and 0 not in population.parameters:
            raise ValueError(
                f"{population.recipe.name} keeps the epochs {population.epochs}, and what was learned is counted from epoch "
                "0: give the recipe checkpoints=(0, …), or the measurement since_start=False"
            )
        mu = self._features(population)

        def of_epoch(epoch: int) -> pd.DataFrame:
            found = per_member(population, epoch, lambda given: self._of(population, mu, given), states=6)
            member, unit, feature = np.indices(found["coefficient"].shape).reshape(3, -1)
            table = pd.DataFrame({
                "seed": np.array(population.seeds)[member], "epoch": epoch, "unit": unit, "feature": feature,
                "coefficient": found["coefficient"].ravel(), "cosine": found["cosine"].ravel(),
            })  # fmt: skip
            if self.output is not None:
                table["unit_class"] = found["unit_class"].astype(np.int64)[member, unit]
            return table

        return by_epoch(population, self.epochs, of_epoch)

    def _of(self, population: Population, mu: Numbers, given: Given) -> dict[str, torch.Tensor]:
        """Coefficients and cosines of some members, shape (row, unit, feature), and the classes of their units, (row, unit)."""
        name = self.weight or weight_matrices(given.program)[0]
        present = learned = _parameter(given.parameters, name).flatten(2).numpy()
        if self.since_start:
            start = given.program.layout.views(population.parameters[0][given.rows])
            learned = present - _parameter(start, name).flatten(2).numpy()
        lengths = np.sqrt(np.square(present).sum(2))[:, :, None] / np.sqrt(np.square(mu).sum(1))
        along = feature_coefficients(present, mu)
        found = {
            "coefficient": feature_coefficients(learned, mu),
            "cosine": np.divide(along, lengths, out=np.zeros_like(along), where=lengths > 0),
        }
        if self.output is not None:
            found["unit_class"] = self._unit_classes(given.parameters, present.shape[1])
        return {name: torch.from_numpy(values) for name, values in found.items()}

    def _features(self, population: Population) -> Numbers:
        if self.features is not None:
            return np.array(self.features, dtype=np.float64)
        spec = population.recipe.data
        if not isinstance(spec, Clustered):
            raise ValueError(
                f"{type(spec).__name__} has no features(); give the measurement features=((…), …), or use a data spec with "
                "a method features() that returns an array (cluster, *input)"
            )
        mu = np.asarray(spec.features(), dtype=np.float64)
        return mu.reshape(len(mu), -1)

    def _unit_classes(self, parameters: Parameters, units: int) -> NDArray[np.int64]:
        """Class that each unit speaks for, shape (row, unit)."""
        joins = _parameter(parameters, self.output or "").numpy()
        if joins.ndim > 3 or joins.shape[-1] != units:
            raise ValueError(
                f"{self.output!r} has shape {joins.shape[1:]}; expected (class, unit) or (unit,) with {units} units"
            )
        classes: NDArray[np.int64] = joins.argmax(1) if joins.ndim == 3 else (joins > 0).astype(np.int64)
        return classes


def _parameter(parameters: Parameters, name: str) -> torch.Tensor:
    """A named parameter of every row in double precision, shape (row, *shape)."""
    if name not in parameters:
        raise ValueError(f"the network has no parameter {name!r}; it has {', '.join(parameters)}")
    return parameters[name].double()
