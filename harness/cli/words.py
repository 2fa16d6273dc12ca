"""Numbers of things, sizes, ages, and claims as a person says and writes them."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Collection, Sequence
from pathlib import Path

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
        argparse.ArgumentTypeError: it is written otherwise.
    """
    said = re.fullmatch(r"(\d+(?:\.\d+)?)([hdw])", text)
    if said is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age; write a number of hours, days or weeks, as in 12h, 30d or 2w")
    return float(said[1]) * _SECONDS[said[2]]


def asks_for(wanted: Collection[str], claim: str) -> bool:
    """Whether a command is about a claim: it names its id, or its document, or nothing."""
    return not wanted or claim in wanted or claim.partition("/")[0] in wanted


def require_known(wanted: Sequence[str], known: Sequence[str], folder: Path) -> None:
    """Check the ids and documents that a command names.

    Args:
        wanted: what it names.
        known: ids of all claims of the folder.
        folder: where they are.

    Raises:
        CommandError: the folder has no claims, or there is no such claim or document.
    """
    from harness.cli import CommandError

    if not known:
        raise CommandError(f"{folder} has no claims; name the folder that has them with --folder DIR")
    names = [*known, *dict.fromkeys(each.partition("/")[0] for each in known)]
    if absent := [each for each in wanted if each not in names]:
        close = [found for each in absent for found in difflib.get_close_matches(each, names, n=1, cutoff=0.8)]
        hint = f" (did you mean {' or '.join(dict.fromkeys(close))}?)" if close else ""
        raise CommandError(f"there is no claim {', '.join(absent)}{hint}; python -m harness list shows all {len(known)}")
