"""A SLURM that is really there: arrays, requeues, cancelled shards and time limits, against the same work done here.

    HARNESS_TEST_SLURM=1 pytest tests/engines/test_real_slurm.py

The SLURM has to be one of a single node, which is this machine, since jobs are watched by their processes; see docs/scaling.md.
With the other tests run the stand-ins of test_slurm.py, which do what was seen here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from engine_recipes import at_work, noted_of, shards_trained
from engine_samples import lengths_of

from harness.engines.slurm import SlurmEngine
from harness.store import Store

pytestmark = pytest.mark.skipif(
    os.environ.get("HARNESS_TEST_SLURM") != "1" or shutil.which("sbatch") is None,
    reason="needs a SLURM: set HARNESS_TEST_SLURM=1 on a machine that may submit",
)
SEEDS = range(3)
RECIPES = [noted_of(width) for width in (4, 5)]
PATIENCE = 240.0


def told(*command: str) -> list[str]:
    """Lines that a command of SLURM says."""
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split("\n")[:-1]


def running() -> list[str]:
    """Jobs of ours that run, as ARRAY_TASK."""
    return told("squeue", "--me", "--noheader", "--array", "--states=RUNNING", "--name=claims", "--format=%i")


def until(what: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.2)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone_after(diary: Path, *command: str) -> None:
    """Do something to a job, which goes on slowly until SLURM has killed it: it has some seconds (KillWait) to go on."""
    processes = at_work(diary)
    told(*command, running()[0])
    until(lambda: not all(map(alive, processes)))


class Disturbed:
    """Does something to the jobs as soon as so many processes are at work, then lets them go on at full speed."""

    def __init__(self, diary: Path, disturb: Callable[[], object], at_least: int = 2) -> None:
        self._diary, self._disturb, self._least = diary, disturb, at_least
        self.failed: BaseException | None = None
        self._thread = threading.Thread(target=self._wait)

    def __enter__(self) -> Disturbed:
        (self._diary / "slowly").write_text("5.0")
        self._thread.start()
        return self

    def _wait(self) -> None:
        try:
            until(lambda: len(at_work(self._diary)) >= self._least)
            self._disturb()
        except BaseException as problem:
            self.failed = problem
        finally:
            (self._diary / "slowly").unlink(missing_ok=True)

    def __exit__(self, *raised: object) -> None:
        self._thread.join()
        assert self.failed is None, self.failed


def made(tmp_path: Path, engine: SlurmEngine, recipes: Sequence = RECIPES) -> None:
    """The networks, by SLURM and here, are the same to the last digit."""
    store = Store(tmp_path / "store", engine=engine)
    found = lengths_of(store, recipes, SEEDS)
    engine.close()
    assert found == lengths_of(Store(tmp_path / "here"), recipes, SEEDS)


def test_an_array_makes_what_this_process_makes(tmp_path, diary):
    made(tmp_path, SlurmEngine(minutes=5))
    assert shards_trained(diary) == (4, 0)  # two by the jobs, two here
    assert list((tmp_path / "store" / "jobs").iterdir()) == []


def test_a_job_that_is_requeued_by_hand_is_trained_to_the_end(tmp_path, diary):
    with Disturbed(diary, lambda: gone_after(diary, "scontrol", "requeue")):
        made(tmp_path, SlurmEngine(minutes=5))
    assert shards_trained(diary) == (4, 1)


def test_a_shard_that_is_cancelled_is_sent_again(tmp_path, diary):
    with Disturbed(diary, lambda: gone_after(diary, "scancel")):
        made(tmp_path, SlurmEngine(minutes=5))
    assert shards_trained(diary) == (4, 1)


def test_a_node_that_loses_a_job_is_worked_around(tmp_path, diary):
    """The process is killed where it runs, as by a node that is out of memory."""
    with Disturbed(diary, lambda: os.kill(at_work(diary)[0], 9)):
        made(tmp_path, SlurmEngine(minutes=5))
    assert shards_trained(diary) == (4, 1)


def test_a_job_that_is_out_of_time_is_queued_again(tmp_path, diary):
    """SLURM signals 20 seconds before a limit of one minute; the job gives itself back and skips what is stored."""
    with Disturbed(diary, lambda: until(lambda: not any(map(alive, at_work(diary))))):
        made(tmp_path, SlurmEngine(minutes=1))
    finished, left = shards_trained(diary)
    assert finished == 4
    assert left >= 1


def test_a_job_that_makes_way_for_another_is_queued_again(tmp_path, diary):
    """Preemption, where the cluster has a partition of its own for what is urgent (HARNESS_TEST_SLURM_URGENT)."""
    urgent = os.environ.get("HARNESS_TEST_SLURM_URGENT")
    if not urgent:
        pytest.skip("HARNESS_TEST_SLURM_URGENT names no partition")

    def preempt() -> None:
        told("sbatch", f"--partition={urgent}", "--exclusive", "--time=1", f"--output={tmp_path}/urgent", "--wrap=sleep 3")
        processes = at_work(diary)
        until(lambda: not any(map(alive, processes)))

    with Disturbed(diary, preempt):
        made(tmp_path, SlurmEngine(minutes=5))
    assert shards_trained(diary) == (4, 2)
