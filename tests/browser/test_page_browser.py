"""The page in a real browser, as a reader meets it: opened from disk, filtered, followed down to one seed, printed."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from browsing import Browser
from report_samples import PROVENANCE, rows
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from harness.judge import decide
from harness.report import assemble, read_run, render

ROWS = {row["id"]: row for row in rows()}
CARD = '[id="claim/slt/robust-below"]'


def ids(**wanted: str) -> list[str]:
    """Claims with these values, in the order of the run."""
    return [id for id, row in ROWS.items() if all(row[name] == value for name, value in wanted.items())]


class TestItself:
    def test_asks_for_nothing_and_complains_of_nothing(self, browser: Browser, page: Path, comparison: Path) -> None:
        for opened in (page, comparison):
            browser.open(opened)
            for fold in browser.all("details > summary"):
                browser.run("arguments[0].click()", fold)
            asked = {url for url in browser.requests() if not url.startswith(("about:", "data:"))}  # images are in the page
            assert asked == {opened.as_uri()}
            assert browser.run("return performance.getEntriesByType('resource').length") == 0
            assert browser.complaints() == []

    def test_shows_all_claims_at_first(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        assert browser.cards() == browser.lines() == list(ROWS)
        assert browser.one("output").text == f"{len(ROWS)} claims"
        assert browser.state() == ""

    def test_the_first_screen_says_what_was_run_and_found(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        for selector in (".run", ".watermark", ".banner", ".documents", ".filters"):
            box = browser.one(selector).rect
            assert 0 <= box["y"] <= box["y"] + box["height"] <= 1000, selector


class TestFilters:
    @pytest.mark.parametrize(("name", "value"), [("document", "lazy"), ("kind", "theorem"), ("tag", "slow")])
    def test_choices(self, browser: Browser, page: Path, name: str, value: str) -> None:
        browser.open(page)
        Select(browser.one(f"[name={name}]")).select_by_visible_text(value)
        fitting = [id for id, row in ROWS.items() if value in (row["tags"] if name == "tag" else [row[name]])]
        assert fitting
        assert browser.cards() == browser.lines() == fitting
        assert browser.state() == f"{name}={value}"
        assert browser.one("output").text == f"{len(fitting)} of {len(ROWS)} claims"

    @pytest.mark.parametrize(
        ("name", "value", "fitting"),
        [("fixed", "changed", ["slt/finetuning"]), ("fixed", "code", ["slt/peak-widens"]),
         ("grade", "probably-below-m", ["lazy/perturbation"]), ("rows", "on-the-outcome", ["slt/sample"]),
         ("registered", "not-registered", ["slt/peak-widens"]), ("registered", "as-registered", ["slt/robust-below"])],
    )  # fmt: skip
    def test_what_was_fixed_and_registered(
        self, browser: Browser, page: Path, name: str, value: str, fitting: list[str]
    ) -> None:
        browser.open(page)
        chosen = Select(browser.one(f"[name={name}]"))
        chosen.select_by_value(value)
        assert chosen.first_selected_option.text.endswith("(1)")
        assert browser.cards() == browser.lines() == fitting
        assert browser.state() == f"{name}={value}"
        browser.open(page, f"{name}={value}")
        assert browser.cards() == fitting

    def test_verdicts_add_up(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        for verdict in ("refuted", "invalid"):
            browser.one(f".toggle[data-verdict={verdict}]").click()
        assert browser.cards() == [id for id, row in ROWS.items() if row["verdict"] in ("refuted", "invalid")]
        assert browser.state() == "verdict=refuted,invalid"

    def test_words_are_searched_for_in_what_a_card_says(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        browser.one("[name=q]").send_keys("verdict TURNS")
        assert browser.cards() == browser.lines() == ["slt/finetuning"]
        assert browser.state() == "q=verdict+TURNS"

    def test_what_stands_in_a_note_is_found(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        browser.one("[name=q]").send_keys("protocols disagree")
        assert (
            browser.cards() == [id for id, row in ROWS.items() if len({one["verdict"] for one in row["protocols"]}) > 1] != []
        )

    def test_what_matches_nothing_says_so_and_can_be_cleared(self, browser: Browser, page: Path) -> None:
        browser.open(page, "q=nothing-of-the-kind")
        assert browser.cards() == []
        assert browser.one(".empty").is_displayed()
        browser.one(".empty .clear").click()
        assert len(browser.cards()) == len(ROWS)
        assert browser.state() == ""

    def test_an_address_opens_the_view_that_was_sent(self, browser: Browser, page: Path) -> None:
        browser.open(page, "document=slt&verdict=refuted,supported&sort=p")
        assert set(browser.cards()) == {*ids(document="slt", verdict="refuted"), *ids(document="slt", verdict="supported")}
        assert Select(browser.one("[name=document]")).first_selected_option.text == "slt"
        assert browser.one(".toggle[data-verdict=refuted]").get_attribute("aria-pressed") == "true"

    @pytest.mark.parametrize("state", ["document=none&kind=x", "%E0%A4%A", "claim/none", "sort=sideways", "&&=", "recipe/0"])
    def test_an_address_of_something_else_shows_all(self, browser: Browser, page: Path, state: str) -> None:
        browser.open(page, state)
        assert len(browser.cards()) == len(ROWS)
        assert browser.complaints() == []

    def test_a_count_of_the_first_screen_leads_to_its_claims(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        browser.follow(browser.one(".documents .count.v-refuted"))
        assert browser.cards() == ids(document="slt", verdict="refuted")


class TestOrder:
    def test_by_p_with_the_unknown_last_and_back(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        Select(browser.one("[name=sort]")).select_by_value("p")
        ps = [ROWS[id]["p"] for id in browser.cards()]
        known = [p for p in ps if p is not None]
        assert ps == [*sorted(known), *[None] * (len(ps) - len(known))]
        assert browser.cards() == browser.lines()
        assert browser.state() == "sort=p"
        Select(browser.one("[name=sort]")).select_by_value("")
        assert browser.cards() == browser.lines() == list(ROWS)

    def test_by_verdict_puts_first_what_needs_a_look(self, browser: Browser, page: Path) -> None:
        browser.open(page, "sort=verdict")
        order = list(dict.fromkeys(ROWS[id]["verdict"] for id in browser.cards()))
        assert order == ["refuted", "error", "invalid", "inconclusive", "supported"]

    def test_by_name_and_by_effect(self, browser: Browser, page: Path) -> None:
        browser.open(page, "sort=name")
        assert browser.cards() == sorted(ROWS)
        browser.open(page, "sort=effect")
        assert browser.cards()[0] == "lazy/perturbation"  # 1,800 margins


class TestDownToOneSeed:
    def test_from_the_stratum_to_the_seed_to_its_mark(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        browser.run("arguments[0].scrollIntoView({block: 'center'})", browser.one(f"{CARD} .folds"))
        browser.one(f"{CARD} .strata > summary").click()
        browser.follow(browser.one(f"{CARD} .strips a"))
        assert browser.state() == "claim/slt/robust-below&architecture=8×1"
        table = browser.one(f"{CARD} .grid")
        assert table.find_element("css selector", "caption").text == "30 rows"
        browser.run("arguments[0].scrollIntoView({block: 'center'})", table)
        browser.follow(next(link for link in table.find_elements("css selector", "a") if link.text == "7"))
        assert browser.state() == "claim/slt/robust-below&architecture=8×1&seed=7"
        assert browser.one(f"{CARD} .grid caption").text == "3 of 30 rows"
        assert [cell.text for cell in browser.all(f"{CARD} .grid td:nth-child(3)")] == ["7"] * 3
        assert len(browser.all(f"{CARD} .picked circle")) == 3

    def test_an_address_opens_the_seed(self, browser: Browser, page: Path) -> None:
        browser.open(page, "claim/slt/peak-widens&seed=2&regime=robust")
        card = '[id="claim/slt/peak-widens"]'
        assert browser.one(f"{card} .grid caption").text == "60 of 480 rows"
        assert len(browser.all(f"{card} .picked polyline")) == 3  # a line in each panel
        choices = [Select(each).first_selected_option.text for each in browser.all(f"{card} .pick select")]
        assert choices == ["robust", "2"]

    def test_marks_lie_on_the_marks_of_the_figure(self, browser: Browser, page: Path) -> None:
        browser.open(page, "claim/slt/sample&seed=3&architecture=16×1")
        rings, marks = browser.run(
            "const svg = document.getElementById('claim/slt/sample').querySelector('svg.figure');"
            "const rings = [...svg.querySelectorAll('.picked circle')].map((c) => [c.cx.baseVal.value, c.cy.baseVal.value]);"
            "const marks = [...svg.querySelectorAll('.dots')].flatMap((line) => { let [x, y] = [0, 0];"
            "return [...line.getAttribute('d').matchAll(/([mlhv])([^a-z]*)/g)].flatMap(([, letter, given]) => {"
            "const numbers = given.match(/-?\\d+/g).map(Number);"
            "const steps = letter === 'h' ? numbers.map((n) => [n, 0]) : letter === 'v' ? numbers.map((n) => [0, n])"
            " : numbers.filter((n, at) => at % 2 === 0).map((n, at) => [n, numbers[2 * at + 1]]);"
            "return steps.map(([right, down]) => [x += right, y += down]); }); });"
            "return [rings, marks]"
        )
        assert len(rings) == 3
        for x, y in rings:
            assert min(max(abs(x - mx), abs(y - my)) for mx, my in marks) <= 0.65  # units, two a point

    def test_long_tables_are_listed_in_part_until_all_is_asked_for(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        fold = '[id="claim/slt/peak-widens"] .data'
        browser.run("arguments[0].click()", browser.one(f"{fold} summary"))
        count = "return document.querySelectorAll(arguments[0]).length"
        assert browser.run(count, f"{fold} tbody tr") == 200
        browser.run("arguments[0].click()", browser.one(f"{fold} button"))
        assert browser.run(count, f"{fold} tbody tr") == 480

    def test_a_choice_lives_in_the_address_and_keeps_the_focus(self, browser: Browser, page: Path) -> None:
        browser.open(page, "claim/slt/robust-below&architecture=8×1")
        select = Select(browser.all(f"{CARD} .pick select")[1])
        select.select_by_visible_text("robust")
        assert browser.state() == "claim/slt/robust-below&architecture=8×1&regime=robust"
        assert browser.run("return document.activeElement.tagName") == "SELECT"
        assert browser.one(f"{CARD} .grid caption").text == "10 of 30 rows"


class TestComparison:
    def test_an_id_leads_to_the_card_of_the_run(self, browser: Browser, comparison: Path) -> None:
        browser.open(comparison)
        link = browser.one(".changes .claim a")
        id = link.text
        link.click()
        WebDriverWait(browser.driver, 20).until(lambda _: browser.run("return document.activeElement.id") == f"claim/{id}")


class TestDeepLinks:
    def test_lead_to_a_card_and_give_it_the_focus(self, browser: Browser, page: Path) -> None:
        browser.open(page, "claim/lazy/step")
        assert browser.run("return document.activeElement.id") == "claim/lazy/step"
        top = browser.run("return document.activeElement.getBoundingClientRect().top")
        bar = browser.run("return document.querySelector('.filters').getBoundingClientRect().bottom")
        assert bar <= top < 500

    def test_a_card_that_is_filtered_out_comes_back(self, browser: Browser, page: Path) -> None:
        browser.open(page, "document=slt")
        assert "lazy/step" not in browser.cards()
        browser.go("claim/lazy/step")
        assert browser.run("return document.activeElement.id") == "claim/lazy/step"
        assert "lazy/step" in browser.cards()


class TestKeyboard:
    def test_the_first_stop_skips_to_the_claims(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        assert browser.run("return document.activeElement.className") == "skip"
        assert browser.one(".skip").rect["x"] >= 0
        ActionChains(browser.driver).send_keys(Keys.ENTER).perform()
        assert abs(browser.run("return document.getElementById('claims').getBoundingClientRect().top")) < 200

    def test_every_stop_shows_where_it_is(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        seen = set()
        for _ in range(25):
            ActionChains(browser.driver).send_keys(Keys.TAB).perform()
            style = browser.run(
                "const s = getComputedStyle(document.activeElement); return [s.outlineStyle, parseFloat(s.outlineWidth)]"
            )
            assert style[0] != "none"
            assert style[1] >= 1
            seen.add(browser.run("return document.activeElement.outerHTML.slice(0, 80)"))
        assert len(seen) == 25

    def test_a_verdict_is_toggled_with_the_space_bar(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        browser.run("document.querySelector('.toggle[data-verdict=error]').focus()")
        ActionChains(browser.driver).send_keys(Keys.SPACE).perform()
        assert browser.cards() == ids(verdict="error")
        ActionChains(browser.driver).send_keys(Keys.SPACE).perform()
        assert len(browser.cards()) == len(ROWS)


class TestLooks:
    def test_dark_where_the_reader_prefers_it(self, browser: Browser, page: Path) -> None:
        def ground() -> int:
            colour = browser.run("return getComputedStyle(document.body).backgroundColor")
            return sum(map(int, colour.strip("rgb()").split(",")))

        browser.open(page)
        assert ground() > 600
        browser.look(dark=True)
        assert ground() < 150

    @pytest.mark.parametrize("width", [320, 390, 768, 1400])
    @pytest.mark.parametrize("state", ["", "claim/slt/robust-below&seed=3", "sort=p"])
    def test_never_scrolls_sideways(self, browser: Browser, page: Path, width: int, state: str) -> None:
        browser.look(width=width)
        browser.open(page, state)
        assert browser.run("return document.documentElement.scrollWidth") <= width

    def test_on_a_narrow_screen_words_and_figure_stand_below_each_other(self, browser: Browser, page: Path) -> None:
        browser.look(width=390)
        browser.open(page, "claim/slt/robust-below")
        facts, drawn = (browser.one(f"{CARD} .{name}").rect for name in ("facts", "drawn"))
        assert drawn["y"] >= facts["y"] + facts["height"]
        assert min(facts["width"], drawn["width"]) > 300

    def test_the_comparison_fits_a_narrow_screen(self, browser: Browser, comparison: Path) -> None:
        browser.look(width=390)
        browser.open(comparison)
        assert browser.run("return document.documentElement.scrollWidth") <= 390

    def test_print_leaves_out_what_only_a_screen_can_use(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        browser.look(printed=True)
        assert not browser.one(".filters").is_displayed()
        assert not browser.one(".data").is_displayed()
        assert browser.one(".watermark").is_displayed()
        shown = "return arguments[0].getBoundingClientRect().height"  # Selenium takes what a closed fold holds for hidden
        assert browser.run(shown, browser.one(f"{CARD} .provenance")) == 0, "a fold that nobody opened costs no paper"
        assert all(browser.run(shown, cell) > 0 for cell in browser.all(".forest tbody .num")[:4]), "effects and intervals"
        pdf = base64.b64decode(browser.driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
        assert pdf.count(b"/Type /Page\n") > 3


class TestOneScreen:
    """What a card shows before anything is unfolded."""

    HEIGHTS = "return [...document.querySelectorAll('.card')].map((card) => card.getBoundingClientRect().height)"
    MADE = "return document.querySelectorAll('.card')[arguments[0]].querySelector('.actions button') !== null"
    SEEN = "const card = document.querySelectorAll('.card')[arguments[0]]; card.scrollIntoView(); return card.offsetHeight"

    @pytest.fixture
    def kept(self, tmp_path: Path) -> Path:
        run = read_run(Path(__file__).parents[2] / "reports" / "reference" / "claims.json")
        path = tmp_path / "kept.html"
        path.write_text(render(run), encoding="utf-8")
        return path

    def test_most_cards_are_one_screen(self, browser: Browser, kept: Path) -> None:
        for width, height, share in ((1440, 900, 0.95), (1280, 800, 0.75)):
            browser.look(width=width, height=height)
            browser.open(kept)
            browser.run("for (const card of document.querySelectorAll('.card')) card.style.contentVisibility = 'visible'")
            for place in range(len(browser.all(".card"))):  # what a script adds to a card, it adds when the card is seen
                browser.run(self.SEEN, place)
                WebDriverWait(browser.driver, 20, 0.02).until(lambda _, at=place: browser.run(self.MADE, at))
            heights = browser.run(self.HEIGHTS)
            assert sum(each <= height for each in heights) >= share * len(heights)

    CUT = """return [...document.querySelectorAll('svg.figure')].flatMap((figure) => {
        const room = figure.getBoundingClientRect();
        return [...figure.querySelectorAll('text')].filter((words) => {
            const own = words.getBoundingClientRect();
            return own.width > 0 && (own.left < room.left - 1 || own.right > room.right + 1 || own.bottom > room.bottom + 1);
        }).map((words) => words.textContent); })"""

    @pytest.mark.parametrize("width", [390, 1280])
    def test_no_word_of_a_figure_is_cut_off(self, browser: Browser, kept: Path, width: int) -> None:
        browser.look(width=width)
        browser.open(kept)
        browser.run("for (const card of document.querySelectorAll('.card')) card.style.contentVisibility = 'visible'")
        assert len(browser.all("svg.figure text")) > 1000
        assert browser.run(self.CUT) == []

    def test_verdict_figure_numbers_and_margin_are_shown_and_all_else_is_folded(self, browser: Browser, page: Path) -> None:
        browser.look(width=1440)
        browser.open(page)
        for name in ("h3", ".badge", ".reason", "svg.figure", ".beside", ".facts .strips", ".flips"):
            assert browser.run("return arguments[0].checkVisibility()", browser.one(f"{CARD} {name}")), name
        folded = browser.all(f"{CARD} .folds > *")
        assert len(folded) >= 4
        assert all(each.tag_name == "details" and each.get_attribute("open") is None for each in folded)

    def test_what_is_folded_opens_over_the_whole_width(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        browser.run("arguments[0].scrollIntoView({block: 'center'})", browser.one(f"{CARD} .folds"))
        summary = browser.one(f"{CARD} .checks > summary")
        summary.click()
        wide = "return arguments[0].getBoundingClientRect().width"
        assert browser.one(f"{CARD} .gates").is_displayed()
        assert browser.run(wide, browser.one(f"{CARD} .checks")) == browser.run(wide, browser.one(f"{CARD} .folds"))

    def test_parts_and_checks_are_printed_though_they_are_folded(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        browser.look(printed=True)
        height = "return arguments[0].getBoundingClientRect().height"
        for name in (".results", ".facts .strips", ".strata .strips"):
            assert all(browser.run(height, each) > 0 for each in browser.all(f".card {name}") if not self.deep(browser, each))

    @staticmethod
    def deep(browser: Browser, table: WebElement) -> bool:
        """Whether a table stands in a fold of a fold, which is not printed."""
        return bool(browser.run("return arguments[0].closest('.full, details:not(.kept)') !== null", table))


class TestAccessibility:
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    @pytest.mark.parametrize("width", [390, 1400])
    def test_axe_finds_nothing_serious(self, browser: Browser, page: Path, dark: bool, width: int) -> None:
        browser.look(width=width, dark=dark)
        browser.open(page, "claim/slt/robust-below&seed=3")
        browser.run("document.querySelectorAll('details:not(.data)').forEach((fold) => { fold.open = true; })")
        assert browser.violations() == []

    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    def test_axe_finds_nothing_serious_in_a_comparison(self, browser: Browser, comparison: Path, dark: bool) -> None:
        browser.look(dark=dark)
        browser.open(comparison)
        assert browser.violations() == []

    def test_axe_would_find_it(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        browser.run("document.querySelector('h1').style.color = '#eee'")
        assert [found.split(":")[0] for found in browser.violations()] == ["color-contrast"]


class TestAnotherMargin:
    def test_the_slider_says_what_the_judge_would_at_every_margin(self, browser: Browser, page: Path) -> None:
        browser.open(page, "claim/slt/robust-below")
        WebDriverWait(browser.driver, 20).until(lambda _: browser.all(f"{CARD} .flips input"))
        row = ROWS["slt/robust-below"]
        low, high = row["interval"]
        assert "supported with a margin of 0.005, which was fixed beforehand" in browser.one(f"{CARD} .flips output").text
        slide = (
            "const input = document.getElementById('claim/slt/robust-below').querySelector('.flips input');"
            "return arguments[0].map((share) => { input.value = share * input.max; input.dispatchEvent(new Event('input'));"
            "return [Number(input.value), input.parentNode.querySelector('output').className, input.ariaValueText]; })"
        )
        said = browser.run(slide, [step / 50 for step in range(51)])
        assert {verdict for _, verdict, _ in said} == {"v-supported", "v-refuted"}
        for margin, verdict, words in said:
            assert verdict == f"v-{decide('above', row['centre'], margin, (low, high))[0]}", margin
            assert verdict[2:] in (words or verdict[2:])

    def test_that_of_a_conjunction_changes_all_margins_at_once(self, browser: Browser, tmp_path: Path) -> None:
        one = ROWS["slt/robust-below"]
        parts = [one | {"parts": []}, one | {"parts": [], "interval": [0.006, 0.0081]}]
        counts = {"supporting": 2, "refuting": 0, "needed": 2}
        row = one | {"rule": "all", "parts": parts, "counts": counts, "figure": None}
        path = tmp_path / "claims.html"
        run = assemble([row], scale="reduced", device="cpu", provenance=PROVENANCE)
        path.write_text(render(run), encoding="utf-8")
        browser.open(path, "claim/slt/robust-below")
        WebDriverWait(browser.driver, 20).until(lambda _: browser.all(f"{CARD} .flips input"))
        output = browser.one(f"{CARD} .flips output")
        assert "supported with the margins that were fixed beforehand" in output.text
        browser.run("arguments[0].focus()", browser.one(f"{CARD} .flips input"))
        ActionChains(browser.driver).send_keys(Keys.END).perform()
        assert output.text.startswith("not supported with all margins times 3.2")

    def test_it_does_not_filter(self, browser: Browser, page: Path) -> None:
        browser.open(page, "claim/slt/robust-below")
        WebDriverWait(browser.driver, 20).until(lambda _: browser.all(f"{CARD} .flips input"))
        browser.run("arguments[0].focus()", browser.one(f"{CARD} .flips input"))
        ActionChains(browser.driver).send_keys(Keys.END).perform()
        assert "refuted" in browser.one(f"{CARD} .flips output").text
        assert len(browser.cards()) == len(ROWS)
        assert browser.state() == "claim/slt/robust-below"


class TestLots:
    def test_all_claims_in_one_order_are_tables_whose_further_heads_take_no_room(
        self, browser: Browser, tmp_path: Path
    ) -> None:
        from many_samples import write

        browser.open(write(tmp_path), "sort=name")
        held = browser.run("return [...document.querySelectorAll('.lot')].map((lot) => lot.querySelectorAll('tbody').length)")
        assert held == [25, 25, 25, 2]
        high = browser.run(
            "return [...document.querySelectorAll('.lot')].map((lot) => { lot.scrollIntoView();"
            "return lot.querySelector('thead').getBoundingClientRect().height; })"
        )
        assert high[0] > 10
        assert all(each < 2 for each in high[1:])
        ids = browser.run("return [...document.querySelectorAll('.lot .slug')].map((one) => one.textContent)")
        assert ids == sorted(ids)


class TestWithoutScript:
    @pytest.fixture
    def scriptless(self, browser: Browser) -> Iterator[Browser]:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        yield browser
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    def test_everything_is_there_to_read(self, scriptless: Browser, page: Path) -> None:
        scriptless.open(page)
        assert not scriptless.one(".filters").is_displayed()
        assert all(card.is_displayed() for card in scriptless.all(".card"))
        assert "up to a margin of 0.0161 it is supported" in scriptless.one(f"{CARD} .flips").text
        scriptless.one(f"{CARD} .data > summary").click()
        said = "return getComputedStyle(arguments[0], '::before').content"
        assert "claims.json has the same numbers" in scriptless.run(said, scriptless.one(f"{CARD} .data .table"))


class TestActions:
    """What a reader takes along from a card; the browser saves into a folder of its own."""

    @pytest.fixture
    def kept(self, browser: Browser, tmp_path: Path) -> Path:
        browser.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
        return tmp_path

    def click(self, browser: Browser, words: str) -> None:
        (button,) = [one for one in browser.all(f"{CARD} .actions button") if one.text == words]
        browser.run("arguments[0].click()", button)

    def saved(self, browser: Browser, folder: Path, name: str) -> bytes:
        WebDriverWait(browser.driver, 20).until(lambda _: (folder / name).is_file() and (folder / name).stat().st_size)
        return (folder / name).read_bytes()

    def test_figure_and_rows(self, browser: Browser, page: Path, kept: Path) -> None:
        browser.open(page, "claim/slt/robust-below")
        WebDriverWait(browser.driver, 20).until(lambda _: browser.all(f"{CARD} .actions button"))
        self.click(browser, "Figure as SVG")
        drawn = ET.fromstring(self.saved(browser, kept, "slt-robust-below.svg"))
        assert drawn.get("width")
        assert not [one for one in drawn.iter() if one.get("class")]
        self.click(browser, "as PNG")
        assert self.saved(browser, kept, "slt-robust-below.png").startswith(b"\x89PNG")
        self.click(browser, "Rows as CSV")
        table = list(csv.reader(io.StringIO(self.saved(browser, kept, "slt-robust-below.csv").decode())))
        assert table[0] == ["architecture", "regime", "seed", "llc"]
        assert len(table) == 31
        assert browser.complaints() == []

    def test_command_and_reference(self, browser: Browser, page: Path) -> None:
        browser.open(page, "claim/slt/robust-below")
        WebDriverWait(browser.driver, 20).until(lambda _: browser.all(f"{CARD} .actions button"))
        browser.run("navigator.clipboard.writeText = (text) => { window.told = text; return Promise.resolve(); }")
        self.click(browser, "Copy command")
        assert browser.run("return window.told") == "pytest --claims-only slt/robust-below"
        self.click(browser, "Copy BibTeX")
        assert "@misc{slt," in browser.run("return window.told")
        assert "@software{claims-harness," in browser.run("return window.told")

    def test_there_is_no_button_without_script(self, browser: Browser, page: Path) -> None:
        assert "<button" not in page.read_text(encoding="utf-8").partition('class="actions"')[2].partition("</article>")[0]
