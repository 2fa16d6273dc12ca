"""What was read of results that nobody trained here, noted for the card of the claim that rests on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Read:
    """Results that were read.

    Attributes:
        what: "runs of results.csv": names of files, without the folders of one machine.
        said: how many there were, and the digest of their content.
    """

    what: str
    said: str


_NOTES: ContextVar[dict[Read, None] | None] = ContextVar("notes of what is read", default=None)


@contextmanager
def reading() -> Iterator[dict[Read, None]]:
    """Collect what is read inside the block, each once."""
    found: dict[Read, None] = {}
    token = _NOTES.set(found)
    try:
        yield found
    finally:
        _NOTES.reset(token)


def told(reads: Iterable[Read]) -> None:
    """Say what was read; nothing happens where nobody collects."""
    if (notes := _NOTES.get()) is not None:
        notes.update(dict.fromkeys(reads))
