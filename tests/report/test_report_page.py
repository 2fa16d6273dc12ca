"""The page, read back as a browser or a screen reader would."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from many_samples import COUNT, many
from report_samples import PROVENANCE, claim_of, column, rows, strokes_of
from report_samples import figures as samples

import harness.report
from harness.evidence import Figure
from harness.report import ReportError, assemble, base_row, cards, figures, merge, render
from harness.report.figures import draw, figure_from_evidence, reading
from harness.report.history import SHOWN, History, record
from harness.report.svg import SERIES
from harness.report.text import VERDICT_STYLES

FOLDER = Path(harness.report.__file__).parent
VOID = {"meta", "input", "br", "link", "img"}


class Page(HTMLParser):
    """The elements of a page: tag, attributes, text inside, and the tags around."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], list[str], tuple[int, ...]]] = []
        self.open: list[int] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.end_cells(tag)
        self.found.append((tag, {name: value or "" for name, value in attrs}, [], tuple(self.open)))
        if tag not in VOID:
            self.open.append(len(self.found) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}, [], tuple(self.open)))

    def end_cells(self, tag: str) -> None:
        """Close the cells and rows whose end tags HTML lets one leave out."""
        ends = {"td": ("td",), "tr": ("td", "tr"), "/tbody": ("td", "tr")}.get(tag, ())
        while self.open and self.found[self.open[-1]][0] in ends:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        self.end_cells(f"/{tag}")
        assert self.found[self.open[-1]][0] == tag, f"</{tag}> closes <{self.found[self.open[-1]][0]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for index in self.open:
            self.found[index][2].append(data)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        """Attributes of the elements of a tag that have these attributes; "text" is what they hold."""
        return [
            attributes | {"text": " ".join(" ".join(text).split())}
            for name, attributes, text, _ in self.found
            if name == tag and all(attributes.get(key.rstrip("_")) == value for key, value in wanted.items())
        ]

    def inside(self, tag: str, child: str) -> list[int]:
        """How many children of a kind each element of a tag has, at any depth."""
        indices = [index for index, (name, *_) in enumerate(self.found) if name == tag]
        return [sum(name == child and i in around for name, _, _, around in self.found) for i in indices]


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render(assemble(rows(), scale="reduced", device="cpu", provenance=PROVENANCE)))


def card(page: Page, id: str) -> str:
    (found,) = page.all("article", id=f"claim/{id}")
    return found["text"]


class TestStructure:
    def test_has_one_heading_one_main_and_a_title(self, page: Page) -> None:
        assert len(page.all("h1")) == len(page.all("main")) == 1
        assert page.all("html")[0]["lang"] == "en"
        assert "slt, lazy" in page.all("title")[0]["text"]

    def test_every_claim_has_a_card_and_a_line_that_leads_to_it(self, run: dict[str, Any], page: Page) -> None:
        links = {link["href"] for link in page.all("a")}
        for row in run["rows"]:
            assert len(page.all("article", id=f"claim/{row['id']}")) == 1
            assert f"#claim/{row['id']}" in links
        assert len([line for line in page.all("tbody") if "data-claim" in line]) == len(run["rows"])

    def test_ids_are_unique_and_links_lead_somewhere(self, page: Page) -> None:
        ids = [attributes["id"] for _, attributes, _, _ in page.found if "id" in attributes]
        assert len(ids) == len(set(ids))
        inner = {attributes["href"][1:] for _, attributes, _, _ in page.found if attributes.get("href", "")[:1] == "#"}
        assert {
            target.split("&")[0] for target in inner if not target.startswith(("document=", "flag=", "role=", "verdict="))
        } <= set(ids)
        named = [attributes.get("aria-labelledby", "") for _, attributes, _, _ in page.found]
        assert {id for text in named for id in text.split()} <= set(ids)

    def test_tables_have_captions_and_headings_scopes(self, page: Page) -> None:
        assert all(count == 1 for count in page.inside("table", "caption"))
        assert all("scope" in heading for heading in page.all("th"))

    def test_every_drawing_has_a_title_and_a_description(self, run: dict[str, Any]) -> None:
        drawings = re.findall(r"<svg.*?</svg>", render(run), re.DOTALL)
        assert len(drawings) > 30
        for drawing in drawings:
            root = ET.fromstring(drawing)
            assert root.get("role") == "img"
            assert [child.tag for child in root][:2] == ["title", "desc"]
            assert root[0].text

    def test_fields_have_labels(self, page: Page) -> None:
        for tag in ("input", "select"):
            indices = [index for index, (name, *_) in enumerate(page.found) if name == tag]
            assert all(any(page.found[around][0] == "label" for around in page.found[i][3]) for i in indices)

    def test_scrolling_boxes_can_be_reached_by_keyboard(self, page: Page) -> None:
        boxes = [box for box in page.all("div") if "scroll" in box.get("class", "").split()]
        assert boxes
        assert all(box["tabindex"] == "0" and box["aria-label"] for box in boxes)


class TestSelfContained:
    def test_loads_nothing_and_links_only_to_documents(self, page: Page) -> None:
        assert page.all("link") == page.all("iframe") == []
        sources = [attributes["src"] for _, attributes, _, _ in page.found if "src" in attributes]
        assert all(source.startswith("data:image/png;base64,") for source in sources)
        outer = {link["href"] for link in page.all("a") if not link["href"].startswith("#")}
        assert outer == {"https://x.org/a"}
        style = "".join(block["text"] for block in page.all("style"))
        assert "url(" not in style
        assert "@import" not in style

    def test_only_its_own_script_may_run(self, page: Page) -> None:
        (script,) = re.findall(r"<script>(.*?)</script>", render(short_run()), re.DOTALL)
        policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}'" in policy
        assert "default-src 'none'" in policy

    @pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "//x.org"])
    def test_an_address_that_is_none_is_shown_as_text(self, bare: dict[str, Any], address: str) -> None:
        for row in bare["rows"]:
            row["source"]["address"] = address
        links = [link["href"] for link in Page(render(bare)).all("a")]
        assert all(link.startswith("#") for link in links)

    def test_is_the_same_byte_for_byte(self, run: dict[str, Any]) -> None:
        run["rows"] = run["rows"][:5]
        assert render(run) == render(json.loads(json.dumps(run)))

    def test_escapes_whatever_it_is_given(self, run: dict[str, Any]) -> None:
        hostile = "</script><script>alert('x')</script><b a=\"'>&"
        row, figure = run["rows"][0], run["rows"][0]["figure"]
        for name in (
            "statement",
            "reason",
            "prediction",
            "error",
            "margin_reason",
            "unit",
            "estimand",
            "digest",
        ):
            row[name] = hostile
        row |= {
            "id": f"slt/{hostile}",
            "document": hostile,
            "tags": [hostile],
            "settings": {hostile: hostile},
        }
        row["source"] = dict.fromkeys(row["source"], hostile)
        row["recipes"][0] |= {"name": hostile, "digest": hostile, hostile: hostile}
        row["gates"][0] |= {"name": hostile, "detail": hostile}
        row["strata"][0]["name"] = row["protocols"][1]["reason"] = row["companions"][0]["prediction"] = hostile
        figure |= {"title": hostile, "x_label": hostile, "hue": hostile}
        figure["data"][hostile] = [hostile] * len(figure["data"]["llc"])
        run["provenance"] = dict.fromkeys(PROVENANCE, hostile) | {"seconds": 1.0}
        run["device"] = hostile
        page = Page(render(run))
        assert [script.get("type") for script in page.all("script")].count(None) == 1
        assert page.all("b") == []
        assert any(hostile in heading["text"] for heading in page.all("h3"))


def short_run() -> dict[str, Any]:
    row = base_row(claim_of("slt/a"), "slt/a")
    return assemble([row], scale="full", device="cpu", provenance=PROVENANCE)


class TestContent:
    def test_says_what_was_run(self, page: Page) -> None:
        said = {term["text"]: value["text"] for term, value in zip(page.all("dt"), page.all("dd"), strict=True)}
        assert said["Networks"] == "20 from 10 training seeds"
        assert said["Commit"] == "4f0c2d9a77be, with uncommitted changes"
        assert said["Started"] == "2026-03-02 09:15 UTC"
        assert said["Took"] == "13 min 51 s"

    @pytest.mark.parametrize(
        ("selected", "words"),
        [({"claims": 2, "of": 9}, "2 of 9 claims"), ({"claims": 2, "of": None}, "2 claims, not all"), (None, None)],
    )
    def test_a_part_of_the_claims_is_said_to_be_one(self, bare: dict[str, Any], selected: Any, words: str | None) -> None:
        bare["provenance"] |= {"selected": selected}
        terms = [term["text"] for term in Page(render(bare)).all("dt")]
        assert ("Selected" in terms) is (words is not None)
        assert words is None or words in render(bare)

    @pytest.mark.parametrize(
        ("scale", "words"),
        [("smoke", "decides nothing"), ("reduced", "smaller than the documents"), ("full", None)],
    )
    def test_a_scale_that_is_not_full_is_marked(self, bare: dict[str, Any], scale: str, words: str | None) -> None:
        page = Page(render(bare | {"scale": scale}))
        notes = [note["text"] for note in page.all("p", role="note")]
        assert len(notes) == (words is not None)
        assert words is None or words in notes[0]
        stamps = {stamp["text"] for stamp in page.all("span", class_="stamp")}
        assert stamps == ({scale} if words else set())
        marked = [card for card in page.all("article") if f"· {scale}" in card["text"] or f" {scale} " in card["text"][:90]]
        assert len(marked) == (len(bare["rows"]) if words else 0)
        assert [mark["text"] for mark in page.all("p", class_="watermark")] == ([f"{scale} scale"] if words else [])
        assert ("@top-right" in render(bare | {"scale": scale})) is (words is not None)

    @pytest.mark.parametrize("scale", ["smoke", "reduced", "full"])
    def test_a_scale_that_no_claim_asks_for_is_not_marked(self, bare: dict[str, Any], scale: str) -> None:
        """Rows of somebody's own table are as large as they are: nothing says that their models are too small."""
        page = Page(render(bare | {"scale": scale, "provenance": bare["provenance"] | {"scaled": False}}))
        assert bool(page.all("p", role="note")) is bool(page.all("p", class_="watermark")) is (scale == "smoke")
        assert {stamp["text"] for stamp in page.all("span", class_="stamp")} == ({"smoke"} if scale == "smoke" else set())

    def test_the_first_lines_count_what_was_found_in_the_documents_claims(self, bare: dict[str, Any]) -> None:
        rows = [row | {"role": "control"} if row["id"].startswith("lazy/") else row for row in bare["rows"]]
        page = render(bare | {"rows": rows})
        found = page.partition('<div class="found">')[2].partition("</ul>")[0]
        for verdict, style in VERDICT_STYLES.items():
            number = sum(row["verdict"] == verdict and row["role"] == "document" for row in rows)
            assert (f'href="#role=document&amp;verdict={verdict}"' in found) is bool(number)
            assert not number or style.counted(number) in found

    def test_counts_verdicts_by_document_with_glyph_and_word(self, page: Page) -> None:
        counts = [count["text"] for count in page.all("a") if count.get("class", "").startswith("count")]
        assert counts == [
            "✓ 6 supported", "✗ 2 refuted", "? 1 inconclusive", "⊘ 1 invalid", "! 2 errors",  # of all, then by document
            "✓ 2 supported", "✗ 2 refuted", "? 1 inconclusive", "⊘ 1 invalid", "✓ 4 supported", "! 2 errors",
        ]  # fmt: skip

    def test_a_card_tells_all_of_a_claim(self, page: Page) -> None:
        text = card(page, "slt/robust-below")
        for words in (
            "✓ Supported", "It lies above.", "“With each architecture", "Experimentation",
            "The document reports 0.021 against 0.030 Measured here 0.0118 90 % interval 0.0081 to 0.0161",
            "Smallest effect of interest 0.005 half of the difference that the document's Figure 3 shows",
            "n 18; unit: pair (architecture × seed)",
            "p 0.003 of the interval, for supporting: 0.002",
            "p, Holm 0.01 within the document; the verdict survives", "Judged under 2 protocols",
            "sound (decides)", "The protocols disagree", "no say in the verdict", "models are competent",
            "8×1 n 6", "seeds 0–9: slt standard", "burn-in 100", "41 s",
        ):  # fmt: skip
            assert words in text, words

    def test_what_would_decide_an_undecided_claim_stands_beside_its_reason(self, page: Page) -> None:
        said = "With 90 % power 18 units find 0.004 or more; the smallest effect of interest, 0.005, needs 12."
        assert f"One of three. What would decide it, for the deciding part: {said}" in card(page, "slt/correlation")
        assert f"Power {said}" in card(page, "slt/robust-below")
        assert "Power" not in card(page, "slt/correlation")
        assert "power" not in card(page, "lazy/cone")

    def test_recipes_are_told_once_and_linked(self, page: Page) -> None:
        (table,) = [table for table in page.all("table", class_="recipes") if "What was trained" in table["text"]]
        assert table["text"].count("slt standard") == 1
        assert "a1 architecture widths 16, 16, 16; activation relu; epochs 100; epsilon 2" in table["text"]
        assert len(page.all("a", href="#recipe/0")) > 1

    def test_a_conjunction_shows_its_parts(self, page: Page) -> None:
        text = card(page, "slt/correlation")
        assert "ρ > 0 in robust models" in text
        assert "the prediction says how many of them have to come true" in text
        assert "Measured here, deciding part" in text
        assert "Prediction, fixed beforehand All of: its 3 parts" in text

    def test_example_images_stand_in_a_grid_and_say_what_they_are(self, page: Page) -> None:
        (table,) = page.all("table", class_="images")
        assert "Held-out images under attack" in table["text"]
        found = page.all("img")
        assert [image["alt"] for image in found] == [
            "network small, size 0: seen as 7", "network small, size 0.1: seen as 7", "network large, size 0: seen as 7",
        ]  # fmt: skip
        assert all(image["src"].startswith("data:image/png;base64,") for image in found)

    def test_an_error_never_looks_like_a_refutation(self, page: Page) -> None:
        text = card(page, "lazy/robust-error")
        assert "! Error" in text
        assert "RuntimeError: not finite" in text
        assert "refuted" not in text.lower()
        line = next(line for line in page.all("tbody") if "robust-error" in line["text"])
        assert line["text"].endswith("could not run")
        assert "v-error" in line["class"]

    def test_an_invalid_number_is_said_to_be_none_to_rely_on(self, page: Page) -> None:
        text = card(page, "slt/neighbourhood")
        assert "not to be relied on" in text
        assert "⊘ failed" in text

    def test_a_verdict_that_the_ledger_did_not_expect_says_so(self, page: Page) -> None:
        assert "expected supported ; this run says refuted" in card(page, "slt/peak-widens")
        assert "ledger" not in card(page, "slt/robust-below")

    def test_theorems_and_facts_show_what_was_counted(self, page: Page) -> None:
        assert "0 number of counterexamples" in card(page, "lazy/cone")
        fact = card(page, "lazy/digits")
        assert "The document reports 0.737 Measured here 0.73725 train–train" in fact
        assert "interval" not in fact

    def test_all_data_of_a_figure_are_embedded(self, run: dict[str, Any], page: Page) -> None:
        row = next(row for row in run["rows"] if row["id"] == "slt/peak-widens")
        blocks = [json.loads(block["text"]) for block in page.all("script", type="application/json")]
        blocks = [block for block in blocks if "drawn" in block]
        assert len(blocks) == sum(bool(row["figure"]) for row in run["rows"])
        held = next(block for block in blocks if (block["drawn"]["x"], block["drawn"]["y"]) == ("epoch", "llc"))
        assert held["pick"] == ["regime", "seed"]
        columns = {name: column(each) for name, each in held["columns"]}
        assert columns["regime"] == row["figure"]["data"]["regime"]
        assert columns["llc"] == pytest.approx(row["figure"]["data"]["llc"], rel=6e-4)
        assert "Data behind the figure 480 rows" in card(page, "slt/peak-widens")

    def test_a_stratum_leads_to_its_rows(self, page: Page) -> None:
        links = {link["text"]: link["href"] for link in page.all("a")}
        assert links["8×1"] == "#claim/slt/robust-below&architecture=8%C3%971"
        assert "16×1" not in links  # its card's figure draws one architecture

    @pytest.mark.parametrize(
        "broken", [{"data": {"regime": ["a"], "llc": ["not a number"], "seed": [0]}}, {"hue": "none"}, {"y": "no"}]
    )
    def test_a_figure_that_cannot_be_drawn_costs_only_itself(self, run: dict[str, Any], broken: dict[str, Any]) -> None:
        run["rows"] = run["rows"][:2]
        run["rows"][0]["figure"] |= broken
        page = Page(render(run))
        assert "The figure could not be drawn" in card(page, "slt/robust-below")
        assert len(page.all("article")) == len(run["rows"])

    def test_shows_which_runs_were_merged(self, bare: dict[str, Any]) -> None:
        later = bare | {"provenance": PROVENANCE | {"started": "2026-04-01T00:00:00+00:00", "commit": "99"}}
        assert "Merged from 2 runs" in Page(render(merge([bare, later]))).all("table")[-1]["text"]

    def test_refuses_what_is_no_run(self) -> None:
        with pytest.raises(ReportError, match="needs schema, scale, device, provenance, rows"):
            render({"rows": []})

    def test_renders_a_run_without_claims(self) -> None:
        assert "0 claims" in render(assemble([], scale="full", device="cpu", provenance={}))

    def test_renders_rows_that_lack_fields(self) -> None:
        run = {"schema": 1, "scale": "full", "device": "cpu", "provenance": {}, "rows": [{"id": "a/b"}]}
        assert "Error" in card(Page(render(run)), "a/b")


class TestSearch:
    def test_a_setting_in_which_it_fails_is_told_and_marked(self, page: Page) -> None:
        text = card(page, "slt/finetuning")
        assert "The verdict turns in other settings. Of 4 settings spread evenly over the scope: 2 supported, 1 refuted" in text
        assert "The best single condition: it holds where noise is at most 1" in text
        assert "✓ supported 2 of 4, 7 to 93 % of the scope" in text
        assert "Share of the variance of the effect: noise 90 % (60 to 100), points 10 % (0 to 30)." in text
        assert "Settings that were tried 4" in text
        assert "■ the claim holds ■ it does not The paler, the less sure." in text
        assert "the claim holds in 6 of 12 fields" in text
        assert "Among all searches of this report (Holm) its p is 0.004: it stands." in text
        table = page.all("table", class_="trials")[0]["text"]
        assert "noise points Verdict Effect Interval n" in table
        assert "1 256 ✓ Supported (defaults)" in table
        assert "default 64 ! Error ValueError: too few — — —" in table
        assert "1.5 default ✗ Refuted (simplest) −0.021 −0.034 to −0.008 18" in table
        assert "1.5 default ✗ Refuted (fresh seeds) −0.018 −0.029 to −0.007 18" in table

    def test_a_turn_that_fresh_seeds_do_not_show_is_none(self, bare: dict[str, Any]) -> None:
        row = next(row for row in bare["rows"] if row["id"] == "slt/finetuning")
        row["search"] |= {"confirmed": False}
        assert "A turn of the verdict was not confirmed." in card(Page(render(bare)), "slt/finetuning")

    def test_a_search_that_found_nothing_says_so(self, page: Page) -> None:
        said = "No turn of the verdict was found. It is refuted in none of 1 settings."
        assert said in card(page, "slt/peak-widens")

    @pytest.mark.parametrize(
        "found", [{}, {"reason": None}, {"trials": []}, {"found": {"a": 1}}, {"trials": [{"verdict": "odd"}]}]
    )
    def test_draws_whatever_a_search_left_out(self, bare: dict[str, Any], found: dict[str, Any]) -> None:
        bare["rows"][0]["search"] = found
        assert len(Page(render(bare)).all("article")) == len(bare["rows"])


class TestPast:
    def earlier(self, run: dict[str, Any], day: int, **changed: Any) -> dict[str, Any]:
        facts = PROVENANCE | {"started": f"2026-02-{day:02d}T00:00:00+00:00"}
        rows = [run["rows"][0] | changed, *run["rows"][1:]]
        return record(run | {"provenance": facts, "rows": rows})

    def test_a_card_shows_past_verdicts_of_its_scale_the_latest_first(self, bare: dict[str, Any]) -> None:
        records = [self.earlier(bare, 1), self.earlier(bare, 2, verdict="refuted"), self.earlier(bare, 3) | {"scale": "full"}]
        text = card(Page(render(bare, History(tuple(records)))), "slt/robust-below")
        assert "The run of 2026-02-02 00:00 UTC said refuted ." in text
        assert text.index("2026-02-02") < text.index("2026-02-01")
        assert "2026-02-03" not in text
        assert "2 runs, the latest first" in text

    def test_another_declaration_is_no_news_of_the_same_claim(self, bare: dict[str, Any]) -> None:
        past = History((self.earlier(bare, 1, digest="other", verdict="refuted"),))
        text = card(Page(render(bare, past)), "slt/robust-below")
        assert "said refuted (declared otherwise)" in text

    def test_a_run_that_broke_is_no_news(self, bare: dict[str, Any]) -> None:
        past = History((self.earlier(bare, 1), self.earlier(bare, 2, verdict="error")))
        text = card(Page(render(bare, past)), "slt/robust-below")
        assert "The run of" not in text
        assert "2 runs, the latest first" in text

    def test_only_the_latest_are_listed(self, bare: dict[str, Any]) -> None:
        past = History(tuple(self.earlier(bare, 1 + index) for index in range(SHOWN + 2)))
        assert f"The latest {SHOWN} of {SHOWN + 2}; history.jsonl has all" in render(bare, past)

    def test_lines_that_could_not_be_read_are_counted(self, bare: dict[str, Any]) -> None:
        assert "0 earlier runs are in history.jsonl beside this page; 1 line of it could not" in render(bare, History((), 1))
        assert "history.jsonl" not in render(bare)


class TestStyle:
    """Contrast by the formula of WCAG 2.2: (lighter + 0.05) / (darker + 0.05) of relative luminance."""

    css = (FOLDER / "style.css").read_text(encoding="utf-8")

    def colours(self, scheme: int) -> dict[str, str]:
        blocks = re.findall(r":root \{(.*?)\n *\}", self.css, re.DOTALL)
        return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks[0] + (blocks[scheme] if scheme else "")))

    @staticmethod
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(self, one: str, other: str) -> float:
        light, dark = sorted((self.luminance(one), self.luminance(other)), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    @pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
    def test_text_has_enough_contrast(self, scheme: int) -> None:
        colours = self.colours(scheme)
        assert len(colours) > 20
        for ground in ("ground", "paper"):
            for ink in ("ink", "soft", "link", *VERDICT_STYLES):
                assert self.contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        for verdict in VERDICT_STYLES:
            assert self.contrast(colours[verdict], colours["zone"]) >= 3, verdict

    def test_knows_every_class_that_a_figure_is_painted_with(self) -> None:
        drawn = "".join(figures.draw(figures.figure_from_evidence(each), "k") for each in samples().values())
        painted = {name for said in re.findall(r'class="([^"]+)"', drawn) for name in said.split()} - {"figure"}
        series = {f"{side}-{colour}" for side in "fl" for colour in SERIES}
        assert painted & series
        for name in painted | series:
            assert re.search(rf"\.{name}(?![\w-])", self.css), name

    def test_serves_dark_narrow_print_and_still_readers(self) -> None:
        for query in (
            "prefers-color-scheme: dark",
            "max-width: 40rem",
            "@page",
            "media print",
            "prefers-reduced-motion",
        ):
            assert query in self.css


def test_77_claims_with_figures_and_data_fit_into_4_megabytes() -> None:
    run = many(COUNT)
    run["rows"] = run["rows"][::7]  # a seventh of them, for the sake of time
    assert len(run["rows"]) == COUNT / 7
    assert len(render(run).encode()) < 4_000_000 / 7


def test_renders_from_json_alone(run: dict[str, Any], tmp_path: Path) -> None:
    run["rows"] = run["rows"][:1]
    (tmp_path / "claims.json").write_text(json.dumps(run), encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from harness.report import read_run, render\n"
        "assert len(render(read_run(Path('claims.json')))) > 1000\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


class TestJudgedInTheFigure:
    """What is judged stands in the figure: its numbers, its interval, and the panel of the part that decides."""

    def figure_of(self, run: dict[str, Any], id: str) -> ET.Element:
        drawn = card_html(render(run), id)
        return ET.fromstring(re.search(r'<svg [^>]*class="figure".*?</svg>', drawn, re.DOTALL)[0])  # type: ignore[index]

    def test_numbers_and_interval(self, run: dict[str, Any]) -> None:
        figure = self.figure_of(run, "slt/robust-below")
        words = " ".join(one.text or "" for one in figure.iter("text"))
        assert "mean paired difference of LLC per parameter, equal weight per architecture: 0.0118 [0.0081 to 0.0161]" in words
        assert [one.get("class") for one in figure.iter("circle") if one.get("cx")] == ["v-supported at"]
        assert [one.get("class") for one in figure.iter("rect")] == ["zone"]

    @pytest.mark.parametrize(
        ("said", "panel"),
        [("ρ above 0 at architecture 16×1", "16×1"), ("ρ above 0", None), ("either 8×1 or 16×1", None), ("216×12", None)],
    )
    def test_the_deciding_panel_is_marked_if_one_is_named(self, run: dict[str, Any], said: str, panel: str | None) -> None:
        row = next(row for row in run["rows"] if row["id"] == "slt/correlation")
        row["parts"][1]["prediction"] = said
        row["decides"] = 1
        marked = [one.text for one in self.figure_of(run, "slt/correlation").iter("text") if one.get("class") == "decides"]
        assert marked == ([f"{panel} (decides)"] if panel else [])


class TestMarginOnTheAxis:
    """The margin as a length on the axis of a figure that shows what is judged."""

    def drawn(self, margin: float, **changed: Any) -> tuple[str, list[list[float]], str]:
        table = pd.DataFrame({"regime": ["a", "b"] * 8, "asr": [0.1 * (row % 7) for row in range(16)], "seed": range(16)})
        given = {"x": "regime", "y": "asr", "x_label": "", "y_label": "", "title": "t", **changed}
        figure = figure_from_evidence(Figure("strip", table, **given)) | {"margin": margin}
        svg = draw(figure, "k")
        return svg, json.loads(html.unescape(re.search(r'data-panels="([^"]*)"', svg)[1])), reading(figure)  # type: ignore[index]

    @pytest.mark.parametrize("margin", [0.05, 0.1, 0.3, 0.6])
    def test_it_is_as_long_as_the_axis_says(self, margin: float) -> None:
        svg, [[left, top, wide, high, _, _, low, most]], said = self.drawn(margin)
        (first, _), ((_, y), (_, foot)), _ = strokes_of(re.search(r'class="span" d="([^"]*)"', svg)[1])  # type: ignore[index]
        length = foot - y
        assert length / high == pytest.approx(margin / (most - low), abs=1 / high)
        assert first[0] >= left + wide, "beside all marks"
        assert top <= y <= y + length <= top + high + 1
        assert f"as long as the margin, {margin}." in said

    @pytest.mark.parametrize("margin", [1e-6, 5.0])
    def test_one_that_cannot_be_drawn_is_not_spoken_of(self, margin: float) -> None:
        svg, _, said = self.drawn(margin)
        assert "span" not in svg
        assert "margin" not in said

    @pytest.mark.parametrize(
        ("declared", "estimand", "drawn"),
        [({"value": "asr"}, "mean paired difference of asr", True), ({"value": "llc"}, "mean paired difference of llc", False),
         ({"y": "asr"}, "mean paired height difference of asr", True), ({"value": "asr"}, "mean slope of asr", False),
         ({}, "mean paired difference of asr", False)],
    )  # fmt: skip
    def test_only_a_difference_of_what_the_axis_shows_has_one(self, declared: Any, estimand: str, drawn: bool) -> None:
        row = {"declared": {"prediction": declared}, "parts": [], "decides": None, "estimand": estimand}
        assert cards._on_the_axis(row, {"y": "asr", "log_y": False}) == drawn
        assert not cards._on_the_axis(row, {"y": "asr", "log_y": True})
        parts = {"declared": {"prediction": {"parts": [{}, declared]}}, "parts": [1, 2], "estimand": estimand}
        assert cards._on_the_axis(parts | {"decides": 1}, {"y": "asr", "log_y": False}) == drawn
        assert not cards._on_the_axis(parts | {"decides": 0}, {"y": "asr", "log_y": False})


def card_html(page: str, id: str) -> str:
    """The markup of one card."""
    return page.partition(f'id="claim/{id}"')[2].partition("</article>")[0]


def test_questions_and_controls_come_behind_what_documents_claim(bare: dict[str, Any]) -> None:
    roles = ("control", "document", "question", "document")
    rows = [
        row | {"id": f"d{at}/one", "document": f"d{at}", "role": role}
        for at, (row, role) in enumerate(zip(bare["rows"], roles, strict=False))
    ]
    page = render(bare | {"rows": rows})
    found = re.findall(r'<article[^>]* id="claim/(d\d)/one"', page)
    assert found == ["d1", "d3", "d2", "d0"]
