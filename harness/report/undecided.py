"""The claims of a run that are open or could not be judged: what there would have to be more of, and whether it would help."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from harness.predict import words
from harness.report import text

Row = Mapping[str, Any]
_HEADS = ("claim", "what is open", "units now", "that would decide it, as seen", "times", "for the margin, at 90 % power")
_OPEN = ("inconclusive", "invalid")


def undecided(rows: Sequence[Row]) -> list[Row]:
    """The rows of what documents claim that no run of this kind decides, in their order."""
    return [row for row in rows if row["role"] == "document" and row["verdict"] in _OPEN]


def table(run: Mapping[str, Any], pages: str = "docs/findings", documented: Collection[str] | None = None) -> str:
    """These claims of a run as a table in Markdown, with what it says before it; empty where all are decided.

    Args:
        run: what ``claims.json`` holds.
        pages: folder of the pages DOCUMENT.md that claims are linked to.
        documented: documents that have a page there; None for all.  Claims of others are named without a link.
    """
    rows = undecided(run["rows"])
    errors = sum(row["role"] == "document" and row["verdict"] == "error" for row in run["rows"])
    broken = (
        f"{text.counted(errors, 'claim', 'claims')} ended in an error, and so {'is' if errors == 1 else 'are'} not among them."
    )
    if not rows:
        return f"No claim is open. {broken}\n" if errors else ""
    counted = f"{_counted(rows)} {broken}" if errors else _counted(rows)
    return "\n".join([counted, "", *_lines(_HEADS, ((_linked(row, pages, documented), *_cells(row)) for row in rows))]) + "\n"


def again(fresh: Mapping[str, Any], kept: Mapping[str, Any], pages: str = "docs/findings") -> str:
    """Claims that were judged again on fresh seeds, beside what the run says that left them open, as a table in Markdown.

    Args:
        fresh: the run of fresh seeds.
        kept: the run on the claims' own seeds.
        pages: see :func:`table`.
    """
    own = {row["id"]: row for row in kept["rows"]}
    rows = [(row, own[row["id"]]) for row in fresh["rows"] if row["id"] in own]
    cells = ((_linked(row, pages), *_said(before), *_said(row)) for row, before in rows)
    return "\n".join(_lines(("claim", "own seeds", "n", "fresh seeds alone", "n"), cells)) + "\n"


def _said(row: Row) -> tuple[str, str]:
    size = row["label"] or row["grade"]
    return f"{row['verdict']}{', ' + size if size else ''}: {_part(row)}", text.number(row["n"])


def _lines(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *(f"| {' | '.join(cells)} |" for cells in rows)]


def _linked(row: Row, pages: str, documented: Collection[str] | None = None) -> str:
    slug = row["id"].split("/")[1]
    if documented is not None and row["document"] not in documented:
        return str(row["id"])
    return f"[{slug}]({pages}/{row['document']}.md#{slug})"


def _cells(row: Row) -> tuple[str, ...]:
    """What is open, the units at hand, and how many would do, after the claim's name."""
    if row["verdict"] == "invalid":
        failed = [gate["name"] for gate in row["gates"] if not gate["passed"]]
        if not failed:
            return str(row["reason"]).replace("|", "\\|"), "", "none: there is nothing to judge", "", ""
        return f"a validity check: {words.listed(failed)}", "", "none: the check fails in this population", "", ""
    power, seen = row["power"] or {}, (row["power"] or {}).get("enough")
    needed = "" if not power else text.number(power["units_needed"]) if power["units_needed"] else "more than 100,000"
    if not seen:
        return _part(row), _of(power), "not told by this run", "", needed
    now = _of({"n": seen["n"], "unit": seen["unit"]})
    if not seen["units"]:
        return _part(row), now, "no number: the effect lies on a limit", "", needed
    if power["unit"] != seen["unit"]:
        needed = f"{needed} {_noun(power['unit'])}"
    decided = f"{text.number(seen['units'])} ({seen['verdict']})"
    return _part(row), now, decided, text.number(_times(seen)), needed


def _times(seen: Row) -> float:
    """How many times as many units that is, to one digit after the point."""
    return round(float(seen["units"]) / float(seen["n"]), 1)


def _part(row: Row) -> str:
    """The part that decides, and by how little."""
    effect, interval = text.measured(row["effect"], row["interval"])
    place, own = ("", row) if row["decides"] is None else (
        f"part {row['decides'] + 1} of {len(row['parts'])}: ", row["parts"][row["decides"]]
    )  # fmt: skip
    limit = f"{'± ' if own['rule'] == 'within' else ''}{text.number(own['margin'])}"
    about = f" around {text.number(own['centre'])}" if own["centre"] else ""
    return f"{place}{effect} ({interval}), margin {limit}{about}"


def _of(counted: Row) -> str:
    return f"{text.number(counted['n'])} {_noun(counted['unit'])}" if counted else ""


def _noun(unit: str) -> str:
    """A unit in the plural; of pairs and crossed units what is paired or crossed."""
    return words.plural(words.shared(unit))


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
