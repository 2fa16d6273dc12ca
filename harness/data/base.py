"""What all data sets have in common: the spec, the loaded arrays, and the errors for missing or corrupt data."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.errors import Shortfall
from harness.showing import Shown
from harness.spec import type_name

Labels: TypeAlias = NDArray[np.int64] | NDArray[np.float32]


class DataShortfall(Shortfall):
    """There is less data than was asked for; the message says what is missing and what to do about it.

    A claim that needs more data than there is becomes INVALID with this text; it is never judged on less.
    """


class DataError(Exception):
    """A data file is missing or is not what it should be.

    The message names the file, the expected and the found checksum, and what to do.
    """


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(Shown):
    """Points to train on and held-out points to test with.

    Attributes:
        name: short name for tables and figures.
        train_x: training inputs, float32 array of shape (point, feature…).
        train_y: training labels, int64 array of shape (point,), 0 to ``classes`` − 1; or real targets, float32 array of
            shape (point, output).
        test_x: held-out inputs, float32 array of shape (point, feature…).
        test_y: held-out labels or targets, likewise.
        classes: number of classes; of outputs where the targets are real.
        bounds: smallest and largest admissible value of a feature, or None where there is no box.
        digest: SHA-256 of the four arrays: dtypes, shapes and bytes.
        provenance: where the points come from, for a reader of the report.
    """

    name: str
    train_x: NDArray[np.float32]
    train_y: Labels
    test_x: NDArray[np.float32]
    test_y: Labels
    classes: int
    bounds: tuple[float, float] | None
    digest: str
    provenance: str

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        inputs = {"train inputs": self.train_x, "test inputs": self.test_x}
        shapes = {name: " × ".join(map(str, x.shape)) for name, x in inputs.items()}
        real = np.issubdtype(self.train_y.dtype, np.floating)
        return f"Dataset {self.name}", {
            **shapes, "outputs" if real else "classes": self.classes,
            "bounds": "none" if self.bounds is None else f"{self.bounds[0]:g} to {self.bounds[1]:g}",
            "digest": self.digest[:16], "from": self.provenance,
        }  # fmt: skip

    @classmethod
    def of(
        cls,
        name: str,
        train: tuple[NDArray[Any], NDArray[Any]],
        test: tuple[NDArray[Any], NDArray[Any]],
        *,
        classes: int,
        bounds: tuple[float, float] | None,
        provenance: str,
    ) -> Dataset:
        """A data set of (inputs, labels) for training and for test, with its digest.

        Labels of a floating type are real targets, and stay what they are.
        """
        arrays = (
            train[0].astype(np.float32, copy=False), _labels(train[1]),
            test[0].astype(np.float32, copy=False), _labels(test[1]),
        )  # fmt: skip
        return cls(name, *arrays, classes, bounds, array_digest(*arrays), provenance)


def _labels(given: NDArray[Any]) -> Labels:
    """Class numbers as int64, real targets as float32."""
    if np.issubdtype(given.dtype, np.floating):
        return given.astype(np.float32, copy=False)
    return given.astype(np.int64, copy=False)


class DataSpec(ABC):
    """What a data set is, without the data; concrete specs are frozen dataclasses of JSON-able fields."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""

    @property
    @abstractmethod
    def classes(self) -> int:
        """Number of classes; 1 for one real output."""

    @abstractmethod
    def load(self) -> Dataset:
        """The data: equal arrays for equal specs.

        Raises:
            DataShortfall: if there are fewer points than the spec asks for.
            DataError: if a file is missing or corrupt.
        """

    def describe(self) -> dict[str, Any]:
        """Type and all fields as plain JSON; the canonical form that digests are made of."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        return {"type": type_name(type(self))} | plain


def array_digest(*arrays: NDArray[Any]) -> str:
    """SHA-256 over the arrays in order: dtype, shape and bytes (little-endian, C order) of each."""
    found = hashlib.sha256()
    for array in arrays:
        little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
        found.update(f"{little.dtype.str}{array.shape}".encode())
        found.update(little.data)
    return found.hexdigest()


def require_finite(owner: object, **values: float) -> None:
    """Raise a ValueError that names the first of ``values`` that is negative, infinite or not a number."""
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{type(owner).__name__} has {name}={value!r}; it has to be finite and at least 0")


def equal_counts(total: int, classes: int) -> list[int]:
    """Points of each class when ``total`` are shared out equally; the first classes take the remainder."""
    share, left_over = divmod(total, classes)
    return [share + (number < left_over) for number in range(classes)]
