"""Trained networks and measurements on disk, named by what they are made from.

Ask for a population and it is there: members that exist are read, missing ones are trained together, stacked,
and shared with the other workers.  Nothing has to be invalidated by hand: another recipe, other data or other
code is another name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.deadline import doing
from harness.design import labelled
from harness.device import standard_numerics
from harness.own.checkpoints import Given
from harness.progress import under_way
from harness.recipe import digest
from harness.showing import Shown
from harness.store import copies
from harness.store.alongside import Alongside, MembersOf
from harness.store.asked import check_asked, check_built, checked_seeds, resolved
from harness.store.ignored import make
from harness.store.leftovers import sweep
from harness.store.lineages import Lineage, Wanted, ancestry, lineages
from harness.store.loading import loaded
from harness.store.members import Members
from harness.store.names import Names, code_of_data, stored
from harness.store.orders import Carrier, Done, Order
from harness.store.others import shelf_of
from harness.store.place import Place
from harness.store.sharing import Shard, raise_first, share, trained_together, training_work
from harness.store.shelf import SUFFIXES, Entry, Kind
from harness.store.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset, DataSpec
    from harness.design import Design
    from harness.measure.base import Measurement
    from harness.measure.views import View
    from harness.population import Population
    from harness.recipe import Recipe

Heartbeat = Callable[[dict[str, Any]], None]
_APART = "give each seed the weights of a training of its own"
_DRAW = "let the loop draw what differs between networks from the seed that it is given"
_DOING = {"trained": "training", "measured": "measuring"}


class Measured(NamedTuple):
    """What a store was asked to measure.

    Attributes:
        name: of the measurement.
        spec: the measurement with the engine that runs it; the key of a table that belongs to no member.
        trusted: how many of its estimates can be trusted by their own diagnostics, of how many; None where there are none.
    """

    name: str
    spec: Any
    trusted: tuple[int, int] | None = None


class Store(Shown):
    """A folder of trained members and measured tables.

    Args:
        folder: where it lies; it is made when something is written.  Or the URL of a file system that fsspec knows
            ("s3://bucket/store"), on which what is written is kept beside a folder in the user's cache.
        device: "cpu" or "cuda"; where missing members are trained and measured.
        heartbeat: told {"population", "done", "total", "share", "what", "seconds"} while work goes on: how many members are
            done, of how many, and which share of the work that is; None to show a line of it where that can be seen.
        llc_engine: "stacked" or "devinterp"; what estimates a learning coefficient whose measurement names no engine.
        engine: does the work elsewhere (:mod:`harness.engines`); None to do it in this process.
        shared: folders or URLs of further stores, which are only read: what one of them has is not made again.

    Attributes:
        place: where it lies, and the shared stores.
        folder: its folder on this machine.
        made: how many pieces of work it has done so far.
        measured: every measurement that it was asked for, in order.
        trained: recipe and seeds of every population that it was asked for, in order.
    """

    def __init__(
        self, folder: Path | str | Place, *, device: str = "cpu", heartbeat: Heartbeat | None = None,
        llc_engine: str = "stacked", engine: Carrier | None = None, shared: Iterable[Path | str] = (),
    ) -> None:  # fmt: skip
        self.place = Place.of(folder, shared)
        self.folder, self.device, self.heartbeat, self.llc_engine = self.place.folder, device, heartbeat, llc_engine
        self.engine = engine
        self.made = 0
        self._swept = False
        self.measured: list[Measured] = []
        self.trained: list[tuple[Recipe, tuple[int, ...]]] = []
        self._shelf = shelf_of(self.place)
        self._data: dict[str, Dataset] = {}
        self._names = Names(self._shelf, device, self.data)
        self._members = Members(self._names, self._shelf, device, self.data, self._share)
        self._tables = Tables(self._names, self._shelf, device, self.data, self._share)
        self._alongside = Alongside(self._names, self._shelf, device, self.data, self._members, self._tables)
        if device == "cuda" and engine is None:
            from harness.cuda import bound_by_card, capture_steps

            bound_by_card()
            capture_steps()

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        counts = {f"{kind}s": self._shelf.sizes(kind) for kind in SUFFIXES}
        size = sum(map(sum, counts.values()))
        return f"Store {self.place.remote or self.folder}", {
            **{name: len(sizes) for name, sizes in counts.items()},
            "size": f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB",
            "device": self.device, "made": self.made,
        }  # fmt: skip

    def data(self, spec: DataSpec) -> Dataset:
        """The data of a spec, loaded once a process."""
        key = code_of_data(spec)
        if key not in self._data:
            with standard_numerics(self.device):
                self._data[key] = loaded(spec)
        return self._data[key]

    def entries(self) -> list[Entry]:
        """Everything in the store, members first."""
        return self._shelf.entries()

    def sizes(self, kind: Kind) -> list[int]:
        """Bytes of every entry of a kind in the folder, none of which is opened."""
        return self._shelf.sizes(kind)

    def kept_elsewhere(self) -> list[int]:
        """Bytes of every entry where the store is kept besides its folder; none without such a place.

        Raises:
            StoreError: it cannot be reached.
        """
        return self._shelf.kept_elsewhere()

    # --- populations ------------------------------------------------------------------------------------

    def population(self, recipe: Recipe, seeds: Iterable[int], *, name: str | None = None) -> Population:
        """The members of one recipe; see :meth:`populations`."""
        return self.populations([recipe], seeds, name=name)[0]

    def populations(
        self, recipes: Iterable[Recipe] | Design, seeds: Iterable[int], *, name: str | None = None
    ) -> list[Population]:
        """The members of several recipes, one population each; missing members are trained.

        Args:
            recipes: what to train; of a design, whose populations have its levels as labels, every cell.
            seeds: training seeds, the same for every recipe; whole numbers from 0.
            name: for the progress line; None for the first recipe's name.

        Raises:
            ValueError: there are no recipes, or no seeds, or one of them twice.
            StoreError: the store cannot be written, or does not keep what is written.
        """
        from harness.population import Population

        cells, seeds = labelled(recipes), checked_seeds(seeds)
        if not cells:
            raise ValueError("recipes is empty; give at least one recipe")
        different = list({recipe.key: recipe for _, recipe in cells}.values())
        check_built(different)
        self._members.make(different, seeds, name or different[0].name)
        for recipe in different:
            if isinstance(recipe.regime, Given):
                copies.tell(recipe.name, copies.of_headers(self._names.member_paths(recipe, seeds)), _DRAW)
        unread = {recipe.key: self._members.unread(recipe, seeds) for recipe in different}
        found = [Population(recipe, seeds, unread[recipe.key], labels) for labels, recipe in cells]
        self.trained += [(recipe, seeds) for recipe in different]
        return found

    def train(self, every: Iterable[Lineage], *, name: str) -> list[Exception]:
        """Train what is missing of many lineages, as one pile; what fails stops no other.

        Args:
            every: see :meth:`lineages`.
            name: for the progress line.

        Returns:
            What kept members from being made: divergence, say.
        """
        shards = [self._members.training(recipe, seeds) for each in every for recipe, seeds in each.members]
        return self._work(shards, name, "trained")

    def lineages(self, wanted: Wanted) -> list[Lineage]:
        """Recipes and seeds with their parents, cut into parts that need nothing of each other and fit into memory."""
        return lineages(
            wanted,
            lambda recipe: trained_together(recipe, self.data(recipe.data), self.device),
            lambda recipe: training_work(recipe, self.data(recipe.data)),
        )

    def ordered(self, order: Order) -> Shard:
        """The shard that another process has ordered; its own order has the names that the entries have in this one."""
        if order.beside:
            return self._alongside.ordered(order.measurement, [(each.recipe, each.seeds) for each in order.beside])
        if order.measurement is None:
            return self._members.training(order.recipe, order.seeds)
        return self._tables.measuring(self._alongside.expected(order.recipe, order.seeds), order.seeds, order.measurement)

    def train_alongside(self, wanted: Iterable[MembersOf], *, name: str) -> list[Exception]:
        """Train what is missing of many recipes, those of one kind as one stack; what fails stops no other.

        What cannot be trained beside others is a piece of work of its own for an engine; without one it is left to whoever asks
        for it.

        Args:
            wanted: recipes and seeds; their parents are trained, too.
            name: for the progress line.

        Returns:
            What kept members from being made.
        """
        generations: dict[int, list[MembersOf]] = {}
        for recipe, seeds in wanted:
            for number, each in enumerate(ancestry(recipe)):
                generations.setdefault(number, []).append((each, seeds))
        failures: list[Exception] = []
        for _, members in sorted(generations.items()):
            able = [each for each in members if each[0].parent is None or not self.lacks(each[0].parent, each[1])]
            at_once = 1 if self.engine is None else self.engine.at_once
            told = failures if self.engine is None else None
            failures += self._work(self._alongside.trained(able, told, at_once=at_once), name, "trained")
        return failures

    def measure_alongside(self, wanted: Iterable[tuple[Sequence[MembersOf], Measurement]], *, name: str) -> list[Exception]:
        """Measure what is missing of many recipes' members, those of one kind as one stack; likewise, as one pile.

        Args:
            wanted: recipes and seeds of members that are there, and what is measured of them.
            name: for the progress line.

        Returns:
            What kept tables from being made.
        """
        failures: list[Exception] = []
        members: dict[str, tuple[Measurement, list[MembersOf]]] = {}
        for some, measurement in wanted:
            own = resolved(measurement, self.llc_engine)
            members.setdefault(digest(own), (own, []))[1].extend(some)
        told = failures if self.engine is None else None
        shards = [shard for own, some in members.values() for shard in self._alongside.measured(some, own, told)]
        failures += self._work(shards, name, "measured")  # which is when the shards put theirs into the list
        return failures

    def beside(self, recipe: Recipe) -> bool:
        """Whether :meth:`train_alongside` trains members of a recipe beside those of others."""
        return self._alongside.able(recipe)

    def lacks(self, recipe: Recipe, seeds: Sequence[int], measurement: Measurement | None = None) -> bool:
        """Whether some of these members, or their tables of a measurement, are still to be made."""
        if measurement is None:
            return bool(self._shelf.missing(self._names.member_paths(recipe, seeds)))
        own = resolved(measurement, self.llc_engine)
        return bool(self._shelf.missing(self._names.table_paths(self._alongside.expected(recipe, tuple(seeds)), own)))

    def expected(self, recipe: Recipe, seeds: Iterable[int]) -> Population:
        """Members that are in the store, or will be when somebody looks at them; nothing is trained or noted before."""
        return self._alongside.expected(recipe, checked_seeds(seeds))

    def trained_of(self, recipe: Recipe, seeds: Iterable[int]) -> tuple[int, ...]:
        """Those of the seeds whose member is there, or in a shared store; nothing is trained."""
        return self._members.there(recipe, checked_seeds(seeds))

    def member_names(self, recipe: Recipe, seeds: Iterable[int]) -> dict[int, str]:
        """What the members of a recipe are called in the store, by seed, whether they are there or not."""
        return self._names.members(recipe, checked_seeds(seeds))

    def member_path(self, recipe: Recipe, seed: int) -> Path:
        """Where the member lies, or would lie."""
        return self._names.member_paths(recipe, [seed])[seed]

    def table_paths(self, recipe: Recipe, seeds: Sequence[int], measurement: Measurement) -> dict[int, Path]:
        """Where the measurements of members lie, or would lie, by seed."""
        from harness.population import Population

        population = Population(recipe, tuple(seeds), self._members.unread(recipe, tuple(seeds)))
        return self._names.table_paths(population, resolved(measurement, self.llc_engine))

    def measured_of(self, recipe: Recipe, seeds: Iterable[int], measurement: Measurement) -> tuple[int, ...]:
        """Those of the seeds whose table is there, or in a shared store; nothing is measured."""
        paths = self.table_paths(recipe, checked_seeds(seeds), measurement)
        return tuple(seed for seed, path in paths.items() if self._shelf.has(path))

    def _share(self, shards: Sequence[Shard], name: str, what: str) -> None:
        """Do the missing work together with the other workers.

        Raises:
            Exception: what kept some of it from being done.
        """
        if failures := self._work(shards, name, what):
            raise_first(failures)

    def _work(self, shards: Sequence[Shard], name: str, what: str) -> list[Exception]:
        """Do the missing work together with the other workers, or let an engine do it; what the engine failed at."""
        total, began = sum(shard.size for shard in shards), time.monotonic()
        done, part = 0, 0.0

        def heard(members: float, work: float) -> None:
            nonlocal done, part
            done, part = max(done, int(members)), max(part, work)
            seconds = time.monotonic() - began
            if self.heartbeat is None:
                report(part)
            else:
                self.heartbeat(
                    {"population": name, "done": done, "total": total, "share": part, "what": what, "seconds": seconds}
                )

        if all(shard.done() for shard in shards):
            return []
        make(self.folder)
        if not self._swept:
            self._swept = True
            sweep(self.folder)
        line = under_way(f"{name} {what}", total, "members") if self.heartbeat is None else nullcontext(lambda part: None)
        with doing(f"{_DOING[what]} {name}"), line as report:
            heard(0, 0.0)  # so that it is known what is worked on, should this process die
            if self.engine is None:
                came = Done(share(shards, self.folder / "locks", heard))
            else:
                came = self.engine.carry_out(shards, self, heard)
            self.made += came.made
            heard(total, 1.0)  # so that the progress line can forget it
        return came.failures

    # --- measurements -----------------------------------------------------------------------------------

    def measure(
        self, populations: Iterable[Population], measurement: Measurement, *, on: View | None = None, name: str | None = None
    ) -> pd.DataFrame:
        """One table of all members' measurements: the measurement's columns, recipe, architecture, regime and the labels.

        Args:
            populations: whom to measure; their members are those of this store.
            measurement: what to measure.
            on: a view of the members or their data, such as ``Grouped(groups)``; None for them as they are.
            name: for the progress line; None for the first recipe's name.

        Raises:
            ValueError: there are no populations, the measurement left a member out, the populations' labels have different
                names, a label has the name of a column, a number of the measurement is not finite, a threshold lies beyond
                what is searched, or a measurement of one's own does not keep to a member.
            NotFinite: members have parameters or outputs that are not finite; the others are measured.
            StoreError: the store cannot be written, or does not keep what is written.
        """
        from harness.measure.views import viewed

        populations = list(populations)
        if not populations:
            raise ValueError("populations is empty; give at least one population")
        measurement = resolved(viewed(measurement, on), self.llc_engine)
        check_asked(measurement)
        for each in populations:
            if isinstance(each.recipe.regime, Given) and not stored(each):
                copies.tell(each.recipe.name, copies.of_weights(each), _APART)
        noted = len(self.measured)
        self.measured.append(Measured(measurement.name, measurement))
        table = self._tables.of(populations, measurement, name or populations[0].recipe.name)
        self.measured[noted] = Measured(measurement.name, measurement, _trusted(table))
        return table

    def cached(
        self, name: str, key: Mapping[str, Any], compute: Callable[[], pd.DataFrame], *, values: Sequence[Any] = ()
    ) -> pd.DataFrame:
        """A table that belongs to no member, computed once.

        Args:
            name: what it is, in words.
            key: JSON-able; everything that decides it, besides the code.
            compute: makes it; its code names the table.  Best a ``functools.partial`` of a function in a module: the code of a
                lambda includes everything that its module imports.
            values: further objects whose code and state decide it, such as functions with captured values.  If the state of
                one cannot be named, or changes meanwhile, nothing is kept, and the table is computed each time.

        Raises:
            StoreError: the store cannot be written, or does not keep what is written.
            CodeError: its code cannot be told.
        """
        self.measured.append(Measured(name, key))
        return self._tables.alone(name, key, compute, tuple(values))


def _trusted(table: pd.DataFrame) -> tuple[int, int] | None:
    """How many estimates of a table can be trusted, of how many, where its instrument says so."""
    if "trusted" not in table.columns:
        return None
    trusted = table["trusted"].dropna()
    return int((trusted == 1).sum()), len(trusted)
