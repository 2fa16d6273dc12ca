"""Designs: the same before anything has run and in a run, as far as fixtures can be seen without measured values."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from papers import Project

from harness import cli
from harness.running.asking import instruments
from harness.running.drawing import Drawing, Undrawn, Unknown, stand_ins

CLAIMS = """
from harness.data import DataShortfall, Mnist, ToyImages, raw_mnist
from harness.measure.falsify import falsify
from harness.measure.gaps import Accuracy
from harness.recipe import MLP, Recipe

DRAWN = []
BASE = Recipe(ToyImages(train=24), MLP((2,)), epochs=0)

SIZES = {"smoke": 2, "reduced": 3, "full": 4}

@study
def shared(harness):
    DRAWN.append(1)
    populations = harness.store.populations([BASE], range(SIZES[harness.scale]))
    tables = [harness.store.measure([each], Accuracy(points=points)) for each in populations for points in (4, 8)]
    table = pd.concat(tables).merge(pd.DataFrame({"seed": [0, 1, 2]}), on="seed")
    table["share"] = table["accuracy"] / table["accuracy"].max()
    for row in table.itertuples():
        harness.store.measure(populations, Accuracy(points=16))
    if table["accuracy"].max() > 2:
        harness.store.measure(populations, Accuracy(points=99))
    return table

@declare("one")
def test_one(harness):
    shared(harness)
    return evidence(1.0, settings={"drawn": len(DRAWN)})

@declare("two")
def test_two(harness):
    shared(harness)
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


def test_a_study_that_claims_share_is_drawn_once(designs, project: Project):
    assert project.rows()["one"]["settings"]["drawn"] == 2  # drawn, and made
    assert project.rows()["two"]["settings"]["drawn"] == 2  # by the one before


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


GIVEN = """
from harness.data import ToyImages
from harness.recipe import MLP, Recipe

BASE = Recipe(ToyImages(train=24), MLP((2,)), epochs=0)
SIZE = 2

@study
def members(harness, factor=1):
    return harness.store.population(BASE, range(factor * SIZE))

@pytest.fixture
def networks(harness, beside):
    return members(harness)

@pytest.fixture(scope="session")
def beside():
    return 3

@pytest.fixture
def apart():
    return 3

@declare("one")
def test_one({arguments}):
    return evidence(1.0, settings={{"members": len({value})}})
"""
WAYS = {
    "in the body": ("harness", "members(harness)"),
    "with an argument": ("harness", "members(harness, factor=1)"),
    "by an adapter": ("networks", "networks"),
    "by an adapter, asked for by name": ("networks, request", "networks"),
}


def given(project: Project, way: str, old: str = "", new: str = "") -> dict:
    text = GIVEN.format(arguments=WAYS[way][0], value=WAYS[way][1])
    assert old in text
    project.claims(text.replace(old, new) if old else text)
    project.run("claims", "--claims-store", str(project.path / "kept"))
    row = project.rows()["one"]
    assert row["verdict"] == "supported", row["reason"]
    assert row["settings"]["members"] == row["design"]["populations"][0]["seeds"][-1] + 1
    return row["design"]


@pytest.mark.parametrize("way", WAYS)
def test_a_study_is_part_of_the_design_however_the_body_comes_by_it(project: Project, monkeypatch, way: str):
    monkeypatch.chdir(project.path)
    first = given(project, way)
    assert [group["seeds"] for group in first["populations"]] == [[0, 1]]
    more = given(project, way, "SIZE = 2", "SIZE = 4 - 1")
    assert [group["seeds"] for group in more["populations"]] == [[0, 1, 2]]
    assert more["code"] != first["code"]
    assert (given(project, way, "return 3", "return 1 + 2")["code"] != first["code"]) == ("adapter" in way)


def test_of_fixtures_of_one_name_each_counts(project: Project, monkeypatch):
    monkeypatch.chdir(project.path)
    other = "import pytest\n\n@pytest.fixture\ndef networks():\n    return {value}\n"
    codes = []
    project.claims(GIVEN.format(arguments="networks", value="networks"))
    for value in (1, 1, 20):  # of another length: the second may be the same
        project.file("conftest.py", other.format(value=value))
        project.run_apart("claims", "--claims-store", str(project.path / "kept"))  # a process imports its conftest once
        codes.append(project.rows()["one"]["design"]["code"])
    assert codes[0] == codes[1] != codes[2]


def test_where_the_name_of_a_fixture_is_computed_all_of_them_count(project: Project, monkeypatch):
    monkeypatch.chdir(project.path)
    monkeypatch.setitem(WAYS, "computed", ("request, harness", "[request.getfixturevalue('bes' + 'ide')] * SIZE"))
    codes = []
    for old, new in (("", ""), ("return 3", "return 1 + 2")):
        text = GIVEN.format(arguments=WAYS["computed"][0], value=WAYS["computed"][1])
        project.claims(text.replace(old, new) if old else text)
        project.run("claims", "--claims-store", str(project.path / "kept"))
        codes.append(project.rows()["one"]["design"]["code"])
    assert codes[0] != codes[1]


APART = """
from harness.data import ToyImages
from harness.recipe import MLP, Recipe

def members(harness, noise):
    recipe = Recipe(ToyImages(train=24, noise=harness.setting("noise", noise)), MLP((2,)), epochs=0)
    return harness.store.population(recipe, range(2))

@study
def quiet(harness):
    return members(harness, 0.5)

@study
def loud(harness):
    return members(harness, 2.0)

@declare("quiet")
def test_quiet(harness):
    return evidence(1.0, settings={"members": len(quiet(harness))})

@declare("loud")
def test_loud(harness):
    return evidence(1.0, settings={"members": len(loud(harness))})
"""


def test_claims_may_give_a_setting_defaults_of_their_own(project: Project, monkeypatch):
    monkeypatch.chdir(project.path)
    project.claims(APART)
    project.run("claims", "--claims-store", str(project.path / "kept"))
    rows = project.rows()
    assert {row["verdict"] for row in rows.values()} == {"supported"}
    assert [[group["seeds"] for group in row["design"]["populations"]] for row in rows.values()] == [[[0, 1]], [[0, 1]]]


IN_CLASSES = """
from harness.data import ToyImages
from harness.recipe import MLP, Recipe

SIZE = 2

class Common:
    WIDTH = 2
    def helper(self, harness):
        return harness.store.population(Recipe(ToyImages(train=24), MLP((self.WIDTH,)), epochs=0), range(SIZE + 0))

class TestIt(Common):
    @declare("one")
    def test_one(self, harness):
        return evidence(1.0, settings={"members": len(self.helper(harness))})

def setup_module():
    pass

@pytest.fixture(autouse=True)
def around():
    yield 1
"""
EDITS = [("WIDTH = 2", "WIDTH = 3"), ("SIZE + 0", "SIZE + 1"), ("SIZE = 2", "SIZE = 4"), ("    pass", "    print(SIZE)"),
         ("yield 1", "yield 2")]  # fmt: skip


@pytest.mark.parametrize("edit", EDITS, ids=[old.strip() for old, _ in EDITS])
def test_what_stands_around_a_claim_counts_as_its_code(project: Project, monkeypatch, edit: tuple[str, str]):
    monkeypatch.chdir(project.path)
    codes = []
    for source in (IN_CLASSES, IN_CLASSES.replace(*edit)):
        project.claims(source)
        project.run("claims", "--claims-store", str(project.path / "kept"))
        codes.append(project.rows()["one"]["design"]["code"])
    assert codes[0] != codes[1]


def test_a_parametrised_claim_is_refused(project: Project, told):
    project.claims("""
@pytest.mark.parametrize("difference", [1.0])
@declare("varied")
def test_varied(difference):
    return evidence(difference)
""")
    result = project.run()
    assert project.rows()["varied"]["verdict"] == "error"
    assert "is parametrised, so that its declaration does not say what it is" in told(result)
