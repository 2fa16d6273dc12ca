"""Runs of wandb as it writes them itself, run-ID.wandb: without an account, a service, or the package.

A file is a log of records in blocks of 32 KiB (https://github.com/google/leveldb/blob/main/doc/log_format.md, with zlib's
checksum), each record a message of wandb_internal.proto.  Tests compare what is read with what wandb 0.31.0 logged.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from harness.errors import ClaimError
from harness.parsing import understood
from harness.runs import wire
from harness.runs.points import Point, Run, flat, step_of

_HEAD = b":W&B"
_HEAD_SIZE, _BLOCK, _RECORD_HEAD = 7, 32768, 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_HISTORY, _CONFIG, _RUN, _EXIT = 2, 5, 17, 18  # fields of a record
_UPDATE, _REMOVE = 1, 2  # of a config
_KEY, _NESTED, _JSON = 1, 2, 16  # of an item
_RUN_ID, _RUN_CONFIG = 1, 4  # of a run
STEP = "_step"


def read(paths: str | PathLike[str] | Sequence[str | PathLike[str]], step: str) -> tuple[list[Run], str]:
    """(runs, their source); see :meth:`harness.runs.Runs.from_wandb`.

    Raises:
        ClaimError: nothing is there, or a file cannot be read.
    """
    files = _files([paths] if isinstance(paths, str | PathLike) else list(paths))
    names = f"{files[0].name}{f' and {len(files) - 1} more' if len(files) > 1 else ''}"
    return [_run(file, step) for file in files], names


def _files(paths: Sequence[str | PathLike[str]]) -> list[Path]:
    found: list[Path] = []
    for each in map(Path, paths):
        some = [each] if each.is_file() else sorted(each.rglob("run-*.wandb"))
        if not some:
            raise ClaimError(
                f"there is no run-….wandb in {each}; give the folder wandb, which offline runs are written to, or the files"
            )
        found += some
    return list(dict.fromkeys(found))


def _run(file: Path, step: str) -> Run:
    """One run; it has finished if its last record says so with exit code 0."""
    name, config, finished = "", dict[str, Any](), False
    points: dict[str, list[Point]] = {}
    with understood(ClaimError, file.name, "a file of wandb"):
        for record in _records(file.read_bytes()):
            for field, value in wire.fields(record):
                if not isinstance(value, bytes):
                    continue
                if field == _RUN:
                    name = wire.text(value, _RUN_ID)
                    config = _changed(config, wire.parts(value, _RUN_CONFIG))
                elif field == _CONFIG:
                    config = _changed(config, [value])
                elif field == _HISTORY:
                    _row(value, step, points, f"{file.name}")
                elif field == _EXIT:
                    finished = wire.whole(value, 1) == 0
        if not name:
            name = file.stem.removeprefix("run-")  # killed before its first record was written
        return Run(name, dict(flat(config)), points, "finished" if finished else "unfinished")


def _records(content: bytes) -> Iterator[bytes]:
    """The records of a file; one that is cut short at the end is left out, as of a run that was killed.

    Raises:
        ValueError: it is no such file, or a record is not what its checksum says.
    """
    if not content.startswith(_HEAD):
        raise ValueError("it does not begin as one")
    place, held = _HEAD_SIZE, b""
    while place < len(content):
        left = _BLOCK - place % _BLOCK
        if left < _RECORD_HEAD:  # the rest of a block is padding
            place += left
            continue
        head = content[place : place + _RECORD_HEAD]
        if len(head) < _RECORD_HEAD:
            return
        size, kind = int.from_bytes(head[4:6], "little"), head[6]
        data = content[place + _RECORD_HEAD : place + _RECORD_HEAD + size]
        if len(data) < size:
            return
        if zlib.crc32(head[6:] + data) != int.from_bytes(head[:4], "little"):
            raise ValueError(f"the record at byte {place} is not what its checksum says")
        place += _RECORD_HEAD + size
        held = data if kind in (_FULL, _FIRST) else held + data
        if kind in (_FULL, _LAST):
            yield held


def _changed(config: dict[str, Any], records: Sequence[bytes]) -> dict[str, Any]:
    """A configuration after some changes; what wandb keeps there for itself is left out."""
    for record in records:
        for item in wire.parts(record, _UPDATE):
            *above, last = _name(item)
            inner = config
            for each in above:
                inner = inner.setdefault(each, {})
            inner[last] = json.loads(wire.text(item, _JSON) or "null")
        for item in wire.parts(record, _REMOVE):
            config.pop(_name(item)[0], None)
    config.pop("_wandb", None)
    return config


def _name(item: bytes) -> list[str]:
    """The nested name of an item; newer files leave ``key`` empty, older ones ``nested_key``."""
    nested = [part.decode("utf-8") for part in wire.parts(item, _NESTED)]
    return nested or [wire.text(item, _KEY)]


def _row(record: bytes, step: str, points: dict[str, list[Point]], where: str) -> None:
    """Add what one call of log has logged: numbers; texts, tables and pictures are no metrics."""
    row: dict[str, Any] = {}
    for item in wire.parts(record, 1):
        row[".".join(_name(item))] = json.loads(wire.text(item, _JSON) or "null")
    numbers = dict(flat(row))
    logged = {name: float(value) for name, value in numbers.items() if isinstance(value, int | float) and name[:1] != "_"}
    logged.pop(step, None)
    if not logged:
        return
    if not isinstance(numbers.get(step), int | float) or math.isnan(numbers[step]):
        raise ClaimError(
            f"{where} logged {next(iter(logged))!r} without {step!r}, which is to be the step: log the two in one call, or "
            "take wandb's own count, step='_step'"
        )
    at = step_of(numbers[step], f"{where}, {step!r}")
    for name, value in logged.items():
        points.setdefault(name, []).append(Point(at, value))
