"""A store keeps itself out of version control."""

from __future__ import annotations

import contextlib
from pathlib import Path

from harness.store.files import unwritable

_SAID = "# Made by the harness: networks and measurements that are made again where they are missing.\n*\n"


def make(folder: Path) -> None:
    """Make the folder of a store, if it is not there, with a file by which git leaves it alone.

    Nothing is written into a folder that is there already: it may hold other things that git is to see.

    Raises:
        StoreError: it cannot be made.
    """
    if folder.exists():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError), (folder / ".gitignore").open("x", encoding="utf-8") as file:
            file.write(_SAID)
    except OSError as problem:
        raise unwritable(folder, problem) from problem
