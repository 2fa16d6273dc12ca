"""How claims compare with what was fixed and with each other: changed, registered, selected, how large, surviving or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from harness.fixed import CODE
from harness.report import text
from harness.report.rows import NEVER, NOT_RUN

Row = Mapping[str, Any]

# Values of the filters, as the address has them, with their words.
FIXED: Mapping[str, str] = {
    "unchanged": "as fixed", "changed": "changed after a first run", "code": "only their code changed",
    "unknown": "no ledger tells",
}  # fmt: skip
REGISTERED: Mapping[str, str] = {
    "as-registered": "as preregistered", "differs": "differ from the preregistered", "not-registered": "not preregistered",
}  # fmt: skip
SIZES: Mapping[str, str] = {grade.replace(" ", "-"): words for grade, words in text.SIZES.items()}
ROLES: Mapping[str, str] = {"document": "of documents", "question": "of our own", "control": "controls"}
SURVIVAL: Mapping[str, str] = {"survives": "survives Holm", "does-not-survive": "does not survive Holm"}
SELECTED: Mapping[str, str] = {"on-the-outcome": "rows selected on the outcome", "left-out": "other rows left out"}


def fixed(row: Row) -> str:
    """How a claim compares with the ledger: one of :data:`FIXED`."""
    if row["changes"] is None:
        return "unknown"
    if not row["changes"]:
        return "unchanged"
    return "code" if all(list(change["changed"]) == [CODE] for change in row["changes"]) else "changed"


def registered(row: Row) -> str:
    """How a claim compares with a preregistration: one of :data:`REGISTERED`, or empty if none was given."""
    return str(row["registered"]["state"]).replace(" ", "-") if row["registered"] else ""


def control(row: Row) -> bool | None:
    """Whether a control came out as it has to; None for what is no control, or has not run yet."""
    if row["role"] != "control" or (row["verdict"] == "error" and row["reason"] in (NOT_RUN, NEVER)):
        return None
    return row["verdict"] in row["passes"]


def passed(rows: Sequence[Row]) -> str:
    """How many controls came out as they have to, "9 of 9 as expected"; empty where there are none."""
    controls = [as_known for row in rows if (as_known := control(row)) is not None]
    return f"{sum(controls)} of {len(controls)} as expected" if controls else ""


def known(row: Row) -> str:
    """What the card of a control says beside its verdict, which for a control may be any; empty for what is none."""
    came = control(row)
    if came is None:
        return ""
    return f"A control, of which the truth is known: it has to be {_either(row['passes'])}, and is{'' if came else ' not'}."


def _either(verdicts: Sequence[str]) -> str:
    return " or ".join(verdicts)


def claimed(rows: Sequence[Row]) -> dict[str, Any]:
    """What documents claim, counted without controls and questions of one's own, which have a sentence each."""
    own = [row for row in rows if row["role"] == "document"]
    questions = sum(row["role"] == "question" for row in rows)
    besides = [f"Controls: {as_known}."] if (as_known := passed(rows)) else []
    if questions:
        besides.append(f"Beyond the documents: {text.counted(questions, 'question', 'questions')}.")
    return {"claims": len(own), "documents": len({row["document"] for row in own}), "besides": besides}


def survival(row: Row) -> str:
    """Whether a verdict stands after Holm's adjustment: one of :data:`SURVIVAL`, or empty if no interval decided."""
    return "" if row["survives"] is None else "survives" if row["survives"] else "does-not-survive"


def selected(row: Row) -> str:
    """Whether measured rows are not judged: one of :data:`SELECTED`, or empty."""
    out = (row["rows"] or {}).get("left_out") or ()
    return "" if not out else "on-the-outcome" if any(each["on_outcome"] for each in out) else "left-out"


def left_out(rows: Mapping[str, Any] | None) -> list[str]:
    """A sentence for each group of measured rows that is not judged."""
    said = []
    for each in (rows or {}).get("left_out") or ():
        of = f" of {text.number(rows['measured'])}" if rows and rows["measured"] is not None else ""
        flag = " This is a selection on the outcome." if each["on_outcome"] else ""
        one = each["rows"] == 1 and not of
        said.append(f"{text.number(each['rows'])}{of} {'row is' if one else 'rows are'} not judged: {each['because']}.{flag}")
    return said


def surviving(rows: Sequence[Row]) -> str:
    """How many supports and refutations stand after Holm's adjustment, in a sentence; empty if there are none."""
    said = []
    for verdict, one, more in (("supported", "support", "supports"), ("refuted", "refutation", "refutations")):
        of = [row["survives"] for row in rows if row["verdict"] == verdict and row["survives"] is not None]
        if of:
            said.append(f"{sum(of)} of {text.counted(len(of), one, more)}")
    if not said:
        return ""
    verb = "survives" if len(said) == 1 and said[0].startswith("1 of") else "survive"
    return f"{' and '.join(said)} that an interval decides {verb} Holm’s adjustment for the claims of the document."


def size(row: Row) -> str:
    """The grade of a supported claim as an address has it: one of :data:`SIZES`, or empty."""
    return str(row["grade"]).replace(" ", "-") if row["grade"] else ""


def sizes(rows: Sequence[Row]) -> list[tuple[str, str, int]]:
    """How many supported claims have which grade: (value of the filter, words, number)."""
    counts = Counter(map(size, rows))
    return [(value, said, counts[value]) for value, said in SIZES.items() if counts[value]]


def changes(row: Row) -> list[str]:
    """A sentence for each change after a verdict was known, oldest first."""
    return [_change(change) for change in row["changes"] or ()]


def instruments(row: Row) -> str:
    """The instruments that measured, with engine and trust if they have them: "LLC (engine devinterp; 9 of 12 trusted)"."""
    told = []
    for one in row["instruments"]:
        engine, trust = one.get("engine"), one.get("trusted")
        more = [f"engine {engine}"] if engine else []
        more += [f"{text.number(trust['count'])} of {text.number(trust['of'])} estimates trusted"] if trust else []
        told.append(f"{one['name']} ({'; '.join(more)})" if more else str(one["name"]))
    return ", ".join(dict.fromkeys(told))


def trusted(row: Row) -> float | None:
    """The share of its estimates that the most trusted of the claim's instruments trusts; None where none judges its own."""
    shares = [trust["count"] / trust["of"] for one in row["instruments"] if (trust := one.get("trusted"))]
    return max(shares, default=None)


def lede(rows: Sequence[Row]) -> str:
    """The page's first sentence about what was fixed, true claim by claim."""
    counts = Counter(map(fixed, rows))
    if counts["unchanged"] == len(rows):
        return "each fixed with its prediction, its margin and its unit of replication before anything ran."
    parts = [
        (counts["unchanged"], "stands as it was fixed before anything ran", "stand as they were fixed before anything ran"),
        (counts["changed"], "was changed after a first run", "were changed after a first run"),
        (counts["code"], "was changed in the code of its fixtures alone", "were changed in the code of their fixtures alone"),
    ]  # fmt: skip
    said = [f"{'all ' * (count == len(rows) > 1)}{text.counted(count, one, more)}" for count, one, more in parts if count]
    if counts["unknown"]:
        of = "any was" if not said else f"{text.number(counts['unknown'])} {'was' if counts['unknown'] == 1 else 'were'}"
        said.append(f"no ledger tells whether {of} changed after a first run")
    return f"each with its prediction, its margin and its unit of replication: {'; '.join(said)}."


def choices(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The filters that tell claims of this page apart: name, label, and (value, words, number) of each choice."""
    found = []
    for name, label, words, of in (
        ("role", "Claims", ROLES, lambda row: str(row["role"])),
        ("grade", "Size", SIZES, size), ("holm", "Adjusted", SURVIVAL, survival), ("rows", "Rows", SELECTED, selected),
        ("fixed", "Fixed", FIXED, fixed),
        ("registered", "Registration", REGISTERED, registered),
    ):  # fmt: skip
        counts = Counter(map(of, rows))
        own = [(value, said, counts[value]) for value, said in words.items() if counts[value]]
        if len(own) > 1 or (own and name not in ("fixed", "role")) or counts["changed"] or counts["code"]:
            found.append({"name": name, "label": label, "choices": own})
    return found


def _change(change: Mapping[str, Any]) -> str:
    was = f"; the verdict had been {change['was']}" if change.get("was") else ""
    because = f" {_sentence(str(change['because']))}" if change.get("because") else " Nobody has accepted that yet."
    what, when = ", ".join(map(str, change["changed"])), change.get("date") or "date unknown"
    return f"Changed after a first run: {what} ({when}{was}).{because}"


def _sentence(words: str) -> str:
    words = words.strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")
