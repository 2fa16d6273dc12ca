"""What the one walk keeps: memory, and numbers that do not depend on it."""

from __future__ import annotations

import gc
import importlib
import itertools
import pkgutil
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace

import hypothesis.strategies as st
import pandas as pd
import pytest
from hypothesis import given, settings
from library import LIBRARY, members, recipes
from torch.profiler import ProfilerActivity, profile

import harness.measure
from harness import device, progress
from harness.device import standard_numerics
from harness.measure.base import Measurement
from harness.population import Population

ALLOWED = 32 * 2**20
# What is in work is cut to the allowance.  Beside it lie the stack that a sampler's chunks are cut from, which is cut to the
# allowance again, and what was found so far.
MOST = 2 * ALLOWED
LARGE, SMALL = recipes(points=2600, few=300, width=1024), recipes(points=1100, few=70, width=64)
MEMBERS = 48


@pytest.fixture(autouse=True)
def _default() -> Iterator[None]:
    yield
    device.limit_memory(None)


def test_every_measurement_is_looked_at() -> None:
    for module in pkgutil.walk_packages(harness.measure.__path__, "harness.measure."):
        importlib.import_module(module.name)

    def below(kind: type) -> set[type]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    ours = {kind for kind in below(Measurement) if kind.__module__.startswith("harness.")} - {Measurement}
    held = {type(measurement) for _, measurement in LIBRARY.values()}
    assert {kind for kind in held if kind.__module__.startswith("harness.")} == ours


def rise(work: Callable[[], object]) -> int:
    """Most bytes that tensors and arrays take during some work, beyond what they took before."""
    gc.collect()
    tracemalloc.start()
    try:
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
            work()
        arrays = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    events = seen.profiler.kineto_results.events()
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    return max(0, int(pd.Series([size for _, size in changes], dtype=float).cumsum().max())) + arrays


@pytest.fixture(scope="module")
def _warm() -> None:
    """The first look imports what it looks with."""
    rise(lambda: run("accuracy", 1, SMALL, None))


def run(name: str, count: int, kinds: dict[str, object], memory: int | None) -> pd.DataFrame:
    kind, measurement = LIBRARY[name]
    population = members(kinds[kind], count)  # type: ignore[arg-type]
    data = population.recipe.data.load()
    device.limit_memory(memory)
    with standard_numerics("cpu"):
        return measurement.run(population, data, "cpu")


@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.usefixtures("_warm")
def test_memory_is_kept_on_a_large_population(name: str) -> None:
    kind, measurement = LIBRARY[name]
    population = members(LARGE[kind], MEMBERS)
    data = population.recipe.data.load()
    device.limit_memory(ALLOWED)
    with standard_numerics("cpu"):
        assert rise(lambda: measurement.run(population, data, "cpu")) <= MOST


@pytest.mark.parametrize("name", LIBRARY)
def test_a_table_does_not_depend_on_memory(name: str) -> None:
    """Chunks of any size, over several blocks of points: the same to the last digit."""
    whole = run(name, 5, SMALL, None)
    for memory in (1, 2**20, ALLOWED):
        pd.testing.assert_frame_equal(pd.DataFrame(run(name, 5, SMALL, memory)), pd.DataFrame(whole), check_exact=True)


@settings(max_examples=15, deadline=None)
@given(memory=st.integers(1, 2**27), count=st.integers(1, 7))
def test_an_attack_depends_on_neither_memory_nor_members(memory: int, count: int) -> None:
    few = run("gaps under attack", count, SMALL, memory)
    many = run("gaps under attack", 7, SMALL, None)
    pd.testing.assert_frame_equal(few, many.iloc[:count], check_exact=True)


@pytest.mark.parametrize("memory", [1, None])
@pytest.mark.parametrize("name", [name for name, (_, each) in LIBRARY.items() if type(each).__module__.startswith("harness.")])
def test_every_measurement_tells_how_far_it_is_of_all_its_work(
    name: str, memory: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over epochs, splits, chunks and attacks: what is told never goes back, so that no part is taken for the whole.

    Listeners hear only what is more than before, and would hear nothing of all that comes after such a part: progress lines
    stand still, and a plan takes the time of one epoch for that of all.
    """
    kind, measurement = LIBRARY[name]
    recipe = replace(SMALL[kind], epochs=3, checkpoints=(0, 1, 2))
    start = members(SMALL[kind], 3).parameters[0]
    population = Population(recipe, (0, 1, 2), {epoch: (1 + 0.1 * epoch) * start for epoch in range(4)})
    told: list[float] = []

    def hear(self: progress._Listener, share: float) -> None:
        told.append(self.low + share * (self.high - self.low))

    monkeypatch.setattr(progress._Listener, "hear", hear)
    device.limit_memory(memory)
    with standard_numerics("cpu"), progress.listening(lambda share: None):
        measurement.run(population, recipe.data.load(), "cpu")
    back = [(before, after) for before, after in itertools.pairwise(told) if after < before - 1e-9]
    assert not back
    assert not told or told[-1] == pytest.approx(1)
