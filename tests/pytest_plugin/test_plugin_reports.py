"""What a session leaves: the reports where they were asked for, and rows in what else pytest writes."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from papers import EVERY, INCONCLUSIVE, REFUTED, SUPPORTED, Project, files_below

DRAWN = """
@declare("drawn")
def test_drawn():
    found = evidence(1.0)
    picture = Figure("strip", found.table, "regime", "llc", "t", "regime", "LLC", reference={"0": 0.0})
    return evidence(1.0, figure=picture, settings={"step": 1e-4, "odd": float("nan")})

@declare("misdrawn")
def test_misdrawn():
    return evidence(1.0, figure=Figure("strip", evidence(1.0).table, "epoch", "llc", "t", "x", "y"))
"""
STORED = """
@declare("stored")
def test_stored(harness):
    import torch
    harness.store.cached("numbers", {}, lambda: pd.DataFrame({"value": [1.0]}))
    return evidence(1.0, settings={
        "scale": harness.scale, "device": harness.device, "engine": harness.llc_engine,
        "folder": str(harness.store.folder),
        "threads": torch.get_num_threads(), "environment": os.environ["OMP_NUM_THREADS"],
    })
"""


def test_the_report_lies_where_it_was_asked_for(project: Project, told):
    project.claims(SUPPORTED, INCONCLUSIVE)
    result = project.run("claims", "--claims-report", "elsewhere")
    assert result.ret == 0
    assert "report: elsewhere/claims.html" in told(result)
    assert {"elsewhere/claims.html", "elsewhere/claims.json", "elsewhere/claims.csv"} <= files_below(project.path)
    run = project.report("elsewhere")
    assert run["schema"] == 1
    assert run["scale"] == "reduced"
    facts = run["provenance"]
    assert facts["command"] == "pytest claims --claims-report elsewhere"
    assert facts["workers"] == 1
    assert facts["selected"] is None
    assert facts["commit"] is None
    assert facts["seconds"] > 0
    assert facts["torch"].startswith("2.")


def test_every_run_is_remembered_and_shown_on_the_next_page(project: Project):
    project.claims(SUPPORTED)
    project.run("claims")
    assert {"reports/badge.svg", "reports/history.jsonl"} <= files_below(project.path)
    assert set(project.report()["provenance"]["code"]) == {"harness", "claims"}
    project.run("claims")
    lines = (project.path / "reports" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["claims"]["paper/higher"]["verdict"] for line in lines] == ["supported"] * 2
    assert "Earlier runs at this scale" in (project.path / "reports" / "claims.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_folder_that_cannot_be_written_is_noticed_before_anything_runs(project: Project, told, workers: str):
    project.claims(SUPPORTED)
    project.file("file", "")
    result = (project.run_shared if workers == "2" else project.run)("claims", "--claims-report", "file/reports", "-n", workers)
    result.assert_outcomes()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = told(result)
    assert text.count("ERROR: cannot write the report into the folder") == 1
    assert "Nothing was run" in text
    assert "Traceback" not in text


def test_a_part_of_the_claims_is_said_to_be_one(project: Project):
    project.claims(SUPPORTED)
    project.claims(REFUTED, name="test_second")
    project.run("claims/test_paper.py")
    assert project.report()["provenance"]["selected"] == {"claims": 1, "of": None}
    project.run("claims", "-k", "lower")
    assert project.report()["provenance"]["selected"] == {"claims": 1, "of": 2}


def test_collecting_alone_leaves_the_last_report(project: Project):
    project.claims(SUPPORTED)
    assert project.run("claims", "--collect-only").ret == 0
    assert "reports/claims.json" not in files_below(project.path)


def test_junit_is_xml_with_each_row_as_strict_json(project: Project):
    project.claims(EVERY)
    project.known({"reduced": {"paper/lower": "refuted"}})
    project.run("claims", "--junitxml", "junit.xml")
    suite = ElementTree.parse(project.path / "junit.xml").getroot()[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5", "failures": "2", "errors": "0", "skipped": "2",
    }  # fmt: skip
    rows = [json.loads(found.get("value", "")) for found in suite.iter("property") if found.get("name") == "claim"]
    assert [row["verdict"] for row in rows] == ["supported", "refuted", "inconclusive", "invalid", "error"]
    messages = [found.get("message", "") for found in suite.iter("skipped")]
    assert messages[0].startswith("paper/lower is refuted, as the ledger has it: ")
    assert messages[1].startswith("paper/unclear is inconclusive: ")


def test_figures_and_settings_travel_with_the_row(project: Project):
    project.claims(DRAWN)
    project.run().assert_outcomes(passed=1, errors=1)
    row = project.rows()["drawn"]
    assert row["figure"]["kind"] == "strip"
    assert len(row["figure"]["data"]["llc"]) == 16
    assert row["settings"] == {"step": 1e-4, "odd": None}
    assert "the figure names the columns epoch" in project.rows()["misdrawn"]["error"]


def test_the_fixture_gives_what_was_asked_for(project: Project, monkeypatch):
    project.claims(STORED)
    asked = ("--claims-device", "cpu", "--claims-llc-engine", "devinterp", "--claims-store", "kept")
    assert project.run("claims", *asked).ret == 0
    row = project.rows()["stored"]
    assert row["settings"] == {
        "scale": "reduced", "device": "cpu", "engine": "devinterp", "folder": str(project.path / "kept"),
        "threads": 1, "environment": "1",
    }  # fmt: skip
    assert row["cached"] is False
    monkeypatch.setenv("HARNESS_STORE", "kept")
    project.run("claims", "--claims-device", "cpu")
    row = project.rows()["stored"]
    assert row["settings"]["folder"] == str(project.path / "kept")
    assert row["cached"] is True
    monkeypatch.delenv("HARNESS_STORE")
    project.run("claims", "--claims-device", "cpu", "--claims-scale", "smoke")
    row = project.rows()["stored"]
    assert row["settings"]["folder"] == str(project.path / ".harness")
    assert row["settings"]["scale"] == "smoke"


def test_what_is_written_about_a_document_stands_in_its_chapter(project: Project, told):
    project.claims(SUPPORTED)
    ini = project.path / "tox.ini"
    ini.write_text(ini.read_text(encoding="utf-8") + "\nclaims_stories = notes\n", encoding="utf-8")
    (project.path / "notes").mkdir()
    story = project.path / "notes" / "paper.md"
    story.write_text("## Intro\n\n### higher\n\nBecause it is so.\n", encoding="utf-8")
    assert project.run("claims").ret == 0
    assert project.report()["stories"] == {"paper": story.read_text(encoding="utf-8")}
    assert "Because it is so." in (project.path / "reports" / "claims.html").read_text(encoding="utf-8")
    story.write_bytes(b"\xff")
    result = project.run("claims")
    assert result.ret == 0
    assert "note: cannot read" in told(result)
    assert "stories" not in project.report()


def test_the_number_of_the_document_reaches_the_row(project: Project):
    project.claims(SUPPORTED.replace('@declare("higher"', '@declare("higher", source=PAPER.at("Intro", "q", number=0.7)'))
    project.run("claims")
    assert [row["source"]["number"] for row in project.report()["rows"]] == [0.7]
