"""Claims to which seeds are added in blocks until they are decided (``--claims-until-decided``)."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.plugin.asking import REQUEST, Asking, asked_in, definitions_of, needed_by
from harness.plugin.fixture import Harness

if TYPE_CHECKING:
    from harness.claim import Evidence
    from harness.judge import Verdict
    from harness.population import Population
    from harness.recipe import Recipe
    from harness.store import Store

HARNESS = "harness"
Judge = Callable[["Evidence", "list[Collection[int]] | None"], "Verdict"]


class Rerun:
    """The body of a claim and the fixtures under it, called once more with another harness.

    pytest makes a fixture once a session.  Here those that depend on the harness are made again, outside of its cache; all
    others keep their value.

    Args:
        item: the claim, set up.
        harness: what its fixtures get in place of the session's.
        others: gives the value of a fixture that does not depend on the harness.
    """

    def __init__(self, item: pytest.Function, harness: Harness, others: Callable[[str], Any]) -> None:
        self._item, self._harness, self._others = item, harness, others
        self._made: dict[str, Any] = {}
        self._open = contextlib.ExitStack()

    def body(self) -> Any:
        """What the body returns; fixtures that clean up after themselves do so before this returns."""
        with self._open:
            return self._item.obj(**{name: self._value(name) for name in self._item._fixtureinfo.argnames})

    def _value(self, name: str) -> Any:
        if name == HARNESS:
            return self._harness
        if name == REQUEST:
            return Asking(self._others(name), self._value)
        if not depends(self._item, name):
            return self._others(name)
        if name not in self._made:
            definition = definitions_of(self._item, name)[-1]
            arguments = {needed: self._value(needed) for needed in definition.argnames}
            self._made[name] = self._opened(definition.func, arguments)
        return self._made[name]

    def _opened(self, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        if inspect.isgeneratorfunction(function):
            return self._open.enter_context(contextlib.contextmanager(function)(**arguments))
        return function(**arguments)


def depends(item: pytest.Function, name: str | None = None, above: tuple[str, ...] = ()) -> bool:
    """Whether a fixture of the claim, or any of them, gets the harness, directly or through others.

    Args:
        item: the claim.
        name: the fixture; None for any that the claim's body names.
        above: fixtures that need it, which are being looked at.
    """
    if name == HARNESS:
        return True
    if name is None:
        arguments = item._fixtureinfo.argnames
        needed = (*arguments, *(asked_in(item, item.function) if REQUEST in arguments else ()))
    else:
        definitions = definitions_of(item, name)
        needed = needed_by(item, definitions[-1]) if definitions else ()
    above = above if name is None else (*above, name)
    return any(depends(item, each, above) for each in needed if each not in above)


class SeededStore:
    """A store that gives every population other seeds than it was asked for.

    Args:
        store: the session's.
        seeds: from the seeds that a fixture asks for to those that it gets.
    """

    def __init__(self, store: Store, seeds: Callable[[Iterable[int]], list[int]]) -> None:
        self._store, self._seeds = store, seeds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def population(self, recipe: Recipe, seeds: Iterable[int], *, name: str | None = None) -> Population:
        """The members of one recipe; see :class:`SeededStore`."""
        return self.populations([recipe], seeds, name=name)[0]

    def populations(
        self, recipes: Iterable[Recipe], seeds: Iterable[int], *, name: str | None = None
    ) -> list[Population]:
        """The members of several recipes; see :class:`SeededStore`."""
        return self._store.populations(recipes, self._seeds(seeds), name=name)


def rerun(
    item: pytest.Function, *, seeds: Callable[[Iterable[int]], list[int]] | None = None, **other: Any
) -> Evidence:
    """What the claim's body returns with another harness than the session's.

    Args:
        item: the claim, set up.
        seeds: from the seeds that a fixture asks for to those that it gets; None for those that it asks for.
        other: fields of the harness that are replaced.
    """
    session: Harness = item._request.getfixturevalue(HARNESS)
    store = session.store if seeds is None else cast("Store", SeededStore(session.store, seeds))
    evidence: Evidence = Rerun(item, replace(session, store=store, **other), item._request.getfixturevalue).body()
    return evidence


def moved(seeds: Iterable[int], blocks: Iterable[int], stride: int) -> list[int]:
    """The seeds of some blocks: those of the first one, number 0, moved on by as many strides as the block's number says.

    Example:
        >>> moved([4, 7], [0, 1], 4)
        [4, 7, 8, 11]
    """
    first = list(seeds)
    return [seed + stride * block for block in blocks for seed in first]


def rerun_in(item: pytest.Function, blocks: Iterable[int], known: set[int], **other: Any) -> Evidence:
    """What the claim's body returns with the seeds of some blocks in place of those that its fixtures ask for.

    All seeds that a claim asks for are moved by one stride, which is as long as they reach.  So populations that share their
    seeds share them in every block, those with seeds of their own (two independent groups) keep them, and no seed stands in
    two blocks.

    Args:
        item: the claim, set up.
        blocks: numbers of the blocks; 0 has the seeds that are asked for.
        known: seeds that the claim is known to ask for; what it asks for besides is added, and then all is done once more,
            by the longer stride.
        other: fields of the harness that are replaced.
    """
    numbers = tuple(blocks)

    def noted(stride: int, seeds: Iterable[int]) -> list[int]:
        asked = [int(seed) for seed in seeds]
        known.update(asked)
        return moved(asked, numbers, stride)

    while True:
        reach = _reach(known)
        evidence = rerun(item, seeds=partial(noted, reach), **other)
        if _reach(known) == reach:
            return evidence


def _reach(seeds: Collection[int]) -> int:
    return max(seeds) - min(seeds) + 1 if seeds else 0


def until_decided(
    item: pytest.Function, evidence: Evidence, judge: Judge, *, most: int, asked: Iterable[int] = ()
) -> tuple[Evidence, Verdict]:
    """Judge after every block of seeds, by a rule that stays valid at every look, until the claim is decided.

    Args:
        item: the claim, set up.
        evidence: what its body returned for the first block.
        judge: judges evidence and the seeds of its blocks.
        most: largest number of blocks.
        asked: seeds that its fixtures are known to have asked for, beside those in the evidence.

    Returns:
        Evidence and verdict at the last look.  Seeds stop being added where the verdict is not inconclusive, and where
        nothing that the claim reads depends on seeds.
    """
    blocks: list[Collection[int]] = [seeds_of(evidence)]
    if not blocks[0] or not depends(item):
        return evidence, judge(evidence, None)
    known = set(asked).union(blocks[0])
    while (verdict := judge(evidence, blocks)).outcome == "inconclusive" and len(blocks) < most:
        evidence = rerun_in(item, range(len(blocks) + 1), known)
        new = seeds_of(evidence).difference(*blocks)
        if not new:
            break
        blocks.append(new)
    return evidence, verdict


def seeds_of(evidence: Any) -> set[int]:
    """Seeds in the tables of some evidence; none where they have no column "seed"."""
    table = getattr(evidence, "table", evidence)
    tables = table.values() if isinstance(table, Mapping) else (table,)
    return {int(seed) for each in tables if "seed" in getattr(each, "columns", ()) for seed in each["seed"].unique()}
