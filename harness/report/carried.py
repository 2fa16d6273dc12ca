"""Searches that outlive their run: a scope is mapped once, in hours, and claims are judged every day.

A row whose claim was not searched takes over the last search of the same claim, where that is still about it: with the same
declaration, design (what it asks for, and by which code) and scale, and the same verdict at its defaults, on the other side of
which the search looked.  So does one whose search was cut short before it had tried as many settings: time that was short takes
no settings away.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.report.arriving import left_over
from harness.report.merge import read_run
from harness.report.rows import ReportError, Row, Run, adjust, complete


def carried(rows: Mapping[str, Row], *, scale: str, reports: Path, named: Sequence[Path] = ()) -> dict[str, Row]:
    """Rows that take over a search, with it.

    Args:
        rows: of a run, by any key.
        scale: of the run.
        reports: folder of its report, whose last run may have searches.
        named: further runs that have some, such as a kept one.

    Returns:
        By the same keys; ``search["as_of"]`` says when the run that searched began.  Of several searches of a claim the latest,
        but none that was cut short with fewer settings than an earlier one.

    Raises:
        ReportError: a run that is named cannot be read.
    """
    wanting = {
        key: row
        for key, row in rows.items()
        if row["as_of"] is None and row["digest"] and (row["search"] is None or _cut(row["search"]))
    }
    if not wanting:
        return {}
    known = kept_searches(scale, reports, named)
    found = {key: (row, known.over(row)) for key, row in wanting.items()}
    return {key: {**row, "search": search} for key, (row, search) in found.items() if search is not row["search"]}


def taken_over(merged: Run, runs: Sequence[Run]) -> Run:
    """A run that was merged of several, whose rows keep the last search that any of them has of the same claim."""
    known = _known(runs, str(merged["scale"]))
    rows = [{**row, "search": known.over(row)} for row in merged["rows"]]
    return {**merged, "rows": adjust(rows)}


@dataclass(frozen=True)
class Kept:
    """Searches of earlier runs.

    Attributes:
        known: by what a search of a claim depends on.
    """

    known: Mapping[tuple[Any, ...], Mapping[str, Any]]

    def of(self, row: Row) -> Mapping[str, Any] | None:
        """The last search of a claim that is still about it; None where there is none."""
        return self.known.get(_same(row))

    def over(self, row: Row) -> Mapping[str, Any] | None:
        """The search that a row is to have: its own, or the last one where it has none or one that falls short of that."""
        own, last = row["search"], self.of(row)
        return own if last is None or (own is not None and not _falls_short(own, last)) else last

    def whole(self, row: Row, trials: int) -> bool:
        """Whether the last search of a claim has tried as many settings, or all that there are."""
        found = self.of(row)
        return found is not None and (
            len(found["trials"]) >= trials or (not found.get("cut", True) and (found.get("asked") or 0) >= trials)
        )

    def tried(self, claim: str, digest: str | None) -> int:
        """How many settings of a claim were tried in the last search that is about its declaration; 0 without one."""
        return max((len(each["trials"]) for same, each in self.known.items() if same[:2] == (claim, digest)), default=0)


def kept_searches(scale: str, reports: Path, named: Sequence[Path] = ()) -> Kept:
    """The last search of every claim, by what it depends on; those of runs that ended without a report included.

    Args:
        scale: see :func:`carried`.
        reports: likewise.
        named: likewise.

    Raises:
        ReportError: a run that is named cannot be read.
    """
    runs = [*map(read_run, named), *(left.run for left in left_over(reports))]
    with contextlib.suppress(ReportError):  # there is none yet, or it is none of ours
        runs.append(read_run(reports / "claims.json"))
    return _known(runs, scale)


def _known(runs: Sequence[Run], scale: str) -> Kept:
    """The last search of every claim of some runs."""
    known: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted((row for run in runs for row in _searched(run, scale)), key=lambda row: str(row["search"]["as_of"])):
        if (same := _same(row)) not in known or not _falls_short(row["search"], known[same]):
            known[same] = row["search"]
    return Kept(known)


def _falls_short(search: Mapping[str, Any], earlier: Mapping[str, Any]) -> bool:
    """Whether a search had its time cut short before it had tried as many settings as an earlier one."""
    return _cut(search) and len(search["trials"]) < len(earlier["trials"])


def _cut(search: Mapping[str, Any]) -> bool:
    return bool(search.get("cut", False))


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
