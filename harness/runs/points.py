"""One run as it was logged: its points by metric, its configuration, and whether it finished."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from harness.errors import ClaimError
from harness.limits import briefly

Status = Literal["finished", "unfinished", "unknown"]
_WHOLE = 2**53  # up to here a double holds every whole number


class Point(NamedTuple):
    """A value that was logged; nothing stands for one that was not.

    Attributes:
        step: at which step, or None where the file says none.
        value: a number, NaN and the infinities included.
    """

    step: float | None
    value: float


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        id: what tells it from others.
        config: what it was run with, by name; plain values.
        points: what it logged, by metric and in the order in which it was logged.
        status: whether it came to its end; "unknown" where the tool does not say.
    """

    id: str
    config: Mapping[str, Any] = field(default_factory=dict)
    points: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    status: Status = "unknown"


def different(runs: Iterable[Run], source: str) -> tuple[Run, ...]:
    """The runs, of which no two have the same name.

    Raises:
        ClaimError: two have.
    """
    found: dict[str, Run] = {}
    for run in runs:
        if run.id in found:
            raise ClaimError(
                f"{source} holds two runs called {run.id!r}, a run that was resumed or two that were given one name: read them "
                "apart, or give each a name of its own"
            )
        found[run.id] = run
    if not found:
        raise ClaimError(f"{source} holds no run")
    return tuple(found.values())


def content_digest(runs: Iterable[Run]) -> str:
    """SHA-256 of names, configurations, states and points, 16 hexadecimal digits.

    It is of what was read, so that a database that was only opened and closed again is still the same.
    """
    found = hashlib.sha256()
    for run in sorted(runs, key=lambda run: run.id):
        config = sorted((name, repr(value)) for name, value in run.config.items())
        points = [[metric, [_written(each) for each in run.points[metric]]] for metric in sorted(run.points)]
        found.update(json.dumps([run.id, run.status, config, points]).encode())
    return found.hexdigest()[:16]


def _written(point: Point) -> str:
    step = "" if point.step is None else repr(float(point.step))
    return f"{step} {'nan' if math.isnan(point.value) else point.value.hex()}"


def number(cell: Any, where: str) -> float:
    """A cell as the number that was logged; text may spell NaN and the infinities.

    Args:
        cell: a number or its text.
        where: it stands, for messages.

    Raises:
        ClaimError: it is none, or one that a double does not hold.
    """
    try:
        if isinstance(cell, str) and "_" in cell:
            raise ValueError
        found = float(cell)
        whole = int(cell) if isinstance(cell, int) or (isinstance(cell, str) and cell.strip().lstrip("+-").isdigit()) else None
    except (TypeError, ValueError, OverflowError):
        raise ClaimError(
            f"{where} holds {briefly(cell)}, which is no number; if it stands for a value that was not logged, say so: "
            f"not_logged=('', {cell!r}); if the column is no metric, name it in config= or leave it out of metrics="
        ) from None
    if whole is not None and abs(whole) > _WHOLE and int(found) != whole:
        raise ClaimError(
            f"{where} holds {whole}, which no double holds exactly; log it in another unit, or leave it out of metrics="
        )
    return found


def step_of(cell: Any, where: str) -> float:
    """A step: a finite number, whole where it is written so.

    Raises:
        ClaimError: it is none.
    """
    try:
        found = float(cell)
    except (TypeError, ValueError):
        found = math.nan
    if isinstance(cell, bool) or not math.isfinite(found):
        raise ClaimError(
            f"{where} holds {briefly(cell)}, which is no step; name the column of whole numbers that counts them: step="
        )
    return int(found) if found.is_integer() else found


def typed(cells: Sequence[str | None]) -> list[Any]:
    """A column of text as what it says: whole numbers, numbers or booleans if every cell is one, else the text itself.

    007 is text, since a number would not be written so; a cell that says nothing is None.
    """
    said = [cell for cell in cells if cell not in (None, "")]
    readings: tuple[tuple[Any, Any], ...] = (
        (_is_whole, int),
        (_is_real, float),
        (lambda cell: cell in _BOOLEANS, _BOOLEANS.get),
    )
    for fits, read in readings:
        if said and all(map(fits, said)):
            return [None if cell in (None, "") else read(cell) for cell in cells]
    return [None if cell == "" else cell for cell in cells]


_BOOLEANS = {"True": True, "False": False, "true": True, "false": False}


def _is_whole(cell: str) -> bool:
    digits = cell.removeprefix("-")
    return digits.isascii() and digits.isdigit() and (digits == "0" or not digits.startswith("0"))


def _is_real(cell: str) -> bool:
    head = cell.strip().lstrip("+-")
    if "_" in cell or cell != cell.strip() or (head[:1] == "0" and head[1:2].isdigit()):
        return False
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def flat(config: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """A nested configuration by dotted names; lists as the text of their JSON, since a column holds single values."""
    for key, value in config.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            yield name, json.dumps(value, default=str)
        else:
            yield name, value if value is None or isinstance(value, bool | int | float | str) else str(value)
