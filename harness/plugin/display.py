"""Where the progress of a session is shown: on pytest's terminal, from the first claim to the last."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from harness.plugin.progress import Progress
from harness.plugin.screen import Screen


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
        """Begin to show what the workers are at, if there is a terminal reporter."""
        self._reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if self._reporter is None or self._progress is not None:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        writer = self._reporter._tw  # its file is the one place where all that pytest writes comes by
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
