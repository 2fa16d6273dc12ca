"""The points that a network was trained on, adversarial examples included.

An adversarially trained network is no minimum of the clean loss.  What it was trained on are batches with a share of
adversarial examples, made for the parameters of the moment.  Here they are made once, for w*, by the recipe's own threat
model, and stay fixed: then the loss is an ordinary function of the parameters, and w* is near a minimum of it.
"""

from __future__ import annotations

import numpy as np
import torch

from harness.data.base import Dataset
from harness.models import encode
from harness.models.ascent import ascend, random_start
from harness.population import Population
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
    regime, program, members = population.recipe.regime, population.program, len(population)
    clean = torch.from_numpy(data.train_x[:points])
    labels = np.repeat(data.train_y[None, :points], members, 0)
    x = clean.movedim(0, -1).expand(members, *clean.shape[1:], -1).clone()
    count = round(regime.adversarial_share * x.shape[-1])
    if (threat := regime.threat) is not None and count:
        start = x[..., :count].contiguous()
        radius = start.new_full((members, count), threat.epsilon)
        key, epoch = population.recipe.key, population.epochs[-1]
        streams = [torch_generator("training points", key, epoch, seed, member) for member in population.seeds]
        delta = random_start(start.shape, radius, threat.norm, streams) if threat.random_start else torch.zeros_like(start)
        x[..., :count] += ascend(
            program, program.layout.views(population.final.cpu()), start,
            encode(torch.from_numpy(labels[:, :count]), data.classes), delta=delta, radius=radius,
            step_sizes=[threat.relative_step / threat.steps] * threat.steps, norm=threat.norm, bounds=data.bounds,
        )  # fmt: skip
    return x.movedim(-1, 1).contiguous().numpy(), labels
