"""Trained networks and measurements on disk, named by what they are made from.

Ask for a population and it is there: members that exist are read, missing ones are trained together, stacked, and shared
with the other workers.  Nothing has to be invalidated by hand: another recipe, other data, other code is another name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from harness.recipe import digest
from harness.store import files
from harness.store.keys import code_digest, member_key, surroundings
from harness.store.sharing import Progress, Shard, share

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset, DataSpec
    from harness.measure.base import Measurement
    from harness.population import Population
    from harness.recipe import Recipe

Heartbeat = Callable[[dict[str, Any]], None]
MEMBERS_AT_A_TIME = {"trained": 64, "measured": 16}


@dataclass(frozen=True)
class Entry:
    """One file of the store, for people who want to look inside.

    Attributes:
        kind: "member" or "table".
        name: what it is, in words.
        path: where it lies.
        bytes: its size.
    """

    kind: str
    name: str
    path: Path
    bytes: int

    def valid(self) -> bool:
        """Whether its content has the checksum that it was written with."""
        try:
            (files.read_tensors if self.kind == "member" else files.read_table)(self.path)
        except files.Damaged:
            return False
        return True


class Store:
    """A folder of trained members and measured tables.

    Args:
        folder: where it lies; it is made when something is written.
        device: "cpu" or "cuda"; where missing members are trained and measured.
        heartbeat: told {"population", "done", "total", "what", "seconds"} while work goes on.
    """

    def __init__(self, folder: Path, *, device: str = "cpu", heartbeat: Heartbeat = lambda beat: None) -> None:
        self.folder, self.device, self.heartbeat = Path(folder), device, heartbeat
        self.made = 0
        self._data: dict[str, Dataset] = {}

    def data(self, spec: DataSpec) -> Dataset:
        """The data of a spec, loaded once a process."""
        key = digest(spec)
        if key not in self._data:
            self._data[key] = spec.load()
        return self._data[key]

    # --- populations -------------------------------------------------------------------------------------------

    def population(self, recipe: Recipe, seeds: Iterable[int], *, name: str | None = None) -> Population:
        """The members of one recipe; see :meth:`populations`."""
        return self.populations([recipe], seeds, name=name)[0]

    def populations(
        self, recipes: Iterable[Recipe], seeds: Iterable[int], *, name: str | None = None
    ) -> list[Population]:
        """The members of several recipes, one population each; missing members are trained.

        Args:
            recipes: what to train.
            seeds: training seeds, the same for every recipe; whole numbers from 0.
            name: for the progress line; None for the first recipe's name.
        """
        recipes, seeds = list(recipes), tuple(seeds)
        with_parents = list(dict.fromkeys(r for recipe in recipes for r in _ancestry(recipe)))
        shards = [
            self._training(recipe, seeds[i : i + MEMBERS_AT_A_TIME["trained"]])
            for recipe in with_parents
            for i in range(0, len(seeds), MEMBERS_AT_A_TIME["trained"])
        ]
        made = self._share(shards, name or recipes[0].name, "trained")
        populations = [self._read(recipe, seeds, from_store=made == 0) for recipe in recipes]
        if any(population is None for population in populations):  # an entry turned out to be damaged
            return self.populations(recipes, seeds, name=name)
        return [population for population in populations if population is not None]

    def member_path(self, recipe: Recipe, seed: int) -> Path:
        """Where the member lies, or would lie."""
        return self._path("members", self._member_name(recipe, seed), "safetensors")

    def _member_name(self, recipe: Recipe, seed: int) -> str:
        parent = self._member_name(recipe.parent, seed) if recipe.parent else None
        return digest(member_key(recipe, seed, self.data(recipe.data).digest, parent, self.device))

    def _path(self, kind: str, name: str, suffix: str) -> Path:
        return self.folder / kind / name[:2] / f"{name}.{suffix}"

    def _share(self, shards: Sequence[Shard], name: str, what: str) -> int:
        """Do the missing work together with the other workers; how many shards fell to this one."""
        total, began = sum(shard.size for shard in shards), time.monotonic()

        def tell(members: float) -> None:
            self.heartbeat({"population": name, "done": int(members), "total": total, "what": what,
                            "seconds": time.monotonic() - began})

        if all(shard.done() for shard in shards):
            return 0
        made = share(shards, self.folder / "locks", tell)
        tell(total)  # so that the progress line can forget it
        self.made += made
        return made

    def _training(self, recipe: Recipe, seeds: tuple[int, ...]) -> Shard:
        paths = {seed: self.member_path(recipe, seed) for seed in seeds}
        parents = [self.member_path(recipe.parent, seed) for seed in seeds] if recipe.parent else []
        return Shard(
            key=digest([path.stem for path in paths.values()]),
            done=lambda: all(path.exists() for path in paths.values()),
            ready=lambda: all(path.exists() for path in parents),
            run=partial(self._train, recipe, paths),
            size=len(seeds),
        )

    def _train(self, recipe: Recipe, paths: Mapping[int, Path], progress: Progress) -> None:
        from harness.train import train

        missing = tuple(seed for seed, path in paths.items() if not path.exists())
        began = time.monotonic()
        start = None
        if recipe.parent:
            parent = self._read(recipe.parent, missing, from_store=True)
            if parent is None:
                return  # a parent was damaged and set aside; the shard that makes it runs again
            start = parent.final
        kept = train(recipe, self.data(recipe.data), missing, start=start, device=self.device, progress=progress)
        seconds = (time.monotonic() - began) / len(missing)
        for row, seed in enumerate(missing):
            about = {"recipe": recipe.name, "digest": recipe.key, "seed": seed, "seconds": seconds}
            files.write_tensors(paths[seed], {f"epoch {epoch}": theta[row] for epoch, theta in kept.items()}, about)

    def _read(self, recipe: Recipe, seeds: Sequence[int], *, from_store: bool) -> Population | None:
        import torch

        from harness.population import Population

        members, seconds = [], 0.0
        for seed in seeds:
            path = self.member_path(recipe, seed)
            try:
                tensors, about = files.read_tensors(path)
            except files.Damaged as problem:
                files.set_aside(path, problem)
                return None
            members.append(tensors)
            seconds += about["seconds"]
        parameters = {epoch: torch.stack([tensors[f"epoch {epoch}"] for tensors in members]) for epoch in recipe.kept}
        return Population(recipe, tuple(seeds), parameters, seconds, from_store)

    # --- measurements ------------------------------------------------------------------------------------------

    def measure(self, populations: Iterable[Population], measurement: Measurement, *, name: str | None = None) -> pd.DataFrame:
        """One table of all members' measurements, with columns recipe, architecture, regime and member.

        Args:
            populations: whom to measure; their members are those of this store.
            measurement: what to measure.
            name: for the progress line.
        """
        import pandas as pd

        populations = list(populations)
        size = MEMBERS_AT_A_TIME["measured"]
        shards = [
            self._measuring(population.select(population.seeds[i : i + size]), measurement)
            for population in populations
            for i in range(0, len(population), size)
        ]
        self._share(shards, f"{name or populations[0].recipe.name}, {measurement.name}", "measured")
        tables = [self._measured(population, measurement) for population in populations]
        if any(table is None for table in tables):
            return self.measure(populations, measurement, name=name)
        return pd.concat([table for table in tables if table is not None], ignore_index=True)

    def _table_path(self, population: Population, seed: int, measurement: Measurement) -> Path:
        member = self._member_name(population.recipe, seed)
        key = {"kind": "measurement", "member": member, "spec": measurement, "code": code_digest(measurement.code())}
        return self._path("tables", digest(key), "json")

    def _measuring(self, population: Population, measurement: Measurement) -> Shard:
        paths = {seed: self._table_path(population, seed, measurement) for seed in population.seeds}

        def run(progress: Progress) -> None:
            missing = tuple(seed for seed, path in paths.items() if not path.exists())
            progress(0.0)
            table = measurement.run(population.select(missing), self.data(population.recipe.data), self.device)
            for seed in missing:
                about = {"what": measurement.name, "recipe": population.recipe.name, "seed": seed}
                files.write_table(paths[seed], table[table["seed"] == seed], about)

        return Shard(
            key=digest([path.stem for path in paths.values()]),
            done=lambda: all(path.exists() for path in paths.values()),
            ready=lambda: True,
            run=run,
            size=len(population),
        )

    def _measured(self, population: Population, measurement: Measurement) -> pd.DataFrame | None:
        import pandas as pd

        recipe, tables = population.recipe, []
        for seed in population.seeds:
            path = self._table_path(population, seed, measurement)
            try:
                tables.append(files.read_table(path)[0])
            except files.Damaged as problem:
                files.set_aside(path, problem)
                return None
        return pd.concat(tables, ignore_index=True).assign(
            recipe=recipe.key, architecture=recipe.architecture.name, regime=recipe.regime.name
        )

    def cached(
        self, name: str, key: Mapping[str, Any], compute: Callable[[], pd.DataFrame], code: tuple[ModuleType, ...]
    ) -> pd.DataFrame:
        """A table that belongs to no member, computed once.

        Args:
            name: what it is, in words.
            key: JSON-able; everything that decides it, besides the code.
            compute: makes it.
            code: modules whose code decides it.
        """
        full = {"kind": "cached", "name": name, "key": key, "code": code_digest(code), **surroundings(self.device)}
        path = self._path("tables", digest(full), "json")
        shard = Shard(digest(full), path.exists, lambda: True,
                      lambda progress: files.write_table(path, compute(), {"what": name}))
        self._share([shard], name, "measured")
        try:
            return files.read_table(path)[0]
        except files.Damaged as problem:
            files.set_aside(path, problem)
            return self.cached(name, key, compute, code)

    def entries(self) -> list[Entry]:
        """Everything in the store, members first."""
        found = []
        for kind, folder, suffix in (("member", "members", "safetensors"), ("table", "tables", "json")):
            for path in sorted((self.folder / folder).glob(f"*/*.{suffix}")):
                found.append(Entry(kind, _entry_name(kind, path), path, path.stat().st_size))
        return found


def _ancestry(recipe: Recipe) -> list[Recipe]:
    """The recipe's parents, eldest first, and the recipe itself."""
    return [*_ancestry(recipe.parent), recipe] if recipe.parent else [recipe]


def _entry_name(kind: str, path: Path) -> str:
    try:
        about = (files.read_tensors if kind == "member" else files.read_table)(path)[1]
    except files.Damaged as problem:
        return f"damaged: {problem}"
    return ", ".join(f"{name} {value}" for name, value in about.items() if name in ("what", "recipe", "seed"))
