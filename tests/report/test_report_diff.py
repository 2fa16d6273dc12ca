"""Two runs compared."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import claim_of, figures, part, recipe

from harness.report import ReportError, assemble, base_row, compare, figure_from_evidence, merge, write_reports
from harness.report.diff_views import headline, report_beside, to_html, to_text

Run = dict[str, Any]
FACTS = {"started": "2026-03-01T00:00:00+00:00", "commit": "aaa", "dirty": False, "torch": "2.13.0", "code": {"harness": "h1"}}


def row(name: str, effect: float = 1.0, half: float = 0.3, **more: Any) -> dict[str, Any]:
    """A row that rests on the seeds 0 to 9 of one recipe."""
    claim = base_row(claim_of(f"slt/{name}"), f"slt/{name}")
    told = {"verdict": "supported", "reason": "So.", "effect": effect, "interval": [effect - half, effect + half], "n": 10}
    return claim | told | {"estimand": "mean", "unit": "seed", "recipes": [recipe("standard", "a1")]} | more


def run_of(*rows: dict[str, Any], scale: str = "reduced", device: str = "cpu", **facts: Any) -> Run:
    return assemble(rows, scale=scale, device=device, provenance=FACTS | facts)


def reseeded(given: dict[str, Any], effect: float, **more: Any) -> dict[str, Any]:
    """The same claim with networks of other seeds, and so another effect."""
    moved = effect - given["effect"]
    fresh = [each | {"seeds": list(range(100, 110))} for each in given["recipes"]]
    return given | {"recipes": fresh, "effect": effect, "interval": [end + moved for end in given["interval"]]} | more


class TestCompare:
    def test_a_run_does_not_differ_from_itself(self, run: Run) -> None:
        run["provenance"]["dirty"] = False
        found = compare(run, copy.deepcopy(run))
        assert not found.demonstrable
        assert (found.flips, found.shifts, found.moved, found.causes) == ([], [], [], ())
        assert len(found.changes) == len(run["rows"])

    def test_flips_between_support_and_refutation_come_first_and_errors_last(self) -> None:
        before = [row("d", verdict="error"), row("c"), row("b"), row("a")]
        after = [row("d"), row("c", verdict="inconclusive"), row("b", verdict="refuted"), row("a", label="reversed")]
        assert [change.id for change in compare(run_of(*before), run_of(*after)).flips] == ["slt/b", "slt/c", "slt/a", "slt/d"]

    def test_another_grade_of_the_same_verdict_is_told_where_both_runs_have_one(self) -> None:
        graded = [row("a", grade="at least m"), row("b", grade="at least m"), row("c", grade="m not excluded")]
        after = [row("a", grade="probably below m"), row("b"), row("c", grade="m not excluded")]
        found = compare(run_of(*graded), run_of(*after))
        assert [change.id for change in found.flips] == ["slt/a"]
        assert "✓ Supported, at least m → ✓ Supported, probably below m  slt/a" in to_text(found)
        assert '<span class="label"> · probably too small</span>' in to_html(found)

    def test_an_independent_run_within_chance_shows_no_difference(self) -> None:
        found = compare(run_of(row("a")), run_of(reseeded(row("a"), 1.4)))
        assert not found.demonstrable
        assert [change.id for change in found.compared] == ["slt/a"]
        assert "No demonstrable difference" in headline(found)

    def test_a_shift_beyond_the_prediction_interval_is_told(self) -> None:
        found = compare(run_of(row("a"), row("b")), run_of(reseeded(row("a"), 1.5), reseeded(row("b"), 4.0)))
        assert [change.id for change in found.shifts] == ["slt/b", "slt/a"]
        assert [change.shift.demonstrable for change in found.shifts if change.shift] == [True, False]
        assert found.by_chance == pytest.approx(0.2)
        assert found.demonstrable

    def test_as_many_shifts_as_chance_makes_demonstrate_nothing(self) -> None:
        names = [f"c{index}" for index in range(10)]
        after = [reseeded(row(name), 1.45 if name == "c0" else 1.0) for name in names]
        found = compare(run_of(*map(row, names)), run_of(*after))
        assert [change.id for change in found.shifts] == ["slt/c0"]
        assert not found.demonstrable
        assert headline(found) == (
            "1 effect lies beyond the prediction interval (about 1.0 of 10 would by chance; 0 after Holm’s adjustment). "
            "No demonstrable difference between the two runs."
        )

    def test_the_same_networks_with_other_numbers_are_a_difference_however_small(self) -> None:
        found = compare(run_of(row("a"), row("b")), run_of(row("a", 1.001), row("b", 1.2)))
        assert [change.id for change in found.moved] == ["slt/b", "slt/a"]
        assert found.shifts == found.compared == []
        assert found.demonstrable

    @pytest.mark.parametrize(
        ("old", "new", "why"),
        [
            (row("a"), reseeded(row("a"), 1.0, estimand="median"), "another estimand"),
            (row("a"), row("a", verdict="invalid"), "invalid in the new run"),
            (row("a", verdict="error"), row("a", verdict="error"), "error in both runs"),
            (row("a"), row("a") | {"effect": None}, "no estimate"),
            (row("a"), reseeded(row("a"), 2.0) | {"interval": None}, "no interval"),
        ],
    )
    def test_effects_that_say_nothing_of_each_other_are_not_compared(self, old: Any, new: Any, why: str) -> None:
        (change,) = compare(run_of(old), run_of(new)).incomparable
        assert (change.incomparable, change.shift) == (why, None)

    def test_claims_of_one_run_alone_are_named(self) -> None:
        found = compare(run_of(row("a"), row("b")), run_of(row("b"), row("c")))
        assert (found.appeared, found.vanished) == (("slt/c",), ("slt/a",))

    def test_nothing_in_common_is_said(self) -> None:
        assert "no claim in common" in headline(compare(run_of(row("a")), run_of(row("b"))))

    def test_refuses_what_is_no_run(self) -> None:
        with pytest.raises(ReportError, match="the old run is not a run of claims"):
            compare({}, run_of(row("a")))


class TestCauses:
    @given(st.lists(st.integers(0, 9), min_size=12, max_size=12), st.sets(st.integers(0, 11), min_size=1, max_size=3))
    def test_of_a_long_list_of_settings_only_those_that_differ_are_told(self, values: list[int], moved: set[int]) -> None:
        before = [f"setting_{place}={value}" for place, value in enumerate(values)]
        after = [f"setting_{place}={value + (place in moved) * 10}" for place, value in enumerate(values)]
        old, new = (row("a") | {"settings": {"sampler": f"Spec({', '.join(each)})"}} for each in (before, after))
        told = self.of(run_of(old), run_of(new))["settings"]
        assert {int(place) for place in re.findall(r"setting_(\d+)=", told)} == moved
        assert all(f"setting_{place}={values[place] + 10}" in told.partition(" → ")[2] for place in moved)

    def test_a_run_without_a_commit_says_so_in_full(self) -> None:
        run = run_of(row("a"))
        old = run | {"provenance": run["provenance"] | {"commit": None}}
        assert "commit unknown," in to_text(compare(old, run))

    def of(self, old: Run, new: Run) -> dict[str, str]:
        found = compare(old, new)
        return {cause.what: cause.detail for cause in (*found.causes, *found.changes[0].causes)}

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            (lambda run: run["provenance"].update(code={"harness": "h2"}, commit="bbb"),
             {"code": "harness h1 → h2 (commit aaa → bbb)"}),
            (lambda run: run["provenance"].update(commit="bbb"), {}),  # a commit that changes no code, as the digest tells
            (lambda run: run["provenance"].update(torch="2.14.0"), {"environment": "torch 2.13.0 → 2.14.0"}),
            (lambda run: run.update(device="cuda"), {"environment": "device cpu → cuda"}),
            (lambda run: run.update(scale="full"), {"scale": "reduced → full"}),
            (lambda run: run["rows"][0].update(digest="d2", margin=0.2), {"claim": r"margin 0.005 → 0.2 \(digest \w+ → d2\)"}),
            (lambda run: run["rows"][0].update(digest="d2"), {"claim": r"source, gates or protocols \(digest \w+ → d2\)"}),
            (lambda run: run["rows"][0]["recipes"][0].update(seeds=[1, 2]),
             {"population": "slt standard: seeds 0–9 → 1–2"}),
            (lambda run: run["rows"][0]["recipes"][0].update(digest="b2"), {"population": "slt standard: digest a1 → b2"}),
            (lambda run: run["rows"][0]["recipes"].append(recipe("robust", "c3")), {"population": "slt robust only in new"}),
            (lambda run: run["rows"][0].update(settings={"chains": 8}), {"settings": "chains — → 8"}),
        ],
    )  # fmt: skip
    def test_are_named_by_digest(self, change: Callable[[Run], None], expected: dict[str, str]) -> None:
        old = run_of(row("a"))
        new = copy.deepcopy(old)
        change(new)
        found = self.of(old, new)
        assert found.keys() == expected.keys()
        assert all(found[what] == detail or re.fullmatch(detail, found[what]) for what, detail in expected.items())

    def test_without_a_digest_of_code_the_commit_tells(self) -> None:
        old, new = run_of(row("a"), code=None), run_of(row("a"), code=None, commit="bbb")
        assert self.of(old, new) == {"code": "commit aaa → bbb"}
        assert self.of(old, run_of(row("a"), code=None, dirty=True)) == {"code": "uncommitted changes"}

    def test_of_a_merged_run_are_those_of_the_run_that_gave_the_row(self) -> None:
        first, second = run_of(row("a"), torch="2.12.0"), run_of(row("b"), started="2026-03-02T00:00:00+00:00")
        found = compare(merge([first, second]), run_of(row("a"), row("b")))
        assert found.causes == ()
        assert [[cause.detail for cause in change.causes] for change in found.changes] == [["torch 2.12.0 → 2.13.0"], []]

    def test_two_recipes_of_one_name_are_kept_apart(self) -> None:
        twice = {"recipes": [recipe("standard", "a1"), recipe("standard", "a2")]}
        other = {"recipes": [recipe("standard", "a1"), recipe("standard", "a3")]}
        assert self.of(run_of(row("a", **twice)), run_of(row("a", **other))) == {
            "population": "slt standard (2): digest a2 → a3"
        }


@pytest.fixture
def eventful() -> tuple[Run, Run]:
    old = run_of(row("flip"), row("shift"), row("moved"), row("same"), row("near"), row("gone"), row("broken", verdict="error"))
    new = run_of(
        row("flip", verdict="refuted"), reseeded(row("shift"), 3.0), row("moved", 1.1), row("same"),
        reseeded(row("near"), 1.1), row("broken", verdict="error"), row("fresh"), commit="bbb", code={"harness": "h2"},
    )  # fmt: skip
    return old, new


class TestViews:
    def test_text_tells_the_weightiest_first(self, eventful: tuple[Run, Run]) -> None:
        text = to_text(compare(*eventful))
        assert (
            "1 verdict differs (1 without a demonstrable difference of effects); 1 effect lies beyond the prediction interval "
            "(about 0.2 of 2 would by chance; 1 after Holm’s adjustment); 1 claim has other numbers from the same networks."
        ) in text
        order = ["Verdicts that differ", "✓ Supported → ✗ Refuted  slt/flip", "Effects beyond their prediction interval",
                 "slt/shift", "Other numbers from the same networks", "slt/moved", "1 equal to the last digit: slt/same",
                 "1 no demonstrable difference: slt/near", "1 not compared (error in both runs): slt/broken",
                 "1 only in the new run: slt/fresh", "1 only in the old run: slt/gone"]  # fmt: skip
        places = [text.index(words) for words in order]
        assert places == sorted(places)
        assert "cause: population: slt standard: seeds 0–9 → 100–109; code (above)" in text

    def test_without_a_cause_that_is_said(self) -> None:
        text = to_text(compare(run_of(row("a")), run_of(row("a", 1.1))))
        assert "cause: none found: code, claim, networks, settings and environment are the same" in text

    def test_the_page_is_one_file_with_the_same_words(self, eventful: tuple[Run, Run]) -> None:
        found = compare(*eventful)
        page = to_html(found)
        assert headline(found) in page
        assert "<script" not in page
        assert "default-src 'none'" in page
        assert to_html(compare(*eventful)) == page
        for name in ("flip", "shift", "moved", "same", "near", "gone", "fresh"):
            assert page.count(f">slt/{name}<") == 1
        assert all(drawing.startswith("<svg") and "<title>" in drawing and "<desc>" in drawing
                   for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL))  # fmt: skip

    def test_the_page_escapes_whatever_it_is_given(self, eventful: tuple[Run, Run]) -> None:
        old, new = eventful
        hostile = "<script>alert(1)</script>"
        new["rows"][0] |= {"statement": hostile, "settings": {hostile: hostile}}
        new["provenance"]["torch"] = hostile
        assert "<script" not in to_html(compare(old, new))

    def test_other_scales_are_a_warning(self) -> None:
        page = to_html(compare(run_of(row("a")), run_of(row("a"), scale="full")))
        assert "networks of different sizes" in page


class TestPage:
    def both(self, old: dict[str, Any], new: dict[str, Any]) -> str:
        changed = {"verdict": "refuted", "effect": -1.0, "interval": [-1.3, -0.7]}
        return to_html(compare(run_of(row("a", **old)), run_of(row("a", **new) | changed)), "../old/claims.html", "claims.html")

    def test_a_conjunction_is_shown_part_by_part(self) -> None:
        before = [part("ρ above 0 in one", "supported", 0.6, 0.4, 0.8), part("gone", "supported", 0.6, 0.4, 0.8)]
        after = [part("ρ above 0 in one", "refuted", -0.6, -0.8, -0.4), part("fresh", "supported", 0.5, 0.4, 0.6)]
        page = self.both({"rule": "all", "parts": before}, {"rule": "all", "parts": after})
        said = re.findall(r'<tr class="part">.*?colspan="6">(.*?)</th>(.*?)(?=<tr class="(?:part|told)">)', page, re.DOTALL)
        assert [name for name, _ in said] == ["ρ above 0 in one", "fresh", "gone"]
        shown = [re.findall(r'<th scope="row">(\w+)</th><td>.*?badge v-(\w+)', lines, re.DOTALL) for _, lines in said]
        assert shown == [[("old", "supported"), ("new", "refuted")], [("new", "supported")], [("old", "supported")]]
        assert all("<svg" in lines for _, lines in said)

    def test_ids_lead_to_the_cards_of_both_reports(self) -> None:
        page = self.both({}, {})
        links = set(re.findall(r'href="([^"]+)"', page))
        assert {"../old/claims.html#claim/slt/a", "claims.html#claim/slt/a"} <= links

    def test_figures_stand_side_by_side_and_one_that_is_the_same_once(self) -> None:
        figure = figure_from_evidence(figures()["paired"])
        other = figure | {"data": figure["data"] | {"llc": [2 * value for value in figure["data"]["llc"]]}}
        page = self.both({"figure": figure}, {"figure": other})
        assert re.findall(r'<figcaption class="quiet">(.*?)</figcaption>', page) == ["Old run", "New run"]
        ids = re.findall(r'id="(d0[^"]*)"', page)
        assert len(set(ids)) == len(ids) >= 4
        assert self.both({"figure": figure}, {"figure": figure}).count('class="figure"') == 1

    def test_a_figure_that_cannot_be_drawn_costs_no_page(self) -> None:
        assert "slt/a" in self.both({"figure": {"kind": "pie"}}, {"figure": None})

    def test_the_report_beside_a_run_is_found(self, tmp_path: Path) -> None:
        files = write_reports(run_of(row("a")), tmp_path / "one run")
        address = report_beside(files["claims.json"], tmp_path / "pages")
        assert address == "../one%20run/claims.html"
        os.remove(files["claims.html"])
        assert report_beside(files["claims.json"], tmp_path / "pages") is None
