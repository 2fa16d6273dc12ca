"""Small data sets that travel with a repository, registered by whoever has them.

The library knows what an embedded set must contain (its digest), not where it lies: a checkout's
``conftest.py`` registers the files that it holds.
"""

from __future__ import annotations

from pathlib import Path

_EMBEDDED: dict[str, Path] = {}


def register_embedded(name: str, path: Path | str) -> None:
    """Make an embedded data file known; it is opened when it is needed.

    Args:
        name: data set ("mnist").
        path: the file.
    """
    _EMBEDDED[name] = Path(path)


def embedded(name: str) -> Path | None:
    """The registered file of a data set, or None."""
    return _EMBEDDED.get(name)
