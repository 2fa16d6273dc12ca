"""A comparison of two runs as text for a terminal and as one self-contained page."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from harness.report import figures, forest, text
from harness.report import page as environment
from harness.report.causes import Cause
from harness.report.diff import Change, Diff
from harness.report.text import VERDICT_STYLES

_LISTED = 12  # ids in one line of text


def headline(diff: Diff) -> str:
    """What the comparison found, in a sentence or two."""
    if not diff.changes:
        return "The two runs have no claim in common."
    found = []
    if diff.flips:
        near = sum(not (each.moved or (each.shift and each.shift.beyond)) for each in diff.flips if each.shift)
        same = f" ({near} without a demonstrable difference of effects)" if near else ""
        found.append(text.counted(len(diff.flips), "verdict differs", "verdicts differ") + same)
    if diff.shifts:
        sure = sum(each.shift is not None and each.shift.demonstrable for each in diff.shifts)
        found.append(
            f"{text.counted(len(diff.shifts), 'effect lies', 'effects lie')} beyond the prediction interval (about "
            f"{diff.by_chance:.1f} of {len(diff.compared)} would by chance; {sure} after Holm’s adjustment)"
        )
    if diff.moved:
        found.append(f"{text.counted(len(diff.moved), 'claim has', 'claims have')} other numbers from the same networks")
    first = "; ".join(found) + "." if found else ""
    if not diff.demonstrable:
        return f"{first} No demonstrable difference between the two runs.".strip()
    return first


def rest(diff: Diff) -> list[tuple[str, list[str]]]:
    """Claims about which there is nothing to report: (what they have in common, their ids)."""
    quiet = [each for each in diff.changes if not (each.flipped or each.moved or (each.shift and each.shift.beyond))]
    equal = [each.id for each in quiet if each.shift is not None and each.equal]
    near = [each.id for each in quiet if each.shift is not None and not each.equal]
    groups = [("equal to the last digit", equal), ("no demonstrable difference", near)]
    groups += [(f"not compared ({why})", [each.id for each in quiet if each.incomparable == why])
               for why in dict.fromkeys(each.incomparable for each in quiet) if why]  # fmt: skip
    groups += [("only in the new run", list(diff.appeared)), ("only in the old run", list(diff.vanished))]
    return [group for group in groups if group[1]]


def effects(change: Change) -> str:
    """A sentence on a claim's two effects."""
    shift = change.shift
    if shift is None:
        return f"The effects are not compared: {change.incomparable}."
    moved = text.number(shift.difference)
    if change.equal:
        return "Effect and interval are equal."
    if change.paired:
        return f"The same networks, and the effect moved by {moved}: these numbers should be equal."
    if shift.interval is None:
        return f"The effect moved by {moved}."
    low, high = (text.number(end) for end in shift.interval)
    chance = f"{100 * (shift.level or 0):.3g} % prediction interval {low} to {high}"
    if not shift.beyond:
        return f"No demonstrable difference of effects: it moved by {moved}, {chance}."
    p, adjusted = text.p_value(shift.p), text.p_value(shift.p_adjusted)
    return f"The effect moved by {moved}, beyond the {chance}; p {p}, Holm {adjusted}."


def causes(found: Sequence[Cause], common: Sequence[Cause]) -> str:
    """What can have changed a claim's numbers: its own causes in detail, those of the run by name."""
    named = [f"{cause.what}: {cause.detail}" for cause in found] + [f"{cause.what} (above)" for cause in common]
    return "; ".join(named) or "none found: code, claim, networks, settings and environment are the same"


def to_text(diff: Diff) -> str:
    """The comparison for a terminal."""
    return "\n".join(map(text.visible, _lines(diff))) + "\n"


def report_beside(run: Path, folder: Path) -> str | None:
    """The address, from a page in ``folder``, of the report that lies beside a run's JSON; None where there is none."""
    page = run.with_suffix(".html")
    if not page.is_file():
        return None
    try:
        return quote(Path(os.path.relpath(page.resolve(), folder.resolve())).as_posix())
    except ValueError:  # another drive
        return page.resolve().as_uri()


def to_html(diff: Diff, old: str | None = None, new: str | None = None) -> str:
    """The comparison as one page; the same for the same runs and addresses, byte for byte.

    Args:
        diff: what was compared.
        old: address of the old run's report, whose cards the page then links to.
        new: that of the new run's.
    """
    common = [cause for cause in diff.causes if cause.what != "scale"]
    return environment.template("diff.html").render(
        diff=diff, looks=VERDICT_STYLES, headline=headline(diff), rest=rest(diff), sections=_sections(diff),
        runs=[("Old", diff.old), ("New", diff.new)], effects=effects, shown=_shown, common=common, why=causes,
        style=environment.style(), forest_scale=[(forest.place(tick), text.number(tick)) for tick in forest.TICKS],
        reports={"old": old, "new": new}, parts=parts, pictures=_pictures(diff),
    )  # fmt: skip


def parts(change: Change) -> list[tuple[str, dict[str, Any] | None, dict[str, Any] | None]]:
    """The parts of a conjunction that both runs or one of them judged: (prediction, the old result, the new one).

    Parts are the same where their predictions are; what only one run has stands at the end.
    """
    before = {str(part["prediction"]): part for part in change.old["parts"]}
    after = {str(part["prediction"]): part for part in change.new["parts"]}
    return [(said, before.get(said), after.get(said)) for said in dict.fromkeys([*after, *before])]


def _pictures(diff: Diff) -> dict[str, list[tuple[str, Markup]]]:
    """The figures of what there is to report, old and new; where both show the same rows, one."""
    told = [change for _, _, changes in _sections(diff) for change in changes]
    found: dict[str, list[tuple[str, Markup]]] = {}
    for place, change in enumerate(told):
        rows = (
            [("both", change.new)]
            if change.old["figure"] == change.new["figure"]
            else [("old", change.old), ("new", change.new)]
        )
        drawn = [(name, _picture(row, f"d{place}-{name}")) for name, row in rows]
        found[change.id] = [(name, picture) for name, picture in drawn if picture is not None]
    return found


def _picture(row: Any, key: str) -> Markup | None:
    """A figure without what is judged, which stands above; None where there is none or it cannot be drawn."""
    try:
        return Markup(figures.draw(row["figure"], key)) if row["figure"] else None  # every word in it is escaped
    except Exception:  # a run of another version, or of another program: its card says why
        return None


def _sections(diff: Diff) -> list[tuple[str, str, list[Change]]]:
    """What there is to report, the weightiest first: (heading, explanation, claims); a claim is in the first that fits."""
    flipped = [change.id for change in diff.flips]
    level = next((f"{100 * (each.shift.level or 0):.3g} % " for each in diff.compared if each.shift), "")
    sections = [
        ("Verdicts that differ", "", diff.flips),
        ("Effects beyond their prediction interval",
         f"Where two independent runs of one estimand are this far apart less often than the {level}interval of each allows.",
         [change for change in diff.shifts if change.id not in flipped]),
        ("Other numbers from the same networks",
         "Recipes and seeds are the same, so that the numbers should be, too: what differs is code, settings or machine.",
         [change for change in diff.moved if change.id not in flipped]),
    ]  # fmt: skip
    return [section for section in sections if section[2]]


def _lines(diff: Diff) -> Iterator[str]:
    for name, run in (("old", diff.old), ("new", diff.new)):
        yield f"{name}  {_about(run)}"
    yield headline(diff)
    for cause in diff.causes:
        yield f"changed for all claims: {cause.what}: {cause.detail}"
    common = [cause for cause in diff.causes if cause.what != "scale"]
    for heading, _, changes in _sections(diff):
        yield ""
        yield heading
        for change in changes:
            yield f"  {_shown(change.old)} → {_shown(change.new)}  {change.id}"
            yield f"      {_numbers(change.old)} → {_numbers(change.new)}"
            yield f"      {effects(change)}"
            yield f"      cause: {causes(change.causes, common)}"
    yield ""
    for words, ids in rest(diff):
        more = f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
        yield f"{len(ids)} {words}: {', '.join(ids[:_LISTED])}{more}"


def _about(run: Any) -> str:
    facts = run["provenance"]
    commit = (str(facts["commit"])[:12] if facts.get("commit") else "commit unknown") + (
        " with uncommitted changes" if facts.get("dirty") else ""
    )
    started = text.moment(facts["started"]) if facts.get("started") else "time unknown"
    return f"{started}, scale {run['scale']}, {run['device']}, {commit}, {text.counted(len(run['rows']), 'claim', 'claims')}"


def _shown(row: Any) -> str:
    label = f", {kind}" if (kind := row["label"] or row["grade"]) else ""
    return f"{VERDICT_STYLES[row['verdict']].glyph} {VERDICT_STYLES[row['verdict']].word}{label}"


def _numbers(row: Any) -> str:
    effect, interval = text.measured(row["effect"], row["interval"])
    n = "" if row["n"] is None else f", n {row['n']}"
    return effect if row["interval"] is None else f"{effect} ({interval}{n})"
