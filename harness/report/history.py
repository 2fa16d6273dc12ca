"""Past runs: one line of JSON per run in history.jsonl, and the verdict of each on a claim.

The file lies beside the reports and only grows.  A line that cannot be read (say, because the machine went down while it was
written) is left out and counted; it affects neither the other lines nor the page.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.report import schema
from harness.report.rows import complete, ran

NAME = "history.jsonl"
SHOWN = 10  # past verdicts on a card; the file has all
Record = Mapping[str, Any]
_OF_THE_RUN = ("started", "seconds", "commit", "dirty")
_OF_A_CLAIM = ("verdict", "label", "grade", "effect", "interval", "alpha", "n", "digest")


@dataclass(frozen=True)
class History:
    """The runs that a folder remembers.

    Attributes:
        records: one a run, oldest first; see :func:`record`.
        unreadable: number of lines that are not a record.
    """

    records: tuple[Record, ...] = ()
    unreadable: int = 0

    def of(self, claim: str, scale: str) -> list[dict[str, Any]]:
        """What runs of ``scale`` said of ``claim``, the latest first; other scales judge other networks."""
        return [
            {**{name: past.get(name) for name in (*_OF_THE_RUN, "device")}, **past["claims"][claim]}
            for past in reversed(self.records)
            if past["scale"] == scale and claim in past["claims"]
        ]

    def before(self, current: Record) -> History:
        """The history without ``current``, which is already in it when a page is drawn again."""
        return History(tuple(past for past in self.records if past != current), self.unreadable)


def record(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run in one line: when, how long, of which commit, at which scale, where; and the verdict on every claim that ran."""
    rows = map(complete, filter(ran, run["rows"]))
    claims = {row["id"]: {name: row[name] for name in _OF_A_CLAIM} for row in rows}
    known = {name: run["provenance"].get(name) for name in _OF_THE_RUN}
    return {**known, "scale": run["scale"], "device": run["device"], "claims": claims}


def read_history(folder: Path) -> History:
    """The history that lies in ``folder``; empty where there is none yet.

    Raises:
        OSError: there is a file, and it cannot be read.
    """
    try:
        lines = (folder / NAME).read_text(encoding="utf-8", errors="replace").split("\n")  # a text may hold other ends of lines
    except (FileNotFoundError, NotADirectoryError):
        return History()
    found = [_parsed(line) for line in lines if line.strip()]
    records = tuple(each for each in found if each is not None)
    return History(records, len(found) - len(records))


def append(current: Record, folder: Path) -> Path:
    """Add a line, in one write, so that runs which end at the same time do not mix theirs.

    Raises:
        OSError: the file cannot be written to.
    """
    path = folder / NAME
    line = json.dumps(current, allow_nan=False, ensure_ascii=False) + "\n"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        end = os.lseek(handle, 0, os.SEEK_END)
        torn = end > 0 and os.pread(handle, 1, end - 1) != b"\n"
        os.write(handle, (("\n" if torn else "") + line).encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    return path


def differs(past: Mapping[str, Any], row: Mapping[str, Any]) -> str | None:
    """How the question of a past verdict differed from the row's, or None."""
    if past.get("digest") != row["digest"]:
        return "declared otherwise"
    return "judged at another α" if past.get("alpha") != row["alpha"] else None


def _parsed(line: str) -> Record | None:
    try:
        held = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return held if not any(schema.faults_of("past", held)) else None
