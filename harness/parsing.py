"""Files that somebody else wrote, read by somebody else's parser: whatever it raises on one becomes a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST = 200  # characters of what a parser says


@contextmanager
def understood(error: type[Exception], file: str, kind: str, remedy: str = "") -> Iterator[None]:
    """Make one sentence of whatever a parser raises on a file.

    Parsers of other packages have exceptions of their own, which are there only with them, and on a damaged file they raise
    others: of texts, of types, of recursion.  What is an ``error`` already, or says that memory is short, stays as it is.

    Args:
        error: what is raised instead.
        file: what is read, for people.
        kind: what it was to be.
        remedy: what to do about it; ": give …".

    Raises:
        Exception: the ``error``, with the first line of what the parser says.
    """
    try:
        yield
    except (error, MemoryError):
        raise
    except Exception as problem:
        said = " ".join(str(problem).split("\n", 1)[0].split())[:_LONGEST] or type(problem).__name__
        raise error(f"{file} cannot be read as {kind} ({said}){remedy}") from None
