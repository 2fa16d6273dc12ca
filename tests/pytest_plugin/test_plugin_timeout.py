"""Claims that never return: their rows say so, the others are judged, and the store is as if they had never been."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from filelock import FileLock
from papers import BROKEN, HIGHER_SEEDED, SUPPORTED, Project

from harness import deadline

STUCK = """
import threading, time

@declare("loops")
def test_loops():
    while True:
        try:
            sum(range(1000))
        except Exception:
            pass

@declare("sleeps")
def test_sleeps():
    time.sleep(600)

@declare("waits")
def test_waits():
    held = threading.Lock()
    held.acquire()
    held.acquire()

@declare("unset")
def test_unset(sleeps):
    return evidence(1.0)

@pytest.fixture
def sleeps():
    time.sleep(600)
"""
TRAINING = (
    HIGHER_SEEDED.replace("@declare", "import harness.training.train as training\nimport time\n\n@declare")
    + """
train = training.train

def slow(recipe, data, seeds, **rest):
    kept = train(recipe, data, seeds, **rest)
    while not os.path.exists("fast"):
        time.sleep(0.05)
    return kept

training.train = slow

@declare("again")
def test_again(harness):
    with open("fast", "w"):
        pass
    raise RuntimeError(f"{len(members(harness).final)} are trained")
"""
)
MEASURING = HIGHER_SEEDED.replace(
    "        return pd.DataFrame", "        import time\n        time.sleep(600)\n        return pd.DataFrame"
)
IN_C = """
import hashlib

@declare("compiled")
def test_compiled():
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 2_000_000_000)
"""
WARM = """
import pandas, scipy.stats, torch
import harness.deadline, harness.judge, harness.measure.walk, harness.predict, harness.stats, harness.training.train
import scipy.optimize, scipy.special
"""  # what a claim would import within its time, which takes seconds where others compute
SHORT = ("claims", "--claims-timeout", "2", "-n", "0")


def parts_left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith(".part")]


def test_every_kind_of_waiting_ends_and_the_others_are_judged(project: Project):
    project.claims(STUCK, SUPPORTED)
    result = project.run(*SHORT)
    result.assert_outcomes(passed=1, errors=4)
    assert result.ret == 1
    rows = project.rows()
    assert rows.pop("higher")["verdict"] == "supported"
    assert {row["verdict"] for row in rows.values()} == {"error"}
    assert {row["reason"] for row in rows.values()} == {"did not return within 2 s"}
    assert rows["sleeps"]["error"].splitlines()[1].startswith("claims/test_paper.py:")
    assert all(1.9 < row["seconds"] < 60 for row in rows.values())


def test_workers_go_on_too(project: Project):
    project.claims(STUCK, BROKEN)
    project.file("conftest.py", WARM)
    project.run_shared("claims", "--claims-timeout", "5", "-n", "2").assert_outcomes(errors=5)
    rows = project.rows()
    assert "the sampler diverged" in rows.pop("broken")["reason"]
    assert {row["reason"] for row in rows.values()} == {"did not return within 5 s"}


@pytest.mark.parametrize(
    ("body", "doing"), [(TRAINING, "training 1x2 standard"), (MEASURING, "measuring 1x2 standard, lengths")]
)
def test_what_it_was_doing_is_said_and_nothing_half_done_is_left(project: Project, body: str, doing: str):
    if doing.startswith("measuring"):
        project.claims(HIGHER_SEEDED)
        project.run("claims")  # the networks are there
    project.claims(body)
    project.file("conftest.py", WARM)
    project.run_apart("claims", "--claims-timeout", "8", "-n", "0")  # a process of its own: the body patches the training
    rows = project.rows()
    assert rows["seeded"]["reason"] == f"did not return within 8 s, while {doing}"
    store = project.path / ".harness"
    assert parts_left(store) == []
    for path in (store / "locks").glob("*.lock"):
        with FileLock(path, timeout=0):
            pass
    if "again" in rows:  # the same study, in the same process: it is neither remembered as failed nor locked
        assert rows["again"]["reason"] == "could not be run: RuntimeError: 8 are trained"


def test_the_ini_option_does_the_same_and_the_command_line_wins(project: Project):
    project.claims('import time\n@declare("slow")\ndef test_slow():\n    time.sleep(1)\n    return evidence(1.0)\n')
    project.file("pytest.ini", (project.path / "tox.ini").read_text() + "\nclaims_timeout = 0.2\n")
    project.run("claims").assert_outcomes(errors=1)
    assert project.rows()["slow"]["reason"] == "did not return within 0.2 s"
    project.run("claims", "--claims-timeout", "60").assert_outcomes(passed=1)


def test_a_worker_that_does_not_come_back_is_ended(project: Project):
    project.claims(IN_C, BROKEN)
    project.file("conftest.py", WARM + "harness.deadline.GRACE = 0.5\n")
    began = time.monotonic()
    project.run_shared("claims", "--claims-timeout", "8", "-n", "2").assert_outcomes(errors=2)
    assert time.monotonic() - began < 300
    rows = project.rows()
    assert "the sampler diverged" in rows["broken"]["reason"]
    assert rows["compiled"]["reason"].startswith(
        "did not return within 8 s, in a call that cannot be interrupted, test_compiled (claims/test_paper.py:"
    )
    assert rows["compiled"]["reason"].endswith("; its worker was ended")


def test_fixtures_that_never_end_cost_no_verdict(project: Project):
    project.claims(SUPPORTED)
    project.file("conftest.py", "import time\n\ndef pytest_runtest_teardown():\n    time.sleep(600)\n")
    project.run(*SHORT).assert_outcomes(passed=1, errors=1)
    assert project.rows()["higher"]["verdict"] == "supported"


@pytest.mark.parametrize("given", ["0", "-1", "nan", "inf"])
def test_what_is_no_time_is_refused(project: Project, told, given: str):
    project.claims(SUPPORTED)
    result = project.run("claims", "--claims-timeout", given)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "give a number of seconds above 0" in told(result)
    project.file("pytest.ini", (project.path / "tox.ini").read_text() + "\nclaims_timeout = soon\n")
    assert "claims_timeout = soon: give a number of seconds" in told(project.run("claims"))


def test_a_system_without_a_timer_says_so(project: Project, told, monkeypatch):
    monkeypatch.setattr(deadline, "CAN_INTERRUPT", False)
    monkeypatch.setattr("harness.pytest_plugin.timeout.CAN_INTERRUPT", False)
    project.claims(SUPPORTED)
    assert "add -n 1" in told(project.run("claims", "--claims-timeout", "5", "-n", "0"))


def test_other_tests_are_left_alone(project: Project):
    project.file("test_other.py", "import time\n\ndef test_other():\n    time.sleep(0.5)\n")
    project.run("test_other.py", "--claims-timeout", "0.1").assert_outcomes(passed=1)
