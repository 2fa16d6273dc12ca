"""Accuracy under AutoAttack at several radii."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from harness.measure import stacks
from harness.measure.arguments import require_norm
from harness.measure.autoattack import ATTACKS, AutoAttackSpec, outcomes
from harness.measure.base import Measurement
from harness.measure.stacks import Epochs, Split, by_epoch, points_of
from harness.measure.survivors import Ball
from harness.population import Population
from harness.progress import parts
from harness.recipe import Norm, require

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


@dataclass(frozen=True)
class AutoAttack(Measurement):
    """Robust accuracy under AutoAttack (:func:`harness.measure.autoattack.autoattack`), at one or all epochs.

    One row per member × epoch × radius with the columns epsilon, accuracy (clean), robust_accuracy (after all four attacks) and
    the accuracy after each of the attacks up to there: apgd_ce, apgd_t, fab_t, square (the same as robust_accuracy).

    Attributes:
        epsilons: radii, rising, in the units of the data.
        norm: "linf" or "l2".
        spec: the attacks' settings; AutoAttack's own by default.
        split: "test" or "train".
        points: how many points (the first); None for all.
        epochs: "final" or "all".
        seed: names the random streams.
    """

    epsilons: tuple[float, ...] = (2.0,)
    norm: Norm = "linf"
    spec: AutoAttackSpec = field(default_factory=AutoAttackSpec)
    split: Split = "test"
    points: int | None = None
    epochs: Epochs = "final"
    seed: int = 0

    def __post_init__(self) -> None:
        require_norm(self)
        stacks.require_choices(self, split=("train", "test"), epochs=("final", "all"))
        stacks.require_counts(self, "points")
        rising = all(one < other for one, other in zip(self.epsilons, self.epsilons[1:], strict=False))
        sane = bool(self.epsilons) and rising and self.epsilons[0] >= 0 and math.isfinite(self.epsilons[-1])
        require(sane, self, "epsilons", "one or more finite radii from 0, each above the last")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "accuracy under AutoAttack"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        return by_epoch(population, self.epochs, lambda epoch: self._epoch(population, epoch, data, device))

    def _epoch(self, population: Population, epoch: int, data: Dataset, device: str) -> pd.DataFrame:
        import pandas as pd

        inputs, labels = points_of(data, self.split, self.points)
        at = Population(population.recipe, population.seeds, {epoch: population.parameters[epoch]})
        tables = []
        for epsilon in parts(self.epsilons):
            ball = Ball(self.norm, float(epsilon), data.bounds)
            outcome = outcomes(at, inputs.movedim(-1, 0), labels, ball, self.spec, seed=self.seed, device=device)
            accuracy = {"accuracy": (outcome != "clean").mean(1), "robust_accuracy": (outcome == "robust").mean(1)}
            for number, attack in enumerate(ATTACKS):
                standing = np.isin(outcome, ["robust", *ATTACKS[number + 1 :]])
                accuracy[attack.replace("-", "_")] = standing.mean(1)
            tables.append(pd.DataFrame({"seed": population.seeds, "epsilon": epsilon} | accuracy))
        return pd.concat(tables, ignore_index=True)
