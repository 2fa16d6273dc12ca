"""Where the progress of a session is shown: a line below pytest's own output, redrawn and removed without a trace.

While a test runs, pytest redirects the terminal's file descriptor to capture what the test prints, so the line is written to a
duplicate of that descriptor.  What pytest itself writes passes through here, because the line has to be removed before pytest
writes, and the cursor has to be where pytest left it.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import threading
from pathlib import Path
from typing import Any, TextIO

import pytest

from harness.pytest_plugin.progress import Progress

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


class Display:
    """The progress of a session on its terminal; nothing before :meth:`start`, no trace after :meth:`stop`.

    Args:
        config: pytest's configuration.
        folder: the run's folder, where the workers' heartbeats are.
    """

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self._config, self._folder = config, folder
        self._reporter: Any = None
        self._screen: Screen | None = None
        self._progress: Progress | None = None

    def start(self) -> None:
        """Begin to show what the workers are doing, if there is a terminal reporter."""
        self._reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if self._reporter is None or self._progress is not None:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        writer = self._reporter._tw  # its file is the one place that everything pytest writes passes through
        self._screen = writer._file = Screen(writer._file, writer.width_of_current_line)
        self._progress = Progress(self._folder, self._screen.redraw if self._redraws() else None, self._say)
        self._progress.start()

    def stop(self) -> None:
        """Remove the line and give pytest its terminal back."""
        if self._progress is not None and self._screen is not None:
            self._progress.stop()
            self._reporter._tw._file = self._screen.file
            self._screen.close()
            self._progress = self._screen = None

    def _redraws(self) -> bool:
        """Whether a line can be redrawn: on a terminal that knows how, and that no test prints on as well."""
        workers = getattr(self._config.option, "numprocesses", None)
        alone = bool(workers) or self._config.getoption("capture") != "no"
        capable = os.name == "posix" and os.environ.get("TERM") != "dumb"
        return bool(self._reporter.isatty) and capable and alone

    def _say(self, line: str) -> None:
        if self._screen is not None:
            self._screen.say(line)
            self._reporter.currentfspath = None  # pytest begins a line of its own again
