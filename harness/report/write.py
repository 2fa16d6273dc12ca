"""Write a run as claims.json, claims.csv, claims.html and badge.svg, each of them whole; and add it to the history."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.report import history
from harness.report.drawings import Drawings
from harness.report.flat import badge, to_csv
from harness.report.merge import check_run
from harness.report.page import render
from harness.report.rows import ReportError, unwritable

_OLD = 3600.0  # seconds, after which a file that takes one to write has no owner
NAMES: tuple[str, ...] = ("claims.json", "claims.csv", "claims.html", "badge.svg")


def write_reports(run: Mapping[str, Any], folder: Path, drawings: Drawings | None = None) -> dict[str, Path]:
    """Write the reports of ``run`` into ``folder``, which is made where it does not exist, and add it to the history there.

    claims.json comes first, so that no fault in drawing costs a verdict.  The others are rendered, then written to temporary
    files in the same folder, then moved into place, so that a reader never sees half a file.  Runs that end at the same time
    write one after the other.  The page shows the verdicts of the runs that the folder's history holds; a run that it holds
    already is not added again.

    Args:
        run: what :func:`harness.report.assemble` or :func:`harness.report.merge` returned.
        folder: where the reports go.
        drawings: keeps the drawings for the next time; None draws all of them.

    Returns:
        The files by name, the history last.

    Raises:
        ReportError: the folder cannot be written to, or the run holds what strict JSON cannot (NaN,
            infinity, an object); the message names which, and what to do.
    """
    first, *others = NAMES
    text = to_json(run)
    current = history.record(run)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            _sweep(folder)
            files = write_whole({first: text}, folder)
            known = history.read_history(folder)
            past = known.before(current)
            if past == known and current["claims"]:
                history.append(current, folder)
            page = render(run, past) if drawings is None else render(run, past, drawings.svg)
            files |= write_whole(dict(zip(others, (to_csv(run), page, badge(run)), strict=True)), folder)
        if drawings is not None:
            drawings.keep()
    except OSError as problem:
        raise unwritable(folder, problem) from problem
    return files | {history.NAME: folder / history.NAME}


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other runs from writing into a folder meanwhile, so that all of its files are of one run.

    Where folders cannot be locked, two runs that end within one second may leave a page of the one beside numbers of the other.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Remove what runs that were killed while they wrote here left: names of :func:`_aside`, an hour old."""
    for name in NAMES:
        for path in folder.glob(f".{name}.????????"):
            with contextlib.suppress(OSError):
                if time.time() - path.lstat().st_mtime > _OLD and path.is_file():
                    path.unlink()


def write_whole(texts: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """Write texts by file name into ``folder``: all of them or none, and none that a reader could see half of.

    Raises:
        ReportError: the folder cannot be written to.
    """
    waiting: dict[Path, Path] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            waiting[folder / name] = _aside(folder, name, text)
        for target, temporary in waiting.items():
            os.replace(temporary, target)
    except OSError as problem:
        for temporary in waiting.values():
            temporary.unlink(missing_ok=True)
        raise unwritable(folder, problem) from problem
    return {target.name: target for target in waiting}


def to_json(run: Mapping[str, Any]) -> str:
    """The run as strict JSON, one line a claim, so that two runs can be compared line by line.

    Raises:
        ReportError: a value is NaN, infinite or of a type that JSON lacks; the message says where.
    """
    check_run(run)
    head = {key: value for key, value in run.items() if key != "rows"}
    try:
        lines = [json.dumps(part, allow_nan=False, ensure_ascii=False) for part in (head, *run["rows"])]
    except (TypeError, ValueError) as problem:
        raise ReportError(
            f"{next(_not_json(run), problem)}: claims.json is strict JSON, where unknown is null; "
            "harness.report.plain turns numpy values into JSON and NaN into null"
        ) from problem
    return f'{lines[0][:-1]}, "rows": [\n' + ",\n".join(lines[1:]) + "\n]}\n"


def _not_json(value: Any, where: str = "run") -> Iterator[str]:
    """Where in ``value`` strict JSON fails, and what stands there."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _not_json(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            name = item["id"] if isinstance(item, Mapping) and "id" in item else index
            yield from _not_json(item, f"{where}[{name}]")
    else:
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            yield f"{where} is {value!r}"


def _aside(folder: Path, name: str, text: str) -> Path:
    """``text`` on the disk under a temporary name; removed again where writing fails."""
    handle, path = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(path, 0o666 & ~umask)  # mkstemp makes files that only their owner may read
    except OSError:
        Path(path).unlink(missing_ok=True)
        raise
    return Path(path)
