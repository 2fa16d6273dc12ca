"""Designs: the same before anything has run and in a run, as far as fixtures can be seen without measured values."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from papers import Project

from harness import cli
from harness.plugin.design import instruments
from harness.plugin.drawing import Drawing, Undrawn, Unknown, stand_ins

CLAIMS = """
from harness.data import DataShortfall, Mnist, ToyImages, raw_mnist
from harness.measure.falsify import falsify
from harness.measure.gaps import Accuracy
from harness.recipe import MLP, Recipe

DRAWN = []
BASE = Recipe(ToyImages(train=24), MLP((2,)), epochs=0)

@pytest.fixture(scope="session")
def sizes():
    return {"smoke": 2, "reduced": 3, "full": 4}

@pytest.fixture(scope="session")
def shared(harness, sizes):
    DRAWN.append(1)
    populations = harness.store.populations([BASE], range(sizes[harness.scale]))
    tables = [harness.store.measure([each], Accuracy(points=points)) for each in populations for points in (4, 8)]
    table = pd.concat(tables).merge(pd.DataFrame({"seed": [0, 1, 2]}), on="seed")
    table["share"] = table["accuracy"] / table["accuracy"].max()
    for row in table.itertuples():
        harness.store.measure(populations, Accuracy(points=16))
    if table["accuracy"].max() > 2:
        harness.store.measure(populations, Accuracy(points=99))
    return table

@declare("one")
def test_one(shared):
    return evidence(1.0, settings={"drawn": len(DRAWN)})

@declare("two")
def test_two(harness, shared):
    harness.store.cached("beside", {"n": 5}, lambda: pd.DataFrame({"x": [1.0]}))
    return evidence(1.0, settings={"drawn": len(DRAWN)})

@declare("data")
def test_data(harness):
    try:
        images = raw_mnist()
    except DataShortfall:
        harness.store.cached("none", {}, lambda: pd.DataFrame({"x": [1.0]}))
    else:
        harness.store.cached("images", {"digest": images.digest}, lambda: pd.DataFrame({"x": [1.0]}))
    return evidence(1.0)

@declare("theorem")
def test_theorem(harness):
    import hypothesis.strategies as st
    falsify(lambda value: DRAWN.append(value), st.integers(), examples=5, key="paper/theorem")
    return evidence(1.0)

@declare("skipping")
def test_skipping(harness):
    harness.store.population(BASE, range(2))
    print("a drawing prints nothing")
    pytest.skip("not today")
"""


@pytest.fixture
def designs(project: Project, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(project.path)
    project.claims(CLAIMS)
    project.run("claims", "--claims-store", str(project.path / "kept"))
    return {name: row["design"] for name, row in project.rows().items()}


def points(design: dict) -> list[object]:
    return [one["settings"].get("points") for one in design["instruments"]]


def test_all_is_seen_that_no_measured_value_decides(designs):
    assert [group["seeds"] for group in designs["one"]["populations"]] == [[0, 1, 2]]
    assert points(designs["one"]) == [4, 8, 16]
    assert [one["name"] for one in designs["two"]["instruments"]] == ["accuracy"] * 3 + ["beside"]
    assert designs["two"]["instruments"][-1]["settings"] == {"n": 5}
    assert [group["seeds"] for group in designs["skipping"]["populations"]] == [[0, 1]]


def test_a_fixture_that_claims_share_is_drawn_once(designs, project: Project):
    assert project.rows()["one"]["settings"]["drawn"] == 2  # drawn, and made
    assert project.rows()["two"]["settings"]["drawn"] == 2


def test_a_search_for_counterexamples_is_noted_and_not_made(designs):
    (one,) = designs["theorem"]["instruments"]
    assert one["settings"] == {"examples": 5, "key": "paper/theorem"}


def test_it_is_the_same_in_a_run_and_before_whatever_data_there_are(designs, project: Project, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(project.path))
    project.run("claims", "--claims-store", str(project.path / "other"))
    assert {name: row["design"] for name, row in project.rows().items()} == designs
    assert designs["data"]["instruments"] == []
    project.run("claims", "--claims-until-decided", "--claims-search", "2", "--claims-store", str(project.path / "other"))
    assert {name: row["design"] for name, row in project.rows().items()} == designs
    assert cli.main(["preregister", "--out", "plan.json"]) == 0
    held = json.loads((project.path / "plan.json").read_text(encoding="utf-8"))
    registered = {name.split("/")[1]: claim["design"]["digest"] for name, claim in held["claims"].items()}
    assert registered == {name: design["digest"] for name, design in designs.items()}


KEEPING = """
KEPT = {}

@declare("keeping")
def test_keeping(harness):
    if "table" not in KEPT:
        KEPT["table"] = harness.store.cached("kept", {}, lambda: evidence(1.0).table)
    return Evidence(KEPT["table"])
"""


def test_a_stand_in_that_a_project_kept_is_told_and_never_judged(project: Project, told):
    project.claims(KEEPING)
    result = project.run()
    assert project.rows()["keeping"]["verdict"] == "error"
    assert "returns a stand-in for a measured table" in told(result)


def test_another_scale_is_another_design(designs, project: Project):
    project.run("claims", "--claims-scale", "full", "--claims-store", str(project.path / "kept"))
    assert project.rows()["one"]["design"]["populations"][0]["seeds"] == [0, 1, 2, 3]


@pytest.mark.parametrize("size", [1, 8, 64])
def test_the_last_digit_that_a_machine_computes_is_no_part_of_a_design(size: int):
    rng = np.random.default_rng(size)
    values = rng.normal(size=size) * (rng.random(size) < 0.8)
    noise = values * (1 + 1e-15) + 1e-17 * rng.normal(size=size)
    noise = noise if size > 1 else values * (1 + 1e-15)
    one, other, third = (next(instruments([("curve", {"direction": tuple(row)}, 0)])) for row in (values, noise, values + 1e-3))
    assert one == other != third


OPERATIONS = [
    lambda u: u.groupby("a")["b"].mean(), lambda u: u + 1, lambda u: 2 - u, lambda u: -u, lambda u: u > 3, lambda u: u == 3,
    lambda u: u[["a", "b"]], lambda u: u.loc[u["a"] == 1, "b"], lambda u: np.isfinite(u), lambda u: np.log10(u),
    lambda u: np.mean(u), lambda u: pd.concat([u, u]), lambda u: pd.concat({"a": u}),
    lambda u: pd.DataFrame({"a": [1]}).merge(u), lambda u: u.merge(pd.DataFrame({"a": [1]})), lambda u: ~u & u | u,
    lambda u: round(u), lambda u: next(iter(u)),
    lambda u: np.array([1.0]) * u, lambda u: u.merge(u), lambda u: abs(u) ** 2 % 3 // 4 @ u,
]  # fmt: skip


@pytest.mark.parametrize("operate", OPERATIONS)
def test_what_is_made_of_an_unknown_is_unknown(operate):
    with stand_ins(Drawing()):
        assert isinstance(operate(Unknown()), Unknown)


@pytest.mark.parametrize("decide", [bool, int, hash, lambda u: [1][u], lambda u: 1 in u, lambda u: not u])
def test_what_an_unknown_decides_ends_the_drawing(decide):
    with pytest.raises(Undrawn):
        decide(Unknown())


def test_an_unknown_in_words_is_one():
    assert f"{Unknown():.0%} {Unknown()}" == "unknown unknown"
    assert np.isnan(float(Unknown()))
    table = pd.DataFrame({"a": [1]})
    with stand_ins(Drawing()):
        assert len(pd.concat([table, table]).merge(table, on="a")) == 2  # what is known is what it was


ASKED = """
from harness.data import ToyImages
from harness.recipe import MLP, Recipe

BASE = Recipe(ToyImages(train=24), MLP((2,)), epochs=0)

@pytest.fixture(scope="session")
def members(harness, sizes):
    return harness.store.population(BASE, range(sizes))

@pytest.fixture(scope="session")
def sizes():
    return 2

@pytest.fixture(scope="session")
def beside():
    return 3

@pytest.fixture(scope="session")
def through(request):
    return {through}

@declare("one")
def test_one({argument}):
    return evidence(1.0, settings={{"members": len({value})}})
"""
WAYS_TO_ASK = {
    "an argument": ("members", "members", "None"),
    "in the body": ("request", "request.getfixturevalue('members')", "None"),
    "by keyword": ("request", "request.getfixturevalue(argname='members')", "None"),
    "in a fixture": ("through", "through", "request.getfixturevalue('members')"),
    "in both": ("request", "request.getfixturevalue('through')", "request.getfixturevalue('members')"),
}


def asked(project: Project, way: str, old: str = "", new: str = "") -> dict:
    argument, value, through = WAYS_TO_ASK[way]
    text = ASKED.format(argument=argument, value=value, through=through)
    assert old in text
    project.claims(text.replace(old, new) if old else text)
    project.run("claims", "--claims-store", str(project.path / "kept"))
    return project.rows()["one"]["design"]


@pytest.mark.parametrize("way", WAYS_TO_ASK)
def test_a_fixture_that_is_asked_for_by_name_is_part_of_the_design(project: Project, monkeypatch, way: str):
    monkeypatch.chdir(project.path)
    first = asked(project, way)
    assert [group["seeds"] for group in first["populations"]] == [[0, 1]]
    more = asked(project, way, "return 2", "return 4 - 1")
    assert [group["seeds"] for group in more["populations"]] == [[0, 1, 2]]
    assert more["code"] != first["code"]
    assert asked(project, way, "return 3", "return 4") == first


def test_where_the_name_of_a_fixture_is_computed_all_that_are_seen_count(project: Project, monkeypatch):
    monkeypatch.chdir(project.path)
    monkeypatch.setitem(WAYS_TO_ASK, "computed", ("request", "request.getfixturevalue('mem' + 'bers')", "None"))
    changes = ((), ("return 2", "return 1 + 1"), ("return 3", "return 4"))
    codes = [asked(project, "computed", *change)["code"] for change in changes]
    assert len(set(codes)) == 3


def test_fixtures_that_ask_for_each_other_end(project: Project, monkeypatch):
    monkeypatch.chdir(project.path)
    ring = ("request", "request.getfixturevalue('members')", "request.getfixturevalue('through')")
    monkeypatch.setitem(WAYS_TO_ASK, "a ring", ring)
    assert [group["seeds"] for group in asked(project, "a ring")["populations"]] == [[0, 1]]
