"""Work of a store, said so that another process can do it.

What travels is a recipe or a measurement and seeds, never a network or a table: entries are named by what they are made from,
so that whoever is told this much makes the same ones, in the same folder, and who cannot finds other names and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from harness.recipe import Recipe
    from harness.store.sharing import Shard, Tell
    from harness.store.store import Store


@dataclass(frozen=True)
class Order:
    """What a shard makes.

    Attributes:
        recipe: of the members that are trained or measured.
        seeds: theirs.
        names: what the entries are called where the work was ordered.
        measurement: what is measured, with the engine that runs it; None where members are trained.
        beside: where several recipes are one stack, all of them, the first included; the names are then those of all.
    """

    recipe: Recipe
    seeds: tuple[int, ...]
    names: tuple[str, ...]
    measurement: Any = None
    beside: tuple[Order, ...] = ()


@dataclass
class Done:
    """What came of a pile.

    Attributes:
        made: shards that were made here or on this one's behalf.
        failures: what kept others from being made, in order.
    """

    made: int = 0
    failures: list[Exception] = field(default_factory=list)


class Carrier(Protocol):
    """Who does a store's work elsewhere; see :mod:`harness.engines`.

    Attributes:
        at_once: pieces of work that are under way at a time, at most.
    """

    at_once: int

    def carry_out(self, shards: Sequence[Shard], store: Store, tell: Tell) -> Done:
        """Return when every shard is done, or cannot be: by other processes, and in this one where it cannot travel.

        Args:
            shards: the pile.
            store: whose they are.
            tell: told how many members are done, and which share of the work.
        """
