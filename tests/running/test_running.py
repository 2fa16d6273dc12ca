"""A claim judged from Python is the claim that pytest judges."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import strategies as st

from harness import (
    MLP,
    ClaimError,
    Evidence,
    Figure,
    Harness,
    PairedDifference,
    Recipe,
    Source,
    Store,
    Threat,
    ToyImages,
    claim,
    run,
    search,
    study,
)  # fmt: skip
from harness.data import DataShortfall

PAPER = Source("paper", "A paper <b>", year=2024)
BASE = Recipe(ToyImages(train=24), MLP((2,)), epochs=1)
LOWER = PairedDifference("length", "regime", "robust", "standard", "seed", margin=0.01, margin_reason="a little")


def declared(name: str, **more: object):
    terms = {"statement": "It is longer.", "source": PAPER.at("Intro", "it is"), "prediction": LOWER}
    return claim(f"paper/{name}", **(terms | more))


@study
def lengths(harness: Harness) -> pd.DataFrame:
    """Lengths of the weights of networks that a setting moves apart."""
    populations = harness.store.populations([BASE, BASE.robust(Threat("linf", 2.0))], range(8))
    shift = harness.setting("shift", 0.0)
    rows = [
        {"regime": each.recipe.regime.name, "seed": seed, "length": float(length)}
        for each in populations for seed, length in zip(each.seeds, each.final.norm(dim=1), strict=True)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    return table.assign(length=table["length"] + shift * (table["regime"] == "robust"))


@declared("longer")
def longer(harness: Harness) -> Evidence:
    """As trained."""
    return Evidence(lengths(harness), settings={"scale": harness.scale})


@declared("given")
def given() -> Evidence:
    """Without networks."""
    rows = [{"regime": regime, "seed": seed, "length": (regime == "robust") + 0.01 * (seed % 4)}
            for regime in ("standard", "robust") for seed in range(8)]  # fmt: skip
    return Evidence(pd.DataFrame(rows))


@declared("without-data")
def without_data(harness: Harness) -> Evidence:
    """Of images that nobody has."""
    raise DataShortfall("no images; set HARNESS_DATA")


OURS = """
import sys
sys.path.insert(0, {folder!r})
from test_running import {name}

test_it = {name}
"""


@pytest.mark.parametrize("name", ["longer", "given", "without_data"])
@pytest.mark.parametrize("options", [{}, {"until_decided": 3}])
def test_the_row_is_the_one_that_pytest_writes(tmp_path: Path, name: str, options: dict[str, int]):
    store, project = tmp_path / "store", tmp_path / "project"
    (project / "claims").mkdir(parents=True)
    (project / "pytest.ini").write_text("[pytest]\nclaims_folders = claims\n", encoding="utf-8")
    source = OURS.format(folder=str(Path(__file__).parent), name=name)
    (project / "claims" / "test_it.py").write_text(source, encoding="utf-8")
    asked = ("--claims-until-decided", "--claims-most-blocks", "3") if options else ()
    command = [sys.executable, "-m", "pytest", "claims", "--claims-store", str(store), *asked]
    subprocess.run(command, cwd=project, check=False, capture_output=True)
    (theirs,) = json.loads((project / "reports" / "claims.json").read_text(encoding="utf-8"))["rows"]
    ours = run(globals()[name], store=store, **options).row
    ours = json.loads(json.dumps(ours))
    for each in (ours, theirs):
        for alone in (
            "seconds",
            "cached",
            "design",
            "place",
            "expected",
            "changes",
        ):  # of the claim's own project
            del each[alone]
    assert ours == theirs


def test_a_result_shows_itself_in_words_and_as_its_card(tmp_path: Path):
    result = run(longer, scale="smoke", store=Store(tmp_path))
    assert repr(result).startswith("paper/longer is inconclusive at scale smoke: ")
    assert result.verdict.outcome.value == result.row["verdict"] == "inconclusive"
    assert len(result.evidence.table) == 16
    (page,) = re.findall(r'srcdoc="([^"]*)"', result._repr_html_())
    assert html.unescape(page) == result.page
    assert "A paper &lt;b&gt;" in result.page
    assert result.run["scale"] == "smoke"


@pytest.mark.parametrize("drawn", [
    {"x": "row", "facet": "row"}, {"x": "row", "hue": "row"}, {"x": "row", "repeated": 200},
])  # fmt: skip
def test_more_than_can_be_drawn_costs_the_picture_and_no_verdict(tmp_path: Path, drawn: dict):
    """As at a larger scale, where there are more architectures and more rows."""
    given_table = given().table
    table = pd.concat([given_table.assign(row=row) for row in range(drawn.pop("repeated", 30))], ignore_index=True)
    figure = Figure("strip", table, y="length", title="All of it", x_label="row", y_label="length", **drawn)

    @declared("much")
    def much() -> Evidence:
        return Evidence(given_table, figure=figure)

    plain, result = run(given, store=tmp_path), run(much, store=tmp_path)
    assert result.row["figure"] is None
    assert result.row["verdict"] == plain.row["verdict"] != "error"
    assert [note for note in result.row["notes"] if note.startswith("Nothing is drawn: the figure")]


def test_a_search_is_asked_for_in_the_same_way(tmp_path: Path):
    @declared("scoped", scope={"shift": st.sampled_from([-9.0, 9.0])})
    def scoped(harness: Harness) -> Evidence:
        return Evidence(lengths(harness))

    found = run(scoped, store=tmp_path, search=6).row["search"]
    assert found["confirmed"] is True


def body():
    return declared("refused")(lambda harness, tmp_path: None)


@pytest.mark.parametrize(("claim", "options", "said"), [
    (lambda harness: None, {}, "is not declared as a claim"),
    (body(), {}, "takes tmp_path, which pytest would have to make"),
    (claim("paper/odd")(lambda: None), {}, "missing"),
    (longer, {"scale": "large"}, "scale='large'; allowed are smoke, reduced, full"),
    (longer, {"until_decided": 1}, "2 blocks or more"),
    (longer, {"search": -1}, "number of settings"),
    (declared("bare")(lambda: given().table), {}, "has to return Evidence"),
])  # fmt: skip
def test_what_cannot_be_run_says_why(tmp_path: Path, claim, options, said: str):
    with pytest.raises(ClaimError, match=re.escape(said)):
        run(claim, store=tmp_path, **options)


SCOPE = {"shift": st.floats(0, 1)}


@pytest.mark.parametrize(("claim", "options", "said"), [
    (longer, {}, "has no scope; declare one"),
    (declared("scoped", scope=SCOPE)(lambda harness: Evidence(lengths(harness))), {"examples": 0}, "a search tries 1 setting"),
    (declared("alone", scope=SCOPE)(lambda: given()), {}, "its body takes no harness"),
    (declared("short", scope=SCOPE)(lambda harness: Evidence({}, shortfall="No data here.")), {}, "No data here."),
])  # fmt: skip
def test_what_cannot_be_searched_says_why(tmp_path: Path, claim, options, said: str):
    with pytest.raises(ClaimError, match=re.escape(said)):
        search(claim, store=tmp_path, **options)


def test_the_store_is_the_one_that_pytest_would_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.delenv("HARNESS_STORE", raising=False)
    run(longer, scale="smoke")
    assert (tmp_path / ".harness" / "members").is_dir()
    monkeypatch.setenv("HARNESS_STORE", "elsewhere")
    run(longer, scale="smoke")
    assert (tmp_path / "notebooks" / "elsewhere" / "members").is_dir()


def test_of_an_instrument_that_was_asked_several_times_all_estimates_are_counted():
    from harness.running.run import instruments_of
    from harness.store.store import Measured

    asked = [Measured("LLC", {"scope": "all"}, (3, 4)), Measured("accuracy", {}), Measured("LLC", {"scope": "all"}, (1, 4)),
             Measured("LLC", {"scope": "first"}, (0, 4))]  # fmt: skip
    found = {(one["name"], one["settings"].get("scope")): one["trusted"] for one in instruments_of(iter(asked))}
    assert found == {
        ("LLC", "all"): {"count": 4, "of": 8}, ("accuracy", None): None, ("LLC", "first"): {"count": 0, "of": 4},
    }  # fmt: skip
