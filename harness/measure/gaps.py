"""Accuracy and loss on training and test points, clean and under attack, and the gaps between them.

The generalisation gap of the error is (test error − training error), that of the loss (test loss − training loss); under a
threat model both are taken on adversarial examples (Madry et al. 2018, arXiv:1706.06083, eq. 2.1; the robust
generalisation gap of Theoretical Understanding of Adversarial Examples: Expressive Power and Training Dynamics).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness.measure import stacks
from harness.measure.attack import pgd
from harness.measure.base import Measurement
from harness.measure.stacks import POINTS_AT_A_TIME, Epochs, Numbers, Split, by_epoch, per_point, points_of
from harness.models import Parameters, Program, loss_and_pull
from harness.models.ascent import margin
from harness.population import Population
from harness.recipe import Threat, require
from harness.streams import sequence

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


def right_and_loss(
    program: Program, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Whether every point is classified rightly ("accuracy", 0 or 1; a tie is not) and its cross-entropy ("loss", nats).

    Args:
        program: the stack's program.
        parameters: tensors of shape (row, *shape) by name.
        inputs: points, shape (row, *input, point).
        targets: encoded targets, shape (row or 1, class, point).

    Returns:
        Tensors of shape (row, point).

    Raises:
        ValueError: the network has fewer than two classes.
    """
    if program.classes < 2:
        raise ValueError(f"accuracy needs two or more classes; this network has {program.classes}")
    logits = program.logits(parameters, inputs)
    right = margin(logits, targets) > 0
    return {"accuracy": right.to(logits.dtype), "loss": loss_and_pull(logits, targets, pull=False)[0]}


def accuracy_and_loss(
    population: Population, epoch: int, inputs: torch.Tensor, labels: torch.Tensor, device: str
) -> dict[str, Numbers]:
    """Clean "accuracy" and mean "loss" of every member, shape (member,).

    Args:
        population: the members.
        epoch: at which kept epoch.
        inputs: points, shape (*input, point).
        labels: class numbers, shape (point,).
        device: "cpu" or "cuda".
    """
    program = population.program
    targets = program.encode(labels)[None].to(device)
    found = per_point(
        program, population.parameters[epoch], inputs,
        lambda parameters, x, block: right_and_loss(program, parameters, x, targets[..., block]), device=device,
    )  # fmt: skip
    return {name: values.mean(1) for name, values in found.items()}


@dataclass(frozen=True)
class Accuracy(Measurement):
    """Clean accuracy, without an attack: one row per member × epoch with the columns accuracy and loss (nats).

    Attributes:
        split: "test" or "train".
        points: how many points (the first); None for all.
        epochs: "all" kept ones or "final".
    """

    split: Split = "test"
    points: int | None = None
    epochs: Epochs = "all"

    def __post_init__(self) -> None:
        stacks.require_choices(self, split=("train", "test"), epochs=("final", "all"))
        stacks.require_counts(self, "points")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "accuracy"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        import pandas as pd

        inputs, labels = points_of(data, self.split, self.points)

        def of_epoch(epoch: int) -> pd.DataFrame:
            return pd.DataFrame({"seed": population.seeds} | accuracy_and_loss(population, epoch, inputs, labels, device))

        return by_epoch(population, self.epochs, of_epoch)


@dataclass(frozen=True)
class Gaps(Measurement):
    """Accuracy and loss on training and on test points, and their differences.

    One row per member × epoch: train_accuracy, test_accuracy, error_gap (test error − training error), train_loss, test_loss,
    loss_gap (test − training); under a threat also robust_train_accuracy, robust_test_accuracy, robust_error_gap,
    robust_train_loss, robust_test_loss, robust_loss_gap, at the worse of clean point and adversarial example.  Losses are
    cross-entropies in nats.

    Attributes:
        threat: None, or the threat model of the columns "robust_…", searched by :func:`harness.measure.attack.pgd`.
        points: how many of each split (the first); None for all.
        epochs: "final" or "all".
        seed: names the random starts of the attack.
    """

    threat: Threat | None = None
    points: int | None = None
    epochs: Epochs = "final"
    seed: int = 0

    def __post_init__(self) -> None:
        stacks.require_choices(self, epochs=("final", "all"))
        stacks.require_counts(self, "points")
        same = self.threat is None or (self.threat.relative_step == 2.5 and self.threat.random_start)
        require(same, self, "threat", "None or a Threat with relative_step=2.5 and random_start=True, which is what pgd does")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "train and test gaps"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        return by_epoch(population, self.epochs, lambda epoch: self._epoch(population, epoch, data, device))

    def _epoch(self, population: Population, epoch: int, data: Dataset, device: str) -> pd.DataFrame:
        import pandas as pd

        columns: dict[str, Numbers] = {}
        for kind in ("", "robust_") if self.threat else ("",):
            for split in ("train", "test"):
                found = self._split(population, epoch, data, split, kind, device)
                columns |= {f"{kind}{split}_{name}": values for name, values in found.items()}
            columns[f"{kind}error_gap"] = columns[f"{kind}train_accuracy"] - columns[f"{kind}test_accuracy"]
            columns[f"{kind}loss_gap"] = columns[f"{kind}test_loss"] - columns[f"{kind}train_loss"]
        return pd.DataFrame({"seed": population.seeds} | columns)

    def _split(
        self, population: Population, epoch: int, data: Dataset, split: Split, kind: str, device: str
    ) -> dict[str, Numbers]:
        if not kind or self.threat is None:
            inputs, labels = points_of(data, split, self.points)
            return accuracy_and_loss(population, epoch, inputs, labels, device)
        return self._attacked(population, epoch, data, split, self.threat, device)

    def _attacked(
        self, population: Population, epoch: int, data: Dataset, split: Split, threat: Threat, device: str
    ) -> dict[str, Numbers]:
        """As :func:`accuracy_and_loss` at the worse of clean point and adversarial example; every block has its own streams."""
        inputs, labels = points_of(data, split, self.points)
        program = population.program
        at = Population(population.recipe, population.seeds, {epoch: population.parameters[epoch]})
        parameters = program.layout.views(at.final.to(device))
        parts: list[dict[str, torch.Tensor]] = []
        for number, begin in enumerate(range(0, len(labels), POINTS_AT_A_TIME)):
            block = slice(begin, begin + POINTS_AT_A_TIME)
            stream = int(sequence("gaps", split, self.seed, number).generate_state(1)[0])
            moved = pgd(
                at, inputs[..., block].movedim(-1, 0), labels[block], epsilon=threat.epsilon, norm=threat.norm,
                steps=threat.steps, bounds=data.bounds, seed=stream, device=device,
            )  # fmt: skip
            x, targets = moved.movedim(1, -1).contiguous(), program.encode(labels[block])[None].to(device)
            bad = right_and_loss(program, parameters, x, targets)
            clean = right_and_loss(program, parameters, inputs[None, ..., block].to(device).expand(x.shape), targets)
            worse = {"accuracy": torch.minimum, "loss": torch.maximum}
            parts.append({name: worst(clean[name], bad[name]) for name, worst in worse.items()})
        return {name: torch.cat([part[name] for part in parts], 1).double().cpu().numpy().mean(1) for name in parts[0]}
