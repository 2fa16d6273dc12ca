"""What another margin would have made of the same interval: at which margins the verdict flips.

The margin is fixed before anything runs; a reader who would have chosen another one wants to know what that would have changed.
The judge's own rule says so: as the margin grows, its outcome changes only where the margin reaches an end of the interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report import text
from harness.report.rows import INTERVAL_RULES


@dataclass(frozen=True)
class Piece:
    """Margins with one outcome.

    Attributes:
        start: the smallest of them, in natural units.
        at: outcome at exactly this margin.
        after: outcome at every larger one, up to the next piece.
        label: how a refutation is called there, or None.
    """

    start: float
    at: str
    after: str
    label: str | None


def pieces(rule: str, centre: float, interval: Sequence[float | None]) -> tuple[Piece, ...]:
    """The outcome of the judge's rule by margin, from 0 on, each outcome once in a row.

    Args:
        rule: "above", "below" or "within".
        centre: of the prediction, in natural units.
        interval: low and high; None where it is unbounded.
    """
    from harness.judge.rule import decide

    low = -math.inf if interval[0] is None else interval[0]
    high = math.inf if interval[1] is None else interval[1]
    turns = sorted({0.0, *(abs(end - centre) for end in (low, high) if math.isfinite(end))})
    found: list[Piece] = []
    for place, start in enumerate(turns):
        inside = (start + turns[place + 1]) / 2 if place + 1 < len(turns) else 2 * start or 1.0
        at, (after, label) = decide(rule, centre, start, (low, high))[0], decide(rule, centre, inside, (low, high))  # type: ignore[arg-type]
        if not found or (at.value, after.value) != (found[-1].after, found[-1].after):
            found.append(Piece(start, at.value, after.value, label))
    return tuple(found)


def outcome(found: Sequence[Piece], margin: float) -> str:
    """The outcome at a margin, as the page's script looks it up."""
    last = next(piece for piece in reversed(found) if piece.start <= margin)
    return last.at if margin == last.start else last.after


def flips(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the card shows: pieces, the ends of a slider, and a sentence for those without a script.

    For a conjunction see :func:`joint`.  None where no interval decides, and where the interval alone does not: another opinion
    or a second test had its say.
    """
    if row["rule"] == "all":
        return _joint(row)
    if row["rule"] not in INTERVAL_RULES or not row["interval"] or not row["margin"] or row["interval"] == [None, None]:
        return None
    found = pieces(row["rule"], row["centre"] or 0.0, row["interval"])
    margin = abs(row["margin"])
    if outcome(found, margin) != row["verdict"]:
        return None
    far = 2 * max(margin, found[-1].start)
    return {
        "pieces": [[piece.start, piece.at, piece.after] for piece in found], "margin": margin, "far": far, "said": _said(found),
        "verdict": row["verdict"],
    }  # fmt: skip


def joint(parts: Sequence[Sequence[Piece]], margins: Sequence[float]) -> list[tuple[float, str, str]]:
    """Whether all parts are supported, by the factor with which all their margins are multiplied: (factor, at it, beyond it).

    Args:
        parts: the pieces of each part.
        margins: the margin that was fixed for each, greater than 0.
    """
    turns = sorted({piece.start / margin for found, margin in zip(parts, margins, strict=True) for piece in found})
    told: list[tuple[float, str, str]] = []
    for place, factor in enumerate(turns):
        inside = (factor + turns[place + 1]) / 2 if place + 1 < len(turns) else 2 * factor or 1.0
        at, after = (_all_supported(parts, margins, each) for each in (factor, inside))
        if not told or (at, after) != (told[-1][2], told[-1][2]):
            told.append((factor, at, after))
    return told


def _all_supported(parts: Sequence[Sequence[Piece]], margins: Sequence[float], factor: float) -> str:
    held = []
    for found, margin in zip(parts, margins, strict=True):
        # A turn is a margin, not a factor: what lies at one is put there again, whatever the division has cost.
        at = (piece.start for piece in found if math.isclose(piece.start, factor * margin, rel_tol=1e-12))
        held.append(outcome(found, next(at, factor * margin)))
    return "supported" if all(each == "supported" for each in held) else "not supported"


def _joint(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same for a conjunction all of whose parts have to come true, with all margins changed by one factor.

    Only whether it is supported: that follows from the parts' own intervals, while a refutation of the whole is read at another
    level.  None where a part has no interval, or is not what its interval says.
    """
    parts = row["parts"]
    if not parts or (row["counts"] or {}).get("needed") != len(parts) or any(flips(part) is None for part in parts):
        return None
    found = [pieces(part["rule"], part["centre"] or 0.0, part["interval"]) for part in parts]
    margins = [abs(part["margin"]) for part in parts]
    whole = joint(found, margins)
    if (_all_supported(found, margins, 1.0) == "supported") != (row["verdict"] == "supported"):
        return None
    far = 2 * max(1.0, whole[-1][0])
    return {"pieces": [list(each) for each in whole], "margin": 1, "far": far, "said": _said_jointly(whole), "times": True,
            "verdict": row["verdict"]}  # fmt: skip


def _said_jointly(whole: Sequence[tuple[float, str, str]]) -> str:
    if len(whole) == 1:
        return f"With these intervals the whole is {whole[0][2]} whatever the margins are."
    said = [f"up to {text.number(whole[1][0])} times the margins that were fixed it is {whole[0][2]}"]
    for each, after in zip(whole[1:], [*whole[2:], None], strict=True):
        until = f" up to {text.number(after[0])} times" if after is not None else ""
        said.append(f"beyond that{until} {each[2]}")
    return f"With these intervals, {', '.join(said)}."


def _said(found: Sequence[Piece]) -> str:
    """The pieces in words; a single one says that nothing flips."""
    if len(found) == 1:
        return f"With this interval the claim is {found[0].after} at every margin."
    first, *others = found
    said = [f"up to a margin of {text.number(others[0].start)} it is {first.after}"]
    for piece, after in zip(others, [*others[1:], None], strict=True):
        until = f" up to {text.number(after.start)}" if after is not None else ""
        said.append(f"beyond that{until} {piece.after}" + (f" ({piece.label})" if piece.label and after is None else ""))
    return f"With this interval, {', '.join(said)}."
