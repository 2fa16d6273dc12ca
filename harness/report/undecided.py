"""The claims of a run that are open or could not be judged: what there would have to be more of, and whether it would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.predict import words
from harness.report import text

Row = Mapping[str, Any]
_HEADS = ("claim", "what is open", "units now", "that would decide it, as seen", "times", "for the margin, at 90 % power")
_OPEN = ("inconclusive", "invalid")


def undecided(rows: Sequence[Row]) -> list[Row]:
    """The rows of what documents claim that no run of this kind decides, in their order."""
    return [row for row in rows if row["role"] == "document" and row["verdict"] in _OPEN]


def table(run: Mapping[str, Any]) -> str:
    """These claims of a run as a table in Markdown, with a line on what it says; empty where all are decided."""
    rows = undecided(run["rows"])
    if not rows:
        return ""
    lines = [f"| {' | '.join(_HEADS)} |", f"|{'---|' * len(_HEADS)}", *(f"| {' | '.join(_cells(row))} |" for row in rows)]
    return "\n".join([_counted(rows), "", *lines]) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    slug = row["id"].split("/")[1]
    name = f"[{slug}](findings/{row['document']}.md#{slug})"
    if row["verdict"] == "invalid":
        failed = words.listed(gate["name"] for gate in row["gates"] if not gate["passed"])
        return name, f"a validity check: {failed}", "", "none: the check fails in this population", "", ""
    power, seen = row["power"] or {}, (row["power"] or {}).get("enough")
    needed = "" if not power else text.number(power["units_needed"]) if power["units_needed"] else "more than 100,000"
    if not seen:
        return name, _part(row), _of(power), "not told by this run", "", needed
    now = _of({"n": seen["n"], "unit": seen["unit"]})
    if not seen["units"]:
        return name, _part(row), now, "no number: the effect lies on a limit", "", needed
    decided = f"{text.number(seen['units'])} ({seen['verdict']})"
    elsewhere = power["unit"] != seen["unit"]
    return (
        name,
        _part(row),
        now,
        decided,
        text.number(_times(seen)),
        f"{needed} {_noun(power['unit'])}" if elsewhere else needed,
    )


def _times(seen: Row) -> float:
    """How many times as many units that is, to one digit after the point."""
    return round(float(seen["units"]) / float(seen["n"]), 1)


def _part(row: Row) -> str:
    """The part that decides, and by how little."""
    effect, interval = text.measured(row["effect"], row["interval"])
    part = "" if row["decides"] is None else f"part {row['decides'] + 1} of {len(row['parts'])}: "
    limit = f"± {text.number(row['margin'])}" if row["rule"] == "within" else text.number(row["margin"])
    if row["decides"] is not None:
        own = row["parts"][row["decides"]]
        limit = f"± {text.number(own['margin'])}" if own["rule"] == "within" else text.number(own["margin"])
        centre = own["centre"]
    else:
        centre = row["centre"]
    about = f" around {text.number(centre)}" if centre else ""
    return f"{part}{effect} ({interval}), margin {limit}{about}"


def _of(counted: Row) -> str:
    return f"{text.number(counted['n'])} {_noun(counted['unit'])}" if counted else ""


def _noun(unit: str) -> str:
    """A unit in the plural; of pairs and crossed units what is paired or crossed."""
    return words.plural(unit.removeprefix("pair (").removesuffix(")") if unit.startswith("pair (") else unit)


def _counted(rows: Sequence[Row]) -> str:
    """How many there are, and how many of them more of what limits them would decide, within four times as many."""
    invalid = sum(row["verdict"] == "invalid" for row in rows)
    seen = [told for row in rows if row["verdict"] != "invalid" and (told := (row["power"] or {}).get("enough"))]
    near = sum(bool(told["units"]) and told["units"] <= 4 * told["n"] for told in seen)
    never = sum(not told["units"] for told in seen)
    open_still = text.counted(len(rows) - invalid, "claim is", "claims are")
    return (
        f"{open_still} open, and {invalid} could not be judged. With effect and spread as seen, at most four times as many "
        f"units would decide {near} of the open ones; no number would decide {never}."
    )
