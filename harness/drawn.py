"""Whether claims are being measured or only drawn: what an instrument that no store knows of does while they are drawn.

A design says what a claim asks for before anything is measured (:mod:`harness.running.asking`).  The functions of a claim run
for it, so that what takes time, or depends on which data a machine has, must not happen then.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NoReturn, Protocol


class Draws(Protocol):
    """Whoever draws a design."""

    def instead(self, name: str, settings: Mapping[str, Any]) -> Any:
        """Note a measurement that is not made; what stands in for its result."""

    def end(self) -> NoReturn:
        """End what runs: its course depends on what is not known before anything is measured."""


_NOW: ContextVar[Draws | None] = ContextVar("drawn", default=None)


def drawn() -> Draws | None:
    """Whoever draws a design right now; None where claims are measured."""
    return _NOW.get()


@contextlib.contextmanager
def by(draws: Draws) -> Iterator[None]:
    """Nothing is measured in here."""
    before = _NOW.set(draws)
    try:
        yield
    finally:
        _NOW.reset(before)
