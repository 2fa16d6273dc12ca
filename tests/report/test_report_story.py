"""A chapter for each document: complete, in order, linked with the cards both ways."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness.report import adjust, prose, render, story
from harness.report.merge import check_fields, merge
from harness.report.page import render_alone
from harness.report.rows import complete

WRITTEN = """What slt says.

## Experimentation

### finetuning

**refuted**: 3

It is within, by [another](#robust-below).

### robust-below

Lower.

## What it hangs on

The data.

## Another page

Long.
"""


def chapter_of(page: str, key: str) -> str:
    return page.partition(f'<details class="chapter" id="story/{key}"')[2].partition('<details class="chapter"')[0]


def told_in(chapter: str) -> list[str]:
    return re.findall(r'<div class="told[^>]* id="story/([^"]+)"', chapter)


def item(page: str, id: str) -> str:
    return page.partition(f'id="story/{id}"')[2].partition('<div class="told')[0]


def test_every_document_has_a_chapter_with_every_claim_once(bare: dict[str, Any]) -> None:
    for stories in ({}, {"slt": WRITTEN}):
        page = render(bare | {"stories": stories})
        for key in dict.fromkeys(row["document"] for row in bare["rows"]):
            own = [row["id"] for row in bare["rows"] if row["document"] == key]
            assert sorted(told_in(chapter_of(page, key))) == sorted(own)


def test_card_and_chapter_lead_to_each_other(bare: dict[str, Any]) -> None:
    page = render(bare)
    for row in bare["rows"]:
        card = page.partition(f'id="claim/{row["id"]}"')[2].partition("</article>")[0]
        assert f'href="#story/{row["id"]}"' in card
        assert f'href="#claim/{row["id"]}"' in item(page, row["id"])


def test_cards_alone_have_no_link_to_a_chapter(bare: dict[str, Any]) -> None:
    assert "#story/" not in render_alone(bare)


def test_prose_sets_the_order_and_stands_beside_the_verdict_of_the_run(bare: dict[str, Any]) -> None:
    page = render(bare | {"stories": {"slt": WRITTEN}})
    chapter = chapter_of(page, "slt")
    assert told_in(chapter)[:2] == ["slt/finetuning", "slt/robust-below"]
    assert "What slt says." in chapter
    told = item(page, "slt/finetuning")
    assert "It is within, by" in told
    assert "This was written for another verdict (refuted: 3); this run says supported." in told
    assert "Supported" in told
    assert re.search(r"<h4>What it hangs on</h4>.*<summary>Another page</summary>", chapter, re.DOTALL)


def test_without_prose_a_chapter_says_what_the_judge_says(bare: dict[str, Any]) -> None:
    page = render(bare)
    for row in bare["rows"]:
        if row["verdict"] != "error":
            told = item(page, row["id"])
            assert row["reason"] in told
            assert (row["source"]["reported"] or "no number") in told


def test_a_figure_of_ours_says_nothing_of_the_documents(run: dict[str, Any]) -> None:
    page = render(run)
    drawn = [row for row in run["rows"] if row["figure"] and not row["source"]["reported"]]
    assert drawn
    for row in drawn:
        assert "<dt>The document</dt><dd>no number</dd>" in item(page, row["id"])


def test_prose_about_claims_that_are_not_there_says_so(bare: dict[str, Any]) -> None:
    page = render(bare | {"stories": {"slt": "## A\n\n### gone\n\nx", "none": "y"}})
    assert "Written about claims that are not in this run: gone." in chapter_of(page, "slt")


def test_procedures_count_each_claim_once(bare: dict[str, Any]) -> None:
    rows = [complete(row) for row in bare["rows"] if row["document"] == "slt"]
    told = story.procedures(rows)
    named = [row["id"] for way in told for row in way["rows"]]
    two = [row["id"] for row in rows if {p["name"] for p in row["protocols"]} >= {"document", "sound"}]
    assert sorted(named) == sorted(two) != []
    assert told[-1]["said"] == f"{len(rows) - len(two)} claims have one way of being measured"


def test_regions_are_those_that_were_searched(bare: dict[str, Any]) -> None:
    chapter = chapter_of(render(bare), "slt")
    region = chapter.partition("In which region it holds")[2].partition("<section")[0]
    for row in bare["rows"]:
        assert (f'href="#story/{row["id"]}"' in region) == bool(row["search"]), row["id"]


def leaning_run(bare: dict[str, Any], **linked: list[str]) -> tuple[str, dict[str, Any]]:
    """A run whose first claim has links, and that claim's id."""
    first, *others = bare["rows"]
    links = {"requires": [], "explains": [], "contradicts": []} | linked
    return first["id"], bare | {"rows": adjust([first | {"links": links}, *others])}


@pytest.mark.parametrize("verdict", ["supported", "refuted", "inconclusive", "invalid"])
def test_a_claim_says_what_became_of_its_requirement(bare: dict[str, Any], verdict: str) -> None:
    other = next(row["id"] for row in bare["rows"][1:] if row["verdict"] == verdict)
    id, run = leaning_run(bare, requires=[other], explains=["x/y"])
    told = item(render(run), id)
    assert (f"It requires {other}, which" in told) == (verdict != "supported")
    assert "x/y <span" in told
    assert "(not in this run)" in told


@pytest.mark.parametrize("verdict", ["supported", "refuted"])
def test_a_contradiction_between_two_supported_claims_is_flagged_on_both(bare: dict[str, Any], verdict: str) -> None:
    other = next(row["id"] for row in bare["rows"][1:] if row["verdict"] == verdict)
    id, run = leaning_run(bare, contradicts=[other])
    page = render(run)
    for mine, theirs in ((id, other), (other, id)):
        assert (f"It contradicts {theirs}" in item(page, mine)) == (verdict == "supported")


def test_links_are_drawn_where_there_are_any(bare: dict[str, Any]) -> None:
    assert "How its claims lean on each other" not in render(bare)
    _, run = leaning_run(bare, explains=[bare["rows"][1]["id"]])
    assert "How its claims lean on each other" in chapter_of(render(run), "slt")


def test_stories_travel_with_the_run(bare: dict[str, Any]) -> None:
    one, two = bare | {"stories": {"slt": "old", "lazy": "kept"}}, bare | {"stories": {"slt": "new"}}
    check_fields(one, "run")
    assert merge([one, two])["stories"] == {"slt": "new", "lazy": "kept"}
    assert "stories" not in merge([bare, bare])
    assert render(one) == render(one)


def test_a_number_of_the_document_is_drawn_as_a_ring(bare: dict[str, Any]) -> None:
    first, *others = bare["rows"]
    assert (
        '<circle class="ring" cx="'
        not in render(bare).partition('id="forest"')[2].partition("</table>")[0].partition("<table")[2]
    )
    page = render(bare | {"rows": [first | {"source": first["source"] | {"number": 0.009}}, *others]})
    assert '<circle class="ring" cx="' in item(page, first["id"])
    line = page.partition('<tbody class="v-supported" data-claim="0">')[2].partition("</tbody>")[0]
    assert "the document has 0.009" in line


DRAWN = "## A\n\n### {slug}\n\nWhy.\n\n#### The document’s key figure\n\n*The document* draws a line.\n"


def test_the_key_figure_stands_in_the_chapter_and_its_bytes_once_on_the_page(run: dict[str, Any]) -> None:
    row = next(row for row in run["rows"] if row["figure"] and row["figure"]["kind"] == "lines")
    key, _, slug = row["id"].partition("/")
    one = run | {"rows": [row]}
    without, page = (render(one | {"stories": given}) for given in ({}, {key: DRAWN.format(slug=slug)}))
    told = item(page, row["id"])
    assert "<em>The document</em> draws a line." in told
    assert '<use href="#f0-all"/>' in told
    assert f'The document’s key figure is redrawn at <a href="#story/{row["id"]}">' in chapter_of(page, key)
    for name in ("d", "id"):
        drawn = re.findall(rf' {name}="([^"]{{4,}})"', without)
        again = re.findall(rf' {name}="([^"]{{4,}})"', page)
        assert sorted(each for each in again if each != "f0-all") == sorted(drawn)
    assert "<marker" in page.partition("</defs>")[0]
    assert "<marker" not in page.partition("</defs>")[2].partition("<script")[0]
    assert len(page) - len(without) < 2000


def test_what_is_said_of_a_figure_that_is_not_there_is_not_shown(bare: dict[str, Any]) -> None:
    page = render(bare | {"stories": {"slt": DRAWN.format(slug="robust-below")}})
    assert "draws a line" not in page
    assert "key figure" not in chapter_of(page, "slt")


def test_a_stamp_is_no_part_of_the_prose_that_is_shown(bare: dict[str, Any]) -> None:
    row = complete(bare["rows"][0])
    page = render(bare | {"stories": {"slt": f"## A\n\n### robust-below\n\n{prose.stamp(row)}\n\nWhy."}})
    assert '<div class="prose"><p>Why.</p>' in item(page, row["id"])
