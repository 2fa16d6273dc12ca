"""How long training and measuring take on this machine: from what the store knows, else timed on a few steps and members.

A member that is in the store says how long it took.  Other trainings are timed for a few steps of their own stack, and other
measurements on a few members until a time limit; what is left is in proportion.  Recipes are taken in groups (one architecture,
regime and data), of which the one with the least and the one with the most work are timed; the rest is scaled by work.
Where training ends as soon as it has reached something, which depends on more than work, each architecture is timed, and
two members are trained to their end, to see which share of the work that is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.device import standard_numerics
from harness.errors import Shortfall
from harness.progress import listening
from harness.spec import describe, digest
from harness.store import files
from harness.store.sharing import measuring_work, trained_together, training_work

if TYPE_CHECKING:
    import torch

    from harness.data.base import Dataset
    from harness.measure.base import Measurement
    from harness.recipe import Recipe
    from harness.running.costs import Needed
    from harness.store import Store

FEWEST = 3  # steps of a timed training; others, 4, 16, 64 … times as many, show what steps take without what comes before
LONG_ENOUGH = 0.2  # seconds of steps
ENTRY = 0.003  # seconds of naming, writing and reading an entry
# Seconds that training may take so that a measurement is timed on trained members, of which there are fewer then; where two
# take longer than the most, members are as they begin.
TRAINED_FOR, AT_MOST = 1.0, 5.0
MEMBERS, FEWEST_MEMBERS = 8, 2  # that a measurement is timed on
REMEMBERED = 2**24  # bytes that such members may have to be kept for the next measurement
STOPPING = 2  # members that are trained to see when they stop
LOOKED_FOR = 30.0  # seconds that this may take, twice as many for all recipes together
TABLE = 1500  # bytes of a table whose size is not known
CANNOT = (Shortfall, ValueError, OSError, RuntimeError)  # data that are not there, a training that diverges: its claim says so


class Rates:
    """How long things take on this machine.

    Args:
        store: whose members and tables are asked first, and whose device it is.
        needed: everything that will be asked about; what is timed is spread over it.
        seconds: that timing may take, about.
    """

    def __init__(self, store: Store, needed: Needed, seconds: float) -> None:
        self._store, self._trained, self._measured = store, {}, {}  # type: ignore[var-annotated]
        self._sizes: dict[str, float] = {}
        self._few: dict[str, Any] = {}
        self._endless: set[str] = set()
        self._looks = 2 * LOOKED_FOR
        self._groups: dict[str, list[Recipe]] = {}
        self._seeds = {recipe.key: len(seeds) for recipe, seeds in needed.members.items()}
        for recipe in needed.members:
            self._groups.setdefault(_group(recipe), []).append(recipe)
        kinds = {_timed_as(measurement, recipe) for measurement, recipe, _ in needed.tables.values()}
        self._limit = seconds / 2 / max(1, 2 * len(kinds))
        self._of_kind: dict[str, list[Recipe]] = {}
        for measurement, recipe, _ in needed.tables.values():
            self._of_kind.setdefault(_timed_as(measurement, recipe), []).append(recipe)

    def training(self, recipe: Recipe, seeds: Iterable[int]) -> float | None:
        """Seconds that one member takes; None if that cannot be found out."""
        known = self._known([self._store.member_path(recipe, seed) for seed in sorted(seeds)[:3]], files.read_tensors)
        if known is not None:
            return known
        work = self._work(recipe)
        if work is None:
            return None
        rate = self._between(self._groups[_group(recipe)], recipe, self._work, self._training_rate)
        return None if rate is None else rate * work + ENTRY

    def at_most(self, recipe: Recipe) -> bool:
        """Whether members may stop earlier than is counted, because nobody has seen them stop."""
        return recipe.until is not None and any(each.key in self._endless for each in self._groups[_group(recipe)])

    def measuring(self, measurement: Measurement, recipe: Recipe, seeds: Iterable[int]) -> float | None:
        """Seconds that the measurement of one member takes; None if that cannot be found out."""
        paths = [*self._store.table_paths(recipe, sorted(seeds)[:3], measurement).values()]
        known = self._known(paths, files.read_table)
        if known is not None:
            return known
        kind = _timed_as(measurement, recipe)

        def timed(each: Recipe) -> float | None:
            if (kind, each.key) not in self._measured:
                self._measured[kind, each.key] = self._measuring_rate(measurement, each, kind)
            found: float | None = self._measured[kind, each.key]
            return found

        rate = self._between(self._of_kind[kind], recipe, measuring_work, timed)
        return None if rate is None else rate * measuring_work(recipe) + ENTRY

    def _between(
        self, group: Sequence[Recipe], recipe: Recipe, work: Callable[[Recipe], float | None],
        rate: Callable[[Recipe], float | None],
    ) -> float | None:  # fmt: skip
        """The rate of a recipe from those with the least and the most work of its group, by the logarithms."""
        works = {each.key: size for each in group if (size := work(each))}
        ranked = sorted((each for each in group if each.key in works), key=lambda each: works[each.key])
        if not ranked or recipe.key not in works:
            return None
        outer = ranked[:1] if works[ranked[0].key] == works[ranked[-1].key] else [ranked[0], ranked[-1]]
        ends = [(works[each.key], found) for each in outer if (found := rate(each)) is not None]
        if not ends:
            return None
        (low, slow), (high, fast) = ends[0], ends[-1]
        if high == low:
            return slow
        part = math.log(works[recipe.key] / low) / math.log(high / low)
        between: float = slow * (fast / slow) ** part
        return between

    def bytes_of(self, measurement: Measurement, recipe: Recipe) -> float:
        """Size of one member's table."""
        return self._sizes.get(_timed_as(measurement, recipe), TABLE)

    def _known(self, paths: Sequence[Any], read: Callable[[Any], tuple[Any, Mapping[str, Any]]]) -> float | None:
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

    def _work(self, recipe: Recipe) -> float | None:
        try:
            return training_work(recipe, self._store.data(recipe.data))
        except CANNOT:
            return None

    def _training_rate(self, recipe: Recipe) -> float | None:
        """Seconds for each unit of :func:`harness.store.sharing.training_work`."""
        if recipe.key not in self._trained:
            try:
                self._trained[recipe.key] = self._timed_training(recipe)
            except CANNOT:
                self._trained[recipe.key] = None
        found: float | None = self._trained[recipe.key]
        return found

    def _timed_training(self, recipe: Recipe) -> float:
        data, device = self._store.data(recipe.data), self._store.device
        stack = min(trained_together(recipe, data, device), self._seeds[recipe.key])
        whole = recipe.epochs * math.ceil(len(data.train_x) / recipe.batch_size)
        steps, (less, low) = FEWEST, self._steps(recipe, data, FEWEST, stack)
        while True:  # until the steps take long enough to be told from what comes before them
            steps *= 4
            more, high = self._steps(recipe, data, steps, stack)
            if more - less > LONG_ENOUGH or steps >= whole:
                return max(more - less, 0.05 * more) / (high - low) / stack * self._share_of_epochs(recipe, data)

    def _share_of_epochs(self, recipe: Recipe, data: Dataset) -> float:
        """The share of all its epochs' work that a member of the recipe takes before it stops; 1 where that is not seen."""
        from harness.training.train import Diverged, initial, train

        until = recipe.until
        if until is None:
            return 1.0
        seeds, began, first, limit = range(STOPPING), self._clock(), 0.0, min(LOOKED_FOR, self._looks)

        def heard(done: float) -> None:
            nonlocal first
            if done * recipe.epochs < until.every + 0.5:  # no member can have stopped before
                first = (self._clock() - began) / done
            if self._clock() - began > limit:
                raise _Enough(done)

        try:
            with standard_numerics(self._store.device):
                few = replace(recipe, parent=None, checkpoints=())
                train(few, data, seeds, start=initial(recipe, seeds), device=self._store.device, progress=heard)
        except (_Enough, Diverged):
            self._endless.add(recipe.key)
            return 1.0
        finally:
            self._looks -= self._clock() - began
        return min(1.0, (self._clock() - began) / first) if first else 1.0

    def _steps(self, recipe: Recipe, data: Dataset, steps: int, stack: int) -> tuple[float, float]:
        """Seconds of that many steps of a stack, with what comes before them, and their work for one member."""
        from harness.training.train import initial, train

        short = _cut(data, steps * recipe.batch_size)
        epochs = math.ceil(steps * recipe.batch_size / len(short.train_x))  # where there are too few points for one
        few = replace(recipe, epochs=epochs, parent=None, until=None, checkpoints=())
        with standard_numerics(self._store.device):
            start = initial(recipe, range(stack))
            began = self._clock()
            train(few, short, range(stack), start=start, device=self._store.device)
        return self._clock() - began, training_work(few, short)

    def _clock(self) -> float:
        """Seconds of this process: other work on a shared machine does not count, whereas a card's does."""
        return time.process_time() if self._store.device == "cpu" else time.perf_counter()

    def _measuring_rate(self, measurement: Measurement, recipe: Recipe, kind: str) -> float | None:
        """Seconds for each unit of :func:`harness.store.sharing.measuring_work`."""
        try:
            population, data = self._members(recipe), self._store.data(recipe.data)
            began, share = self._clock(), 1.0

            def heard(done: float) -> None:
                if done > 0 and self._clock() - began > self._limit:
                    raise _Enough(done)

            try:
                with standard_numerics(self._store.device), listening(heard):
                    table = measurement.run(population, data, self._store.device)
                self._sizes[kind] = 400 + 10.0 * table.size / len(population)
            except _Enough as enough:
                share = enough.share
            return (self._clock() - began) / share / len(population) / measuring_work(recipe)
        except CANNOT:
            return None

    def _members(self, recipe: Recipe) -> Any:
        """A few members: those of the store, or trained for this if that is quick, or as they begin; once for all tables."""
        if recipe.key in self._few:
            return self._few[recipe.key]
        made = self._made(recipe)
        if 4 * recipe.program().layout.total * len(recipe.kept) * MEMBERS < REMEMBERED:
            self._few[recipe.key] = made
        return made

    def _made(self, recipe: Recipe) -> Any:
        from harness.population import Population
        from harness.training.train import initial, train

        seeds = tuple(range(min(MEMBERS, self._seeds.get(recipe.key, MEMBERS))))
        if len(self._store.trained_of(recipe, seeds)) == len(seeds):
            return self._store.population(recipe, seeds)
        each = self.training(recipe, ()) if recipe.parent is None and recipe in self._groups.get(_group(recipe), ()) else None
        parameters: Mapping[int, torch.Tensor]
        if each is not None and each * FEWEST_MEMBERS < AT_MOST:
            seeds = seeds[: max(FEWEST_MEMBERS, int(TRAINED_FOR / each))]
            with standard_numerics(self._store.device):
                parameters = train(recipe, self._store.data(recipe.data), seeds, device=self._store.device)
        else:
            start = initial(recipe, seeds)
            parameters = dict.fromkeys(recipe.kept, start)
        return Population(recipe, seeds, parameters)


class _Enough(BaseException):
    """A timed measurement has run long enough."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share


def _cut(data: Dataset, points: int) -> Dataset:
    """The data with the first training points only."""
    return replace(data, train_x=data.train_x[:points], train_y=data.train_y[:points])


def _group(recipe: Recipe) -> str:
    """Recipes whose times are in proportion to their work: one kind of network, data, regime and optimiser."""
    kinds = (recipe.architecture, recipe.data, recipe.optimiser)
    built = str(getattr(recipe.architecture, "build", ""))  # modules of one function
    stopping = [recipe.architecture.name, describe(recipe.until)] if recipe.until else []
    return " ".join(map(str, [recipe.regime.name, built, *(type(each).__name__ for each in kinds), *stopping]))


def _timed_as(measurement: Measurement, recipe: Recipe) -> str:
    return digest([describe(measurement), _group(recipe)])
