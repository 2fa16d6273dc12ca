"""Time limits: work that takes too long is ended where it stands, and says what it was doing.

The clock of a :class:`Limit` is an interval timer of the system, whose signal Python answers between two of its own
instructions: in a loop, in a sleep, while it waits for a lock.  A signal that comes between the last of them and the sleep does
not end it, so the timer goes on ringing.  A call of compiled code is not interrupted; the answer comes when it returns, and a
:class:`HardStop`, where there is one, ends the process if it does not.

Time in which this process only waits for what another one makes does not count (:func:`idle`): the other's clock runs.  Such a
wait has the same limit, counted anew whenever the other has finished something (:func:`moved`).
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

GRACE = 10.0  # seconds beyond its limit that a call of compiled code may take before its process is ended
AGAIN = 5.0  # seconds until the signal comes once more: the first may be lost, or meet code that swallows every exception
IMPORTING = 0.05  # seconds until it is looked again whether an import has ended
CAN_INTERRUPT = hasattr(signal, "setitimer")
"""Whether this system has the timer."""


Handler = Callable[[int, FrameType | None], Any]


class TimedOut(BaseException):
    """Work has taken longer than its limit.

    It is no ``Exception``, so that neither an ``except Exception`` in the work itself takes it for a fault of its own, nor a
    study, which fails again in the way in which it failed before.

    Attributes:
        limit: whose time is over.
    """

    def __init__(self, said: str, limit: Limit | None = None) -> None:
        super().__init__(said)
        self.limit = limit


class HardStop(Protocol):
    """What ends a process that does not come back from a call."""

    def arm(self, seconds: float) -> None:
        """End the process after so many seconds; a later call counts in place of this one."""

    def disarm(self) -> None:
        """Do not."""


class Limit:
    """How long some work may take, in one go or in several; of two limits, one within the other, the earlier counts.

    Args:
        seconds: how long.
        hard: what ends the process; None where that would end more than the work.
    """

    def __init__(self, seconds: float, hard: HardStop | None = None) -> None:
        self.seconds, self._left, self._hard = seconds, seconds, hard
        self._end = self._armed = self._idle = 0.0
        self._interrupts = False
        self._other: tuple[Handler, float] | None = None  # somebody else's alarm, and when it is due
        self._outer: Limit | None = None  # the one around this one, while its clock runs

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the clock run.

        Raises:
            TimedOut: the time is over.
        """
        global _running
        began = time.monotonic()
        outer = _running
        if outer is not None and outer._end < began + self._left:
            yield  # its clock runs out first
            return
        _running, self._outer = self, outer
        self._end, self._idle = began + self._left, 0.0
        self._interrupts = can_interrupt()
        handler, (due, every), heard = self._start(), (0.0, 0.0), False
        try:
            try:
                if self._interrupts:
                    due, every = _ring_in(self._left)
                    foreign = callable(handler) and not isinstance(getattr(handler, "__self__", None), Limit)
                    self._other = (handler, began + due) if due and foreign else None  # type: ignore[assignment]
                    heard = self._other is not None
                    self._set()
                self._arm()
                yield
            finally:
                self.stop()
        finally:  # once more, since the signal may have come in the lines above
            self.stop()
            if self._interrupts:
                signal.signal(signal.SIGALRM, handler)
                rung = heard and self._other is None
                if due and (every or not rung):
                    left = every if rung else max(due - (time.monotonic() - began), 1e-3)
                    signal.setitimer(signal.ITIMER_REAL, left, every)
            self._left = max(self._end - time.monotonic(), 1e-3)
            _running, self._outer = outer, None

    def stop(self) -> None:
        """Let the clock stand; the work may go on without a limit."""
        if self._interrupts:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if self._hard is not None:
            self._hard.disarm()

    def wait(self, seconds: float, endless: bool) -> None:
        """Sleep, while the clock stands; see :func:`idle`."""
        began = time.monotonic()
        time.sleep(seconds)
        waited = time.monotonic() - began
        for each in self._and_around():
            each._end += waited
            each._idle += waited
            if each._end - each._armed > 1:
                each._arm()
        if not endless and self._idle > self.seconds:
            raise TimedOut(f"{self._said()}; it waited for another process, which finished nothing of that in this time", self)

    def moved(self) -> None:
        """Count a wait anew."""
        for each in self._and_around():
            each._idle = 0.0

    def _and_around(self) -> Iterator[Limit]:
        """This limit and those around it, whose clocks stand in a wait as well."""
        limit: Limit | None = self
        while limit is not None:
            yield limit
            limit = limit._outer

    def _start(self) -> signal._HANDLER:
        return signal.signal(signal.SIGALRM, self._ring) if self._interrupts else None

    def _arm(self) -> None:
        if self._hard is not None:
            self._armed = self._end
            grace = GRACE if self._interrupts else 0.0
            self._hard.arm(max(self._end - time.monotonic(), 1e-3) + grace)

    def _set(self) -> None:
        """Ring when the time is over, or when somebody else's alarm is due: a process has one timer."""
        end = self._end if self._other is None else min(self._end, self._other[1])
        _ring_in(max(end - time.monotonic(), 1e-3))

    def _ring(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._other is not None and now >= self._other[1]:
            (handler, _), self._other = self._other, None
            self._set()
            handler(number, frame)  # which may raise what ends the work
            return
        if now < self._end:  # some of the time did not count
            self._set()
            return
        if now < self._end + GRACE and _importing(frame):  # half a module would stay, and some cannot be imported twice
            _ring_in(IMPORTING)
            return
        _ring_in(AGAIN)
        raise TimedOut(self._said(), self)

    def _said(self) -> str:
        what = f", while {_doing[-1]}" if _doing else ""
        return f"did not return within {self.seconds:g} s{what}"


_running: Limit | None = None
_doing: list[str] = []


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Within it, whoever runs out of time was ``what``: "training mlp"."""
    _doing.append(what)
    try:
        yield
    finally:
        _doing.pop()


def idle(seconds: float, *, endless: bool = False) -> None:
    """Sleep while another process makes something.

    Args:
        seconds: how long.
        endless: whether somebody else sees to it that the other does not take for ever.

    Raises:
        TimedOut: it has been waited for longer than the limit, and nothing was finished.
    """
    if _running is None:
        time.sleep(seconds)
    else:
        _running.wait(seconds, endless)


def moved() -> None:
    """Say that another process has finished something that this one waits for."""
    if _running is not None:
        _running.moved()


def seconds() -> float | None:
    """The limit under which this process works, as it was given; None where there is none."""
    return None if _running is None else _running.seconds


def stop() -> None:
    """Let the clock stand, where one runs: what ran out of time was given up, and the rest may go on."""
    if _running is not None:
        _running.stop()


def can_interrupt() -> bool:
    """Whether the timer can interrupt work in this thread: Python answers signals in its main thread alone."""
    return CAN_INTERRUPT and threading.current_thread() is threading.main_thread()


def _ring_in(seconds: float) -> tuple[float, float]:
    """Set the timer, which then rings every ``AGAIN`` seconds; returns what it was set to."""
    return signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)


def _importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported."""
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False
