"""The one loop that all instruments share: some models at a time, and their points block by block.

An instrument says how much it holds per point and what it computes from a block; it does not loop over models or points itself.
So the limit set by ``--claims-memory`` is observed here (:func:`harness.networks.program.rows_at_a_time`).  This module also
picks the epochs and points of a population that are measured, and puts the results together into tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from harness.networks import Parameters, Program, keep_freed_memory, rows_at_a_time
from harness.population import Population
from harness.progress import parts
from harness.recipe import require
from harness.streams import numpy_generator

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


POINTS_AT_A_TIME = 1024  # never fewer for a larger stack: a member's rounding must not depend on who stands beside it


class Stack(NamedTuple):
    """Models and points to walk over.

    Attributes:
        program: the models' program.
        theta: flat parameters, shape (model, parameter).
        owners: the seed of each member of a population, else the number of the model.
        inputs: points, shape (*input, point), the same for every model; None if only the parameters are measured.
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
    """The results of ``work`` for every block of points of every model.

    As many models share a call as memory holds, at least one: a block of one model's points is not cut.  Where blocks begin
    depends on neither models nor memory.

    Args:
        stack: models and points.
        work: returns tensors of shape (row, …, point) by name; for values per whole block, the last axis may have any length.
        device: "cpu" or "cuda".
        dtype: precision of the computation; None for that of the stack.
        copies: tensors of the size of its inputs that the work holds at a time.
        beside: further values that it holds per point.
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
    """That many models, a few at a time."""
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


Split = Literal["train", "test"]
Epochs = Literal["final", "all"]
Numbers: TypeAlias = NDArray[np.float64]


def require_choices(owner: object, **allowed: Sequence[str]) -> None:
    """Raise a RecipeError unless each named field holds one of its allowed words."""
    for name, words in allowed.items():
        require(getattr(owner, name) in words, owner, name, "one of " + ", ".join(repr(word) for word in words))


def require_counts(owner: object, *names: str) -> None:
    """Raise a RecipeError unless each named field is None or at least 1."""
    for name in names:
        value = getattr(owner, name)
        require(value is None or value >= 1, owner, name, "None (all) or 1 or more")


def require_quantiles(owner: object) -> None:
    """Raise a RecipeError unless every entry of the field "quantiles" lies from 0 to 1."""
    inside = all(0 <= level <= 1 for level in owner.quantiles)  # type: ignore[attr-defined]
    require(inside, owner, "quantiles", "levels from 0 to 1")


def require_splits(owner: object) -> None:
    """Raise a RecipeError unless the field "splits" names training points, test points or both."""
    splits = owner.splits  # type: ignore[attr-defined]
    sane = bool(splits) and set(splits) <= {"train", "test"} and len(set(splits)) == len(splits)
    require(sane, owner, "splits", "('train',), ('test',) or ('train', 'test')")


def checkpoints(population: Population, epochs: Epochs) -> tuple[int, ...]:
    """The kept epochs that are asked for, in order."""
    return population.epochs if epochs == "all" else population.epochs[-1:]


def by_epoch(population: Population, epochs: Epochs, table: Callable[[int], pd.DataFrame]) -> pd.DataFrame:
    """The tables of the kept epochs that are asked for, one below the other, each with its column "epoch"."""
    import pandas as pd

    return pd.concat([table(epoch).assign(epoch=epoch) for epoch in parts(checkpoints(population, epochs))], ignore_index=True)


def by_split(splits: Sequence[Split], table: Callable[[Split], pd.DataFrame]) -> pd.DataFrame:
    """The tables of the splits, one below the other, each with its column "split"."""
    import pandas as pd

    return pd.concat([table(split).assign(split=split) for split in parts(splits)], ignore_index=True)


def points_of(data: Dataset, split: Split, count: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """The first ``count`` points of a split: inputs (*input, point) and class numbers (point,).

    Raises:
        ValueError: there are fewer.
    """
    x, y = (data.train_x, data.train_y) if split == "train" else (data.test_x, data.test_y)
    if count is not None and count > len(x):
        raise ValueError(
            f"{count:,} {split} points are asked for, but {data.name} has {len(x):,}; ask for fewer, or for None (all)"
        )
    return torch.from_numpy(x[:count]).movedim(0, -1), torch.from_numpy(y[:count])


def random_points(shape: Sequence[int], count: int, deviation: float | None, seed: int) -> torch.Tensor:
    """Points z ~ N(0, deviation² I), or N(0, I/d) where it is None; shape (*input, point), the same for every member."""
    scale = deviation if deviation is not None else 1 / np.sqrt(np.prod(shape))
    drawn = numpy_generator("random points", seed).standard_normal((count, *shape)) * scale
    return torch.from_numpy(drawn.astype(np.float32)).movedim(0, -1)


@torch.no_grad()
def per_point(
    population: Population, epoch: int, inputs: torch.Tensor, work: Work, *, labels: torch.Tensor | None = None,
    device: str = "cpu", dtype: torch.dtype = torch.float32, copies: int = 1,
) -> dict[str, Numbers]:  # fmt: skip
    """The results of ``work`` at every point, for every member at an epoch, block by block (:func:`harness.measure.walk.walk`).

    Args:
        population: the members.
        epoch: at which kept epoch.
        inputs: points, shape (*input, point), the same for every member.
        work: returns tensors of shape (row, …, point) by name.
        labels: class numbers, shape (point,), or real targets, (point, output), if it needs targets.
        device: "cpu" or "cuda".
        dtype: precision of the computation.
        copies: how many tensors of the size of the inputs it holds at a time.

    Returns:
        Arrays of shape (member, …, point) by name.
    """
    targets = None if labels is None else population.program.encode(labels)
    stack = Stack(population.program, population.parameters[epoch], population.seeds, inputs, targets)
    return numbers(walk(stack, on_cpu(work), device=device, dtype=dtype, copies=copies, block=POINTS_AT_A_TIME))


@torch.no_grad()
def per_member(population: Population, epoch: int, work: Work, *, device: str = "cpu", states: int = 1) -> dict[str, Numbers]:
    """The results of ``work`` on the parameters of every member at an epoch, in double precision.

    Args:
        population: the members.
        epoch: at which kept epoch.
        work: returns tensors of shape (row, …) by name.
        device: "cpu" or "cuda".
        states: tensors of the size of a member's parameters that it holds, their copy in double precision included.

    Returns:
        Arrays of shape (member, …) by name.
    """
    stack = Stack(population.program, population.parameters[epoch], population.seeds)
    return numbers(walk(stack, on_cpu(work), device=device, dtype=torch.float64, states=states))


def on_cpu(work: Work) -> Work:
    """The work, with its results moved to the CPU block by block."""
    return lambda given: {name: value.cpu() for name, value in work(given).items()}


def numbers(found: Mapping[str, torch.Tensor]) -> dict[str, Numbers]:
    """Tensors as arrays in double precision."""
    return {name: value.contiguous().numpy().astype(np.float64) for name, value in found.items()}


def summary(values: Numbers, prefix: str, quantiles: Iterable[float]) -> dict[str, Numbers]:
    """Mean, variance (divided by the number of points), extremes and quantiles over the last axis.

    Args:
        values: array of shape (…, point).
        prefix: the columns are ``prefix_mean``, ``prefix_variance``, ``prefix_max``, ``prefix_min``, ``prefix_q50``, …
        quantiles: levels from 0 to 1.
    """
    columns = {"mean": values.mean(-1), "variance": values.var(-1), "max": values.max(-1), "min": values.min(-1)}
    columns |= {f"q{100 * level:g}": np.quantile(values, level, axis=-1) for level in quantiles}
    return {f"{prefix}_{name}": column for name, column in columns.items()}
