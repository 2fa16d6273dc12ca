"""The folder of a store: where entries lie, what happens to one that cannot be read, and which other stores are asked.

An entry is looked for in one's own folder, then in the other stores, in order (:mod:`harness.store.others`).  Whatever is made
is written to one's own folder.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from harness.store import aside, files, headers

if TYPE_CHECKING:
    from harness.store.others import Other
    from harness.store.remote import Remote

Kind = Literal["member", "table"]
SUFFIXES: dict[Kind, str] = {"member": "safetensors", "table": "json"}
Content = TypeVar("Content")
USED_AGAIN = 3600.0  # seconds after which a use of an entry is noted again


@dataclass(frozen=True)
class Entry:
    """One file of the store, for people who want to look inside.

    Attributes:
        kind: "member" or "table".
        file: where it lies, as text.
        bytes: its size.
        used: when it was last written or looked for, in seconds since 1970.
    """

    kind: Kind
    file: str
    bytes: int
    used: float

    @cached_property
    def path(self) -> Path:
        """Where it lies."""
        return Path(self.file)

    @cached_property
    def name(self) -> str:
        """What it is, in words, by its first bytes."""
        try:
            about = headers.about_of(self.file)
        except files.Damaged as problem:
            return f"damaged: {problem}"
        return ", ".join(f"{name} {about[name]}" for name in ("what", "recipe", "seed") if name in about)

    def problem(self) -> str | None:
        """What is wrong with it; None where it is what its name says, with the checksum that it was written with."""
        try:
            with files.unnoticed(self.path):
                (files.read_tensors if self.kind == "member" else files.read_columns)(self.path)
        except files.Damaged as problem:
            return str(problem)
        return None

    def valid(self) -> bool:
        """Whether it is the entry that its name says, with the checksum that it was written with."""
        return self.problem() is None


class Shelf:
    """The files of a store.

    Args:
        folder: where they lie; it is made when something is written.
        others: further stores, which are only read, in the order in which they are asked.
        remote: where what is written is put, too; it is asked before the others.
    """

    def __init__(self, folder: Path, others: Sequence[Other] = (), remote: Remote | None = None) -> None:
        self.folder, self._remote = folder, remote
        self._others: tuple[Other, ...] = (*((remote,) if remote else ()), *others)
        self._failed: set[Path] = set()  # entries that could not be read the last time
        self._useless: set[tuple[str, str]] = set()  # other stores and their entries that cannot be read
        self._inside: dict[tuple[Kind, str], Path] = {}  # folders that are known to lie in the store

    def path(self, kind: Kind, name: str) -> Path:
        """Where the entry of that name lies, or would lie.

        Raises:
            StoreError: a link inside the store leads out of it.
        """
        folder = self._inside.get((kind, name[:2])) or self._folder(kind, name[:2])
        return folder / f"{name}.{SUFFIXES[kind]}"

    def _folder(self, kind: Kind, start: str) -> Path:
        """The folder of all entries whose names begin alike."""
        folder = self.folder / f"{kind}s" / start
        if not files.inside(self.folder, folder / "entry"):
            raise files.StoreError(
                f"{folder} leads out of the store {self.folder} through a link, which is not followed: remove the link, or "
                "choose the folder that it leads to with --claims-store DIR or HARNESS_STORE"
            )
        self._inside[kind, start] = folder
        return folder

    def missing(self, paths: Mapping[int, Path]) -> tuple[int, ...]:
        """Seeds whose entry is neither here nor in another store."""
        now = time.time()
        return tuple(seed for seed, path in paths.items() if not self.has(path, now))

    def has(self, path: Path, now: float | None = None) -> bool:
        """Whether an entry is here or in another store; that it was looked for is noted where it is."""
        try:
            found = os.lstat(path)
        except OSError:
            return any(True for _ in self._elsewhere(path)) if self._others else False
        now = time.time() if now is None else now
        if now - max(found.st_atime, found.st_mtime) > USED_AGAIN:
            with contextlib.suppress(OSError):  # a store that cannot be written is not emptied from here, either
                os.utime(path, ns=(int(now * 1e9), found.st_mtime_ns), follow_symlinks=False)
        return True

    def _elsewhere(self, path: Path) -> Iterator[Other]:
        """The other stores that have an entry of that name which is not known to be useless."""
        kind, name = kind_of(path), path.stem
        return (each for each in self._others if (each.where, name) not in self._useless and each.has(kind, name))

    def content(self, path: Path, read: Callable[[Path], Content]) -> Content | None:
        """What an entry holds; None where it has to be made again, because it is damaged or no longer there.

        Args:
            path: where it lies.
            read: reads it; raises :class:`harness.store.files.Damaged`.

        Raises:
            StoreError: it was made again just now and still cannot be read, so another try would not help.
        """
        seen = files.identity(path)
        if seen is None and (found := self._lent(path, read)) is not None:
            return found
        try:
            content = read(path)
        except files.Damaged as problem:
            if path in self._failed:
                raise files.StoreError(
                    f"store entry {path} was made again and is damaged again ({problem}): {self.folder} does "
                    "not keep what is written to it; check the disk, or choose another folder with "
                    "--claims-store DIR or HARNESS_STORE"
                ) from problem
            self._failed.add(path)
            aside.set_aside(path, problem, seen)
            return None
        self._failed.discard(path)
        return content

    def _lent(self, path: Path, read: Callable[[Path], Content]) -> Content | None:
        """What another store has under the name of an entry; None where none has it, or none that can be read."""
        for other in self._elsewhere(path):
            try:
                with other.file(kind_of(path), path.stem, self.folder) as file:
                    content = read(file)
                    if other.travels:
                        aside.take_in(file, path)
            except files.Damaged as problem:
                self._useless.add((other.where, path.stem))
                if not isinstance(problem, files.Missing):
                    aside.tell_useless(path.name, other.where, problem)
                continue
            self._failed.discard(path)
            return content
        return None

    def written(self, path: Path) -> None:
        """Called when an entry has been written: it is put where else this store is kept.

        Raises:
            StoreError: it cannot be put there; it is put there by the next process that opens the store.
        """
        if self._remote is not None:
            self._remote.send(path)

    def found(self, kind: Kind) -> Iterator[os.DirEntry[str]]:
        """The files of every entry of a kind, in the order of their names; none is opened."""
        ending = f".{SUFFIXES[kind]}"
        for folder in _listed(self.folder / f"{kind}s"):
            if files.inside(self.folder, Path(folder.path) / "entry"):
                yield from (each for each in _listed(folder.path) if each.name.endswith(ending))

    def sizes(self, kind: Kind) -> list[int]:
        """Bytes of every entry of a kind, none of which is opened."""
        return [status.st_size for each in self.found(kind) if (status := status_of(each))]

    def kept_elsewhere(self) -> list[int]:
        """Bytes of every entry where this store is kept besides its folder.

        Raises:
            StoreError: it cannot be reached.
        """
        return [size for kind in SUFFIXES for size in self._remote.sizes(kind).values()] if self._remote else []

    def entries(self) -> list[Entry]:
        """Everything in the store, members first; what an entry is in words is read when somebody asks for it."""
        return [
            Entry(kind, each.path, status.st_size, max(status.st_atime, status.st_mtime))
            for kind in SUFFIXES
            for each in self.found(kind)
            if (status := status_of(each))
        ]


def kind_of(path: Path) -> Kind:
    """The kind of an entry, which its suffix tells."""
    return "member" if path.suffix == f".{SUFFIXES['member']}" else "table"


def status_of(found: os.DirEntry[str]) -> os.stat_result | None:
    """Size and times of a file; None where it has just been removed."""
    try:
        return found.stat(follow_symlinks=False)
    except OSError:
        return None


def _listed(folder: Path | str) -> list[os.DirEntry[str]]:
    """What is in a folder by name; nothing where there is none, or it is no folder."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda each: each.name)
    except OSError:
        return []
