"""The pytest plugin: claims are collected, run, judged and reported.

In a session without claims it writes nothing, prints nothing and changes no outcome, except that a test which
returns :class:`~harness.evidence.Evidence` without being declared as a claim fails.  Its options are in the
group "claims" (``pytest --help``); pytest's own ``--strict`` makes inconclusive claims fail.
"""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
import uuid
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness import device
from harness.engines import Engine
from harness.pytest_plugin import options
from harness.pytest_plugin.ahead import Ahead
from harness.pytest_plugin.call import Caller
from harness.pytest_plugin.collect import Collector, claim_id
from harness.pytest_plugin.controller import Controller
from harness.pytest_plugin.gatekeeper import Gatekeeper
from harness.pytest_plugin.given import Door
from harness.pytest_plugin.progress import Heartbeat
from harness.pytest_plugin.sittings import Sittings
from harness.pytest_plugin.timeout import Timekeeper, stopped_file
from harness.running.session import Harness, open_harness, store_place

_FOLDER: pytest.StashKey[Path] = pytest.StashKey()
_BEATS: pytest.StashKey[Heartbeat] = pytest.StashKey()
_OPENED: pytest.StashKey[Harness] = pytest.StashKey()
_ENGINE: pytest.StashKey[Engine | None] = pytest.StashKey()
_BEFORE: pytest.StashKey[dict[str, str | None]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the group "claims", and where a project says which folders hold claims."""
    options.add(parser)


@pytest.hookimpl(trylast=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Take options by their short names where the project says so; after all conftests, so that theirs are known."""
    options.lengthen(early_config, parser, args)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Check what was asked for, and register the hooks of this process: controller, worker, or both in one.

    Raises:
        pytest.UsageError: a device that is not there, a memory size that is not one, or a ledger that cannot be used.
    """
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is None:
        options.check_device(config)
    options.limit_memory(config)
    config.stash[_ENGINE] = options.engine(config, None if worker is None else worker["claims_engine"])
    settings = options.settings(config)
    folder, name = _place_of(worker)
    config.stash[_FOLDER] = folder
    config.stash[_BEATS] = Heartbeat(folder / f"heartbeat-{name}.jsonl")
    collector = Collector(settings, None if worker is None else folder)
    manager = config.pluginmanager
    manager.register(collector, "claims-collector")
    manager.register(Gatekeeper(settings, options.claims_folders(config)), "claims-gatekeeper")
    sittings, families = Sittings(settings), collector.collected.families
    manager.register(sittings, "claims-sittings")
    caller = Caller(settings, partial(_open, config), lambda: config.stash.get(_OPENED, None), families, sittings)
    manager.register(caller, "claims-caller")
    if (seconds := settings.timeout) is not None:
        stopped = None if worker is None else stopped_file(folder, name)
        manager.register(Timekeeper(seconds, stopped), "claims-timekeeper")
    if config.stash[_ENGINE] is not None:
        manager.register(Ahead(settings, partial(_open, config)), "claims-ahead")
    if worker is None:
        manager.register(Controller(config, settings, folder, collector), "claims-controller")
        if options.claims_folders(config):
            _one_thread_each(config)
    elif gpus := worker.get("claims_gpus"):
        device.pin(tuple(gpus), int(str(worker["workerid"]).removeprefix("gw")))
        options.share_card(-(-int(worker["workercount"]) // len(gpus)))


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Look for no garbage while claims are collected: that took a quarter of the time, and most of what is made then stays."""
    if not gc.isenabled() or not options.runs_claims(session.config):
        return (yield)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the run's folder and give the environment back as it was."""
    if hasattr(config, "workerinput"):
        gc.freeze()  # pytest looks for garbage twice at the end, in all of torch, and this process ends now
    device.limit_memory(None)
    if (engine := config.stash.get(_ENGINE, None)) is not None:
        engine.close()
    if not hasattr(config, "workerinput") and (folder := config.stash.get(_FOLDER, None)) is not None:
        shutil.rmtree(folder, ignore_errors=True)
    for name, value in config.stash.get(_BEFORE, {}).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """One worker per GPU: a stacked population fills it, and workers that share one wait for each other."""
    return len(_gpus(config)) or None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker where the run's folder is, which GPUs it may choose from, and where the engine is that all share."""
    engine = node.config.stash[_ENGINE]
    node.workerinput["claims_engine"] = {} if engine is None else engine.share_with()
    node.workerinput["claims_folder"] = str(node.config.stash[_FOLDER])
    node.workerinput["claims_gpus"] = list(_gpus(node.config))


@pytest.fixture(name="harness")
def _harness(request: pytest.FixtureRequest) -> Harness | Door:
    """Scale, device, LLC engine and the store of trained models of this session.

    A claim's body and the studies that it calls use it; a fixture of a claim can only hand it to a study.
    """
    config = request.config
    if claim_id(request.node) is None:
        return _open(config)
    return Door(config.getoption("claims_scale"), config.getoption("claims_device"), config.getoption("claims_llc_engine"))


def _open(config: pytest.Config) -> Harness:
    """The harness of this process."""
    if _OPENED not in config.stash:
        given, shared = config.getoption("claims_store"), config.getoption("claims_shared_stores")
        folder = store_place(given, shared, config.invocation_params.dir, config.rootpath)
        atexit.register(gc.freeze)  # else Python looks for garbage in all of torch before it ends: 1 s a worker
        config.stash[_OPENED] = open_harness(
            folder, scale=config.getoption("claims_scale"), device=config.getoption("claims_device"),
            llc_engine=config.getoption("claims_llc_engine"), heartbeat=config.stash[_BEATS],
            engine=config.stash[_ENGINE],
        )  # fmt: skip
    return config.stash[_OPENED]


def _place_of(worker: dict[str, Any] | None) -> tuple[Path, str]:
    """The run's folder, which is made when the first claim needs it, and the name of this process in it."""
    if worker is None:
        return Path(tempfile.gettempdir()) / f"claims-{uuid.uuid4().hex}", "main"
    return Path(worker["claims_folder"]), str(worker["workerid"])


def _gpus(config: pytest.Config) -> tuple[str, ...]:
    """GPUs for the workers of a session that runs claims; none on the CPU, and none for other tests."""
    choice = config.getoption("claims_device")
    if config.getoption("claims_engine") != "local":
        return ()  # they are those of the engine's nodes
    if choice == "cpu" or (choice == "auto" and not options.runs_claims(config)):
        return ()
    return device.gpus()


def _one_thread_each(config: pytest.Config) -> None:
    """One thread in every numerical library of the workers, which inherit this environment."""
    config.stash[_BEFORE] = {name: os.environ.get(name) for name in device.THREADS}
    os.environ.update(dict.fromkeys(device.THREADS, "1"))
