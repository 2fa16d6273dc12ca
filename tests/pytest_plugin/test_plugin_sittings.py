"""Searches of all claims in several sittings into one report."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from papers import Project

from harness import cli

CLAIM = """
from hypothesis import strategies as st

@study
def {name}_table(harness):
    noise, shift = harness.setting("noise", 1.0), harness.setting("shift", 0)
    with open(os.environ["CALLS"], "a") as calls:
        calls.write(f"{name} {{noise!r}} {{shift!r}}\\n")
    {extra}
    return evidence(1.0 - 0.3 * (noise > 2) * (shift > 5)).table

@declare("{name}", scope={{"noise": st.floats(0.5, 3.0), "shift": st.integers(0, 10)}})
def test_{name}(harness):
    return Evidence({name}_table(harness))
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path_factory, monkeypatch):
    """Where bodies note their calls: a file that code of the project names would be part of its digest."""
    monkeypatch.setenv("CALLS", str(tmp_path_factory.mktemp("elsewhere") / "calls"))


def claims(project: Project, extra: str = "pass", names: tuple[str, ...] = ("first", "second", "third")) -> None:
    project.claims(*(CLAIM.format(name=name, extra=extra.replace("NAME", name)) for name in names))


def tried(project: Project, name: str) -> list[dict]:
    return [trial["settings"] for trial in project.rows()[name]["search"]["trials"]]


def calls(project: Project) -> list[str]:
    """What bodies were called with beside the defaults, in order; and the list is begun anew."""
    path = Path(os.environ["CALLS"])
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [line for line in lines if not line.endswith(" 1.0 0")]


def searches(project: Project) -> dict[str, dict]:
    return {name: row["search"] for name, row in project.rows().items()}


def test_a_second_sitting_searches_nothing_again_and_keeps_all(project: Project):
    claims(project)
    project.run("claims", "--claims-search", "8").assert_outcomes(passed=3)
    first = searches(project)
    assert calls(project)
    project.run("claims", "--claims-search", "8").assert_outcomes(passed=3)
    assert calls(project) == []
    second = searches(project)
    for name, found in second.items():
        assert found.pop("as_of")
        assert found == first[name]
    project.run("claims", "--claims-search", "6").assert_outcomes(passed=3)
    assert calls(project) == []  # as many settings, and more


def test_more_settings_or_the_wish_for_it_search_again(project: Project):
    claims(project, names=("first",))
    project.run("claims", "--claims-search", "8")
    before = tried(project, "first")
    calls(project)
    project.run("claims", "--claims-search", "12")
    assert calls(project)
    assert len(tried(project, "first")) == 12
    assert before[:4] == tried(project, "first")[:4]
    project.run("claims", "--claims-search", "12", "--claims-search-again")
    assert "as_of" not in project.rows()["first"]["search"]


def test_a_scope_of_fewer_settings_is_whole(project: Project):
    claims(project, names=("first",))
    source = next((project.path / "claims").glob("*.py"))
    source.write_text(source.read_text().replace("st.floats(0.5, 3.0)", "st.just(1.0)").replace("(0, 10)", "(0, 2)"))
    project.run("claims", "--claims-search", "8").assert_outcomes(passed=1)
    assert len(tried(project, "first")) == 2
    calls(project)
    project.run("claims", "--claims-search", "8")
    assert calls(project) == []


def test_a_changed_claim_is_searched_again(project: Project):
    claims(project, names=("first",))
    project.run("claims", "--claims-search", "8")
    calls(project)
    source = next((project.path / "claims").glob("*.py"))
    source.write_text(source.read_text().replace("(0, 10)", "(0, 12)"))
    project.run("claims", "--claims-search", "8")
    assert calls(project)
    assert "as_of" not in project.rows()["first"]["search"]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_sittings_that_are_ended_in_the_middle_end_up_with_the_report_of_one(project: Project, end: signal.Signals):
    """The second claim is ended at its fourth setting; the next sitting begins with those that were not searched."""
    claims(project)
    project.run("claims", "--claims-search", "8", "--claims-report", "whole", "--claims-store", "other")
    whole = {row["id"]: row for row in json.loads((project.path / "whole" / "claims.json").read_text())["rows"]}
    calls(project)
    stop = (
        "import pathlib, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "  # ignored in a shell's background
        "pathlib.Path(os.environ['CALLS']).with_suffix('.stop').exists() and "  # a variable would be captured
        "'NAME' == 'second' and (noise, shift) != (1.0, 0) and "
        f"pathlib.Path(os.environ['CALLS']).read_text().count('second') > 5 and os.kill(os.getpid(), signal.{end.name})"
    )
    claims(project, stop)
    stopping = Path(os.environ["CALLS"]).with_suffix(".stop")
    stopping.touch()
    project.run_apart("claims", "--claims-search", "8")
    stopping.unlink()
    rows = project.rows()
    assert rows["first"]["search"]["asked"] == 8
    assert rows["second"]["search"] is None
    calls(project)
    project.run_apart("claims", "--claims-search", "8").assert_outcomes(passed=3)
    order = list(dict.fromkeys(call.split()[0] for call in calls(project)))
    assert order == ["second", "third"]
    for name, row in project.rows().items():
        found = {**row["search"], "as_of": None}
        known = {**whole[f"paper/{name}"]["search"], "as_of": None}
        for one in (found, known):
            one["trials"] = [{**trial, "seconds": 0} for trial in one["trials"]]
            one.update(confirmation=None, inside=None, p=None, p_adjusted=None)
        assert found == known


def test_searches_of_parts_stand_in_the_report_of_both(project: Project):
    """Also where the later run judged a claim that only the earlier one searched."""
    claims(project)
    project.run("claims", "--claims-search", "8", "--claims-only", "paper/first", "--claims-report", "one")
    project.run("claims", "--claims-search", "8", "--claims-only", "paper/second", "--claims-report", "two")
    project.run("claims", "--claims-report", "three")
    runs = [str(project.path / name / "claims.json") for name in ("one", "two", "three")]
    assert cli.main(["report", *runs, "--out", str(project.path / "reports")]) == 0
    found = searches(project)
    assert [len(found[name]["trials"]) for name in ("first", "second")] == [8, 8]
    assert found["first"]["as_of"] < found["second"]["as_of"]
    assert found["third"] is None


# --- what the body reads beside its code ----------------------------------------------------------------------------------

READS = """
import pathlib
from hypothesis import strategies as st

{before}

@declare("one", scope={{"k": st.floats(0, 10)}})
def test_one(harness):
    return evidence(1.0 if harness.setting("k", 1.0) < {threshold} else 0.0)
"""
CONFIG = "__import__('json').loads(pathlib.Path('threshold.json').read_text())['at']"
HIDDEN = {
    "a variable of the environment": ("", "float(os.environ['THR'])"),
    "one that a function reads": ("def threshold():\n    return float(os.getenv('THR'))", "threshold()"),
    "one that a constant was read from": ("LIMIT = float(os.environ['THR'])", "LIMIT"),
    "an attribute of a class": ("class Limits:\n    edge = float(os.environ['THR'])", "Limits.edge"),
    "one of a class with methods": (
        "class Limits:\n    edge = float(os.environ['THR'])\n    def at(self):\n        return self.edge",
        "Limits().at()",
    ),
    "a closure": ("def made(value):\n    return lambda: value\nread = made(float(os.environ['THR']))", "read()"),
    "a default": ("def read(value=float(os.environ['THR'])):\n    return value", "read()"),
    "a file that it names": ("", CONFIG),
}


@pytest.mark.parametrize("how", HIDDEN)
def test_a_search_stands_only_as_long_as_what_the_body_reads_is_the_same(project: Project, how: str, monkeypatch):
    before, threshold = HIDDEN[how]
    project.claims(READS.format(before=before, threshold=threshold))

    def at(value: int) -> None:
        monkeypatch.setenv("THR", str(value))
        (project.path / "threshold.json").write_text(json.dumps({"at": value}))

    def row() -> dict:
        return project.rows()["one"]

    def edge() -> float:
        return min(each["settings"]["k"] for each in row()["search"]["trials"] if each["verdict"] != "supported")

    at(4)
    project.run("claims", "--claims-search", "8")
    assert 4 <= edge() < 7
    project.run("claims")
    assert row()["search"]["as_of"]  # nothing has changed
    at(7)
    project.run("claims")
    assert row()["search"] is None
    assert any("has changed since" in note for note in row()["notes"]) or how == "a file that it names"  # which is code
    at(4)
    project.run("claims", "--claims-search", "8")
    at(7)
    project.run("claims", "--claims-search", "8")
    assert row()["search"].get("as_of") is None
    assert edge() >= 7
