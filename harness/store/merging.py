"""Stores that become one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from harness.store import files
from harness.store.sharing import make_folder
from harness.store.shelf import SUFFIXES, Kind, Shelf


@dataclass
class Merged:
    """What became of the entries of another store.

    Attributes:
        copied: how many were missing, or damaged, and have been copied.
        same: how many were there.
        damaged: those that are not what they were written as.
        differ: those that are there with other numbers: one name, and two results of it, as two kinds of processor may have.
    """

    copied: int = 0
    same: int = 0
    damaged: list[Path] = field(default_factory=list)
    differ: list[Path] = field(default_factory=list)


def merged(folder: Path, other: Path) -> Merged:
    """Copy what is missing; every entry is checked before it is copied, and none that is good is replaced.

    Args:
        folder: of the store that grows.
        other: of the other one.

    Raises:
        StoreError: the store cannot be written.
    """
    found, into = Merged(), Shelf(folder)
    make_folder(folder)
    for entry in Shelf(other).entries():
        kind: Kind = "member" if entry.path.suffix == f".{SUFFIXES['member']}" else "table"
        try:
            theirs = _content(kind, entry.path)
            content = entry.path.read_bytes()
        except (files.Damaged, OSError):
            found.damaged.append(entry.path)
            continue
        path = into.path(kind, entry.path.stem)
        try:
            ours = _content(kind, path) if os.path.lexists(path) else None
        except files.Damaged as problem:
            files.set_aside(path, problem, files.identity(path))
            ours = None
        if ours is None:
            files.write(path, content)
            found.copied += 1
        elif ours == theirs:
            found.same += 1
        else:
            found.differ.append(entry.path)
    return found


def _content(kind: Kind, path: Path) -> str:
    """Digest of an entry's numbers; how long they took to make is not one of them.

    Raises:
        Damaged: it is not what it was written as.
    """
    if kind == "member":
        return files.checksum(*files.parts_of(files.read_tensors(path)[0]))
    columns = files.read_columns(path)[0]
    return files.checksum(repr(sorted(columns.items())).encode())
