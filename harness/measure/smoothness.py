"""How far an attack moves a network's outputs, and its loss.

"The concentration of examples around decision boundaries smoothens sudden changes induced by perturbations."  (Towards
Understanding the Regularization of Adversarial Robustness on Neural Networks, Key results.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness.measure import stacks
from harness.measure.attack import under_attack
from harness.measure.base import Measurement
from harness.measure.stacks import Epochs, Split, by_epoch, points_of
from harness.measure.walk import Given
from harness.models import loss_and_pull
from harness.population import Population
from harness.recipe import Threat

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


def changes(given: Given, moved: torch.Tensor) -> dict[str, torch.Tensor]:
    """Change of outputs and loss from every point to where it was moved, and whether its class changes; shape (row, point)."""
    before, after = (given.program.logits(given.parameters, x) for x in (given.inputs, moved))
    clean, bad = (loss_and_pull(logits, given.targets, pull=False)[0] for logits in (before, after))
    return {
        "output_change": (after - before).square().sum(1).sqrt(),
        "flips": (after.argmax(1) != before.argmax(1)).float(),
        "loss_change": bad - clean,
    }


@dataclass(frozen=True)
class ChangeUnderAttack(Measurement):
    """Change of outputs and loss from each point to its adversarial example.

    One row per member × epoch: output_change (mean ‖f(x′) − f(x)‖₂, in logits), loss_change (mean cross-entropy at x′ less that
    at x, nats), flips (share of points whose predicted class changes).

    Attributes:
        threat: the threat model of x′, searched by :func:`harness.measure.attack.pgd`.
        split: "test" or "train".
        points: how many (the first); None for all.
        epochs: "final" or "all".
        seed: names the random starts of the attack.
    """

    threat: Threat
    split: Split = "test"
    points: int | None = None
    epochs: Epochs = "final"
    seed: int = 0

    def __post_init__(self) -> None:
        stacks.require_choices(self, split=("train", "test"), epochs=("final", "all"))
        stacks.require_counts(self, "points")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "change under attack"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        import pandas as pd

        inputs, labels = points_of(data, self.split, self.points)

        def of_epoch(epoch: int) -> pd.DataFrame:
            found = under_attack(
                population, epoch, inputs, labels, changes, threat=self.threat, bounds=data.bounds,
                stream=("change under attack", self.split, self.seed), device=device,
            )  # fmt: skip
            columns = {name: torch.from_numpy(values).mean(1).numpy() for name, values in found.items()}
            return pd.DataFrame({"seed": population.seeds, "epoch": epoch} | columns)

        return by_epoch(population, self.epochs, of_epoch)
