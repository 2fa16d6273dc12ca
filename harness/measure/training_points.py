"""The points that a network was trained on, adversarial examples included.

An adversarially trained network is not at a minimum of the clean loss.  It was trained on batches with a share of adversarial
examples, made for the parameters of the moment.  Here they are made once, for w*, by the recipe's own threat model, and then
held fixed: so the loss is an ordinary function of the parameters, and w* is near a minimum of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from harness.data.base import Dataset
from harness.measure.arguments import require_points
from harness.measure.attack.attack import COPIES, perturbation
from harness.measure.base import Given, in_chunks
from harness.measure.views import View
from harness.population import Population
from harness.recipe import Threat, require
from harness.spec import is_whole
from harness.streams import torch_generator


@dataclass(frozen=True)
class TrainingPoints(View):
    """Data whose training points are the first ones, as each member was trained on them.

    The first ``adversarial_share`` of the points is replaced by adversarial examples, as in every batch (the data set is
    shuffled); for standard training nothing is replaced.  Every member has its own adversarial examples at every epoch.

    Attributes:
        points: how many training points (the first).
        seed: names the random starts of the attack; every member has its own.
    """

    points: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        require(is_whole(self.points) and self.points >= 1, self, "points", "1 or more")

    @property
    def name(self) -> str:
        """See :attr:`View.name`."""
        return "points as trained on"

    def apart(self, population: Population, epochs: Sequence[int]) -> Sequence[Population]:
        """See :meth:`View.apart`: every member separately, at every epoch."""
        if population.recipe.regime.threat is None:
            return [population]
        each = [population.select((seed,)) for seed in population.seeds]
        return [
            Population(own.recipe, own.seeds, {epoch: own.parameters[epoch]}) for epoch in epochs for own in each
        ]  # fmt: skip

    def of(self, population: Population, data: Dataset) -> tuple[Population, Dataset]:
        """See :meth:`View.of`."""
        require_points(self.points, len(data.train_x), f"training points of {data.name}")
        x, y = data.train_x[: self.points], data.train_y[: self.points]
        if population.recipe.regime.threat is not None:
            x = training_points(population, data, self.points, self.seed)[0].numpy()
        seen = Dataset.of(
            f"{data.name} as trained on", (x, y), (data.test_x, data.test_y), classes=data.classes, bounds=data.bounds,
            provenance=data.provenance,
        )  # fmt: skip
        return population, seen


def training_points(population: Population, data: Dataset, points: int, seed: int = 0) -> torch.Tensor:
    """The first training inputs as the members of a population saw them, shape (member, point, *input).

    Args:
        population: trained networks; their last epoch is w*.
        data: the loaded data of the recipe.
        points: how many of the training points.
        seed: names the random starts of the attack; every member has its own.
    """
    regime, members = population.recipe.regime, len(population)
    clean, labels = torch.from_numpy(data.train_x[:points]), data.train_y[:points]
    x = clean.expand(members, *clean.shape).clone()
    count = round(regime.adversarial_share * len(clean))
    if (threat := regime.threat) is not None and count:
        key, epoch = population.recipe.drawn_key, population.epochs[-1]

        def seen(given: Given, threat: Threat = threat) -> torch.Tensor:
            streams = [torch_generator("training points", key, epoch, seed, owner) for owner in given.owners]
            return (given.inputs + perturbation(given, threat, streams, data.bounds)).movedim(-1, 1)

        x[:, :count] = in_chunks(population, clean[:count], labels[:count], "cpu", seen, copies=COPIES)
    return x
