"""Views: the same members, or their data, seen another way, for any measurement to look at.

``store.measure(populations, Robustness(…), on=Grouped(groups))`` measures each network as a coarser classifier.  The members
stay the same; in the store, the view is part of a table's name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.measure.base import Measurement
from harness.population import Population
from harness.recipe import Architecture, Recipe, require

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from harness.data.base import Dataset


class View(ABC):
    """A way to see members and their data; concrete views are frozen dataclasses of what decides them."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Short name for progress lines and the store."""

    @abstractmethod
    def of(self, population: Population, data: Dataset) -> tuple[Population, Dataset]:
        """What is measured in their place; seeds and epochs stay the same."""

    def apart(self, population: Population, epochs: Sequence[int]) -> Sequence[Population]:
        """The members in groups that are viewed separately; one group unless their data differ.

        Args:
            population: the members.
            epochs: those that are measured.
        """
        return [population]

    def admit(self, measurement: Measurement) -> None:  # noqa: B027 - most views admit all
        """Raise a RecipeError if a measurement would mean something different on this view."""


@dataclass(frozen=True)
class Viewed(Measurement):
    """A measurement on a view; rows and columns are those of the measurement.

    Attributes:
        measurement: what is measured.
        view: of what.
    """

    measurement: Measurement
    view: View

    def __post_init__(self) -> None:
        require(isinstance(self.view, View), self, "view", "a View, such as Grouped(groups) or NearStart(0.5)")
        self.view.admit(self.measurement)

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return f"{self.measurement.name}, {self.view.name}"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        every = getattr(self.measurement, "epochs", "final") == "all"
        groups = self.view.apart(population, population.epochs if every else population.epochs[-1:])
        return self.measurement.run_each([partial(self.view.of, group, data) for group in groups], device)


def viewed(measurement: Measurement, on: View | None) -> Measurement:
    """The measurement on a view; as it is where there is none."""
    return measurement if on is None else Viewed(measurement, on)


def read_as(recipe: Recipe, architecture: Architecture) -> Recipe:
    """The recipe, and every recipe that it continues, with another reading of its architecture."""
    parent = None if recipe.parent is None else read_as(recipe.parent, architecture)
    return replace(recipe, architecture=architecture, parent=parent)


class Changed(Mapping[int, "torch.Tensor"]):
    """Parameters by kept epoch that are a function of others, computed when they are read; the latest are kept.

    Args:
        own: flat parameters by epoch.
        change: computes flat parameters from them, and changes nothing in place.
    """

    def __init__(self, own: Mapping[int, torch.Tensor], change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._own, self._change = own, change
        self._last: dict[int, Any] = {}

    def __getitem__(self, epoch: int) -> torch.Tensor:
        if epoch not in self._last:
            self._last = {}
            self._last = {epoch: self._change(self._own[epoch])}
        made: torch.Tensor = self._last[epoch]
        return made

    def __iter__(self) -> Iterator[int]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)
