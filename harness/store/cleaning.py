"""What may go from a store: entries that nobody has asked for in a while, and what processes left that ended early.

Whatever a running process holds stays: an entry that it has looked for counts as used, a lock that it holds is tried first, and
nothing is touched that is younger than a day, whose writer may be at work here, or elsewhere by a clock of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.store.files import inside, unwritable
from harness.store.remote import INCOMING
from harness.store.sharing import try_lock
from harness.store.shelf import SUFFIXES, Shelf

DAY = 86400.0
_STEM = r"[0-9a-f]{16}"
_ENTRY = re.compile(rf"{_STEM}\.(safetensors|json)")
_LEFT = {
    "members/*": (re.compile(rf"\.?{_STEM}\.safetensors(\.damaged(-[0-9]+)?|-[0-9a-f]{{8}}\.part)"), "left over"),
    "tables/*": (re.compile(rf"\.?{_STEM}\.json(\.damaged(-[0-9]+)?|-[0-9a-f]{{8}}\.part)"), "left over"),
    "locks": (re.compile(rf"{_STEM}\.lock"), "a lock"),
    "jobs": (re.compile(rf"{_STEM}-[0-9a-f]{{8}}\.beat|slurm-[0-9a-f]{{8}}"), "of a job"),
    INCOMING: (re.compile(_STEM), "left over"),
}  # folders of a store, and what it writes there besides entries


@dataclass(frozen=True)
class Idle:
    """Something that may go.

    Attributes:
        path: where it lies.
        what: in words.
        bytes: its size.
        seconds: since it was last used, or, if it is no entry, written.
    """

    path: Path
    what: str
    bytes: int
    seconds: float


def idle(folder: Path, seconds: float) -> Iterator[Idle]:
    """Entries that were last used so long ago, then what is left over from processes that ended a day ago or more.

    Args:
        folder: of the store.
        seconds: at least a day.

    Raises:
        ValueError: it is less.
    """
    if not seconds >= DAY:
        raise ValueError("what was used within the last day may be held by a running process; give at least 1d")
    for entry in Shelf(folder).entries():
        if (since := time.time() - entry.used) >= seconds and _ENTRY.fullmatch(entry.path.name):
            yield Idle(entry.path, entry.name, entry.bytes, since)
    yield from left_over(folder)


def left_over(folder: Path) -> Iterator[Idle]:
    """What the store has written besides entries, and nobody has written to for a day."""
    for place, (pattern, what) in _LEFT.items():
        for each in sorted(folder.glob(f"{place}/*")):
            if not pattern.fullmatch(each.name) or not inside(folder, each) or each.parent.is_symlink():
                continue
            if each.suffix in (".part", ".beat") and (each.is_symlink() or not each.is_file()):
                continue  # the store writes these as files: somebody's folder of that name stays
            newest = _newest(each)
            if newest is not None and (since := time.time() - newest[0]) >= DAY:
                yield Idle(each, what, newest[1], since)


def _newest(path: Path) -> tuple[float, int] | None:
    """When a file, or anything in a folder, was last written, and the bytes; None where it has just gone."""
    try:
        found = [path.lstat()]
        if path.is_dir() and not path.is_symlink():
            found += [status for each, _, names in os.walk(path) for name in names if (status := (Path(each) / name).lstat())]
    except OSError:
        return None
    return max(each.st_mtime for each in found), sum(each.st_size for each in found)


def remove(each: Idle) -> bool:
    """Remove something, unless a process holds it, or has used it meanwhile; whether it is gone.

    Raises:
        StoreError: it cannot be removed.
    """
    path = each.path
    try:
        if path.suffix == ".lock":
            return _remove_lock(path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
            return True
        status = path.lstat()
        used = max(status.st_mtime, status.st_atime if path.suffix[1:] in SUFFIXES.values() else 0)
        if time.time() - used < DAY:
            return False
        path.unlink()
    except FileNotFoundError:
        return True
    except OSError as problem:
        raise unwritable(path, problem, "the store cannot remove") from problem
    return True


def _remove_lock(path: Path) -> bool:
    lock = try_lock(path)
    if lock is None:
        return False
    try:
        path.unlink()
    finally:
        lock.release()
    return True
