"""At which margins a verdict flips: the same as what the judge says at every margin."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from report_samples import rows

from harness.judge.rule import decide
from harness.report.flips import flips, joint, outcome, pieces

NUMBERS = st.floats(-1e6, 1e6)
GRID = st.integers(-64, 64).map(lambda number: number / 16)  # sums and differences of these are exact
RULES = st.sampled_from(["above", "below", "within"])


@given(RULES, NUMBERS, st.tuples(NUMBERS, NUMBERS).map(sorted), st.floats(1e-9, 4e6))
@example("above", 0.0, [-1.0, -0.5], 0.2)
@example("within", 0.0, [0.3, 0.5], 0.1)
def test_every_margin_has_the_outcome_that_the_judge_gives_it(
    rule: Any, centre: float, ends: list[float], margin: float
) -> None:
    found = pieces(rule, centre, ends)
    near = any(math.isclose(margin, piece.start, rel_tol=1e-6, abs_tol=1e-6 * (1 + abs(centre))) for piece in found)
    tie = any(abs(abs(end - centre) - margin) <= 1e-9 * (1 + abs(centre) + abs(end)) for end in ends)
    if not (near or tie):
        assert outcome(found, margin) == decide(rule, centre, margin, (ends[0], ends[1]))[0]


@given(RULES, GRID, st.tuples(GRID, GRID).map(sorted), GRID.map(abs))
def test_at_the_flip_itself_too(rule: Any, centre: float, ends: list[float], margin: float) -> None:
    found = pieces(rule, centre, ends)
    for at in (margin, *(piece.start for piece in found)):
        assert outcome(found, at) == decide(rule, centre, at, (ends[0], ends[1]))[0]


@given(RULES, GRID, st.tuples(GRID, GRID).map(sorted))
def test_pieces_begin_at_nothing_and_each_is_a_change(rule: Any, centre: float, ends: list[float]) -> None:
    found = pieces(rule, centre, ends)
    assert found[0].start == 0
    assert [piece.start for piece in found] == sorted({piece.start for piece in found})
    for before, piece in itertools.pairwise(found):
        assert (piece.at, piece.after) != (before.after, before.after)


@pytest.mark.parametrize("side", [0, 1])
def test_an_unbounded_end_is_never_reached(side: int) -> None:
    ends: list[float | None] = [0.5, 0.5]
    ends[side] = None
    assert all(math.isfinite(piece.start) for piece in pieces("above", 0.0, ends))


def test_a_card_says_it_in_words() -> None:
    row = next(row for row in rows() if row["id"] == "slt/robust-below")
    found = flips(row)
    assert found is not None
    assert found["said"] == "With this interval, up to a margin of 0.0161 it is supported, beyond that refuted (negligible)."
    assert found["pieces"] == [[0.0, "supported", "supported"], [0.0161, "supported", "refuted"]]
    assert found["far"] > 0.0161


@pytest.mark.parametrize(
    "change", [{"rule": "exact"}, {"interval": None}, {"margin": None}, {"verdict": "invalid"}, {"rule": "all"}]
)
def test_where_the_interval_does_not_decide_nothing_is_said(change: dict[str, Any]) -> None:
    row = next(row for row in rows() if row["id"] == "slt/robust-below")
    assert flips(row | change) is None


MARGINS = st.sampled_from([0.25, 0.5, 1.0, 3.0])
PARTS = st.lists(st.tuples(RULES, GRID, st.tuples(GRID, GRID).map(sorted), MARGINS), min_size=1, max_size=4)


@given(PARTS, st.integers(0, 400).map(lambda number: number / 16))
def test_a_whole_is_supported_at_a_factor_just_where_the_judge_supports_all_its_parts(parts: Any, factor: float) -> None:
    found = joint([pieces(rule, centre, ends) for rule, centre, ends, _ in parts], [margin for *_, margin in parts])
    starts = [start for start, *_ in found]
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    for at in (factor, *(start for start in starts if (start * 64).is_integer())):
        start, exactly, after = [piece for piece in found if piece[0] <= at][-1]
        said = exactly if at == start else after
        held = [decide(rule, centre, at * margin, (ends[0], ends[1]))[0] == "supported" for rule, centre, ends, margin in parts]
        assert (said == "supported") == all(held)


def conjunction(**changed: Any) -> dict[str, Any]:
    one = next(row for row in rows() if row["id"] == "slt/robust-below")
    parts = [one | {"parts": []}, one | {"parts": [], "interval": [0.006, 0.0081]}]
    counts = {"supporting": 2, "refuting": 0, "needed": 2}
    return one | {"rule": "all", "verdict": "supported", "parts": parts, "counts": counts} | changed


def test_a_conjunction_flips_where_its_first_part_does() -> None:
    found = flips(conjunction())
    assert found is not None
    assert found["said"] == (
        "With these intervals, up to 1.62 times the margins that were fixed it is supported, beyond that not supported."
    )
    assert found["pieces"] == [[0.0, "supported", "supported"], [pytest.approx(1.62), "supported", "not supported"]]


@pytest.mark.parametrize(
    "changed",
    [{"verdict": "inconclusive"}, {"counts": None}, {"parts": []}],
)
def test_a_conjunction_that_is_not_what_its_intervals_say_has_no_slider(changed: dict[str, Any]) -> None:
    assert flips(conjunction(**changed)) is None


def test_a_part_that_another_opinion_decides_leaves_the_whole_without_one() -> None:
    whole = conjunction()
    whole["parts"][1] |= {"verdict": "inconclusive"}
    assert flips(whole) is None
