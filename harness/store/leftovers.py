"""What killed processes left in a store half written goes when something is next made there.

A file is written under a name of its own, ``.NAME-xxxxxxxx.part``, and renamed within a second; a process that lives removes it
whatever happens.  So one that nobody has written to for a day has no owner, and neither has a job's sign of life.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from harness.store.cleaning import left_over, remove

_HALF_WRITTEN = (".part", ".beat")


def sweep(folder: Path) -> int:
    """Remove what is left over, as far as it can be removed; how many files that were.

    A file from the future, left by a clock that was wrong, stays until its time has come.

    Args:
        folder: the store's.
    """
    removed = 0
    for each in left_over(folder):
        if each.path.suffix in _HALF_WRITTEN:
            with contextlib.suppress(OSError):  # another process was faster, or may do it
                removed += remove(each)
    return removed
