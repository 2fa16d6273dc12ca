"""The lazy ball: how far networks went from their start, and the robustness of random points of it.

B_{2,∞}(W₀, V) is the set of networks whose every row w_s lies within V of its start w_{s,0} (Adversarial Robustness is at
Odds with Lazy Training, 4. Lazy Regime: V = C₀/√m).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from harness.measure.base import Measurement
from harness.measure.robustness import Robustness
from harness.population import Population
from harness.recipe import digest, require
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

    Each member has its own stream, named by its recipe and seed.

    Args:
        population: the members; their last epoch is moved.
        offset: how far every row goes: the radius of the ball, for random points on its surface.
    """
    moved = population.final.clone()
    for seed, theta in zip(population.seeds, moved, strict=True):
        generator = torch_generator("lazy ball", population.recipe.key, seed)
        for value in rows_of(population, theta[None]).values():
            direction = torch.randn(value.shape, generator=generator).to(value.device)
            value += direction / direction.norm(dim=-1, keepdim=True) * offset
    return replace(population, parameters={population.epochs[-1]: moved})


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

        name, rows = digest(population.recipe.architecture), []
        for seed, theta in zip(population.seeds, population.final, strict=True):
            start = population.program.initial(torch_generator("initialisation", name, seed))
            moved = rows_of(population, (theta - start)[None]).values()
            lengths = torch.cat([value[0].flatten(1).norm(dim=1) for value in moved])
            rows.append({"seed": seed, "farthest": float(lengths.max()), "typical": float(lengths.mean())})
        return pd.DataFrame(rows).assign(epoch=population.epochs[-1])


@dataclass(frozen=True)
class BallRobustness(Robustness):
    """:class:`Robustness` of random points of the ball around the members, see :func:`random_ball_points`.

    Attributes:
        offset: the radius of the ball; None for the members as they are.
    """

    offset: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.offset is None or self.offset > 0, self, "offset", "None or above 0")
        require(self.epochs == "final", self, "epochs", "'final': a random point is taken once")

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        moved = population if self.offset is None else random_ball_points(population, self.offset)
        return super().run(moved, data, device)
