"""Margins: the right logit minus the largest wrong one, and how far away the boundary of the linearised network is.

margin(x, y) = f_y(x) − max_{i≠y} f_i(x)  (Towards Understanding the Regularization of Adversarial Robustness on Neural
Networks, Theorem 3.1, the example of a margin).  Its linearisation crosses zero at the distance margin ÷ ‖∇ₓmargin‖_dual
(Elsayed et al. 2018, arXiv:1803.05598, eq. 4), where the dual of L2 is L2 and that of L∞ is L1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.measure import walk as stacks
from harness.measure.base import Measurement
from harness.measure.walk import Epochs, Given, Numbers, Split, by_epoch, by_split, per_point, points_of, summary
from harness.networks import Parameters, Program
from harness.networks.ascent import margin, norms, objective_gradient
from harness.population import Population
from harness.recipe import Norm, require

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


def margins(
    program: Program, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, *, norm: Norm = "l2"
) -> dict[str, torch.Tensor]:
    """Margin, the dual norm of its gradient, and their quotient at every point.

    Args:
        program: the stack's program.
        parameters: tensors of shape (row, *shape) by name.
        inputs: points, shape (row, *input, point).
        targets: encoded targets, shape (row or 1, class, point).
        norm: in which the distance to the boundary is measured, "l2" or "linf".

    Returns:
        Tensors of shape (row, point): "margin" (in logits), "slope" (logits per unit of the inputs) and "distance" (units of
        the inputs), negative where the point is misclassified; where the slope is 0 there is no boundary, and the
        distance is infinite with the margin's sign (0 where the margin is 0).

    Raises:
        ValueError: the network has fewer than two classes.
    """
    if program.classes < 2:
        raise ValueError(f"a margin needs two or more classes; this network has {program.classes}")
    logits, pull_back = program.pullback(parameters, inputs)
    value = margin(logits, targets)
    gradient = pull_back(objective_gradient(logits, targets, "margin"))
    slope = norms(gradient, "l2") if norm == "l2" else gradient.flatten(1, -2).abs().sum(1)
    return {"margin": value, "slope": slope, "distance": torch.where(value == 0, 0.0, value / slope)}


@dataclass(frozen=True)
class Margins(Measurement):
    """Margins of training and test points.

    One row per member × epoch × split: margin_mean, margin_variance, margin_max, margin_min, margin_q5, …; below (share of
    points with a margin below the threshold), indecisive (share of points that are misclassified by a margin of less than
    the threshold); distance_mean, … of the finite distances to the linearised boundary, flat (share of points whose
    margin has no slope, and so no such distance; where all are flat the distances are missing).  A margin of 0 counts as
    misclassified.  By sample: one row a point with sample, label, margin, slope, distance.

    Attributes:
        splits: "train", "test" or both.
        points: how many of each split (the first); None for all.
        threshold: a small margin, in logits.
        norm: of the distance, "l2" or "linf".
        quantiles: which quantiles over the points.
        epochs: "final" or "all".
        by_sample: a row for every point.
    """

    splits: tuple[Split, ...] = ("train", "test")
    points: int | None = None
    threshold: float = 1.0
    norm: Norm = "l2"
    quantiles: tuple[float, ...] = (0.05, 0.5, 0.95)
    epochs: Epochs = "final"
    by_sample: bool = False

    def __post_init__(self) -> None:
        stacks.require_splits(self)
        stacks.require_choices(self, norm=("l2", "linf"), epochs=("final", "all"))
        stacks.require_counts(self, "points")
        stacks.require_quantiles(self)
        require(self.threshold > 0, self, "threshold", "above 0")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "margins"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""

        def measure(given: Given) -> dict[str, torch.Tensor]:
            return margins(given.program, given.parameters, given.inputs, given.targets, norm=self.norm)

        def of_split(split: Split) -> pd.DataFrame:
            inputs, labels = points_of(data, split, self.points)

            def of_epoch(epoch: int) -> pd.DataFrame:
                found = per_point(population, epoch, inputs, measure, labels=labels, device=device, copies=4)
                return (self._samples if self.by_sample else self._summaries)(population.seeds, found, labels.numpy())

            return by_epoch(population, self.epochs, of_epoch)

        return by_split(self.splits, of_split)

    def _samples(self, seeds: tuple[int, ...], found: dict[str, Numbers], labels: np.ndarray) -> pd.DataFrame:
        import pandas as pd

        members, points = np.indices(found["margin"].shape).reshape(2, -1)
        columns = {"seed": np.array(seeds)[members], "sample": points, "label": labels[points]}
        return pd.DataFrame(columns).assign(**{name: values.ravel() for name, values in found.items()})

    def _summaries(self, seeds: tuple[int, ...], found: dict[str, Numbers], labels: np.ndarray) -> pd.DataFrame:
        import pandas as pd

        value, steep = found["margin"], found["slope"] > 0
        shares = {
            "below": (value < self.threshold).mean(1),
            "indecisive": ((value <= 0) & (value > -self.threshold)).mean(1),
            "flat": 1 - steep.mean(1),
        }
        table = pd.DataFrame({"seed": seeds} | summary(value, "margin", self.quantiles) | shares)
        rows = [
            {name: float(column) for name, column in summary(sizes[chosen], "distance", self.quantiles).items()}
            if chosen.any() else {}
            for sizes, chosen in zip(found["distance"], steep, strict=True)
        ]  # fmt: skip
        columns = summary(np.zeros((1, 1)), "distance", self.quantiles)
        return pd.concat([table, pd.DataFrame(rows, columns=list(columns), dtype=float)], axis=1)
