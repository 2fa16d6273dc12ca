"""Searches that outlive their run: a scope is mapped once, in hours, and claims are judged every day.

A row whose claim was not searched takes over the last search of the same claim, where that is still about it: with the same
declaration, design (what it asks for, and by which code) and scale, and the same verdict at its defaults, on the other side of
which the search looked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.report.merge import read_run
from harness.report.rows import ReportError, Row, Run, complete


def carried(rows: Mapping[str, Row], *, scale: str, reports: Path, named: Sequence[Path] = ()) -> dict[str, Row]:
    """Rows that take over a search, with it.

    Args:
        rows: of a run, by any key.
        scale: of the run.
        reports: folder of its report, whose last run may have searches.
        named: further runs that have some, such as a kept one.

    Returns:
        By the same keys; ``search["as_of"]`` says when the run that searched began.  Of several searches of a claim the latest.

    Raises:
        ReportError: a run that is named cannot be read.
    """
    wanting = {key: row for key, row in rows.items() if row["search"] is None and row["as_of"] is None and row["digest"]}
    if not wanting:
        return {}
    runs = [read_run(path) for path in named]
    with contextlib.suppress(ReportError):  # there is none yet, or it is none of ours
        runs.append(read_run(reports / "claims.json"))
    known: dict[tuple[Any, ...], dict[str, Any]] = {}
    for run in runs:
        for row in _searched(run, scale):
            found, same = row["search"], _same(row)
            if same not in known or str(found["as_of"]) >= str(known[same]["as_of"]):
                known[same] = found
    return {key: {**row, "search": known[_same(row)]} for key, row in wanting.items() if _same(row) in known}


def _searched(run: Run, scale: str) -> list[Row]:
    """The rows of a run that have a search, which says as of when."""
    if run["scale"] != scale:
        return []
    began = run["provenance"].get("started")
    return [
        {**row, "search": {**row["search"], "as_of": row["search"].get("as_of") or row["as_of"] or began}}
        for row in map(complete, run["rows"])
        if row["search"] is not None and row["search"].get("trials") and not row["search"].get("broke")
    ]


def _same(row: Row) -> tuple[Any, ...]:
    """What a search of a claim depends on."""
    return row["id"], row["digest"], (row["design"] or {}).get("digest"), row["verdict"]
