"""Work on several recipes at once: members of one kind are trained, and their LLCs measured, as one stack.

What is made has the names, and the bits, that it would have had by itself; so whoever asks for one of these members or tables
afterwards finds it.  Stacks are cut from all that is wanted, whether it is there or not, so that several workers that want the
same have the same stacks, and share them.  A stack that memory does not hold is done in halves, as one of a single recipe is
(:mod:`harness.store.halving`); if they do not fit either, its members are left to whoever asks for them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.device import memory_limit, standard_numerics
from harness.progress import listening
from harness.recipe import digest
from harness.store.halving import in_halves
from harness.store.members import Members, united
from harness.store.names import Names
from harness.store.orders import Order
from harness.store.sharing import (
    Progress,
    Shard,
    cut,
    measured_together,
    measuring_work,
    trained_alongside,
    trained_together,
    training_work,
    until_written,
)
from harness.store.shelf import Shelf
from harness.store.tables import Tables

if TYPE_CHECKING:
    from harness.data.base import Dataset, DataSpec
    from harness.population import Population
    from harness.recipe import Recipe
    from harness.training.train import Diverged

MembersOf = tuple["Recipe", tuple[int, ...]]
Member = tuple[int, int]  # number of the part of a stack, and seed
EXACT_ON = "cpu"  # a GPU chooses its products by the size of the stack
DATA_SHARE = 0.25  # of the memory for stacked work that the data of a stack's recipes may take


class Alongside:
    """Makes shards of several recipes each.

    Args:
        names: what members and tables are called.
        shelf: where they lie.
        device: "cpu" or "cuda".
        data: loads the data of a spec.
        members: reads and keeps them.
        tables: keeps what was measured.
    """

    def __init__(
        self, names: Names, shelf: Shelf, device: str, data: Callable[[DataSpec], Dataset], members: Members, tables: Tables
    ) -> None:  # fmt: skip
        self._names, self._shelf, self._device, self._data = names, shelf, device, data
        self._members, self._tables = members, tables

    def expected(self, recipe: Recipe, seeds: tuple[int, ...]) -> Population:
        """Members that are in the store, or will be when somebody looks at them."""
        from harness.population import Population

        return Population(recipe, seeds, self._members.unread(recipe, seeds))

    def trained(self, wanted: Iterable[MembersOf], failures: list[Exception] | None = None, *, at_once: int = 1) -> list[Shard]:
        """The stacks of what can be trained beside others; what cannot is left out, or a shard by itself for an engine.

        Args:
            wanted: recipes and seeds; parents are not added.
            failures: see :meth:`ordered`; None where an engine does the work.
            at_once: pieces of work that are under way at a time; where there are fewer kinds, stacks are smaller.
        """
        kinds, others = self._kinds(wanted, self._kind_of)
        size = trained_alongside if len(kinds) >= at_once else trained_together

        def most(recipe: Recipe) -> int:
            return size(recipe, self._data(recipe.data), self._device)

        stacks = [self.ordered(None, stack, failures) for kind in kinds for stack in _stacks(kind, most, self._room)]
        if failures is not None:
            return stacks
        apart = [
            (recipe, cut(seeds, trained_together(recipe, self._data(recipe.data), self._device))) for recipe, seeds in others
        ]
        return [*stacks, *(self._members.training(recipe, own) for recipe, parts in apart for own in parts)]

    def measured(self, wanted: Iterable[MembersOf], measurement: Any, failures: list[Exception] | None = None) -> list[Shard]:
        """The same for a measurement.

        Args:
            wanted: recipes and seeds of stored members.
            measurement: with the engine that runs it.
            failures: see :meth:`ordered`.
        """
        from harness.measure.llc.across import kind_of, most_together

        def most(recipe: Recipe) -> int:
            return most_together(measurement, self._data(recipe.data), self._device)

        kinds, others = self._kinds(wanted, lambda recipe: kind_of(measurement, recipe, self._data(recipe.data)))
        stacks = [self.ordered(measurement, stack, failures) for kind in kinds for stack in _stacks(kind, most, self._room)]
        if failures is not None:
            return stacks
        apart = [(self.expected(*members), cut(members[1], measured_together(members[0], self._device))) for members in others]
        return [*stacks, *(self._tables.measuring(all_of, own, measurement) for all_of, parts in apart for own in parts)]

    def _kinds(
        self, wanted: Iterable[MembersOf], kind_of: Callable[[Recipe], Hashable | None]
    ) -> tuple[list[list[MembersOf]], list[MembersOf]]:
        """What is wanted by kind, each recipe once, and what is of none."""
        seeds_of: dict[str, tuple[Recipe, dict[int, None]]] = {}
        for recipe, seeds in wanted:
            seeds_of.setdefault(recipe.key, (recipe, {}))[1].update(dict.fromkeys(seeds))
        kinds: dict[Hashable | None, list[MembersOf]] = {}
        for recipe, own in seeds_of.values():
            kind = kind_of(recipe) if self._device == EXACT_ON else None
            kinds.setdefault(kind, []).append((recipe, tuple(sorted(own))))
        others = kinds.pop(None, [])
        return [*kinds.values()], others

    def able(self, recipe: Recipe) -> bool:
        """Whether members of a recipe can be trained beside those of others."""
        return self._device == EXACT_ON and self._kind_of(recipe) is not None

    def _kind_of(self, recipe: Recipe) -> Hashable | None:
        from harness.training.alongside import kind_of

        return kind_of(recipe, self._data(recipe.data))

    def _room(self, recipe: Recipe) -> float:
        """The share of the room for data that a recipe's training points take: a stack holds those of all its recipes."""
        return self._data(recipe.data).train_x.nbytes / (memory_limit(self._device) * DATA_SHARE)

    def ordered(self, measurement: Any, stack: Sequence[MembersOf], failures: list[Exception] | None = None) -> Shard:
        """The shard of one stack.

        Args:
            measurement: what is measured; None where members are trained.
            stack: recipes and seeds of one kind.
            failures: where what kept members from being made is put; with it, the shard has been tried once it was run.  None
                to raise it.
        """
        tried: list[bool] = []
        if measurement is None:
            paths = [self._names.member_paths(recipe, seeds) for recipe, seeds in stack]
            parents = [self._names.member_paths(recipe.parent, seeds) for recipe, seeds in stack if recipe.parent]
            work = sum(len(seeds) * training_work(recipe, self._data(recipe.data)) for recipe, seeds in stack)
            make = partial(self._train, stack)
        else:
            populations = [self.expected(recipe, seeds) for recipe, seeds in stack]
            paths, parents = [self._names.table_paths(each, measurement) for each in populations], []
            work = sum(len(seeds) * measuring_work(recipe) for recipe, seeds in stack)
            make = partial(self._measure, measurement, populations)
        names = tuple(path.stem for each in paths for path in each.values())
        beside = tuple(Order(recipe, seeds, (), measurement) for recipe, seeds in stack)

        def run(progress: Progress) -> None:
            try:
                make(progress)
                tried.append(not any(map(self._shelf.missing, parents)))  # else one was damaged, and is made again first
            except Exception as problem:
                if failures is None:
                    raise
                failures.append(problem)
                tried.append(True)

        return Shard(
            key=digest(names),
            done=lambda: any(tried) or not any(map(self._shelf.missing, paths)),
            ready=lambda: not any(map(self._shelf.missing, parents)),
            run=run,
            size=len(names),
            work=work,
            order=Order(*stack[0], names, measurement, beside),
        )

    def _train(self, stack: Sequence[MembersOf], progress: Progress) -> None:
        from harness.training.alongside import Part, train_alongside

        paths = [self._names.member_paths(recipe, seeds) for recipe, seeds in stack]
        failures: dict[str, tuple[Recipe, list[Diverged]]] = {}

        def work(some: tuple[Member, ...]) -> None:
            began, parts = time.monotonic(), []
            for number, seeds in _by_part(some):
                recipe = stack[number][0]
                start = self._members.last(recipe.parent, seeds) if recipe.parent else None
                if recipe.parent and start is None:
                    return  # a parent was damaged and set aside; the shard that makes it runs again
                parts.append((Part(recipe, self._data(recipe.data), seeds, start), paths[number]))
            with standard_numerics(self._device):
                made = [*train_alongside([part for part, _ in parts], device=self._device, progress=progress)]
            seconds = (time.monotonic() - began) / len(some)
            for (part, own), (kept, failed) in zip(parts, made, strict=True):
                self._members.keep(part.recipe, own, part.seeds, kept, failed, seconds)
                if failed is not None:
                    failures.setdefault(part.recipe.key, (part.recipe, []))[1].append(failed)

        if missing := self._missing(paths):
            in_halves(missing, work, f"training {_named([recipe for recipe, _ in stack])}", self._device)
        if failures:
            raise united(*next(iter(failures.values())))

    def _measure(self, measurement: Any, populations: Sequence[Population], progress: Progress) -> None:
        from harness.measure.llc.across import measured_across
        from harness.networks.finite import NotFinite

        refused: list[NotFinite] = []
        paths = [self._names.table_paths(each, measurement) for each in populations]

        def work(some: tuple[Member, ...]) -> None:
            parts = [(populations[number], paths[number], seeds) for number, seeds in _by_part(some)]
            with standard_numerics(self._device), listening(until_written(progress)):
                seen, kept = [], []
                for each, own, seeds in parts:
                    data = self._data(each.recipe.data)
                    members, wrong = self._tables.measurable(each.select(seeds), measurement, data)
                    refused.extend([NotFinite(each.recipe.name, wrong)] if wrong else [])
                    if members.seeds:
                        seen.append((members, data))
                        kept.append((each, own, members.seeds))
                tables = measured_across(measurement, seen, self._device) if seen else []
            for (each, own, seeds), table in zip(kept, tables, strict=True):
                self._tables.keep(each, measurement, own, seeds, table, {})  # a time in company is no rate to plan with

        if missing := self._missing(paths):
            what = f"measuring {_named([each.recipe for each in populations])}, {measurement.name}"
            in_halves(missing, work, what, self._device)
        if refused:
            raise refused[0]

    def _missing(self, paths: Sequence[Mapping[int, Path]]) -> tuple[Member, ...]:
        """What of a stack has no entry, by the number of its part in it."""
        return tuple((number, seed) for number, own in enumerate(paths) for seed in self._shelf.missing(own))


def _by_part(some: Sequence[Member]) -> list[tuple[int, tuple[int, ...]]]:
    """Members of a stack, those of a part together, in the order of the stack."""
    return [(number, tuple(seed for _, seed in own)) for number, own in groupby(some, key=itemgetter(0))]


def _named(recipes: Sequence[Recipe]) -> str:
    """The recipes of a stack in words."""
    others = len(recipes) - 1
    return recipes[0].name + (f" beside {others} other recipe{'s' if others > 1 else ''}" if others else "")


def _stacks(
    kind: Sequence[MembersOf], most: Callable[[Recipe], int], room: Callable[[Recipe], float]
) -> Iterator[list[MembersOf]]:
    """Stacks of as many members as fit, of whole recipes where they do and of about one size; similar attacks together."""
    stack: list[MembersOf] = []
    taken, least = 0.0, min(most(recipe) for recipe, _ in kind)
    count = sum(len(seeds) for _, seeds in kind)
    enough = math.ceil(count / math.ceil(count / least))
    for recipe, seeds in sorted(kind, key=lambda members: (-members[0].regime.passes, members[0].key)):
        for some in cut(seeds, most(recipe)):
            size = sum(len(own) for _, own in stack)
            if stack and (size >= enough or size + len(some) > most(recipe) or taken + room(recipe) > 1):
                yield stack
                stack, taken = [], 0.0
            stack.append((recipe, some))
            taken += room(recipe)
    if stack:
        yield stack
