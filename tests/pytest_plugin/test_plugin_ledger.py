"""The ledger: what is known is no news, and what changed is."""

from __future__ import annotations

import json

import pytest
from papers import BROKEN, EVERY, INCONCLUSIVE, INI, INVALID, REFUTED, SUPPORTED, Project

from harness.pytest_plugin.ledger import Ledger, LedgerError

KNOWN = {"paper/higher": "supported", "paper/lower": "refuted", "paper/incompetent": "invalid"}


def test_known_verdicts_pass_as_known(project: Project, told):
    project.claims(SUPPORTED, REFUTED, INVALID)
    project.known({"reduced": KNOWN})
    result = project.run("claims", "-v")
    assert result.ret == 0
    text = told(result)
    assert "1 passed, 1 refuted (known), 1 invalid (known)" in text
    assert "test_lower REFUTED (known)" in text
    assert "✗ REFUTED (known) paper/lower" in text
    assert {row["expected"] for row in project.rows().values()} == {"supported", "refuted", "invalid"}


def test_a_verdict_that_changed_fails_and_says_both(project: Project, told):
    project.claims(EVERY)
    changed = {"paper/higher": "refuted", "paper/lower": "inconclusive", "paper/unclear": "supported"}
    project.known({"reduced": {**changed, "paper/incompetent": "refuted", "paper/broken": "supported"}})
    result = project.run()
    result.assert_outcomes(failed=4, errors=1)
    text = told(result)
    assert "paper/higher is supported, but the ledger has refuted: " in text
    assert "paper/unclear is inconclusive, but the ledger has supported: " in text
    assert "if the new verdict is right, record it in ledger.json with --claims-update-ledger" in text
    assert "; the ledger has supported" in text
    assert project.rows()["broken"]["expected"] == "supported"


def test_the_raw_view_and_what_the_ledger_does_not_know(project: Project):
    project.claims(REFUTED, INCONCLUSIVE)
    project.known({"full": {"paper/lower": "refuted"}, "reduced": {"paper/unclear": "inconclusive"}})
    project.run().assert_outcomes(failed=1)
    project.known({"reduced": {"paper/lower": "refuted", "paper/unclear": "supported"}})
    result = project.run("claims", "--claims-no-ledger")
    result.assert_outcomes(failed=1)
    assert project.rows()["lower"]["expected"] is None


def test_updating_records_this_run_and_keeps_the_rest(project: Project, told):
    project.claims(EVERY)
    project.known({"reduced": {"paper/higher": "refuted", "paper/gone": "refuted"}, "full": {"paper/x": "invalid"}})
    result = project.run("claims", "--claims-update-ledger", "--deselect", "claims/test_paper.py::test_broken")
    assert result.ret == 0
    assert "ledger: 4 verdicts changed in ledger.json" in told(result)
    assert project.verdicts() == {
        "reduced": {
            "paper/gone": "refuted", "paper/higher": "supported", "paper/incompetent": "invalid",
            "paper/lower": "refuted", "paper/unclear": "inconclusive",
        },
        "full": {"paper/x": "invalid"},
    }  # fmt: skip
    assert project.run("claims", "--deselect", "claims/test_paper.py::test_broken").ret == 0


def test_errors_are_not_recorded(project: Project):
    project.claims(BROKEN)
    project.known({"reduced": {"paper/broken": "supported"}})
    result = project.run("claims", "--claims-update-ledger")
    result.assert_outcomes(errors=1)
    assert project.verdicts() == {"reduced": {"paper/broken": "supported"}}


def test_known_verdicts_are_known_to_workers(project: Project):
    project.claims(SUPPORTED, REFUTED)
    result = project.run_shared("claims", "-n", "2", "--claims-update-ledger")
    result.stdout.fnmatch_lines(["*1 passed, 1 refuted (known)*"])
    assert result.ret == 0
    assert project.verdicts() == {"reduced": {"paper/higher": "supported", "paper/lower": "refuted"}}


def test_options_that_cannot_be_met_are_refused(project: Project, told, pytester: pytest.Pytester):
    project.claims(SUPPORTED)
    contradiction = project.run("claims", "--claims-update-ledger", "--claims-no-ledger")
    assert contradiction.ret == pytest.ExitCode.USAGE_ERROR
    assert "contradict each other" in told(contradiction)
    project.file("ledger.json", "{")
    unreadable = project.run()
    assert unreadable.ret == pytest.ExitCode.USAGE_ERROR
    assert "ledger.json cannot be read" in told(unreadable)
    pytester.makeini(INI.replace("claims_ledger = ledger.json", ""))
    nowhere = project.run("claims", "--claims-update-ledger")
    assert nowhere.ret == pytest.ExitCode.USAGE_ERROR
    assert 'claims_ledger = "fixtures/ledger.json"' in told(nowhere)


@pytest.mark.parametrize(
    ("held", "fault"),
    [
        ([], "is not a JSON object"),
        ({"big": {}}, "has the scale 'big'"),
        ({"full": []}, "has no object under 'full'"),
        ({"full": {"a/b": "error"}}, "has the verdict 'error' for a/b"),
    ],
)
def test_a_file_that_is_no_ledger_is_told_what_is_wrong(tmp_path, held, fault):
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(held), encoding="utf-8")
    with pytest.raises(LedgerError, match=fault):
        Ledger.read(path)


def test_a_ledger_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    row = {"id": "a/b", "verdict": "refuted"}
    with pytest.raises(LedgerError, match="cannot be written"):
        Ledger(tmp_path / "file" / "ledger.json").record("full", [row], today="2026-11-20")
    assert Ledger().record("full", [row], today="2026-11-20").verdicts == 0


def test_where_several_are_known_each_of_them_is(project: Project, told):
    project.claims(INVALID, REFUTED)
    project.known({"reduced": {"paper/incompetent": ["supported", "invalid"], "paper/lower": ["supported", "inconclusive"]}})
    result = project.run()
    result.assert_outcomes(failed=1)
    assert "1 invalid (known)" in told(result)
    assert "paper/lower is refuted, but the ledger has supported: " in told(result)
    project.run("claims", "--claims-update-ledger")
    assert project.verdicts() == {"reduced": {"paper/incompetent": ["supported", "invalid"], "paper/lower": "refuted"}}


def test_a_list_of_no_verdicts_is_no_entry(tmp_path):
    for wrong in ([], ["supported", "perhaps"]):
        path = tmp_path / "ledger.json"
        path.write_text(json.dumps({"reduced": {"paper/x": wrong}}))
        with pytest.raises(LedgerError, match="or a list of them"):
            Ledger.read(path)
