"""What a session does about being cut short: rows are kept as they come, SIGTERM ends it in order, and old verdicts stay.

Ctrl-C and SIGTERM end a session in the same way: what has been judged is reported, and a claim whose turn did not come keeps
the verdict of the last run, marked with that run's date.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from harness.pytest_plugin.outcome import Row, shown_path
from harness.pytest_plugin.timeout import stopped_file, where_stopped

if TYPE_CHECKING:
    from harness.report.arriving import RowFile

_DAY = 24 * 3600.0  # seconds
_RUN = re.compile(r"claims-[0-9a-f]{32}$")
_DIED = "the worker running it died"


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a session as Ctrl-C does."""


class Arriving:
    """Rows of a session until they are reported.

    Args:
        reports: folder of the report.
        root: folder that the user stands in.
    """

    def __init__(self, reports: Path, root: Path) -> None:
        self._reports, self._root = reports, root
        self._file: RowFile | None = None
        self._before: Any = None
        self.notes: list[str] = []

    def begin(self, begun: Callable[[], Mapping[str, Any]]) -> None:
        """Claims are about to run.

        Args:
            begun: the run as it begins.

        Raises:
            pytest.UsageError: the report's folder cannot be written to; it is better to know that now.
        """
        from harness.report.arriving import RowFile
        from harness.report.rows import ReportError

        if self._file is not None:
            return
        sweep(Path(tempfile.gettempdir()))
        try:
            self._file = RowFile(self._reports, begun())
        except ReportError as problem:
            raise pytest.UsageError(f"{problem}. Nothing was run") from None
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._before = signal.signal(signal.SIGTERM, _terminate)

    def add(self, row: Row) -> None:
        """Keep a row; where the disk is full, the run goes on, and a note says so once."""
        if self._file is None:
            return
        try:
            self._file.add(row)
        except OSError as problem:
            name = shown_path(self._file.path, self._root)
            self.notes.append(
                f"note: from {row['id']} on, rows could not be kept in {name} as they came ({problem.strerror or problem})"
            )
            self._file = None

    def end(self) -> None:
        """The session ends: SIGTERM means again what it did."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None

    def last(self, scale: str, missing: Mapping[str, Row]) -> Iterator[tuple[str, Row]]:
        """The last verdicts of claims that did not run, by the keys of ``missing``, where they are declared as they were."""
        from harness.report.arriving import last_rows

        known = last_rows(self._reports, scale) if missing else {}
        for key, row in missing.items():
            last = known.get(row["id"])
            if last is not None and last["digest"] == row["digest"]:
                yield key, last

    def reported(self, rows: Mapping[str, Row]) -> None:
        """A report with these rows, by id, is written: what they were kept in can go."""
        from harness.report.arriving import left_over

        if self._file is not None:
            self._file.remove()
            self._file = None
        for left in left_over(self._reports):
            if left.covered(rows):
                left.remove()
            else:
                name = shown_path(left.path, self._root)
                self.notes.append(
                    f"note: {name} has rows of a run that ended without a report: python -m harness report {name} --out DIR"
                )

    def dropped(self) -> None:
        """No claim ran: there is nothing to keep."""
        if self._file is not None:
            self._file.remove()
            self._file = None

    def unreported(self) -> str | None:
        """Where the rows are when no report could be written, in a sentence."""
        if self._file is None:
            return None
        name = shown_path(self._file.path, self._root)
        return f"the rows of this run are in {name}: python -m harness report {name} --out DIR"


def sweep(folder: Path) -> None:
    """Remove the folders of runs that were killed: those in which nothing has been written for a day."""
    for path in folder.glob("claims-*"):
        with contextlib.suppress(OSError):
            if _RUN.match(path.name) and path.is_dir() and not path.is_symlink():
                newest = max(each.lstat().st_mtime for each in (path, *path.iterdir()))
                if time.time() - newest > _DAY:
                    shutil.rmtree(path, ignore_errors=True)


class Crashes:
    """What is known about a worker that died.

    Args:
        folder: the run's, where workers leave heartbeats.
        root: the project's.
        seconds: the limit of time of each claim, or None.
    """

    def __init__(self, folder: Path, root: Path, seconds: float | None) -> None:
        self._folder, self._root, self._seconds = folder, root, seconds
        self._sizes: dict[str, dict[str, int]] = {}

    def began(self, nodeid: str) -> None:
        """A claim begins: what its worker worked on before has nothing to do with it."""
        self._sizes[nodeid] = {path.name: path.stat().st_size for path in self._folder.glob("heartbeat-*.jsonl")}

    def ended(self, nodeid: str) -> None:
        """A claim has ended."""
        self._sizes.pop(nodeid, None)

    def reason(self, nodeid: str, said: str) -> str:
        """What happened, in a sentence.

        Args:
            nodeid: of the claim that it was running.
            said: what xdist says, which names the worker.
        """
        worker = said.split("'")[1] if said.count("'") > 1 else ""
        where = where_stopped(stopped_file(self._folder, worker), self._root)
        if where is not None and self._seconds is not None:
            what = "in a call that cannot be interrupted"
            return f"did not return within {self._seconds:g} s, {what}, {where}; its worker was ended"
        path = self._folder / f"heartbeat-{worker}.jsonl"
        try:
            with path.open("rb") as file:
                file.seek(self._sizes.get(nodeid, {}).get(path.name, 0))
                beats = [json.loads(line) for line in file.read().splitlines()]
            last = beats[-1]
            done, total, doing = last["done"], last["total"], {"trained": "training", "measured": "measuring"}[last["what"]]
        except (OSError, ValueError, LookupError, TypeError):
            return _DIED
        return _DIED if done >= total else f"{_DIED} while {doing} {last['population']} ({done} of {total} {last['what']})"


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # who asks twice does not want to wait for the report
    raise Terminated("SIGTERM: the session ends as with Ctrl-C, and what has been judged is reported")
