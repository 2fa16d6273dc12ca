"""Which epochs and which points of a population are walked over, and what is made of what was found there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from harness.measure.walk import POINTS_AT_A_TIME, Stack, Work, walk
from harness.population import Population
from harness.progress import parts
from harness.recipe import require
from harness.streams import numpy_generator

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset

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
            f"{count:,} {split} points are asked for and {data.name} has {len(x):,}; ask for fewer, or for None (all)"
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
    """What ``work`` says of every point, for every member at an epoch, block after block (:func:`harness.measure.walk.walk`).

    Args:
        population: the members.
        epoch: at which kept epoch.
        inputs: points, shape (*input, point), the same for every member.
        work: returns tensors of shape (row, …, point) by name.
        labels: class numbers, shape (point,), or real targets, (point, output), where it looks at targets.
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
    """What ``work`` says of the parameters of every member at an epoch, in double precision.

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
    """The work, what it finds brought to the CPU block by block."""
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
