"""What is timed, and for how long: by clocks that only the timed work advances, so that nothing depends on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import LLC, Accuracy, Store, Threat, ToyImages
from harness.measure.base import Measurement
from harness.measure.llc.estimate import LLCSpec
from harness.measure.llc.sample import SampleLLC
from harness.optimiser import Until
from harness.progress import tell
from harness.recipe import MLP, Recipe
from harness.running import probes as timing
from harness.running.probes import Probes, may_stop, pieces
from harness.store.sharing import measuring_work, training_work
from harness.training.train import initial

DATA = ToyImages(train=64, test=20)
BASE = Recipe(DATA, MLP((4,)), epochs=2)
PACE = 2e-6  # seconds for each unit of work, in tests
KINETIC = LLCSpec(budget=400, chains=2, descent=0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which whoever works advances."""
    passed = [0.0]
    monkeypatch.setattr(Probes, "clock", lambda self: passed[0])
    monkeypatch.setattr("harness.progress.SECONDS", -1.0)
    return passed


@pytest.fixture
def trained(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> list[tuple[Recipe, int, Any, float]]:
    """Training takes seven seconds, and what its work takes; recipes, how many members, from where, and work of each call."""
    asked: list[tuple[Recipe, int, Any, float]] = []

    def train(recipe: Recipe, data: Any, seeds: Any, *, start: Any = None, **more: Any) -> dict[int, Any]:
        clock[0] += 7.0 + PACE * len(seeds) * training_work(recipe, data)
        asked.append((recipe, len(seeds), start, training_work(recipe, data)))
        return dict.fromkeys(recipe.kept, initial(recipe, seeds))

    monkeypatch.setattr("harness.training.train.train", train)
    return asked


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    points=st.integers(20, 200), batch=st.integers(1, 300), epochs=st.integers(1, 9), limit=st.floats(0.0, 1e4),
    members=st.integers(1, 9), large=st.sampled_from([1.0, 1e4, 1e9]),
)  # fmt: skip
def test_steps_are_told_from_what_comes_before_them_whatever_the_data_and_the_limit(
    tmp_path: Path, trained: list[Any], monkeypatch: pytest.MonkeyPatch, points: int, batch: int, epochs: int, limit: float,
    members: int, large: float,
) -> None:  # fmt: skip
    monkeypatch.setattr(timing, "LARGE", large)
    recipe = replace(BASE, data=ToyImages(train=points, test=20), batch_size=batch, epochs=epochs)
    trained.clear()
    rate = Probes(Store(tmp_path), {recipe.key: members}).training(recipe, limit)
    *_, (_, stack, _, less), (_, _, _, more) = trained
    assert rate is not None
    assert more > less
    if PACE * stack * (more - less) > 0.05 * (7 + PACE * stack * more):  # else the steps are too few to be told apart
        assert rate == pytest.approx(PACE, rel=1e-3)
    else:
        assert rate >= PACE
    assert all(count <= members and each.batch_size <= batch for each, count, _, _ in trained)


def test_what_cannot_be_trained_here_has_no_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*given: Any, **more: Any) -> Any:
        raise RuntimeError("it diverged")

    monkeypatch.setattr("harness.training.train.train", train)
    assert Probes(Store(tmp_path), {}).training(BASE, 1.0) is None


@pytest.mark.parametrize(("stops", "share"), [(2, 0.1), (4, 0.2), (10, 0.5), (40, None)])
def test_members_that_stop_early_are_seen_to_if_they_do_so_soon(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch, stops: int, share: float | None
) -> None:
    def train(recipe: Recipe, data: Any, seeds: range, *, progress: Any, **more: Any) -> None:
        for epoch in range(1, recipe.epochs + 1):
            clock[0] += epoch <= stops
            progress(epoch / recipe.epochs)

    monkeypatch.setattr("harness.training.train.train", train)
    recipe = replace(BASE, epochs=20, until=Until("loss", 0.1, every=2))
    found = Probes(Store(tmp_path), {}).stopping(recipe, 15.5)
    assert found == (share if share is None else pytest.approx(share))
    assert Probes(Store(tmp_path), {}).stopping(BASE, 15.5) == 1.0


@dataclass(frozen=True)
class Slow(Measurement):
    """Takes three seconds for each hundredth of it, and says so if it is told to."""

    says: bool = True

    @property
    def name(self) -> str:
        return "slow"

    def run(self, population: Any, data: Any, device: str) -> pd.DataFrame:
        for step in range(1, 101):
            WORK[0](3.0)
            if self.says:
                tell(step / 100)
        return pd.DataFrame({"seed": population.seeds, "epoch": 2, "value": 1.0})


WORK: list[Callable[[float], None]] = [lambda seconds: None]


@pytest.mark.parametrize("limit", [10.0, 1e6])
def test_a_measurement_is_timed_whole_or_by_the_share_that_it_tells(
    tmp_path: Path, clock: list[float], trained: list[Any], limit: float
) -> None:
    def work(seconds: float) -> None:
        clock[0] += seconds

    WORK[0] = work
    probes = Probes(Store(tmp_path), {BASE.key: 2})
    probes.prepare(BASE, {}, 0.0)
    pace = probes.measuring(Slow(), BASE, {}, limit)
    assert pace is not None
    assert pace.rate * measuring_work(BASE) == pytest.approx(300.0 / 2)
    assert (pace.bytes is None) is (limit < 300)
    half = probes.measuring(Slow(), BASE, {"": 0.5}, limit)
    assert half is not None
    assert half.rate == pytest.approx(pace.rate / 2)


def test_a_measurement_that_does_not_say_how_far_it_is_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LEAST", 0.05)
    WORK[0] = lambda seconds: time.sleep(0.05)
    probes = Probes(Store(tmp_path), {BASE.key: 2})
    assert probes.measuring(Slow(says=False), BASE, {}, 0.001) is None
    WORK[0] = lambda seconds: None


@pytest.mark.parametrize(("each", "limit", "members", "epochs"), [
    (0.01, 1.0, 16, [8]), (0.3, 1.0, 3, [8]), (2.0, 4.0, 2, [8]), (3.0, 3.0, 2, [4]), (3.0, 0.1, 2, []), (None, 9.0, 2, []),
])  # fmt: skip
def test_as_many_members_are_made_as_are_trained_soon_and_else_a_few_as_far_as_there_is_time(
    tmp_path: Path, trained: list[Any], each: float | None, limit: float, members: int, epochs: list[int]
) -> None:
    recipe = replace(BASE, epochs=8)
    probes = Probes(Store(tmp_path), {recipe.key: 20})
    probes.prepare(recipe, {} if each is None else {recipe.key: each}, limit)
    assert len(probes.members(recipe)) == members
    assert [one.epochs for one, *_ in trained] == epochs


def test_what_goes_on_from_others_is_made_from_them(tmp_path: Path, trained: list[Any]) -> None:
    tuned = BASE.finetuned(Threat(epsilon=0.5, steps=2), epochs=4)
    probes = Probes(Store(tmp_path), {tuned.key: 2})
    probes.prepare(tuned, {BASE.key: 1.0, tuned.key: 2.0}, 3.0)
    assert [(one.regime.name, one.epochs) for one, *_ in trained] == [("standard", 1), ("finetuned", 2)]
    assert trained[1][2] is not None


def test_what_is_measured_is_made_once_unless_it_is_large(
    tmp_path: Path, trained: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for remembered, times in ((2**24, 1), (0, 3)):
        monkeypatch.setattr(timing, "REMEMBERED", remembered)
        made: list[str] = []
        whole = Probes._made
        monkeypatch.setattr(Probes, "_made", lambda *given, made=made, whole=whole: made.append("") or whole(*given))
        probes = Probes(Store(tmp_path), {BASE.key: 2})
        probes.prepare(BASE, {}, 0.0)
        for _ in range(2):
            probes.measuring(Accuracy(), BASE, {}, 1e6)
        assert len(made) == times
        monkeypatch.setattr(Probes, "_made", whole)


def test_pieces_are_the_scopes_that_a_network_has() -> None:
    every = LLC(spec=KINETIC, points=32, scopes=("all", "output", "hidden 9"))
    assert {name: piece.scopes for name, piece in pieces(every, BASE).items()} == {"all": ("all",), "output": ("output",)}  # type: ignore[attr-defined]
    assert pieces(Accuracy(), BASE) == {"": Accuracy()}
    assert [*pieces(replace(every, scopes=("hidden 9",)), BASE)] == [""]


def test_samplers_that_stop_are_those_whose_number_of_draws_is_open() -> None:
    assert may_stop(LLC(spec=KINETIC))
    assert may_stop(SampleLLC(spec=KINETIC))
    assert not may_stop(LLC(spec=replace(KINETIC, draws=10, burn_in=10)))
    assert not may_stop(LLC(spec=LLCSpec(sampler="sgld")))
    assert not may_stop(Accuracy())


@pytest.mark.parametrize("precision", [1e9, 1e-9])
def test_how_much_of_its_budget_a_sampler_takes_is_what_its_table_says(tmp_path: Path, precision: float) -> None:
    """Where hardly any precision is asked for, the first look ends it; where it cannot be reached, the budget does."""
    measurement = LLC(spec=replace(KINETIC, precision=precision), points=32, scopes=("output",))
    store = Store(tmp_path)
    probes = Probes(store, {BASE.key: 2})
    share = probes.stops(measurement, BASE, 1e3)
    table = measurement.run(probes.members(BASE), store.data(DATA), "cpu")
    assert share == pytest.approx((table["burn_in"] + table["draws"]).mean() / 400)
    assert share == pytest.approx(1.0) if precision < 1 else share <= 1.0
