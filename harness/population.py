"""Members of one recipe, held stacked.  The seed is the unit of replication."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from harness.models import Program
    from harness.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Population:
    """Trained members of one recipe.

    Attributes:
        recipe: what they are.
        seeds: training seed of each member, in the order of the stack.
        parameters: for each kept epoch the flat parameters, a float32 tensor of shape (member, parameter).
        trained_seconds: what training them cost, in seconds, when it was done.
        from_store: whether every member was found in the store.
    """

    recipe: Recipe
    seeds: tuple[int, ...]
    parameters: Mapping[int, torch.Tensor]
    trained_seconds: float = 0.0
    from_store: bool = False

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def program(self) -> Program:
        """The stacked tensor program of the members."""
        return self.recipe.program()

    @property
    def epochs(self) -> tuple[int, ...]:
        """Epochs that are kept, in order."""
        return tuple(sorted(self.parameters))

    @property
    def final(self) -> torch.Tensor:
        """Parameters after the last epoch, shape (member, parameter)."""
        return self.parameters[self.epochs[-1]]

    def select(self, seeds: tuple[int, ...]) -> Population:
        """The members with these seeds, in this order; the cost of training is shared out equally.

        Raises:
            ValueError: there is no member with one of them.
        """
        if absent := [seed for seed in seeds if seed not in self.seeds]:
            raise ValueError(f"this population has no member with seeds {absent}; it has {list(self.seeds)}")
        rows = [self.seeds.index(seed) for seed in seeds]
        parameters = {epoch: values[rows] for epoch, values in self.parameters.items()}
        seconds = self.trained_seconds * len(rows) / len(self)
        return Population(self.recipe, tuple(seeds), parameters, seconds, self.from_store)

    def provenance(self) -> dict[str, Any]:
        """Name, digest and seeds, for the report."""
        return {"name": self.recipe.name, "digest": self.recipe.key, "seeds": list(self.seeds),
                "epochs": self.recipe.epochs, "data": type(self.recipe.data).__name__}
