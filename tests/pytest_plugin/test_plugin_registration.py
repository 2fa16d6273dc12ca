"""What is registered before anything runs, and what a later run says of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from papers import HIGHER_SEEDED, REFUTED, SUPPORTED, Project

from harness import cli
from harness.pytest_plugin.registration import RegistrationError, read_registration


@pytest.fixture
def registered(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with claims of which two are registered."""
    monkeypatch.chdir(project.path)
    project.claims(SUPPORTED, REFUTED, HIGHER_SEEDED)
    assert command("preregister", "paper/higher", "paper/seeded", "--out", "kept/plan.json") == 0
    return project


def edit(project: Project, old: str, new: str) -> None:
    path = project.path / "claims" / "test_paper.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def command(*arguments: str) -> int:
    """A command as in a process of its own, which imports the claims as they are now."""
    try:
        return cli.main(list(arguments))
    finally:
        for name in [each for each in sys.modules if each.startswith(("test_paper", "test_wrong"))]:
            del sys.modules[name]


def plan(project: Project) -> dict[str, Any]:
    return dict(json.loads((project.path / "kept" / "plan.json").read_text(encoding="utf-8")))


def test_all_that_is_fixed_is_written_before_anything_runs(registered: Project):
    held = plan(registered)
    assert (held["preregistration"], held["scale"], set(held["claims"])) == (1, "reduced", {"paper/higher", "paper/seeded"})
    assert set(held["versions"]) == {"python", "torch", "numpy", "scipy", "claims-harness"}
    seeded = held["claims"]["paper/seeded"]
    assert seeded["declared"]["prediction"]["margin"] == 0.5
    assert "configured at scale reduced: 8 seeds, 8 members" in seeded["plan"]
    asked = held["designs"][seeded["design"]["asks"]]
    assert asked["populations"][0]["seeds"] == list(range(8))
    assert asked["instruments"][0]["settings"]["factor"] == 1.0
    assert set(asked["populations"][0]["recipes"]) == set(held["recipes"])
    assert not (registered.path / ".harness").exists()


def test_readers_have_the_same_in_markdown(registered: Project):
    text = (registered.path / "kept" / "plan.json.md").read_text(encoding="utf-8")
    for said in ("# Preregistration of 2 claims", "## paper/seeded", "> it is higher", "margin: 0.5", "margin reason: half",
                 "**Planned power**", "**Seeds** 0–7 of 1x2 standard", "lengths of 8 networks", "factor 1.0"):  # fmt: skip
        assert said in text


def test_it_is_the_same_again_but_for_the_date(registered: Project, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HARNESS_DATA", str(registered.path / "none"))
    assert command("preregister", "paper/higher", "paper/seeded", "--out", "again.json") == 0
    again = json.loads((registered.path / "again.json").read_text(encoding="utf-8"))
    assert {**again, "date": None} == {**plan(registered), "date": None}


def test_a_run_says_of_every_claim_whether_it_is_as_registered(registered: Project):
    result = registered.run("claims", "--claims-preregistration", "kept/plan.json", "--claims-no-ledger")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["note: 1 of 3 claims not preregistered on *: paper/lower"])
    assert "not as preregistered" not in result.stdout.str()
    states = {name: row["registered"]["state"] for name, row in registered.rows().items()}
    assert states == {"higher": "as registered", "lower": "not registered", "seeded": "as registered"}


@pytest.mark.parametrize(
    ("old", "new", "claim", "said"),
    [
        ("margin=0.5", "margin=0.2", "higher", "margin 0.5 → 0.2"),
        ("range(8))  # seeds", "range(30))  # seeds", "seeded", "seeds 8 → 30"),
        ("return evidence(1.0, settings", "return evidence(2.0, settings", "higher", "code of its fixtures"),
    ],
)
def test_what_differs_is_named_in_a_run_and_in_a_report_of_it(registered: Project, old: str, new: str, claim: str, said: str):
    edit(registered, old, new)
    result = registered.run("claims", "--claims-preregistration", "kept/plan.json")
    result.stdout.fnmatch_lines([f"note: not as preregistered on *, as their cards say: *paper/{claim}*"])
    told = registered.rows()[claim]["registered"]
    assert (told["state"], told["differs"]) == ("differs", [said])
    registered.run("claims", "--claims-report", "plain")
    assert registered.report("plain")["rows"][0]["registered"] is None
    assert command("report", "plain/claims.json", "--out", "drawn", "--preregistration", "kept/plan.json") == 0
    drawn = {row["id"]: row for row in registered.report("drawn")["rows"]}
    assert drawn[f"paper/{claim}"]["registered"] == told
    assert f"Differs from what was preregistered on {told['date']}: {said}." in (
        registered.path / "drawn" / "claims.html"
    ).read_text(encoding="utf-8")


def test_its_note_stands_in_both_files_in_rows_and_on_cards(registered: Project):
    said = "Settled after three earlier runs."
    assert command("preregister", "--out", "noted.json", "--note", said) == 0
    assert f"\n{said}\n" in (registered.path / "noted.json.md").read_text(encoding="utf-8")
    registered.run("claims", "--claims-preregistration", "noted.json")
    assert {row["registered"]["note"] for row in registered.rows().values()} == {said}
    assert f". {said}</dd>" in (registered.path / "reports" / "claims.html").read_text(encoding="utf-8")


def configure(project: Project, *kept: str) -> None:
    """Name preregistrations in the project's configuration."""
    ini = project.path / "tox.ini"
    ini.write_text(ini.read_text() + "".join(["\nclaims_preregistrations =", *(f"\n    {name}" for name in kept), "\n"]))


@pytest.mark.parametrize(("scale", "states"), [
    ("reduced", {"as registered", "not registered"}), ("smoke", {"as registered"}), ("full", set()),
])  # fmt: skip
def test_a_run_is_compared_with_the_configured_one_of_its_scale(registered: Project, scale: str, states: set[str]):
    assert command("preregister", "--scale", "smoke", "--out", "kept/small.json") == 0
    configure(registered, "kept/plan.json", "kept/small.json")
    registered.run("claims", "--claims-scale", scale)
    assert {row["registered"]["state"] for row in registered.rows().values() if row["registered"]} == states


def test_of_two_configured_for_one_scale_the_run_says_which(registered: Project, told):
    assert command("preregister", "--out", "kept/other.json") == 0
    configure(registered, "kept/plan.json", "kept/other.json")
    result = registered.run("claims")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "claims_preregistrations: " in told(result)
    assert "both register scale reduced; name one of them" in told(result)
    registered.run("claims", "--claims-preregistration", "kept/other.json")
    assert {row["registered"]["state"] for row in registered.rows().values()} == {"as registered"}


def test_a_registration_is_not_replaced(registered: Project, capsys: pytest.CaptureFixture[str]):
    before = plan(registered)
    assert command("preregister", "--out", "kept/plan.json") == 2
    assert "already exists, and a preregistration is never replaced" in capsys.readouterr().err
    assert plan(registered) == before


def test_what_cannot_be_registered_says_why(registered: Project, capsys: pytest.CaptureFixture[str]):
    assert command("preregister", "paper/none", "--out", "other.json") == 2
    assert "there is no claim paper/none; python -m harness list shows all 3" in capsys.readouterr().err
    registered.claims('@declare("wrong", prediction=None)\ndef test_wrong(): ...\n', name="test_wrong")
    assert command("preregister", "--out", "other.json") == 2
    assert "paper/wrong is not declared correctly, and so fixes nothing" in capsys.readouterr().err
    assert not (registered.path / "other.json").exists()


def test_another_scale_is_refused_before_the_run(registered: Project, told):
    result = registered.run("claims", "--claims-preregistration", "kept/plan.json", "--claims-scale", "smoke")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "registers scale reduced, and this run is of scale smoke; give --claims-scale reduced" in told(result)


WHOLE = {"preregistration": 1, "date": "2026-11-20", "scale": "reduced", "claims": {}}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "cannot be read"),
        ("{", "is damaged"),
        ("[" * 100_000, "is damaged"),
        ("[]", "is not a preregistration"),
        (json.dumps({"schema": 1, "rows": []}), "is not a preregistration"),
        (json.dumps(WHOLE | {"preregistration": 2}), "has schema 2, and this version reads 1"),
        (json.dumps(WHOLE | {"scale": "big"}), "has no date, or no scale"),
        (json.dumps(WHOLE | {"note": 3}), "has a note that is no text"),
        (json.dumps(WHOLE | {"claims": []}), "has no claims"),
        (json.dumps(WHOLE | {"claims": {"a/b": {"digest": "d"}}}), "has no digest, declared and design of a/b"),
        (json.dumps(WHOLE | {"claims": {"a/b": {"digest": "d", "declared": {}, "design": {"asks": "gone"}}}}), "of a/b"),
    ],
    ids=["none", "half", "deep", "list", "run", "schema", "scale", "note", "claims", "parts", "design"],
)
def test_a_file_that_is_none_is_refused_before_the_run(project: Project, told, text: str | None, fault: str):
    project.claims(SUPPORTED)
    if text is not None:
        project.file("plan.json", text)
    result = project.run("claims", "--claims-preregistration", "plan.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"{project.path / 'plan.json'}" in told(result)
    assert fault in told(result)
    assert not (project.path / "reports").exists()


def test_a_registration_is_read_whole(registered: Project):
    held = read_registration(registered.path / "kept" / "plan.json")
    assert held.claims["paper/seeded"]["design"]["populations"]
    with pytest.raises(RegistrationError):
        read_registration(Path("none"))


def test_the_command_ledger_compares_and_brings_up(registered: Project, capsys: pytest.CaptureFixture[str]):
    registered.ledger({"reduced": {"paper/higher": "supported", "paper/seeded": "supported"}})
    assert command("ledger") == 0
    assert "for 2 the ledger does not know what was fixed; python -m harness ledger upgrade adds" in capsys.readouterr().out
    assert command("ledger", "upgrade") == 0
    assert "what is fixed was added to 2 at scale reduced" in capsys.readouterr().out
    assert command("ledger") == 0
    assert "2 of 2 known verdicts are for the claims as they are now" in capsys.readouterr().out
    assert registered.run("claims", "--claims-only", "paper/higher,paper/seeded").ret == 0  # a run draws what the command drew
    edit(registered, "range(8))  # seeds", "range(30))  # seeds")
    assert command("ledger") == 1
    assert "paper/seeded (scale reduced) was changed: seeds 8 → 30, after its verdict was known" in capsys.readouterr().out
    before = registered.ledger()
    assert command("ledger", "upgrade") == 0
    assert registered.ledger() == before


def test_the_command_ledger_says_what_it_lacks(project: Project, monkeypatch, capsys, pytester: pytest.Pytester):
    monkeypatch.chdir(project.path)
    project.claims(SUPPORTED)
    project.file("ledger.json", "{")
    assert command("ledger") == 2
    assert "ledger.json cannot be read" in capsys.readouterr().err
    pytester.makeini("[pytest]\nclaims_folders = claims\n")
    assert command("ledger") == 2
    assert "this project has no ledger" in capsys.readouterr().err
