"""What a search has judged, noted: not believed where the claim says something else by now, and kept at an interruption."""

from __future__ import annotations

import enum
import json
import math
import os
import random
import threading
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness import MLP, Evidence, Factors, Harness, PairedDifference, Recipe, Source, ToyImages, claim, search
from harness.code import CodeError
from harness.code.captured import captured
from harness.running.notes import Notes, StaleNotes, agree
from harness.running.session import open_harness
from harness.running.trials import Trial

GLOBAL = 2.0


def declared(body, name="mine/hidden"):
    return claim(
        name, statement="It is higher.", source=Source("own", "A toy", year=2020).at("1", "It is higher."),
        population=Factors(random=("seed",)),
        prediction=PairedDifference(
            value="y", factor="regime", higher="a", lower="b", pair="seed", margin=1.0, margin_reason="one",
        ),
        scope={"k": st.floats(0, 10)},
    )(body)  # fmt: skip


def table(harness: Harness, effect: float, *, asks: bool = True) -> pd.DataFrame:
    recipe = Recipe(ToyImages(train=24), MLP((2,)), epochs=0)
    seeds = harness.store.population(recipe, range(16)).seeds if asks else range(16)
    rows = [
        {"seed": seed, "regime": regime, "y": (regime == "a") * (effect + np.random.default_rng(seed).normal(0, 0.4))}
        for seed in seeds for regime in "ab"
    ]  # fmt: skip
    return pd.DataFrame(rows)


def told(found) -> list[tuple]:
    """What a search says, without the seconds that it took."""
    assert found.broke is None
    return [(each.settings, each.verdict, each.effect, each.interval, each.n, each.why) for each in found.trials]


# --- values that the code does not show -----------------------------------------------------------------------------------


def of_a_closure(value):
    def body(harness):
        return Evidence(table(harness, value if harness.setting("k", 1.0) > 5 else 2.0))

    return body


def of_a_default(value):
    def body(harness, *, above=value):
        return Evidence(table(harness, above if harness.setting("k", 1.0) > 5 else 2.0))

    return partial_body(body)


def partial_body(body):
    def outer(harness):
        return body(harness)

    return outer


def of_a_global(value):
    global GLOBAL
    GLOBAL = value

    def body(harness):
        return Evidence(table(harness, GLOBAL if harness.setting("k", 1.0) > 5 else 2.0))

    return body


def of_a_table(value):
    read = pd.DataFrame({"above": [value]})

    def body(harness):
        return Evidence(table(harness, float(read["above"][0]) if harness.setting("k", 1.0) > 5 else 2.0))

    return body


def of_the_environment(value):
    os.environ["ABOVE_FIVE"] = str(value)

    def body(harness):
        return Evidence(table(harness, float(os.environ["ABOVE_FIVE"]) if harness.setting("k", 1.0) > 5 else 2.0))

    return body


def of_a_function_in_a_closure(value):
    effect = {0.0: lambda k: 0.0 if k > 5 else 2.0, 1.0: lambda k: 1.0 if k > 5 else 2.0}.get(value, lambda k: 2.0)

    def body(harness):
        return Evidence(table(harness, effect(harness.setting("k", 1.0))))

    return body


def of_a_hidden_file(value):
    """Which nobody can see: the name of the file is computed."""
    path = Path(os.environ["HIDDEN_FOLDER"]) / "above"
    path.write_text(str(value))

    def body(harness):
        there = Path(os.environ["HIDDEN" + "_" + "FOLDER"]) / "ab".__add__("ove")
        return Evidence(table(harness, float(there.read_text()) if harness.setting("k", 1.0) > 5 else 2.0))

    return body


def of_a_hidden_edge(value):
    """Which turns the verdict elsewhere, and all verdicts are given in both."""
    path = Path(os.environ["HIDDEN_FOLDER"]) / "edge"
    path.write_text(str(5 + value))

    def body(harness):
        edge = float((Path(os.environ["HIDDEN" + "_" + "FOLDER"]) / "ed".__add__("ge")).read_text())
        return Evidence(table(harness, 0.0 if harness.setting("k", 1.0) > edge else 2.0))

    return body


KINDS = [
    of_a_closure, of_a_default, of_a_global, of_a_table, of_the_environment, of_a_function_in_a_closure, of_a_hidden_file,
    of_a_hidden_edge,
]  # fmt: skip


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What a search in an empty store says of a value, by where the effect turns; made once, for all ways to hide the value."""
    known: dict[tuple[bool, float], list[tuple]] = {}

    def said(kind, value):
        key = kind is of_a_hidden_edge, value
        if key not in known:
            known[key] = told(search(declared(kind(value)), examples=6, store=tmp_path_factory.mktemp("alone")))
        return known[key]

    return said


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_says_what_one_in_an_empty_store_says_whatever_has_changed(tmp_path, monkeypatch, kind, alone):
    monkeypatch.setenv("HIDDEN_FOLDER", str(tmp_path))
    monkeypatch.setenv("ABOVE_FIVE", "2.0")
    values = [0.0, *random.Random(kind.__name__).sample([0.0, 1.0, 2.0], 3)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StaleNotes)
        for value in values:
            expected = alone(kind, value)
            assert told(search(declared(kind(value)), examples=6, store=tmp_path / "store")) == expected


def test_what_nobody_can_see_is_said_and_all_notes_go(tmp_path, monkeypatch):
    monkeypatch.setenv("HIDDEN_FOLDER", str(tmp_path))
    search(declared(of_a_hidden_file(0.0)), examples=6, store=tmp_path / "store")
    before = {path: path.read_text() for path in (tmp_path / "store" / "searches").rglob("*.json")}
    with pytest.warns(StaleNotes, match="what the body depends on has changed in a way that its code does not show"):
        search(declared(of_a_hidden_file(2.0)), examples=6, store=tmp_path / "store")
    after = [json.loads(path.read_text())["verdict"] for path in (tmp_path / "store" / "searches").rglob("*.json")]
    assert before
    assert set(after) == {"supported"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search(declared(of_a_hidden_file(2.0)), examples=6, store=tmp_path / "store")


def test_where_warnings_are_errors_the_search_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("HIDDEN_FOLDER", str(tmp_path))
    search(declared(of_a_hidden_file(0.0)), examples=6, store=tmp_path / "store")
    with warnings.catch_warnings():
        warnings.simplefilter("error", StaleNotes)
        found = search(declared(of_a_hidden_file(2.0)), examples=6, store=tmp_path / "store")
    assert {each.verdict for each in found.trials} == {"supported"}


@pytest.mark.parametrize("kind", KINDS)
def test_notes_are_used_where_nothing_has_changed(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("HIDDEN_FOLDER", str(tmp_path))
    monkeypatch.setenv("ABOVE_FIVE", "0.0")
    monkeypatch.setattr("harness.running.checking.CHECKING", 0.0)
    monkeypatch.setattr("harness.running.checking.SHARE", 0.0)
    search(declared(kind(0.0)), examples=8, store=tmp_path / "store")
    folders = list((tmp_path / "store" / "searches").iterdir())
    judged = []
    original = Notes.read
    monkeypatch.setattr(Notes, "read", lambda self, settings: judged.append(original(self, settings)) or judged[-1])
    search(declared(kind(0.0)), examples=8, store=tmp_path / "store")
    assert list((tmp_path / "store" / "searches").iterdir()) == folders
    assert sum(each is not None for each in judged) >= 8


# --- what is captured -----------------------------------------------------------------------------------------------------


def made(value):
    def body():
        return value

    return body


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3) | st.tuples(inner),
    max_leaves=6,
)


@given(PLAIN, PLAIN)
def test_what_is_captured_has_one_name_and_other_values_have_another(one, other):
    assert captured(made(one)) == captured(made(one))
    assert (captured(made(one)) == captured(made(other))) == (repr(one) == repr(other))


@given(st.lists(st.floats(allow_nan=False, width=32), min_size=1, max_size=4), st.integers(0, 3))
def test_arrays_and_tables_are_told_by_their_values(values, place):
    changed = list(values)
    changed[place % len(values)] += 1.0
    alike = np.array_equal(np.array(values), np.array(changed))
    for kind in (np.array, pd.Series, lambda each: pd.DataFrame({"x": each})):
        assert (captured(made(kind(values))) == captured(made(kind(changed)))) == alike


def test_what_cannot_be_described_is_refused():
    with pytest.raises(CodeError, match="cannot be described"):
        captured(made(threading.Lock()))


def test_a_function_that_captures_nothing_has_no_name():
    assert captured(partial_body) == captured(agree) == ""


# --- what is kept ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("stops", [1, 4, 7])
def test_what_was_judged_before_an_interruption_is_kept(tmp_path, asks, stops):
    """Of a body that computes itself, whatever it asks the store for: settings are judged, and noted, one by one."""

    def body(harness):
        k = harness.setting("k", 1.0)
        if k != 1.0:
            Seen.settings.add(k)
        if len(Seen.settings) > stops:
            raise KeyboardInterrupt
        return Evidence(table(harness, 0.0 if k > 6 else 2.0, asks=asks))

    Seen.settings.clear()
    with pytest.raises(KeyboardInterrupt):
        search(declared(body), examples=16, store=tmp_path)
    assert len(list((tmp_path / "searches").rglob("*.json"))) == stops


class Seen:
    """Settings that a body was called in."""

    settings: ClassVar[set[float]] = set()


def trial(**more) -> Trial:
    return Trial({"k": 1.0}, "supported", "", 1.0, (0.5, 1.5), 8, 0.1, **more)


NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=32)


@given(NUMBERS, st.tuples(NUMBERS, NUMBERS), st.integers(0, 100), st.sampled_from(["supported", "refuted"]))
def test_trials_agree_with_themselves_and_with_no_other(effect, interval, n, verdict):
    one = replace(trial(), effect=effect, interval=interval, n=n, verdict=verdict)
    assert agree(one, one)
    assert agree(one, replace(one, seconds=9.0, why="edge"))
    assert not agree(one, replace(one, n=n + 1))
    assert not agree(one, replace(one, verdict="inconclusive"))
    assert not agree(one, replace(one, effect=None))
    if np.isfinite(effect):
        assert not agree(one, replace(one, effect=effect + 0.001 * max(abs(effect), 1.0)))


class Held:
    """Of which nothing but what it holds tells one from another."""

    def __init__(self, value):
        self.value = value


class Kind(enum.Enum):
    ONE = 1
    OTHER = 2


ODD = [
    1, 1.5, True, "1", None, (1, 2), [3], {"a": 1}, math.nan, math.inf, -math.inf, np.float64(2.5), np.array([1.0]),
    np.array([2.0]), Held(1), Held(2), Kind.ONE, Kind.OTHER, Held, Kind, partial(min, 1), partial(min, 2), lambda k: k,
    lambda k: k + 1,
    *(made(value) for value in (1, 2)), threading.Lock(),
]  # fmt: skip


def noting(folder: Path) -> Notes:
    """Notes of a search that capture nothing."""
    harness = open_harness(folder, scale="reduced")
    body = of_a_closure(1.0)
    return Notes(harness, declared(body).__claim__, body, replace(trial(), settings={}), {"digest": "d", "code": "c"}, None)


def test_no_value_of_a_setting_has_the_note_of_another(tmp_path):
    notes = noting(tmp_path)
    for at, value in enumerate(ODD):
        notes.write(replace(trial(), settings={"k": value}, effect=float(at)))
    read = [notes.read({"k": value}) for value in ODD]
    assert [None if each is None else each.effect for each in read] == [*map(float, range(len(ODD) - 1)), None]


@given(st.dictionaries(st.sampled_from("abc"), PLAIN, min_size=1))
def test_plain_settings_can_be_read_from_their_notes(tmp_path_factory, settings):
    assume("inf" not in repr(settings))  # which is no literal
    notes = noting(tmp_path_factory.mktemp("notes"))
    notes.write(replace(trial(), settings=settings))
    notes.write_late({"k": 1.0}, 1.0, "late")
    (read,) = notes.all()
    assert repr(read.settings) == repr(settings)
    assert agree(read, trial())
