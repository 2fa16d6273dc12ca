"""What a measurement is, and what it may be made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from harness.device import resolve
from harness.measure.arguments import points_of, require_bounds
from harness.measure.door import Models, enter
from harness.measure.reference import Need
from harness.measure.targets import class_numbers
from harness.models import Parameters, Program, keep_freed_memory, rows_at_a_time
from harness.models.ascent import Bounds
from harness.models.given import Output
from harness.models.mixed import BinaryProgram
from harness.population import Population
from harness.progress import parts, under_way

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset

__all__ = ["Given", "Measurement", "Models", "in_chunks"]

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



class Given(NamedTuple):
    """Some rows of what a user gave, as an attack computes with them, on the device.

    Attributes:
        program: the models' program.
        parameters: tensors of shape (row, *shape) by name.
        inputs: points, shape (row, *input, point).
        targets: encoded targets, shape (row, class, point).
        owners: the seed of each row of a population, else the number of the model.
    """

    program: Program
    parameters: Parameters
    inputs: torch.Tensor
    targets: torch.Tensor
    owners: Sequence[int]


def resolved(device: str | torch.device) -> str:
    """The device that an instrument is to run on, which has to be there."""
    return resolve(device.type if isinstance(device, torch.device) else device)


def in_chunks(
    models: Models, inputs: np.ndarray | torch.Tensor, targets: np.ndarray | torch.Tensor, device: str,
    work: Callable[[Given], torch.Tensor], *, copies: int = 4, beside: int = 0, bounds: Bounds = None,
    output: Output | None = None, need: Need = "inputs",
) -> torch.Tensor:  # fmt: skip
    """What ``work`` makes of every model at all points, some rows at a time (:func:`harness.models.chunks.rows_at_a_time`).

    Args:
        models: one ``nn.Module``, a list of modules of one shape, or a Population (its last epoch).
        inputs: points, shape (point, *input).
        targets: class numbers, shape (point,); of a network with a single output 0 or 1.
        device: "cpu" or "cuda".
        work: returns a tensor of shape (row, …).
        copies: tensors of the size of its inputs that it holds at a time.
        beside: further values that it holds of every point.
        bounds: smallest and largest admissible value of an input, or None.
        output: see :func:`harness.measure.door.enter`, as is ``need``.
        need: gradients that the work asks for.

    Returns:
        Tensor of shape (model, …).

    Raises:
        ValueError: no program computes what the models do (:func:`harness.measure.door.enter`), or the targets are no class
            numbers of these points, or the points lie outside of the bounds.
    """
    keep_freed_memory()
    device, given = resolved(device), points_of(inputs)
    require_bounds(bounds, given)
    entered = enter(models, given, output=output, need=need)
    program, theta = entered.program, entered.theta
    if program.classes == 1:
        program = BinaryProgram(program)
    x = entered.inputs.to(device).movedim(0, -1)
    y = program.encode(class_numbers(targets, len(given), program.classes).to(device))
    owners = list(models.seeds if isinstance(models, Population) else range(len(theta)))
    rows = rows_at_a_time(program, copies * x[..., 0].numel() + beside, x.shape[-1], states=1, device=device)
    found = []
    with under_way("measurement", len(theta), "models"):
        for first in parts(range(0, len(theta), rows)):
            some = slice(first, first + rows)
            own = owners[some]
            found.append(work(Given(
                program, program.layout.views(theta[some].to(device)), x.expand(len(own), *x.shape).contiguous(),
                y.expand(len(own), *y.shape).contiguous(), own,
            )))  # fmt: skip
    return torch.cat(found)
