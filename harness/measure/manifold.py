"""Networks on a linear manifold: perturbations that stay on it.

Points x = Q z with orthonormal columns Q.  A perturbation on the manifold is Q δ with ‖Q δ‖₂ = ‖δ‖₂, so that the network's
robustness there is that of the network z ↦ f(Q z), whose first weights are W Q.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from numpy.typing import NDArray

from harness.measure.base import Measurement
from harness.measure.views import Changed, View, read_as
from harness.models import MLPProgram, Program
from harness.population import Population
from harness.recipe import MLP, describe, require

if TYPE_CHECKING:
    from harness.data.base import Dataset


@runtime_checkable
class OnManifold(Protocol):
    """A data spec whose points lie on a linear manifold; ``ambient`` is None where they are given in its coordinates."""

    ambient: int | None

    def embedding(self) -> NDArray[Any]:
        """Orthonormal columns, shape (ambient, coordinate)."""

    def coordinates(self) -> Dataset:
        """The same points in the coordinates of the manifold."""


class _CoordinateProgram(MLPProgram):
    """That of a fully connected network as a function of coordinates; such a network is made of a trained one alone."""

    def initial(self, generator: torch.Generator) -> torch.Tensor:
        """Refused: the start of such a network is that of the one that it was made of.

        Raises:
            TypeError: always.
        """
        raise TypeError("a network of a manifold's coordinates has no start of its own: measure the members themselves")


@dataclass(frozen=True)
class CoordinateNetwork(MLP):
    """A fully connected network as a function of the coordinates of a linear manifold."""

    def describe(self) -> Any:
        """That of the network."""
        return describe(MLP(self.hidden))

    def program(self, shape: tuple[int, ...], classes: int) -> Program:
        """See :meth:`Architecture.program`."""
        return _CoordinateProgram((math.prod(shape), *self.hidden, classes))


def in_coordinates(population: Population) -> Population:
    """Fully connected members as functions of the manifold's coordinates.

    Raises:
        TypeError: the networks are not fully connected, or the data lie on no known manifold.
    """
    spec, network = population.recipe.data, population.recipe.architecture
    if not isinstance(spec, OnManifold) or not isinstance(network, MLP):
        raise TypeError(
            f"{type(network).__name__} on {type(spec).__name__}: perturbations on a manifold need a fully connected network "
            "and a data spec with embedding() and coordinates()"
        )
    basis = torch.from_numpy(spec.embedding()).float()
    coordinates = replace(spec, ambient=None)  # type: ignore[type-var]
    recipe = replace(read_as(population.recipe, CoordinateNetwork(network.hidden)), data=coordinates)

    def moved(theta: torch.Tensor) -> torch.Tensor:
        named = dict(population.program.layout.views(theta))
        named["0.weight"] = named["0.weight"] @ basis
        return torch.cat([named[name].flatten(1) for name in recipe.program().layout.names], 1)

    return Population(recipe, population.seeds, Changed(population.parameters, moved))


@dataclass(frozen=True)
class Manifold(View):
    """Networks as functions of the coordinates of the data's manifold: what moves points moves them on it, in L2."""

    @property
    def name(self) -> str:
        """See :attr:`View.name`."""
        return "on the manifold"

    def admit(self, measurement: Measurement) -> None:
        """See :meth:`View.admit`: other norms are not those of the coordinates."""
        owners: tuple[Any, ...] = (measurement, getattr(measurement, "threat", None))
        for owner in owners:
            if hasattr(owner, "norm"):
                require(owner.norm == "l2", owner, "norm", "'l2' on a manifold: other norms are not those of its coordinates")

    def of(self, population: Population, data: Dataset) -> tuple[Population, Dataset]:
        """See :meth:`View.of`."""
        moved, spec = in_coordinates(population), population.recipe.data
        assert isinstance(spec, OnManifold)
        return moved, spec.coordinates()
