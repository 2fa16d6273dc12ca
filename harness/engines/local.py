"""Processes on this machine, each on a GPU of its own where there are several."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future as Promise
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from harness import device
from harness.engines.base import Engine, EngineError, Future, Lost

if TYPE_CHECKING:
    from harness.engines.job import Job


class LocalEngine(Engine):
    """A pool of processes.

    Args:
        workers: how many; None for one a GPU, or else one a processor core.
        uses: "cpu" or "cuda"; with the latter every process sees one GPU.
    """

    name = "local"

    def __init__(self, *, workers: int | None = None, uses: str = "cpu") -> None:
        if workers is not None and workers < 1:
            raise EngineError(f"{workers} workers do nothing; give 1 or more")
        self._gpus = device.gpus() if uses == "cuda" else ()
        self._workers = workers or len(self._gpus) or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None
        self.at_once = 2 * self._workers  # the next one waits where it is needed; the rest can still be sent elsewhere

    def submit(self, jobs: Sequence[Job]) -> list[Future]:
        """See :meth:`Engine.submit`; a pool that a dead process broke is replaced."""
        from harness.engines.job import carried_out

        try:
            return [_LocalFuture(self._open().submit(carried_out, job)) for job in jobs]
        except BrokenProcessPool:
            self.close()
            return [_LocalFuture(self._open().submit(carried_out, job)) for job in jobs]

    def close(self) -> None:
        """End the processes, those that work included."""
        if self._pool is not None:
            for process in list((self._pool._processes or {}).values()):
                process.terminate()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")  # a forked process may hold locks of torch's threads
            numbers = context.Queue()
            for number in range(1024):
                numbers.put(number)
            self._pool = ProcessPoolExecutor(self._workers, context, _begin, (self._gpus, numbers, self._workers))
        return self._pool


def _begin(gpus: tuple[str, ...], numbers: Any, processes: int) -> None:
    """Let a process see the GPU that it is to use, before torch is imported, and end with the one that started it."""
    if gpus:
        device.pin(gpus, numbers.get())
        if processes > len(gpus):
            from harness.cuda.memory import share_card

            share_card(-(-processes // len(gpus)))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Nobody reads what a process makes whose parent was killed, and the pool would keep it for ever."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


class _LocalFuture:
    def __init__(self, promise: Promise[dict[str, Any]]) -> None:
        self._promise = promise

    def done(self) -> bool:
        return self._promise.done()

    def waiting(self) -> bool:
        return not (self._promise.running() or self._promise.done())

    def result(self) -> dict[str, Any]:
        try:
            return self._promise.result(timeout=0)
        except BrokenProcessPool as problem:
            raise Lost(f"a process of the pool died ({problem})") from problem

    def cancel(self) -> None:
        self._promise.cancel()
