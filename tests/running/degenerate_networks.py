"""A store whose networks were never trained: they diverged, died or collapsed, each in a way of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from harness import Store
from harness.design import Design, labelled
from harness.population import Population
from harness.recipe import Recipe
from harness.store.asked import checked_seeds
from harness.streams import torch_generator

Kind = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


def _own(theta: torch.Tensor) -> torch.Tensor:
    """A number for each member, shape (member, 1): two networks of the same weights would have one name."""
    return 0.5 + 0.01 * torch.arange(len(theta))[:, None]


def _last(theta: torch.Tensor) -> torch.Tensor:
    """1 in the last parameter, which is a bias or belongs to one class, and 0 in all others."""
    return torch.nn.functional.one_hot(torch.full((len(theta),), theta.shape[1] - 1), theta.shape[1]).to(theta.dtype)


def _of_some(kind: Kind) -> Kind:
    """The first member alone is as a kind has it."""
    return lambda theta, rng: torch.cat([kind(theta[:1], rng), theta[1:]])


KINDS: dict[str, Kind] = {
    "all weights 0 but the last": lambda theta, rng: _last(theta) * _own(theta),
    "all weights the same": lambda theta, rng: torch.ones_like(theta) * _own(theta),
    "all units dead": lambda theta, rng: -theta.abs(),
    "weights that vanish": lambda theta, rng: theta * 1e-30,
    "outputs beyond all numbers": lambda theta, rng: theta * 1e30,
    "the largest weights that there are": lambda theta, rng: torch.full_like(theta, 3e38) * theta.sign(),
    "large and noisy": lambda theta, rng: 1e4 * torch.randn(theta.shape, generator=rng),
}
KINDS |= {f"one with {name}": _of_some(kind) for name, kind in list(KINDS.items())}


class Untrained:
    """A store that hands out degenerate networks and measures them as any others.

    Args:
        store: measures them, and keeps their tables.
        kind: makes parameters of shape (member, parameter) from initial ones.
    """

    def __init__(self, store: Store, kind: Kind) -> None:
        self._store, self._kind = store, kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def expected(self, recipe: Recipe, seeds: Iterable[int]) -> Population:
        """The members, which are there at once."""
        from harness.training.train import initial

        own = tuple(seeds)
        theta = self._kind(initial(recipe, own), torch_generator("degenerate", recipe.key, 0))
        return Population(recipe, own, dict.fromkeys(recipe.kept, theta))

    def trained_of(self, recipe: Recipe, seeds: Iterable[int]) -> tuple[int, ...]:
        """All of them."""
        return tuple(seeds)

    def population(self, recipe: Recipe, seeds: Iterable[int], *, name: str | None = None) -> Population:
        """The members of one recipe."""
        return self.populations([recipe], seeds)[0]

    def populations(
        self, recipes: Iterable[Recipe] | Design, seeds: Iterable[int], *, name: str | None = None
    ) -> list[Population]:
        """The members of several recipes."""
        own, found = checked_seeds(seeds), []
        for labels, recipe in labelled(recipes):
            found.append(Population(recipe, own, self.expected(recipe, own).parameters, labels))
            self._store.trained.append((recipe, own))
        return found
