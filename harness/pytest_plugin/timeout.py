"""Claims that take longer than ``--claims-timeout``: their rows say so, and the others go on."""

from __future__ import annotations

import faulthandler
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from harness.deadline import CAN_INTERRUPT, Limit, TimedOut
from harness.pytest_plugin.collect import claim_id

_LIMIT: pytest.StashKey[Limit] = pytest.StashKey()
_CALL = re.compile(r'^  File "(?P<file>[^"\n]+)", line (?P<line>\d+) in (?P<name>.+)$', re.MULTILINE)
_RUNS_TESTS = " in from_call"  # pytest's own, in the thread that a claim runs in


class Stopper:
    """Ends a worker that does not come back from a call of compiled code, and leaves where it was.

    Python's own watchdog thread does it, which needs nothing of the interpreter.

    Args:
        path: where its last calls go; the folder is made.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")

    def arm(self, seconds: float) -> None:
        """See :class:`harness.deadline.HardStop`."""
        faulthandler.dump_traceback_later(seconds, exit=True, file=self._file)

    def disarm(self) -> None:
        """See :class:`harness.deadline.HardStop`."""
        faulthandler.cancel_dump_traceback_later()


class Timekeeper:
    """Hooks that limit the time of each claim: of its fixtures and body together, and of what its fixtures do at the end.

    Args:
        seconds: how long.
        stopped: file of a worker for :class:`Stopper`; None where the only process of a run would be ended.
    """

    def __init__(self, seconds: float, stopped: Path | None) -> None:
        self._seconds, self._stopper = seconds, None if stopped is None else Stopper(stopped)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Begin to count."""
        if claim_id(item) is not None:
            import harness.judge
            import harness.store  # noqa: F401 - before the clock starts: what every claim needs is no claim's time

            item.stash[_LIMIT] = Limit(self._seconds, self._stopper)
        return (yield from self._limited(item))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Go on counting."""
        return (yield from self._limited(item))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Count anew: the claim has its row, and the next one waits."""
        if _LIMIT in item.stash:
            item.stash[_LIMIT] = Limit(self._seconds, self._stopper)
        return (yield from self._limited(item))

    def _limited(self, item: pytest.Item) -> Generator[None, Any, Any]:
        if _LIMIT not in item.stash:
            return (yield)
        try:
            with item.stash[_LIMIT].running():
                return (yield)
        except TimedOut:
            from harness.store.sharing import let_go

            let_go()
            raise


def check(seconds: float | None, workers: object, name: str) -> None:
    """Raise pytest.UsageError where a limit of time is none, or cannot be kept on this system."""
    if seconds is None:
        return
    if not 0 < seconds < float("inf"):
        raise pytest.UsageError(f"{name} {seconds:g}: give a number of seconds above 0, or leave it out for no limit")
    if not CAN_INTERRUPT and not workers:
        raise pytest.UsageError(
            f"{name} {seconds:g}: this system has no timer that could interrupt a claim, and its process can be ended only "
            "where it is a worker: add -n 1"
        )


def stopped_file(folder: Path, worker: str) -> Path:
    """Where a worker that is ended leaves its last calls."""
    return folder / f"stopped-{worker}.txt"


def where_stopped(path: Path, root: Path) -> str | None:
    """The call in which a :class:`Stopper` ended a worker, in words; None if it did not."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    if not text.startswith("Timeout"):
        return None
    threads = [part for part in text.split("\n\n") if _RUNS_TESTS in part] or [text]
    found = _CALL.search(threads[-1])
    if found is None:
        return "an unknown place"
    file = Path(found["file"])
    return f"{found['name']} ({file.relative_to(root) if file.is_relative_to(root) else file.name}:{found['line']})"
