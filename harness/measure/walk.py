"""The one walk of all instruments: some models at a time, and their points block after block.

What ``--claims-memory`` allows is kept here (:func:`harness.models.chunks.rows_at_a_time`): an instrument says what it holds of
a point and what it makes of a block, and does not loop over models or points itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch

from harness.models import Parameters, Program, keep_freed_memory, rows_at_a_time
from harness.progress import parts

POINTS_AT_A_TIME = 1024  # never fewer for a larger stack: a member's rounding must not depend on who stands beside it


class Stack(NamedTuple):
    """Models and points to walk over.

    Attributes:
        program: the models' program.
        theta: flat parameters, shape (model, parameter).
        owners: the seed of each member of a population, else the number of the model.
        inputs: points, shape (*input, point), the same for every model; None where the parameters alone are looked at.
        targets: encoded targets, shape (class, point), or None.
    """

    program: Program
    theta: torch.Tensor
    owners: Sequence[int]
    inputs: torch.Tensor | None = None
    targets: torch.Tensor | None = None


class Given(NamedTuple):
    """Some rows of a stack and a block of its points, on the device.

    Attributes:
        program: the models' program.
        parameters: tensors of shape (row, *shape) by name.
        inputs: points, shape (row, *input, point).
        targets: encoded targets, shape (row, class, point).
        owners: see :class:`Stack`.
        rows: which rows of the stack they are.
        block: which of its points.
    """

    program: Program
    parameters: Parameters
    inputs: torch.Tensor
    targets: torch.Tensor
    owners: Sequence[int]
    rows: slice
    block: slice


Work = Callable[[Given], Mapping[str, torch.Tensor]]


def walk(
    stack: Stack, work: Work, *, device: str, dtype: torch.dtype | None = None, copies: int = 1, beside: int = 0,
    states: int = 1, block: int | None = None,
) -> dict[str, torch.Tensor]:  # fmt: skip
    """What ``work`` makes of every block of points of every model.

    As many models share a call as memory holds, one at the least: a block of one model's points is not cut.  Where blocks begin
    depends on neither models nor memory.

    Args:
        stack: models and points.
        work: returns tensors of shape (row, …, point) by name; of what counts whole blocks the last axis may be any.
        device: "cpu" or "cuda".
        dtype: precision of the computation; None for that of the stack.
        copies: tensors of the size of its inputs that the work holds at a time.
        beside: further values that it holds of every point.
        states: tensors of the size of a row's parameters that it holds.
        block: points of a block; None for all at once.

    Returns:
        The tensors by name, joined along the points and then along the models.
    """
    keep_freed_memory()
    program, theta, x = stack.program, stack.theta, stack.inputs
    points, values = (1, 0) if x is None else (x.shape[-1], x[..., 0].numel())
    size = points if block is None else min(points, block)
    rows = rows_at_a_time(
        program, copies * values + beside, size, states=states, device=device, itemsize=(dtype or theta.dtype).itemsize
    )
    found = []
    for some in groups(len(theta), rows):
        parameters = program.layout.views(theta[some].to(device, dtype))
        blocks = [
            work(_given(stack, parameters, some, slice(begin, min(begin + size, points)), device, dtype))
            for begin in range(0, points, size)
        ]
        found.append({name: torch.cat([each[name] for each in blocks], -1) if len(blocks) > 1 else value
                      for name, value in blocks[0].items()})  # fmt: skip
    return {name: torch.cat([each[name] for each in found]) for name in found[0]}


def groups(count: int, rows: int) -> Iterator[slice]:
    """So many models a few at a time."""
    for first in parts(range(0, count, rows)):
        yield slice(first, min(first + rows, count))


def _given(stack: Stack, parameters: Parameters, rows: slice, block: slice, device: str, dtype: torch.dtype | None) -> Given:
    owners = stack.owners[rows]

    def of_rows(values: torch.Tensor | None, kind: torch.dtype | None) -> torch.Tensor:
        if values is None:
            return stack.theta.new_empty(len(owners), 0, 0)
        own = values[..., block].to(device, kind)
        return own.expand(len(owners), *own.shape).contiguous()

    return Given(stack.program, parameters, of_rows(stack.inputs, dtype), of_rows(stack.targets, None), owners, rows, block)
