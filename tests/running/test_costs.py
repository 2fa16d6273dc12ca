"""What claims cost: each thing once, known where the store knows, in proportion to work elsewhere; no time is asserted.

What is timed, and how long that may take, is in test_probes.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Accuracy, Robustness, Store, Threat, ToyImages, cli
from harness.data.base import DataShortfall
from harness.device import memory_limit
from harness.measure.llc.estimate import LLC, LLCSpec
from harness.optimiser import Until
from harness.recipe import MLP, Recipe
from harness.running import rates
from harness.running.asking import ClaimDesign
from harness.running.costs import Cost, Needed, Prices
from harness.running.probes import Pace, Probes
from harness.running.rates import Group, Rates
from harness.store.sharing import measuring_work, training_work

DATA = ToyImages(train=64, test=20)
BASE = Recipe(DATA, MLP((4,)), epochs=2)


@dataclass(frozen=True)
class OtherImages(ToyImages):
    """A data set of another kind."""


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
    monkeypatch.setattr(rates, "ENTRY", 0.0)

    def training(self: Probes, recipe: Recipe, limit: float) -> float:
        timed["trained"].append(recipe)
        return PACE

    def measuring(self: Probes, measurement: Any, recipe: Recipe, shares: Any, limit: float) -> Pace:
        timed["measured"].append((measurement, recipe))
        return Pace(PACE)

    monkeypatch.setattr(Probes, "training", training)
    monkeypatch.setattr(Probes, "measuring", measuring)
    for name in ("stopping", "stops", "prepare"):
        monkeypatch.setattr(Probes, name, lambda self, *given: 1.0)
    return timed


def cost(tmp_path: Path, *designs: ClaimDesign, seconds: float = 1.0) -> Cost:
    store, needed = Store(tmp_path), Needed.of(designs)
    return Prices(needed, Rates(store, needed, seconds), store, 1000).cost(needed)


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
    assert {recipe for _, recipe in paced["measured"]} == {
        every[0],
        every[-1],
    }  # a regime makes no difference to what is measured


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
    assert (found.at_most, [*found.untimed]) == (False, ["a table"])


@given(
    works=st.lists(st.floats(1.0, 1e12), min_size=1, max_size=6, unique=True),
    rate=st.floats(1e-12, 1e-3),
    power=st.floats(-1, 1),
)
def test_a_group_lies_on_the_power_law_through_its_ends(works: list[float], rate: float, power: float) -> None:
    """Times that are a power of the work are met by all of a group once its ends are timed."""
    group = Group("training", works={str(at): work for at, work in enumerate(works)})
    group.rates = {key: rate * work**power for key, work in group.works.items() if work in (min(works), max(works))}
    for work in works:
        found = group.rate(work)
        assert found is not None
        assert found[0] == pytest.approx(rate * work**power, rel=1e-6)
        assert found[1] == ("timed" if work in (min(works), max(works)) else "scaled")


def test_one_end_alone_stands_for_what_is_near_and_is_a_guess_for_what_is_far() -> None:
    group = Group("training", works={"a": 1.0, "b": 4.0, "c": 100.0}, rates={"a": 2.0})
    assert [group.rate(work) for work in (1.0, 4.0, 100.0)] == [(2.0, "timed"), (2.0, "scaled"), (2.0, "guessed")]
    assert Group("training", works={"a": 1.0}).rate(1.0) is None


@pytest.mark.parametrize(
    "change", [{"seed": 7}, {"spec": LLCSpec(localization=3.0)}, {"points": 7}, {"scopes": ("all", "output")}]
)
def test_real_numbers_and_random_streams_are_timed_once_unless_a_sampler_reads_them(
    tmp_path: Path, paced: dict[str, list[Any]], change: dict[str, Any]
) -> None:
    both = (LLC(points=8), replace(LLC(points=8), **change))
    asked = ClaimDesign(((BASE, (0, 1)),), measured=tuple((each, ((BASE, (0, 1)),)) for each in both))
    assert cost(tmp_path, asked).tables == 4
    assert len(paced["measured"]) == (1 if "seed" in change else 2)


def test_thresholds_are_timed_once(tmp_path: Path, paced: dict[str, list[Any]]) -> None:
    some = [Robustness(points=8, thresholds=(level, 2 * level)) for level in (0.1, 0.2, 0.3)]
    more = [Robustness(points=8, thresholds=(0.1,)), Robustness(points=9, thresholds=(0.1, 0.2))]
    cost(tmp_path, ClaimDesign(((BASE, (0,)),), measured=tuple((each, ((BASE, (0,)),)) for each in some + more)))
    assert len(paced["measured"]) == 3


def test_what_there_was_no_time_for_is_guessed_within_bounds_and_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paced: dict[str, list[Any]]
) -> None:
    """By a clock that each timing advances: of three groups, the last is not reached."""
    passed = [0.0]
    monkeypatch.setattr(Probes, "clock", lambda self: passed[0])
    slow = Probes.training

    def training(self: Probes, recipe: Recipe, limit: float) -> float | None:
        passed[0] += 10.0
        return slow(self, recipe, limit)

    monkeypatch.setattr(Probes, "training", training)
    every = [BASE, WIDE.robust(Threat(epsilon=0.5, steps=2)), replace(WIDE, data=OtherImages(train=64, test=20))]
    designs = [design((recipe, 2)) for recipe in every]
    found = [cost(tmp_path, *designs, seconds=seconds) for seconds in (1000.0, 35.0)]
    assert set(found[0].sources) == {"timed"}
    assert set(found[1].sources) == {"timed", "guessed"}
    assert len(paced["trained"]) == 3 + 2
    assert found[1].seconds == pytest.approx(found[0].seconds)  # all have one pace here
    low, high = found[1].bounds
    guessed = found[1].sources["guessed"]
    assert low == pytest.approx(found[1].seconds - guessed * 2 / 3)
    assert high == pytest.approx(found[1].seconds + guessed * 2)
    assert found[0].bounds == (found[0].seconds, found[0].seconds)


@pytest.mark.parametrize(("share", "seen"), [(0.2, True), (1.0, True), (None, False)])
def test_trainings_that_stop_count_as_long_as_they_were_seen_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paced: dict[str, list[Any]], share: float | None, seen: bool
) -> None:
    monkeypatch.setattr(Probes, "stopping", lambda self, recipe, limit: share)
    recipe = replace(BASE, epochs=20, until=Until("loss", 0.1, every=2))
    whole = cost(tmp_path, design((replace(recipe, until=None), 2)))
    found = cost(tmp_path, design((recipe, 2)))
    assert found.seconds == pytest.approx((share or 1.0) * whole.seconds)
    assert found.at_most is not seen
    assert not whole.at_most


@pytest.mark.parametrize("told", [{"all": 0.5, "output": 0.25}, {"all": 0.5}, {}])
def test_samplers_that_stop_are_seen_by_scope_and_what_was_not_seen_counts_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paced: dict[str, list[Any]], told: dict[str, float]
) -> None:
    given_shares: list[dict[str, float]] = []

    def stops(self: Probes, piece: LLC, recipe: Recipe, limit: float) -> float | None:
        return told.get(piece.scopes[0])

    def measuring(self: Probes, measurement: Any, recipe: Recipe, shares: dict[str, float], limit: float) -> Pace:
        given_shares.append(shares)
        return Pace(PACE)

    monkeypatch.setattr(Probes, "stops", stops)
    monkeypatch.setattr(Probes, "measuring", measuring)
    measurement = LLC(points=8, scopes=("all", "output", "no such"))
    found = cost(tmp_path, ClaimDesign(((BASE, (0, 1)),), measured=((measurement, ((BASE, (0, 1)),)),)))
    assert given_shares == [{"all": 0.5, "output": told.get("output", 0.5)} if told else {}]  # others stand in for a scope
    assert found.at_most is not bool(told)


CLAIMS = """
from harness.claim import claim
from harness.source import Source
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
        documents, claims = capsys.readouterr().out.split("\n\n")[1:3]
        return {line[:34].strip(): line[34:].split() for line in [*documents.splitlines()[1:], *claims.splitlines()]}

    both = lines()
    assert list(both) == ["paper", "one", "two"]
    assert {tuple(each[:2]) for each in both.values()} == {("3", "3")}  # each of the two needs all, and both together no more
    assert {tuple(each[-2:]) for each in both.values()} == {("timed", "100%")}
    assert list(lines("paper/two")) == ["paper", "two"]
    assert list(lines("paper")) == ["paper", "one", "two"]
    assert cli.main(["plan", "--cost", "--seconds", "0"]) == 2
    assert "--seconds 0 is no time to time anything in; give a number above 0" in capsys.readouterr().err
    assert cli.main(["plan", "--cost", "paper/none"]) == 2
    assert "there is no claim paper/none" in capsys.readouterr().err
    monkeypatch.setattr("harness.device.may_have_cuda", lambda: False)
    assert cli.main(["plan", "--cost", "--device", "cuda"]) == 2
    assert "no CUDA device was found" in capsys.readouterr().err


IN_WORDS = {0: "0 s", 0.04: "0.0 s", 9.94: "9.9 s", 59: "59 s", 90: "1.5 min", 3000: "50 min", 3600: "1.0 h", 1e6: "278 h"}


def test_times_in_words() -> None:
    from harness.cli.costs import _time

    assert {seconds: _time(seconds) for seconds in IN_WORDS} == IN_WORDS


WHY = "there are 10 images of class 3; train on fewer"
ABSENT = [replace(BASE, data=ToyImages(train=640, test=20), architecture=MLP((width,))) for width in (4, 8)]


class Elsewhere(Store):
    """A store where one data set alone can be loaded."""

    def data(self, spec: Any) -> Any:
        if spec != DATA:
            raise DataShortfall(WHY)
        return super().data(spec)


@pytest.mark.parametrize("here", [[], [BASE], [BASE, WIDE]])
@pytest.mark.parametrize("absent", [[], ABSENT[:1], ABSENT])
def test_what_was_not_timed_is_counted_said_and_never_reads_as_nought(
    tmp_path: Path, paced: dict[str, list[Any]], here: list[Recipe], absent: list[Recipe]
) -> None:
    from harness.cli.costs import _line

    store = Elsewhere(tmp_path)
    whole = Needed.of([design(*((recipe, 3) for recipe in [*here, *absent]), measured=3)])
    lacking = whole.lacking(store)
    assert lacking == dict.fromkeys(absent, WHY)
    found = Prices(whole, Rates(store, whole.without(lacking), 1.0), store, 0, lacking).cost(whole)
    assert found.members == found.tables == 3 * len([*here, *absent])
    assert {*found.untimed.values()} == ({WHY} if absent else set())
    assert all(any(recipe.name in name for name in found.untimed) for recipe in absent)
    line, timed = _line("paper", found), cost(tmp_path, design(*((recipe, 3) for recipe in here), measured=3))
    assert (found.seconds, found.disk) == (timed.seconds, timed.disk)
    if not absent:
        assert "?" not in line
    elif here:
        assert line.count("+ ?") == 2
    else:
        assert line[34:].split() == [str(found.members), str(found.tables), *"????", "not", "timed"]
