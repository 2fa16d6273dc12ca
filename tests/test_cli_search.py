"""``python -m harness search``: what it prints of a run, and one clear line where it cannot."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from harness import cli
from harness.errors import ClaimError
from harness.pytest_plugin import collect
from harness.report import assemble, base_row


def run_of(**searches) -> dict:
    rows = [base_row(ClaimError("no"), f"paper/{name}") | {"search": found} for name, found in searches.items()]
    return assemble(rows, scale="reduced", device="cpu", provenance={"started": "2026-01-01T00:00:00+00:00"})


def found(**more) -> dict:
    return {"looked_for": "refuted", "trials": [], "found": None, "confirmed": None, "confirmation": None, "reason": "", **more}


def test_the_table_has_a_line_for_each_claim_that_was_searched(tmp_path, capsys):
    shares = [{"verdict": "supported", "count": 9, "of": 12, "interval": [0.4, 0.9]}]
    path = tmp_path / "claims.json"
    path.write_text(json.dumps(run_of(first=found(shares=shares), second=None, third=found(broke="ValueError: no"))))
    assert cli.main(["search", "--table", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "- `paper/first`: error at its defaults; of 12 even settings 9 supported.",
        "- `paper/third`: error at its defaults; its search broke: ValueError: no.",
    ]


def test_a_run_without_searches_says_how_to_make_one(tmp_path, capsys):
    path = tmp_path / "claims.json"
    path.write_text(json.dumps(run_of(first=None)))
    assert cli.main(["search", "--table", str(path)]) == 1
    assert "run it with --claims-search N" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rows": 3}', '{"rows": [3]}'])
def test_a_file_that_is_no_run_is_refused_in_one_line(tmp_path, capsys, text):
    path = tmp_path / "claims.json"
    path.write_text(text)
    assert cli.main(["search", "--table", str(path)]) != 0
    said = capsys.readouterr().err.strip()
    assert "is no claims.json of a run" in said
    assert len(said.splitlines()) == 1


def test_without_a_claim_it_says_what_it_takes(capsys):
    assert cli.main(["search"]) != 0
    assert "name a claim to search, or a run's claims.json with --table FILE" in capsys.readouterr().err


@pytest.fixture
def sessions(tmp_path, monkeypatch) -> list[tuple[str, ...]]:
    """Arguments of the sessions that search, in place of which a run is written."""
    begun: list[tuple[str, ...]] = []

    def session(*arguments: str, **more) -> tuple[int, str]:
        if "--claims-search" in arguments:
            begun.append(arguments)
            (tmp_path / "claims.json").write_text(json.dumps(run_of(first=found(reason="It holds everywhere."))))
        return 0, ""

    monkeypatch.setattr(cli, "collected", lambda folder: ["first"])
    monkeypatch.setattr(collect, "claim_id", lambda item: f"paper/{item}")
    monkeypatch.setattr(cli, "run_pytest", session)
    return begun


@pytest.mark.parametrize("workers", [1, 3])
def test_what_is_asked_for_reaches_the_session(tmp_path, sessions, capsys, workers):
    asked = ["--examples", "7", "--minutes", "2", "--workers", str(workers), "--scale", "smoke", "--store", str(tmp_path)]
    assert cli.main(["search", "paper/first", "--out", str(tmp_path), *asked]) == 0
    assert "It holds everywhere." in capsys.readouterr().out
    assert [dict(zip(each[1::2], each[2::2], strict=False)) for each in sessions] == [
        {
            "--claims-only": "paper/first", "--claims-search": "7", "--claims-search-minutes": "2.0",
            "--claims-search-workers": str(workers), "--claims-scale": "smoke", "--claims-store": str(tmp_path),
            "--claims-report": str(tmp_path),
        }
    ]  # fmt: skip


def test_an_engine_reaches_the_session_with_all_its_options(tmp_path, sessions):
    asked = ["search", "paper/first", "--out", str(tmp_path), "--engine", "ray", "--device", "cpu"]
    assert cli.main([*asked, "--engine-option", "address=auto", "--engine-option", "cpus=2"]) == 0
    (given,) = sessions
    assert given[given.index("--claims-engine") + 1] == "ray"
    assert given[given.index("--claims-device") + 1] == "cpu"
    assert [after for name, after in pairwise(given) if name == "--claims-engine-option"] == ["address=auto", "cpus=2"]


def test_processes_of_this_machine_are_not_those_of_an_engine(sessions, capsys):
    assert cli.main(["search", "paper/first", "--engine", "slurm", "--workers", "2"]) == 2
    assert "--workers 2 is for processes on this machine; the engine slurm shares" in capsys.readouterr().err
    assert sessions == []


@pytest.mark.parametrize("written", [True, False])
def test_an_interruption_is_told_in_a_sentence_that_says_how_to_go_on(tmp_path, sessions, monkeypatch, capsys, written):
    def interrupted(*arguments: str, **more) -> tuple[int, str]:
        if written:  # a report of what was judged before, of which the claim is none
            (tmp_path / "claims.json").write_text(json.dumps(run_of()))
        return 2, ""

    monkeypatch.setattr(cli, "run_pytest", interrupted)
    assert cli.main(["search", "paper/first", "--out", str(tmp_path)]) != 0
    said = capsys.readouterr().err
    assert "the settings of paper/first that were judged, and all networks, are kept in the store" in said
    assert "the same command goes on with the others" in said
    assert len(said.splitlines()) == 1
