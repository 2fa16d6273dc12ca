"""What an instrument may ask of a stack of networks of one shape, and how many rows of the stack are worked on at once.

Rows never interact, so that number affects time and memory, but no result.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch

from harness.device import memory_limit
from harness.networks.layout import Layout
from harness.networks.losses import Loss, encode, loss_and_pull

Parameters: TypeAlias = Mapping[str, torch.Tensor]


class Program(ABC):
    """The tensor program of one architecture, run for a whole stack of parameter settings at once.

    Parameters are named tensors of shape (row, *shape); inputs have shape (row or 1, *input, point), points last;
    logits have shape (row, class, point).  A row is a member, a chain of a member, or a restart of an attack: the
    program does not care.

    Attributes:
        layout: names and shapes of the parameters.
        classes: number of outputs.
        scopes: named sets of parameters that an instrument can be restricted to; "all" is always there.
    """

    layout: Layout
    classes: int
    scopes: Mapping[str, tuple[str, ...]]

    @abstractmethod
    def initial(self, generator: torch.Generator) -> torch.Tensor:
        """Fresh parameters of one network, shape (parameter,), drawn from ``generator`` alone."""

    @abstractmethod
    def module(self, theta: torch.Tensor) -> torch.nn.Module:
        """One network as an ordinary module, points first, with the parameter names of :attr:`layout`.

        Args:
            theta: its flat parameters, shape (parameter,).
        """

    @abstractmethod
    def logits(self, parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
        """Outputs of every row, shape (row, class, point)."""

    @abstractmethod
    def loss_gradient(
        self, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, out: Parameters, loss: Loss
    ) -> torch.Tensor:
        """Mean loss of every row, and its gradient written into the tensors of ``out``.

        Args:
            parameters: tensors of shape (row, *shape) by name.
            inputs: tensor of shape (row or 1, *input, point).
            targets: tensor of shape (row or 1, class, point); see :func:`harness.networks.losses.encode`.
            out: tensors of the shapes of ``parameters`` for those whose gradient is wanted.
            loss: see :func:`harness.networks.losses.loss_and_pull`.

        Returns:
            The mean loss of each row, shape (row,).
        """

    @abstractmethod
    def pullback(self, parameters: Parameters, inputs: torch.Tensor) -> tuple[torch.Tensor, PullBack]:
        """Logits, and the function that carries a gradient on the logits back to the inputs.

        Args:
            parameters: tensors of shape (row, *shape) by name.
            inputs: tensor of shape (row, *input, point).
        """

    def line(
        self, parameters: Parameters, inputs: torch.Tensor, direction: torch.Tensor
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """Logits along a straight line through every point, as a function of how far along it.

        Args:
            parameters: tensors of shape (row, *shape) by name.
            inputs: where the lines start, shape (row, *input, point).
            direction: of every line, of the same shape.

        Returns:
            A function from steps of shape (row, point) to the logits (row, class, point) at ``inputs + step · direction``.
        """
        middle = (1,) * (inputs.dim() - 2)

        def at(step: torch.Tensor) -> torch.Tensor:
            return self.logits(parameters, inputs + direction * step.reshape(len(step), *middle, step.shape[1]))

        return at

    def restricted(self, parameters: Parameters, inputs: torch.Tensor, names: tuple[str, ...]) -> Restriction:
        """The same function of fewer parameters; the others are held at their present values.

        Args:
            parameters: tensors of shape (row, *shape) by name.
            inputs: tensor of shape (row or 1, *input, point).
            names: the parameters that stay free.
        """
        fixed = {name: value for name, value in parameters.items() if name not in names}
        return Restriction(self, self.layout.restrict(names), fixed, inputs)

    def encode(self, targets: torch.Tensor) -> torch.Tensor:
        """Targets in the form that the program computes with."""
        return encode(targets, self.classes)

    def loss(
        self, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, loss: Loss = "cross_entropy"
    ) -> torch.Tensor:
        """Mean loss of every row, shape (row,); ``targets`` are encoded."""
        return loss_and_pull(self.logits(parameters, inputs), targets, loss, pull=False)[0].mean(1)


class PullBack(ABC):
    """Carries a gradient on the logits, shape (row, class, point), back to the inputs, shape (row, *input, point)."""

    @abstractmethod
    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        """Gradient with respect to the inputs."""


class Restriction:
    """A program as a function of its free parameters alone.

    Attributes:
        layout: the free parameters.
    """

    def __init__(self, program: Program, layout: Layout, fixed: Parameters, inputs: torch.Tensor) -> None:
        self.program, self.layout, self.fixed, self.inputs = program, layout, fixed, inputs

    def loss_gradient(
        self, free: Parameters, targets: torch.Tensor, out: Parameters, loss: Loss, points: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Mean loss of every row over the data (or over the ``points`` of a minibatch), gradient into ``out``.

        Args:
            free: the free parameters, tensors of shape (row, *shape).
            targets: encoded targets of those points, shape (row or 1, class, point).
            out: where the gradients of the free parameters go.
            loss: see :meth:`Program.loss_gradient`.
            points: numbers of the points of each row's minibatch, shape (row, batch), or None for all.
        """
        inputs = self.inputs if points is None else take_points(self.inputs, points)
        return self.program.loss_gradient({**self.fixed, **free}, inputs, targets, out, loss)


def take_points(data: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Choose points row by row: data (row or 1, …, point), points (row, batch) → (row, …, batch)."""
    index = points.reshape(len(points), *(1,) * (data.dim() - 2), points.shape[1])
    shape = (len(points), *data.shape[1:-1], points.shape[1])
    return torch.gather(data.expand(len(points), *data.shape[1:]), -1, index.expand(shape))


CACHE_BYTES = 2**21  # widest activation of a chunk on a CPU; within a few per cent of the best from half to twice this
ACTIVATIONS = 4  # what a pass forward and back holds of them at most: its own, their gradients, and what is being made of them


def rows_at_a_time(
    program: Program, values: int, points: int, *, states: int, device: str, itemsize: int = 4,
    batch: int | None = None,
) -> int:  # fmt: skip
    """How many rows fit into the memory that may be used (:func:`harness.device.memory_limit`), and on a CPU into its cache.

    At least one: a single row is never cut.

    Args:
        program: the stack's program.
        values: values held per point besides the activations: its inputs, and whatever has their size.
        points: points that a row holds.
        states: tensors of the size of a row's parameters that are held at a time.
        device: "cpu" or "cuda".
        itemsize: bytes of a value.
        batch: points of a minibatch, the most that are processed at a time; None for all.
    """
    layout = program.layout
    each = itemsize * (points * (values + ACTIVATIONS * layout.units) + states * layout.total)
    rows = memory_limit(device) // each
    if device == "cpu":
        rows = min(rows, CACHE_BYTES // (itemsize * layout.widest * (batch or points)))
    return max(1, rows)
