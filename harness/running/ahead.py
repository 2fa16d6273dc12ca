"""Training of what claims are known to ask for, before any of them runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import Shortfall
from harness.store.lineages import part

if TYPE_CHECKING:
    from harness.recipe import Recipe
    from harness.store import Store
    from harness.store.lineages import Lineage


@dataclass(frozen=True)
class Trained:
    """What came of it.

    Attributes:
        members: members that were asked for, with their parents.
        of: members of all parts.
        failures: why some are not there, each reason once.
    """

    members: int
    of: int
    failures: tuple[str, ...]


def train_ahead(
    store: Store, wanted: Sequence[tuple[Recipe, Sequence[int]]], *, number: int = 1, of: int = 1, name: str = "all claims"
) -> Trained:
    """Train what is missing of recipes and seeds, or one of several parts of them; nothing that fails stops the rest.

    Args:
        store: with an engine.
        wanted: recipes and the seeds of each.
        number: which part, from 1.
        of: how many parts there are; each holds the parents of what it trains, so that it needs no other part.
        name: for the progress line.

    Raises:
        EngineError: the engine cannot be used.
    """
    there: list[tuple[Recipe, Sequence[int]]] = []
    failures: dict[str, None] = {}
    for recipe, seeds in wanted:
        try:
            store.data(recipe.data)
            there.append((recipe, seeds))
        except (Shortfall, ValueError, OSError) as problem:  # its claims will say so
            failures[str(problem)] = None
    every: list[Lineage] = store.lineages(there)
    own = part(every, number, of)
    failures |= dict.fromkeys(str(problem) for problem in store.train(own, name=name)) if own else {}
    return Trained(sum(each.size for each in own), sum(each.size for each in every), tuple(failures))
