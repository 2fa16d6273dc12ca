"""What a reader should know after ten seconds: what was found, what surprised, what to distrust; and two tracks for each claim.

Every count is that of a filter (``flag`` in the address), so that it leads to its claims.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.doubts import COPIED, MOVED, SHARED
from harness.report import forest, standing, text
from harness.report.rows import OTHER_KEY, OTHER_SOURCE

Row = Mapping[str, Any]
DOCUMENT, SOUND = "document", "sound"
"""Names of the protocols behind the two tracks: the document's own procedure, and a sound measurement."""

_SURPRISES: Mapping[str, tuple[str, str, Callable[[Row], bool]]] = {
    "protocols-disagree": (
        "claim whose verdict depends on how it is measured", "claims whose verdicts depend on how they are measured",
        lambda row: len({protocol["verdict"] for protocol in row["protocols"]}) > 1,
    ),
    "reversed": (
        "claim of which the reverse is true", "claims of which the reverse is true",
        lambda row: row["verdict"] == "refuted" and row["label"] == "reversed",
    ),
    "turned": (
        "verdict that differs from the ledger", "verdicts that differ from the ledger",
        lambda row: row["expected"] is not None and row["expected"] != row["verdict"],
    ),
}  # fmt: skip


def _noted(*beginnings: str) -> Callable[[Row], bool]:
    """Whether a row has a note that begins so."""
    return lambda row: any(note.startswith(beginnings) for note in row["notes"])


_DOUBTS: Mapping[str, tuple[str, str, Callable[[Row], bool]]] = {
    "failed-control": (
        "control that did not come out as it has to", "controls that did not come out as they have to",
        lambda row: standing.control(row) is False,
    ),
    "conflict": (
        "supported claim that contradicts another supported one", "supported claims that contradict another supported one",
        lambda row: bool(row["shaken"]["conflicts"]),
    ),
    "unmet": (
        "supported claim that requires one which is not", "supported claims that require one which is not",
        lambda row: row["verdict"] == "supported" and bool(row["shaken"]["unmet"]),
    ),
    "other-source": (
        "claim whose document and key do not go together", "claims whose documents and keys do not go together",
        _noted(OTHER_SOURCE, OTHER_KEY),
    ),
    "shared-units": (
        "claim without a population whose units are not apart", "claims without a population whose units are not apart",
        _noted(SHARED),
    ),
    "copied-units": (
        "claim whose units repeat others to the last digit", "claims whose units repeat others to the last digit",
        _noted(COPIED),
    ),
    "moved": (
        "claim whose numbers changed for no known reason", "claims whose numbers changed for no known reason",
        _noted(MOVED),
    ),
    "unadjusted": (
        "verdict that does not survive Holm’s adjustment", "verdicts that do not survive Holm’s adjustment",
        lambda row: row["survives"] is False,
    ),
    "few-units": (
        "claim with too few units for its margin", "claims with too few units for their margins",
        lambda row: _too_few(row),
    ),
    "untrusted": (
        "claim most of whose estimates their own diagnostics do not trust",
        "claims most of whose estimates their own diagnostics do not trust",
        lambda row: (trust := standing.trusted(row)) is not None and trust < 0.5,
    ),
    "in-part": (
        "claim judged on a part of its rows", "claims judged on a part of their rows",
        lambda row: bool(standing.selected(row)),
    ),
    "probably-small": (
        "effect that is real and probably too small to matter", "effects that are real and probably too small to matter",
        lambda row: row["grade"] == "probably below m",
    ),
    "changed": (
        "claim changed after a first run", "claims changed after a first run",
        lambda row: standing.fixed(row) == "changed",
    ),
}  # fmt: skip
LOOKS = {**_SURPRISES, **_DOUBTS}


def flags(row: Row) -> str:
    """The names of all that is to be said of a row, separated by spaces."""
    return " ".join(name for name, (_, _, fits) in LOOKS.items() if fits(row))


def lists(rows: Sequence[Row]) -> list[tuple[str, list[tuple[str, int, str]]]]:
    """What surprised and what to distrust: (heading, (flag, number, words) of each kind that occurs)."""
    found = []
    for heading, kinds in (("What surprised", _SURPRISES), ("What to distrust", _DOUBTS)):
        counts = [(name, sum(map(fits, rows)), one, more) for name, (one, more, fits) in kinds.items()]
        found.append((heading, [(name, count, one if count == 1 else more) for name, count, one, more in counts if count]))
    return [(heading, counted) for heading, counted in found if counted]


def choice(rows: Sequence[Row]) -> dict[str, Any] | None:
    """The filter by these, as :func:`harness.report.standing.choices` has the others."""
    own = [(name, words, count) for _, kinds in lists(rows) for name, count, words in kinds]
    return {"name": "flag", "label": "Look at", "choices": own} if own else None


def highlights(rows: Sequence[Row]) -> list[dict[str, str]]:
    """What was found in a document: the clearest support, the clearest refutation, what is nearest to a decision.

    Each is a sentence with the claim that it is about.
    """
    sized = [(abs(scaled[0]), row) for row in rows if row["statement"] and (scaled := _scaled(row)) is not None]
    found = []
    for verdict, said in (("supported", "Clearest support"), ("refuted", "Clearest refutation")):
        surest = [row for row in rows if row["verdict"] == verdict and row["statement"]]
        ranked = sorted(surest, key=lambda row: (_p(row) is None, _p(row) or 0.0, -_size(row, sized)))
        if ranked:
            found.append(_told(ranked[0], said))
    near = [(row["power"]["units_needed"] / row["n"], row) for row in rows if _too_few(row) and row["statement"]]
    if near:
        ratio, row = min(near, key=lambda each: each[0])
        found.append(_told(row, "Nearest to a decision", f"{ratio:.1f} times as many units would tell".replace(".0", "")))
    return found


def tracks(row: Row) -> list[dict[str, Any]]:
    """The two tracks of a claim with the document's procedure and a sound one: (name, verdict, label or grade, words, decides).

    The one that decides is the one whose verdict is the claim's.
    """
    by_name = {protocol["name"]: protocol for protocol in row["protocols"]}
    if not {DOCUMENT, SOUND} <= set(by_name):
        return []
    pairs = (("Reproduced", DOCUMENT, "with the document’s own procedure"), ("Holds", SOUND, "measured soundly"))
    return [
        {"name": name, "verdict": by_name[key]["verdict"], "size": by_name[key]["label"] or by_name[key]["grade"], "how": how,
         "decides": by_name[key]["primary"]}
        for name, key, how in pairs
    ]  # fmt: skip


def _too_few(row: Row) -> bool:
    power = row["power"]
    if row["verdict"] != "inconclusive" or not power or not power.get("units_needed") or not row["n"]:
        return False
    return bool(power["units_needed"] > row["n"])


def _scaled(row: Row) -> tuple[float, float, float] | None:
    return forest.in_margins(forest.deciding(row) or row)


def _size(row: Row, sized: Sequence[tuple[float, Row]]) -> float:
    return next((size for size, each in sized if each is row), 0.0)


def _p(row: Row) -> float | None:
    p: float | None = row["p_refute"] if row["verdict"] == "refuted" else row["p_support"]
    return p


def _told(row: Row, said: str, more: str = "") -> dict[str, str]:
    scaled = _scaled(row)
    size = f"{text.number(abs(scaled[0]), 2)} times what matters" if scaled is not None and not more else more
    return {"id": str(row["id"]), "said": said, "statement": str(row["statement"]).rstrip("."), "size": size}
