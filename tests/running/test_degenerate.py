"""Networks that diverged, died or collapsed: whatever a claim makes of them, it is a verdict with a sentence and no error."""

from __future__ import annotations

import importlib
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from degenerate_networks import KINDS, Untrained
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness import MLP, SGD, Evidence, Harness, PairedDifference, Recipe, Source, Store, ToyImages, claim
from harness.errors import Shortfall
from harness.report.rows import base_row
from harness.running.degenerate import CONSTANT, ENDLESS, LOST, ONE_CLASS, WORSE, degenerate, fault_of, undefined_is_no_error
from harness.running.evidence import completed
from harness.running.run import Judging, judged_row, run
from harness.running.session import needs, open_harness

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "claims").glob("test_*.py"))
BASE = Recipe(ToyImages(train=96, test=30), MLP((8,)), epochs=1)
PAPER = Source("mine", "My paper").at("Intro", "it is")


def judged(function: Any, harness: Harness, **how: Any) -> dict[str, Any]:
    """The row of a claim."""
    declared = function.__claim__
    body = completed(declared, lambda harness: function(harness=harness))
    row = base_row(declared, declared.id) | {"design": {"digest": "of this test", "code": "known", "populations": []}}
    return judged_row(row, declared, body(harness), Judging("reduced", **how), body, harness).row


def untrained(folder: Path, kind: str) -> Harness:
    """A harness of the smallest scale whose networks are all degenerate."""
    harness = open_harness(folder, scale="smoke", heartbeat=lambda beat: None)
    return replace(harness, store=cast("Store", Untrained(harness.store, KINDS[kind])))


# --- every claim there is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "path"), [*enumerate(FILES)], ids=[path.stem for path in FILES])
def test_no_claim_ends_in_an_error_on_degenerate_networks(number: int, path: Path, tmp_path: Path) -> None:
    """Each file's claims, on one kind of degenerate networks and the next file's on the next kind."""
    harness = untrained(tmp_path, list(KINDS)[number % len(KINDS)])
    functions = [value for name, value in vars(importlib.import_module(f"claims.{path.stem}")).items() if name[:5] == "test_"]
    for function in functions:
        if "harness" not in needs(function):
            continue
        before, one = len(harness.store.trained), harness.for_one_claim()
        with warnings.catch_warnings(record=True):  # what is undefined may be told, but not raised
            row = judged(function, one)
        if len(harness.store.trained) > before:
            assert row["verdict"] == "invalid", (function.__claim__.id, row["reason"])
        assert row["reason"]


# --- what makes a network degenerate -----------------------------------------------------------------------------------

OUTPUTS = arrays.arrays(np.float64, (3, 5), elements=st.floats(-1e6, 1e6, width=32))


@given(OUTPUTS, st.sampled_from([np.nan, np.inf, -np.inf]), st.integers(0, 2), st.integers(0, 4))
def test_outputs_that_are_not_finite_are_seen_wherever_they_are(outputs, value, row, column):
    outputs[row, column] = value
    assert fault_of(outputs) == ENDLESS


@given(OUTPUTS)
def test_outputs_that_differ_are_those_of_a_network(outputs):
    alike = bool((outputs == outputs[:, :1]).all())
    differ = np.abs(outputs - outputs[:, :1]).max() > 1e-3 * np.abs(outputs).max()
    if alike:
        assert fault_of(outputs) == CONSTANT
    if differ:
        assert fault_of(outputs) is None
    assert fault_of(outputs[:, :1]) is None  # of one point nobody can tell
    assert fault_of(outputs[:, :1], 2 * WORSE) == LOST
    assert fault_of(outputs[:, :1], WORSE / 2) is None
    if differ:
        one_class = len(set(outputs.argmax(0))) == 1
        assert fault_of(outputs, classes=True) == (ONE_CLASS if one_class else None)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_said_which_networks_are_degenerate(kind, tmp_path):
    harness = untrained(tmp_path, kind)
    found = degenerate(harness.store, [(BASE, (3, 5, 7)), (BASE, (3, 5, 7))])
    assert found
    for said in found:
        assert re.fullmatch(rf"[1-3] of 3 networks of {BASE.name} have .+ \(seeds [357](, [57])*\)", said)
    if kind.startswith("one with"):
        assert [said.endswith("(seeds 3)") for said in found] == [True]


def test_networks_as_they_are_initialised_are_not(tmp_path):
    harness = replace(untrained(tmp_path, "all weights 0 but the last"))
    store = Untrained(Store(tmp_path), lambda theta, rng: theta)
    assert degenerate(cast("Store", store), [(BASE, tuple(range(8)))]) == []
    assert degenerate(harness.store, []) == []


def test_what_the_store_lacks_is_not_trained(tmp_path):
    store = Store(tmp_path)
    assert degenerate(store, [(BASE, (0, 1))]) == []
    assert store.made == 0


# --- what a body raises on them ------------------------------------------------------------------------------------------


def claimed(work) -> Any:
    """A claim whose body makes something of its networks."""

    @claim(
        "mine/it", statement="It is so.", source=PAPER,
        prediction=PairedDifference("value", "width", 2, 1, "seed", margin=0.1, margin_reason="visible"),
    )  # fmt: skip
    def body(harness: Harness) -> Evidence:
        population = harness.store.population(BASE, range(6))
        spread = float(population.final[:, :4].double().std())
        value = work(spread)
        return Evidence(pd.DataFrame({"seed": [*range(6)] * 2, "width": [1] * 6 + [2] * 6, "value": [value] * 12}))

    return body


RAISING = {
    "a division": lambda spread: 1 / spread if spread else 1 // 0,
    "a routine of linear algebra": lambda spread: np.linalg.inv(np.eye(3) * spread)[0, 0],
    "a check of one's own": lambda spread: (_ for _ in ()).throw(ValueError("array must not contain infs or NaNs")),
    "one of torch's": lambda spread: float(torch.linalg.inv(torch.eye(3) * spread)[0, 0]),
    "the first of none": lambda spread: [][int(spread)],
}
MISTAKES = {
    "a column that is not there": (KeyError, lambda spread: {}["value"]),
    "a name that does not exist": (AttributeError, lambda spread: spread.value),
    "a missing argument": (TypeError, lambda spread: claimed()),
    "an assertion": (AssertionError, lambda spread: (_ for _ in ()).throw(AssertionError("so it is not"))),
    "a fault of a library": (RuntimeError, lambda spread: (_ for _ in ()).throw(RuntimeError("out of order"))),
}


@pytest.mark.parametrize("name", RAISING)
def test_what_is_raised_on_degenerate_networks_makes_the_claim_invalid(name, tmp_path):
    row = judged(claimed(RAISING[name]), untrained(tmp_path, "all weights 0 but the last"))
    assert row["verdict"] == "invalid"
    assert f"6 of 6 networks of {BASE.name} have the same output for every point (seeds 0, 1, 2, 3, 4, 5)" in row["reason"]
    assert "Error" in row["reason"]  # and what was raised
    assert "test_degenerate.py:" in row["reason"]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_an_error_on_whatever_networks(name, tmp_path):
    kind, work = MISTAKES[name]
    with pytest.raises(kind):
        judged(claimed(work), untrained(tmp_path, "all weights 0 but the last"))


def test_on_networks_that_can_be_measured_an_error_stays_an_error(tmp_path):
    with pytest.raises(ValueError, match="NaN"):
        judged(claimed(RAISING["a check of one's own"]), open_harness(tmp_path, scale="smoke", heartbeat=lambda beat: None))


def test_arithmetic_is_not_raised_whatever_the_session_makes_of_warnings(tmp_path):
    def work(spread):
        return float(np.log2(np.float64(spread)))  # −∞, with a warning

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            work(0.0)
        with undefined_is_no_error(), pytest.warns(RuntimeWarning, match="divide by zero"):
            assert work(0.0) == -np.inf
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        row = judged(claimed(work), untrained(tmp_path, "all weights 0 but the last"))
    assert row["verdict"] == "invalid"
    assert "values of value are missing or infinite" in row["reason"]


def test_training_that_diverges_makes_a_claim_invalid_and_names_the_seeds(tmp_path):
    fierce = replace(BASE, optimiser=SGD(1e30))

    @claim("mine/it", statement="It is so.", source=PAPER, prediction=claimed(abs).__claim__.prediction)
    def body(harness: Harness) -> Evidence:
        harness.store.population(fierce, range(6))
        raise AssertionError("it is not trained")

    result = run(body, store=tmp_path)
    assert result.verdict.outcome == "invalid"
    assert result.verdict.reason.startswith(f"Training of {fierce.name} diverged for seeds [0, 1, 2, 3, 4, 5]")
    assert "lower the learning rate" in result.verdict.reason


def test_seeds_that_are_added_and_cannot_be_judged_are_not_left_out(tmp_path, monkeypatch):
    """The first block is open, and in the second some networks have died."""
    rng = np.random.default_rng(0)

    @claim("mine/it", statement="It is so.", source=PAPER, prediction=claimed(abs).__claim__.prediction)
    def body(harness: Harness) -> Evidence:
        population = harness.store.population(BASE, range(6))
        if len(population) > 6:
            raise ZeroDivisionError
        return Evidence(pd.DataFrame({"seed": [*range(6)] * 2, "width": [1] * 6 + [2] * 6, "value": rng.normal(size=12)}))

    row = judged(body, untrained(tmp_path, "all weights 0 but the last"), blocks=3)
    assert row["verdict"] == "invalid"
    assert "12 of 12 networks" in row["reason"]


# --- in a search -----------------------------------------------------------------------------------------------------------


def searched(folder: Path, at_high_rates: Any) -> Any:
    """A search of a claim about its rate of learning."""

    @claim(
        "mine/it", statement="It is so.", source=PAPER,
        prediction=PairedDifference("value", "width", 2, 1, "seed", margin=0.1, margin_reason="visible"),
        scope={"rate": st.sampled_from([0.1, 1e25, 1e30])},
    )  # fmt: skip
    def body(harness: Harness) -> Evidence:
        rate = harness.setting("rate", 0.1)
        values = np.random.default_rng(0).normal([0.0] * 6 + [3.0] * 6, 0.1) + (at_high_rates(harness, rate) if rate > 1 else 0)
        return Evidence(pd.DataFrame({"seed": [*range(6)] * 2, "width": [1] * 6 + [2] * 6, "value": values}))

    return run(body, store=folder, search=3)


def test_a_setting_at_which_training_diverges_is_invalid_in_its_search_and_noted(tmp_path):
    def diverging(harness: Harness, rate: float) -> float:
        return float(harness.store.population(replace(BASE, optimiser=SGD(rate)), range(6)).final.sum())

    for _ in range(2):
        result = searched(tmp_path, diverging)
        assert result.verdict.outcome == "supported"
        assert {trial.verdict for trial in result.search.trials} == {"invalid"}
        assert all("diverged for seeds" in trial.reason for trial in result.search.trials)


def test_a_setting_that_lacks_data_is_invalid_and_is_tried_again(tmp_path):
    calls = []

    def lacking(harness: Harness, rate: float) -> float:
        calls.append(rate)
        raise Shortfall("there are 10 points, and 20 are asked for")

    searched(tmp_path, lacking)
    first = len(calls)
    found = searched(tmp_path, lacking).search
    assert {trial.verdict for trial in found.trials} == {"invalid"}
    assert {trial.reason for trial in found.trials} == {"there are 10 points, and 20 are asked for"}
    assert len(calls) == 2 * first  # nothing was noted: the next time there may be more
