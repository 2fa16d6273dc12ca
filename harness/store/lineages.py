"""Members that have to be trained by one: a recipe, what is finetuned from it, and so on, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.spec import digest
from harness.store.sharing import cut

if TYPE_CHECKING:
    from harness.recipe import Recipe

Wanted = Iterable[tuple["Recipe", Sequence[int]]]


@dataclass(frozen=True)
class Lineage:
    """Members that hang together, and no others that they need.

    Attributes:
        members: recipes and the seeds of each, parents first.
        work: how long they take, relative to others.
    """

    members: tuple[tuple[Recipe, tuple[int, ...]], ...]
    work: float

    @property
    def key(self) -> str:
        """Digest of what it is."""
        return digest([[recipe.key, list(seeds)] for recipe, seeds in self.members])

    @property
    def size(self) -> int:
        """Members."""
        return sum(len(seeds) for _, seeds in self.members)


def ancestry(recipe: Recipe) -> list[Recipe]:
    """The recipe's parents, eldest first, and the recipe itself."""
    return [*ancestry(recipe.parent), recipe] if recipe.parent else [recipe]


def lineages(wanted: Wanted, together: Callable[[Recipe], int], work: Callable[[Recipe], float]) -> list[Lineage]:
    """All that is wanted, with its parents, in parts that need nothing of each other.

    Args:
        wanted: recipes and seeds; a recipe may come more than once.
        together: members of a recipe that are trained as one stack.
        work: how long one member of a recipe takes.
    """
    seeds_of: dict[str, set[int]] = {}
    known: dict[str, Recipe] = {}
    roots: dict[str, list[str]] = {}
    for recipe, seeds in wanted:
        line = ancestry(recipe)
        for each in line:
            if each.key not in known:
                known[each.key] = each
                roots.setdefault(line[0].key, []).append(each.key)
            seeds_of.setdefault(each.key, set()).update(seeds)
    found = []
    for root, met in roots.items():
        keys = sorted(met, key=lambda key: (len(ancestry(known[key])), key))  # parents first, whatever was asked for first
        for some in cut(tuple(sorted(seeds_of[root])), min(together(known[key]) for key in keys)):
            own = [(known[key], tuple(seed for seed in some if seed in seeds_of[key])) for key in keys]
            members = tuple((recipe, seeds) for recipe, seeds in own if seeds)
            found.append(Lineage(members, sum(work(recipe) * len(seeds) for recipe, seeds in members)))
    return found


def part(every: Iterable[Lineage], number: int, of: int) -> list[Lineage]:
    """One of several parts of about the same work; whoever cuts the same lineages gets the same parts.

    What is in a store plays no role, so that machines that begin at different times still do not do each other's part.

    Args:
        every: the lineages.
        number: which part, from 1.
        of: how many parts there are.
    """
    parts: list[list[Lineage]] = [[] for _ in range(of)]
    loads = [0.0] * of
    for each in sorted(every, key=lambda lineage: (-lineage.work, lineage.key)):
        lightest = loads.index(min(loads))
        parts[lightest].append(each)
        loads[lightest] += each.work
    return parts[number - 1]
