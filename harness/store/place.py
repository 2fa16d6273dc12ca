"""Where a store lies: its folder, where else it is kept, and the stores below it that are only read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from harness.data.sources import cache_folder

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*(::[^:]+)*://")


@dataclass(frozen=True)
class Place:
    """Where a store lies.

    Attributes:
        folder: of its entries on this machine, its locks and its notes.
        remote: URL under which its entries are kept, too; None where the folder is all.
        shared: folders and URLs of the stores that are asked, in this order, for what it has not.
    """

    folder: Path
    remote: str | None = None
    shared: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Path | str | Place, shared: Iterable[Path | str] = ()) -> Place:
        """The place that is meant by a folder, or a URL of a file system that fsspec knows.

        The folder of a store with a URL is in the user's cache, one for each URL.
        """
        below = tuple(dict.fromkeys(_below(each) for each in shared))
        if isinstance(given, Place):
            return cls(given.folder, given.remote, (*given.shared, *(each for each in below if each not in given.shared)))
        if not is_url(given):
            return cls(Path(given), None, below)
        if (folder := _folder_of(str(given))) is not None:
            return cls(folder, None, below)
        url = str(given).rstrip("/")
        return cls(cache_folder(f"store-{hashlib.sha256(url.encode()).hexdigest()[:16]}"), url, below)


def is_url(given: Path | str) -> bool:
    """Whether it names a place by a protocol."""
    return isinstance(given, str) and _URL.match(given) is not None


def _folder_of(url: str) -> Path | None:
    """The folder that a file URL names, for which nothing but the operating system is needed."""
    split = urlsplit(url)
    return Path(unquote(split.path)) if split.scheme == "file" and split.netloc in ("", "localhost") else None


def _below(given: Path | str) -> str:
    folder = None if not is_url(given) else _folder_of(str(given))
    return str(given) if folder is None else str(folder)
