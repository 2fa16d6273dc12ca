"""What another margin would have made of the same interval: at which margins the verdict flips.

The margin is fixed before anything runs; a reader who would have chosen another one wants to know what that would have changed.
The judge's own rule says so: as the margin grows, its outcome changes only where the margin reaches an end of the interval, or
of the interval of the second opinion.  A second test of a direction does not read the margin, and withholds support at all of
them or at none.  That of an equivalence does read it, so that of a support at another margin only the intervals are known; and
where it withholds support, nothing is said but that.
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


Ends = Sequence[float | None]
"""Low and high of an interval; None where it is unbounded."""


def pieces(
    rule: str, centre: float, interval: Ends, cautious: Ends | None = None, *, withheld: bool = False
) -> tuple[Piece, ...]:
    """The outcome of the judge's rule by margin, from 0 on, each outcome once in a row.

    Args:
        rule: "above", "below" or "within".
        centre: of the prediction, in natural units.
        interval: that of the estimate.
        cautious: that of the second opinion, which has to decide the same; None where there is none.
        withheld: whether a second test withholds support, whatever the margin is.
    """
    from harness.judge.rule import Outcome, agreed

    first, second = _bounds(interval), None if cautious is None else _bounds(cautious)

    def decided(margin: float) -> tuple[str, str | None]:
        came, label = agreed(rule, centre, margin, first, second)  # type: ignore[arg-type]
        return (Outcome.INCONCLUSIVE if withheld and came is Outcome.SUPPORTED else came).value, label

    ends = (end for each in (first, second or first) for end in each)
    turns = sorted({0.0, *(abs(end - centre) for end in ends if math.isfinite(end))})
    found: list[Piece] = []
    for place, start in enumerate(turns):
        inside = (start + turns[place + 1]) / 2 if place + 1 < len(turns) else 2 * start or 1.0
        (at, _), (after, label) = decided(start), decided(inside)
        if not found or (at, after) != (found[-1].after, found[-1].after):
            found.append(Piece(start, at, after, label))
    return tuple(found)


def _bounds(ends: Ends) -> tuple[float, float]:
    low, high = ends
    return -math.inf if low is None else low, math.inf if high is None else high


def _pieces_of(row: Mapping[str, Any]) -> tuple[Piece, ...]:
    withheld = bool(row.get("objection"))
    return pieces(row["rule"], row["centre"] or 0.0, row["interval"], row.get("cautious"), withheld=withheld)


def outcome(found: Sequence[Piece], margin: float) -> str:
    """The outcome at a margin, as the page's script looks it up."""
    last = next(piece for piece in reversed(found) if piece.start <= margin)
    return last.at if margin == last.start else last.after


def flips(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the card shows: pieces, the ends of a slider, and a sentence for those without a script.

    For a conjunction see :func:`joint`.  None where no interval decides; only the sentence, which then says why, where one does
    but the margins at which the verdict flips do not follow from the row.
    """
    if row["rule"] == "all":
        return _joint(row)
    if row["rule"] not in INTERVAL_RULES or not row["interval"] or not row["margin"] or row["interval"] == [None, None]:
        return None
    if row["rule"] == "within" and row.get("objection"):
        return {"pieces": [], "said": _READS} if row["verdict"] in ("refuted", "inconclusive") else None
    found = _pieces_of(row)
    margin = abs(row["margin"])
    if outcome(found, margin) != row["verdict"]:
        return None
    far = 2 * max(margin, found[-1].start)
    return {
        "pieces": [[piece.start, piece.at, piece.after] for piece in found], "margin": margin, "far": far,
        "said": _said(found, row), "verdict": row["verdict"],
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
    level.  None where a part has no interval, or is not what its intervals say.
    """
    parts, needed = row["parts"], (row["counts"] or {}).get("needed")
    told = [flips(part) for part in parts]
    if not parts or needed is None or None in told or row["verdict"] not in ("supported", "refuted", "inconclusive"):
        return None
    if needed != len(parts):
        return {"pieces": [], "said": _SHARED.format(needed=needed, parts=len(parts), share=len(parts) - needed + 1)}
    if dumb := next((one for one in told if one and not one["pieces"]), None):
        return dumb
    found = [_pieces_of(part) for part in parts]
    margins = [abs(part["margin"]) for part in parts]
    whole = joint(found, margins)
    if (_all_supported(found, margins, 1.0) == "supported") != (row["verdict"] == "supported"):
        return None
    far = 2 * max(1.0, whole[-1][0])
    return {
        "pieces": [list(each) for each in whole], "margin": 1, "far": far, "said": _said_jointly(whole, parts),
        "times": True, "verdict": row["verdict"],
    }  # fmt: skip


def _said_jointly(whole: Sequence[tuple[float, str, str]], parts: Sequence[Mapping[str, Any]]) -> str:
    if len(whole) == 1:
        return f"With these intervals the whole is {whole[0][2]} whatever the margins are."
    turns = text.apart([factor for factor, *_ in whole[1:]])
    said = [f"up to {turns[0]} times the margins that were fixed it is {whole[0][2]}"]
    for each, after in zip(whole[1:], [*turns[1:], None], strict=True):
        until = f" up to {after} times" if after is not None else ""
        said.append(f"beyond that{until} {each[2]}")
    reads = any(part["rule"] == "within" for part in parts) and any("supported" in both for _, *both in whole)
    return f"With these intervals, {', '.join(said)}." + (_MIGHT if reads else "")


_MIGHT = " A second test that some equivalences need reads the margin, too, and might withhold that support."
_READS = (
    "Whether another margin would flip the verdict cannot be read off its interval: a second test withholds support here, and "
    "it reads the margin, too."
)
_SHARED = (
    "Whether other margins would flip the verdict cannot be read off these intervals: {needed} of {parts} parts are needed, "
    "and each then counts at α/{share}, where its interval is wider."
)


def _said(found: Sequence[Piece], row: Mapping[str, Any]) -> str:
    """The pieces in words; a single one says that nothing flips."""
    given = "With this interval"
    if row.get("cautious"):
        given += " and the one that allows for skewness"
    if row.get("objection"):
        given += ", and support withheld by a second test"
    if len(found) == 1:
        return f"{given}{',' if ',' in given else ''} the claim is {found[0].after} at every margin."
    first, *others = found
    turns = text.apart([piece.start for piece in others])
    said = [f"up to a margin of {turns[0]} it is {first.after}"]
    for piece, after in zip(others, [*turns[1:], None], strict=True):
        until = f" up to {after}" if after is not None else ""
        said.append(f"beyond that{until} {piece.after}" + (f" ({piece.label})" if piece.label and after is None else ""))
    told = f"{given}, {', '.join(said)}."
    reads = row["rule"] == "within" and any("supported" in (piece.at, piece.after) for piece in found)
    return told + (_MIGHT if reads else "")
