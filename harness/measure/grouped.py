"""A network of many classes read as a coarser classifier: of groups of its classes.

"Binary classifier trained by 10-classification task": a perturbation counts only where it changes the group of the decided
class, not where it changes the class within its group.  (Theoretical Understanding of Adversarial Examples: Expressive Power
and Training Dynamics, Real-World Experiments.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.data.grouped import GroupedLabels
from harness.measure.views import View, read_as
from harness.networks import GroupedProgram, Program
from harness.networks import combined as grouped
from harness.population import Population
from harness.recipe import Architecture, describe, require

if TYPE_CHECKING:
    from harness.data.base import Dataset


@dataclass(frozen=True)
class GroupedArchitecture(Architecture):
    """An architecture whose decision is read as a group of classes; its networks are those of the inner architecture.

    Attributes:
        inner: the architecture.
        groups: the classes of each group.
    """

    inner: Architecture
    groups: grouped.Groups

    @property
    def name(self) -> str:  # type: ignore[override]
        """The inner architecture's name."""
        return self.inner.name

    def describe(self) -> Any:
        """The inner architecture's: reading it in groups changes the name of no network and no random stream."""
        return describe(self.inner)

    def program(self, shape: tuple[int, ...], classes: int) -> Program:
        """See :meth:`Architecture.program`."""
        return GroupedProgram(self.inner.program(shape, classes), self.groups)


@dataclass(frozen=True)
class Grouped(View):
    """A view: a network of many classes as a classifier of groups of classes, and data with the groups as labels.

    Attributes:
        groups: the classes of each group; every class is in one.
    """

    groups: grouped.Groups

    def __post_init__(self) -> None:
        require(len(self.groups) >= 2, self, "groups", "two or more groups of classes")

    @property
    def name(self) -> str:
        """See :attr:`View.name`."""
        return f"{len(self.groups)} groups of classes"

    def of(self, population: Population, data: Dataset) -> tuple[Population, Dataset]:
        """See :meth:`View.of`."""
        own = population.recipe
        recipe = read_as(own, GroupedArchitecture(own.architecture, self.groups))
        return replace(population, recipe=recipe), GroupedLabels(own.data, self.groups).relabelled(data)
