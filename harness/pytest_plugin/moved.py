"""Numbers that are others than those in the ledger, although nothing that the harness knows of was changed.

What nothing follows (files at computed paths, environment variables, patches in memory) shows in the numbers alone.  The ledger
therefore keeps a claim's effect, interval and n, and under what they were seen: a digest of all that may explain other ones.
Where that digest is the same and the numbers are not, something unnamed was changed.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import distributions
from typing import Any

from harness.doubts import MOVED
from harness.spec import digest

Row = Mapping[str, Any]
_DIGITS = 9  # significant ones that are kept
_NEAR = 2e-8  # of the largest number: two units of the last digit of 1.00000000


def seen(row: Row, surroundings: str) -> dict[str, Any] | None:
    """A claim's numbers as the ledger keeps them; None where nothing says what they depend on, or they may differ by chance.

    What was trained or measured anew may differ in the last bits, and so do numbers without known code.

    Args:
        row: of a claim that was judged.
        surroundings: see :func:`surroundings`.
    """
    code = (row.get("design") or {}).get("code")
    anew = (row["recipes"] or row["instruments"]) and not row["cached"]
    if row["effect"] is None or row["digest"] is None or not code or anew:
        return None
    known = [row["digest"], row["design"].get("digest"), [[each.get("digest"), each.get("seeds")] for each in row["recipes"]]]
    interval = row["interval"]
    return {
        "effect": _short(row["effect"]), "interval": None if interval is None else [_short(end) for end in interval],
        "n": row["n"], "under": digest([*known, surroundings]),
    }  # fmt: skip


def surroundings(harness: str | None, **choices: Any) -> str:
    """Digest of what numbers depend on beside claims: the harness's code, Python, all packages, the kind of machine, choices.

    Args:
        harness: digest of the harness's code.
        choices: of the run, such as its device.
    """
    packages = sorted({f"{each.name}=={each.version}" for each in distributions()})
    machine = [platform.python_version(), platform.platform(), platform.machine(), _processor()]
    return digest([harness, machine, packages, sorted((name, str(value)) for name, value in choices.items())])


def sentence(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> str | None:
    """That the numbers differ under the same surroundings; None where they do not, or something known explains it."""
    if before is None or now is None or before["under"] != now["under"]:
        return None
    size = max(map(abs, (*_numbers(before), *_numbers(now))), default=0.0)
    same = len(_numbers(before)) == len(_numbers(now)) and before["n"] == now["n"]
    if same and all(abs(a - b) <= size * _NEAR for a, b in zip(_numbers(before), _numbers(now), strict=True)):
        return None
    names = [name for name in ("effect", "interval", "n") if before[name] != now[name]]
    said = f"{names[0]} {_said(before[names[0]])} → {_said(now[names[0]])}"
    return (
        f"{MOVED}{said}. The claim may read a file at a computed path, an environment variable or the clock, something may "
        "have been exchanged in memory, or random numbers have no fixed seed."
    )


def _numbers(held: Mapping[str, Any]) -> list[float]:
    """Effect and ends of the interval, as far as they are known."""
    return [value for value in (held["effect"], *(held["interval"] or ())) if value is not None]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def _said(value: Any) -> str:
    return " to ".join(map(str, value)) if isinstance(value, list) else str(value)


def _processor() -> str:
    """The processor's name, on which the last digits depend."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        return platform.processor()
