"""Files that are written whole or not at all, and that know their own checksum."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import torch


class StoreError(OSError):
    """The store cannot be written; the message names the folder and what to do."""


class Damaged(ValueError):
    """A store entry that is cut short, or not what its name says."""


def write(path: Path, content: bytes) -> None:
    """Write a file atomically: a reader sees the old one, the new one, or none.

    Raises:
        StoreError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as problem:
        raise StoreError(
            f"the store cannot write {path} ({problem.strerror or problem}); make the folder writable, free some space, "
            "or choose another with --store DIR or HARNESS_STORE"
        ) from problem


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
    header = {"about": json.dumps(about, sort_keys=True), "sha256": _tensor_checksum(tensors)}
    write(path, save(tensors, header))


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and ``about`` of a file of :func:`write_tensors`.

    Raises:
        Damaged: it is cut short or was changed.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        about = json.loads(header["about"])
    except (SafetensorError, KeyError, ValueError, OSError) as problem:
        raise Damaged(f"it cannot be read: {problem}") from problem
    if header.get("sha256") != _tensor_checksum(tensors):
        raise Damaged("its content does not have the checksum that it was written with")
    return tensors, about


def _tensor_checksum(tensors: Mapping[str, torch.Tensor]) -> str:
    return checksum(*(part for name in sorted(tensors) for part in (name.encode(), tensors[name].numpy().tobytes())))


def write_table(path: Path, table: pd.DataFrame, about: Mapping[str, Any]) -> None:
    """Write a table as JSON with its column types, ``about`` (JSON-able) and a checksum."""
    columns = {
        str(name): {"dtype": str(column.dtype), "values": column.tolist()} for name, column in table.items()
    }
    text = json.dumps(columns)
    write(path, json.dumps({"about": about, "sha256": checksum(text.encode()), "columns": text}).encode())


def read_table(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Table and ``about`` of a file of :func:`write_table`.

    Raises:
        Damaged: it is cut short or was changed.
    """
    import pandas as pd

    try:
        document = json.loads(path.read_bytes())
        text, about = document["columns"], document["about"]
        if document["sha256"] != checksum(text.encode()):
            raise Damaged("its content does not have the checksum that it was written with")
        columns = json.loads(text)
        return pd.DataFrame({n: pd.Series(c["values"], dtype=c["dtype"]) for n, c in columns.items()}), about
    except (ValueError, KeyError, TypeError, OSError) as problem:
        if isinstance(problem, Damaged):
            raise
        raise Damaged(f"it cannot be read: {problem}") from problem


def set_aside(path: Path, problem: Damaged) -> None:
    """Move a damaged entry out of the way, with a warning that says what happens next."""
    aside = path.with_name(path.name + ".damaged")
    with contextlib.suppress(FileNotFoundError):  # another worker was faster
        os.replace(path, aside)
        warnings.warn(
            f"store entry {path.name} is damaged ({problem}); it was moved to {aside} and is made again", stacklevel=3
        )
