"""Numbers of things, sizes and ages as a person says and writes them."""

from __future__ import annotations

import re

_UNITS = ("B", "kB", "MB", "GB", "TB")
_SECONDS = {"h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}


def counted(count: int, noun: str) -> str:
    """A number of things: 1 claim, 2 claims, 2 entries."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count} {noun if count == 1 else plural}"


def size(count: int) -> str:
    """A size that a person would say: 512 B, 1.5 MB."""
    amount, unit = float(count), 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


def age(text: str) -> float:
    """Seconds of an age such as 12h, 30d or 2w.

    Raises:
        ValueError: it is written otherwise; argparse says so.
    """
    said = re.fullmatch(r"(\d+(?:\.\d+)?)([hdw])", text)
    if said is None:
        raise ValueError(text)
    return float(said[1]) * _SECONDS[said[2]]
