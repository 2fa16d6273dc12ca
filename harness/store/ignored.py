"""A store keeps itself out of version control."""

from __future__ import annotations

import contextlib
from pathlib import Path

_SAID = "# Made by the harness: networks and measurements that are made again where they are missing.\n*\n"


def make(folder: Path) -> None:
    """Make the folder of a store, if it is not there, with a file by which git leaves it alone.

    Nothing is written into a folder that is there already: it may hold other things that git is to see.  What cannot be written
    is not said here: the next step, which cannot be done either, says it.
    """
    if folder.exists():
        return
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".gitignore").open("x", encoding="utf-8") as file:
            file.write(_SAID)
