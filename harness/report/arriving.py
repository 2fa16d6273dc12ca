"""Rows as they come: what a run that is interrupted, killed or cut off from its disk leaves of its verdicts.

A run writes every row into a file beside its report, ``.rows-….jsonl``, as soon as the claim is judged, and removes the file
when its report is written.  The first line is the run as it began, ``{"schema", "scale", "device", "provenance", "rows",
"owner"}``, with a row for every claim that is to run; each further line is a row that takes the place of the one with its id.
So the file is a run that can be read at any time (:func:`read_rows`, ``python -m harness report``), also where its last line
was cut short.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.report.merge import check_fields, check_run, read_run
from harness.report.rows import ReportError, Row, Run, complete, ran, unwritable

_PATTERN = ".rows-*.jsonl"


class RowFile:
    """The file of one run.

    Args:
        folder: where the report goes; it is made where it does not exist.
        begun: the run as it begins.

    Raises:
        ReportError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, begun: Mapping[str, Any]) -> None:
        self.path = folder / f".rows-{secrets.token_hex(4)}.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.path.touch(exist_ok=False)
            self._append({**begun, "owner": {"host": socket.gethostname(), "process": os.getpid()}})
        except OSError as problem:
            self.remove()
            raise unwritable(folder, problem) from problem

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row.

        Raises:
            OSError: the disk is full, or the folder is gone.
        """
        self._append(row)

    def remove(self) -> None:
        """Remove the file; its rows stand in a report."""
        _remove(self.path)

    def _append(self, value: Mapping[str, Any]) -> None:
        line = json.dumps(value, allow_nan=False) + "\n"
        with self.path.open("ab") as file:  # opened each time: a descriptor would outlive a folder that is replaced
            file.write(line.encode())


@dataclass(frozen=True)
class Left:
    """What a run left that never wrote its report.

    Attributes:
        path: its file.
        run: what stands there.
    """

    path: Path
    run: Run

    def covered(self, rows: Mapping[str, Row]) -> bool:
        """Whether a report that has these rows, by id, has all that it is about."""
        return all(row["id"] in rows for row in self.run["rows"] if ran(row))

    def remove(self) -> None:
        """Remove its file."""
        _remove(self.path)


def read_rows(path: Path) -> Run:
    """The run that a file of rows holds.

    Raises:
        ReportError: it cannot be read, or is none.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as problem:
        raise ReportError(f"cannot read {path}: {problem.strerror}; give the claims.json of a run") from problem
    begun = _parsed(lines[0])
    if begun is None:
        raise ReportError(f"{path} does not begin with a run as it began: it was cut short, or is no file of rows")
    begun.pop("owner", None)
    check_run(begun, str(path))
    rows = {row["id"]: row for row in begun["rows"]}
    for row in map(_parsed, lines[1:]):
        if row is not None and row.get("id") in rows:
            rows[row["id"]] = row
    run = {**begun, "rows": list(rows.values())}
    check_fields(run, str(path))
    return run


def left_over(folder: Path) -> list[Left]:
    """What runs that have ended without a report left in a folder, oldest first; files that cannot be read are passed over."""
    found = []
    for path in sorted(folder.glob(_PATTERN), key=_age):
        if not _alive(path):
            try:
                found.append(Left(path, read_rows(path)))
            except ReportError:
                continue
    return found


def last_rows(folder: Path, scale: str) -> dict[str, Row]:
    """The last row with a verdict of every claim that reports in a folder, and runs that left none, know of at a scale.

    Each says in ``as_of`` when its run began.
    """
    runs = [left.run for left in left_over(folder)]
    with contextlib.suppress(ReportError):  # there is none, or it is none of ours
        runs.append(read_run(folder / "claims.json"))
    rows: dict[str, Row] = {}
    for run in runs:
        for row in map(complete, run["rows"]):
            if run["scale"] == scale and row["verdict"] != "error":
                when = row["as_of"] or run["provenance"].get("started")
                known = rows.get(row["id"])
                if known is None or str(when) >= str(known["as_of"]):
                    rows[row["id"]] = {**row, "as_of": when}
    return rows


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _alive(path: Path) -> bool:
    """Whether the run that writes a file may still be going on; of one on another host nobody can tell."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            owner = (_parsed(file.readline()) or {}).get("owner")
    except OSError:
        return True
    host, process = (owner.get("host"), owner.get("process")) if isinstance(owner, dict) else (None, None)
    if host != socket.gethostname() or type(process) is not int:
        return owner is not None
    if process == os.getpid():
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
