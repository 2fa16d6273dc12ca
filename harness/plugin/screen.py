"""One line below pytest's own output that can be redrawn and removed without a trace.

While a test runs, pytest redirects the terminal's file descriptor to capture what the test prints; so what is
shown from beside the run goes to a duplicate of it.  What pytest itself writes passes through here, because
the line has to go before pytest writes, and the cursor has to be where pytest left it.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import threading
from typing import Any, TextIO

_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CLEAR_LINE, _UP, _RIGHT = "\r\x1b[2K", "\x1b[A", "\x1b[{}C"


class Screen:
    """A text file that passes everything on to ``file``, and can show a line under what was written last.

    Args:
        file: pytest's terminal file.
        column: columns already written on the current line.
    """

    def __init__(self, file: TextIO, column: int = 0) -> None:
        self.file = file
        self._out, self._owned = _duplicate(file)
        self._column = column
        self._shown = False
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, text: str) -> int:
        """Write what pytest says, in the place where it would stand without the line below."""
        with self._lock:
            self._erase()
            self._column = _column_after(text, self._column)
            written = self.file.write(text)
            self.file.flush()
            return written

    def redraw(self, text: str) -> None:
        """Show ``text`` below what was written last, in place of what was shown; an empty text removes it."""
        with self._lock:
            self._erase()
            if text:
                self._put("\n" + text[: _width() - 1])
                self._shown = True

    def say(self, line: str) -> None:
        """Print a line that stays."""
        with self._lock:
            self._put(("\n" if self._column else "") + line + "\n")
            self._column = 0

    def close(self) -> None:
        """Remove the line and let go of the terminal."""
        self.redraw("")
        if self._owned:
            self._out.close()

    def _erase(self) -> None:
        if self._shown:
            column = self._column % _width()
            self._put(_CLEAR_LINE + _UP + (_RIGHT.format(column) if column else ""))
            self._shown = False

    def _put(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _duplicate(file: TextIO) -> tuple[TextIO, bool]:
    """A file of our own onto the same terminal, and whether it is ours to close."""
    try:
        descriptor = os.dup(file.fileno())
    except (OSError, ValueError, AttributeError, io.UnsupportedOperation):
        return file, False  # a terminal in memory: nothing redirects it
    return os.fdopen(descriptor, "w", encoding=file.encoding or "utf-8", errors="replace"), True


def _column_after(text: str, column: int) -> int:
    """Columns on the current line after ``text``; a carriage return starts the line anew."""
    seen = _ESCAPE.sub("", text)
    fresh = max(seen.rfind("\n"), seen.rfind("\r"))
    return column + len(seen) if fresh < 0 else len(seen) - fresh - 1


def _width() -> int:
    return shutil.get_terminal_size().columns
