"""A data set of many classes as a task of fewer: each class becomes the number of its group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.data.base import Dataset, DataSpec

Groups = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class GroupedLabels(DataSpec):
    """The points of another spec, labelled with the group of their class.

    Attributes:
        base: the data with their own classes.
        groups: the classes of each group; every class of the base is in one.
    """

    base: DataSpec
    groups: Groups

    def __post_init__(self) -> None:
        classes = sorted(each for group in self.groups for each in group)
        if classes != list(range(self.base.classes)) or len(self.groups) < 2:
            raise ValueError(
                f"GroupedLabels has groups={self.groups!r}; give two or more groups such that each of the "
                f"{self.base.classes} classes is in exactly one"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """See :attr:`DataSpec.shape`."""
        return self.base.shape

    @property
    def classes(self) -> int:
        """See :attr:`DataSpec.classes`."""
        return len(self.groups)

    def describe(self) -> dict[str, Any]:
        """See :meth:`DataSpec.describe`."""
        return {"type": "GroupedLabels", "base": self.base.describe(), "groups": [list(group) for group in self.groups]}

    def load(self) -> Dataset:
        """See :meth:`DataSpec.load`."""
        return self.relabelled(self.base.load())

    def relabelled(self, data: Dataset) -> Dataset:
        """Data of the base's classes with the number of its group as every point's label."""
        number = np.empty(self.base.classes, np.int64)
        for group, classes in enumerate(self.groups):
            number[list(classes)] = group
        return Dataset.of(
            f"{data.name}, {len(self.groups)} groups", (data.train_x, number[data.train_y]), (data.test_x, number[data.test_y]),
            classes=len(self.groups), bounds=data.bounds, provenance=data.provenance,
        )  # fmt: skip
