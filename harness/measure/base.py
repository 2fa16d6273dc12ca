"""What a measurement is, and what it may be made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np
import torch

from harness.models import MLPProgram, Program, program_of
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

    @classmethod
    @abstractmethod
    def code(cls) -> tuple[ModuleType, ...]:
        """The modules whose code decides the numbers; an edit to one of them makes stored tables void."""


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


def arrange(
    models: Models, inputs: np.ndarray | torch.Tensor, targets: np.ndarray | torch.Tensor, device: str
) -> tuple[Program, torch.Tensor, torch.Tensor, torch.Tensor]:
    """What a user gave, as instruments compute with it.

    Returns:
        Program, flat parameters (row, parameter), points (row, *input, point) and encoded targets (row, class, point), all on
        the device.
    """
    program, theta = stack(models)
    x = torch.as_tensor(inputs, dtype=torch.float32).to(device).movedim(0, -1)
    ensure_classes(program, theta, x)
    y = program.encode(torch.as_tensor(targets).to(device))
    rows = len(theta)
    return program, theta.to(device), x.expand(rows, *x.shape).contiguous(), y.expand(rows, *y.shape).contiguous()


def ensure_classes(program: Program, theta: torch.Tensor, inputs: torch.Tensor) -> None:
    """Find out how many outputs a user's module has, by running it on one point; inputs (*input, point)."""
    if program.classes == 0:
        with torch.no_grad():
            one = inputs[..., :1].movedim(-1, 0).to(theta.device)
            program.classes = int(program.module(theta[0])(one).shape[1])
