"""Pages of claims that nobody would write and somebody will: long words, numbers of any size, nothing to draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browsing import Browser
from report_samples import PROVENANCE, rows
from selenium.webdriver.support.ui import WebDriverWait

from harness.report import assemble, render, text

ONE = next(row for row in rows() if row["id"] == "slt/robust-below")
WORD = "Überparametrisierungsgrad" * 12


def written(folder: Path, *changed: dict[str, Any]) -> Path:
    """The page of claims that are one of the usual ones but for what changed."""
    made = [ONE | {"id": f"slt/odd-{place}"} | given for place, given in enumerate(changed)]
    path = folder / "claims.html"
    path.write_text(render(assemble(made, scale="full", device="cpu", provenance=PROVENANCE)), encoding="utf-8")
    return path


class TestLongWords:
    @pytest.mark.parametrize("width", [320, 768, 1280])
    @pytest.mark.parametrize("field", ["statement", "reason", "estimand", "id", "title", "quote", "error"])
    def test_none_makes_the_page_wider_than_the_screen(self, browser: Browser, tmp_path: Path, field: str, width: int) -> None:
        changed: dict[str, Any] = {field: WORD}
        if field in ("title", "quote"):
            changed = {"source": ONE["source"] | {field: WORD}}
        if field == "id":
            changed = {"id": f"slt/{'x' * 300}"}
        browser.look(width=width)
        browser.open(written(tmp_path, changed))
        # Whatever is folded or far away is laid out, too.
        browser.run(
            "document.head.append(Object.assign(document.createElement('style'),"
            "{textContent: '* { content-visibility: visible !important }'}));"
            "document.querySelectorAll('details').forEach((fold) => { fold.open = true; })"
        )
        wide, seen = browser.run("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide <= seen


class TestNumbersOfAnySize:
    SIZES = (1e-13, 4.2e-7, 0.005, 12.5, 34000.0, 5.4e11)

    def rescaled(self, size: float) -> dict[str, Any]:
        """The claim in a unit in which its margin is this size."""
        factor = size / ONE["margin"]
        return {
            "margin": size, "effect": ONE["effect"] * factor, "interval": [end * factor for end in ONE["interval"]],
            "protocols": [], "companions": [], "strata": [],
        }  # fmt: skip

    def test_the_slider_writes_them_as_the_rest_of_the_page_does(self, browser: Browser, tmp_path: Path) -> None:
        browser.open(written(tmp_path, *map(self.rescaled, self.SIZES)))
        for place, size in enumerate(self.SIZES):
            card = f'[id="claim/slt/odd-{place}"]'
            browser.run("arguments[0].scrollIntoView()", browser.one(card))
            WebDriverWait(browser.driver, 20).until(lambda _, card=card: browser.all(f"{card} .flips output"))
            said = browser.one(f"{card} .flips output").text
            assert f"supported with a margin of {text.number(size).replace(',', '')}, which" in said

    def test_no_two_columns_of_the_forest_overlap(self, browser: Browser, tmp_path: Path) -> None:
        browser.open(written(tmp_path, *map(self.rescaled, self.SIZES)))
        overlapping = browser.run(
            "return [...document.querySelectorAll('.forest .num')].filter((cell) => cell.scrollWidth > cell.clientWidth + 1)"
            ".map((cell) => cell.textContent)"
        )
        assert overlapping == []


class TestAddressesOfOtherReports:
    @pytest.mark.parametrize(("state", "said"), [("claim/slt/gone", "no claim slt/gone"), ("story/gone", "no story of gone")])
    def test_what_is_not_there_is_said_not_to_be_there(self, browser: Browser, page: Path, state: str, said: str) -> None:
        browser.open(page, state)
        told = browser.one(".lost")
        assert told.is_displayed()
        assert said in told.text
        assert browser.cards()
        browser.go("claim/slt/robust-below")
        assert not told.is_displayed()


class TestErrors:
    def test_what_went_wrong_is_told_once_and_to_its_end(self, browser: Browser, tmp_path: Path) -> None:
        broken = {"verdict": "error", "figure": None, "reason": "could not be run"}
        browser.open(written(tmp_path, broken | {"error": "could not be run"}, broken | {"error": "word " * 200}))
        cards = browser.all(".card")
        assert cards[0].text.count("could not be run") == 1
        browser.run("arguments[0].scrollIntoView()", cards[1])
        pre = browser.one(".error pre")
        wide, seen = browser.run("const box = arguments[0].parentNode; return [box.scrollWidth, box.clientWidth]", pre)
        assert wide <= seen
