"""What Python's reader of JSON takes and strict JSON is not, or nothing can be done with: NaN, infinity, half characters.

A value that was read from a file and has none of these can be computed with, and written again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from harness.limits import briefly

Fault = tuple[str, str]
"""Where, as "rows[3].effect", and what is wrong there."""
DEEPEST = 64  # levels; the schema of runs has 12


def unfit(value: Any, where: str = "", depth: int = 0) -> Iterator[Fault]:
    """What strict JSON cannot hold: where, and what is wrong."""
    if depth > DEEPEST:
        yield where[:80], f"is nested more than {DEEPEST} levels deep"
    elif isinstance(value, float) and not math.isfinite(value):
        yield where, f"is {value}; unknown is null"
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**1000:
        yield where, "is a number that no computation can hold"
    elif isinstance(value, str) and not _is_text(value):
        yield where, "is a text with half a character (a lone surrogate)"
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from unfit(name, where, depth)
            yield from unfit(item, below(where, name), depth + 1)
    elif isinstance(value, list):
        if all(type(item) is float for item in value) and all(map(math.isfinite, value)):
            return  # a column of a figure
        for place, item in enumerate(value):
            yield from unfit(item, f"{where}[{place}]", depth + 1)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def below(where: str, name: str) -> str:
    """The place of a field; a name that is no word is quoted, so that a message holds no control characters."""
    said = name if name.isidentifier() else briefly(name)
    return f"{where}.{said}" if where else said
