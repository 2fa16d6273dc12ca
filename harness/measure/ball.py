"""The lazy ball: how far networks went from their start, and random points of it.

B_{2,∞}(W₀, V) is the set of networks whose every row w_s lies within V of its start w_{s,0} (Adversarial Robustness is at
Odds with Lazy Training, 4. Lazy Regime: V = C₀/√m).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from harness.measure.base import Measurement
from harness.measure.stacks import numbers
from harness.measure.views import Changed, View
from harness.measure.walk import Given, Stack, walk
from harness.population import Population
from harness.recipe import digest, require
from harness.spec import is_real
from harness.streams import torch_generator

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


def rows_of(population: Population, theta: torch.Tensor) -> dict[str, torch.Tensor]:
    """The free weight matrices of a stack, shape (member, row, …), by name; they share the memory of ``theta``."""
    views = population.program.layout.views(theta)
    return {name: views[name] for name in population.program.scopes["all"] if views[name].dim() >= 3}


def random_ball_points(population: Population, offset: float) -> Population:
    """Members whose every row of every free weight matrix is moved by a random vector of Euclidean length ``offset``.

    Each member has its own stream, named by its recipe and seed, and moves the same way at every epoch.

    Args:
        population: the members.
        offset: how far every row goes: the radius of the ball, for random points on its surface.
    """

    def moved(theta: torch.Tensor) -> torch.Tensor:
        moved = theta.clone()
        for seed, own in zip(population.seeds, moved, strict=True):
            generator = torch_generator("lazy ball", population.recipe.key, seed)
            for value in rows_of(population, own[None]).values():
                direction = torch.randn(value.shape, generator=generator).to(value.device)
                value += direction / direction.norm(dim=-1, keepdim=True) * offset
        return moved

    return replace(population, parameters=Changed(population.parameters, moved))


@dataclass(frozen=True)
class NearStart(View):
    """Random points at a distance from the members, on the surface of the lazy ball; see :func:`random_ball_points`.

    Attributes:
        distance: the radius of the ball.
    """

    distance: float

    def __post_init__(self) -> None:
        require(is_real(self.distance) and self.distance > 0, self, "distance", "above 0")

    @property
    def name(self) -> str:
        """See :attr:`View.name`."""
        return f"random points at a distance of {self.distance:g}"

    def of(self, population: Population, data: Dataset) -> tuple[Population, Dataset]:
        """See :meth:`View.of`."""
        return random_ball_points(population, self.distance), data


@dataclass(frozen=True)
class BallDistance(Measurement):
    """How far the rows of the free weight matrices went from their start: one row per member.

    Columns: farthest (the largest ‖w_s − w_{s,0}‖₂ over rows) and typical (their mean).
    """

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "distances from the start"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`; the start is drawn again, as training drew it, and need not be kept."""
        import pandas as pd

        name, epoch = digest(population.recipe.architecture), population.epochs[-1]
        own = population.final

        def distances(given: Given) -> dict[str, torch.Tensor]:
            farthest, typical = zip(*(
                _distances(population, theta - population.program.initial(torch_generator("initialisation", name, seed)))
                for seed, theta in zip(given.owners, own[given.rows], strict=True)
            ), strict=True)  # fmt: skip
            return {"farthest": torch.stack(farthest), "typical": torch.stack(typical)}

        found = numbers(walk(Stack(population.program, own, population.seeds), distances, device="cpu", states=3))
        return pd.DataFrame({"seed": population.seeds} | found).assign(epoch=epoch)


def _distances(population: Population, moved: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The largest and the mean length of the rows of one member's weights."""
    lengths = torch.cat([value[0].flatten(1).norm(dim=1) for value in rows_of(population, moved[None]).values()])
    return lengths.max(), lengths.mean()
