"""A store on a file system that fsspec knows: a bucket, a server, the memory of this process.

Entries lie there under the same names as in a folder, so that either can be copied to the other by any tool.  There are no
locks: two machines may make the same entry, and either's is right.  What is read is fetched whole, checked by the reader, and
kept in the folder of one's own store; what is written is put there whole, or under another name first.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.store import aside, files
from harness.store.files import Missing, StoreError
from harness.store.shelf import SUFFIXES, Kind, kind_of

AT_ONCE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "memory"}
"""Protocols whose files appear whole, once they have been written; with others they are renamed."""
LISTED_FOR = 30.0  # seconds that a list of what is there serves at the least, when something is not in it
SHARE = 20.0  # times that a list serves as long as it took to get
INCOMING, UNSENT = "incoming", "unsent"
_NAME = re.compile(r"[0-9a-f]{16}")


class Remote:
    """Entries on a file system that fsspec knows; see :class:`harness.store.others.Other`.

    Args:
        url: where they lie, such as "s3://bucket/store".
        keeper: folder of the store whose entries are kept there; None for a store that is only read.
    """

    travels = True

    def __init__(self, url: str, keeper: Path | None = None) -> None:
        self.where = re.sub(r"//[^/@]*@", "//", url)  # without a password
        self._url, self._keeper = url, keeper
        self._opened: tuple[Any, str] | None = None
        self._sizes: dict[Kind, dict[str, int]] = {}
        self._until: dict[Kind, float] = {}
        self._off = False

    def has(self, kind: Kind, name: str) -> bool:
        """See :class:`harness.store.others.Other`.

        Raises:
            StoreError: this is where one's own store is kept, and it cannot be reached.
        """
        return not self._off and (name in self._sizes.get(kind, ()) or name in self.sizes(kind))

    def sizes(self, kind: Kind) -> dict[str, int]:
        """Bytes of every entry of a kind by name; as of at most a while ago."""
        if not self._off and time.monotonic() >= self._until.get(kind, 0.0):
            began = time.monotonic()
            self._sizes[kind] = self._listed(kind)
            self._until[kind] = time.monotonic() + max(LISTED_FOR, SHARE * (time.monotonic() - began))
        return self._sizes.get(kind, {})

    def _listed(self, kind: Kind) -> dict[str, int]:
        try:
            system, root = self._system()
            system.invalidate_cache()
            found = system.find(f"{root}/{kind}s", detail=True)
        except FileNotFoundError:
            return {}
        except Exception as problem:  # each file system has errors of its own
            self._unreachable(problem)
            return {}
        ending = f".{SUFFIXES[kind]}"
        named = {str(path).rpartition("/")[2].removesuffix(ending): about for path, about in found.items()}
        return {name: int(about.get("size") or 0) for name, about in named.items() if _NAME.fullmatch(name)}

    @contextmanager
    def file(self, kind: Kind, name: str, folder: Path) -> Iterator[Path]:
        """See :class:`harness.store.others.Other`."""
        try:
            system, root = self._system()
            content = system.cat_file(_place(root, kind, name))
        except FileNotFoundError:
            self._sizes.get(kind, {}).pop(name, None)
            raise Missing("it is not there") from None
        except Exception as problem:
            self._unreachable(problem)
            raise Missing(f"it cannot be fetched: {problem}") from problem
        room = folder / INCOMING / secrets.token_hex(8)
        file = room / f"{name}.{SUFFIXES[kind]}"
        files.write(file, content)
        try:
            yield file
        finally:
            shutil.rmtree(room, ignore_errors=True)

    def send(self, path: Path) -> None:
        """Put an entry there, and any that could not be put there before.

        Raises:
            StoreError: it cannot be put there; it is put there with the next one.
        """
        assert self._keeper is not None
        unsent = self._keeper / UNSENT
        try:
            unsent.mkdir(parents=True, exist_ok=True)
            (unsent / path.name).touch()
            marks = sorted(each for each in unsent.iterdir() if _NAME.fullmatch(each.stem))
        except OSError as problem:
            raise files.unwritable(unsent, problem) from problem
        for mark in marks:
            kind = kind_of(mark)
            entry = self._keeper / f"{kind}s" / mark.stem[:2] / mark.name
            with contextlib.suppress(FileNotFoundError, files.Damaged):  # removed, or no file: it will be made again, and sent
                self._put(kind, mark.stem, files.bytes_of(entry))
            mark.unlink(missing_ok=True)

    def _put(self, kind: Kind, name: str, content: bytes) -> None:
        try:
            system, root = self._system()
            target = _place(root, kind, name)
            folder, _, last = target.rpartition("/")
            protocols = {system.protocol} if isinstance(system.protocol, str) else set(system.protocol)
            if protocols & AT_ONCE:
                system.pipe_file(target, content)
            else:
                system.makedirs(folder, exist_ok=True)
                part = f"{folder}/.{last}-{secrets.token_hex(4)}.part"
                system.pipe_file(part, content)
                system.mv(part, target)
        except StoreError:
            raise
        except Exception as problem:
            raise StoreError(
                f"the store cannot write {name} to {self.where} ({problem}); it is in {self._keeper}, from where the next "
                "entry that is written takes it along: see that the place can be reached and written, and run it again"
            ) from problem
        self._sizes.setdefault(kind, {})[name] = len(content)

    def _system(self) -> tuple[Any, str]:
        """The file system, and the place on it."""
        if self._opened is None:
            import fsspec.core

            try:
                system, root = fsspec.core.url_to_fs(self._url)
            except (ImportError, ValueError) as problem:
                raise StoreError(f"{self.where} is no place for a store: {problem}") from problem
            self._opened = system, root.rstrip("/")
        return self._opened

    def _unreachable(self, problem: Exception) -> None:
        """Go on without a store that is only read; one's own has to be there.

        Raises:
            StoreError: it is one's own.
        """
        if isinstance(problem, StoreError) and self._keeper is not None:
            raise problem
        if self._keeper is not None:
            raise StoreError(
                f"the store {self.where} cannot be read ({problem}); see that it can be reached, or choose another with "
                "--claims-store DIR or HARNESS_STORE"
            ) from problem
        self._off = True
        aside.tell_absent(self.where, f"cannot be read ({problem})")


def _place(root: str, kind: Kind, name: str) -> str:
    """Where an entry lies, below the root, as in a folder."""
    return f"{root}/{kind}s/{name[:2]}/{name}.{SUFFIXES[kind]}"
