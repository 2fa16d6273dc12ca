"""Stores that become one."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from harness.store import aside, files
from harness.store.others import shelf_of
from harness.store.place import Place
from harness.store.remote import Remote
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


@contextmanager
def fetched(place: Place) -> Iterator[Path]:
    """A folder with all entries of a store: its own, or one into which they are fetched for the time being.

    Raises:
        StoreError: the store cannot be read.
    """
    if place.remote is None:
        yield place.folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        remote, into = Remote(place.remote, Path(temporary)), Shelf(Path(temporary))
        for kind in SUFFIXES:
            for name in sorted(remote.sizes(kind)):
                with contextlib.suppress(files.Missing), remote.file(kind, name, into.folder) as file:
                    aside.take_in(file, into.path(kind, name))
        yield into.folder


def merged(place: Place, other: Path) -> Merged:
    """Copy what is missing; every entry is checked before it is copied, and none that is good is replaced.

    Args:
        place: of the store that grows.
        other: of the other one.

    Raises:
        StoreError: the store cannot be written.
    """
    found, into = Merged(), shelf_of(Place(place.folder, place.remote))
    make_folder(place.folder)
    for entry in Shelf(other).entries():
        kind = entry.kind
        try:
            with files.unnoticed(entry.path):
                theirs, content = _content(kind, entry.path), files.bytes_of(entry.path)
        except (files.Damaged, OSError):
            found.damaged.append(entry.path)
            continue
        path = into.path(kind, entry.path.stem)
        ours = into.content(path, partial(_content, kind)) if into.has(path) else None
        if ours is None:
            files.write(path, content)
            into.written(path)
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
