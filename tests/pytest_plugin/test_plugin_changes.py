"""A claim that is changed after its verdict was known: it fails, names what changed, and is accepted with a reason alone."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from papers import HIGHER_SEEDED, REFUTED, SUPPORTED, Project

from harness.pytest_plugin import ledger_file
from harness.pytest_plugin.ledger import Ledger, LedgerError

SISTER = """
LEAST = 2.0
@declare("sister", gates=(Gate("models are competent", "competent", at_most=LEAST),))
def test_sister():
    return evidence(1.0)
"""


@pytest.fixture
def known(project: Project) -> Project:
    """A project whose verdicts are recorded."""
    project.claims(SUPPORTED, REFUTED, HIGHER_SEEDED, SISTER)
    project.run("claims", "--claims-update-ledger")
    return project


def edit(project: Project, old: str, new: str, name: str = "claims/test_paper.py") -> None:
    path = project.path / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def history(project: Project, claim: str) -> list[list[str]]:
    return [line["changed"] for line in project.ledger()["reduced"][claim].get("history", [])]


def test_what_was_fixed_is_recorded_with_the_verdict(known: Project):
    entry = known.ledger()["reduced"]["paper/higher"]
    assert entry["verdict"] == "supported"
    assert entry["declared"]["prediction"]["margin"] == 0.5
    assert len(entry["since"]) == len("2026-11-20")
    assert set(entry["design"]) == {"digest", "code", "asks"}
    assert known.run().ret == 0
    assert {row["changes"] == [] for row in known.rows().values()} == {True}


@pytest.mark.parametrize(
    ("old", "new", "said", "claim"),
    [
        ("margin=0.5", "margin=0.2", "margin 0.5 → 0.2", "higher"),
        ("at_most=LEAST", "at_most=LEAST / 2", "gate “models are competent” at most 2 → 1", "sister"),
        ("range(8))  # seeds", "range(12))  # seeds", "seeds 8 → 12", "seeded"),
        ("epochs=0", "epochs=1", "recipe changed (1x2 standard)", "seeded"),
        ("Lengths(1.0)", "Lengths(2.0)", "“lengths” factor 1.0 → 2.0", "seeded"),
        ("return evidence(1.0, settings", "return evidence(2.0 / 2, settings", "code of its fixtures", "higher"),
        ("spread * (seed % 4 - 1.5)", "2 * spread * (seed % 4 - 1.5)", "code of its fixtures", "higher"),
    ],
)
def test_a_change_fails_and_is_named(known: Project, told, old: str, new: str, said: str, claim: str):
    since = known.ledger()["reduced"][f"paper/{claim}"]["since"]
    edit(known, old, new)
    result = known.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert f"paper/{claim} was changed: {said}, after the verdict of {since} was known" in told(result)
    assert "undo the change, or accept it in ledger.json with --claims-update-ledger --claims-because" in told(result)
    row = known.rows()[claim]
    assert row["verdict"] == "supported"
    assert row["changes"] == [{"date": row["changes"][0]["date"], "changed": [said], "was": "supported", "because": None}]
    assert history(known, f"paper/{claim}") == []


@pytest.mark.parametrize(
    ("old", "new", "untouched"),
    [
        ("\nLEAST = 2.0", "\n# a comment\nLEAST  =  2.0", ("higher", "lower", "seeded", "sister")),
        ("    return evidence(-1.0)", '    """Words."""\n    return evidence(-1.0)', ("higher", "lower", "seeded", "sister")),
        ("LEAST = 2.0", "LEAST = 3.0", ("higher", "lower", "seeded")),
        ("range(8))  # seeds", "range(12))  # seeds", ("higher", "lower", "sister")),
    ],
    ids=["comment and layout", "docstring", "another claim's gate", "another claim's seeds"],
)
def test_what_does_not_change_a_claim_is_none(known: Project, old: str, new: str, untouched: tuple[str, ...]):
    edit(known, old, new)
    known.run()
    rows = known.rows()
    assert [rows[name]["changes"] for name in untouched] == [[]] * len(untouched)


def test_an_update_without_a_reason_is_refused_before_anything_runs(known: Project, told):
    before = known.ledger()
    edit(known, "margin=0.5", "margin=0.2")
    result = known.run("claims", "--claims-update-ledger")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "paper/higher was changed: margin 0.5 → 0.2, after the verdict of" in told(result)
    assert "Nothing was run: undo the change, or give the reason, which the ledger keeps, with --claims-because" in told(result)
    assert known.ledger() == before


def test_an_update_is_refused_with_workers_too(known: Project, told):
    before = known.ledger()
    edit(known, "margin=0.5", "margin=0.2")
    result = known.run_shared("claims", "-n", "2", "--claims-update-ledger")
    assert result.ret != 0
    assert "paper/higher was changed: margin 0.5 → 0.2" in told(result)
    assert known.ledger() == before


def test_a_reason_is_kept_and_every_step_of_more_seeds_shows(known: Project, told):
    for before, after in ((8, 12), (12, 16)):
        edit(known, f"range({before}))  # seeds", f"range({after}))  # seeds")
        result = known.run("claims", "--claims-update-ledger", "--claims-because", "more power was wanted")
        assert result.ret == 0
        assert "1 accepted as changed in ledger.json" in told(result)
    assert history(known, "paper/seeded") == [["seeds 8 → 12"], ["seeds 12 → 16"]]
    line = known.ledger()["reduced"]["paper/seeded"]["history"][0]
    assert (line["was"], line["because"]) == ("supported", "more power was wanted")
    assert known.run().ret == 0
    assert [line["because"] for line in known.rows()["seeded"]["changes"]] == ["more power was wanted"] * 2
    assert known.rows()["higher"]["changes"] == []


def test_a_new_verdict_and_a_new_claim_need_no_reason(known: Project):
    held = known.ledger()
    held["reduced"]["paper/higher"]["verdict"] = "refuted"
    known.ledger(held)
    known.claims(SUPPORTED.replace('"higher"', '"newer"').replace("test_higher", "test_newer"), name="test_new")
    assert known.run("claims", "--claims-update-ledger").ret == 0
    entries = known.ledger()["reduced"]
    assert entries["paper/higher"]["verdict"] == entries["paper/newer"]["verdict"] == "supported"
    assert "history" not in entries["paper/higher"]


def test_a_reason_alone_is_refused(known: Project, told):
    for given in (["--claims-because", "x"], ["--claims-update-ledger", "--claims-because", " "]):
        result = known.run("claims", *given)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert "--claims-because gives the reason for changes that --claims-update-ledger accepts" in told(result)


def test_a_ledger_of_the_first_schema_is_read_and_brought_up(project: Project, told):
    project.claims(SUPPORTED, REFUTED)
    project.ledger({"reduced": {"paper/higher": "supported", "paper/lower": ["refuted", "invalid"], "paper/x": "refuted"}})
    result = project.run()
    assert result.ret == 0
    said = "ledger.json has only verdicts, so changes to claims go unnoticed; python -m harness ledger upgrade"
    assert said in told(result)
    assert project.rows()["higher"]["changes"] is None
    assert project.run("claims", "--claims-update-ledger").ret == 0
    entries = project.ledger()["reduced"]
    assert project.ledger()["schema"] == 2
    assert entries["paper/lower"]["verdict"] == ["refuted", "invalid"]
    assert "declared" in entries["paper/lower"]
    assert entries["paper/x"] == {"verdict": "refuted"}
    edit(project, "margin=0.5", "margin=0.2")
    assert project.run().ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(
    ("held", "fault"),
    [
        ({"schema": 3}, r"has schema 3, and this version reads 2 and 1"),
        ({"schema": 2, "reduced": {"a/b": {"verdict": "perhaps"}}}, "has the verdict 'perhaps' for a/b"),
        ({"schema": 2, "reduced": {"a/b": {"verdict": "refuted", "sinse": "x"}}}, "has the unknown field sinse in a/b"),
        ({"schema": 2, "reduced": {"a/b": {"verdict": "refuted", "declared": []}}}, "declared for a/b"),
        ({"schema": 2, "reduced": {"a/b": {"verdict": "refuted", "design": {"asks": "gone"}}}}, "is not under designs"),
        ({"schema": 2, "reduced": {"a/b": {"verdict": "refuted", "history": [{"changed": "margin"}]}}}, "history for a/b"),
        ({"schema": 2, "reduced": {"a/b": {"verdict": "refuted", "history": "x"}}}, "history for a/b"),
        ({"schema": 2, "designs": {"x": {"populations": [{"seeds": "0–7", "recipes": {}}], "instruments": []}}}, "has invalid"),
        ({"schema": 2, "reduced": []}, "has no object under 'reduced'"),
    ],
)  # fmt: skip
def test_what_was_edited_into_nonsense_is_told_with_path_and_remedy(tmp_path: Path, held: object, fault: str):
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(held), encoding="utf-8")
    with pytest.raises(LedgerError, match=fault) as problem:
        Ledger.read(path)
    assert str(path) in str(problem.value)
    assert any(word in str(problem.value) for word in ("version control", "version of the harness"))


def test_json_that_is_nested_too_deep_is_damage(tmp_path: Path):
    path = tmp_path / "ledger.json"
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(LedgerError, match="cannot be read"):
        Ledger.read(path)


def test_a_ledger_that_is_damaged_in_the_run_costs_no_verdict(known: Project, told):
    ending = """
@declare("ending")
def test_ending():
    import pathlib
    pathlib.Path("ledger.json").write_text("{", encoding="utf-8")
    return evidence(1.0)
"""
    known.claims(ending, name="test_zz")
    result = known.run("claims", "--claims-update-ledger")
    assert result.ret != 0
    assert "ERROR: the ledger " in told(result)
    assert "cannot be read" in told(result)
    assert {row["verdict"] for row in known.rows().values()} == {"supported", "refuted"}
    assert (known.path / "ledger.json").read_text(encoding="utf-8") == "{"


def test_what_is_edited_while_a_run_goes_on_stays(known: Project, told):
    held = known.ledger()
    held["reduced"]["paper/higher"]["verdict"] = "refuted"
    known.ledger(held)
    body = """
@declare("ending")
def test_ending():
    import json, pathlib
    path = pathlib.Path("ledger.json")
    held = json.loads(path.read_text(encoding="utf-8"))
    held["reduced"]["paper/by-hand"] = {"verdict": "invalid"}
    held["reduced"]["paper/higher"]["verdict"] = ["refuted", "inconclusive"]
    path.write_text(json.dumps(held), encoding="utf-8")
    return evidence(1.0)
"""
    known.claims(body, name="test_zz")
    result = known.run("claims", "--claims-update-ledger")
    assert result.ret != 0
    assert "ledger.json was changed while this run went on, in paper/higher" in told(result)
    verdicts = known.verdicts()["reduced"]
    assert verdicts["paper/by-hand"] == "invalid"
    assert verdicts["paper/higher"] == ["refuted", "inconclusive"]
    assert verdicts["paper/ending"] == "supported"


def row(name: str) -> dict[str, object]:
    return {"id": f"paper/{name}", "verdict": "supported", "digest": "d", "declared": {"x": 1}, "design": None}


def test_many_that_update_at_once_lose_no_entry(tmp_path: Path):
    path = tmp_path / "ledger.json"
    ledgers = [Ledger.read(path) for _ in range(12)]
    threads = [
        threading.Thread(target=ledger.record, args=("reduced", [row(str(number))]), kwargs={"today": "2026-11-20"})
        for number, ledger in enumerate(ledgers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(Ledger.read(path).entries["reduced"]) == {f"paper/{number}" for number in range(12)}
    assert [each.name for each in tmp_path.iterdir()] == ["ledger.json"]


def test_a_lock_that_is_held_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ledger_file, "PATIENCE", 0.1)
    path = tmp_path / "ledger.json"
    with ledger_file.locked(path), pytest.raises(LedgerError, match="another run has held"):
        Ledger(path).record("reduced", [row("a")], today="2026-11-20")


def test_what_is_written_is_read_back(known: Project):
    path = known.path / "ledger.json"
    text = path.read_text(encoding="utf-8")
    _, entries = ledger_file.read(path)
    ledger_file.write(path, entries)
    assert path.read_text(encoding="utf-8") == text
    assert max(map(len, text.splitlines())) < 200
