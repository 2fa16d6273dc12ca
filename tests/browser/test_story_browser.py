"""Chapters and the forest in a real browser: what folds, what an address opens, with and without script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Browser
from report_samples import PROVENANCE, rows
from selenium.webdriver.support.ui import Select, WebDriverWait

from harness.report import assemble, render

ROWS = {row["id"]: row for row in rows()}
KEYED = next(id for id, row in ROWS.items() if row["figure"] and row["figure"]["kind"] == "scatter")
SHOWN = "return arguments[0].getClientRects().length > 0 && arguments[0].checkVisibility()"


def told(id: str) -> str:
    return f'[id="story/{id}"]'


def chapter(browser: Browser, key: str) -> bool:
    return bool(browser.run("return document.getElementById(arguments[0]).open", f"story/{key}"))


class TestForest:
    def test_a_document_folds_and_its_count_stays(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        browser.one("details.group > summary").click()
        assert [id for id in browser.lines() if id.startswith("slt/")] == []
        assert browser.one("details.group > summary .v-supported").is_displayed()
        assert browser.cards() == list(ROWS)
        browser.one("details.group > summary").click()
        assert browser.lines() == list(ROWS)

    def test_a_filter_opens_what_it_shows(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        for summary in browser.all("details.group > summary"):
            summary.click()
        assert browser.lines() == []
        Select(browser.one("[name=document]")).select_by_visible_text("lazy")
        assert browser.lines() == browser.cards() == [id for id in ROWS if id.startswith("lazy/")]

    def test_an_order_takes_the_parts_along(self, browser: Browser, page: Path) -> None:
        browser.open(page, "sort=name")
        assert browser.lines() == sorted(ROWS)
        several = next(id for id, row in ROWS.items() if row["parts"])
        count = browser.run(
            "const line = document.querySelector(`.forest a[href='#claim/${arguments[0]}']`).closest('tbody');"
            "return line.querySelectorAll('.part').length",
            several,
        )
        assert count == len(ROWS[several]["parts"])

    def test_marks_lie_on_the_scale_above_them(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        left = browser.run(
            "return [...document.querySelectorAll('.forest .plot')].filter((p) => p.getClientRects().length)"
            ".map((p) => p.getBoundingClientRect()).map((b) => `${Math.round(b.left)} ${Math.round(b.width)}`)"
        )
        assert len(set(left)) == 1


class TestChapters:
    def test_a_chapter_is_folded_until_it_is_asked_for(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        assert not chapter(browser, "slt")
        browser.follow(browser.one('.documents a[href="#story/slt"]'))
        assert chapter(browser, "slt")
        assert not chapter(browser, "lazy")

    @pytest.mark.parametrize("width", [390, 1400])
    def test_card_and_story_lead_to_each_other(self, browser: Browser, page: Path, width: int) -> None:
        browser.look(width=width)
        browser.open(page, "claim/lazy/perturbation")
        browser.follow(browser.one('[id="claim/lazy/perturbation"] .meta a.to'))
        assert chapter(browser, "lazy")
        there = browser.one(told("lazy/perturbation"))
        assert browser.run(SHOWN, there)
        top = browser.run("return arguments[0].getBoundingClientRect().top", there)
        bar = browser.run(
            "const bar = document.querySelector('.filters');"
            "return getComputedStyle(bar).position === 'sticky' ? bar.offsetHeight : 0"
        )
        assert bar - 1 <= top <= bar + 30, "at the top of what is not covered"
        browser.follow(browser.one(f"{told('lazy/perturbation')} h5 a"))
        assert (
            0
            <= browser.run("return arguments[0].getBoundingClientRect().top", browser.one('[id="claim/lazy/perturbation"]'))
            < 1000
        )

    def test_an_address_opens_a_claim_of_a_folded_chapter(self, browser: Browser, page: Path) -> None:
        browser.open(page, "story/slt/finetuning")
        assert chapter(browser, "slt")
        assert browser.run("return document.activeElement.id") == "story/slt/finetuning"
        assert browser.cards() == list(ROWS)

    def test_chapters_are_printed_though_they_are_folded(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        browser.look(printed=True)
        assert all(browser.run(SHOWN, one) for one in browser.all(".told .prose"))

    @pytest.mark.parametrize("width", [320, 390, 1280, 1440])
    def test_nothing_reaches_beyond_the_screen(self, browser: Browser, page: Path, width: int) -> None:
        browser.look(width=width)
        browser.open(page)
        browser.run("document.querySelectorAll('.chapter, .group').forEach((fold) => { fold.open = true; })")
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")


class TestKeyFigure:
    @pytest.fixture
    def drawn(self, tmp_path: Path) -> Path:
        """A report whose chapter shows the figure of a claim."""
        row = ROWS[KEYED]
        written = f"## A\n\n### {KEYED.partition('/')[2]}\n\nWhy.\n\n#### The document's key figure\n\nA caption.\n"
        run = assemble(rows(), scale="reduced", device="cpu", provenance=PROVENANCE)
        path = tmp_path / "claims.html"
        path.write_text(render(run | {"stories": {row["document"]: written}}), encoding="utf-8")
        return path

    def test_it_looks_the_same_whether_its_card_is_shown_or_not(self, browser: Browser, drawn: Path) -> None:
        browser.open(drawn, f"story/{KEYED}")
        figure = browser.one(f"{told(KEYED)} svg.figure")
        shown = figure.screenshot_as_png
        assert browser.one(f'[id="claim/{KEYED}"]').is_displayed()
        browser.run("document.querySelectorAll('.card').forEach((card) => { card.hidden = true; })")
        assert figure.screenshot_as_png == shown
        browser.run("document.querySelectorAll('.symbols marker').forEach((mark) => mark.remove())")
        assert figure.screenshot_as_png != shown, "marks are seen"

    def test_it_looks_as_on_the_card(self, browser: Browser, drawn: Path) -> None:
        looks = (
            "return [...arguments[0].querySelectorAll('text')].map((one) => { const looks = getComputedStyle(one);"
            "return [one.textContent, looks.fontSize, looks.textAnchor, looks.fill].join(); })"
        )
        browser.open(drawn, f"story/{KEYED}")
        browser.run(
            "const use = document.querySelector(arguments[0]);"
            "const copy = document.getElementById(use.getAttribute('href').slice(1)).cloneNode(true);"
            "copy.dataset.copy = ''; use.replaceWith(copy);",
            f"{told(KEYED)} svg.figure use",
        )
        assert browser.run(looks, browser.one("[data-copy]")) == browser.run(
            looks, browser.one(f'[id="claim/{KEYED}"] svg.figure')
        )

    def test_taken_along_from_the_card_it_has_its_marks(self, browser: Browser, drawn: Path) -> None:
        browser.open(drawn, f"claim/{KEYED}")
        browser.one(f'[id="claim/{KEYED}"]')
        WebDriverWait(browser.driver, 20).until(lambda _: browser.all(f'[id="claim/{KEYED}"] .actions button'))
        browser.run(
            "HTMLAnchorElement.prototype.click = function () { window.saved = decodeURIComponent(this.href); };"
            "[...document.getElementById(arguments[0]).querySelectorAll('.actions button')]"
            ".find((one) => one.textContent === 'Figure as SVG').click()",
            f"claim/{KEYED}",
        )
        saved = browser.run("return window.saved")
        used = set(re.findall(r"url\((?:&quot;|\")?#([^)\"&]+)", saved))
        assert used == set(re.findall(r'<marker id="([^"]+)"', saved)) != set()
        assert not re.search(r"<marker[^>]*(?<!-)fill=\"rgb\(0, 0, 0\)", saved)


class TestWithoutScript:
    @pytest.fixture
    def scriptless(self, browser: Browser) -> Iterator[Browser]:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        yield browser
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    def test_groups_and_chapters_fold(self, scriptless: Browser, page: Path) -> None:
        scriptless.open(page)
        line = scriptless.one(".forest tbody .says")
        assert line.is_displayed()
        scriptless.one("details.group > summary").click()
        assert not line.is_displayed()
        there = scriptless.one(f"{told('slt/robust-below')} .prose")
        assert not there.is_displayed()
        scriptless.one('[id="story/slt"] > summary').click()
        assert there.is_displayed()
