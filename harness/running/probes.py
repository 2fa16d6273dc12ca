"""Pieces of work that are timed on this machine: a few steps of a training, a measurement of a few members.

Each has a limit of time.  What has not come far enough by then to be told is None; somebody else's rate has to do
(:mod:`harness.running.rates`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.deadline import Limit, TimedOut
from harness.device import standard_numerics
from harness.errors import Shortfall
from harness.measure.llc.estimate import LLC
from harness.measure.llc.sample import SampleLLC
from harness.progress import listening
from harness.store.lineages import ancestry
from harness.store.sharing import measured_together, measuring_work, trained_together, training_work

if TYPE_CHECKING:
    import torch

    from harness.data.base import Dataset
    from harness.measure.base import Measurement
    from harness.population import Population
    from harness.recipe import Recipe
    from harness.store import Store

LONG_ENOUGH = 0.2  # seconds of steps
LARGE = 1e9  # weights × points of a stack's step, beyond which fewer members, or points, take as long for each of them
LEAST_POINTS = 16  # of a batch that is timed
FEWEST = 2  # members of a stack that is timed, and that are trained to see when they stop
REMEMBERED = 2**24  # bytes that members may have to be kept for the next measurement
PATIENCE, LEAST = 4.0, 1.5  # times its limit, and seconds at least, that work may take until it says how far it is
SAMPLES = 4  # of a neighbourhood's, on which it is seen when a sampler stops
CANNOT = (Shortfall, ValueError, OSError, RuntimeError)  # data that are not there, a training that diverges: its claim says so


@dataclass(frozen=True)
class Pace:
    """How long measuring takes.

    Attributes:
        rate: seconds of a member for each unit of :func:`harness.store.sharing.measuring_work`.
        bytes: size of a member's table; None where no table came to its end.
    """

    rate: float
    bytes: float | None = None


class Probes:
    """What is timed, and on what.

    Args:
        store: whose data, device and members.
        seeds: how many members of each recipe are asked for, by its key.
    """

    def __init__(self, store: Store, seeds: Mapping[str, int]) -> None:
        self._store, self._seeds = store, seeds
        self._few: dict[str, Population] = {}

    def clock(self) -> float:
        """Seconds of this process: other work on a shared machine does not count, whereas a card's does."""
        return time.process_time() if self._store.device == "cpu" else time.perf_counter()

    # --- training ---------------------------------------------------------------------------------------------------

    def training(self, recipe: Recipe, limit: float) -> float | None:
        """Seconds of a member for each unit of :func:`harness.store.sharing.training_work`; the steps of a stack are timed.

        Stacks of more and more steps are trained, and the difference between the last two is taken, which has no share in
        what comes before the first step.
        """
        try:
            data, size = self._store.data(recipe.data), max(1, recipe.program().layout.total)
            stack = min(trained_together(recipe, data, self._store.device), self._seeds.get(recipe.key, FEWEST))
            stack = max(1, min(stack, max(FEWEST, int(LARGE / (recipe.batch_size * size)))))
            points = min(recipe.batch_size, len(data.train_x), max(LEAST_POINTS, int(LARGE / (stack * size))))
            few = replace(recipe, batch_size=points, parent=None, until=None, checkpoints=())
            return self._per_work(few, data, stack, limit)
        except CANNOT:
            return None

    def _per_work(self, few: Recipe, data: Dataset, stack: int, limit: float) -> float:
        """Seconds of a member for each unit of work, from stacks that are trained for one step, and for more and more."""
        each = math.ceil(len(data.train_x) / few.batch_size)  # steps of an epoch; beyond one, whole epochs are trained
        whole = few.epochs * each
        ends = self.clock() + limit
        steps, (less, low) = 1, self._steps(few, data, 1, stack)
        while True:
            affordable = int((ends - self.clock()) / max(less, 1e-6) * steps)
            steps = max(steps + 1, min(4 * steps, affordable))
            steps = steps if steps <= each else each * math.ceil(steps / each)
            more, high = self._steps(few, data, steps, stack)
            if more - less > LONG_ENOUGH or steps >= whole or self.clock() > ends:
                return max(more - less, 0.05 * more) / (high - low) / stack
            less, low = more, high

    def _steps(self, few: Recipe, data: Dataset, steps: int, stack: int) -> tuple[float, float]:
        """Seconds of that many steps of a stack, with what comes before them, and their work for one member."""
        from harness.training.train import initial, train

        short = _cut(data, steps * few.batch_size)
        epochs = math.ceil(steps / math.ceil(len(short.train_x) / few.batch_size))  # several where there are too few points
        few = replace(few, epochs=epochs)
        with standard_numerics(self._store.device):
            start = initial(few, range(stack))
            began = self.clock()
            train(few, short, range(stack), start=start, device=self._store.device)
        return self.clock() - began, training_work(few, short)

    def stopping(self, recipe: Recipe, limit: float) -> float | None:
        """The share of all its epochs' work that a member takes before it has reached what it trains until.

        A few members are trained; None where they have not stopped when the limit is over.
        """
        from harness.training.train import Diverged, initial, train

        until = recipe.until
        if until is None:
            return 1.0
        began, first, seeds = self.clock(), 0.0, range(FEWEST)

        def heard(done: float) -> None:
            nonlocal first
            if done * recipe.epochs < until.every + 0.5:  # no member can have stopped before
                first = (self.clock() - began) / done
            if self.clock() - began > limit:
                raise _Enough

        try:
            with standard_numerics(self._store.device), _limit(limit).running():
                few = replace(recipe, parent=None, checkpoints=())
                data = self._store.data(recipe.data)
                train(few, data, seeds, start=initial(recipe, seeds), device=self._store.device, progress=heard)
        except (_Enough, TimedOut, Diverged):
            return None
        return min(1.0, (self.clock() - began) / first) if first else 1.0

    # --- measuring --------------------------------------------------------------------------------------------------

    def measuring(self, measurement: Measurement, recipe: Recipe, shares: Mapping[str, float], limit: float) -> Pace | None:
        """How long a measurement takes; None where it did not say how far it was before its time was over.

        Args:
            measurement: what is measured.
            recipe: of what.
            shares: of its budget that a sampler takes, by the name of the piece (:func:`pieces`); all of it if unknown.
            limit: seconds.
        """
        try:
            population, data = self.members(recipe), self._store.data(recipe.data)
            seconds, size, parts = 0.0, 0.0, pieces(measurement, recipe)
            for name, piece in parts.items():
                took = self._timed(piece, population, data, limit / len(parts), whole=name in shares)
                if took is None:
                    return None
                seconds += took[0] * shares.get(name, 1.0)
                size = math.nan if took[1] is None else size + took[1]
            return Pace(seconds / measuring_work(recipe), None if math.isnan(size) else 400 + size)
        except CANNOT:
            return None

    def _timed(
        self, piece: Measurement, population: Population, data: Dataset, limit: float, *, whole: bool
    ) -> tuple[float, float | None] | None:
        """Seconds of a member, and bytes of its rows where they came to their end; None where it did not say how far it was.

        Args:
            piece: what is measured.
            population: the members.
            data: their data.
            limit: seconds after which it is ended.
            whole: count to the end of a sampler's budget, also where it has stopped before.
        """
        began = self.clock()
        told: list[tuple[float, float]] = [(0.0, 0.0)]  # seconds and share: at the start, when first told, when last told

        def heard(done: float) -> None:
            now = self.clock() - began
            told[2:] = [(now, done)] if len(told) > 1 else []
            if len(told) == 1:
                told.append((now, done))
            elif now > limit and done < 1:
                raise _Enough

        size: float | None = None
        try:
            with standard_numerics(self._store.device), listening(heard), _limit(limit).running():
                table = piece.run(population, data, self._store.device)
            told.append((self.clock() - began, _spent(piece, table) if whole else 1.0))
            size = 10.0 * table.size / len(population)
        except _Enough:
            pass
        except TimedOut:
            if len(told) < 3 or told[-1][1] >= 1:  # who says it is done, and is not, told of a part that was taken for all
                return None
        seconds = _to_the_end(*told[1:] if told[1][1] < told[-1][1] else (told[0], told[-1]))
        return seconds / len(population), size

    def stops(self, piece: Measurement, recipe: Recipe, limit: float) -> float | None:
        """The share of its budget that a sampler takes, by few models; None where they have not stopped within the limit."""
        try:
            data, few = self._store.data(recipe.data), self.members(recipe)
            few = few.select(few.seeds[:FEWEST])
            few = replace(few, parameters={few.epochs[-1]: few.final})
            if isinstance(piece, SampleLLC):
                piece = replace(piece, samples=min(piece.samples, SAMPLES))
            with standard_numerics(self._store.device), _limit(limit).running():
                return _spent(piece, piece.run(few, data, self._store.device))
        except (TimedOut, *CANNOT):
            return None

    # --- members ----------------------------------------------------------------------------------------------------

    def members(self, recipe: Recipe) -> Population:
        """A few members: those of the store, or trained as far as :meth:`prepare` had time for, or as they begin."""
        return self._few[recipe.key] if recipe.key in self._few else self._made(recipe, {}, 0.0)

    def prepare(self, recipe: Recipe, each: Mapping[str, float], limit: float) -> None:
        """Make members for all measurements of a recipe.

        Args:
            recipe: of what.
            each: seconds that training one takes, of the recipe and of those that it continues, by key; where it is not known,
                they are not trained.
            limit: seconds that training some may take; they are trained for as many epochs.
        """
        made = self._made(recipe, each, limit)
        if 4 * recipe.program().layout.total * len(recipe.kept) * len(made) < REMEMBERED:
            self._few[recipe.key] = made

    def _made(self, recipe: Recipe, each: Mapping[str, float], limit: float) -> Population:
        from harness.population import Population
        from harness.training.train import initial

        line = ancestry(recipe)
        whole = sum(each.get(own.key, math.inf) for own in line)
        together = min(measured_together(recipe, self._store.device), self._seeds.get(recipe.key, FEWEST))
        seeds = tuple(range(max(1, min(together, max(FEWEST, int(limit / whole))))))
        if len(self._store.trained_of(recipe, seeds)) == len(seeds):
            return self._store.population(recipe, seeds)
        start, share = initial(recipe, seeds), min(1.0, limit / len(seeds) / whole)
        for own in line:
            start = self._trained(own, start, seeds, int(share * own.epochs))
        return Population(recipe, seeds, dict.fromkeys(recipe.kept, start))

    def _trained(self, recipe: Recipe, start: torch.Tensor, seeds: Sequence[int], epochs: int) -> torch.Tensor:
        """The parameters after some epochs; as they were where there are none, or where training diverges."""
        from harness.training.train import Diverged, train

        if not epochs:
            return start
        until = recipe.until if epochs == recipe.epochs else None
        few = replace(recipe, epochs=epochs, until=until, checkpoints=())
        try:
            with standard_numerics(self._store.device):
                data = self._store.data(recipe.data)
                return train(few, data, seeds, start=start, device=self._store.device)[epochs]
        except Diverged:
            return start


class _Enough(BaseException):
    """What is timed has run long enough."""


def _cut(data: Dataset, points: int) -> Dataset:
    """The data with the first training points only."""
    return replace(data, train_x=data.train_x[:points], train_y=data.train_y[:points])


def _to_the_end(first: tuple[float, float], *later: tuple[float, float]) -> float:
    """Seconds of all the work from those of two shares of it: what comes before the first takes its time once."""
    (before, low), (after, high) = first, later[-1]
    return max(before + (after - before) * (1 - low) / (high - low), 1e-9)


def _limit(seconds: float) -> Limit:
    """How long work may take until it says how far it is, on a clock that goes on while other work has the cores."""
    return Limit(max(LEAST, PATIENCE * seconds))


def pieces(measurement: Measurement, recipe: Recipe) -> dict[str, Measurement]:
    """Parts of a measurement that take different times, by name: the scopes of a learning coefficient."""
    if not isinstance(measurement, LLC):
        return {"": measurement}
    own = [each for each in measurement.scopes if each in recipe.program().scopes]
    return {scope: replace(measurement, scopes=(scope,)) for scope in own} or {"": measurement}


def may_stop(measurement: Measurement) -> bool:
    """Whether it is a sampler that draws until its estimate is precise enough."""
    return isinstance(measurement, LLC | SampleLLC) and measurement.spec.sampler == "kinetic" and measurement.spec.draws is None


def _spent(piece: Measurement, table: Any) -> float:
    """The share of its budget of gradients that a sampler took, by its table; 1 for other measurements."""
    if not isinstance(piece, LLC | SampleLLC) or not may_stop(piece):
        return 1.0
    return float((table["burn_in"] + table["draws"] + piece.spec.descent / piece.spec.chains).mean() / piece.spec.budget)
