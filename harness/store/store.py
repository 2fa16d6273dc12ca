"""Trained networks and measurements on disk, named by what they are made from.

Ask for a population and it is there: members that exist are read, missing ones are trained together, stacked,
and shared with the other workers.  Nothing has to be invalidated by hand: another recipe, other data or other
code is another name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.design import labelled
from harness.device import standard_numerics
from harness.progress import under_way
from harness.recipe import digest
from harness.showing import Shown
from harness.store import files
from harness.store.asked import checked_seeds, resolved
from harness.store.lineages import Lineage, Wanted, ancestry, lineages
from harness.store.names import Names, check_unmoved, code_of_data, missing_of
from harness.store.orders import Carrier, Done, Order
from harness.store.sharing import Progress, Shard, cut, share, trained_together, training_work
from harness.store.shelf import SUFFIXES, Entry, Shelf
from harness.store.tables import Tables

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from harness.data.base import Dataset, DataSpec
    from harness.design import Design
    from harness.measure.base import Measurement
    from harness.measure.views import View
    from harness.population import Population, Unread
    from harness.recipe import Recipe

Heartbeat = Callable[[dict[str, Any]], None]


class Store(Shown):
    """A folder of trained members and measured tables.

    Args:
        folder: where it lies; it is made when something is written.
        device: "cpu" or "cuda"; where missing members are trained and measured.
        heartbeat: told {"population", "done", "total", "share", "what", "seconds"} while work goes on: how many members are
            done, of how many, and which share of the work that is; None to show a line of it where that can be seen.
        llc_engine: "stacked" or "devinterp"; what estimates a learning coefficient whose measurement names no engine.
        engine: does the work elsewhere (:mod:`harness.engines`); None to do it in this process.

    Attributes:
        made: how many pieces of work it has done so far.
        measured: (name, measurement) of every measurement that it was asked for, in order, each with the engine that runs it;
            a table that belongs to no member has its key in place of a measurement.
        trained: recipe and seeds of every population that it was asked for, in order.
    """

    def __init__(
        self, folder: Path, *, device: str = "cpu", heartbeat: Heartbeat | None = None, llc_engine: str = "stacked",
        engine: Carrier | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.device, self.heartbeat, self.llc_engine = Path(folder), device, heartbeat, llc_engine
        self.engine = engine
        self.made = 0
        self.measured: list[tuple[str, Any]] = []
        self.trained: list[tuple[Recipe, tuple[int, ...]]] = []
        self._shelf = Shelf(self.folder)
        self._data: dict[str, Dataset] = {}
        self._names = Names(self._shelf, device, self.data)
        self._tables = Tables(self._names, self._shelf, device, self.data, self._share)

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        counts = {f"{kind}s": self._shelf.sizes(kind) for kind in SUFFIXES}
        size = sum(map(sum, counts.values()))
        return f"Store {self.folder}", {
            **{name: len(sizes) for name, sizes in counts.items()},
            "size": f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB",
            "device": self.device, "made": self.made,
        }  # fmt: skip

    def data(self, spec: DataSpec) -> Dataset:
        """The data of a spec, loaded once a process."""
        key = code_of_data(spec)
        if key not in self._data:
            with standard_numerics(self.device):
                self._data[key] = spec.load()
        return self._data[key]

    def entries(self) -> list[Entry]:
        """Everything in the store, members first."""
        return self._shelf.entries()

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
        self._make(different, seeds, name or different[0].name)
        unread = {recipe.key: self._unread(recipe, seeds) for recipe in different}
        found = [Population(recipe, seeds, unread[recipe.key], labels) for labels, recipe in cells]
        self.trained += [(recipe, seeds) for recipe in different]
        return found

    def _unread(self, recipe: Recipe, seeds: tuple[int, ...]) -> Unread:
        """Parameters of members that are in the store, or that will be when somebody looks at them."""
        from harness.population import Unread

        names = self._names.members(recipe, seeds)
        return Unread(recipe.kept, seeds, partial(self._parameters, recipe, names), names)

    def train(self, every: Iterable[Lineage], *, name: str) -> list[Exception]:
        """Train what is missing of many lineages, as one pile; what fails stops no other.

        Args:
            every: see :meth:`lineages`.
            name: for the progress line.

        Returns:
            What kept members from being made: divergence, say.
        """
        shards = [self._training(recipe, seeds) for each in every for recipe, seeds in each.members]
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
        if order.measurement is None:
            return self._training(order.recipe, order.seeds)
        from harness.population import Population

        population = Population(order.recipe, order.seeds, self._unread(order.recipe, order.seeds))
        return self._tables.measuring(population, order.seeds, order.measurement)

    def _make(self, recipes: Sequence[Recipe], seeds: tuple[int, ...], name: str) -> None:
        """Train what is missing, parents first."""
        if not any(missing_of(self._names.member_paths(recipe, seeds)) for recipe in recipes):
            return
        with_parents = dict.fromkeys(r for recipe in recipes for r in ancestry(recipe))
        shards = [
            self._training(recipe, some)
            for recipe in with_parents
            for some in cut(seeds, trained_together(recipe, self.data(recipe.data), self.device))
        ]
        self._share(shards, name, "trained")

    def member_path(self, recipe: Recipe, seed: int) -> Path:
        """Where the member lies, or would lie."""
        return self._names.member_paths(recipe, [seed])[seed]

    def _share(self, shards: Sequence[Shard], name: str, what: str) -> None:
        """Do the missing work together with the other workers.

        Raises:
            Exception: what kept some of it from being done.
        """
        if failures := self._work(shards, name, what):
            raise failures[0]

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
        line = under_way(f"{name} {what}", total, "members") if self.heartbeat is None else nullcontext(lambda part: None)
        with line as report:
            if self.engine is None:
                came = Done(share(shards, self.folder / "locks", heard))
            else:
                came = self.engine.carry_out(shards, self, heard)
            self.made += came.made
            heard(total, 1.0)  # so that the progress line can forget it
        return came.failures

    def _training(self, recipe: Recipe, seeds: tuple[int, ...]) -> Shard:
        paths = self._names.member_paths(recipe, seeds)
        parents = self._names.member_paths(recipe.parent, seeds) if recipe.parent else {}
        names = tuple(path.stem for path in paths.values())
        return Shard(
            key=digest(names),
            done=lambda: not missing_of(paths),
            ready=lambda: not missing_of(parents),
            run=partial(self._train, recipe, paths),
            size=len(seeds),
            work=len(seeds) * training_work(recipe, self.data(recipe.data)),
            order=Order(recipe, seeds, names),
        )

    def _train(self, recipe: Recipe, paths: Mapping[int, Path], progress: Progress) -> None:
        from harness.training.train import Diverged, train

        began = time.monotonic()
        missing = missing_of(paths)
        if not missing:
            return  # made by a worker that did not see the lock
        start = None
        if recipe.parent:
            parent = self._read(recipe.parent, missing)
            if parent is None:
                return  # a parent was damaged and set aside; the shard that makes it runs again
            start = parent[recipe.parent.kept[-1]]
        data = self.data(recipe.data)
        failed: Diverged | None = None
        try:
            with standard_numerics(self.device):
                kept = train(recipe, data, missing, start=start, device=self.device, progress=progress)
        except Diverged as problem:
            failed, kept = problem, problem.kept
        seconds = (time.monotonic() - began) / len(missing)
        check_unmoved(recipe.name, paths, self._names.member_paths(recipe, list(paths)))
        for row, seed in enumerate(missing):
            if failed is None or seed not in failed.seeds:
                about = {"recipe": recipe.name, "digest": recipe.key, "seed": seed, "seconds": seconds}
                tensors = {f"epoch {epoch}": theta[row] for epoch, theta in kept.items()}
                files.write_tensors(paths[seed], tensors, about)
        if failed is not None:
            raise failed

    def _parameters(self, recipe: Recipe, names: Mapping[int, str], seeds: Sequence[int]) -> dict[int, torch.Tensor]:
        """Parameters of members by kept epoch; those that turn out to be damaged are trained again.

        Args:
            recipe: what they are.
            names: what they were called when they were asked for.
            seeds: which of them.

        Raises:
            CodeError: their names have changed since then, because code has been imported again.
        """
        now = self._names.members(recipe, seeds)
        check_unmoved(recipe.name, {seed: names[seed] for seed in seeds}, now)
        while True:  # until nothing is damaged; what is damaged twice is an error
            with standard_numerics(self.device):
                parameters = self._read(recipe, seeds)
            if parameters is not None:
                return parameters
            self._make([recipe], tuple(seeds), recipe.name)

    def _read(self, recipe: Recipe, seeds: Sequence[int]) -> dict[int, torch.Tensor] | None:
        """As :meth:`_parameters`; None where some have to be made again."""
        import torch

        paths = self._names.member_paths(recipe, seeds).values()
        read = [self._shelf.content(path, files.read_tensors) for path in paths]
        found = [content[0] for content in read if content is not None]
        if len(found) < len(read):
            return None
        return {epoch: torch.stack([tensors[f"epoch {epoch}"] for tensors in found]) for epoch in recipe.kept}

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
                names, or a label has the name of a column.
            StoreError: the store cannot be written, or does not keep what is written.
        """
        from harness.measure.views import viewed

        populations = list(populations)
        if not populations:
            raise ValueError("populations is empty; give at least one population")
        measurement = resolved(viewed(measurement, on), self.llc_engine)
        self.measured.append((measurement.name, measurement))
        return self._tables.of(populations, measurement, name or populations[0].recipe.name)

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
        self.measured.append((name, key))
        return self._tables.alone(name, key, compute, tuple(values))
