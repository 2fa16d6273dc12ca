"""Workers: how many there are, and what each of them sees."""

from __future__ import annotations

import os

from papers import SUPPORTED, Project, files_below

from harness import device

SEEN = """
import os
from pathlib import Path

def seen():
    Path(f"gpu-{os.environ.get('CUDA_VISIBLE_DEVICES')}-threads-{os.environ.get('OMP_NUM_THREADS')}").touch()

def test_one():
    seen()

def test_two():
    seen()
"""


def pretend_gpus(monkeypatch, *names):
    monkeypatch.setattr(device, "gpus", lambda: names)
    monkeypatch.setattr(device, "resolve", lambda choice: "cuda" if names else "cpu")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "3")


def test_a_worker_for_each_gpu_and_one_thread_each(project: Project, monkeypatch):
    pretend_gpus(monkeypatch, "3", "GPU-7")
    project.file("test_seen.py", SEEN)
    result = project.run("test_seen.py", "-n", "auto", "--claims-device", "cuda")
    result.assert_outcomes(passed=2)
    assert "2 workers" in result.stdout.str()
    seen = {name for name in files_below(project.path) if name.startswith("gpu")}
    assert seen == {"gpu-3-threads-1", "gpu-GPU-7-threads-1"}
    assert os.environ["OMP_NUM_THREADS"] == "8"


def test_other_tests_keep_their_workers_and_see_every_gpu(project: Project, monkeypatch):
    pretend_gpus(monkeypatch, "3")
    project.file("test_seen.py", SEEN)
    result = project.run("test_seen.py", "-n", "auto")
    assert "3 workers" in result.stdout.str()
    seen = {name for name in files_below(project.path) if name.startswith("gpu")}
    assert seen == {"gpu-None-threads-1"}


def test_the_number_of_workers_by_device_and_place(project: Project, monkeypatch, pytester):
    from harness.pytest_plugin import pytest_xdist_auto_num_workers

    pretend_gpus(monkeypatch, "0", "1")
    project.claims(SUPPORTED)
    project.file("test_other.py", "")

    def workers(*arguments):
        return pytest_xdist_auto_num_workers(pytester.parseconfig(*arguments))

    assert workers("claims") == 2
    assert workers(".") == 2
    assert workers("claims/test_paper.py::test_higher") == 2
    assert workers("claims", "--claims-device", "cpu") is None
    assert workers("test_other.py") is None
    assert workers("test_other.py", "--claims-device", "cuda") == 2


def test_every_worker_is_told_how_much_memory_it_may_use(project: Project):
    project.file(
        "test_seen.py",
        """
from pathlib import Path
from harness.device import memory_limit

def test_one():
    Path(f"memory-{memory_limit('cpu')}").touch()
""",
    )
    project.run("test_seen.py", "-n", "1", "--claims-memory", "3 MiB").assert_outcomes(passed=1)
    assert f"memory-{3 * 2**20}" in files_below(project.path)
    assert device.memory_limit("cpu") == 2**30
