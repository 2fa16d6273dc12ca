"""Which engine measured is a fact of the row: what is asked for on the command line runs wherever a claim names none."""

from __future__ import annotations

import csv
import re
import subprocess

import pytest
from papers import SUPPORTED, Project

LLC = """
from harness.data import ToyImages
from harness.recipe import MLP, Recipe

@study
def networks(harness):
    return harness.store.population(Recipe(ToyImages(train=24), MLP((2,)), epochs=0), range(2))

@study
def coefficients(harness):
    from harness.measure.llc.estimate import LLC, LLCSpec
    return harness.store.measure([networks(harness)], LLC(LLCSpec(sampler="sgld", chains=2, burn_in=1, draws=2), points=8))

@declare("first")
def test_first(harness):
    coefficients(harness)
    return evidence(1.0)

@declare("second")
def test_second(harness):
    coefficients(harness)
    return evidence(1.0)

@declare("named")
def test_named(harness):
    from harness.measure.gaps import Accuracy
    from harness.measure.llc.estimate import LLC, LLCSpec
    spec = LLCSpec(sampler="sgld", chains=2, burn_in=1, draws=2)
    harness.store.measure([networks(harness)], LLC(spec, points=8, engine="stacked"))
    harness.store.measure([networks(harness)], Accuracy())
    return evidence(1.0)

@declare("nothing")
def test_nothing():
    return evidence(1.0)
"""
DIVERGING = """
@declare("diverging", gates=(Gate("the sampler gave a number", "finite", at_least=1),))
def test_diverging(harness):
    import numpy as np
    from harness.measure.llc.estimate import LLC, LLCSpec
    spec = LLCSpec(sampler="sgld", step_size=1e6, chains=2, burn_in=60, draws=2)
    table = harness.store.measure([networks(harness)], LLC(spec, points=8))
    assert set(table["distrust"]) == {"a chain diverged: its loss is not finite"}
    given = evidence(1.0)
    return Evidence(given.table.assign(finite=bool(np.isfinite(table["llc"]).all())))
"""


def engines(project: Project) -> dict[str, list[tuple[str, str | None]]]:
    return {name: [(one["name"], one["engine"]) for one in row["instruments"]] for name, row in project.rows().items()}


@pytest.mark.parametrize("engine", ["stacked", "devinterp"])
def test_the_row_says_what_ran_also_for_claims_that_share_a_fixture(project: Project, engine: str):
    project.claims(LLC)
    assert project.run("claims", "--claims-llc-engine", engine).ret == 0
    shared = [("LLC", engine)]
    assert engines(project) == {
        "first": shared,
        "second": shared,
        "named": [("LLC", "stacked"), ("accuracy", None)],
        "nothing": [],
    }
    with (project.path / "reports" / "claims.csv").open(encoding="utf-8") as file:
        flat = {row["id"]: row["instruments"] for row in csv.DictReader(file)}
    assert re.fullmatch(rf"LLC \(engine {engine}; \d of 2 estimates trusted\)", flat["paper/first"])
    assert re.fullmatch(r"LLC \(engine stacked; \d of 2 estimates trusted\), accuracy", flat["paper/named"])
    assert flat["paper/first"] in (project.path / "reports" / "claims.html").read_text(encoding="utf-8")
    assert project.run("claims", "--claims-llc-engine", engine).ret == 0  # from the store
    assert engines(project)["second"] == shared


def test_the_engine_of_a_run_is_no_part_of_a_design(project: Project):
    project.claims(LLC)
    designs = []
    for engine in ("stacked", "devinterp"):
        project.run("claims", "--claims-llc-engine", engine)
        designs.append({name: row["design"] for name, row in project.rows().items()})
    assert designs[0] == designs[1]
    asked = {name: [one["settings"].get("engine") for one in design["instruments"]] for name, design in designs[0].items()}
    assert asked == {"first": [None], "second": [None], "named": ["stacked", None], "nothing": []}


def test_a_chain_that_diverges_is_the_same_invalid_under_both_engines(project: Project):
    project.claims(LLC, DIVERGING)
    said = []
    for engine in ("stacked", "devinterp"):
        project.run("claims", "--claims-llc-engine", engine, "--claims-only", "paper/diverging")
        row = project.rows()["diverging"]
        said.append((row["verdict"], row["reason"]))
    assert said[0] == said[1]
    assert said[0][0] == "invalid"


def test_a_run_reports_the_commit_and_the_code_that_it_started_from(project: Project):
    """What is edited and committed while a run goes on is not what ran."""

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=n", "-c", "user.email=e", *arguments]
        return subprocess.run(command, cwd=project.path, capture_output=True, text=True, check=True).stdout.strip()

    editing = """
@declare("editing")
def test_editing():
    import pathlib, subprocess
    path = pathlib.Path("claims/test_zz.py")
    path.write_text(path.read_text(encoding="utf-8") + "LATER = 1\\n", encoding="utf-8")
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", "commit", "-qam", "later"], check=True)
    return evidence(1.0)
"""
    project.claims(SUPPORTED)
    project.claims(editing, name="test_zz")
    project.file(".gitignore", "*\n!/claims/\n!/claims/*.py\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    before = git("rev-parse", "HEAD")
    assert project.run().ret == 0
    told = project.report()["provenance"]
    assert git("rev-parse", "HEAD") != before
    assert (told["commit"], told["dirty"]) == (before, False)
    project.run("claims", "--claims-only", "paper/higher")
    assert project.report()["provenance"]["code"] != told["code"]
