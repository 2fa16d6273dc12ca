"""What people write about a document: read, held against a run, shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import rows

from harness.report import prose
from harness.report.prose_page import ProsePage
from harness.report.rows import VERDICTS, ReportError, complete
from harness.report.text import VERDICT_STYLES

ROWS = {prose.slug(row): complete(row) for row in rows() if row["document"] == "slt"}
ROBUST = ROWS["robust-below"]
WRITTEN = """# slt — a title

What it says.

## What a reader should now believe

[It is lower](#robust-below), see [there](other.md), [here](https://x.org/a) and [below](#nowhere).

## Experimentation

About all of it.

### robust-below

**refuted**: 0.5 (0.1 to 0.9), n 3

It falls by 0.0118 (0.0081 to 0.0161), and elsewhere by 0.3 (0.1
to 0.5).

#### A heading of the prose

- and more

### not-there

Nothing of this run.
"""


def searched(slug: str, row: dict[str, Any], which: list[bool]) -> dict[str, Any]:
    """The row with a search, or without one."""
    if not which[list(ROWS).index(slug) % len(which)]:
        return row | {"search": None}
    shares = [{"verdict": "supported", "count": 4, "of": 12, "interval": [0.1, 0.65]}]
    return row | {"search": {"looked_for": "refuted", "shares": shares, "trials": [], "found": None}}


def page() -> ProsePage:
    return ProsePage("slt", ROWS, VERDICT_STYLES)


class TestRead:
    def test_headings_are_sections_and_claims(self) -> None:
        story = prose.read(WRITTEN)
        assert story.intro == "What it says."
        assert [(section.heading, list(section.claims)) for section in story.sections] == [
            ("What a reader should now believe", []), ("Experimentation", ["robust-below", "not-there"]),
        ]  # fmt: skip
        assert story.claims["robust-below"].stamp == "**refuted**: 0.5 (0.1 to 0.9), n 3"
        assert story.claims["robust-below"].prose.startswith("It falls by")
        assert story.claims["robust-below"].prose.endswith("#### A heading of the prose\n\n- and more")
        assert story.claims["not-there"] == prose.Words("", "Nothing of this run.")

    def test_a_heading_in_a_block_of_code_is_none(self) -> None:
        story = prose.read("## A\n\n```sh\n## B\n### c\n```\n\n### d\n\nx")
        assert [section.heading for section in story.sections] == ["A"]
        assert list(story.claims) == ["d"]

    @pytest.mark.parametrize("mark", ["'", "’"])
    def test_the_caption_of_a_key_figure_is_apart_from_the_prose(self, mark: str) -> None:
        story = prose.read(
            f"## A\n\n### b\n\nWhy.\n\n#### The document{mark}s key figure\n\nIt draws.\n\n#### More\n\nx\n\n### c\n"
        )
        assert story.claims["b"] == prose.Words("", "Why.\n\n#### More\n\nx", "It draws.")
        assert story.drawn == ["b"]

    @given(st.text(st.sampled_from("#ab -*|`\n\r\x0b\u2028[](){}<>!&"), max_size=80))
    def test_every_text_is_a_story_that_can_be_shown(self, written: str) -> None:
        story = prose.read(written)
        shown = page()
        words = [said for w in story.claims.values() for said in (w.prose, w.drawn)]
        for said in (story.intro, *(section.prose for section in story.sections), *words):
            html = shown.html(said)
            assert not re.search(r"<(script|img|style|iframe)|javascript:", html)


class TestStamp:
    def test_says_verdict_and_number(self) -> None:
        assert prose.stamp(ROBUST) == "**supported, at least m**: 0.0118 (0.0081 to 0.0161), n 18"

    @pytest.mark.parametrize("slug", list(ROWS))
    def test_every_row_has_one_that_is_read_again(self, slug: str) -> None:
        said = prose.stamp(ROWS[slug])
        assert prose.read(f"## A\n\n### {slug}\n\n{said}\n\nWhy.").claims[slug] == prose.Words(said, "Why.")

    def test_writing_replaces_or_adds_the_stamps_and_nothing_else(self) -> None:
        once = prose.stamped(WRITTEN, ROWS)
        assert prose.stamped(once, ROWS) == once
        assert once == WRITTEN.replace("**refuted**: 0.5 (0.1 to 0.9), n 3", prose.stamp(ROBUST))
        bare = WRITTEN.replace("**refuted**: 0.5 (0.1 to 0.9), n 3\n\n", "")
        assert prose.stamped(bare, ROWS) == once
        assert prose.compared(once, ROWS)[0] == ["not-there is no claim of this run"]

    @given(st.lists(st.sampled_from([*ROWS, "else"]), unique=True), st.text(st.sampled_from("ab *\n"), max_size=20))
    def test_what_was_written_is_not_lost(self, slugs: list[str], said: str) -> None:
        written = "## A\n\n" + "".join(f"### {slug}\n\n{said}\n\n" for slug in slugs)
        once = prose.stamped(written, ROWS)
        assert prose.stamped(once, ROWS) == once
        words = [line for line in once.split() if line.strip("*:")]
        for each in written.split():
            assert each in words or not each.strip("*:")

    @given(
        st.lists(st.sampled_from(list(ROWS)), unique=True, min_size=1), st.lists(st.booleans(), min_size=20, max_size=20),
        st.sampled_from(["", "Why.", "*Sound protocol.* Why.\n\n- and more"]),
    )  # fmt: skip
    def test_where_a_claim_holds_comes_and_goes_with_its_search(self, slugs: list[str], drawn: list[bool], said: str) -> None:
        """Whatever was searched before, writing leaves a line for what is searched now, and the prose as it was."""
        before, now = ({slug: searched(slug, row, drawn[first:]) for slug, row in ROWS.items()} for first in (0, 10))
        written = "## A\n\n" + "".join(f"### {slug}\n\n{said}\n\n" for slug in slugs)
        once = prose.stamped(prose.stamped(written, before), now)
        assert once == prose.stamped(written, now) == prose.stamped(once, now)
        assert prose.compared(once, now)[0] == []
        for slug, words in prose.read(once).claims.items():
            assert words == prose.Words(prose.stamp(now[slug]), said, region=prose.region(now[slug]))
        other = [slug for slug in slugs if before[slug]["search"] != now[slug]["search"]]
        faults = prose.compared(prose.stamped(written, before), now)[0]
        assert [fault.partition(":")[0] for fault in faults] == other

    def test_where_a_claim_holds_says_shares_and_grade(self) -> None:
        assert prose.region(searched("robust-below", ROBUST, [True])) == (
            "*Where it holds:* supported at its defaults; of 12 even settings 4 supported. Grade: reproducible."
        )
        assert prose.region(ROBUST | {"search": None}) == ""

    def test_a_key_figure_has_to_be_there_and_is_one(self) -> None:
        drawn = "\n\n#### The document's key figure\n\nIt draws.\n\n"
        with_figure = next(slug for slug, row in ROWS.items() if row["figure"])
        bare = ROWS | {with_figure: ROWS[with_figure] | {"figure": None}}
        assert prose.compared(f"## A\n\n### {with_figure}{drawn}", ROWS)[0] == []
        assert prose.compared(f"## A\n\n### {with_figure}{drawn}", bare)[0] == [
            f"{with_figure} has no figure that could be the document's key figure"
        ]
        two = [slug for slug, row in ROWS.items() if row["figure"]][:2]
        assert prose.compared("## A\n\n" + "".join(f"### {slug}{drawn}" for slug in two), ROWS)[0] == [
            f"a document has one key figure, and these are said to be it: {', '.join(two)}"
        ]

    def test_what_only_looks_like_a_heading_gets_none(self) -> None:
        written = "## A\n\n```sh\n### robust-below\n```\n"
        assert prose.stamped(written, ROWS) == written

    @pytest.mark.parametrize("verdict", VERDICTS)
    def test_prose_of_another_verdict_says_so(self, verdict: str) -> None:
        words = prose.read(WRITTEN).claims["robust-below"]
        said = prose.drift(words, ROBUST | {"verdict": verdict})
        assert ("another verdict" in said) == (verdict != "refuted")
        assert said
        assert not prose.drift(prose.Words("", "x"), ROBUST)
        assert not prose.drift(prose.Words(prose.stamp(ROBUST), "x"), ROBUST)


def test_links_lead_to_the_story_and_show_the_verdict_of_the_run() -> None:
    html = page().html(prose.read(WRITTEN).sections[0].prose)
    assert '<a href="#story/slt/robust-below">It is lower</a> <span class="v-supported"' in html
    assert "see there, " in html
    assert '<a href="https://x.org/a" rel="noopener noreferrer">here</a>' in html
    assert "and below." in html


def test_html_in_prose_is_text() -> None:
    html = page().html("<script>alert(1)</script> ![a](x.png) [b](javascript:alert(1)) <a href='#x'>y</a>")
    assert "<script" not in html
    assert "<img" not in html
    assert "<a" not in html


def test_files_are_gathered_by_document(tmp_path: Path) -> None:
    (tmp_path / "slt.md").write_text("é", encoding="utf-8")
    (tmp_path / "secret.md").write_text("x", encoding="utf-8")
    assert prose.gathered(tmp_path, ["slt", "lazy", "../" + tmp_path.name + "/secret"]) == {"slt": "é"}
    (tmp_path / "lazy.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ReportError, match=r"lazy\.md, which is written about lazy: .* it has to be UTF-8"):
        prose.gathered(tmp_path, ["lazy"])


def test_the_findings_say_what_the_kept_runs_say() -> None:
    """``python -m harness story … --write`` brings the stamps up to date; its notes say which numbers of the prose are not.

    Claims are told with the numbers of the kept run, of its searches and of its fresh seeds; sections without claims also with
    those of the full size.
    """
    from harness.report import read_run

    root = Path(prose.__file__).parents[2]
    kept, fresh, search, full = (
        [complete(row) for row in read_run(root / "reports" / "reference" / name / "claims.json")["rows"]]
        for name in (".", "fresh", "search", "full")
    )
    stories = prose.gathered(root / "docs" / "findings", dict.fromkeys(row["document"] for row in kept))
    assert set(stories) == {row["document"] for row in kept if row["role"] != "control"}  # of which decision 60 tells
    for key in stories:
        own = {prose.slug(row): row for row in kept if row["document"] == key}
        faults, notes = prose.compared(stories[key], own, [*fresh, *search], full)
        assert faults == []
        assert notes == []
        assert len(prose.read(stories[key]).drawn) == any(row["role"] == "document" for row in own.values())
