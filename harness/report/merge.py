"""Several runs as one: shards of a cluster job, or a second run of the claims that broke."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.report import schema
from harness.report.rows import SCHEMA, ReportError, Row, Run, adjust, blank_row, complete

_RUN_FIELDS = ("schema", "scale", "device", "provenance", "rows")
_KEPT = ("started", "seconds", "commit", "dirty", "code", "command", "llc_engine", "torch", "python", "platform")


def read_run(path: Path) -> Run:
    """A run as ``claims.json`` holds it, or a file of rows that a run left without a report (:mod:`harness.report.arriving`).

    Raises:
        ReportError: the file cannot be read, is not a run of claims, or has another schema.
    """
    if path.suffix == ".jsonl":
        from harness.report.arriving import read_rows

        return read_rows(path)
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ReportError(f"cannot read {path}: {problem.strerror}; give the claims.json of a run") from problem
    except (ValueError, RecursionError) as problem:
        raise ReportError(f"{path} is not JSON ({problem}); give the claims.json of a run") from problem
    check_run(run, str(path))
    check_fields(run, str(path))
    return dict(run)


def check_run(run: Any, name: str = "the run") -> None:
    """Check that ``run`` has the shape of a run; ``claims.schema.json`` says the rest.

    Raises:
        ReportError: what is missing, what was given, and what to do.
    """
    if not isinstance(run, Mapping) or any(key not in run for key in _RUN_FIELDS):
        raise ReportError(f"{name} is not a run of claims: it needs {', '.join(_RUN_FIELDS)}")
    if run["schema"] != SCHEMA:
        raise ReportError(
            f"{name} has schema {run['schema']!r}, and this version reads schema {SCHEMA}; "
            "render it with the version that wrote it, or run the claims again"
        )
    named = isinstance(run["rows"], list) and all(isinstance(row, Mapping) and row.get("id") for row in run["rows"])
    if not named or not all(isinstance(row["id"], str) for row in run["rows"]):
        raise ReportError(f"{name} has rows without an id; every row is an object that names its claim")


def check_fields(run: Mapping[str, Any], name: str) -> None:
    """Check every field of a run that was read from a file against the published schema; fields that it lacks are unknown.

    Raises:
        ReportError: the first that is wrong, where it stands, and what was expected.
    """
    rows = [{**blank_row(), **row, "source": _whole_source(row.get("source"))} for row in run["rows"]]
    for where, fault in schema.faults({**run, "rows": rows}):
        raise ReportError(
            f"{name} is not as the schema of runs has it (harness/report/claims.schema.json): {where or 'it'} {fault}; restore "
            "it, or run the claims again"
        )


def _whole_source(source: Any) -> Any:
    return blank_row()["source"] | source if isinstance(source, Mapping) else source or blank_row()["source"]


def merge(runs: Sequence[Mapping[str, Any]]) -> Run:
    """One run made of several: a claim's row is that of the latest run in which it did not break.

    Runs are ordered by the time at which they started (where one does not say, by their order in
    ``runs``).  A row with verdict "error" never displaces one with a result.  ``provenance.merged`` lists
    the runs with the ids that each gave, and p-values are adjusted anew over the rows that are left.

    Raises:
        ReportError: no run, or runs of different scales, whose verdicts do not mean the same.
    """
    if not runs:
        raise ReportError("there is nothing to merge: give the claims.json of at least one run")
    for position, run in enumerate(runs, 1):
        check_run(run, f"run {position}")
    if len(scales := sorted({str(run["scale"]) for run in runs})) > 1:
        raise ReportError(
            f"runs of the scales {' and '.join(scales)} cannot be merged, since their verdicts do not mean "
            "the same; render each by itself"
        )
    ordered = _by_start(runs)
    if len(ordered) == 1:
        return {**ordered[0], "rows": adjust(ordered[0]["rows"])}
    rows, giver = _latest_results(ordered)
    devices = list(dict.fromkeys(str(run["device"]) for run in ordered))
    stories = {key: said for run in ordered for key, said in (run.get("stories") or {}).items()}
    return {
        "schema": SCHEMA,
        "scale": scales[0],
        "device": " and ".join(devices),
        "provenance": _provenance(ordered, giver),
        **({"stories": stories} if stories else {}),
        "rows": adjust(rows),
    }


def _by_start(runs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Oldest first; in the order given where a start is missing or two cannot be compared."""
    try:
        starts = [datetime.fromisoformat(run["provenance"]["started"]) for run in runs]
        order = sorted(range(len(runs)), key=lambda index: starts[index])
    except (KeyError, TypeError, ValueError):  # absent, not a text, not a time, or aware beside naive
        return list(runs)
    return [runs[index] for index in order]


def _latest_results(ordered: Sequence[Mapping[str, Any]]) -> tuple[list[Row], dict[str, int]]:
    """Rows by id in the order in which the ids first appear, and which run gave each."""
    rows: dict[str, Row] = {}
    giver: dict[str, int] = {}
    for index, run in enumerate(ordered):
        for row in map(complete, run["rows"]):
            known = rows.get(row["id"])
            if known is not None and row["verdict"] == "error" and known["verdict"] != "error":
                continue
            if known is not None and known["verdict"] != "error" and _older(row, ordered[giver[row["id"]]]):
                continue
            rows[row["id"]], giver[row["id"]] = row, index
    return list(rows.values()), giver


def _older(row: Row, run: Mapping[str, Any]) -> bool:
    """Whether a row was kept from before another run."""
    started = run["provenance"].get("started")
    return row["as_of"] is not None and started is not None and row["as_of"] <= started


def _provenance(ordered: Sequence[Mapping[str, Any]], giver: Mapping[str, int]) -> dict[str, Any]:
    """The latest run's provenance, with the seconds of all and the list of what was merged."""
    merged = [
        {
            **{key: run["provenance"].get(key) for key in _KEPT},
            "device": run["device"],
            "rows": [id for id, index in giver.items() if index == position],
        }
        for position, run in enumerate(ordered)
    ]
    seconds = [run["seconds"] for run in merged if run["seconds"] is not None]
    whole: dict[str, Any] = {"seconds": sum(seconds) if seconds else None, "selected": None, "merged": merged}
    if any(run["provenance"].get("scaled", True) for run in ordered):
        whole["scaled"] = True
    return {**ordered[-1]["provenance"], **whole}
