"""Places of effects and intervals on the two scales."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import voiced

from harness.report.forest import TALL, bar, in_margins, lines, margin_mark, nice_ticks, place, whole
from harness.report.part_names import part_names
from harness.report.text import bayes, severity


def item(effect: Any, interval: Any, rule: str = "above", **more: Any) -> dict[str, Any]:
    known = {
        "source": {},
        "decides": None,
        "id": "slt/a",
        "effect": effect,
        "interval": interval,
        "rule": rule,
        "centre": 0.0,
        "margin": 0.5,
    }
    return known | {"verdict": "supported", "estimand": "d", "n": 9, "strata": [], "parts": []} | more


class TestInMargins:
    def test_one_is_the_smallest_effect_of_interest(self) -> None:
        assert in_margins(item(0.5, [0.25, 1.0])) == (1.0, 0.5, 2.0)

    def test_a_prediction_below_is_turned_towards_the_prediction(self) -> None:
        assert in_margins(item(-0.5, [-1.0, -0.25], "below")) == (1.0, 0.5, 2.0)

    def test_a_value_is_measured_from_its_centre(self) -> None:
        assert in_margins(item(-1.25, [-1.5, -1.0], "within", centre=-1.0)) == (-0.5, -1.0, 0.0)

    def test_an_unbounded_end_stays_so(self) -> None:
        assert in_margins(item(-0.5, [None, -0.25], "below")) == (1.0, 0.5, math.inf)

    @pytest.mark.parametrize(
        "unknown",
        [
            {"effect": None},
            {"interval": None},
            {"interval": [None, None]},
            {"margin": None},
            {"margin": 0.0},
            {"rule": "all"},
        ],
    )
    def test_is_none_without_effect_interval_or_margin(self, unknown: dict[str, Any]) -> None:
        assert in_margins(item(0.5, [0.25, 1.0]) | unknown) is None


class TestForest:
    def test_places_rise_and_stay_inside(self) -> None:
        at = [place(margins) for margins in (-math.inf, -10, -1, 0, 1, 30, math.inf)]
        assert at == sorted(at)
        assert (at[0], at[-1]) == (place(-10), place(30))
        assert 0 < at[0] < at[-1] < 100

    def test_zero_and_one_lie_apart(self) -> None:
        assert place(1) - place(0) > 10

    def test_an_effect_beyond_the_edge_is_an_arrow(self) -> None:
        mark = margin_mark(item(100.0, [50.0, 200.0]), "supported", "far")
        assert mark is not None
        assert (mark.left, mark.right, mark.outside) == (False, True, True)

    def test_directions_and_bands_differ(self) -> None:
        marks = [margin_mark(item(0.1, [0.0, 0.2], rule), "refuted", "x") for rule in ("above", "below", "within")]
        assert [mark.band for mark in marks if mark] == [False, False, True]

    def test_a_conjunction_has_a_line_for_each_part_on_the_ground_of_its_own_prediction(self) -> None:
        parts = [item(0.5, [0.2, 0.9], prediction="one", verdict="supported", unit="seed")]
        parts.append(item(0.1, [-0.2, 0.3], "within", prediction="two", verdict="refuted", unit=None))
        drawn = lines(item(0.1, [-0.2, 0.3], "all", parts=parts, verdict="refuted", decides=1))
        assert [(line.name, line.verdict, line.decides) for line in drawn] == [
            ("One", "supported", False),
            ("Two", "refuted", True),
        ]
        assert [line.mark.band for line in drawn if line.mark] == [False, True]
        assert drawn[0].title == "one (d; unit: seed)"

    @pytest.mark.parametrize(("rule", "printed", "at"), [("above", 0.5, 1), ("below", 0.5, -1), ("within", -0.5, -1)])
    def test_the_number_of_the_document_is_a_ring_on_the_same_scale(self, rule: str, printed: float, at: float) -> None:
        mark = whole(item(0.1, [0.0, 0.2], rule, source={"number": printed}))
        assert mark is not None
        assert mark.ring == place(at)
        assert f"the document has {printed}".replace("-", "−") in mark.words
        drawn = bar(item(0.1, [0.0, 0.2], rule, source={"number": printed}))
        assert drawn is not None
        assert 0 < drawn.marks[0].ring < 100

    def test_parts_have_their_own_rings(self) -> None:
        parts = [item(0.5, [0.2, 0.9], prediction=name, verdict="supported", unit=None) for name in ("one", "two", "three")]
        row = item(
            0.5, [0.2, 0.9], "all", parts=parts, decides=2, source={"number": [None, 1.0]}, voice={"rule": "above"} | {"at": []}
        )
        assert [line.mark.ring for line in lines(row) if line.mark] == [None, place(2), None]
        assert bar(row).marks[0].ring is None
        assert 0 < bar(row | {"decides": 1}).marks[0].ring < 100

    @pytest.mark.parametrize("printed", [None, "0.5", True, [0.5], {}])
    def test_what_is_no_number_has_no_ring(self, printed: Any) -> None:
        mark = whole(item(0.1, [0.0, 0.2], source={"number": printed}))
        assert mark is not None
        assert mark.ring is None

    def test_words_hold_the_numbers(self) -> None:
        mark = margin_mark(item(-0.5, [-1.0, None]), "refuted", "x")
        assert mark is not None
        assert mark.words == "−1 margins, interval −2 to ∞"


class TestBar:
    def test_zone_begins_at_the_margin(self) -> None:
        drawn = bar(item(1.0, [0.8, 1.2]))
        assert drawn is not None
        (mark,) = drawn.marks
        assert drawn.centre < drawn.zone[0] < mark.low < mark.effect < mark.high < drawn.zone[1] == 100

    def test_zone_of_a_prediction_below_ends_at_the_margin(self) -> None:
        drawn = bar(item(-1.0, [-1.2, -0.8], "below"))
        assert drawn is not None
        assert drawn.zone[0] == 0 < drawn.zone[1] < drawn.centre

    def test_band_lies_around_the_centre(self) -> None:
        drawn = bar(item(0.0, [-0.1, 0.1], "within"))
        assert drawn is not None
        assert drawn.centre - drawn.zone[0] == pytest.approx(drawn.zone[1] - drawn.centre)

    def test_strata_follow_the_estimate_and_wide_ones_are_clipped(self) -> None:
        strata = [
            {"name": "a", "effect": 0.9, "interval": [0.7, 1.1], "n": 3},
            {"name": "b", "effect": 1.0, "interval": [-90.0, 90.0], "n": 2},
            {"name": "c", "effect": 1.0, "interval": None, "n": 1},
        ]
        drawn = bar(item(1.0, [0.8, 1.2], strata=strata))
        assert drawn is not None
        assert [(mark.name, mark.n) for mark in drawn.marks] == [("All", 9), ("a", 3), ("b", 2)]
        assert (drawn.marks[2].left, drawn.marks[2].right, drawn.marks[1].right) == (True, True, False)

    def test_is_none_where_there_is_nothing_to_draw(self) -> None:
        assert bar(item(0.0, None, "exact")) is None

    @pytest.mark.parametrize("value", [0.0, 3.0])
    def test_draws_an_interval_without_width(self, value: float) -> None:
        drawn = bar(item(value, [value, value], "within", margin=1e-12, centre=value))
        assert drawn is not None
        assert 0 <= drawn.marks[0].effect <= 100


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.5, 1]),
        (-0.03, 0.011, [-0.02, 0.0]),
        (0, 8, [0, 2, 4, 6, 8]),
        (1234, 1236, [1234, 1234.5, 1235, 1235.5, 1236]),
    ],
)
def test_nice_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert nice_ticks(low, high) == ticks


class TestSeverity:
    """The curve under a claim's own interval."""

    def curve(self, kind: str, effect: float, low: float, high: float, **more: Any) -> tuple[Any, list[tuple[float, float]]]:
        said = voiced(kind, effect, low, high, more.get("centre", 0.0), 0.3)
        made = {"rule": kind, "effect": effect, "interval": [low, high], "centre": 0.0, "margin": 0.3, "n": 18, "strata": [],
                "verdict": "supported", "estimand": "mean", "id": "slt/a"} | said | more  # fmt: skip
        drawn = bar(made)
        assert drawn is not None
        assert drawn.severity is not None
        return drawn, [tuple(map(float, corner.split(","))) for corner in drawn.severity.split(" ")]

    @settings(deadline=None)
    @given(effect=st.floats(-2, 2), half=st.floats(0.01, 2))
    def test_falls_from_edge_to_edge_for_a_direction(self, effect: float, half: float) -> None:
        _, corners = self.curve("above", effect, effect - half, effect + half)
        assert corners[0][0] <= 0
        assert corners[-1][0] >= 100
        assert [x for x, _ in corners] == sorted(x for x, _ in corners)
        assert [y for _, y in corners] == sorted(y for _, y in corners)
        assert all(1 <= y <= TALL - 1 for _, y in corners)

    @settings(deadline=None)
    @given(effect=st.floats(-2, 2), half=st.floats(0.05, 2))
    def test_has_its_level_where_the_interval_ends(self, effect: float, half: float) -> None:
        drawn, corners = self.curve("above", effect, effect - half, effect + half)
        for spot, level in ((drawn.marks[0].low, 0.95), (drawn.marks[0].effect, 0.5), (drawn.marks[0].high, 0.05)):
            at = np.interp(spot, [x for x, _ in corners], [y for _, y in corners])
            assert 1 - (at - 1) / (TALL - 2) == pytest.approx(level, abs=0.02)

    def test_of_an_absence_it_is_the_same_on_both_sides_of_the_centre(self) -> None:
        drawn, corners = self.curve("within", 0.05, -0.05, 0.15)
        middle = min(y for _, y in corners[1:-1])
        assert middle < TALL
        lowest = [x for x, y in corners if y == max(y for _, y in corners)]
        assert sum(lowest) / len(lowest) == pytest.approx(drawn.centre, abs=1)

    def test_of_several_parts_the_deciding_one_is_drawn_with_it(self) -> None:
        drawn, _ = self.curve("above", 0.2, -0.05, 0.43, rule="all")
        assert [mark.name for mark in drawn.marks] == ["Deciding part"]

    def test_a_run_that_did_not_tell_has_none(self) -> None:
        row = {"rule": "above", "effect": 1.0, "interval": [0.0, 2.0], "centre": 0.0, "margin": 0.3, "n": 18, "strata": [],
               "verdict": "supported"}  # fmt: skip
        assert bar(row | {"voice": None}).severity is None
        assert bar(row | {"rule": "all", "voice": None}) is None


@pytest.mark.parametrize(("factor", "said"), [
    (34.2, "34 for the prediction"), (1 / 12, "12 against the prediction"), (1e6, "more than 1,000,000 for the prediction"),
    (1e-6, "more than 1,000,000 against the prediction"), (1.0, "1 for the prediction"),
])  # fmt: skip
def test_a_bayes_factor_in_words(factor: float, said: str) -> None:
    assert bayes(factor) == said


@pytest.mark.parametrize(("rule", "said"), [
    ("above", "Severity 0.998 for more than 0, 0.31 for more than 0.3."),
    ("below", "Severity 0.998 for less than 0, 0.31 for less than −0.3."), ("within", "Severity 0.31 for within 0.3 of 0."),
])  # fmt: skip
def test_severity_in_words(rule: str, said: str) -> None:
    voice = {"rule": rule, "severity_null": 0.9984, "severity_margin": 0.312}
    assert severity({"voice": voice, "centre": 0.0, "margin": 0.3}) == said
    assert "above 0.999" in severity({"voice": voice | {"severity_margin": 0.9999}, "centre": 0.0, "margin": 0.3})


class TestPartNames:
    """What tells the parts of a conjunction apart."""

    def test_what_differs_names_the_parts_of_one_kind(self) -> None:
        begin, end = (
            "On average over pairs, LLC is higher in a than in b, where",
            "(for others like these); the smallest is 0.1",
        )
        said = [f"{begin} threshold = {at} and regime = {regime} {end}" for at in (2, 3) for regime in ("robust", "finetuned")]
        assert part_names(said) == [
            f"threshold = {at} and regime = {regime}" for at in (2, 3) for regime in ("robust", "finetuned")
        ]  # fmt: skip

    def test_parts_of_different_kinds_are_named_by_their_sentences(self) -> None:
        said = [
            "On average over pairs with the same k, d and seed, each k with equal weight, r is higher in a than in b "
            "(for others like these)",
            "With one fit for each seed, r scales as d to the power 0.5 ± 0.125, where k = 8",
        ]
        assert part_names(said) == ["R is higher in a than in b", "R scales as d to the power 0.5 ± 0.125, where k = 8"]

    @given(st.lists(st.text(st.sampled_from("ab =,.2()"), max_size=30), max_size=5))
    def test_every_part_has_one(self, said: list[str]) -> None:
        assert len(part_names(said)) == len(said)
