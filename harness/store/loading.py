"""Data are loaded once a process, those of a user's are looked at, and a download that drips is given up.

Each read of a download has a limit of its own (:data:`harness.data.sources.PATIENCE`), which a server that sends a byte a
second never reaches. So all of it together has one, too, for the harness's own data sets: they compute nothing that takes
long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.data.base import DataShortfall
from harness.deadline import Limit, TimedOut, doing
from harness.spec import RecipeError

if TYPE_CHECKING:
    from harness.data.base import Dataset, DataSpec, Labels

_SHOWN = 3  # points that a message names
LONGEST = 1800.0  # seconds; the largest file, of 170 MB, takes as long at 95 kB/s


def loaded(spec: DataSpec) -> Dataset:
    """The data of a spec.

    Raises:
        DataShortfall: a download has taken too long.
        DataError: see :meth:`DataSpec.load`.
        RecipeError: data of a user's own are not what networks can be trained and measured on.
    """
    if not type(spec).__module__.startswith("harness.data."):
        data = spec.load()
        check_data(spec, data)
        return data
    try:
        with doing(f"loading {type(spec).__name__}"), Limit(LONGEST).running():
            return spec.load()
    except TimedOut as problem:
        if f"within {LONGEST:g} s" not in str(problem):
            raise  # the claim's own time is over
        raise DataShortfall(
            f"the data of {type(spec).__name__} could not be had within {LONGEST / 60:g} minutes, since the download is too "
            "slow: try again later, or set HARNESS_DATA to a folder that holds the files (python -m harness data names them)"
        ) from None


def check_data(spec: DataSpec, data: Dataset) -> None:
    """Refuse data of a user's own that would be found out late, in other words, or not at all.

    Raises:
        RecipeError: inputs or targets differ in number, have another shape or other classes than the spec says, are not finite,
            or labels are no class numbers.
    """
    from harness.data.base import Dataset

    if not isinstance(data, Dataset):
        raise RecipeError(f"{type(spec).__name__}.load returned {type(data).__name__}; return Dataset.of(name, train, test, …)")
    name = type(spec).__name__
    if data.classes != spec.classes:
        raise RecipeError(f"{name} has {spec.classes} classes, and its data {data.classes}: give both the same number")
    for part, inputs, targets in (("train", data.train_x, data.train_y), ("test", data.test_x, data.test_y)):
        of = f"the {part} points of {name}"
        if inputs.shape[1:] != tuple(spec.shape):
            raise RecipeError(f"{of} have shape {inputs.shape[1:]}, and its shape is {tuple(spec.shape)}: make them the same")
        if len(inputs) != len(targets):
            raise RecipeError(f"{of} are {len(inputs):,} inputs and {len(targets):,} targets: give one target for each input")
        _check_finite(inputs, of, "inputs")
        _check_targets(targets, data.classes, of)


def _check_targets(targets: Labels, classes: int, of: str) -> None:
    if targets.dtype.kind == "f":
        if targets.ndim != 2:
            raise RecipeError(
                f"{of} have labels of type {targets.dtype} and shape {targets.shape}: give class numbers as whole numbers "
                f"(labels.astype('int64')), or real targets in shape (point, {classes})"
            )
        _check_finite(targets, of, "targets")
        return
    if targets.ndim != 1:
        raise RecipeError(f"{of} have labels of shape {targets.shape}: give one class number for each (labels.argmax(1))")
    least, most, last = int(targets.min(initial=0)), int(targets.max(initial=0)), max(classes, 2) - 1
    if least < 0 or most > last:
        lowest = int(targets.min())
        shift = f"subtract {lowest}" if lowest > 0 else f"add {-lowest}"
        remedy = shift if most - lowest <= last else f"say that there are {most + 1} classes"
        raise RecipeError(f"{of} have labels from {lowest} to {most}, and {classes} classes are 0 to {last}: {remedy}")


def _check_finite(values: Labels, of: str, what: str) -> None:
    import numpy as np

    if not (finite := np.isfinite(values)).all():
        bad = np.flatnonzero(~finite.reshape(len(values), -1).all(1))
        shown = ", ".join(map(str, bad[:_SHOWN])) + (", …" if len(bad) > _SHOWN else "")
        raise RecipeError(
            f"{of} have {what} that are NaN or infinite at {len(bad):,} of {len(values):,} points (number {shown}, counted "
            "from 0): leave these points out, or correct them"
        )
