"""Runs that are cut short: no verdict is lost, old ones stay and say of when they are, and the next run ends as ever."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from papers import HIGHER_SEEDED, REFUTED, SUPPORTED, Project

from harness.cli import main
from harness.pytest_plugin.arriving import sweep
from harness.report import arriving
from harness.report.history import read_history

PATIENCE = 120.0
STOPS = """
import time

@declare("stops")
def test_stops():
    if os.path.exists("stop"):
        open("here", "w").close()
        time.sleep(600)
    return evidence(2.0)
"""
LAST = SUPPORTED.replace("higher", "last")
ENDED = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "KeyboardInterrupt"}


def begun(project: Project, *more: str) -> subprocess.Popen[str]:
    """A session in a process of its own, which has come to where it stops, and has the row of the claim before that."""
    (project.path / "here").unlink(missing_ok=True)
    (project.path / "stop").touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "claims", *more], cwd=project.path, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=heed,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))},
    )  # fmt: skip
    wait(lambda: (project.path / "here").exists() and any(map(judged, rows_left(project))), process)
    return process


def judged(path: Path) -> int:
    """How many rows have come, from a worker perhaps after it has gone on to the next claim."""
    return len(path.read_text(encoding="utf-8").splitlines()) - 1


def heed() -> None:
    """Let SIGINT do what it does in a terminal: who runs tests in the background has it ignored, and processes inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait(until: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE
    while not until():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.02)


def rows_left(project: Project) -> list[Path]:
    return sorted((project.path / "reports").glob(".rows-*.jsonl"))


def history(project: Project) -> list[set[str]]:
    return [set(past["claims"]) for past in read_history(project.path / "reports").records]


@pytest.mark.parametrize("number", list(ENDED), ids=list(ENDED.values()))
@pytest.mark.parametrize("workers", ["0", "1"])
def test_what_was_judged_is_reported_and_the_rest_keeps_its_verdict(project: Project, number: int, workers: str):
    project.claims(REFUTED, STOPS, LAST)
    project.run("claims").assert_outcomes(passed=2, failed=1)
    before = project.rows()
    started = project.report()["provenance"]["started"]
    time.sleep(1.1)  # times of runs are whole seconds
    process = begun(project, "-n", workers)
    process.send_signal(number)
    text, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, text
    after = project.rows()
    assert after["lower"]["as_of"] is None
    for claim in ("stops", "last"):
        assert after[claim] == before[claim] | {"as_of": started, "p_adjusted": after[claim]["p_adjusted"],
                                                "p_adjusted_all": after[claim]["p_adjusted_all"]}  # fmt: skip
    assert "not run now" in text
    assert history(project) == [{"paper/lower", "paper/stops", "paper/last"}, {"paper/lower"}]
    assert "the last run ended before its turn" in (project.path / "reports" / "claims.html").read_text(encoding="utf-8")
    assert rows_left(project) == []


def test_without_an_earlier_run_a_claim_that_did_not_run_says_so(project: Project):
    project.claims(REFUTED, STOPS, LAST)
    process = begun(project)
    process.terminate()
    process.communicate(timeout=PATIENCE)
    rows = project.rows()
    assert rows["lower"]["verdict"] == "refuted"
    assert {rows[claim]["reason"] for claim in ("stops", "last")} == {"not run: the session ended before its turn"}
    assert history(project) == [{"paper/lower"}]


def test_a_claim_that_was_declared_otherwise_keeps_nothing(project: Project):
    project.claims(SUPPORTED, LAST)
    project.run("claims")
    project.claims('@declare("first")\ndef test_first():\n    1 / 0\n', LAST.replace('"last"', '"last", tags=("new",)'),
                   SUPPORTED.replace('"higher"', '"higher", statement="Another one."'))  # fmt: skip
    project.run("claims", "-x")
    rows = project.rows()
    assert rows["last"]["verdict"] == "supported"
    assert rows["higher"]["reason"] == "not run: the session ended before its turn"


def test_a_date_stays_when_a_verdict_is_kept_twice(project: Project):
    project.claims(SUPPORTED)
    project.run("claims")
    started = project.report()["provenance"]["started"]
    project.claims('@declare("first")\ndef test_first():\n    1 / 0\n', SUPPORTED)
    for _ in range(2):
        time.sleep(1.1)
        project.run("claims", "-x")
        assert project.rows()["higher"]["as_of"] == started
    project.run("claims")
    assert project.rows()["higher"]["as_of"] is None


def test_a_kept_verdict_does_not_go_into_the_ledger(project: Project):
    project.claims(SUPPORTED)
    project.run("claims")
    project.claims('@declare("first")\ndef test_first():\n    1 / 0\n', SUPPORTED)
    project.run("claims", "-x", "--claims-update-ledger")
    assert not (project.path / "ledger.json").exists()


def test_a_run_that_is_killed_leaves_its_rows_and_the_next_takes_them_in(project: Project, monkeypatch, capsys):
    project.claims(REFUTED, STOPS, LAST)
    process = begun(project)
    (path,) = rows_left(project)
    monkeypatch.chdir(project.path)
    assert main(["report", str(path), "--out", "meanwhile"]) == 0  # it can be read at any time
    assert {row["id"]: row["verdict"] for row in project.report("meanwhile")["rows"]} == {
        "paper/lower": "refuted", "paper/stops": "error", "paper/last": "error",
    }  # fmt: skip
    assert arriving.left_over(path.parent) == []  # its run goes on
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    with path.open("a") as file:
        file.write('{"id": "paper/last", "verd')  # the machine went down as well
    assert not (project.path / "reports" / "claims.json").exists()
    project.claims('@declare("first")\ndef test_first():\n    1 / 0\n', REFUTED)
    project.run("claims", "-x")
    rows = project.rows()
    assert rows["lower"]["verdict"] == "refuted"
    assert rows["lower"]["as_of"] is not None
    assert rows_left(project) == []


def test_rows_that_a_report_does_not_have_stay(project: Project, told):
    project.claims(REFUTED, STOPS)
    process = begun(project)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    (path,) = rows_left(project)
    (project.path / "stop").unlink()
    text = told(project.run("claims", "--claims-only", "paper/stops"))
    assert f"note: reports/{path.name} has rows of a run that ended without a report" in text
    assert rows_left(project) == [path]
    project.run("claims")
    assert rows_left(project) == []


KILLED = """
import signal

def once(name):
    if os.path.exists(name):
        return
    open(name, "w").close()
    os.kill(os.getpid(), signal.SIGKILL)
"""
IN_TRAINING = """
import harness.training.train as training
train = training.train
def killed(*given, **rest):
    once("trained")
    return train(*given, **rest)
training.train = killed
"""
IN_WRITING = """
from harness.store import files
replace = files.os.replace
class Seam:
    def __getattr__(self, name):
        return getattr(os, name)
    def replace(self, source, target):
        if str(target).endswith(WHAT):
            once("written")
        replace(source, target)
files.os = Seam()
"""
IN_MEASURING = """
run = Lengths.run
def killed(self, population, data, device):
    once("measured")
    return run(self, population, data, device)
Lengths.run = killed
"""


@pytest.mark.parametrize(
    ("seam", "said"),
    [
        (IN_TRAINING, "while training"), (IN_WRITING.replace("WHAT", "'.safetensors'"), "while training"),
        (IN_MEASURING, "while measuring"), (IN_WRITING.replace("WHAT", "'.json'"), "while measuring"),
    ],
    ids=["training", "writing a network", "measuring", "writing a table"],
)  # fmt: skip
def test_a_worker_that_is_killed_costs_its_claim_and_no_digit(project: Project, seam: str, said: str):
    seeded = HIGHER_SEEDED.replace(
        "    harness.store.measure([members(harness)], Lengths(1.0))\n    return evidence(1.0)",
        "    lengths = harness.store.measure([members(harness)], Lengths(1.0))['length']\n"
        "    return evidence(1.0, settings={'lengths': lengths.tolist()})",
    )
    project.claims(seeded)
    project.run("claims", "--claims-store", "undisturbed")
    undisturbed = project.rows()["seeded"]
    project.claims(KILLED, seeded, seam, SUPPORTED)
    project.run_shared("claims", "-n", "1").assert_outcomes(passed=1, errors=1)
    rows = project.rows()
    assert rows["higher"]["verdict"] == "supported"
    assert rows["seeded"]["reason"].startswith("the worker running it died")
    assert said in rows["seeded"]["reason"]
    project.run_shared("claims", "-n", "1").assert_outcomes(passed=2)
    again = project.rows()["seeded"]
    assert again["settings"] == undisturbed["settings"]
    assert (again["effect"], again["interval"], again["p"]) == tuple(undisturbed[name] for name in ("effect", "interval", "p"))


def test_a_disk_that_fills_up_is_told_once_and_costs_no_verdict(project: Project, told, monkeypatch):
    project.claims(REFUTED, SUPPORTED, LAST)
    written: list[Any] = []

    def full(self: arriving.RowFile, row: dict[str, Any]) -> None:
        written.append(row["id"])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(arriving.RowFile, "add", full)
    result = project.run("claims")
    text = told(result)
    assert text.count("No space left on device") == 1
    assert "note: from paper/lower on, rows could not be kept" in text
    assert len(written) == 1
    assert {row["verdict"] for row in project.rows().values()} == {"refuted", "supported"}


def test_a_report_that_cannot_be_written_in_the_end_leaves_the_rows(project: Project, told, monkeypatch):
    project.claims(SUPPORTED)
    monkeypatch.setattr("harness.report.write.os.replace", _full)
    result = project.run("claims")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = told(result)
    assert "✓ SUPPORTED" in text
    assert text.count("ERROR: cannot write the report into the folder") == 1
    (path,) = rows_left(project)
    assert f"the rows of this run are in reports/{path.name}: python -m harness report" in text
    monkeypatch.undo()
    run = arriving.read_rows(path)
    assert [row["verdict"] for row in run["rows"]] == ["supported"]


def test_a_page_that_cannot_be_drawn_costs_no_number(project: Project, told, monkeypatch):
    project.claims(SUPPORTED)

    def broken(*_: object, **__: object) -> str:
        raise ZeroDivisionError("a picture of nothing")

    monkeypatch.setattr("harness.report.write.render", broken)
    result = project.run("claims")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "a picture of nothing" in told(result)
    assert project.rows()["higher"]["verdict"] == "supported"
    assert history(project) == [{"paper/higher"}]


def test_a_second_sigterm_does_not_wait(project: Project):
    handler = signal.getsignal(signal.SIGTERM)
    project.claims(SUPPORTED)
    project.run("claims")
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_line_of_the_file_is_the_row_of_the_report(project: Project, monkeypatch):
    project.claims(SUPPORTED, REFUTED)
    kept: list[dict[str, Any]] = []
    remove = arriving.RowFile.remove

    def read_first(self: arriving.RowFile) -> None:
        kept.extend(json.loads(line) for line in self.path.read_text().splitlines())
        remove(self)

    monkeypatch.setattr(arriving.RowFile, "remove", read_first)
    project.run("claims")
    begun, *rows = kept
    assert [row["id"] for row in rows] == [row["id"] for row in begun["rows"]]
    for row in rows:
        reported = project.rows()[row["id"].split("/")[1]]
        assert {**row, "p_adjusted": None, "p_adjusted_all": None, "survives": None} == {
            **reported, "p_adjusted": None, "p_adjusted_all": None, "survives": None,
        }  # fmt: skip


def test_folders_of_killed_runs_go_and_no_others(tmp_path: Path):
    old, fresh, busy, others = (tmp_path / f"claims-{letter * 32}" for letter in ("a", "b", "c", "x"))
    for folder in (old, fresh, busy, others):
        folder.mkdir()
        (folder / "heartbeat-main.jsonl").write_text("{}")
    long_ago = time.time() - 2 * 24 * 3600
    for folder in (old, busy, others):
        os.utime(folder / "heartbeat-main.jsonl", (long_ago, long_ago if folder != busy else time.time()))
        os.utime(folder, (long_ago, long_ago))
    sweep(tmp_path)
    assert not old.exists()
    assert all(folder.exists() for folder in (fresh, busy, others))


DIVERGES = """
from harness.data import ToyImages
from harness.optimiser import SGD
from harness.recipe import MLP, Recipe

@declare("diverges")
def test_diverges(harness):
    harness.store.population(Recipe(ToyImages(train=24), MLP((2,)), epochs=3, optimiser=SGD(1e30)), range(2))
    return evidence(1.0)
"""


def test_training_that_diverges_is_invalid_in_a_sentence_and_nothing_of_it_is_stored(project: Project):
    project.claims(DIVERGES, SUPPORTED)
    project.run("claims").assert_outcomes(passed=1, failed=1)
    row = project.rows()["diverges"]
    assert row["verdict"] == "invalid"
    assert "diverged for seeds [0, 1]: a parameter is not finite; lower the learning rate" in row["reason"]
    assert "\n" not in row["reason"]
    assert list((project.path / ".harness").rglob("*.safetensors")) == []


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")
