"""The points that a network was trained on, adversarial examples included.

An adversarially trained network is no minimum of the clean loss.  What it was trained on are batches with a share of
adversarial examples, made for the parameters of the moment.  Here they are made once, for w*, by the recipe's own threat
model, and stay fixed: then the loss is an ordinary function of the parameters, and w* is near a minimum of it.
"""

from __future__ import annotations

import numpy as np
import torch

from harness.data.base import Dataset
from harness.measure.attack import COPIES
from harness.measure.base import Given, in_chunks
from harness.models.ascent import ascend, random_start
from harness.population import Population
from harness.recipe import Threat
from harness.streams import torch_generator


@torch.no_grad()
def training_points(population: Population, data: Dataset, points: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The first training points as the members of a population saw them.

    The first ``adversarial_share`` of the points is replaced, as it is in every batch (the data set is shuffled); for
    standard training nothing is.

    Args:
        population: trained networks; their last epoch is w*.
        data: the loaded data of the recipe.
        points: how many of the training points.
        seed: names the random starts of the attack; every member has its own.

    Returns:
        Inputs of shape (member, point, *input) and class numbers of shape (member, point).
    """
    regime, members = population.recipe.regime, len(population)
    clean, labels = torch.from_numpy(data.train_x[:points]), data.train_y[:points]
    x = clean.expand(members, *clean.shape).clone()
    count = round(regime.adversarial_share * len(clean))
    if (threat := regime.threat) is not None and count:

        def seen(given: Given, threat: Threat = threat) -> torch.Tensor:
            start = torch.zeros_like(given.inputs)
            radius = start.new_full((len(start), count), threat.epsilon)
            if threat.random_start:
                key, epoch = population.recipe.key, population.epochs[-1]
                streams = [torch_generator("training points", key, epoch, seed, owner) for owner in given.owners]
                start = random_start(start.shape, radius, threat.norm, streams)
            delta = ascend(
                given.program, given.parameters, given.inputs, given.targets, delta=start, radius=radius,
                step_sizes=[threat.relative_step / threat.steps] * threat.steps, norm=threat.norm, bounds=data.bounds,
            )  # fmt: skip
            return (given.inputs + delta).movedim(-1, 1)

        x[:, :count] = in_chunks(population, clean[:count], labels[:count], "cpu", seen, copies=COPIES)
    return x.numpy(), np.repeat(labels[None], members, 0)
