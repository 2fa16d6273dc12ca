"""A chapter for each document, in the document's order: its words, its number and ours on one axis, the verdict, and why.

A chapter is made of a run alone: of what was declared and judged, and of the prose that travels in the run
(:mod:`harness.report.prose`).  Without prose it has the sections in the order in which the claims were declared, and the
judge's reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness import links
from harness.report import forest, overview, prose, searches, standing
from harness.report.prose_page import ProsePage
from harness.report.rows import Row
from harness.report.text import VERDICT_STYLES, counted

_ANSWERS = (
    "what a reader should now believe", "what it hangs on", "what these hang on", "what the document could not have seen",
)  # fmt: skip
"""Headings whose prose stands open; other prose after the claims is folded."""
_TRACKS = (
    (True, True, "holds by both: with the document’s own procedure and measured soundly",
     "hold by both: with the document’s own procedure and measured soundly"),
    (True, False, "is reproduced with the document’s own procedure, and not shown by a sound measurement",
     "are reproduced with the document’s own procedure, and not shown by a sound measurement"),
    (False, True, "is not reproduced with the document’s own procedure, and holds when measured soundly",
     "are not reproduced with the document’s own procedure, and hold when measured soundly"),
    (False, False, "is shown by neither", "are shown by neither"),
)  # fmt: skip


def chapter(key: str, cards: Sequence[Mapping[str, Any]], written: str | None, known: Mapping[str, Row]) -> dict[str, Any]:
    """A document's chapter as the template draws it.

    Args:
        key: the document's key.
        cards: its cards, in the order of the run.
        written: what is written about it, in Markdown; None where nothing is.
        known: all rows of the run by id.
    """
    story = prose.read(written or "")
    own = {prose.slug(card["row"]): card for card in cards}
    page = ProsePage(key, {slug: card["row"] for slug, card in own.items()}, VERDICT_STYLES)
    rows = [card["row"] for card in cards]
    sections: list[dict[str, Any]] = [
        {"heading": heading, "prose": page.html(said), "items": [_item(own[slug], words, page, known) for slug, words in told]}
        for heading, said, told in _sections(story, own)
    ]
    before, after = _asides(story, page)
    return {
        "key": key, "intro": page.html(story.intro), "before": before, "sections": sections, "after": after,
        "surviving": standing.surviving(rows), "procedures": procedures(rows), "regions": _regions(rows),
        "drawn": next((item["row"] for section in sections for item in section["items"] if item["drawn"]), None),
        "hangs": _hanging(rows, known), "absent": [slug for slug in story.claims if slug not in own], "marked": page.marked,
    }  # fmt: skip


def _sections(
    story: prose.Story, own: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str, list[tuple[str, prose.Words]]]]:
    """Headings with their prose and claims: as they are written, then the claims of which nothing is written, by section."""
    told = {slug for slug in story.claims if slug in own}
    left: dict[str, list[tuple[str, prose.Words]]] = {}
    for slug, card in own.items():
        if slug not in told:
            left.setdefault(str(card["row"]["source"]["section"] or ""), []).append((slug, prose.Words("", "")))
    for section in story.sections:
        claims = [(slug, words) for slug, words in section.claims.items() if slug in own]
        if claims:
            yield section.heading, section.prose, claims + left.pop(section.heading, [])
    for heading, claims in left.items():
        yield heading, "", claims


def _asides(story: prose.Story, page: ProsePage) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Sections without claims: those before the first claim, and those after it."""
    before: list[dict[str, Any]] = []
    after: list[dict[str, Any]] = []
    seen = not story.claims
    for section in story.sections:
        seen = seen or bool(section.claims)
        if section.prose and not section.claims:
            said = {"heading": section.heading, "prose": page.html(section.prose)}
            (after if seen else before).append(said | {"open": section.heading.lower() in _ANSWERS})
    return before, after


def _item(card: Mapping[str, Any], words: prose.Words, page: ProsePage, known: Mapping[str, Row]) -> dict[str, Any]:
    row: Row = card["row"]
    title = str((row["figure"] or {}).get("title") or "")
    return {
        "card": card, "row": row, "prose": page.html(words.prose, [row]), "drift": prose.drift(words, row),
        "bar": forest.bar(row), "mark": None if forest.bar(row) else _deciding_mark(row),
        "figure": title if title and not title.startswith("What is judged") else "",
        "agrees": searches.agreement(row), "leaning": leaning(row, known),
        "drawn": page.html(words.drawn, [row]) if words.drawn and card.get("again") else None,
    }  # fmt: skip


def key_figures(stories: Mapping[str, str]) -> set[str]:
    """Ids of the claims whose figures stand in the chapters, one a document."""
    return {f"{key}/{slug}" for key, written in stories.items() for slug in prose.read(written).drawn[:1]}


def _deciding_mark(row: Row) -> forest.Mark | None:
    return next((line.mark for line in forest.lines(row) if line.decides), None)


def procedures(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """With which procedure the claims of a document reproduce: (sentence, rows) of each outcome that occurs.

    Only claims with the protocols *document* and *sound* are told apart; the others are measured in one way.
    """
    found: dict[tuple[bool, bool], list[Row]] = {}
    single: list[Row] = []
    for row in rows:
        tracks = overview.tracks(row)
        if tracks:
            both = (tracks[0]["verdict"] == "supported", tracks[1]["verdict"] == "supported")
            found.setdefault(both, []).append(row)
        else:
            single.append(row)
    told = [
        {"said": f"{len(some)} {one if len(some) == 1 else more}", "rows": some}
        for *both, one, more in _TRACKS if (some := found.get((both[0], both[1])))
    ]  # fmt: skip
    if told and single:
        told.append({"said": f"{counted(len(single), 'claim has', 'claims have')} one way of being measured", "rows": []})
    return told


def _regions(rows: Iterable[Row]) -> dict[str, Any]:
    """In which region of what the document leaves open the claims hold: those that were searched, and how many were not."""
    searched = [
        {"row": row, "agrees": searches.agreement(row), "line": (searches.line(row) or "").partition(": ")[2]}
        for row in rows if row["search"]
    ]  # fmt: skip
    scoped = [row for row in rows if not row["search"] and (row["declared"] or {}).get("scope")]
    return {"searched": searched, "unsearched": len(scoped)}


def leaning(row: Row, known: Mapping[str, Row]) -> dict[str, Any] | None:
    """How a claim leans on others, and what their verdicts say against it; None where it has no links.

    Args:
        row: the claim's row.
        known: all rows of the run by id.
    """
    said = [
        {"relation": kind.capitalize(), "others": [{"id": id, "row": known.get(id)} for id in row["links"][kind]]}
        for kind in links.KINDS if row["links"].get(kind)
    ]  # fmt: skip
    found = {kind: [id for id in ids if id in known] for kind, ids in (row["shaken"] or {}).items()}
    against = links.sentences(found, {id: each["verdict"] for id, each in known.items()}) if found else []
    return {"links": said, "against": against} if said or against else None


def _hanging(rows: Iterable[Row], known: Mapping[str, Row]) -> list[dict[str, Any]]:
    """All links of a document: claim, and how it leans on others; what the verdicts say against it stands where it is told."""
    found = ((row, leaning(row, known)) for row in rows)
    return [{"row": row, "leaning": told | {"against": []}} for row, told in found if told and told["links"]]
