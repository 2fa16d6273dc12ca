"""Processes on this machine: what they make, and what becomes of it when one dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from engine_recipes import TUNED, Lengths, at_work, noted_of, shards_trained
from engine_samples import lengths_of

from harness.engines import EngineError, engine_of
from harness.engines.local import LocalEngine
from harness.store import Store

SEEDS = range(3)
RECIPES = [noted_of(width) for width in (4, 5, 6)]


@pytest.fixture
def engine():
    made = LocalEngine(workers=1)
    yield made
    made.close()


def test_processes_make_what_this_one_makes_each_once(engine, diary, tmp_path):
    store, here = Store(tmp_path / "store", engine=engine), Store(tmp_path / "here")
    assert lengths_of(store, [*RECIPES, TUNED], SEEDS) == lengths_of(here, [*RECIPES, TUNED], SEEDS)
    assert shards_trained(diary) == (2 * len(RECIPES), 0)  # there and here
    found = [each.measure(each.populations(RECIPES, SEEDS), Lengths()) for each in (store, here)]
    pd.testing.assert_frame_equal(*found)
    names = [{entry.path.name for entry in each.entries()} for each in (store, here)]
    assert names[0] == names[1]


def test_a_process_that_is_killed_costs_what_it_held(engine, diary, tmp_path):
    (diary / "slowly").write_text("0.3")
    killed: list[int] = []

    def kill() -> None:
        while not killed:
            if found := at_work(diary):
                os.kill(found[0], signal.SIGKILL)
                killed.append(found[0])
                (diary / "slowly").unlink()
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    store = Store(tmp_path / "store", engine=engine)
    found = lengths_of(store, RECIPES, SEEDS)
    killer.join()
    assert killed
    done, left = shards_trained(diary)
    assert (done, left) == (len(RECIPES), 1)  # nothing is trained twice but what it held
    assert found == lengths_of(Store(tmp_path / "here"), RECIPES, SEEDS)


HOST = """
import sys, time
from pathlib import Path
from filelock import FileLock
from engine_recipes import noted_of
from engine_samples import Inline, lengths_of
from harness.store import Store

def main(folder, go):
    FileLock.acquire = lambda lock, **rest: None  # says yes to everybody
    while not go.exists():
        time.sleep(0.01)
    print(lengths_of(Store(folder, engine=Inline()), [noted_of(4), noted_of(5)], range(3)))

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_two_hosts_with_a_lock_that_does_not_work_do_no_harm(diary, tmp_path):
    (tmp_path / "host.py").write_text(HOST)
    folders = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, str(tmp_path / "host.py"), str(tmp_path / "store"), str(tmp_path / "go")]
    hosts = [
        subprocess.Popen(command, env=os.environ | {"PYTHONPATH": folders}, stdout=subprocess.PIPE, text=True) for _ in "ab"
    ]
    (tmp_path / "go").touch()
    said = {host.communicate(timeout=60)[0] for host in hosts}
    assert 2 <= shards_trained(diary)[0] <= 4
    assert [host.returncode for host in hosts] == [0, 0]
    assert len(said) == 1
    store = Store(tmp_path / "store")
    assert said == {f"{lengths_of(store, RECIPES[:2], SEEDS)}\n"}
    assert [entry.valid() for entry in store.entries()] == [True] * 6


PARENT = """
import os, time
from harness.engines.local import LocalEngine

if __name__ == "__main__":
    engine = LocalEngine(workers=1)
    print(engine._open().submit(os.getpid).result(), flush=True)
    time.sleep(60)
"""


def test_processes_end_with_who_started_them(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, tmp_path / "parent.py"], env=environment, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("the process lives on")


def test_every_process_sees_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr("harness.device.gpus", lambda: ("0", "GPU-7"))
    engine = LocalEngine(uses="cuda")
    pool = engine._open()
    seen = {pool.submit(os.getenv, "CUDA_VISIBLE_DEVICES").result(timeout=30) for _ in range(2)}
    assert engine.at_once == 4
    engine.close()
    assert seen <= {"0", "GPU-7"}
    assert seen


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("dask", {}, "there is no engine 'dask'; choose one of local, ray, slurm"),
        ("local", {"workers": "0"}, "workers=0 is not what the option workers of the engine local takes: a number above 0"),
        ("local", {"worker": "2"}, "the engine local has no option worker; it has workers"),
    ],
)
def test_what_an_engine_does_not_take_is_said(name, options, said):
    with pytest.raises(EngineError, match=said):
        engine_of(name, options)
