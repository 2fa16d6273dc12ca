"""The command line: what it says, and one clear line where it cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from harness import cli
from harness.cli.words import size
from harness.errors import ClaimError
from harness.report import assemble, base_row, write_reports
from harness.store import Store

CLAIMS = """
from harness.claim import claim
from harness.source import Source

@claim("paper/higher", statement="The LLC is higher.", source=Source("paper", "A paper").at("I", "q"))
def test_higher():
    raise AssertionError("listing runs nothing")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """Every command is given in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_STORE", raising=False)
    return tmp_path


def run_of(scale="reduced", **reasons):
    rows = [base_row(ClaimError(reason), f"paper/{name}") for name, reason in reasons.items()]
    return assemble(rows, scale=scale, device="cpu", provenance={"started": "2026-01-01T00:00:00+00:00"})


def filled_store(folder="kept") -> Store:
    store = Store(Path(folder))
    for name in ("one", "two"):
        store.cached(name, {}, lambda: pd.DataFrame({"value": [1.0]}))
    return store


def test_runs_become_one_report(folder, capsys):
    write_reports(run_of(first="a"), folder / "one")
    write_reports(run_of(second="b"), folder / "two")
    assert cli.main(["report", "one/claims.json", "two/claims.json", "--out", "both"]) == 0
    files = ["claims.json", "claims.csv", "claims.html", "badge.svg", "history.jsonl"]
    assert capsys.readouterr().out.split() == [f"both/{name}" for name in files]
    merged = json.loads((folder / "both" / "claims.json").read_text(encoding="utf-8"))
    assert [row["id"] for row in merged["rows"]] == ["paper/first", "paper/second"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "none.json"], "cannot read none.json"),
        (["report", "text"], "text is not JSON"),
        (["report", "one/claims.json", "--out", "text/reports"], "cannot write the report into the folder"),
        (["report", "one/claims.json", "smoke/claims.json"], "cannot be merged"),
        (["diff", "one/claims.json", "none.json"], "cannot read none.json"),
        (["diff", "one/claims.json", "one/claims.json", "--html", "text/diff.html"], "cannot write the report into the folder"),
        (["cache", "--store", "none"], "there is no store in"),
        (["cache", "verify", "--store", "none"], "name another with --store DIR or HARNESS_STORE"),
        (["list"], "there is no folder claims"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(folder, capsys, arguments, said):
    write_reports(run_of(first="a"), folder / "one")
    write_reports(run_of(scale="smoke", first="a"), folder / "smoke")
    (folder / "text").write_text("text", encoding="utf-8")
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("python -m harness: ")
    assert error.count("\n") == 1


def test_two_runs_are_compared(folder, capsys):
    run = run_of(first="a", second="b")
    write_reports(run, folder / "old")
    assert cli.main(["diff", "old/claims.json", "old/claims.json"]) == 0
    assert "No demonstrable difference between the two runs." in capsys.readouterr().out
    run["rows"][0] |= {"verdict": "refuted"}
    write_reports(run, folder / "new")
    assert cli.main(["diff", "old/claims.json", "new/claims.json", "--html"]) == 1
    said = capsys.readouterr().out
    assert "! Error → ✗ Refuted  paper/first" in said
    assert said.endswith("as a page: reports/diff.html\n")
    page = (folder / "reports" / "diff.html").read_text(encoding="utf-8")
    assert "1 verdict differs" in page
    assert 'href="../new/claims.html#claim/paper/first"' in page


@pytest.mark.parametrize("command", [[], ["report"], ["diff"], ["cache"], ["data"], ["list"]])
def test_every_command_explains_itself(capsys, command):
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(" ".join(["usage: python -m harness", *command]))


@pytest.mark.parametrize("wrong", [[], ["reports"], ["cache", "empty"], ["report"]])
def test_a_wrong_command_line_is_told_what_is_allowed(capsys, wrong):
    with pytest.raises(SystemExit) as ended:
        cli.main(wrong)
    assert ended.value.code == 2
    assert "usage: python -m harness" in capsys.readouterr().err


def test_the_store_is_listed_checked_and_emptied(folder, capsys):
    store = filled_store()
    (folder / "kept" / "tables" / "aa").mkdir(exist_ok=True)
    mine = folder / "kept" / "tables" / "aa" / "notes.json"
    assert cli.main(["cache", "--store", "kept"]) == 0
    assert "2 tables, " in capsys.readouterr().out
    assert cli.main(["cache", "list", "--entries", "--store", "kept"]) == 0
    assert "what one" in capsys.readouterr().out
    assert cli.main(["cache", "verify", "--store", "kept"]) == 0
    assert "2 of 2 entries are as they were written" in capsys.readouterr().out
    store.entries()[0].path.write_bytes(b"{}")
    assert cli.main(["cache", "verify", "--store", "kept"]) == 1
    found = capsys.readouterr().out
    assert f"damaged: {folder / store.entries()[0].path}" in found
    assert "1 of 2 entries are as they were written" in found
    mine.write_text("not the store's", encoding="utf-8")
    half = mine.with_name(".0123456789abcdef.json-89abcdef.part")  # of a worker that was killed while it wrote
    half.write_text("half", encoding="utf-8")
    twice = mine.with_name("0123456789abcdef.json.damaged-2")
    twice.write_text("set aside", encoding="utf-8")
    mine.with_name("0123456789abcdef.json.damaged").mkdir()  # which the store has not written
    assert cli.main(["cache", "clear", "--store", "kept"]) == 0
    assert not half.exists()
    assert not twice.exists()
    assert " removed from " in capsys.readouterr().out
    assert [entry.path for entry in store.entries()] == [Path("kept/tables/aa/notes.json")]


def test_emptying_asks_a_person_first(folder, capsys, monkeypatch):
    store = filled_store()
    monkeypatch.setattr(cli.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "")
    assert cli.main(["cache", "clear", "--store", "kept"]) == 2
    assert "nothing was removed" in capsys.readouterr().err
    assert len(store.entries()) == 2
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert cli.main(["cache", "clear", "--store", "kept"]) == 0
    assert store.entries() == []


def test_the_store_is_found_by_its_variable(folder, capsys, monkeypatch):
    filled_store()
    monkeypatch.setenv("HARNESS_STORE", "kept")
    assert cli.main(["cache"]) == 0
    assert f"2 entries in {folder / 'kept'}" in capsys.readouterr().out


@pytest.mark.parametrize(("count", "said"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_340_000_000, "2.3 GB")])
def test_sizes(count, said):
    assert size(count) == said


def test_claims_are_listed_without_being_run(folder, capsys):
    (folder / "claims").mkdir()
    (folder / "claims" / "test_listed.py").write_text(
        ("from harness import Theorem\n" + CLAIMS).replace("))\ndef", "), prediction=Theorem(5))\ndef"), encoding="utf-8"
    )
    assert cli.main(["list"]) == 0
    said = capsys.readouterr()
    assert said.out == "paper/higher  The LLC is higher.\n"
    assert said.err == "1 claim in claims\n"
    assert {path.name for path in folder.iterdir()} == {"claims"}


def test_a_claims_module_that_cannot_be_imported_says_why(folder, capsys):
    (folder / "claims").mkdir()
    (folder / "claims" / "test_faulty.py").write_text("import no_such_module\n", encoding="utf-8")
    assert cli.main(["list"]) == 2
    error = capsys.readouterr().err
    assert "No module named 'no_such_module'" in error
    assert error.splitlines()[-1].startswith("python -m harness: the claims in claims could not be collected")


def test_data_says_where_they_would_come_from(folder, capsys, monkeypatch):
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    monkeypatch.setenv("HARNESS_DATA", str(folder / "none"))
    assert cli.main(["data"]) == 1
    assert "MNIST: not available" in capsys.readouterr().out


def test_data_of_the_project_are_registered_by_its_conftest(folder, capsys, monkeypatch):
    monkeypatch.setattr("harness.data.sources._EMBEDDED", {})
    (folder / "conftest.py").write_text(
        "from harness.data import register_embedded\nregister_embedded('mnist', 'here.npz')\n",
        encoding="utf-8",
    )
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    cli.main(["data"])
    assert "here.npz" in capsys.readouterr().out


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "harness", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "usage: python -m harness" in done.stdout


STORY = "What it says.\n\n## I\n\n### first\n\nWhy.\n"


def test_what_is_written_about_a_document_goes_into_the_report(folder, capsys):
    write_reports(run_of(first="a"), folder / "one")
    (folder / "notes").mkdir()
    (folder / "notes" / "paper.md").write_text(STORY, encoding="utf-8")
    assert cli.main(["report", "one/claims.json", "--out", "two", "--stories", "notes"]) == 0
    assert "What it says." in (folder / "two" / "claims.html").read_text(encoding="utf-8")
    assert cli.main(["report", "two/claims.json", "--out", "three"]) == 0
    page = (folder / "three" / "claims.html").read_text(encoding="utf-8")
    assert "What it says." in page, "it travels in claims.json"


def test_stamps_keep_prose_and_verdicts_together(folder, capsys):
    write_reports(run_of(first="a", second="b"), folder / "one")
    (folder / "docs").mkdir()
    story = folder / "docs" / "paper.md"
    story.write_text(STORY, encoding="utf-8")
    command = ["story", "one/claims.json", "--folder", "docs"]
    assert cli.main(command) == 0
    assert "note: nothing is written about second" in capsys.readouterr().out
    assert cli.main([*command, "--write"]) == 0
    assert story.read_text(encoding="utf-8") == STORY.replace("Why.", "**error**\n\nWhy.")
    story.write_text(STORY.replace("Why.", "**refuted**\n\nWhy.") + "\n### third\n\nx\n", encoding="utf-8")
    capsys.readouterr()
    assert cli.main(command) == 1
    said = capsys.readouterr().out
    assert "first: This was written for another verdict (refuted); this run says error." in said
    assert "third is no claim of this run" in said
    assert "2 differences" in said


def test_numbers_of_runs_beside_are_known_at_the_same_scale(folder, capsys):
    """Of another scale only where no claim is told."""
    write_reports(run_of(first="a"), folder / "one")
    for name, scale in (("fresh", "reduced"), ("full", "full")):
        run = run_of(scale, first="a")
        run["rows"][0] |= {"effect": 0.25, "interval": [0.125, 0.375]}
        write_reports(run, folder / name)
    (folder / "docs").mkdir()
    told = "It is 0.25 (0.125 to 0.375).\n"
    (folder / "docs" / "paper.md").write_text(f"## I\n\n### first\n\n{told}\n## What it hangs on\n\n{told}", encoding="utf-8")
    said = {}
    for beside in ("", "fresh", "full"):
        assert (
            cli.main(["story", "one/claims.json", "--folder", "docs", *(["--beside", f"{beside}/claims.json"] * bool(beside))])
            == 0
        )
        said[beside] = [line.split(": ")[2] for line in capsys.readouterr().out.splitlines() if "none of the run" in line]
    assert said == {"": ["first", "What it hangs on"], "fresh": [], "full": ["first"]}


def test_a_folder_without_stories_is_one_line(folder, capsys):
    write_reports(run_of(first="a"), folder / "one")
    assert cli.main(["story", "one/claims.json"]) == 2
    assert "nothing in docs/findings is about a document of this run; write docs/findings/paper.md" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["report", "claims.json", "--table", "markdown"], ["diff", "claims.json", "claims.json"], ["kinds"]],
)
def test_a_reader_that_has_seen_enough_ends_a_command_without_a_word(folder, arguments):
    run = run_of(**{f"claim-{number}": "word " * 40 for number in range(400)})  # more than a pipe holds
    write_reports(run, folder)
    command = [sys.executable, "-m", "harness", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        started.stdout.close()  # before a word is written: importing takes longer than this
        said = started.stderr.read().decode()
    assert said == ""
    assert started.returncode == 141


def test_the_table_of_open_claims_links_only_pages_that_are_there(folder, capsys):
    unusable = {"verdict": "invalid", "document": "paper", "reason": "The evidence cannot be used: no rows."}  # no check failed
    claim = base_row(ClaimError("x"), "paper/one") | unusable
    write_reports(assemble([claim], scale="reduced", device="cpu", provenance={"started": None}), folder)
    assert cli.main(["report", "claims.json", "--table", "undecided"]) == 0
    said = capsys.readouterr().out
    assert "](" not in said
    assert "| paper/one | The evidence cannot be used: no rows. |" in said
    (folder / "docs" / "findings").mkdir(parents=True)
    (folder / "docs" / "findings" / "paper.md").touch()
    assert cli.main(["report", "claims.json", "--table", "undecided"]) == 0
    assert "[one](docs/findings/paper.md#one)" in capsys.readouterr().out
