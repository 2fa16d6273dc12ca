"""Drawings of figures, kept under everything that decides them, so that an unchanged figure is not drawn again."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.code import CodeError, code_digest
from harness.report import figures
from harness.store import files

NAME = "drawings.json"
_MOST = 512  # drawings in the file; those that were not asked for the longest go first


class Drawings:
    """A file of drawings, all made by one code; any other or unreadable file counts as empty.

    Args:
        folder: where it lies; it is made when something is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / NAME
        try:
            self._code: str | None = code_digest(figures)
        except CodeError:  # what draws has no name, so that nothing can be kept
            self._code = None
        self._held = self._read()
        self._drawn = False

    def svg(self, figure: Mapping[str, Any], key: str) -> str:
        """As :func:`harness.report.figures.draw`."""
        name = hashlib.sha256(json.dumps([figure, key]).encode()).hexdigest()
        found = self._held.pop(name, None)
        if found is None:
            found, self._drawn = figures.draw(figure, key), True
        self._held[name] = found  # behind all others
        return found

    def keep(self) -> None:
        """Write what was drawn; if that fails, it is drawn again the next time."""
        if not self._drawn or self._code is None:
            return
        text = json.dumps(dict(list(self._held.items())[-_MOST:]))
        with contextlib.suppress(OSError):
            files.write(self._file, json.dumps({"code": self._code, "sha256": _sum(text), "drawings": text}).encode())
            self._drawn = False

    def _read(self) -> dict[str, str]:
        try:
            held = json.loads(self._file.read_bytes())
            if held["code"] != self._code or held["sha256"] != _sum(held["drawings"]):
                return {}
            return {str(name): str(svg) for name, svg in json.loads(held["drawings"]).items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
