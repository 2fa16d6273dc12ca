"""Robustness of members: clean accuracy, attack success rates and smallest perturbations of the held-out points."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from harness.measure.arguments import Norm, require_epochs, require_norm, require_points
from harness.measure.attack.attack import NORMS, PerturbationSpec, smallest_perturbation
from harness.measure.base import Measurement
from harness.measure.walk import Epochs, by_epoch
from harness.population import Population
from harness.recipe import require

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


@dataclass(frozen=True)
class Robustness(Measurement):
    """Smallest perturbation of the held-out points, at one or all epochs.

    One row per member × epoch: accuracy (clean), attack success rate at every threshold (columns "asr_2", …: the share of
    points whose smallest perturbation lies below it), the median smallest perturbation, and the share that was never
    flipped (censored).

    Attributes:
        thresholds: sizes at which the attack success rate is read off.
        norm: "linf", "l2", "l1" or "l0" (how many values of the input are changed; for data with bounds).
        spec: how the smallest perturbation is searched for.
        epochs: "final" or "all".
        points: None for all held-out points, or how many of them (the first).
        by_sample: one row per member × epoch × point instead, with columns "sample" and "perturbation".
    """

    thresholds: tuple[float, ...] = (2.0, 3.0)
    norm: Norm = "linf"
    spec: PerturbationSpec = field(default_factory=PerturbationSpec)
    epochs: Epochs = "final"
    points: int | None = None
    by_sample: bool = False

    def __post_init__(self) -> None:
        require_norm(self, NORMS)
        require_epochs(self)
        require(self.points is None or self.points >= 1, self, "points", "None (all) or 1 or more")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "smallest perturbations"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        require_points(self.points, len(data.test_x), f"held-out points of {data.name}")
        x, y = data.test_x[: self.points], data.test_y[: self.points]

        def of_epoch(epoch: int) -> pd.DataFrame:
            at = Population(population.recipe, population.seeds, {epoch: population.parameters[epoch]})
            sizes = smallest_perturbation(at, x, y, norm=self.norm, spec=self.spec, bounds=data.bounds, device=device)
            return self._table(population.seeds, epoch, sizes)

        return by_epoch(population, self.epochs, of_epoch)

    def _table(self, seeds: tuple[int, ...], epoch: int, sizes: np.ndarray) -> pd.DataFrame:
        import pandas as pd

        if self.by_sample:
            members, points = np.indices(sizes.shape)
            columns = {"seed": np.array(seeds)[members.ravel()], "sample": points.ravel(), "perturbation": sizes.ravel()}
            return pd.DataFrame(columns).assign(epoch=epoch)
        columns = {
            "seed": np.array(seeds),
            "accuracy": (sizes > 0).mean(1),
            "censored": np.isinf(sizes).mean(1),
            "median_perturbation": np.median(sizes, axis=1),
        }
        rates = {f"asr_{threshold:g}": (sizes < threshold).mean(1) for threshold in self.thresholds}
        return pd.DataFrame(columns | rates).assign(epoch=epoch)
