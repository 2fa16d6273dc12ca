"""What a measurement is, and the steps that its instruments share: device, models and points, chunks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.device import resolve
from harness.measure.arguments import points_of, require_bounds
from harness.measure.door import Models, enter
from harness.measure.reference import Need
from harness.measure.targets import class_numbers
from harness.measure.walk import Given, Stack, walk
from harness.networks.ascent import Bounds
from harness.networks.combined import BinaryProgram
from harness.networks.given import Output
from harness.population import Population
from harness.progress import parts, under_way

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset

__all__ = ["Given", "Measurement", "Models", "in_chunks", "through_door"]


@dataclass(frozen=True)
class Measurement(ABC):
    """A spec and its pure function: population → tidy table.

    A table has one row per member (× checkpoint × layer scope × sample) and the columns "seed" and "epoch"; the row of a
    member depends on nothing but that member, so that tables of parts of a population can be joined, and stored.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Short name for progress lines and the store."""

    @abstractmethod
    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """Measure every member."""

    def run_each(self, seen: Sequence[Callable[[], tuple[Population, Dataset]]], device: str) -> pd.DataFrame:
        """Measure the members of several populations, each on data of its own, one population after the other.

        Args:
            seen: make a population and its data, so that not all of them have to be held at a time.
            device: "cpu" or "cuda".
        """
        import pandas as pd

        tables = [self.run(*make(), device) for make in parts(seen)]
        return pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]


def resolved(device: str | torch.device) -> str:
    """The device that an instrument is to run on; it has to exist."""
    return resolve(device.type if isinstance(device, torch.device) else device)


def through_door(
    models: Models, inputs: np.ndarray | torch.Tensor, targets: np.ndarray | torch.Tensor, *, bounds: Bounds = None,
    output: Output | None = None, need: Need = "inputs",
) -> Stack:  # fmt: skip
    """Models whose program is shown to compute what they compute, and points, ready to be walked over.

    Args:
        models: one ``nn.Module``, a list of modules of one shape, or a Population (its last epoch).
        inputs: points, shape (point, *input).
        targets: class numbers, shape (point,); for a network with a single output, 0 or 1.
        bounds: smallest and largest admissible value of an input, or None.
        output: see :func:`harness.measure.door.enter`, as is ``need``.
        need: gradients that will be asked for.

    Raises:
        ValueError: no program computes what the models do (:func:`harness.measure.door.enter`), the targets are not class
            numbers for these points, or the points lie outside the bounds.
    """
    given = points_of(inputs)
    require_bounds(bounds, given)
    entered = enter(models, given, output=output, need=need)
    program = BinaryProgram(entered.program) if entered.program.classes == 1 else entered.program
    targets = program.encode(class_numbers(targets, len(given), program.classes))
    owners = models.seeds if isinstance(models, Population) else range(len(entered.theta))
    return Stack(program, entered.theta, owners, entered.inputs.movedim(0, -1), targets)


def in_chunks(
    models: Models, inputs: np.ndarray | torch.Tensor, targets: np.ndarray | torch.Tensor, device: str,
    work: Callable[[Given], torch.Tensor], *, copies: int = 4, beside: int = 0, bounds: Bounds = None,
    output: Output | None = None, need: Need = "inputs",
) -> torch.Tensor:  # fmt: skip
    """The result of ``work`` for every model at all points, some models at a time (:func:`harness.measure.walk.walk`).

    Args:
        models: see :func:`through_door`, as are the other arguments that are not named here.
        inputs: points, shape (point, *input).
        targets: class numbers, shape (point,).
        device: "cpu" or "cuda".
        work: returns a tensor of shape (row, …).
        copies: tensors of the size of its inputs that it holds at a time.
        beside: further values that it holds per point.
        bounds: smallest and largest admissible value of an input, or None.
        output: see :func:`harness.measure.door.enter`.
        need: gradients that the work asks for.

    Returns:
        Tensor of shape (model, …).

    Raises:
        ValueError: see :func:`through_door`.
    """
    device = resolved(device)
    stack = through_door(models, inputs, targets, bounds=bounds, output=output, need=need)
    with under_way("measurement", len(stack.theta), "models"):
        return walk(stack, lambda given: {"found": work(given)}, device=device, copies=copies, beside=beside)["found"]
