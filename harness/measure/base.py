"""What a measurement is, and what it may be made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, Union

import numpy as np
import torch

from harness.models import MLPProgram, Parameters, Program, keep_freed_memory, program_of, rows_at_a_time
from harness.population import Population

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset

Models: TypeAlias = Union["torch.nn.Module", Sequence["torch.nn.Module"], Population]


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



def stack(models: Models) -> tuple[Program, torch.Tensor]:
    """The program and the flat parameters, shape (row, parameter), of whatever a user calls models.

    Args:
        models: one ``nn.Module``, a sequence of modules of one shape, or a population (its last epoch).

    Raises:
        TypeError: it is none of these.
        ValueError: the modules have no common shape.
    """
    if isinstance(models, Population):
        return models.program, models.final
    if isinstance(models, torch.nn.Module):
        models = [models]
    if not isinstance(models, Sequence) or not models or not all(isinstance(m, torch.nn.Module) for m in models):
        raise TypeError(
            f"models is {type(models).__name__}; give one torch.nn.Module, a non-empty list of modules of one shape, "
            "or a Population"
        )
    states = [{**dict(m.named_parameters()), **dict(m.named_buffers())} for m in models]
    shapes = [{name: tuple(value.shape) for name, value in state.items()} for state in states]
    for number, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise ValueError(f"model {number} has other parameters than model 0; a stack holds models of one shape")
    first = models[0]
    if (fully_connected := MLPProgram.of(first)) is not None and all(MLPProgram.of(m) is not None for m in models):
        return fully_connected, torch.stack([torch.cat([p.detach().flatten() for p in m.parameters()]) for m in models]).float()
    program = program_of(lambda: first, classes=0)
    rows = [torch.cat([state[name].detach().flatten() for name in program.layout.names]) for state in states]
    return program, torch.stack(rows).float()


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


def in_chunks(
    models: Models, inputs: np.ndarray | torch.Tensor, targets: np.ndarray | torch.Tensor, device: str,
    work: Callable[[Given], torch.Tensor], *, copies: int = 4, beside: int = 0,
) -> torch.Tensor:  # fmt: skip
    """What ``work`` makes of every model at all points, some rows at a time (:func:`harness.models.chunks.rows_at_a_time`).

    Args:
        models: one ``nn.Module``, a list of modules of one shape, or a Population (its last epoch).
        inputs: points, shape (point, *input).
        targets: class numbers, shape (point,).
        device: "cpu" or "cuda".
        work: returns a tensor of shape (row, …).
        copies: tensors of the size of its inputs that it holds at a time.
        beside: further values that it holds of every point.

    Returns:
        Tensor of shape (model, …).
    """
    keep_freed_memory()
    program, theta = stack(models)
    x = torch.as_tensor(inputs, dtype=torch.float32).to(device).movedim(0, -1)
    ensure_classes(program, theta, x)
    y = program.encode(torch.as_tensor(targets).to(device))
    owners = list(models.seeds if isinstance(models, Population) else range(len(theta)))
    rows = rows_at_a_time(program, copies * x[..., 0].numel() + beside, x.shape[-1], states=1, device=device)
    found = []
    for first in range(0, len(theta), rows):
        some = slice(first, first + rows)
        own = owners[some]
        found.append(work(Given(
            program, program.layout.views(theta[some].to(device)), x.expand(len(own), *x.shape).contiguous(),
            y.expand(len(own), *y.shape).contiguous(), own,
        )))  # fmt: skip
    return torch.cat(found)


def ensure_classes(program: Program, theta: torch.Tensor, inputs: torch.Tensor) -> None:
    """Find out how many outputs a user's module has, by running it on one point; inputs (*input, point)."""
    if program.classes == 0:
        with torch.no_grad():
            one = inputs[..., :1].movedim(-1, 0).to(theta.device)
            program.classes = int(program.module(theta[0])(one).shape[1])
