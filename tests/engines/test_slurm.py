"""SLURM: what sbatch is given, what its arrays make, and what becomes of jobs that are killed, preempted or late.

The commands of SLURM are stand-ins that keep what they were given; arrays of theirs run as processes of this machine.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import threading
import time
from pathlib import Path

import pytest
from engine_recipes import OTHER, TUNED, at_work, noted_of, shards_trained
from engine_samples import Inline, lengths_of

pytest.importorskip("submitit", reason="submitit is not installed: pip install 'claims-harness[slurm]'")

from harness.device import DeviceError
from harness.engines import EngineError, engine_of
from harness.engines.slurm import SlurmEngine
from harness.store import Store

SEEDS = range(3)
RECIPES = [noted_of(width) for width in (4, 5)]
SBATCH = """#!/bin/bash
count=$(cat "$FAKE/count" 2>/dev/null || echo 6)
id=$((count + 1))
echo $id > "$FAKE/count"
cp "$1" "$FAKE/script-$id"
echo "Submitted batch job $id"
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\)%.*/\\1/p' "$1")
for index in $(seq 0 ${last:-0}); do
  name=$id; [ -n "$last" ] && name=${id}_$index
  touch "$FAKE/queue/$name"
  [ -e "$FAKE/hold" ] && continue
  ( export SLURM_JOB_ID=$id SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1 SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0
    [ -n "$last" ] && export SLURM_ARRAY_JOB_ID=$id SLURM_ARRAY_TASK_ID=$index
    bash "$FAKE/script-$id"; rm -f "$FAKE/queue/$name" ) > "$FAKE/log-$name" 2>&1 &
done
"""
SRUN = """#!/bin/bash
while [ "$1" != "${1#--}" ]; do case "$1" in --output|--error) shift 2;; *) shift;; esac; done
exec "$@"
"""
SQUEUE = """#!/bin/bash
state=RUNNING; [ -e "$FAKE/hold" ] && state=PENDING
for job in "$FAKE"/queue/*; do [ -e "$job" ] && echo "$(basename "$job") $state"; done
exit 0
"""
SCANCEL = """#!/bin/bash
echo "$@" >> "$FAKE/cancelled"
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A folder in which the stand-ins of SLURM's commands keep what they are given."""
    folder = tmp_path / "slurm"
    (folder / "queue").mkdir(parents=True)
    for name, text in {"sbatch": SBATCH, "srun": SRUN, "squeue": SQUEUE, "scancel": SCANCEL}.items():
        (folder / name).write_text(text)
        (folder / name).chmod((folder / name).stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("FAKE", str(folder))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("harness.engines.slurm.ASKED", 0.2)
    return folder


def test_an_array_is_one_script_with_every_option_and_makes_what_this_process_makes(slurm, diary, tmp_path):
    engine = engine_of(
        "slurm", {"minutes": "90", "cpus": "2", "parallel": "8", "partition": "long", "exclusive": "", "mem": "4G"}
    )
    store = Store(tmp_path / "store", engine=engine)
    found = lengths_of(store, RECIPES, SEEDS)
    script = (slurm / "script-7").read_text()
    given = set(re.findall(r"^#SBATCH --(.*)$", script, re.MULTILINE))
    assert given >= {
        "array=0-1%2", "time=90", "cpus-per-task=2", "partition=long", "exclusive", "mem=4G", "requeue", "signal=USR2@90",
        "job-name=claims", "nodes=1", "open-mode=append",
    }  # fmt: skip
    assert not any(each.startswith("gpus") for each in given)
    assert "-u -m submitit.core._submit" in script
    assert not (slurm / "script-8").exists()
    assert (slurm / "queue").exists()
    assert shards_trained(diary) == (2, 0)
    engine.close()
    assert list((store.folder / "jobs").iterdir()) == []
    assert found == lengths_of(Store(tmp_path / "here"), RECIPES, SEEDS)


def test_jobs_wait_in_a_queue_as_long_as_it_takes_and_are_lost_when_they_are_gone(slurm, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.engines.slurm.GONE", 0.3)
    (slurm / "hold").touch()
    engine = SlurmEngine()
    engine.patience = 0.3
    (tmp_path / "store" / "jobs").mkdir(parents=True)
    store = Store(tmp_path / "store", engine=Inline())
    store.population(OTHER, SEEDS)
    (future,) = engine.submit(store.engine.sent)
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        assert (future.done(), future.waiting()) == (False, True)
        time.sleep(0.1)
    (slurm / "queue" / "7").unlink()  # scancel, or a node that died
    end = time.monotonic() + 10
    while not future.done():
        assert time.monotonic() < end
        time.sleep(0.05)
    with pytest.raises(Exception, match=r"job 7 ended without an answer; its log is .*7_0_log.err"):
        future.result()
    future.cancel()
    assert (slurm / "cancelled").read_text() == "7\n"
    engine.close()
    assert any((store.folder / "jobs").iterdir())  # logs of what was lost stay


def test_a_job_that_was_queued_again_although_its_entries_are_there_is_taken_back(slurm, tmp_path, monkeypatch):
    """SLURM requeues a job by hand or for another, and a job has some seconds to finish; the queue is left empty."""
    monkeypatch.setattr("harness.engines.dispatch.GRACE", 0.5)
    (slurm / "hold").touch()
    engine = SlurmEngine()
    store, made = Store(tmp_path / "store", engine=engine), Store(tmp_path / "made")
    made.population(OTHER, SEEDS)
    seen: list[str] = []

    def work() -> None:
        end = time.monotonic() + 30
        while not (slurm / "queue" / "7").exists() and time.monotonic() < end:
            time.sleep(0.05)
        shutil.copytree(made.folder / "members", store.folder / "members", dirs_exist_ok=True)  # as the job did before
        seen.append("made")

    worker = threading.Thread(target=work)
    worker.start()
    store.population(OTHER, SEEDS)
    worker.join()
    engine.close()
    assert seen == ["made"]
    assert (slurm / "cancelled").read_text() == "7\n"


def test_a_job_that_is_killed_and_one_that_is_out_of_time_are_trained_to_the_end(diary, tmp_path):
    """By submitit's own executor on this machine: one process dies, one is told that its time is over and is queued again."""
    (diary / "slowly").write_text("0.2")
    engine = SlurmEngine(cluster="local", minutes=60)
    told: list[int] = []

    def disturb() -> None:
        end = time.monotonic() + 60
        while len(told) < 2 and time.monotonic() < end:
            for process in at_work(diary):
                if len(told) < 2 and process not in told:
                    os.kill(process, (signal.SIGKILL, signal.SIGUSR2)[len(told)])
                    told.append(process)
            time.sleep(0.02)
        (diary / "slowly").unlink()

    disturber = threading.Thread(target=disturb)
    disturber.start()
    store = Store(tmp_path / "store", engine=engine)
    found = lengths_of(store, RECIPES, SEEDS)
    disturber.join()
    engine.close()
    assert len(told) == 2
    assert shards_trained(diary) == (2, 2)  # nothing is trained twice but what the two held
    assert found == lengths_of(Store(tmp_path / "here"), RECIPES, SEEDS)


def test_the_signal_comes_before_the_end_whatever_the_limit(slurm, tmp_path):
    """With a delay as long as the limit submitit never asks a job to give itself back."""
    for minutes in (1, 2, 10, 600):
        executor = SlurmEngine(cluster="local", minutes=minutes)._opened(tmp_path)
        assert 1 <= executor.parameters["signal_delay_s"] <= minutes * 60 // 3


@pytest.mark.parametrize(
    ("options", "choice", "device"),
    [({}, "auto", "cpu"), ({"gpus": "1"}, "auto", "cuda"), ({"gres": "gpu:1"}, "auto", "cuda"), ({"gpus": "2"}, "cpu", "cpu")],
)
def test_the_device_is_that_of_the_jobs_and_not_of_this_machine(options, choice, device):
    assert engine_of("slurm", options, choice=choice).device(choice) == device


def test_gpus_are_asked_for(slurm, tmp_path):
    text = SlurmEngine(gpus=2)._opened(tmp_path)._make_submission_file_text("command", "id")
    assert "#SBATCH --gpus-per-node=2" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cluster": "here"}, "cluster=here: there is slurm, and local"),
        ({"time": "5"}, "time is not passed on to sbatch: give minutes="),
        ({"output": "x"}, "output is not passed on to sbatch: the harness needs it"),
        ({"gpus": "0.5"}, "gpus=0.5 is not what the option gpus of the engine slurm takes"),
        ({"minutes": "0"}, "minutes=0 is not what the option minutes"),
    ],
)
def test_what_slurm_cannot_be_told_is_said(options, said):
    with pytest.raises(EngineError, match=said):
        engine_of("slurm", options)


def test_a_machine_without_slurm_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="there is no SLURM on this machine"):
        Store(tmp_path / "store", engine=SlurmEngine()).population(TUNED, SEEDS)
    with pytest.raises(DeviceError, match="jobs that ask for gpus=0 have no CUDA device"):
        SlurmEngine().device("cuda")


def test_what_sbatch_refuses_is_said(slurm, tmp_path):
    (slurm / "sbatch").write_text("#!/bin/bash\necho 'sbatch: error: invalid partition specified: none' >&2; exit 1\n")
    with pytest.raises(EngineError, match=r"SLURM takes no job: .*invalid partition"):
        Store(tmp_path / "store", engine=SlurmEngine(sbatch={"partition": "none"})).population(TUNED, SEEDS)
    assert Path(tmp_path / "store" / "members").exists() is False
