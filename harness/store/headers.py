"""What an entry says about itself, read from its first bytes: a list of a large store would else read all of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from harness.store.files import UNREADABLE, Damaged, at_least, damaged_by, open_regular

FIRST = 4096  # bytes that hold the whole of nearly every header
_NO_ACCESS_TIME = getattr(os, "O_NOATIME", 0)
_COLUMNS = b', "columns": "'  # quotes inside a text are escaped, so that this stands nowhere before the columns


def about_of(path: Path | str) -> dict[str, Any]:
    """What a member or a table was said to be when it was written; its numbers are not looked at.

    Raises:
        Missing: it is not there.
        Damaged: the header is cut short, nonsense, or another entry's.
    """
    stem, suffix = os.path.splitext(os.path.basename(path))
    try:
        handle, size = _unnoticed(path)
        try:
            read = _of_tensors if suffix == ".safetensors" else _of_table
            header = read(handle, os.read(handle, FIRST), size)
        finally:
            os.close(handle)
        return checked(header, stem)
    except UNREADABLE as problem:
        raise damaged_by(problem) from problem


def checked(header: Any, stem: str) -> dict[str, Any]:
    """``about`` of a header that names the entry that it stands in."""
    if header["key"] != stem:
        raise Damaged(f"it holds the entry {header['key']}, which was copied or moved here")
    about = json.loads(header["about"])
    if not isinstance(about, dict):
        raise Damaged("it does not say what it is")
    return about


def _unnoticed(path: Path | str) -> tuple[int, int]:
    """Handle and size, whose use does not count as one of the entry, where the file is one's own."""
    try:
        return open_regular(path, _NO_ACCESS_TIME)
    except PermissionError:
        return open_regular(path)


def _of_tensors(handle: int, first: bytes, size: int) -> Any:
    """The entry's part of a safetensors header: its length in 8 bytes, then JSON."""
    length = int.from_bytes(first[:8], "little")
    if not 2 <= length <= size - 8:
        raise Damaged("it is cut short")
    text = at_least(handle, first, 8 + length)[8 : 8 + length]
    return json.loads(json.loads(text)["__metadata__"]["entry"])


def _of_table(handle: int, first: bytes, size: int) -> Any:
    """What stands before the columns of a table; where they stand elsewhere, the whole of it."""
    end = first.find(_COLUMNS)
    if end < 0:
        first = at_least(handle, first, size)
        end = first.find(_COLUMNS)
    return json.loads(first if end < 0 else first[:end] + b"}")
