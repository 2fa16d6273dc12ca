"""What is being trained right now: workers append heartbeats to files, the controller shows a line of them.

A heartbeat is ``{"population": str, "done": int, "total": int, "share": float, "what": str, "seconds": float}``: members that
are done, of how many, and which share of the work that is; ``what`` is "trained" or "measured".  Workers cannot print, so each
has a file of its own in the run's folder.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.5
PLAIN_SECONDS = 15.0  # between lines where a terminal cannot redraw one
Show = Callable[[str], None]


class Heartbeat:
    """Appends heartbeats to a file; the store calls it while it works."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, beat: Mapping[str, Any]) -> None:
        """Append one heartbeat; where the folder is gone, its run has ended and nobody reads it."""
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(dict(beat), default=str) + "\n")
        except OSError:
            pass


class Reader:
    """Reads what is new in the heartbeat files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}

    def fresh(self) -> list[dict[str, Any]]:
        """Heartbeats since the last call; a line that is still being written waits for the next."""
        beats = []
        for path in sorted(self._folder.glob("heartbeat-*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            beats += [json.loads(line) for line in whole.splitlines()]
        return beats


@dataclass
class _Work:
    """One population and what is done with it: the first and the newest heartbeat."""

    first: Mapping[str, Any]
    last: Mapping[str, Any]

    def line(self) -> str:
        beat = self.last
        text = f"population {beat['population']}: {beat['done']}/{beat['total']} {beat['what']}"
        left = self.seconds_left()
        return text if left is None else f"{text}, {spoken(left)} left"

    def seconds_left(self) -> float | None:
        """Seconds that the rest takes at the pace since the first heartbeat, or since the start."""
        share, seconds = (self.last[name] - self.first[name] for name in ("share", "seconds"))
        if share <= 0 or seconds <= 0:
            share, seconds = self.last["share"], self.last["seconds"]
        if share <= 0 or seconds <= 0:
            return None
        return float(seconds / share * (1 - self.last["share"]))


@dataclass
class Board:
    """The newest state of every population that is being worked on."""

    work: dict[tuple[str, str], _Work] = field(default_factory=dict)

    def take(self, beat: Mapping[str, Any]) -> None:
        """Take in a heartbeat; of workers that share a population, whoever got furthest is right."""
        key = (str(beat["population"]), str(beat["what"]))
        known = self.work.pop(key, None)
        if known is None or beat["total"] != known.last["total"]:
            known = _Work(beat, beat)
        elif beat["done"] >= known.last["done"]:
            known.last = beat
        if known.last["done"] < known.last["total"]:
            self.work[key] = known  # popped and put back: the newest stands last

    def line(self, width: int = 200) -> str:
        """What to show, cut at ``width`` characters; empty when nothing is under way."""
        text = "; ".join(work.line() for work in reversed(self.work.values()))
        return text if len(text) <= width else text[: width - 1] + "…"


def spoken(seconds: float) -> str:
    """A rough time, rounded up: "a few seconds", "about 20 s", "about 3 min", "about 2.5 h"."""
    if seconds <= 10:
        return "a few seconds"
    if seconds <= 90:
        return f"about {math.ceil(seconds / 10) * 10} s"
    if seconds <= 5400:
        return f"about {math.ceil(seconds / 60)} min"
    return f"about {math.ceil(seconds / 1800) / 2:g} h"


class Progress(threading.Thread):
    """Shows the board while the tests run: one line that redraws itself, else a line now and then.

    Args:
        folder: where the heartbeat files are.
        redraw: shows a text in place of the last (an empty one removes it), or None where that cannot be.
        say: prints one line.
    """

    def __init__(self, folder: Path, redraw: Show | None, say: Show) -> None:
        super().__init__(name="claims-progress", daemon=True)
        self._reader, self._board = Reader(folder), Board()
        self._redraw, self._say = redraw, say
        self._ended = threading.Event()
        self._since_said = 0.0

    def run(self) -> None:
        """Show until :meth:`stop`."""
        while not self._ended.wait(POLL_SECONDS):
            try:
                self._show()
            except (OSError, ValueError, KeyError, TypeError):
                return  # a heartbeat that nobody can read, or a closed terminal: the run matters more

    def stop(self) -> None:
        """Remove the line and end."""
        if not self._ended.is_set():
            self._ended.set()
            self.join()
            if self._redraw is not None:
                self._redraw("")

    def _show(self) -> None:
        for beat in self._reader.fresh():
            self._board.take(beat)
        self._since_said += POLL_SECONDS
        if self._redraw is not None:
            self._redraw(self._board.line())
        elif self._since_said >= PLAIN_SECONDS and (line := self._board.line()):
            self._say(line)
            self._since_said = 0.0
