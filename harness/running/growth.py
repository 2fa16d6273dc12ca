"""The same claim on other seeds, and claims to which seeds are added in blocks until they are decided."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from harness.running.around import StoreAround
from harness.running.session import Harness

if TYPE_CHECKING:
    from harness.design import Design
    from harness.evidence import Evidence
    from harness.judge import Verdict
    from harness.population import Population
    from harness.recipe import Recipe
    from harness.store import Store

Body = Callable[["Harness | None"], "Evidence"]  # None for one that reads no harness
Judge = Callable[["Evidence", "list[Collection[int]] | None"], "Verdict"]


class SeededStore(StoreAround):
    """A store that gives every population other seeds than it was asked for.

    Args:
        store: the session's.
        seeds: maps the seeds that a study asks for to those that it gets.
    """

    def __init__(self, store: Store, seeds: Callable[[Iterable[int]], list[int]]) -> None:
        super().__init__(store)
        self._seeds = seeds

    def populations(
        self, recipes: Iterable[Recipe] | Design, seeds: Iterable[int], *, name: str | None = None
    ) -> list[Population]:
        """The members of several recipes; see :class:`SeededStore`."""
        return self._store.populations(recipes, self._seeds(seeds), name=name)


def moved(seeds: Iterable[int], blocks: Iterable[int], stride: int) -> list[int]:
    """The seeds of some blocks: those of the first one, number 0, shifted by as many strides as the block's number says.

    Example:
        >>> moved([4, 7], [0, 1], 4)
        [4, 7, 8, 11]
    """
    first = list(seeds)
    return [seed + stride * block for block in blocks for seed in first]


def in_blocks(body: Body, harness: Harness, blocks: Iterable[int], known: set[int], **other: Any) -> Evidence:
    """What a claim's body returns with the seeds of some blocks in place of those that it and its studies ask for.

    All seeds that a claim asks for are shifted by the same stride, the width of their range.  So populations that share their
    seeds share them in every block, those with seeds of their own (two independent groups) keep them, and no seed is in two
    blocks.

    Args:
        body: the claim's.
        harness: the session's.
        blocks: numbers of the blocks; 0 has the seeds that are asked for.
        known: seeds that the claim is known to ask for; others that it asks for are added, and then everything is done once
            more, with the longer stride.
        other: fields of the harness to replace.
    """
    numbers = tuple(blocks)

    def noted(stride: int, seeds: Iterable[int]) -> list[int]:
        asked = [int(seed) for seed in seeds]
        known.update(asked)
        return moved(asked, numbers, stride)

    while True:
        stride = reach(known)
        store = cast("Store", SeededStore(harness.store, partial(noted, stride)))
        evidence = body(replace(harness, store=store, **other))
        if reach(known) == stride:
            return evidence


def reach(seeds: Collection[int]) -> int:
    """The width of the seeds' range, by which blocks of them are shifted."""
    return max(seeds) - min(seeds) + 1 if seeds else 0


@dataclass(frozen=True)
class Grown:
    """A claim after the last look at it.

    Attributes:
        evidence: of all blocks.
        verdict: of it.
        looks: blocks of seeds that were judged, by a rule that stays valid at every look; 0 for one look by the ordinary rule.
        stuck: seeds were to be added, but the tables had no new ones.
    """

    evidence: Evidence
    verdict: Verdict
    looks: int
    stuck: bool = False


def until_decided(
    body: Body, harness: Harness, evidence: Evidence, judge: Judge, *, most: int, asked: Iterable[int] = ()
) -> Grown:
    """Judge after every block of seeds, by a rule that stays valid at every look, until the claim is decided.

    Args:
        body: the claim's.
        harness: the session's.
        evidence: what the body returned for the first block.
        judge: judges evidence and the seeds of its blocks.
        most: largest number of blocks.
        asked: seeds that the claim is known to ask for, beside those in the evidence.

    Returns:
        The last look.  Seeds stop being added once the verdict is not inconclusive, or the tables hold no new ones.
    """
    blocks: list[Collection[int]] = [seeds_of(evidence)]
    known = set(asked).union(blocks[0])
    while (verdict := judge(evidence, blocks)).outcome == "inconclusive" and len(blocks) < most:
        more = in_blocks(body, harness, range(len(blocks) + 1), known)
        if more.shortfall is not None:  # seeds were added that cannot be judged, and may not be left out either
            return Grown(more, judge(more, blocks), len(blocks))
        new = seeds_of(more).difference(*blocks)
        if not new:
            return Grown(evidence, verdict, len(blocks), stuck=True)
        evidence = more
        blocks.append(new)
    return Grown(evidence, verdict, len(blocks))


def seeds_of(evidence: Any) -> set[int]:
    """Seeds in the tables of some evidence; none where they have no column "seed"."""
    table = getattr(evidence, "table", evidence)
    tables = table.values() if isinstance(table, Mapping) else (table,)
    return {int(seed) for each in tables if "seed" in getattr(each, "columns", ()) for seed in each["seed"].unique()}
