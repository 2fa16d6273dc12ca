"""Open claims judged again on fresh seeds alone, by a plan that was written before."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from papers import SUPPORTED, Project
from test_plugin_growth import CLEAR, SEEDED

from harness import cli
from harness.running.fresh import FIRST, MOST, blocks_of, planned

ENOUGH = SEEDED.replace("size=64", "size=400")
OPEN = """
@declare("open")
def test_open(harness):
    return seeded(table(harness), 0.6)
"""


def command(*arguments: str) -> int:
    """A command as in a process of its own, which imports the claims as they are now."""
    try:
        return cli.main(list(arguments))
    finally:
        for name in [each for each in sys.modules if each.startswith("test_paper")]:
            del sys.modules[name]


@pytest.fixture
def opened(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project in which a run left a claim open, with the plan of its fresh seeds."""
    monkeypatch.chdir(project.path)
    project.claims(ENOUGH, OPEN, CLEAR)
    project.run("claims")
    assert {name: row["verdict"] for name, row in project.rows().items()} == {"open": "inconclusive", "clear": "supported"}
    assert command("fresh", "reports/claims.json", "--out", "fresh.json") == 0
    return project


def plan(project: Project) -> dict[str, Any]:
    return dict(json.loads((project.path / "fresh.json").read_text(encoding="utf-8")))


def test_only_the_open_claim_is_judged_again_and_on_no_seed_that_was_seen(opened: Project):
    held, before = plan(opened), opened.rows()["open"]
    assert set(held["claims"]) == {"paper/open"}
    opened.run("claims", "--claims-fresh", "fresh.json", "--claims-report", "again")
    (row,) = opened.report("again")["rows"]
    blocks = held["claims"]["paper/open"]["blocks"]
    assert (row["id"], row["n"]) == ("paper/open", 8 * blocks)
    assert row["verdict"] == "supported"
    assert (row["margin"], row["alpha"], row["digest"]) == (before["margin"], before["alpha"], before["digest"])
    assert f"fresh ones alone, {blocks} times as many as the claim has" in row["settings"]["seeds"]


def test_the_seeds_are_those_of_later_blocks(opened: Project):
    blocks = plan(opened)["claims"]["paper/open"]["blocks"]
    seen = opened.path / "claims" / "test_paper.py"
    seen.write_text(
        seen.read_text().replace("MADE.append(len(population))", 'open("made.txt", "a").write(f"{population.seeds}\\n")')
    )
    opened.run("claims", "--claims-fresh", "fresh.json", "--claims-report", "again")
    asked = [
        json.loads(line.replace("(", "[").replace(")", "]")) for line in (opened.path / "made.txt").read_text().splitlines()
    ]
    assert asked[-1] == [seed + 8 * block for block in range(FIRST, FIRST + blocks) for seed in range(8)]


def test_a_claim_that_changed_since_or_is_not_planned_is_not_judged(opened: Project):
    opened.run("claims", "--claims-fresh", "fresh.json", "--claims-only", "paper/clear", "--claims-report", "other")
    (row,) = opened.report("other")["rows"]
    assert row["verdict"] == "error"
    assert "plans no fresh seeds of paper/clear" in row["error"]
    path = opened.path / "fresh.json"
    path.write_text(path.read_text().replace(plan(opened)["claims"]["paper/open"]["digest"], "0" * 16))
    opened.run("claims", "--claims-fresh", "fresh.json", "--claims-report", "changed")
    (row,) = opened.report("changed")["rows"]
    assert "paper/open has changed since" in row["error"]


def test_a_plan_is_never_replaced_and_only_open_claims_are_planned(opened: Project, capsys: pytest.CaptureFixture[str]):
    assert command("fresh", "reports/claims.json", "--out", "fresh.json") == 2
    assert "a plan is never replaced" in capsys.readouterr().err
    assert command("fresh", "reports/claims.json", "paper/clear", "--out", "other.json") == 2
    assert "the rule plans no fresh seeds of paper/clear" in capsys.readouterr().err
    assert command("fresh", "reports/claims.json", "--out", "other.json", "paper/clear") == 2, "options may stand in between"
    assert "the rule plans no fresh seeds of paper/clear" in capsys.readouterr().err
    assert command("fresh", "reports/claims.json", "paper/nothing", "--out", "other.json") == 2
    assert "the run has no claim paper/nothing" in capsys.readouterr().err


def test_a_run_that_cannot_be_read_and_a_word_that_means_nothing_are_told_in_a_line(opened, capsys):
    assert command("fresh", "nothing.json", "--out", "other.json") == 2
    assert capsys.readouterr().err.startswith("python -m harness: cannot read nothing.json")
    with pytest.raises(SystemExit):
        command("fresh", "reports/claims.json", "--out", "other.json", "paper/open", "--nothing")
    assert "unrecognized arguments: paper/open --nothing" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "said"), [
    (None, "cannot be read"), ("{", "is damaged"), ("[]", "is no plan"), ('{"fresh": 1}', "is no plan"),
    (json.dumps({"fresh": 1, "date": "2026-11-28", "scale": "full", "claims": {}}), "plans for scale full"),
])  # fmt: skip
def test_what_is_no_plan_is_refused_before_the_run(project: Project, told, text: str | None, said: str):
    project.claims(SUPPORTED)
    if text is not None:
        project.file("plan.json", text)
    result = project.run("claims", "--claims-fresh", "plan.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in told(result)


def test_it_is_one_look(opened: Project, told):
    result = opened.run("claims", "--claims-fresh", "fresh.json", "--claims-until-decided")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "judges each claim once" in told(result)


def row(verdict: str, unit: str, n: int, units: int | None) -> dict[str, Any]:
    told = {"unit": unit, "n": n, "units": units, "verdict": units and "supported"}
    return {"id": "a/b", "digest": "d", "verdict": verdict, "power": {"enough": told}}


@given(st.integers(2, 40), st.floats(1, 6))
def test_the_rule_plans_twice_as_many_as_would_decide_in_whole_blocks(n: int, ratio: float):
    units = math.ceil(n * ratio)
    blocks = blocks_of(row("inconclusive", "pair (seed)", n, units))
    if units > MOST * n:
        assert blocks is None
    else:
        assert blocks is not None
        assert blocks == MOST or n * (blocks - 1) < 2 * units <= n * blocks


@pytest.mark.parametrize("other", [
    row("supported", "seed", 8, 9), row("invalid", "seed", 8, 9), row("inconclusive", "value of d", 8, 9),
    row("inconclusive", "seed", 8, None), row("inconclusive", "seed", 8, 9) | {"design": {"populations": []}, "recipes": {}},
    {"id": "a/b", "digest": "d", "verdict": "inconclusive", "power": None},
])  # fmt: skip
def test_the_rule_plans_none_where_seeds_would_not_decide(other: dict[str, Any]):
    assert blocks_of(other) is None
    with pytest.raises(ValueError, match="plans no fresh seeds of any claim"):
        planned({"scale": "reduced", "rows": [other]})
