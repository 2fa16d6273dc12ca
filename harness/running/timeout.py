"""Giving up on work whose time is over, and a limit for whoever runs one claim from Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness import deadline
from harness.errors import ClaimError

SHARE = 0.25
"""Of a claim's time, for one setting of its search: what takes longer is told as that, and costs the others nothing."""


class TookTooLongError(TimeoutError):
    """A setting has taken more than its share of the claim's time."""


@contextmanager
def one_setting() -> Iterator[float | None]:
    """Limit what is done inside to a share of the time that the claim has in all.

    Yields:
        That many seconds; None where the claim has no limit.

    Raises:
        TookTooLongError: they are over; the message says what was being done.
    """
    from harness.store.sharing import let_go

    whole = deadline.seconds()
    if whole is None:
        yield None
        return
    limit = deadline.Limit(SHARE * whole)
    try:
        with limit.running():
            yield limit.seconds
    except deadline.TimedOut as problem:
        if problem.limit is not limit:
            raise
        let_go()
        raise TookTooLongError(f"{problem}, a quarter of the {whole:g} s that the claim has") from None


def give_up() -> None:
    """Let the clock stand, and give back what the work held: the rest may go on."""
    from harness.store.sharing import let_go

    deadline.stop()
    let_go()


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Limit what is done inside to so many seconds; None for no limit.

    Raises:
        ClaimError: that is no time, or it cannot be kept here.
        TimeoutError: the time is over; the message says what was being done.
    """
    if seconds is None:
        yield
        return
    if not 0 < seconds < float("inf"):
        raise ClaimError(f"timeout={seconds!r}; give a number of seconds above 0, or None for no limit")
    if not deadline.can_interrupt():
        raise ClaimError(
            f"timeout={seconds!r} needs the main thread of a system with interval timers; leave it out, or use pytest with "
            "--claims-timeout and a worker"
        )
    try:
        with deadline.Limit(seconds).running():
            yield
    except deadline.TimedOut as problem:
        give_up()
        raise TimeoutError(str(problem)) from None
