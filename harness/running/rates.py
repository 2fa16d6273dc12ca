"""How long training and measuring take on this machine: from what the store knows, else timed on a few steps and members.

A member that is in the store says how long it took.  The rest is timed (:mod:`harness.running.probes`), within a time that is
set before.  Recipes are taken in groups (one kind of network, regime and data), of which the one with the least and the one
with the most work are timed; the others are scaled by work.  Where training ends as soon as it has reached something, which
depends on more than work, each architecture is a group.  Measurements that differ in real numbers and random streams alone (a
radius, a threshold) are timed once for each kind of network and data.  What there was no time for is guessed from other
groups.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from harness.running.probes import CANNOT, FEWEST, Probes, may_stop, pieces
from harness.spec import describe, digest
from harness.store import files
from harness.store.lineages import ancestry
from harness.store.sharing import measuring_work, training_work

if TYPE_CHECKING:
    from harness.measure.base import Measurement
    from harness.recipe import Recipe
    from harness.running.costs import Needed
    from harness.store import Store

Source = Literal["stored", "timed", "scaled", "guessed"]
ENTRY = 0.003  # seconds of naming, writing and reading an entry
TABLE = 1500  # bytes of a table whose size is not known
NEAR = 4.0  # by how much the work may differ from that of the only recipe that could be timed; beyond, it is a guess
WIDE = 3.0  # how many times shorter or longer a guess may be
# Shares of the time: for trainings, for when they stop, for members to measure, for when samplers stop, for measuring.
SHARES = (0.35, 0.15, 0.1, 0.15, 0.25)
WHOLE = {"LLCSpec"}  # settings whose real numbers decide how long it takes
T = TypeVar("T")
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Known:
    """How long one member or table takes.

    Attributes:
        seconds: that it takes.
        source: how they were got: "stored" (entries say so), "timed" (it was timed itself, or is of equal work), "scaled" (by
            work, from others of its group), "guessed" (from other groups: up to :data:`WIDE` times shorter or longer).
    """

    seconds: float
    source: Source


@dataclass
class Group:
    """Things whose times are in proportion to their work, or nearly.

    Attributes:
        name: what is done to them: groups of one name stand in for each other.
        recipes: by key.
        works: of one member, by key of its recipe.
        count: members of all.
        measurement: what is measured; None for training.
        rates: seconds for each unit of work, by the key of those that were timed.
        shares: of its budget that a sampler takes, by the recipe's key, by the name of the piece of a measurement.
        cut: whether a training or sampler that may stop early counts in full, since it was not seen to stop.
        bytes: size of a member's table.
        seen: seconds in which a sampler was last seen to stop; None before.
        least: work of the recipe that this was.
    """

    name: str
    recipes: dict[str, Recipe] = field(default_factory=dict)
    works: dict[str, float] = field(default_factory=dict)
    count: float = 0.0
    measurement: Measurement | None = None
    rates: dict[str, float] = field(default_factory=dict)
    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    cut: bool = False
    bytes: float = TABLE
    seen: float | None = None
    least: float = 1.0

    def add(self, recipe: Recipe, work: float, members: int) -> None:
        """Take in one more recipe."""
        self.recipes[recipe.key], self.works[recipe.key] = recipe, work
        self.count += work * members

    def ends(self) -> list[Recipe]:
        """The recipes with the least and the most work; one where all have the same."""
        ranked = sorted(self.works, key=lambda key: (self.works[key], key))
        outer = ranked[:1] if self.works[ranked[0]] == self.works[ranked[-1]] else [ranked[0], ranked[-1]]
        return [self.recipes[key] for key in outer]

    def rate(self, work: float) -> tuple[float, Source] | None:
        """Seconds for each unit of some work, between those that were timed by the logarithms; None if none was."""
        timed = sorted((self.works[key], rate) for key, rate in self.rates.items())
        if not timed:
            return None
        (low, slow), (high, fast) = timed[0], timed[-1]
        if work in (low, high):
            return (slow if work == low else fast), "timed"
        if low == high:
            return slow, "scaled" if 1 / NEAR <= work / low <= NEAR else "guessed"
        return slow * (fast / slow) ** (math.log(work / low) / math.log(high / low)), "scaled"

    def shares_of(self, recipe: Recipe, parts: Iterable[str]) -> dict[str, float]:
        """The shares of its budget that a sampler takes, by piece: of the recipe, of others, or of other pieces."""
        found: dict[str, float] = {}
        for own in (*self.shares.values(), self.shares.get(recipe.key, {})):
            found |= own
        others = sum(found.values()) / len(found) if found else None
        return {} if others is None else {name: found.get(name, others) for name in parts}

    def mean(self) -> float | None:
        """Geometric mean of what was timed."""
        return math.exp(sum(map(math.log, self.rates.values())) / len(self.rates)) if self.rates else None


class Rates:
    """How long things take on this machine.

    Args:
        store: whose members and tables are asked first, and whose device it is.
        needed: everything that will be asked about; what is timed is spread over it.
        seconds: of this process that timing may take, about.
        tell: told how many things have been timed, of how many.
    """

    def __init__(self, store: Store, needed: Needed, seconds: float, tell: Tell = lambda done, of: None) -> None:
        self._store, self._seconds, self._tell, self._needed = store, seconds, tell, needed
        self._probes = Probes(store, {recipe.key: len(seeds) for recipe, seeds in needed.members.items()})
        self._stored: dict[Any, float | None] = {}
        self._works: dict[str, float | None] = {}
        self._trainings: dict[str, Group] = {}
        self._tables: dict[str, Group] = {}
        self._timed, self._done, self._of, self._due, self._began = False, 0, 0, 0.0, 0.0

    def training(self, recipe: Recipe, seeds: Iterable[int]) -> Known | None:
        """How long one member takes; None if that cannot be found out."""
        stored, work = self._training_stored(recipe, seeds), self._work(recipe)
        if stored is not None or work is None:
            return None if stored is None else Known(stored, "stored")
        self.time()
        return _known(self._trainings, group_of(recipe), work)

    def measuring(self, measurement: Measurement, recipe: Recipe, seeds: Iterable[int]) -> Known | None:
        """How long the measurement of one member takes; None if that cannot be found out."""
        stored = self._measuring_stored(measurement, recipe, seeds)
        if stored is not None:
            return Known(stored, "stored")
        self.time()
        return _known(self._tables, kind_of(measurement, recipe), measuring_work(recipe))

    def at_most(self, recipe: Recipe) -> bool:
        """Whether members may stop earlier than is counted, because nobody has seen them stop."""
        self.time()
        return _cut(self._trainings, group_of(recipe))

    def measured_at_most(self, measurement: Measurement, recipe: Recipe) -> bool:
        """Whether a sampler may stop earlier than is counted, because nobody has seen it stop."""
        self.time()
        return _cut(self._tables, kind_of(measurement, recipe))

    def bytes_of(self, measurement: Measurement, recipe: Recipe) -> float:
        """Size of one member's table."""
        group = self._tables.get(kind_of(measurement, recipe))
        return TABLE if group is None else group.bytes

    # --- timing -----------------------------------------------------------------------------------------------------

    def time(self) -> None:
        """Time everything that entries do not know, once: what is small first, each within its share of the time."""
        if self._timed:
            return
        self._timed = True
        for recipe, seeds in self._needed.members.items():
            work = self._work(recipe)
            if work is not None and self._training_stored(recipe, seeds) is None:
                self._trainings.setdefault(group_of(recipe), Group("training")).add(recipe, work, len(seeds))
        for measurement, recipe, seeds in self._needed.tables.values():
            if self._measuring_stored(measurement, recipe, seeds) is None:
                group = self._tables.setdefault(kind_of(measurement, recipe), Group(measurement.name, measurement=measurement))
                group.add(recipe, measuring_work(recipe), len(seeds))
        trained = _small_first((group, recipe) for group in self._trainings.values() for recipe in group.ends())
        stopping = [item for item in trained if item[1].until is not None]
        measured = _small_first((group, recipe) for group in self._tables.values() for recipe in group.ends())
        members = {recipe.key: recipe for _, recipe in measured}
        samplers = [item for item in measured if item[0].measurement is not None and may_stop(item[0].measurement)]
        self._of = len(trained) + len(stopping) + len(members) + len(samplers) + len(measured)
        self._began = self._probes.clock()
        self._phase(trained, self._time_training, SHARES[0])
        self._phase(stopping, self._time_stop, SHARES[1])
        self._phase([*members.values()], self._make, SHARES[2])
        self._phase(samplers, self._sample, SHARES[3])
        self._phase(measured, self._measure, SHARES[4])

    def _phase(self, items: Sequence[T], work: Callable[[T, float], None], share: float) -> None:
        """Time some things, with a share of the time and what was left before; each may take as long as the others to come."""
        self._due += share * self._seconds
        for number, item in enumerate(items):
            left = self._began + self._due - self._probes.clock()
            if left > 0:
                work(item, left / (len(items) - number))
            self._done += 1
            self._tell(self._done, self._of)

    def _time_training(self, item: tuple[Group, Recipe], limit: float) -> None:
        group, recipe = item
        rate = self._probes.training(recipe, limit)
        group.cut = recipe.until is not None
        if rate is not None:
            group.rates[recipe.key] = rate

    def _time_stop(self, item: tuple[Group, Recipe], limit: float) -> None:
        group, recipe = item
        rate = group.rates.get(recipe.key)
        if rate is None or recipe.until is None:
            return
        look = FEWEST * rate * group.works[recipe.key] * recipe.until.every / recipe.epochs
        share = self._probes.stopping(recipe, limit) if look < limit else None  # nobody stops before the first look
        if share is not None:
            group.rates[recipe.key], group.cut = rate * share, False

    def _make(self, recipe: Recipe, limit: float) -> None:
        known = {each.key: self.training(each, self._needed.members.get(each, ())) for each in ancestry(recipe)}
        try:
            self._probes.prepare(recipe, {key: each.seconds for key, each in known.items() if each is not None}, limit)
        except CANNOT:
            return

    def _sample(self, item: tuple[Group, Recipe], limit: float) -> None:
        """See when a sampler stops, piece by piece; with more work only where that can be afforded, going by less work."""
        group, recipe = item
        assert group.measurement is not None
        parts = pieces(group.measurement, recipe)
        before, began = group.seen, self._probes.clock()
        if before is not None and before / group.least * group.works[recipe.key] > limit:
            return
        shares = {name: self._probes.stops(piece, recipe, limit / len(parts)) for name, piece in parts.items()}
        group.shares[recipe.key] = {name: share for name, share in shares.items() if share is not None}
        group.seen, group.least = self._probes.clock() - began, group.works[recipe.key]

    def _measure(self, item: tuple[Group, Recipe], limit: float) -> None:
        group, recipe = item
        assert group.measurement is not None
        shares = group.shares_of(recipe, pieces(group.measurement, recipe))
        pace = self._probes.measuring(group.measurement, recipe, shares, limit)
        if pace is None:
            return
        group.rates[recipe.key] = pace.rate
        group.cut = may_stop(group.measurement) and not shares
        if pace.bytes is not None:
            group.bytes = pace.bytes

    # --- what is known ----------------------------------------------------------------------------------------------

    def _training_stored(self, recipe: Recipe, seeds: Iterable[int]) -> float | None:
        if recipe.key not in self._stored:
            paths = [self._store.member_path(recipe, seed) for seed in sorted(seeds)[:3]]
            self._stored[recipe.key] = _said(paths, files.read_tensors)
        return self._stored[recipe.key]

    def _measuring_stored(self, measurement: Measurement, recipe: Recipe, seeds: Iterable[int]) -> float | None:
        key = digest([describe(measurement), recipe.key])
        if key not in self._stored:
            paths = [*self._store.table_paths(recipe, sorted(seeds)[:3], measurement).values()]
            self._stored[key] = _said(paths, files.read_table)
        return self._stored[key]

    def _work(self, recipe: Recipe) -> float | None:
        if recipe.key not in self._works:
            try:
                self._works[recipe.key] = training_work(recipe, self._store.data(recipe.data))
            except CANNOT:
                self._works[recipe.key] = None
        return self._works[recipe.key]


def _small_first(items: Iterable[tuple[Group, Recipe]]) -> list[tuple[Group, Recipe]]:
    """In the order of their size: what is small takes least and is there in any case, and leaves its time to what is large."""
    return sorted(items, key=lambda item: (item[1].program().layout.total * len(item[1].kept), item[1].key))


def _cut(groups: Mapping[str, Group], name: str) -> bool:
    return name in groups and groups[name].cut


def group_of(recipe: Recipe) -> str:
    """Recipes whose trainings' times are in proportion to their work: one kind of network, data, regime and optimiser."""
    stopping = [recipe.architecture.name, describe(recipe.until)] if recipe.until else []
    return digest([recipe.regime.name, *_kinds(recipe), type(recipe.optimiser).__name__, *stopping])


def kind_of(measurement: Measurement, recipe: Recipe) -> str:
    """What is measured in a time that is in proportion to work: one kind of measurement, network, data and regime."""
    regime = [recipe.regime.name] if may_stop(measurement) else []  # samplers stop sooner on some than on others
    return digest([_counted(describe(measurement)), *regime, *_kinds(recipe)])


def _kinds(recipe: Recipe) -> list[str]:
    built = str(getattr(recipe.architecture, "build", ""))  # modules of one function
    return [built, type(recipe.architecture).__name__, type(recipe.data).__name__]


def _counted(value: Any) -> Any:
    """Settings without what does not decide how long a measurement takes: real numbers, and names of random streams."""
    if isinstance(value, Mapping):
        kept = value if value.get("type") in WHOLE else {name: _counted(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if name != "seed"}
    if isinstance(value, list | tuple):
        return [_counted(each) for each in value]
    return 0.0 if isinstance(value, float) else value


def _known(groups: Mapping[str, Group], name: str, work: float) -> Known | None:
    """How long work takes by its group, else by the others of the same name; None where none was timed."""
    group = groups.get(name)
    if group is None:
        return None
    rate: float | None
    source: Source
    rate, source = group.rate(work) or (_guess(groups.values(), group.name), "guessed")
    return None if rate is None else Known(rate * work + ENTRY, source)


def _guess(groups: Iterable[Group], name: str) -> float | None:
    """The geometric mean of what was timed in the groups of a name."""
    others = [mean for each in groups if each.name == name and (mean := each.mean()) is not None]
    return math.exp(sum(map(math.log, others)) / len(others)) if others else None


def _said(paths: Sequence[Any], read: Callable[[Any], tuple[Any, Mapping[str, Any]]]) -> float | None:
    """Mean of the seconds that entries say they took; None where none says so."""
    said = []
    for path in paths:
        try:
            about = read(path)[1]
        except files.Damaged:
            continue
        if isinstance(about.get("seconds"), float):
            said.append(about["seconds"])
    return sum(said) / len(said) if said else None
