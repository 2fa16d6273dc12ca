"""A whole run that is killed while it trains, writes or measures, and started again: no digit of a row is another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

import pytest
from papers import REFUTED, SUPPORTED, Project

PATIENCE = 240.0
GRID = """
import dataclasses
from harness.data import ToyImages
from harness.measure.base import Measurement
from harness.recipe import MLP, Recipe

@dataclasses.dataclass(frozen=True)
class Lengths(Measurement):
    name = "lengths"
    def run(self, population, data, device):
        return pd.DataFrame({"seed": population.seeds, "epoch": 1, "length": population.final.norm(dim=1).tolist()})

@study
def members(harness):
    return harness.store.populations([Recipe(ToyImages(train=24), MLP((width,)), epochs=1) for width in (2, 3)], range(6))

@declare("grid")
def test_grid(harness):
    lengths = harness.store.measure(members(harness), Lengths())["length"].tolist()
    return evidence(lengths[0], spread=lengths[1] / 100, settings={"lengths": lengths})
"""
SEAM = """
import os
import signal

calls = []

def reached():
    calls.append(1)
    if len(calls) == CALL:
        os.killpg(0, signal.SIGKILL)  # the controller, its workers, and whatever they have started
"""
IN = """
import MODULE as module
inside = module.NAME
def stopped(*given, **rest):
    reached()
    return inside(*given, **rest)
module.NAME = stopped
"""
IN_WRITING = """
from harness.store import files
class Seam:
    def __getattr__(self, name):
        return getattr(os, name)
    def replace(self, source, target):
        if str(target).endswith(SUFFIX):
            reached()
        os.replace(source, target)
files.os = Seam()
"""
IN_TRAINING = IN.replace("MODULE", "harness.training.train").replace("NAME", "train")
IN_MEASURING = IN.replace("import MODULE as module", "from harness.population import Population as module").replace(
    "NAME", "select"
)
PLACES = {  # which call it is in which the run is killed, and what is there by then
    "training the first recipe": (IN_TRAINING, 1, (0, 0)),
    "training the second recipe": (IN_TRAINING, 2, (6, 0)),
    "writing a network": (IN_WRITING.replace("SUFFIX", "'.safetensors'"), 9, (8, 0)),
    "measuring": (IN_MEASURING, 4, (12, 6)),
    "writing a table": (IN_WRITING.replace("SUFFIX", "'.json'"), 4, (12, 3)),
}
OF_THE_RUN = {"seconds"}  # of a row: how long it took


def entries(project: Project, store: str = "kept") -> dict[str, int]:
    """When each entry of a store was written, in nanoseconds."""
    found = [path for suffix in ("members/*/*.safetensors", "tables/*/*.json") for path in (project.path / store).glob(suffix)]
    return {path.name: path.stat().st_mtime_ns for path in found}


def judged(project: Project) -> dict[str, dict[str, Any]]:
    """Every row without what belongs to the run."""
    rows = project.rows()
    return {name: {key: value for key, value in row.items() if key not in OF_THE_RUN} for name, row in rows.items()}


def undisturbed(project: Project) -> dict[str, dict[str, Any]]:
    project.claims(REFUTED, GRID, SUPPORTED)
    project.run("claims", "--claims-store", "undisturbed")
    rows = judged(project)
    for path in (project.path / "reports").iterdir():
        path.unlink()
    return rows


def begun(project: Project, *arguments: str) -> subprocess.Popen[bytes]:
    """A run in a process group of its own."""
    with (project.path / "said").open("w") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "claims", "--claims-store", "kept", *arguments], cwd=project.path,
            start_new_session=True, stdout=said, stderr=subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))},
        )  # fmt: skip


def told(project: Project) -> str:
    """What the last such run has said."""
    return (project.path / "said").read_text(encoding="utf-8")


@pytest.mark.parametrize("place", PLACES)
def test_a_run_that_is_killed_and_started_again_has_the_rows_of_an_undisturbed_one(project: Project, place: str):
    expected = undisturbed(project)
    seam, call, (networks, tables) = PLACES[place]
    conftest = project.path / "claims" / "conftest.py"
    conftest.write_text(SEAM.replace("CALL", str(call)) + seam, encoding="utf-8")
    process = begun(project, *(("-n", "1") if "writing" in place else ()))
    assert process.wait(PATIENCE) == -signal.SIGKILL, told(project)
    assert not (project.path / "reports" / "claims.json").exists()
    conftest.unlink()
    there = entries(project)
    assert len(list((project.path / "kept").glob("members/*/*.safetensors"))) == networks
    assert len(there) == networks + tables
    project.run("claims", "--claims-store", "kept")
    assert judged(project) == expected
    after = entries(project)
    assert len(after) == 24
    assert {name: after[name] for name in there} == there  # nothing that was there is made again
    assert sorted(after) == sorted(entries(project, "undisturbed"))


def test_so_it_is_on_a_ray_cluster_that_the_run_has_put_up(project: Project, monkeypatch):
    """Killed are the controller and its worker, as soon as a network has been written; Ray's own processes end with them."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'claims-harness[ray]'")
    expected = undisturbed(project)
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as short:  # its sockets want short names
        monkeypatch.setenv("RAY_TMPDIR", short)
        on_ray = ("-n", "1", "--claims-engine", "ray")
        process = begun(project, *on_ray)
        end = time.monotonic() + PATIENCE
        while not entries(project):
            assert process.poll() is None, told(project)
            assert time.monotonic() < end, told(project)
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait(PATIENCE) == -signal.SIGKILL
        assert not (project.path / "reports" / "claims.json").exists()
        begun(project, *on_ray).wait(PATIENCE)
    assert judged(project) == expected, told(project)
    assert sorted(entries(project)) == sorted(entries(project, "undisturbed"))
