"""A search whose settings are made by an engine: the same map to the last digit, whoever dies or stops in the middle."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from harness import LLC, MLP, Evidence, Harness, LLCSpec, PairedDifference, Recipe, Source, Threat, ToyImages, claim, run
from harness.engines import Engine, engine_of
from harness.engines.local import LocalEngine
from harness.running.notes import Notes
from harness.store import Store

TRIALS = 6
SPEC = LLCSpec(localization=10.0, chains=2, burn_in=20, draws=40)


@claim(
    "mine/lower", statement="Robust networks have the lower LLC.", source=Source("mine", "My paper").at("Intro", "it is"),
    prediction=PairedDifference("llc", "regime", "standard", "robust", "seed", margin=0.01, margin_reason="small"),
    scope={"noise": st.floats(0.5, 1.5), "steps": st.integers(1, 5)},
)  # fmt: skip
def lower(harness: Harness) -> Evidence:
    """Networks and chains of which several settings make stacks together."""
    base = Recipe(ToyImages(train=96, test=30, noise=harness.setting("noise", 1.0)), MLP((8,)), epochs=2)
    threat = Threat(steps=harness.setting("steps", 2))
    return Evidence(
        harness.store.measure(harness.store.populations([base, base.robust(threat)], range(8)), LLC(SPEC, points=96))
    )


def map_of(folder: Path, engine: Engine | None = None, **how: Any) -> dict[str, Any]:
    """A search as JSON holds it, but for what it took."""
    store = Store(folder, engine=engine, heartbeat=how.pop("heartbeat", lambda beat: None))
    found = run(lower, store=store, search=TRIALS, **how).search
    assert found is not None
    assert found.broke is None
    return _timeless(found.to_json())


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(each) for name, each in value.items() if name != "seconds"}
    return [_timeless(each) for each in value] if isinstance(value, list | tuple) else value


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The map that one process draws."""
    drawn = map_of(tmp_path_factory.mktemp("alone"))
    assert len(drawn["trials"]) == TRIALS
    assert len({trial["effect"] for trial in drawn["trials"]}) == TRIALS
    return drawn


def test_processes_of_a_search_draw_the_same_map(alone, tmp_path):
    assert map_of(tmp_path, workers=2) == alone


def test_a_process_that_is_killed_in_the_middle_costs_no_digit(alone, tmp_path):
    engine = LocalEngine(workers=2)
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        """The first process that works on a shard."""
        while not killed and not over.is_set():
            if any((tmp_path / "jobs").glob("*")) and engine._pool is not None:
                for process in list((engine._pool._processes or {}).values()):
                    if _is_busy(process.pid):
                        os.kill(process.pid, signal.SIGKILL)
                        killed.append(process.pid)
                        break
            time.sleep(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        drawn = map_of(tmp_path, engine)
    finally:
        over.set()
        killer.join()
        engine.close()
    assert len(killed) == 1
    assert drawn == alone


def _is_busy(process: int) -> bool:
    """Whether a process has imported torch, so that what it does now is a shard."""
    try:
        return "torch" in Path(f"/proc/{process}/maps").read_text()
    except OSError:
        return False


def test_a_search_that_is_stopped_goes_on_with_the_settings_that_are_left(alone, tmp_path, monkeypatch):
    def stopping(beat: dict[str, Any]) -> None:
        if beat["population"] == "settings of mine/lower" and beat["done"] == 2:
            raise KeyboardInterrupt

    engine = LocalEngine(workers=1)
    try:
        with pytest.raises(KeyboardInterrupt):
            map_of(tmp_path, engine, heartbeat=stopping)
        noted = set((tmp_path / "searches").rglob("*.json"))
        assert 2 <= len(noted) < len(alone["trials"])  # what was judged in company is noted at once
        found: list[Any] = []
        read = Notes.read
        monkeypatch.setattr(Notes, "read", lambda self, settings: found.append(read(self, settings)) or found[-1])
        assert map_of(tmp_path, engine) == alone
        known = [each.settings for each in found if each is not None]
        assert all(trial["settings"] in known for trial in alone["trials"][:2])
        assert sum(trial["settings"] in known for trial in alone["trials"]) == len(noted)
    finally:
        engine.close()


@pytest.fixture
def short(monkeypatch):
    """A folder of the test's own for what Ray writes."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    for name, value in {"HOME": folder, "RAY_TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": 0}.items():
        monkeypatch.setenv(name, str(value))
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_ray_draws_the_same_map(alone, short, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'claims-harness[ray]'")
    engine = engine_of("ray", {"at_once": "2"})
    try:
        assert map_of(tmp_path, engine) == alone
    finally:
        engine.close()


def test_submitit_draws_the_same_map(alone, tmp_path):
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'claims-harness[slurm]'")
    engine = engine_of("slurm", {"cluster": "local"})
    try:
        assert map_of(tmp_path, engine) == alone
    finally:
        engine.close()
