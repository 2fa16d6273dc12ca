"""Ray: two nodes on this machine, one of which dies in the middle; what is said where no cluster can be had."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from engine_recipes import Lengths, at_work, noted_of, shards_trained
from engine_samples import lengths_of

pytest.importorskip("ray", reason="Ray is not installed: pip install 'claims-harness[ray]'")

from harness.device import DeviceError
from harness.engines import EngineError, engine_of
from harness.engines.ray import RayEngine
from harness.store import Store

SEEDS = range(3)
RECIPES = [noted_of(width) for width in (3, 4, 5, 6)]


@pytest.fixture
def short(monkeypatch):
    """A folder of the test's own for all that Ray writes: its sockets want short names, and its home would keep a token."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def parent(process: int) -> int:
    """Of the process that started it; 0 where it has ended."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="which node a process belongs to is read in /proc")
@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_a_node_that_dies_costs_what_it_held_and_no_digit(short, diary, tmp_path):
    from ray.cluster_utils import Cluster

    (diary / "slowly").write_text("4")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    doomed = cluster.add_node(num_cpus=1)
    agent = doomed.all_processes["raylet"][0].process.pid
    before = dict(os.environ)
    engine = RayEngine(address=cluster.address)
    killed: list[int] = []

    def kill() -> None:
        """Until then every step is slow, so that the other node has not done everything before this one has begun."""
        end = time.monotonic() + 300
        while not killed and time.monotonic() < end:
            for process in at_work(diary):
                if parent(process) == agent:
                    os.kill(process, signal.SIGKILL)
                    cluster.remove_node(doomed, allow_graceful=False)
                    killed.append(process)
                    break
            time.sleep(0.02)
        (diary / "slowly").unlink()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        store = Store(tmp_path / "store", engine=engine)
        found = lengths_of(store, RECIPES, SEEDS)
        killer.join()
        assert len(killed) == 1
        assert shards_trained(diary) == (len(RECIPES), 1)  # nothing is trained twice but what the node held
        table = store.measure(store.populations(RECIPES, SEEDS), Lengths())
        assert engine.complaint() == ""
        greedy = RayEngine(address=cluster.address, gpus=0.5)
        greedy.start()
        assert "no node of the Ray cluster has the 1 CPUs and 0.5 GPUs that a job asks for" in greedy.complaint()
    finally:
        killer.join()
        engine.close()
        cluster.shutdown()
    assert dict(os.environ) == before
    here = Store(tmp_path / "here")
    assert found == lengths_of(here, RECIPES, SEEDS)
    pd.testing.assert_frame_equal(table, here.measure(here.populations(RECIPES, SEEDS), Lengths()))


def test_a_cluster_that_is_not_there_is_said_within_seconds(short, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{free.getsockname()[1]}"
    began = time.monotonic()
    with pytest.raises(EngineError, match=rf"nobody answers at the address {nobody} of the Ray cluster"):
        RayEngine(address=nobody).start()
    with pytest.raises(EngineError, match="no Ray cluster was started on this machine; start one with ray start --head"):
        RayEngine(address="auto").start()
    (short / "ray").mkdir()
    (short / "ray" / "ray_current_cluster").write_text(nobody)  # left by a cluster that was killed
    with pytest.raises(EngineError, match="nobody answers"):
        RayEngine(address="auto").start()
    with pytest.raises(EngineError, match="nobody answers at the address somewhere"):
        RayEngine(address="somewhere").start()
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("options", "choice", "device"),
    [({}, "auto", "cpu"), ({"gpus": "0.25"}, "auto", "cuda"), ({}, "cuda", "cuda"), ({"gpus": "1"}, "cpu", "cpu")],
)
def test_the_device_is_that_of_the_jobs_and_not_of_this_machine(options, choice, device):
    assert engine_of("ray", options, choice=choice).device(choice) == device


def test_what_ray_cannot_be_told_is_said():
    with pytest.raises(EngineError, match=r"gpus=1\.5: Ray gives a job a part of one GPU, or whole ones"):
        engine_of("ray", {"gpus": "1.5"})
    with pytest.raises(EngineError, match="the engine ray has no option partition; it has address, cpus, gpus, at_once, auth"):
        engine_of("ray", {"partition": "long"})
    with pytest.raises(EngineError, match="auth=none is not what the option auth of the engine ray takes: token or disabled"):
        engine_of("ray", {"auth": "none"})
    with pytest.raises(DeviceError, match="jobs that ask for gpus=0 have no CUDA device"):
        engine_of("ray", {"gpus": "0"}, choice="cuda").device("cuda")
