"""What claims cost: each thing once, known where the store knows, in proportion to work elsewhere; no time is asserted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import Accuracy, Gaps, Store, Threat, ToyImages, cli
from harness.device import memory_limit
from harness.optimiser import Until
from harness.progress import tell
from harness.recipe import MLP, Recipe
from harness.running import rates as timing
from harness.running.asking import ClaimDesign
from harness.running.costs import Cost, Needed, cost_of
from harness.running.rates import Rates
from harness.store.sharing import measuring_work, training_work
from harness.training.train import initial

DATA = ToyImages(train=64, test=20)
BASE = Recipe(DATA, MLP((4,)), epochs=2)
WIDE = replace(BASE, architecture=MLP((16, 16)))
TUNED = BASE.finetuned(Threat(epsilon=0.5, steps=2), epochs=1)
PACE = 1e-9  # seconds for each unit of work, in tests


def design(*recipes: tuple[Recipe, int], measured: int = 0, alone: tuple[str, ...] = ()) -> ClaimDesign:
    of = tuple((recipe, tuple(range(measured))) for recipe, _ in recipes)
    return ClaimDesign(
        tuple((recipe, tuple(range(seeds))) for recipe, seeds in recipes),
        measured=((Accuracy(), of),) if measured else (),
        alone=alone,
    )


@pytest.fixture
def paced(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """Timing takes no time, and gives one pace; what was timed."""
    timed: dict[str, list[Any]] = {"trained": [], "measured": []}
    monkeypatch.setattr(timing, "ENTRY", 0.0)

    def training(self: Rates, recipe: Recipe) -> float:
        timed["trained"].append(recipe)
        return PACE

    def measuring(self: Rates, measurement: Any, recipe: Recipe, kind: str) -> float:
        timed["measured"].append(recipe)
        return PACE

    monkeypatch.setattr(Rates, "_timed_training", training)
    monkeypatch.setattr(Rates, "_measuring_rate", measuring)
    return timed


def cost(tmp_path: Path, *designs: ClaimDesign) -> Cost:
    store, needed = Store(tmp_path), Needed.of(designs)
    return cost_of(needed, Rates(store, needed, 1.0), store, 1000)


def test_what_claims_share_counts_once_and_parents_count(tmp_path: Path, paced: dict[str, list[Any]]) -> None:
    one, other = design((BASE, 3), measured=3), design((BASE, 5), (TUNED, 2), measured=2)
    together = cost(tmp_path, one, other)
    assert (together.members, together.tables) == (5 + 2, 3 + 2)
    works = 5 * training_work(BASE, DATA.load()) + 2 * training_work(TUNED, DATA.load())
    works += 3 * measuring_work(BASE) + 2 * measuring_work(TUNED)
    assert together.seconds == pytest.approx(PACE * works) == together.left
    assert cost(tmp_path, design((TUNED, 2))).members == 4  # with the networks that are finetuned


def test_a_group_is_timed_at_its_ends(tmp_path: Path, paced: dict[str, list[Any]]) -> None:
    every = [replace(BASE, architecture=MLP((width,))) for width in (2, 4, 8, 16, 32)]
    cost(tmp_path, *(design((recipe, 2), measured=2) for recipe in [*every, TUNED]))
    assert set(paced["trained"]) == {every[0], every[-1], TUNED}
    assert set(paced["measured"]) == {every[0], every[-1], TUNED}


def test_the_store_knows_what_it_has_made(tmp_path: Path, paced: dict[str, list[Any]]) -> None:
    before = cost(tmp_path, design((BASE, 4), measured=4))
    store = Store(tmp_path)
    store.measure([store.population(BASE, range(3))], Accuracy())
    after = cost(tmp_path, design((BASE, 4), measured=4))
    assert before.left == before.seconds
    assert 0 < after.left == pytest.approx(after.seconds / 4)  # one member of four
    assert len(paced["trained"]) == len(paced["measured"]) == 1  # only before
    sizes = sum(entry.bytes for entry in store.entries())
    assert 0.3 < sizes / (before.disk * 3 / 4) < 3


def test_memory_holds_a_stack_or_what_stacked_work_is_allowed(tmp_path: Path, paced: dict[str, list[Any]]) -> None:
    assert memory_limit("cpu") < cost(tmp_path, design((BASE, 2))).memory < 1.1 * memory_limit("cpu")


def test_what_cannot_be_timed_is_said(tmp_path: Path, paced: dict[str, list[Any]]) -> None:
    found = cost(tmp_path, design((BASE, 1), alone=("a table",)))
    assert (found.at_most, found.untimed) == (False, ("a table",))


@pytest.mark.parametrize(("stops", "share"), [(2, 0.1), (4, 0.2), (10, 0.5), (40, 1.0)])
def test_members_that_stop_early_count_as_long_as_they_were_seen_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: int, share: float
) -> None:
    """By a clock that an epoch advances while somebody goes on; who is not seen to stop within some seconds counts whole."""
    passed = [0.0]
    monkeypatch.setattr(timing, "ENTRY", 0.0)
    monkeypatch.setattr(timing, "LOOKED_FOR", 15.5)
    monkeypatch.setattr(Rates, "_clock", lambda self: passed[0])
    monkeypatch.setattr(Rates, "_steps", lambda self, recipe, data, steps, stack: (1.0 * steps, 1.0 * steps))

    def train(recipe: Recipe, data: Any, seeds: range, *, progress: Any, **more: Any) -> None:
        for epoch in range(1, recipe.epochs + 1):
            passed[0] += epoch <= stops
            progress(epoch / recipe.epochs)

    monkeypatch.setattr("harness.training.train.train", train)
    recipe = replace(BASE, epochs=20, until=Until("loss", 0.1, every=2))
    whole = cost(tmp_path, design((replace(recipe, until=None), 2)))
    found = cost(tmp_path, design((recipe, 2)))
    assert found.seconds == pytest.approx(share * whole.seconds)
    assert found.at_most is (stops > recipe.epochs)
    assert not whole.at_most


@pytest.mark.parametrize(("each", "members", "trained"), [(0.01, 8, True), (0.3, 3, True), (2.0, 2, True), (3.0, 8, False)])
def test_a_measurement_is_timed_on_as_many_members_as_are_trained_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, each: float, members: int, trained: bool
) -> None:
    asked: list[int] = []

    def train(recipe: Recipe, data: Any, seeds: Any, **more: Any) -> dict[int, Any]:
        asked.append(len(seeds))
        return dict.fromkeys(recipe.kept, initial(recipe, seeds))

    monkeypatch.setattr("harness.training.train.train", train)
    monkeypatch.setattr(Rates, "training", lambda self, recipe, seeds: each)
    rates = Rates(Store(tmp_path), Needed.of([design((BASE, 20))]), 1.0)
    assert len(rates._members(BASE)) == members
    assert asked == [members] * trained


def test_what_a_measurement_is_timed_on_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    whole = Rates._made

    def counted(self: Rates, recipe: Recipe) -> Any:
        made.append(recipe.key)
        return whole(self, recipe)

    monkeypatch.setattr(Rates, "_made", counted)
    asked = ClaimDesign(((BASE, (0, 1)),), measured=tuple((each, ((BASE, (0, 1)),)) for each in (Accuracy(), Gaps())))
    cost(tmp_path, asked)
    assert made == [BASE.key]
    monkeypatch.setattr(timing, "REMEMBERED", 0)
    cost(tmp_path, asked)
    assert made == [BASE.key] * 3  # what is large is not kept


def test_a_training_and_a_measurement_are_timed_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that counts: the steps of a training, and the share of a measurement."""
    passed = [0.0]
    monkeypatch.setattr(timing, "ENTRY", 0.0)
    monkeypatch.setattr(Rates, "_clock", lambda self: passed[0])

    def train(recipe: Recipe, data: Any, seeds: range, **more: Any) -> dict[int, Any]:
        passed[0] += 7.0 + 2e-6 * len(seeds) * training_work(recipe, data)
        return dict.fromkeys(recipe.kept, more["start"]) if "start" in more else {}

    monkeypatch.setattr("harness.training.train.train", train)
    needed = Needed.of([design((WIDE, 2), measured=2)])
    rates = Rates(Store(tmp_path), needed, seconds=20.0)
    assert rates.training(WIDE, (0, 1)) == pytest.approx(2e-6 * training_work(WIDE, DATA.load()))

    def run(self: Accuracy, population: Any, data: Any, device: str) -> None:
        for step in range(1, 101):
            passed[0] += 3.0
            tell(step / 100)
        raise AssertionError("it was to be stopped")

    monkeypatch.setattr(Accuracy, "run", run)
    monkeypatch.setattr("harness.progress.SECONDS", -1.0)
    monkeypatch.setattr(timing, "AT_MOST", 0.0)
    assert rates.measuring(Accuracy(), WIDE, (0, 1)) == pytest.approx(300.0 / 2)


CLAIMS = """
from harness.claim import Source, claim
from harness.data import ToyImages
from harness.measure.gaps import Accuracy
from harness.predict import PairedDifference
from harness.recipe import MLP, Recipe
from harness.study import study

@study
def grid(harness):
    populations = harness.store.populations([Recipe(ToyImages(train=24), MLP((2,)), epochs=1)], range(3), name="grid")
    return harness.store.measure(populations, Accuracy())

def declare(name):
    return claim(f"paper/{name}", statement="It is so.", source=Source("paper", "A paper").at("I", "q"),
                 prediction=PairedDifference("test_accuracy", "regime", "standard", "robust", "seed", "architecture",
                                             margin=0.5, margin_reason="half"))

@declare("one")
def test_one(harness):
    grid(harness)

@declare("two")
def test_two(harness):
    grid(harness)
"""


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], paced: dict[str, list[Any]]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / f"test_{tmp_path.name}_costs.py").write_text(CLAIMS, encoding="utf-8")

    def lines(*arguments: str) -> dict[str, list[str]]:
        assert cli.main(["plan", "--cost", "--device", "cpu", *arguments]) == 0
        table = capsys.readouterr().out.split("\n\n")[1]
        return {line[:34].strip(): line[34:].split() for line in table.splitlines()[1:]}

    both = lines()
    assert list(both) == ["paper", "one", "two"]
    assert {tuple(each[:2]) for each in both.values()} == {("3", "3")}  # each of the two needs all, and both together no more
    assert list(lines("paper/two")) == ["paper", "two"]
    assert cli.main(["plan", "--cost", "paper/none"]) == 2
    assert "there is no claim paper/none" in capsys.readouterr().err
    monkeypatch.setattr("harness.device.may_have_cuda", lambda: False)
    assert cli.main(["plan", "--cost", "--device", "cuda"]) == 2
    assert "no CUDA device was found" in capsys.readouterr().err


IN_WORDS = {0: "0 s", 0.04: "0.0 s", 9.94: "9.9 s", 59: "59 s", 90: "1.5 min", 3000: "50 min", 3600: "1.0 h", 1e6: "278 h"}


def test_times_in_words() -> None:
    from harness.cli.costs import _time

    assert {seconds: _time(seconds) for seconds in IN_WORDS} == IN_WORDS


def test_networks_whose_data_are_not_here_are_said_and_the_others_are_timed(
    tmp_path: Path, paced: dict[str, list[Any]]
) -> None:
    from harness.data.base import DataShortfall

    class Elsewhere(Store):
        def data(self, spec: Any) -> Any:
            if spec != DATA:
                raise DataShortfall("there are 10 images of class 3; train on fewer")
            return super().data(spec)

    store = Elsewhere(tmp_path)
    absent = replace(BASE, data=ToyImages(train=640, test=20))
    whole = Needed.of([design((BASE, 3), (absent, 3), measured=3)])
    needed = whole.without(whole.lacking(store))
    found = cost_of(needed, Rates(store, needed, 1.0), store, 0)
    assert found.members == found.tables == 3
    assert found.untimed == (f"{absent.name} (there are 10 images of class 3)",)
