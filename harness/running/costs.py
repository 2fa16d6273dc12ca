"""What claims would cost: hours, memory and disk, from the rates of this machine (:mod:`harness.running.rates`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.device import memory_limit
from harness.running.probes import CANNOT
from harness.running.rates import WIDE, Known, Rates, Source
from harness.spec import describe, digest
from harness.store.lineages import ancestry
from harness.store.sharing import measured_together, trained_together

if TYPE_CHECKING:
    from harness.measure.base import Measurement
    from harness.recipe import Recipe
    from harness.running.asking import ClaimDesign
    from harness.store import Store

HEADER = 600  # bytes beside the parameters of a member
ALONE = "it is done once for a claim, not for each network"
UNSEEN = "neither it nor anything of its kind could be timed; --seconds gives more time for that"


@dataclass
class Needed:
    """What some claims ask for, each thing once.

    Attributes:
        members: seeds by recipe, parents included.
        tables: (measurement, recipe, seeds) by what tells them apart.
        unknown: tables that belong to no member, and whose time is not known.
    """

    members: dict[Recipe, set[int]] = field(default_factory=dict)
    tables: dict[str, tuple[Measurement, Recipe, set[int]]] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, designs: Iterable[ClaimDesign]) -> Needed:
        """What several claims ask for together."""
        found = cls()
        for design in designs:
            for recipe, seeds in design.recipes:
                for each in ancestry(recipe):
                    found.members.setdefault(each, set()).update(seeds)
            for measurement, populations in design.measured:
                for recipe, seeds in populations:
                    key = digest([describe(measurement), recipe.key])
                    found.tables.setdefault(key, (measurement, recipe, set()))[2].update(seeds)
            found.unknown |= set(design.alone)
        return found

    def lacking(self, store: Store) -> dict[Recipe, str]:
        """Networks whose data cannot be loaded here, with the reason."""
        found = {}
        for recipe in self.members:
            try:
                store.data(recipe.data)
            except CANNOT as problem:
                found[recipe] = str(problem)
        return found

    def without(self, lacking: Mapping[Recipe, str]) -> Needed:
        """The same without some networks and their tables: what can be timed."""
        return Needed(
            {recipe: seeds for recipe, seeds in self.members.items() if recipe not in lacking},
            {key: table for key, table in self.tables.items() if table[1] not in lacking},
            self.unknown,
        )


@dataclass(frozen=True)
class Cost:
    """What something takes.

    Attributes:
        members: networks, timed or not.
        tables: measurements of one network each, timed or not.
        seconds: of one process, on an empty store.
        left: seconds for what is not in the store.
        memory: bytes that one process holds.
        disk: bytes of the store.
        at_most: whether members or samplers may stop earlier than was counted.
        untimed: what could not be timed, with the reason.  Its seconds, memory and disk are in none of the figures.
        sources: the seconds on an empty store by how they were got; see :class:`harness.running.rates.Known`.
    """

    members: int
    tables: int
    seconds: float
    left: float
    memory: int
    disk: int
    at_most: bool
    untimed: Mapping[str, str]
    sources: Mapping[Source, float] = field(default_factory=dict)

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which seconds the time on an empty store lies, as far as parts of it are guesses."""
        guessed = self.sources.get("guessed", 0.0)
        return self.seconds - guessed * (1 - 1 / WIDE), self.seconds + guessed * (WIDE - 1)


@dataclass(frozen=True)
class _Price:
    """What one kind of thing takes, each; there are as many as seeds."""

    known: Known | None
    there: frozenset[int]
    bytes: float
    at_most: bool = False
    memory: int = 0


class Prices:
    """What members and tables take, each found out once for all claims.

    Args:
        whole: what all claims ask for that are ever asked about.
        rates: of this machine.
        store: what it has is not left to be done.
        base: bytes that a process holds before it works.
        lacking: networks whose data cannot be loaded here, with the reason; the rates need not have heard of them.
    """

    def __init__(
        self, whole: Needed, rates: Rates, store: Store, base: int, lacking: Mapping[Recipe, str] = MappingProxyType({})
    ) -> None:
        self._whole, self._rates, self._store, self._base, self._lacking = whole, rates, store, base, lacking
        self._members: dict[str, _Price] = {}
        self._tables: dict[str, _Price] = {}

    def cost(self, needed: Needed) -> Cost:
        """What some claims take together."""
        seconds = left = disk = 0.0
        memory, sources = 0, dict[Source, float]()
        untimed, at_most = dict.fromkeys(needed.unknown, ALONE), False
        priced = [(recipe, "training of", seeds, self._member(recipe)) for recipe, seeds in needed.members.items()]
        priced += [
            (recipe, f"{measurement.name} of", seeds, self._table(key))
            for key, (measurement, recipe, seeds) in needed.tables.items()
        ]
        for recipe, what, seeds, price in priced:
            if price.known is None:
                untimed[f"{what} {recipe.name}"] = self._lacking.get(recipe, UNSEEN)
                continue
            own = len(seeds) * price.known.seconds
            seconds, left = seconds + own, left + len(seeds - price.there) * price.known.seconds
            sources[price.known.source] = sources.get(price.known.source, 0.0) + own
            disk, memory, at_most = disk + len(seeds) * price.bytes, max(memory, price.memory), at_most or price.at_most
        return Cost(
            sum(map(len, needed.members.values())), sum(len(seeds) for _, _, seeds in needed.tables.values()), seconds, left,
            self._base + memory, int(disk), at_most, untimed, sources,
        )  # fmt: skip

    def _member(self, recipe: Recipe) -> _Price:
        if recipe.key not in self._members:
            seeds = self._whole.members[recipe]
            known = None if recipe in self._lacking else self._rates.training(recipe, seeds)
            self._members[recipe.key] = _Price(known, frozenset(), 0.0) if known is None else _Price(
                known, frozenset(self._store.trained_of(recipe, sorted(seeds))),
                4 * recipe.program().layout.total * len(recipe.kept) + HEADER, self._rates.at_most(recipe),
                _memory(recipe, self._store),
            )  # fmt: skip
        return self._members[recipe.key]

    def _table(self, key: str) -> _Price:
        if key not in self._tables:
            measurement, recipe, seeds = self._whole.tables[key]
            try:
                known = None if recipe in self._lacking else self._rates.measuring(measurement, recipe, seeds)
            except CANNOT:
                known = None
            self._tables[key] = _Price(known, frozenset(), 0.0) if known is None else _Price(
                known, frozenset(self._store.measured_of(recipe, sorted(seeds), measurement)),
                self._rates.bytes_of(measurement, recipe), self._rates.measured_at_most(measurement, recipe),
            )  # fmt: skip
        return self._tables[key]


def _memory(recipe: Recipe, store: Store) -> int:
    """Bytes that work on the recipe's members holds: the data, and a stack, or what stacked work is allowed."""
    from harness.training.train import memory_needed

    data = store.data(recipe.data)
    own = data.train_x.nbytes + data.test_x.nbytes
    stack = trained_together(recipe, data, store.device)
    read = measured_together(recipe, store.device) * 4 * recipe.program().layout.total * len(recipe.kept)
    return 2 * own + max(memory_needed(recipe, data, stack), read + memory_limit(store.device))
