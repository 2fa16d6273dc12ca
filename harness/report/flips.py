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

    None where no interval decides, and where the interval alone does not: another opinion or a second test had its say.
    """
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
