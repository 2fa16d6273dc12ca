"""Files that are written whole or not at all, and that know their own name and checksum."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import torch

# what a broken file can do to its readers
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
Columns = dict[str, tuple[str, list[Any]]]  # of a table: type and values of each


class StoreError(OSError):
    """The store cannot be written, or does not keep what is written; the message says what to do."""


class Damaged(ValueError):  # noqa: N818 - a state of the world, not a fault
    """A store entry that is cut short, or not what its name says."""


class Missing(Damaged):
    """A store entry that does not exist, perhaps because another worker has set it aside."""


def unwritable(path: Path, problem: OSError, what: str = "the store cannot write") -> StoreError:
    """The error for something that the store could not do to ``path``, with what to do about it."""
    return StoreError(
        f"{what} {path} ({problem.strerror or problem}); make the folder writable, free some space, "
        "or choose another with --claims-store DIR or HARNESS_STORE"
    )


def write(path: Path, content: bytes) -> None:
    """Write a file atomically: a reader sees the old one, the new one, or none.

    Raises:
        StoreError: the folder cannot be written.
    """
    try:
        try:
            _renamed(path, content)
        except FileNotFoundError:  # a host whose clock is days ahead has taken it for what a killed process left
            _renamed(path, content)
    except OSError as problem:
        raise unwritable(path, problem) from problem


def _renamed(path: Path, content: bytes) -> None:
    # Not tempfile: its files can be read by nobody else, and a store may be shared.
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def checksum(*parts: bytes) -> str:
    """SHA-256 of the parts in order."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> None:
    """Write named CPU tensors as safetensors; ``about`` (JSON-able) and a checksum go into its header."""
    from safetensors.torch import save

    tensors = {name: value.contiguous() for name, value in tensors.items()}
    # One text, since safetensors writes several in a random order.
    write(path, save(tensors, {"entry": json.dumps(_sealed(path, about, *parts_of(tensors)), sort_keys=True)}))


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and ``about`` of a file of :func:`write_tensors`.

    Raises:
        Missing: it is not there.
        Damaged: it is cut short, was changed, or is another entry.
    """
    from safetensors import SafetensorError, safe_open

    try:
        _require_file(path)
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["entry"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        return tensors, _unsealed(path, header, *parts_of(tensors))
    except (SafetensorError, *UNREADABLE) as problem:
        raise damaged_by(problem) from problem


def parts_of(tensors: Mapping[str, torch.Tensor]) -> list[bytes]:
    """What a checksum of tensors is made of: name, type, shape and bytes of each."""
    parts = []
    for name in sorted(tensors):
        array = tensors[name].numpy()
        parts += [f"{name} {array.dtype} {array.shape}".encode(), array.tobytes()]
    return parts


def write_table(path: Path, table: pd.DataFrame, about: Mapping[str, Any]) -> None:
    """Write a table as JSON with its column types, ``about`` (JSON-able) and a checksum; no index."""
    columns = {str(name): {"dtype": str(column.dtype), "values": column.tolist()} for name, column in table.items()}
    text = json.dumps(columns)
    write(path, json.dumps({**_sealed(path, about, text.encode()), "columns": text}).encode())


def read_table(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Table and ``about`` of a file of :func:`write_table`.

    Raises:
        Missing: it is not there.
        Damaged: it is cut short, was changed, or is another entry.
    """
    columns, about = read_columns(path)
    try:
        return tabulate([columns]), about
    except UNREADABLE as problem:
        raise damaged_by(problem) from problem


def read_columns(path: Path) -> tuple[Columns, dict[str, Any]]:
    """As :func:`read_table`, but as plain columns, from which many small tables are joined."""
    try:
        document = json.loads(bytes_of(path))
        about = _unsealed(path, document, document["columns"].encode())
        return {name: (column["dtype"], column["values"]) for name, column in json.loads(document["columns"]).items()}, about
    except UNREADABLE as problem:
        raise damaged_by(problem) from problem


def tabulate(parts: Sequence[Columns]) -> pd.DataFrame:
    """The rows of all parts, one after the other.

    Parts of the same columns and types are joined as lists, which takes a tenth of the time of joining tables.
    """
    import pandas as pd

    first = parts[0]
    kinds = _kinds(first)
    if any(_kinds(part) != kinds for part in parts):
        return pd.concat([tabulate([part]) for part in parts], ignore_index=True)
    joined = {name: [value for part in parts for value in part[name][1]] for name in first}
    return pd.DataFrame({name: pd.Series(values, dtype=kinds[name]) for name, values in joined.items()})


def tabulate_marked(groups: Iterable[tuple[Sequence[Columns], Mapping[str, Any]]]) -> pd.DataFrame:
    """The rows of all groups of parts, followed by columns that are constant within a group."""
    import pandas as pd

    groups = list(groups)
    every = [part for parts, _ in groups for part in parts]
    rows = [sum(len(next(iter(part.values()), ("", []))[1]) for part in parts) for parts, _ in groups]
    if not all(rows) or any(_kinds(part) != _kinds(every[0]) for part in every):
        return pd.concat([tabulate(parts).assign(**marks) for parts, marks in groups], ignore_index=True)
    counted = list(zip((marks for _, marks in groups), rows, strict=True))
    whole = {name: [marks[name] for marks, count in counted for _ in range(count)] for name in groups[0][1]}
    return tabulate(every).assign(**whole)


def _kinds(part: Columns) -> dict[str, str]:
    return {name: dtype for name, (dtype, _) in part.items()}


def _sealed(path: Path, about: Mapping[str, Any], *content: bytes) -> dict[str, Any]:
    """``about`` with the entry's name and a checksum over both and the content."""
    text = json.dumps(about, sort_keys=True)
    return {"key": path.stem, "about": text, "sha256": checksum(path.stem.encode(), text.encode(), *content)}


def _unsealed(path: Path, header: Mapping[str, Any], *content: bytes) -> dict[str, Any]:
    """``about`` of an entry whose name and checksum are right."""
    stem = path.stem
    if header["key"] != stem:
        raise Damaged(f"it holds the entry {header['key']}, which was copied or moved here")
    if header["sha256"] != checksum(stem.encode(), header["about"].encode(), *content):
        raise Damaged("its content does not match the checksum that it was written with")
    about: dict[str, Any] = json.loads(header["about"])
    return about


def open_regular(path: Path | str, flags: int = 0) -> tuple[int, int]:
    """Handle and size of a regular file, for reading: nobody waits for a pipe, and no link is followed.

    Raises:
        Damaged: it is something else.
    """
    try:
        handle = os.open(path, _FLAGS | flags)
    except OSError:
        _require_file(path)  # says what is there, if it is something else
        raise
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        _require_file(path)
        raise Damaged("it is not a regular file")
    return handle, found.st_size


def bytes_of(path: Path | str) -> bytes:
    """All of a regular file.

    Raises:
        Damaged: it is something else.
    """
    handle, size = open_regular(path)
    try:
        return at_least(handle, b"", size)
    finally:
        os.close(handle)


def at_least(handle: int, read: bytes, wanted: int) -> bytes:
    """What was read of a file, and the rest of it up to the byte that is wanted."""
    parts, have = [read], len(read)
    while have < wanted and (more := os.read(handle, wanted - have)):
        parts.append(more)
        have += len(more)
    return b"".join(parts)


def _require_file(path: Path | str) -> None:
    """Raise unless an entry is a regular file: opening a pipe would wait for ever, and a link may lead out of the store."""
    kind = os.lstat(path).st_mode
    if not stat.S_ISREG(kind):
        what = "a link" if stat.S_ISLNK(kind) else "a folder" if stat.S_ISDIR(kind) else "not a regular file"
        raise Damaged(f"it is {what}")


def inside(folder: Path, path: Path) -> bool:
    """Whether a path below a store's folder stays there: no link on the way leads elsewhere."""
    return os.path.realpath(path.parent).startswith(os.path.join(os.path.realpath(folder), ""))


def damaged_by(problem: Exception) -> Damaged:
    """What is wrong with an entry whose reader failed."""
    if isinstance(problem, Damaged):
        return problem
    if isinstance(problem, RecursionError):
        return Damaged("it is nested too deeply")
    if isinstance(problem, FileNotFoundError):
        return Missing("it is not there")
    missing = f"it lacks {problem}" if isinstance(problem, KeyError) else f"it cannot be read: {problem}"
    return Damaged(missing)


def identity(path: Path) -> tuple[int, ...] | None:
    """What distinguishes a file from one that another worker puts in its place; None if there is no file."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


@contextlib.contextmanager
def unnoticed(path: Path | str) -> Iterator[None]:
    """Read a file without its counting as used: what nobody but a check has read for long may still be removed."""
    try:
        before = os.lstat(path)
    except OSError:
        before = None
    try:
        yield
    finally:
        if before is not None:
            with contextlib.suppress(OSError):
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns), follow_symlinks=False)
