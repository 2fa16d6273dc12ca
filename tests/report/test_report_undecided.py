"""The table of the open claims: every one of the kept run, with the numbers of its row."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.report import read_run, undecided

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "reports" / "reference"


def row(**changed: Any) -> dict[str, Any]:
    told = {"unit": "value of d", "n": 4, "units": 9, "verdict": "refuted", "statement": ""}
    return {
        "id": "paper/open", "document": "paper", "role": "document", "verdict": "inconclusive", "effect": 0.3, "label": None,
        "interval": [0.1, 0.5], "margin": 0.4, "rule": "above", "centre": 0.0, "decides": None, "parts": [], "gates": [],
        "n": 12, "grade": None, "power": {"n": 12, "unit": "seed", "units_needed": 20, "enough": told}, **changed,
    }  # fmt: skip


def of(*rows: dict[str, Any]) -> list[list[str]]:
    """The cells of a table."""
    lines = undecided.table({"rows": list(rows)}).splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| [")]


def test_the_kept_run_has_a_line_for_each_open_claim_of_a_document_and_for_no_other():
    run = read_run(KEPT / "claims.json")
    wanted = {row["id"].split("/")[1] for row in run["rows"]
              if row["role"] == "document" and row["verdict"] in ("inconclusive", "invalid")}  # fmt: skip
    assert set(re.findall(r"^\| \[([a-z0-9-]+)\]", undecided.table(run), re.M)) == wanted
    for each in wanted:
        assert f"### {each}\n" in "".join(page.read_text() for page in (ROOT / "docs" / "findings").glob("*.md"))


def test_a_claim_of_a_document_without_a_page_is_named_and_not_linked():
    told = undecided.table({"rows": [row(), row(id="other/open", document="other")]}, documented={"paper"})
    assert "| [open](docs/findings/paper.md#open) |" in told
    assert "| other/open |" in told
    assert "other.md" not in told


def test_claims_that_ended_in_an_error_are_told_beside_the_table():
    broken = row(id="paper/typo", verdict="error")
    assert (
        undecided.table({"rows": [row(), broken]})
        .splitlines()[0]
        .endswith(" 1 claim ended in an error, and so is not among them.")
    )
    assert undecided.table({"rows": [broken]}).startswith("No claim is open. 1 claim ended in an error")
    assert undecided.table({"rows": [row(verdict="supported")]}) == ""


def test_a_line_says_what_there_are_too_few_of():
    assert of(row()) == [
        [
            "[open](docs/findings/paper.md#open)",
            "0.30 (0.10 to 0.50), margin 0.4",
            "4 values of d",
            "9 (refuted)",
            "2.2",
            "20 seeds",
        ]
    ]


NEVER = {"unit": "seed", "n": 12, "units": None}


@pytest.mark.parametrize(("changed", "said"), [
    ({"power": {"n": 12, "unit": "seed", "units_needed": None, "enough": NEVER}}, "no number"),
    ({"power": {"n": 12, "unit": "seed", "units_needed": 20}}, "not told by this run"),
    ({"verdict": "invalid", "gates": [{"name": "it is fit", "passed": False}]}, "none: the check fails in this population"),
])  # fmt: skip
def test_a_line_says_why_none_would_do(changed: dict[str, Any], said: str):
    (cells,) = of(row(**changed))
    assert said in cells[3]


def test_what_is_decided_or_nobodys_claim_has_no_line():
    assert undecided.table({"rows": [row(verdict="supported"), row(role="control")]}) == ""


def test_fresh_seeds_stand_beside_the_claims_own():
    fresh = {"rows": [row(verdict="refuted", label="negligible", n=48, effect=0.2, interval=[0.1, 0.3]), row(id="paper/else")]}
    lines = undecided.again(fresh, {"rows": [row()]}).splitlines()
    assert len(lines) == 3
    assert "inconclusive: 0.30 (0.10 to 0.50), margin 0.4 | 12 | refuted, negligible: 0.20 (0.10 to 0.30)" in lines[2]
    assert lines[2].endswith("| 48 |")


def test_the_page_of_the_site_is_made_from_the_kept_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    monkeypatch.delitem(sys.modules, "site_pages", raising=False)
    import site_pages

    assert undecided.table(read_run(KEPT / "claims.json"), "../findings") in site_pages.undecided_page()


def test_what_was_judged_on_fresh_seeds_was_planned_before():
    """Declarations and numbers of seeds of the kept run of fresh seeds are those of a plan."""
    plans = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "fixtures").glob("fresh*.json"))]
    run = read_run(KEPT / "fresh" / "claims.json")
    assert run["rows"]
    for each in run["rows"]:
        (plan,) = [plan for plan in plans if each["id"] in plan["claims"]]
        planned = plan["claims"][each["id"]]
        assert each["digest"] == planned["digest"]
        assert f"fresh ones alone, {planned['blocks']} times as many" in each["settings"]["seeds"]
        assert plan["date"] <= run["provenance"]["started"][:10]


def test_the_findings_say_what_fresh_seeds_said():
    words = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    words = words.split("\n## Judged again on fresh seeds\n")[1].split("\n## ")[0]
    for each in read_run(KEPT / "fresh" / "claims.json")["rows"]:
        (line,) = [part for part in words.split("\n- ") if part.startswith(f"`{each['id']}`")]
        said = {"inconclusive": "open still"}.get(each["verdict"], f"**{each['verdict']}**")
        assert line.startswith(f"`{each['id']}`: {said}")


def test_the_findings_count_the_open_claims_by_cause_as_the_kept_run_has_them():
    """The numbers in brackets behind each cause, and "so many seeds instead of so many"."""
    rows = {each["id"]: each for each in read_run(KEPT / "claims.json")["rows"] if each["role"] == "document"}
    needed = {id: each["power"]["enough"] for id, each in rows.items() if each["verdict"] == "inconclusive"}
    decided = {id: one for id, one in needed.items() if one["units"] is not None}
    by_seeds = {id for id, one in decided.items() if one["unit"] in ("seed", "pair (seed)")}
    words = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    words = words.split("\n## What is open, and why\n")[1].split("\n## ")[0]
    told = {cause: int(count) for cause, count in re.findall(r"^- \*\*([^*]+)\*\* \((\d+)\)", words, re.M)}
    assert told == {
        "Too few levels of a factor other than the seed": len(decided) - len(by_seeds),
        "Too few seeds": len(by_seeds),
        "On a limit": len(needed) - len(decided),
        "Not a minimum": sum(each["verdict"] == "invalid" for each in rows.values()),
    }
    line = " ".join(words.split())
    seeds = re.findall(r"`([a-z]+/[a-z0-9-]+)` \((\d+) (?:seeds )?instead of (\d+)", line)
    assert {id for id, *_ in seeds} == by_seeds
    assert "All of them have been [judged again]" in line
    assert {each["id"] for each in read_run(KEPT / "fresh" / "claims.json")["rows"]} == by_seeds
    for id, enough, now in seeds:
        assert (int(enough), int(now)) == (needed[id]["units"], needed[id]["n"]), id
