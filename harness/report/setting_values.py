"""Values of a claim's settings: how JSON holds those that it has no word for, and how a reader sees them, no two kinds alike.

A search may try 1, the text "1", True, None, infinity and NaN.  JSON has no infinity and no NaN, and where a text stands
without quotes it could be taken for a number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.report import text

_FLOAT = "float"
_WORDS: Mapping[str, str] = {"inf": "inf", "-inf": "−inf", "nan": "NaN"}
_TAKEN = frozenset({"none", "null", "true", "false", "yes", "no", text.UNKNOWN, "default"})  # what a card means by a word
_OPENING = ("(", "[", "{", "“", '"', "'")
_OF_EDGES = ("inside", "outside", "threshold", "supported", "refuted")


def held(search: Mapping[str, Any]) -> dict[str, Any]:
    """A search whose settings can be written as JSON: a float that is not finite as ``{"float": "inf"}``.

    Effects, intervals and p-values stay as they are: where they are not finite nothing is known of them.

    Args:
        search: as ``harness.running.found.Search.to_json()`` writes it.
    """
    return {
        **search, **{name: _held(search[name]) for name in ("found", "default") if name in search},
        **{name: _in(search[name], "settings") for name in ("confirmation", "inside") if name in search},
        **({"trials": [_in(each, "settings") for each in search["trials"]]} if "trials" in search else {}),
        **({"edges": [_in(each, *_OF_EDGES) for each in search["edges"]]} if "edges" in search else {}),
        **({"split": _in(search["split"], "below", "above")} if "split" in search else {}),
        **({"maps": [_in(each, "across_values", "up_values") for each in search["maps"]]} if "maps" in search else {}),
    }  # fmt: skip


def said(value: Any) -> str:
    """A value as a reader sees it: a text that could be taken for something else in quotes, inf, NaN and None as words."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return f"“{value}”" if _misread(value) else value
    if (number := number_of(value)) is not None and not math.isfinite(number):
        return _WORDS[str(number)]
    if isinstance(value, list | tuple):
        return f"({', '.join(map(said, value))})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}: {said(own)}' for name, own in value.items())}}}"
    return text.cell(value)


def number_of(value: Any) -> float | None:
    """The number that a value is, as a row holds it; None for what is none, such as True."""
    if isinstance(value, Mapping):
        return float(value[_FLOAT]) if set(value) == {_FLOAT} and value[_FLOAT] in _WORDS else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _held(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(float(value))}
    if isinstance(value, Mapping):
        return {name: _held(own) for name, own in value.items()}
    return [_held(own) for own in value] if isinstance(value, list | tuple) else value


def _in(held: Mapping[str, Any] | None, *names: str) -> dict[str, Any] | None:
    """An object whose fields of these names hold values of settings."""
    return None if held is None else {**held, **{name: _held(held[name]) for name in names if name in held}}


def _misread(value: str) -> bool:
    """Whether a text could be taken for a number, True, None or several values."""
    bare = value.strip().casefold()
    if not bare or value != value.strip() or bare in _TAKEN or bare.startswith(_OPENING):
        return True
    try:
        float(bare.replace("−", "-").replace(",", ""))
    except ValueError:
        return False
    return True
