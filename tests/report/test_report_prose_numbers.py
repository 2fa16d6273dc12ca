"""Numbers in what people write about claims: those that are a run's, and those that are not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import rows

from harness.report import prose, prose_numbers, read_run
from harness.report.prose_numbers import strange
from harness.report.prose_page import ProsePage
from harness.report.rows import complete
from harness.report.text import VERDICT_STYLES

ROOT = Path(prose.__file__).parents[2]
KEPT = ROOT / "reports" / "reference"
ROWS = {prose.slug(row): complete(row) for row in rows() if row["document"] == "slt"}
ROBUST = ROWS["robust-below"]
BARE = ROBUST | {
    "interval": None, "effect": None, "margin": None, "parts": [], "companions": [], "protocols": [], "strata": [],
    "search": None, "figure": None, "notes": [], "reason": "", "gates": [], "centre": None, "source": {},
}  # fmt: skip
FORMS = (
    "It falls by {x} ({a} to {b}) or so.", "It falls by {x} of the spike\n({a} to {b}).", "It falls by {x}, from {a} to {b}.",
    "Two of them (at 2 robust {x}, {a} to {b}; more).", "As d^{x} ({a} to {b}) and more.", "As m^({x}) ({a} to {b}).",
    "At d = 25: {x} ({a}\nto {b}), n 8.",
)  # fmt: skip


def written(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


class TestIntervals:
    @given(
        low=st.floats(-5, 5), width=st.floats(0.01, 5), at=st.floats(0, 1), digits=st.integers(0, 4), turned=st.booleans(),
        form=st.sampled_from(FORMS),
        place=st.sampled_from(["itself", "parts", "companions", "protocols", "strata", "confirmation"]),
    )  # fmt: skip
    def test_those_of_the_run_are_known_in_every_form_and_to_the_digits_that_are_written(
        self, low: float, width: float, at: float, digits: int, turned: bool, form: str, place: str
    ) -> None:
        effect, ends = low + at * width, (low, low + width)
        item = {"effect": effect, "interval": list(ends)}
        within = {"itself": item, "confirmation": {"search": {"confirmation": item}}}
        row = BARE | within.get(place, {place: [item]})
        sign = -1 if turned else 1
        told = sorted(sign * end for end in ends)
        x, a, b = (written(value, digits) for value in (sign * effect, *told))
        assert strange(form.format(x=x, a=a, b=b), [BARE, row]) == []
        far = written(effect + 50, digits)
        assert strange(form.format(x=far, a=a, b=b), [row]) == [f"{far} is not the estimate of the interval {a} to {b}"]
        c, d = written(told[0] + 20, digits), written(told[1] + 24, digits)
        assert strange(form.format(x=x, a=c, b=d), [row]) == [f"the interval {c} to {d} is none of the run’s"]

    @pytest.mark.parametrize(
        "said",
        ["from 1 at d = 10 to 160", "goes from 0 up to 1 there", "4 to 12 of its points", "the last 3 (of 8)"],
    )
    def test_ranges_are_none(self, said: str) -> None:
        assert strange(f"It {said}.", [BARE]) == []


class TestDecimals:
    @given(
        value=st.floats(-100, 100), digits=st.integers(1, 3), place=st.sampled_from(["margin", "note", "figure", "settings"])
    )
    def test_those_of_the_run_are_known(self, value: float, digits: int, place: str) -> None:
        drawn = {"x": "epoch", "y": "llc", "data": {"epoch": [1, 1, 2, 2], "llc": [value - 0.5, value + 0.5, 900.0, 902.0]}}
        row = BARE | {
            "margin": {"margin": value}, "note": {"notes": [f"It is {value:.6f}."]}, "figure": {"figure": drawn},
            "settings": {"search": {"trials": [{"settings": {"noise": value}}]}},
        }[place]  # fmt: skip
        number = written(abs(value), digits)
        assert strange(f"It is {number} there.", [row]) == []
        assert strange(f"It is {number} there.", [BARE]) == [f"the number {number} is none of the run’s"]

    def test_a_share_may_be_written_in_percent(self) -> None:
        assert strange("Of them 89.7 % do.", [BARE | {"margin": 0.8971}]) == []
        assert strange("Of them 89.7 do.", [BARE | {"margin": 0.8971}]) == ["the number 89.7 is none of the run’s"]
        assert strange("Of them 90 % do.", [BARE | {"margin": 0.8971}]) == []
        assert strange("Of them 91 % do.", [BARE | {"margin": 0.8971}]) == ["the number 91 % is none of the run’s"]

    @given(all_of=st.integers(1, 400), data=st.data(), place=st.sampled_from(["effect", "reason"]))
    def test_a_count_is_one_of_the_run_or_a_share_of_it(self, all_of: int, data: st.DataObject, place: str) -> None:
        some = data.draw(st.integers(0, all_of))
        told = {"effect": {"effect": some / all_of}, "reason": {"reason": f"So {some} of {all_of} do."}}[place]
        assert strange(f"There {some} of {all_of} do.", [BARE | told]) == []
        assert strange(f"There {some} of {all_of} do.", [BARE]) == [f"the number {some} of {all_of} is none of the run’s"]

    def test_the_extremes_of_a_figure_with_many_cells_are_not_told(self) -> None:
        """Among a thousand minima any number would be found."""
        data = {"epoch": [n // 2 for n in range(60)], "llc": [n // 2 + (0.25 if n % 2 else -0.25) for n in range(60)]}
        row = BARE | {"figure": {"x": "epoch", "y": "llc", "data": data}}
        assert strange("It is 7.0 there.", [row]) == []
        assert strange("It is 6.75 there.", [row]) == ["the number 6.75 is none of the run’s"]


class TestElsewhere:
    SAID = "It rose from 1.65 to 3.25 in pilot members.\n\n[numbers of x]: # (1.65, 3.25: pilot members)\n\nMore."

    def test_numbers_with_their_origin_are_left_out_and_only_those(self) -> None:
        assert strange(self.SAID, [BARE]) == []
        assert strange(self.SAID + " And 1.5.", [BARE]) == ["the number 1.5 is none of the run’s"]
        assert strange(self.SAID.replace("rose from 1.65", "rose"), [BARE]) == [
            "the number 1.65, said to be from elsewhere, is not in the text"
        ]

    def test_nobody_sees_the_line(self) -> None:
        html = ProsePage("slt", ROWS, VERDICT_STYLES).html(self.SAID)
        assert "pilot members.</p>" in html
        assert "numbers of" not in html


def test_numbers_of_other_runs_count_where_they_may() -> None:
    told = "## A\n\nSee 0.5 (20 to 24).\n\n### robust-below\n\nIt is 22 (20 to 24).\n\n## What was changed\n\n(60 to 64)\n"
    other = BARE | {"effect": 22.0, "interval": [20.0, 24.0]}
    only = {"robust-below": ROBUST}
    strangers = [f"{place}: the interval 20 to 24 is none of the run’s" for place in ("robust-below", "A")]
    wrong = "A: 0.5 is not the estimate of the interval 20 to 24"
    assert prose.compared(told, only)[1] == strangers
    assert prose.compared(told, only, beside=[other])[1] == [wrong]
    assert prose.compared(told, only, apart=[other])[1] == [strangers[0], wrong]


def test_a_number_of_the_findings_that_is_changed_is_told() -> None:
    """Another interval in the place of any that stands under a claim is named by a note."""
    kept, *others = (
        {row["id"]: complete(row) for row in read_run(KEPT / name / "claims.json")["rows"]} for name in (".", "fresh", "search")
    )
    moved = 0
    for key, story in prose.gathered(
        ROOT / "docs" / "findings", dict.fromkeys(row["document"] for row in kept.values())
    ).items():
        for slug, words in prose.read(story).claims.items():
            known = [run[f"{key}/{slug}"] for run in (kept, *others) if f"{key}/{slug}" in run]
            said = " ".join(words.whole.split())
            for found in re.finditer(r"(?<=\()[−\d.]+ to [−\d.]*\d(?=[;,) ])", said):
                other = f"{said[: found.start()]}170 to 180{said[found.end() :]}"
                assert "the interval 170 to 180 is none of the run’s" in strange(other, known), (key, slug, found[0])
                moved += 1
    assert moved > 60


def test_the_page_of_all_findings_has_no_interval_of_another_run() -> None:
    runs = [[complete(row) for row in read_run(KEPT / name / "claims.json")["rows"]] for name in (".", "fresh", "search")]
    words = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert strange(words, [row for run in runs for row in run], decimals=False) == []


def test_what_the_findings_say_of_fresh_seeds_is_what_these_gave() -> None:
    words = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    words = words.split("\n## Judged again on fresh seeds\n")[1].split("\n## ")[0]
    told = {row["id"]: complete(row) for row in read_run(KEPT / "fresh" / "claims.json")["rows"]}
    for id, row in told.items():
        (line,) = [part for part in words.split("\n- ") if part.startswith(f"`{id}`")]
        assert strange(line, [row]) == []


@given(st.text(st.sampled_from("0123456789.,−- ()to;^%[]:#abc\n"), max_size=80))
def test_any_text_can_be_asked(text: str) -> None:
    assert all(isinstance(each, str) for each in strange(text, [ROBUST]))


class TestForeign:
    @given(st.floats(-5, 5), st.floats(0.01, 5), st.integers(0, 4), st.booleans())
    def test_an_interval_of_the_run_is_known_to_the_digits_that_are_written(
        self, low: float, width: float, digits: int, turned: bool
    ) -> None:
        row = ROBUST | {
            "interval": [low, low + width],
            "parts": [],
            "companions": [],
            "protocols": [],
            "strata": [],
            "search": None,
        }
        ends = (-low - width, -low) if turned else (low, low + width)
        said = "(" + " to ".join(f"{end:.{digits}f}".replace("-", "−") for end in ends) + ")"
        assert prose_numbers.foreign(f"by 1 {said} or so", [row]) == []
        far = f"({20:.{digits}f} to {24 + width:.{digits}f})"
        assert prose_numbers.foreign(far, [row]) == [far[:-1]]

    def test_parts_protocols_and_strata_count_as_well(self) -> None:
        assert prose_numbers.foreign("(0.010 to 0.019), (0.0081 to 0.0161)", [ROBUST]) == []

    def test_it_is_marked_where_it_stands_even_across_lines(self) -> None:
        shown = ProsePage("slt", ROWS, VERDICT_STYLES)
        html = shown.html("It falls by 0.0118 (0.0081 to 0.0161), and elsewhere by 0.3 (0.1\nto 0.5).", [ROBUST])
        assert re.search(r"\(0\.1 to 0\.5\)<sup[^>]*>†</sup>", html)
        assert html.count("†") == 1
        assert shown.marked
