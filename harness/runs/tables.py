"""Runs out of a table: which of its columns tell runs apart, which say how they were run, and which hold what was logged."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from harness.errors import ClaimError
from harness.limits import briefly
from harness.runs.points import Point, Run, Status, number, step_of, typed

Columns = Mapping[str, Sequence[Any]]
"""Cells by column; None is an empty one.  Cells of a CSV file are text, those of others values."""
Names = str | Sequence[str] | None


def runs_of(
    columns: Columns, source: str, run: Names, config: Names, step: str | None, metrics: Names, metric: str | None,
    value: str | None, status: str | None, finished: Names, not_logged: Names,
) -> Iterator[Run]:  # fmt: skip
    """The runs of a table, in the order in which they first appear; see :meth:`harness.runs.Runs.from_csv`.

    Raises:
        ClaimError: a column is missing, has two meanings, or holds something that it cannot mean.
    """
    told, how = (
        _listed(run),
        list(dict.fromkeys([*(name for name in _listed(run) if name not in ("run", "file")), *_listed(config)])),
    )
    if not told:
        raise ClaimError(f"run= has to name the columns that tell runs apart; {source} has {', '.join(columns)}")
    if (metric is None) != (value is None):
        raise ClaimError(
            "metric= names the column with the names of what was logged, value= that with its values; give both or none"
        )
    taken = [*dict.fromkeys([*told, *how]), *(name for name in (step, metric, value, status) if name is not None)]
    logged = [name for name in columns if name not in taken] if metrics is None else _listed(metrics)
    logged = [] if metric is not None else logged
    _check(columns, source, [*taken, *logged])
    if not logged and metric is None:
        raise ClaimError(f"{source} has no column of what was logged beside {', '.join(taken)}")
    absent = {None, *_listed(not_logged)}
    own = [_id(columns, told, row, source) for row in range(len(columns[told[0]]))]
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(own):
        rows.setdefault(name, []).append(row)
    plain = {name: _plain(columns[name]) for name in how}
    for name, places in rows.items():
        points: dict[str, list[Point]] = {}
        for row in places:
            at = None if step is None else step_of(columns[step][row], f"{source}, row {row + 1}, column {step!r}")
            for what, column in _cells(columns, row, logged, metric, value):
                cell = columns[column][row]
                if not (isinstance(cell, str | None) and cell in absent):
                    points.setdefault(what, []).append(Point(at, number(cell, f"{source}, row {row + 1}, column {column!r}")))
        yield Run(name, _constant(plain, places, name, source), points, _status(columns, status, places, _listed(finished)))


def _cells(
    columns: Columns, row: int, logged: Sequence[str], metric: str | None, value: str | None
) -> Iterator[tuple[str, str]]:
    """(what was logged, the column of its value) of a row."""
    if metric is not None and value is not None:
        yield str(columns[metric][row]), value
    yield from ((name, name) for name in logged)


def _id(columns: Columns, told: Sequence[str], row: int, source: str) -> str:
    cells = [columns[name][row] for name in told]
    for name, cell in zip(told, cells, strict=True):
        if cell in (None, "") or (isinstance(cell, float) and math.isnan(cell)):
            raise ClaimError(f"{source}, row {row + 1}, has nothing in column {name!r}, which is to tell runs apart")
    return str(cells[0]) if len(told) == 1 else ", ".join(f"{name}={cell}" for name, cell in zip(told, cells, strict=True))


def _plain(cells: Sequence[Any]) -> list[Any]:
    """A column of the configuration as plain values."""
    if all(cell is None or isinstance(cell, str) for cell in cells):
        return typed(cells)
    plain = [cell.item() if hasattr(cell, "item") else cell for cell in cells]
    return [None if isinstance(cell, float) and math.isnan(cell) else cell for cell in plain]


def _constant(plain: Mapping[str, Sequence[Any]], rows: Sequence[int], run: str, source: str) -> dict[str, Any]:
    """What a run was run with, which is the same in all of its rows."""
    found = {}
    for name, cells in plain.items():
        held = list({repr(cells[row]): cells[row] for row in rows}.values())
        if len(held) > 1:
            raise ClaimError(
                f"{source} has run {run} with {name} = {', '.join(map(str, held[:4]))}: what a run was run with is the same in "
                f"all of its rows; if {name} tells runs apart, name it in run=, and if it was logged, leave it out of config="
            )
        found[name] = held[0]
    return found


def _status(columns: Columns, status: str | None, rows: Sequence[int], finished: Sequence[str]) -> Status:
    """Whether a run came to its end: what the last of its rows says."""
    said: Literal["finished", "unfinished", "unknown"] = "unknown"
    if status is not None:
        last = columns[status][rows[-1]]
        said = "finished" if str(last) in finished else "unfinished"
    return said


def _check(columns: Columns, source: str, wanted: Sequence[str]) -> None:
    for name in wanted:
        if name not in columns:
            near = difflib.get_close_matches(str(name), columns, 3) or list(columns)[:12]
            raise ClaimError(f"{source} has no column {name!r}; it has {', '.join(near)}")
        if wanted.count(name) > 1:
            raise ClaimError(
                f"the column {name!r} of {source} is given two meanings: name it in one of run, step, metrics, status"
            )


def _listed(names: Names) -> list[str]:
    if names is None:
        return []
    found = [names] if isinstance(names, str) else list(names)
    if odd := [name for name in found if not isinstance(name, str)]:
        raise ClaimError(f"{briefly(odd[0])} is no name of a column: give text")
    return found
