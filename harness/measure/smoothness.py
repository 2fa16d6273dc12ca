"""How smooth networks are: gradients of outputs with respect to inputs, and how far an attack moves outputs and loss.

‖∇ₓf(x)‖₂ bounds how fast f changes under a small Euclidean perturbation, and ‖∇ₓf(x)‖₁, the dual norm, under a small L∞ one.
"Compute the maximum random gradient by generating 1000 random samples z_j ~ N(0, I_d/d) and computing
max_j ‖∇f(z_j)‖₂ for each NN."  (Adversarial Robustness Through Overparameterization, Experiment.)

"The concentration of examples around decision boundaries smoothens sudden changes induced by perturbations."  (Towards
Understanding the Regularization of Adversarial Robustness on Neural Networks, Key results.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from harness.measure import walk as stacks
from harness.measure.attack.attack import under_attack
from harness.measure.base import Measurement
from harness.measure.walk import Epochs, Given, Numbers, Split, by_epoch, per_point, points_of, random_points, summary
from harness.networks import Parameters, Program, loss_and_pull
from harness.networks.ascent import norms
from harness.population import Population
from harness.recipe import Threat, require

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


Function = Literal["decision", "outputs"]


def decision_pull(logits: torch.Tensor) -> torch.Tensor:
    """Gradient of the deciding quantity with respect to the logits, shape (row, class, point).

    With one output that is the output itself; with several classes it is the margin of the decision, the largest logit minus
    the second largest, which for two classes is ±(f₁ − f₀).
    """
    if logits.shape[1] == 1:
        return torch.ones_like(logits)
    order = logits.topk(2, dim=1).indices
    return torch.zeros_like(logits).scatter_(1, order[:, :1], 1.0).scatter_(1, order[:, 1:], -1.0)


def gradient_norms(
    program: Program, parameters: Parameters, inputs: torch.Tensor, *, of: Function = "decision"
) -> dict[str, torch.Tensor]:
    """‖∇ₓf‖₂ and ‖∇ₓf‖₁ of the decision or of every output at every point.

    Args:
        program: the stack's program.
        parameters: tensors of shape (row, *shape) by name.
        inputs: points, shape (row, *input, point).
        of: "decision" (see :func:`decision_pull`) or "outputs", each logit by itself.

    Returns:
        "l2" and "l1", tensors of shape (row, function, point), per unit of the inputs.
    """
    logits, pull_back = program.pullback(parameters, inputs)
    if of == "decision":
        pulls = [decision_pull(logits)]
    else:
        pulls = [torch.zeros_like(logits).index_fill_(1, torch.tensor(c, device=logits.device), 1.0)
                 for c in range(logits.shape[1])]  # fmt: skip
    found = [_both_norms(pull_back(pull)) for pull in pulls]  # one gradient at a time
    return {"l2": torch.stack([l2 for l2, _ in found], 1), "l1": torch.stack([l1 for _, l1 in found], 1)}


def _both_norms(gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return norms(gradient, "l2"), gradient.flatten(1, -2).abs().sum(1)


@dataclass(frozen=True)
class GradientNorms(Measurement):
    """Norms of input gradients at data points or at random ones.

    One row per member × epoch (× output, where ``of`` is "outputs") with the columns l2_max, l2_mean, l2_variance, l2_min,
    l2_q50, … and l1_max, …; by sample, one row a point with the columns sample, l2 and l1.

    Attributes:
        at: "random" (z ~ N(0, I/d), the same for every member), "train" or "test".
        points: how many of them (the first ones); None for all points of a split.
        of: "decision": the output of a network with one, else the largest logit minus the second largest; "outputs": every
            logit by itself, with a column "output".
        deviation: standard deviation of a coordinate of a random point; None for 1/√d.
        quantiles: which quantiles over the points.
        epochs: "final" or "all".
        by_sample: a row for every point.
        seed: names the random points.
    """

    at: Literal["random", "train", "test"] = "random"
    points: int | None = 1000
    of: Function = "decision"
    deviation: float | None = None
    quantiles: tuple[float, ...] = (0.5, 0.9)
    epochs: Epochs = "final"
    by_sample: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        stacks.require_choices(self, at=("random", "train", "test"), of=("decision", "outputs"), epochs=("final", "all"))
        stacks.require_counts(self, "points")
        stacks.require_quantiles(self)
        require(self.at != "random" or self.points is not None, self, "points", "a number where at is 'random'")
        require(self.deviation is None or self.deviation > 0, self, "deviation", "None or above 0")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "gradient norms"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        inputs = self._inputs(data)

        def norms_of(given: Given) -> dict[str, torch.Tensor]:
            return gradient_norms(given.program, given.parameters, given.inputs, of=self.of)

        def of_epoch(epoch: int) -> pd.DataFrame:
            return self._table(population.seeds, per_point(population, epoch, inputs, norms_of, device=device, copies=4))

        return by_epoch(population, self.epochs, of_epoch)

    def _inputs(self, data: Dataset) -> torch.Tensor:
        if self.at == "random":
            return random_points(data.train_x.shape[1:], self.points or 0, self.deviation, self.seed)
        return points_of(data, self.at, self.points)[0]

    def _table(self, seeds: tuple[int, ...], found: dict[str, Numbers]) -> pd.DataFrame:
        import pandas as pd

        columns = dict(found) if self.by_sample else {}
        for norm, values in found.items() if not self.by_sample else ():
            columns |= summary(values, norm, self.quantiles)
        index = np.indices(next(iter(columns.values())).shape).reshape(2 + self.by_sample, -1)
        table = pd.DataFrame({"seed": np.array(seeds)[index[0]]})
        if self.of == "outputs":
            table["output"] = index[1]
        if self.by_sample:
            table["sample"] = index[2]
        return table.assign(**{name: column.ravel() for name, column in columns.items()})


def changes(given: Given, moved: torch.Tensor) -> dict[str, torch.Tensor]:
    """Change of outputs and loss from every point to its perturbed one, and whether the class changes; shape (row, point)."""
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
        threat: the threat model of x′, searched by :func:`harness.measure.attack.attack.pgd`.
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
