"""What becomes of entries that cannot be read, and of stores that cannot be asked: one sentence each."""

from __future__ import annotations

import os
import warnings
from itertools import count
from pathlib import Path

from harness.store.files import Damaged, identity, unwritable


def _aside(path: Path) -> Path:
    """Where a damaged entry is moved to: a free name, or the name of a file that it may replace."""
    names = (path.with_name(f"{path.name}.damaged" + (f"-{number}" if number > 1 else "")) for number in count(1))
    return next(name for name in names if not os.path.lexists(name) or not (_is_folder(name) or _is_folder(path)))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def set_aside(path: Path, problem: Damaged, seen: tuple[int, ...] | None) -> None:
    """Move a damaged entry out of the way, with a warning that says what happens next.

    Args:
        path: the entry.
        problem: what is wrong with it.
        seen: its :func:`identity` before it was read; a file that has replaced it since then is left alone.

    Raises:
        StoreError: it cannot be moved.
    """
    aside = _aside(path)
    if seen is None or identity(path) != seen:
        return
    try:
        os.replace(path, aside)
    except FileNotFoundError:  # another worker was faster
        return
    except OSError as failure:
        told = f"store entry {path.name} is damaged ({problem}) and cannot be moved out of the way:"
        raise unwritable(path, failure, told) from failure
    warnings.warn(
        f"store entry {path.name} is damaged ({problem}); it was moved to {aside} and will be made again",
        stacklevel=3,
    )


def tell_useless(name: str, where: str, problem: Damaged) -> None:
    """Warn that another store's entry is damaged, and say what happens next."""
    warnings.warn(
        f"store entry {name} of the shared store {where} is damaged ({problem}); it was left there and will be made again here",
        stacklevel=4,
    )


def tell_absent(where: str, problem: object) -> None:
    """Warn that another store cannot be asked, and say what happens next."""
    warnings.warn(f"shared store {where} {problem}; it is not asked, and what only it has will be made again", stacklevel=4)


def take_in(file: Path, path: Path) -> None:
    """Move a file of this file system, which has been read and found to be right, to where an entry lies.

    Raises:
        StoreError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, path)
    except OSError as problem:
        raise unwritable(path, problem) from problem
