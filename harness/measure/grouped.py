"""Robustness of the coarser classifier that a network of many classes is.

"Binary classifier trained by 10-classification task": a perturbation counts only where it changes the group of the decided
class, not where it changes the class within its group.  (Theoretical Understanding of Adversarial Examples: Expressive Power
and Training Dynamics, Real-World Experiments.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.data.grouped import GroupedLabels
from harness.measure.robustness import Robustness
from harness.models import GroupedProgram, Program, grouped
from harness.population import Population
from harness.recipe import Architecture, require

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


@dataclass(frozen=True)
class Grouped(Architecture):
    """An architecture whose decision is read as that of groups of its classes.

    Attributes:
        inner: the architecture.
        groups: the classes of each group.
    """

    inner: Architecture
    groups: grouped.Groups

    @property
    def name(self) -> str:  # type: ignore[override]
        """That of the architecture."""
        return self.inner.name

    def program(self, shape: tuple[int, ...], classes: int) -> Program:
        """See :meth:`Architecture.program`."""
        return GroupedProgram(self.inner.program(shape, classes), self.groups)


@dataclass(frozen=True)
class GroupedRobustness(Robustness):
    """:class:`Robustness` of the classifier of groups.

    Attributes:
        groups: the classes of each group; every class is in one.
    """

    groups: grouped.Groups = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.groups) >= 2, self, "groups", "two or more groups of classes")

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        recipe = replace(population.recipe, architecture=Grouped(population.recipe.architecture, self.groups))
        labels = GroupedLabels(population.recipe.data, self.groups)
        return super().run(replace(population, recipe=recipe), labels.relabelled(data), device)
