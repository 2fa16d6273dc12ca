"""Members of one recipe, held stacked.  The seed is the unit of replication."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harness.showing import Shown

if TYPE_CHECKING:
    import torch

    from harness.networks import Program
    from harness.recipe import Recipe


Read = Callable[[Sequence[int]], Mapping[int, "torch.Tensor"]]


class Unread(Mapping[int, "torch.Tensor"]):
    """Parameters by kept epoch that are read when one of them is first looked at, and kept from then on.

    A population whose measurements are all there is never read, and one that is too large for the memory can be taken a few
    members at a time (:meth:`Population.select`).

    Args:
        epochs: the kept epochs.
        seeds: the members, in the order of the stack.
        read: reads the parameters of members with some seeds, by epoch, each of shape (member, parameter).
        names: what the store that trained them calls them, by seed.
    """

    def __init__(self, epochs: Sequence[int], seeds: Sequence[int], read: Read, names: Mapping[int, str]) -> None:
        self._epochs, self._seeds, self._read = tuple(epochs), tuple(seeds), read
        self.names = names
        self._versions: dict[int, int] = {}
        self._changed = False
        self._found: Mapping[int, torch.Tensor] | None = None

    def __getitem__(self, epoch: int) -> torch.Tensor:
        if epoch not in self._epochs:
            raise KeyError(epoch)
        found = self._keep(self._read(self._seeds)) if self._found is None else self._found
        return found[epoch]

    def __iter__(self) -> Iterator[int]:
        return iter(self._epochs)

    def __len__(self) -> int:
        return len(self._epochs)

    def __contains__(self, epoch: object) -> bool:
        return epoch in self._epochs

    def members(self, rows: Sequence[int]) -> Unread:
        """Those of some members: to be read by themselves, or copied where all have been read."""
        some = Unread(self._epochs, [self._seeds[row] for row in rows], self._read, self.names)
        if self._found is not None:
            some._keep({epoch: values[list(rows)] for epoch, values in self._found.items()})
            some.changed = self.changed
        return some

    def _keep(self, found: Mapping[int, torch.Tensor]) -> Mapping[int, torch.Tensor]:
        self._found = found
        self._versions = {epoch: values._version for epoch, values in found.items()}
        return found

    @property
    def changed(self) -> bool:
        """Whether somebody has written into what was read, so that its names are no longer right."""
        found = self._found or {}
        return self._changed or any(values._version != self._versions[epoch] for epoch, values in found.items())

    @changed.setter
    def changed(self, value: bool) -> None:
        self._changed = value


@dataclass(frozen=True, eq=False, repr=False)
class Population(Shown):
    """Trained members of one recipe.

    Attributes:
        recipe: what they are.
        seeds: training seed of each member, in the order of the stack.
        parameters: for each kept epoch the flat parameters, a float32 tensor of shape (member, parameter); those of a store are
            read when they are first looked at.
        labels: levels of the factors of the design that it is a cell of; what is measured of it has them as columns.
    """

    recipe: Recipe
    seeds: tuple[int, ...]
    parameters: Mapping[int, torch.Tensor]
    labels: Mapping[str, Any] = field(default_factory=dict)

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        return f"Population {self.recipe.name}", {
            "members": len(self), "seeds": self.seeds, "epochs kept": self.epochs, "parameters": self.program.layout.total,
            "trained on": type(self.recipe.data).__name__, "recipe": self.recipe.key,
        }  # fmt: skip

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
        """The members with these seeds, in this order.

        Raises:
            ValueError: there is no member with one of them.
        """
        if absent := [seed for seed in seeds if seed not in self.seeds]:
            raise ValueError(f"this population has no member with seeds {absent}; it has {list(self.seeds)}")
        rows, own = [self.seeds.index(seed) for seed in seeds], self.parameters
        chosen = own.members(rows) if isinstance(own, Unread) else {epoch: values[rows] for epoch, values in own.items()}
        return replace(self, seeds=tuple(seeds), parameters=chosen)

    def provenance(self) -> dict[str, Any]:
        """Name, digest and seeds, for the report."""
        return provenance(self.recipe, self.seeds)


def provenance(recipe: Recipe, seeds: Sequence[int]) -> dict[str, Any]:
    """What the report says of members of a recipe."""
    return {
        "name": recipe.name,
        "digest": recipe.key,
        "seeds": list(seeds),
        "epochs": recipe.epochs,
        "data": type(recipe.data).__name__,
    }
