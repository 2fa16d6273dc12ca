"""How far long work is: told by what does it, shown to whoever waits for it.

An instrument calls :func:`tell` as often as it likes.  Who hears it was set by whoever began the work: the store, which hands
it on as heartbeats, so that a run of claims has its line, or :func:`under_way`, which shows a line of its own on stderr where
that is a terminal or a notebook.  Work within other work tells the outer one, as the part of it that it is (:func:`parts`).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

DELAY = 2.0  # seconds before a line is shown
SECONDS = 0.2  # between two things that a listener is told
Report = Callable[[float], None]
T = TypeVar("T")


class _Listener:
    """Who hears how far the work is.

    Attributes:
        low: share of all of it that was done where the present part of it began.
        high: share that will be at its end.
    """

    def __init__(self, report: Report) -> None:
        self._report, self._highest, self._last = report, 0.0, -SECONDS
        self.low, self.high = 0.0, 1.0

    def hear(self, share: float) -> None:
        """Hand on which share of the present part is done, if it is time to."""
        whole, now = min(self.low + share * (self.high - self.low), 1.0), time.monotonic()
        if whole > self._highest and (whole >= 1 or now - self._last >= SECONDS):
            self._highest, self._last = whole, now
            self._report(whole)


_LISTENER: ContextVar[_Listener | None] = ContextVar("listener", default=None)


def tell(share: float) -> None:
    """Say which share of the work, or of its present part, is done, from 0 to 1."""
    listener = _LISTENER.get()
    if listener is not None:
        listener.hear(share)


def parts(items: Sequence[T]) -> Iterator[T]:
    """The items; while the loop has one of them, what is told is about this part of the work, all parts being of one length.

    Where the loop is left by an exception, the next part of what it was itself a part of puts everything right.
    """
    listener = _LISTENER.get()
    if listener is None:
        yield from items
        return
    low, high = listener.low, listener.high
    for number, item in enumerate(items):
        listener.low, listener.high = (low + (high - low) * (number + end) / len(items) for end in (0, 1))
        yield item
        listener.hear(1.0)
    listener.low, listener.high = low, high


@contextmanager
def part(low: float, high: float) -> Iterator[None]:
    """Within it, what is told is about the work between two shares of the present part."""
    listener = _LISTENER.get()
    if listener is None:
        yield
        return
    begin, end = listener.low, listener.high
    listener.low, listener.high = (begin + (end - begin) * share for share in (low, high))
    try:
        yield
    finally:
        listener.low, listener.high = begin, end


@contextmanager
def listening(report: Report) -> Iterator[Report]:
    """Within it, what is told goes to ``report``: a few times a second at most, and never less than before."""
    listener = _Listener(report)
    before = _LISTENER.set(listener)
    try:
        yield listener.hear
    finally:
        _LISTENER.reset(before)


@contextmanager
def under_way(what: str, total: int, unit: str) -> Iterator[Report]:
    """Show how far the work within it is, unless somebody listens already.

    The line comes after :data:`DELAY` seconds, on stderr, where that is a terminal or a notebook, and goes at the end; not
    under pytest, which has its own.  ``TQDM_DISABLE=1`` in the environment switches it off.

    Args:
        what: is done.
        total: of how many.
        unit: of what, in the plural.

    Yields:
        What :func:`tell` does now, for who begins further work within it.
    """
    listener = _LISTENER.get()
    if listener is not None or not _seen():
        yield tell if listener is None else listener.hear
        return
    from tqdm.auto import tqdm  # only now: it begins a thread, and in a notebook may warn

    with tqdm(total=total, delay=DELAY, leave=False, miniters=0, mininterval=SECONDS, **_size(),
              bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}") as bar:  # fmt: skip

        def report(share: float) -> None:
            bar.set_description_str(f"{what}, {int(share * total + 1e-9)}/{total} {unit}", refresh=False)
            bar.update(share * total - bar.n)

        bar.set_description_str(f"{what}, 0/{total} {unit}", refresh=False)

        with listening(report) as hear:
            yield hear


def _size() -> dict[str, Any]:
    """What tqdm is told about the size of what it draws on: nothing, but where a terminal does not know its own."""
    try:
        known = not sys.stderr.isatty() or min(os.get_terminal_size(sys.stderr.fileno())) > 0
    except (OSError, ValueError):
        known = False
    return {"dynamic_ncols": True} if known else {"ncols": 79, "nrows": 24}


def _seen() -> bool:
    """Whether somebody looks at stderr."""
    if "PYTEST_VERSION" in os.environ:
        return False
    if sys.stderr is not None and sys.stderr.isatty():
        return True
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")
