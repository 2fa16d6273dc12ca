"""The folder of a store: where entries lie, and what happens to one that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from harness.store import files

Kind = Literal["member", "table"]
SUFFIXES: dict[Kind, str] = {"member": "safetensors", "table": "json"}
Content = TypeVar("Content")


@dataclass(frozen=True)
class Entry:
    """One file of the store, for people who want to look inside.

    Attributes:
        kind: "member" or "table".
        name: what it is, in words.
        path: where it lies.
        bytes: its size.
    """

    kind: str
    name: str
    path: Path
    bytes: int

    def valid(self) -> bool:
        """Whether it is the entry that its name says, with the checksum that it was written with."""
        try:
            (files.read_tensors if self.kind == "member" else files.read_table)(self.path)
        except files.Damaged:
            return False
        return True


class Shelf:
    """The files of a store.

    Args:
        folder: where they lie; it is made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._failed: set[Path] = set()  # entries that could not be read the last time
        self._inside: set[Path] = set()  # folders that are known to lie in the store

    def path(self, kind: Kind, name: str) -> Path:
        """Where the entry of that name lies, or would lie.

        Raises:
            StoreError: a link inside the store leads out of it.
        """
        folder = self.folder / f"{kind}s" / name[:2]
        path = folder / f"{name}.{SUFFIXES[kind]}"
        if folder not in self._inside:
            if not files.inside(self.folder, path):
                raise files.StoreError(
                    f"{folder} leads out of the store {self.folder} through a link, which is not followed: remove the link, or "
                    "choose the folder that it leads to with --claims-store DIR or HARNESS_STORE"
                )
            self._inside.add(folder)
        return path

    def content(self, path: Path, read: Callable[[Path], Content]) -> Content | None:
        """What an entry holds; None where it has to be made again, because it is damaged or no longer there.

        Args:
            path: where it lies.
            read: reads it; raises :class:`harness.store.files.Damaged`.

        Raises:
            StoreError: it was made again just now and still cannot be read, so another try would not help.
        """
        seen = files.identity(path)
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
            files.set_aside(path, problem, seen)
            return None
        self._failed.discard(path)
        return content

    def sizes(self, kind: Kind) -> list[int]:
        """Bytes of every entry of a kind, none of which is opened."""
        return [path.lstat().st_size for path in (self.folder / f"{kind}s").glob(f"*/*.{SUFFIXES[kind]}")]

    def entries(self) -> list[Entry]:
        """Everything in the store, members first."""
        found = []
        for kind, suffix in SUFFIXES.items():
            for path in sorted((self.folder / f"{kind}s").glob(f"*/*.{suffix}")):
                if files.inside(self.folder, path):
                    found.append(Entry(kind, _in_words(kind, path), path, path.lstat().st_size))
        return found


def _in_words(kind: Kind, path: Path) -> str:
    try:
        about = (files.read_tensors if kind == "member" else files.read_table)(path)[1]
    except files.Damaged as problem:
        return f"damaged: {problem}"
    return ", ".join(f"{name} {about[name]}" for name in ("what", "recipe", "seed") if name in about)
