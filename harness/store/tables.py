"""Tables of a store: measurements of members, and tables that belong to no member."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.code import CodeError
from harness.device import standard_numerics
from harness.progress import listening
from harness.recipe import digest
from harness.store import files
from harness.store.apart import check_once
from harness.store.asked import check_rows
from harness.store.forward import explained
from harness.store.halving import in_halves
from harness.store.names import Names, check_unmoved, stored
from harness.store.orders import Order
from harness.store.sharing import Progress, Shard, cut, measured_together, measuring_work, raise_first, until_written
from harness.store.shelf import Shelf

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset, DataSpec
    from harness.measure.base import Measurement
    from harness.networks.finite import NotFinite
    from harness.population import Population


class Tables:
    """Reads the tables that are there and makes the others, together with the other workers.

    Args:
        names: what they are called.
        shelf: where they lie.
        device: "cpu" or "cuda"; where members are measured.
        data: loads the data of a spec.
        share: does the missing work; it is told, in words, what is worked on and what is done to it.
    """

    def __init__(
        self, names: Names, shelf: Shelf, device: str, data: Callable[[DataSpec], Dataset],
        share: Callable[[Sequence[Shard], str, str], None],
    ) -> None:  # fmt: skip
        self._names, self._shelf, self._device, self._data, self._share = names, shelf, device, data, share
        self._sound: set[tuple[str, tuple[int, ...]]] = set()  # members that were looked at, and at which epochs

    def of(self, populations: Sequence[Population], measurement: Measurement, name: str) -> pd.DataFrame:
        """The rows of all members; see :meth:`harness.store.Store.measure`."""
        if differ := [each for each in populations if set(each.labels) != set(populations[0].labels)]:
            raise ValueError(
                f"populations with the labels {list(populations[0].labels)} and {list(differ[0].labels)} do not fit into one "
                "table: measure one design at a time"
            )
        for each in populations:
            if len(set(each.seeds)) < len(each.seeds):
                raise ValueError(
                    f"a population of {each.recipe.name} has the seeds {list(each.seeds)}, one of them twice; each seed is one "
                    "network: give every member a seed of its own"
                )
        while True:  # until nothing is damaged; what is damaged twice is an error
            paths = [self._names.table_paths(each, measurement) for each in populations]
            if any(map(self._shelf.missing, paths)):
                failures: list[NotFinite] = []
                shards = [
                    self.measuring(population, some, measurement, failures)
                    for population in populations
                    for some in cut(population.seeds, measured_together(population.recipe, self._device))
                ]
                once = {shard.key: shard for shard in shards}  # a recipe may stand in several cells of a design
                self._share([*once.values()], f"{name}, {measurement.name}", "measured")
                if failures:
                    raise_first(failures)
            if (table := self._measured(populations, paths)) is not None:
                return table

    def measuring(
        self, population: Population, seeds: Sequence[int], measurement: Measurement, failures: list[NotFinite] | None = None
    ) -> Shard:  # fmt: skip
        """The work on some of the members; they are selected only if there is any, since selecting reads or copies them.

        Args:
            population: all of the members.
            seeds: which of them.
            measurement: what is measured.
            failures: where it is put that some of them are not finite, so that the others are still measured; the shard has
                then been tried.  None to raise it.
        """
        tried: list[bool] = []
        every = self._names.table_paths(population, measurement)
        paths = {seed: every[seed] for seed in seeds}
        refused: dict[int, str] = {}

        def run(progress: Progress) -> None:
            missing = self._shelf.missing(paths)
            if not missing:
                return  # made by a worker that did not see the lock
            progress(0.0)
            data = self._data(population.recipe.data)

            def work(some: tuple[int, ...]) -> None:
                began = time.monotonic()
                with standard_numerics(self._device), explained(), listening(until_written(progress)):
                    members, wrong = self.measurable(population.select(some), measurement, data)
                    refused.update(wrong)
                    if not members.seeds:
                        return
                    table = measurement.run(members, data, self._device)
                    check_rows(measurement, table, members.seeds)
                    check_once(measurement, members, table, lambda each: measurement.run(each, data, self._device))
                seconds = (time.monotonic() - began) / len(members)
                self.keep(population, measurement, every, members.seeds, table, {"seconds": seconds})

            in_halves(missing, work, f"measuring {population.recipe.name}, {measurement.name}", self._device)
            if refused:
                from harness.networks.finite import NotFinite

                problem = NotFinite(population.recipe.name, refused)
                if failures is None:
                    raise problem
                failures.append(problem)
                tried.append(True)

        names = tuple(path.stem for path in paths.values())
        travels = stored(population)  # others are known by their weights, which do not
        return Shard(
            key=digest(names),
            done=lambda: bool(tried) or not self._shelf.missing(paths),
            ready=lambda: True,
            run=run,
            size=len(seeds),
            work=len(seeds) * measuring_work(population.recipe),
            order=Order(population.recipe, tuple(seeds), names, measurement) if travels else None,
        )

    def measurable(
        self, members: Population, measurement: Measurement, data: Dataset
    ) -> tuple[Population, dict[int, str]]:  # fmt: skip
        """Those of some members that an instrument may look at, and what is wrong with the others, by seed."""
        from harness.measure.soundness import epochs_of, faults

        epochs = epochs_of(measurement, members)
        own: Any = members.parameters
        names = {seed: (own.names[seed], epochs) for seed in members.seeds} if stored(members) else {}
        if names and self._sound.issuperset(names.values()):
            return members, {}
        wrong = faults(members, data, epochs, self._device)
        self._sound.update(key for seed, key in names.items() if seed not in wrong)
        return (members.select(tuple(seed for seed in members.seeds if seed not in wrong)) if wrong else members), wrong

    def keep(
        self, population: Population, measurement: Measurement, paths: Mapping[int, Path], seeds: Sequence[int],
        table: pd.DataFrame, more: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Write the rows of members that were measured.

        Args:
            population: all that the paths are of.
            measurement: what was measured.
            paths: where the tables of all its members were to lie when they were asked for.
            seeds: which members were measured.
            table: their rows.
            more: what else each entry says of itself.

        Raises:
            CodeError: the names have changed since then, because code has been imported again.
        """
        check_rows(measurement, table, tuple(seeds))
        check_unmoved(measurement.name, paths, self._names.table_paths(population, measurement))
        for seed in seeds:
            about = {"what": measurement.name, "recipe": population.recipe.name, "seed": seed, **more}
            files.write_table(paths[seed], table[table["seed"] == seed], about)
            self._shelf.written(paths[seed])

    def _measured(self, populations: Sequence[Population], paths: Sequence[Mapping[int, Path]]) -> pd.DataFrame | None:
        """The members' rows, with what their recipes are; None where some have to be measured again."""
        read = [[self._shelf.content(path, files.read_columns) for path in each.values()] for each in paths]
        parts = [[content[0] for content in each if content is not None] for each in read]
        if any(len(some) < len(each) for some, each in zip(parts, read, strict=True)):
            return None
        labels = set(populations[0].labels)
        if taken := sorted(labels.intersection(*(part for some in parts for part in some))):
            raise ValueError(f"the label {taken[0]!r} is also a column of the measurement's table; rename the factor")
        return files.tabulate_marked(
            (some, {"recipe": each.recipe.key, "architecture": each.recipe.architecture.name, "regime": each.recipe.regime.name,
                    **each.labels})
            for some, each in zip(parts, populations, strict=True)
        )  # fmt: skip

    def alone(
        self, name: str, key: Mapping[str, Any], compute: Callable[[], pd.DataFrame], values: tuple[Any, ...]
    ) -> pd.DataFrame:
        """A table that belongs to no member; see :meth:`harness.store.Store.cached`."""
        try:
            path = self._names.cached(name, key, compute, values)
        except CodeError:
            if not values:
                raise
            with standard_numerics(self._device):
                return compute()

        of_code = self._names.cached(name, key, compute)
        unkept: list[pd.DataFrame] = []

        def run(progress: Progress) -> None:
            with standard_numerics(self._device), explained(), listening(until_written(progress)):
                table = compute()
            check_unmoved(name, of_code, self._names.cached(name, key, compute))
            if self._names.cached(name, key, compute, values) != path:  # a value has changed, so that this is not its name
                unkept.append(table)
            else:
                files.write_table(path, table, {"what": name})
                self._shelf.written(path)

        shard = Shard(
            key=path.stem,
            done=lambda: bool(unkept) or self._shelf.has(path),
            ready=lambda: True,
            run=run,
        )
        while True:  # until it is not damaged; what is damaged twice is an error
            self._share([shard], name, "measured")
            if unkept:
                return unkept[0]
            if (content := self._shelf.content(path, files.read_table)) is not None:
                return content[0]
