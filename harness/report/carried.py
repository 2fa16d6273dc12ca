"""Searches that outlive their run: a scope is mapped once, in hours, and claims are judged every day.

A row whose claim was not searched takes over the last search of the same claim, where that is still about it: with the same
declaration, design (what it asks for, and by which code) and scale, the same values that its body captures
(:mod:`harness.code.captured`; runs of before did not tell, and are believed), and the same verdict at its defaults, on the
other side of which the search looked.  So does one whose search was cut short before it had tried as many settings: time that
was short takes no settings away.  Where only what the body captures has changed, the row says so.
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

CHANGED = (
    "An earlier search of its scope is left out, since something that its body reads beside its code has changed since: a "
    "variable of the environment, a file that it names, or a value that it captures. Search it again with --claims-search N."
)
"""The note of a claim whose search was of other values."""


def carried(rows: Mapping[str, Row], *, scale: str, reports: Path, named: Sequence[Path] = ()) -> dict[str, Row]:
    """Rows that take over a search, with it.

    Args:
        rows: of a run, by any key.
        scale: of the run.
        reports: folder of its report, whose last run may have searches.
        named: further runs that have some, such as a kept one.

    Returns:
        By the same keys; ``search["as_of"]`` says when the run that searched began.  Of several searches of a claim the latest,
        but none that was cut short with fewer settings than an earlier one.  A row that keeps none, since what its body
        captures has changed, is among them, with a note.

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
    took = {key: {**row, "search": search} for key, (row, search) in found.items() if search is not row["search"]}
    noted = {key: {**row, "notes": [*row["notes"], CHANGED]} for key, (row, search) in found.items()
             if search is None and known.changed(row)}  # fmt: skip
    return took | noted


def taken_over(merged: Run, runs: Sequence[Run]) -> Run:
    """A run that was merged of several, whose rows keep the last search that any of them has of the same claim."""
    known = _known(runs, str(merged["scale"]))
    rows = [{**row, "search": known.over(row)} for row in merged["rows"]]
    return {**merged, "rows": adjust(rows)}


@dataclass(frozen=True)
class Kept:
    """Searches of earlier runs.

    Attributes:
        known: by what a search of a claim depends on, but for what the body captures, which stands beside each; oldest first.
    """

    known: Mapping[tuple[Any, ...], Sequence[tuple[str | None, Mapping[str, Any]]]]

    def of(self, row: Row) -> Mapping[str, Any] | None:
        """The last search of a claim that is still about it; None where there is none."""
        stands: Mapping[str, Any] | None = None
        for captured, search in self.known.get(_same(row), ()):
            about = captured is None or row["captured"] in (None, captured)
            if about and (stands is None or not _falls_short(search, stands)):
                stands = search
        return stands

    def changed(self, row: Row) -> bool:
        """Whether there are searches of a claim, each made while its body captured something else."""
        return _same(row) in self.known and self.of(row) is None

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
        about = (found for same, every in self.known.items() if same[:2] == (claim, digest) for _, found in every)
        return max((len(found["trials"]) for found in about), default=0)


def kept_searches(scale: str, reports: Path, named: Sequence[Path] = ()) -> Kept:
    """The searches of every claim, by what they depend on; those of runs that ended without a report included.

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
    """The searches of every claim of some runs."""
    known: dict[tuple[Any, ...], list[tuple[str | None, Mapping[str, Any]]]] = {}
    for row in sorted((row for run in runs for row in _searched(run, scale)), key=lambda row: str(row["search"]["as_of"])):
        known.setdefault(_same(row), []).append((row["captured"], row["search"]))
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
    """What a search of a claim depends on, but for what its body captures, which runs of before did not tell."""
    return row["id"], row["digest"], (row["design"] or {}).get("digest"), row["verdict"]
