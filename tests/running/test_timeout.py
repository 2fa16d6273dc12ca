"""Limits of time for claims that are run from Python, and a search that takes too long."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
from hypothesis import strategies as st

from harness import MLP, ClaimError, Evidence, Harness, PairedDifference, Recipe, Source, ToyImages, claim, deadline, run

PAPER = Source("paper", "A paper", year=2024)
LOWER = PairedDifference("length", "regime", "robust", "standard", "seed", margin=0.01, margin_reason="a little")


def declared(name: str, **more: object):
    terms = {"statement": "It is longer.", "source": PAPER.at("Intro", "it is"), "prediction": LOWER}
    return claim(f"paper/{name}", **(terms | more))


def table() -> pd.DataFrame:
    rows = [{"regime": regime, "seed": seed, "length": (regime == "robust") * (1 + 0.01 * (seed % 4))}
            for regime in ("standard", "robust") for seed in range(8)]  # fmt: skip
    return pd.DataFrame(rows)


@declared("sleeps")
def sleeps() -> Evidence:
    """Never returns."""
    while True:
        time.sleep(1)


@declared("quick")
def quick() -> Evidence:
    """Returns at once."""
    return Evidence(table())


SLOW = {"at": 0.0, "beyond": 0.0}


class CALLS:
    """What the body was called with; a list that it captured would be one of the values that its notes are named by."""

    shifts: ClassVar[list[float]] = []

    @classmethod
    def noted(cls, shift: float) -> None:
        cls.shifts.append(shift)


@declared("searched", scope={"shift": st.sampled_from([1.0, 2.0, 3.0])})
def searched(harness: Harness) -> Evidence:
    """Takes long beyond a shift."""
    shift = harness.setting("shift", 0.0)
    CALLS.noted(shift)
    if shift > SLOW["beyond"]:
        time.sleep(SLOW["at"])
    return Evidence(table())


def test_what_takes_too_long_is_ended_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(TimeoutError, match=r"^did not return within 5 s$"):
        run(sleeps, store=tmp_path, timeout=5)
    assert run(quick, store=tmp_path, timeout=600).verdict.outcome.value == "supported"


def test_a_search_that_takes_too_long_does_not_take_the_verdict_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(SLOW, "at", 600.0)
    result = run(searched, store=tmp_path, search=4, timeout=8)
    assert result.row["verdict"] == "supported"
    trials = result.row["search"]["trials"]
    assert [each["verdict"] for each in trials] == ["error"] * 3
    assert all("did not return within 2 s, a quarter of the 8 s that the claim has" in each["reason"] for each in trials)


@pytest.mark.parametrize("beyond", [0.0, 1.0, 2.0, 3.0])
def test_settings_that_never_return_cost_the_others_nothing_and_are_not_tried_again_in_as_little_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beyond: float
):
    monkeypatch.setitem(SLOW, "at", 600.0)
    monkeypatch.setitem(SLOW, "beyond", beyond)
    expected = {shift: "error" if shift > beyond else "supported" for shift in (1.0, 2.0, 3.0)}
    for timeout, again in ((6.0, True), (6.0, False), (4.8, False), (7.2, True)):
        CALLS.shifts.clear()
        found = run(searched, store=tmp_path, search=4, timeout=timeout).search
        assert found is not None
        assert {each.settings["shift"]: each.verdict for each in found.trials} == expected
        assert bool({shift for shift in CALLS.shifts if shift > beyond}) == (again and beyond < 3.0)


@declared("hanging", scope={"shift": st.integers(0, 1000)})
def hanging(harness: Harness) -> Evidence:
    """Never returns where the shift is odd."""
    harness.store.population(Recipe(ToyImages(train=24), MLP((2,)), epochs=0), range(8))
    while harness.setting("shift", 0) % 2:
        time.sleep(0.1)
    return Evidence(table())


def test_each_search_comes_further_until_one_is_whole_however_many_settings_never_return(tmp_path: Path):
    counts = [0]
    for _ in range(6):
        found = run(hanging, store=tmp_path, search=10, timeout=6).search
        assert found is not None
        counts.append(len(list((tmp_path / "searches").rglob("*.json"))))
        if found.broke is None:
            break
        assert counts[-1] > counts[-2]
    assert found.broke is None
    assert len(found.trials) == 10
    assert {each.verdict == "error" for each in found.trials} == {True, False}
    assert all((each.verdict == "error") == bool(each.settings["shift"] % 2) for each in found.trials)


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf")])
def test_what_is_no_time_is_refused(tmp_path: Path, seconds: float):
    with pytest.raises(ClaimError, match="give a number of seconds above 0"):
        run(quick, store=tmp_path, timeout=seconds)


def test_where_nothing_can_interrupt_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    caught: list[BaseException] = []

    def elsewhere() -> None:
        try:
            run(quick, store=tmp_path, timeout=5)
        except ClaimError as problem:
            caught.append(problem)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    monkeypatch.setattr(deadline, "CAN_INTERRUPT", False)
    elsewhere()
    assert len(caught) == 2
    assert all("needs the main thread of a system with interval timers" in str(each) for each in caught)
