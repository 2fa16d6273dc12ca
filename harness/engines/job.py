"""A shard of a store's work as it travels, and what is done with it where it arrives.

Everything that decides a number is said in it, because nothing of it can be relied on elsewhere: a worker of Ray keeps the
number of threads that its first task had, its folder is not the sender's, a task that asked for no GPU sees all of them, and a
module that was edited while the job stood in a queue is imported as it is when the job begins.  So threads, device and folders
are set from the job, and the names of its entries are computed again: where they differ, nothing is written.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.sources import embedded, register_embedded
from harness.engines.base import EngineError
from harness.engines.parcel import failed, unpacked

if TYPE_CHECKING:
    from harness.store import Store
    from harness.store.orders import Order
    from harness.store.sharing import Shard

BEAT = 5.0  # seconds between two signs of life
ENVIRONMENT = ("HARNESS_DATA", "HARNESS_OFFLINE")
SUBMITIT = ("submitit.core.utils",)  # where what its signals raise is from
EMBEDDED = ("mnist",)  # sets that a project may hold itself


@dataclass(frozen=True)
class Job:
    """A shard, as plain words.

    Attributes:
        payload: the order, pickled; opened when ``roots`` can be imported from.
        what: of which recipe it is, for people.
        key: the shard's.
        roots: folders of the sender's own code; where they are not there, the project has to be installed.
        folder: of the store, absolute.
        device: "cpu" or "cuda".
        threads: of torch.
        memory: bytes of stacked work.
        environment: where the data are.
        held: files of data that the project holds itself, by name.
        facts: what else decides the names, in words; told where they differ.
        beat: file for signs of life.
        visible: seconds that the file system may take to show what was written elsewhere.
        remote: URL under which the store's entries are kept, too; empty where the folder is all.
        shared: folders and URLs of stores that are only read.
    """

    payload: bytes
    what: str
    key: str
    roots: tuple[str, ...]
    folder: str
    device: str
    threads: int
    memory: int
    environment: tuple[tuple[str, str], ...]
    held: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    beat: str
    visible: float
    remote: str = ""
    shared: tuple[str, ...] = ()

    def __call__(self) -> dict[str, Any]:
        """See :func:`carried_out`."""
        return carried_out(self)

    def checkpoint(self) -> Any:
        """What submitit puts in the queue again at a time-out or a preemption: the same job, which skips what is stored."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def carried_out(job: Job) -> dict[str, Any]:
    """Make the entries of a job that are missing.

    Returns:
        ``done`` (whether all of them are there; not so where a parent turned out to be damaged), ``node``, ``warned`` and
        ``failed``, see :mod:`harness.engines.parcel`.  Only plain values, since an exception or a result whose class the
        receiver does not know would not arrive.
    """
    with warnings.catch_warnings(record=True) as heard, _setting(job), _signs_of_life(Path(job.beat)):
        warnings.simplefilter("always")
        try:
            done, failure = _made(job), None
        except BaseException as problem:  # pytest's skip and fail, too; submitit ends a job that it requeues by SystemExit
            if isinstance(problem, SystemExit | KeyboardInterrupt | GeneratorExit) or type(problem).__module__ in SUBMITIT:
                raise
            done, failure = False, failed(problem)
    warned = {(each.category.__module__, each.category.__qualname__, str(each.message)) for each in heard}
    return {"done": done, "node": platform.node(), "failed": failure, "warned": sorted(warned)}


def _made(job: Job) -> bool:
    if not (Path(job.folder) / "jobs").is_dir():
        raise EngineError(
            f"the store's folder {job.folder} is not on {platform.node()}: it has to lie on a file system that all nodes "
            "share; choose it with --claims-store DIR or HARNESS_STORE"
        )
    order: Order = unpacked(job.payload)
    shard = _checked(job, order, _store(job.folder, job.device, job.remote, job.shared))
    end = time.monotonic() + job.visible
    while not shard.ready() and time.monotonic() < end:  # parents that another node has just written
        time.sleep(0.2)
    if shard.ready() and not shard.done():
        shard.run(lambda share: None)
    return shard.done()


@cache
def _store(folder: str, device: str, remote: str, shared: tuple[str, ...]) -> Store:
    """The store of a process, which loads data once for all of its jobs."""
    from harness.store import Store
    from harness.store.place import Place

    return Store(Place(Path(folder), remote or None, shared), device=device, heartbeat=lambda beat: None)


def _checked(job: Job, order: Order, store: Store) -> Shard:
    """The shard as this process would make it, under the names that were ordered.

    Raises:
        EngineError: it would make others.
        DeviceError: the device is not there.
    """
    from harness import device

    device.resolve(job.device)
    here = facts(order, store)
    shard = store.ordered(order)
    if shard.order is not None and shard.order.names == order.names:
        return shard
    differ = [f"{name} {here[name]} there and {value} here" for name, value in job.facts if here[name] != value]
    raise EngineError(
        f"{job.what} has other names on {platform.node()} ({', '.join(differ) or 'the code is not the same'}); nothing was "
        "stored. Give every node the same checkout and environment, leave the code alone while jobs wait, and run it again"
    )


def facts(order: Order, store: Store) -> dict[str, str]:
    """What decides names besides the code and what is ordered.

    Raises:
        EngineError: the data are not there; elsewhere they are.
    """
    import torch

    from harness.data import DataError
    from harness.errors import Shortfall

    try:
        data = store.data(order.recipe.data).digest
    except (Shortfall, DataError) as problem:
        raise EngineError(f"the data of {order.recipe.name} are not on {platform.node()}: {problem}") from problem
    return {"torch": torch.__version__.split("+")[0], "data": data[:16], "threads": str(torch.get_num_threads())}


def described(store: Store, shard: Shard, payload: bytes, order: Order, beat: Path, visible: float) -> Job:
    """The job of a shard, as the process that wants it has everything set."""
    import torch

    from harness import device
    from harness.store.place import is_url

    held = [(name, str(path.resolve())) for name in EMBEDDED if (path := embedded(name)) is not None]
    told = {name: os.environ[name] for name in ENVIRONMENT if os.environ.get(name)}
    if "HARNESS_DATA" in told:
        told["HARNESS_DATA"] = os.path.abspath(told["HARNESS_DATA"])
    what = order.recipe.name if order.measurement is None else f"{order.measurement.name} of {order.recipe.name}"
    return Job(
        payload, what, shard.key, roots(), os.path.abspath(store.folder), store.device, torch.get_num_threads(),
        device.memory_limit(store.device), tuple(told.items()), tuple(held), tuple(facts(order, store).items()), str(beat),
        visible, store.place.remote or "",
        tuple(each if is_url(each) else os.path.abspath(each) for each in store.place.shared),
    )  # fmt: skip


def roots() -> tuple[str, ...]:
    """Folders that modules are imported from, but those of the environment: another machine has its own."""
    own = (os.path.abspath(path or os.curdir) for path in sys.path)
    installed = {os.path.abspath(path) for path in (sys.prefix, sys.base_prefix)}
    inside = (os.sep + "site-packages", os.sep + "dist-packages", os.sep + "thirdparty_files", ".zip")
    return tuple(dict.fromkeys(
        path for path in own
        if not any(each in path for each in inside) and not any(path.startswith(each + os.sep + "lib") for each in installed)
    ))  # fmt: skip


@contextlib.contextmanager
def _setting(job: Job) -> Iterator[None]:
    """Threads, memory, folders and data as the job has them; afterwards as before."""
    import torch

    from harness import device

    threads, path, environment = torch.get_num_threads(), list(sys.path), {name: os.environ.get(name) for name in ENVIRONMENT}
    files = {name: embedded(name) for name in EMBEDDED}
    limited = device.memory_limit(job.device)
    try:
        sys.path[:] = [*job.roots, *(each for each in path if each not in job.roots)]
        for name in ENVIRONMENT:
            os.environ.pop(name, None)
        os.environ.update(job.environment)
        for name, file in job.held:
            register_embedded(name, file)
        torch.set_num_threads(job.threads)
        device.limit_memory(job.memory)
        yield
    finally:
        sys.path[:] = path
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        for name, known in files.items():
            if known is not None:
                register_embedded(name, known)
        torch.set_num_threads(threads)
        device.limit_memory(limited)


@contextlib.contextmanager
def _signs_of_life(path: Path) -> Iterator[None]:
    """Count in a file as long as the work goes on; whoever waits sees that by it, whatever the engine knows or does not."""
    over = threading.Event()

    def beat() -> None:
        count = 0
        while True:
            with contextlib.suppress(OSError):  # the work itself says what is wrong with the folder
                path.write_text(str(count), encoding="utf-8")
            count += 1
            if over.wait(BEAT):
                return

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
