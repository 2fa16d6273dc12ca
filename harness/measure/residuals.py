"""How closely a network fits real targets.

A network has memorised its points at a threshold if every |f(x_i) − y_i| lies below it.  ("Formally, f(x_i) = y_i for all
(x_i, y_i) in the training set"; "ε = 0.1 for thresholding": Adversarial Robustness Through Overparameterization.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness.measure import walk as stacks
from harness.measure.base import Measurement
from harness.measure.walk import Epochs, Given, Split, by_epoch, per_point, points_of
from harness.population import Population

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


@dataclass(frozen=True)
class Residuals(Measurement):
    """Distances of a network's outputs from real targets.

    One row per member × epoch: residual_max and residual_rms (of |f(x) − y| over points and outputs, in the units of the
    targets), right (share of outputs with the sign of their target; an output of 0 is wrong).

    Attributes:
        split: "train" or "test".
        points: how many (the first); None for all.
        epochs: "final" or "all".
    """

    split: Split = "train"
    points: int | None = None
    epochs: Epochs = "final"

    def __post_init__(self) -> None:
        stacks.require_choices(self, split=("train", "test"), epochs=("final", "all"))
        stacks.require_counts(self, "points")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "residuals"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`.

        Raises:
            ValueError: the data have class numbers instead of real targets.
        """
        import pandas as pd

        inputs, given = points_of(data, self.split, self.points)
        if not given.is_floating_point():
            raise ValueError(f"{data.name} has class numbers; a residual needs real targets")
        wanted = population.program.encode(given)[None].double().numpy()

        def logits(given: Given) -> dict[str, torch.Tensor]:
            return {"f": given.program.logits(given.parameters, given.inputs)}

        def of_epoch(epoch: int) -> pd.DataFrame:
            outputs = per_point(population, epoch, inputs, logits, device=device)["f"]
            distance = abs(outputs - wanted).reshape(len(outputs), -1)
            return pd.DataFrame({
                "seed": population.seeds, "epoch": epoch, "residual_max": distance.max(1),
                "residual_rms": (distance**2).mean(1) ** 0.5, "right": (outputs * wanted > 0).mean((1, 2)),
            })  # fmt: skip

        return by_epoch(population, self.epochs, of_epoch)
