"""Robustness on a linear manifold: perturbations that stay on it.

Points x = Q z with orthonormal columns Q.  A perturbation on the manifold is Q δ with ‖Q δ‖₂ = ‖δ‖₂, so that the network's
robustness there is that of the network z ↦ f(Q z), whose first weights are W Q.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from numpy.typing import NDArray

from harness.measure.robustness import Robustness
from harness.population import Population
from harness.recipe import MLP, require

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


@runtime_checkable
class OnManifold(Protocol):
    """A data spec whose points lie on a linear manifold; ``ambient`` is None where they are given in its coordinates."""

    ambient: int | None

    def embedding(self) -> NDArray[Any]:
        """Orthonormal columns, shape (ambient, coordinate)."""

    def coordinates(self) -> Dataset:
        """The same points in the coordinates of the manifold."""


def in_coordinates(population: Population) -> Population:
    """Fully connected members as functions of the manifold's coordinates (their last epoch).

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
    recipe = replace(population.recipe, data=replace(spec, ambient=None))  # type: ignore[type-var]
    named = dict(population.program.layout.views(population.final))
    named["0.weight"] = named["0.weight"] @ basis
    theta = torch.cat([named[name].flatten(1) for name in recipe.program().layout.names], 1)
    return Population(recipe, population.seeds, {population.epochs[-1]: theta})


@dataclass(frozen=True)
class ManifoldRobustness(Robustness):
    """:class:`Robustness` under Euclidean perturbations that stay on the manifold of the data."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.norm == "l2", self, "norm", "'l2': other norms are not those of the coordinates")
        require(self.epochs == "final", self, "epochs", "'final'")

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        moved = in_coordinates(population)
        spec = population.recipe.data
        assert isinstance(spec, OnManifold)
        return super().run(moved, spec.coordinates(), device)
