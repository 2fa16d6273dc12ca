"""The quantities of a generalisation bound by margins: u_min, σ_min, v_min, and the bound itself.

    GE(l_γ ∘ T) ≤ max{0, 1 − u_min/γ} + √((2 log 2 · N + 2 log(1/η)) / m),
    u_min = min_{y≠ŷ} ‖w_y − w_ŷ‖₂ · Π_{i<L} σ_min(W_i) · v_min,

with w_y the rows of the last weight matrix, σ_min the smallest singular value of each earlier one, v_min the smallest distance
of a training point from the decision boundary, N the covering number of the instance space, l_γ the ramp loss, and GE the
difference of its means over training and test points.  (Towards Understanding the Regularization of Adversarial Robustness on
Neural Networks, Theorem 3.1.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.measure import stacks
from harness.measure.attack import smallest_perturbation
from harness.measure.base import Measurement
from harness.measure.margins import margins
from harness.measure.minimum_norm import PerturbationSpec
from harness.measure.spectra import stacked_spectrum, weight_matrices
from harness.measure.stacks import Numbers, Split, per_member, per_point, points_of
from harness.measure.walk import Given
from harness.population import Population
from harness.recipe import require

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


def ramp_loss(margin: Numbers, gamma: float) -> Numbers:
    """l_γ: 1 below a margin of 0, 0 above γ, straight between them."""
    return np.clip(1 - margin / gamma, 0, 1)


def weight_factor(weights: list[torch.Tensor]) -> tuple[float, float, float]:
    """What the weights contribute to u_min.

    Args:
        weights: one network's matrices from the input to the output, (output, …) each; kernels count as matrices.

    Returns:
        min_{y≠ŷ} ‖w_y − w_ŷ‖₂, the product of the earlier layers' smallest singular values, and the smallest of these.
    """
    last = weights[-1].flatten(1)
    gap = float(torch.nn.functional.pdist(last).min())
    smallest = [float(stacked_spectrum(weight.flatten(1)[None])[0, -1]) for weight in weights[:-1]]
    return gap, math.prod(smallest), min(smallest, default=math.inf)


@dataclass(frozen=True)
class MarginBound(Measurement):
    """Theorem 3.1's quantities beside what they bound.

    One row per member: class_gap (min ‖w_y − w_ŷ‖), sigma_product and sigma_min (smallest singular values of the layers
    below the last), v_min (smallest L2 perturbation found of a training point, so an upper bound of the true one; 0 where one
    is misclassified), u_min, feature_margin (smallest margin f_y − max f_i of a training point), generalisation (|mean ramp
    loss on test points − on training points|), first_term, second_term, bound, within (generalisation ≤ bound), informative
    (bound below 1, which a ramp loss cannot exceed anyway).

    Attributes:
        gamma: γ of the ramp loss, in logits.
        eta: the bound holds with probability 1 − η.
        covering: N; 1 is the smallest that there is, and gives the smallest bound.
        points: training points whose distance from the boundary is searched (the first); None for all.
        spec: how.
        seed: names the random starts of the search.
    """

    gamma: float = 1.0
    eta: float = 0.05
    covering: float = 1.0
    points: int | None = 64
    spec: PerturbationSpec = field(default_factory=PerturbationSpec)
    seed: int = 0

    def __post_init__(self) -> None:
        stacks.require_counts(self, "points")
        require(self.gamma > 0, self, "gamma", "above 0")
        require(0 < self.eta < 1, self, "eta", "above 0 and below 1")
        require(self.covering >= 1, self, "covering", "1 or more")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "margin bound"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        import pandas as pd

        size = len(data.train_x)
        chosen = data.train_x[: self.points], data.train_y[: self.points]
        distances = smallest_perturbation(
            population, *chosen, norm="l2", spec=self.spec, bounds=data.bounds, seed=self.seed, device=device
        )
        splits = {split: self._margins(population, data, split, device) for split in ("train", "test")}
        second = math.sqrt((2 * math.log(2) * self.covering + 2 * math.log(1 / self.eta)) / size)
        weights = per_member(population, population.epochs[-1], _weight_factors, states=3)
        rows = []
        for row, seed in enumerate(population.seeds):
            train, test = splits["train"][row], splits["test"][row]
            gap, product, sigma = weights["gap"][row], weights["product"][row], weights["smallest"][row]
            v_min = 0.0 if train.min() <= 0 else float(distances[row].min())
            u_min = gap * product * v_min
            first = max(0.0, 1 - u_min / self.gamma)
            error = abs(float(ramp_loss(test, self.gamma).mean() - ramp_loss(train, self.gamma).mean()))
            rows.append({
                "seed": seed, "epoch": population.epochs[-1], "class_gap": gap, "sigma_product": product, "sigma_min": sigma,
                "v_min": v_min, "u_min": u_min, "feature_margin": float(train.min()), "generalisation": error,
                "first_term": first, "second_term": second, "bound": first + second, "within": error <= first + second,
                "informative": first + second < 1,
            })  # fmt: skip
        return pd.DataFrame(rows)

    def _margins(self, population: Population, data: Dataset, split: Split, device: str) -> Numbers:
        """Margin of every point, shape (member, point)."""
        inputs, labels = points_of(data, split, None)
        found = per_point(population, population.epochs[-1], inputs, _margins, labels=labels, device=device, copies=4)
        return found["margin"]


def _margins(given: Given) -> dict[str, torch.Tensor]:
    return {"margin": margins(given.program, given.parameters, given.inputs, given.targets)["margin"]}


def _weight_factors(given: Given) -> dict[str, torch.Tensor]:
    """:func:`weight_factor` of every row, shape (row,)."""
    names = weight_matrices(given.program)
    found = [weight_factor([given.parameters[name][row] for name in names]) for row in range(len(given.owners))]
    columns = torch.tensor(found, dtype=torch.float64).T
    return dict(zip(("gap", "product", "smallest"), columns, strict=True))
