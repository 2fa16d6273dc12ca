"""Accuracy and loss on training and test points, clean and under attack, and the gaps between them.

The generalisation gap of the error is (test error − training error), that of the loss (test loss − training loss); under a
threat model both are taken on adversarial examples (Madry et al. 2018, arXiv:1706.06083, eq. 2.1; the robust
generalisation gap of Theoretical Understanding of Adversarial Examples: Expressive Power and Training Dynamics).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness.measure import walk as stacks
from harness.measure.attack.attack import under_attack
from harness.measure.base import Measurement
from harness.measure.walk import Epochs, Given, Numbers, Split, by_epoch, per_point, points_of
from harness.networks import Parameters, Program, loss_and_pull
from harness.networks.ascent import Bounds, margin
from harness.population import Population
from harness.progress import parts
from harness.recipe import Threat

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

    def clean(given: Given) -> dict[str, torch.Tensor]:
        return right_and_loss(given.program, given.parameters, given.inputs, given.targets)

    found = per_point(population, epoch, inputs, clean, labels=labels, device=device)
    return {name: values.mean(1) for name, values in found.items()}


def worse_accuracy_and_loss(
    population: Population, epoch: int, inputs: torch.Tensor, labels: torch.Tensor, threat: Threat, *, bounds: Bounds,
    stream: tuple[str, str, int], device: str,
) -> dict[str, Numbers]:  # fmt: skip
    """As :func:`accuracy_and_loss`, at the worse of clean point and adversarial example; every block has its own streams."""
    worse = {"accuracy": torch.minimum, "loss": torch.maximum}

    def attacked(given: Given, moved: torch.Tensor) -> dict[str, torch.Tensor]:
        clean, bad = (right_and_loss(given.program, given.parameters, x, given.targets) for x in (given.inputs, moved))
        return {name: worst(clean[name], bad[name]) for name, worst in worse.items()}

    found = under_attack(
        population, epoch, inputs, labels, attacked, threat=threat, bounds=bounds, stream=stream, device=device
    )
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
        threat: None, or the threat model of the columns "robust_…", searched by :func:`harness.measure.attack.attack.pgd`.
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
        splits: tuple[Split, ...] = ("train", "test")
        for kind in parts(("", "robust_") if self.threat else ("",)):
            for split in parts(splits):
                found = self._split(population, epoch, data, split, kind, device)
                columns |= {f"{kind}{split}_{name}": values for name, values in found.items()}
            columns[f"{kind}error_gap"] = columns[f"{kind}train_accuracy"] - columns[f"{kind}test_accuracy"]
            columns[f"{kind}loss_gap"] = columns[f"{kind}test_loss"] - columns[f"{kind}train_loss"]
        return pd.DataFrame({"seed": population.seeds} | columns)

    def _split(
        self, population: Population, epoch: int, data: Dataset, split: Split, kind: str, device: str
    ) -> dict[str, Numbers]:
        inputs, labels = points_of(data, split, self.points)
        if not kind or self.threat is None:
            return accuracy_and_loss(population, epoch, inputs, labels, device)
        return worse_accuracy_and_loss(
            population, epoch, inputs, labels, self.threat, bounds=data.bounds, stream=("gaps", split, self.seed), device=device
        )
