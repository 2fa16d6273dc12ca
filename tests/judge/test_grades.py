"""The grade of a support: which of three sizes an effect has that is real, over rules, intervals, parts and the page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.claim import Claim
from harness.gate import Gate
from harness.judge import Outcome, judge
from harness.judge.rule import GRADES, decide, grade, joint_grade
from harness.predict import AtLeast, Conjunction, NoChange, PairedDifference
from harness.report.rows import base_row, with_verdict
from harness.source import Source

NUMBERS = st.floats(-1e3, 1e3)
TERMS = {"margin": 0.5, "margin_reason": "half a unit"}
HIGHER = PairedDifference("llc", "regime", "standard", "robust", "seed", **TERMS)
NONE = NoChange("llc", "regime", "standard", "robust", "seed", **TERMS)


def pairs(mean: float, spread: float = 0.3, n: int = 12, **columns: object) -> pd.DataFrame:
    """Paired differences with exactly this mean and spread."""
    noise = np.linspace(-1, 1, n)
    values = mean + spread * noise / noise.std(ddof=1)
    rows = pd.DataFrame({"seed": np.arange(n), **columns})
    return pd.concat([rows.assign(regime="standard", llc=values), rows.assign(regime="robust", llc=0.0)])


@given(centre=NUMBERS, margin=st.floats(1e-3, 1e3), ends=st.tuples(NUMBERS, NUMBERS), at=st.floats(0, 1))
def test_every_support_of_a_direction_has_one_grade_and_nothing_else_has(centre, margin, ends, at):
    low, high = sorted(ends)
    effect = low + at * (high - low)
    for rule in ("above", "below", "within", "exact"):
        found = grade(rule, centre, margin, effect, (low, high))
        supported = decide(rule, centre, margin, (low, high))[0] is Outcome.SUPPORTED
        assert (found is not None) == (supported and rule in ("above", "below"))
        assert found in (None, *GRADES)
    mirrored = grade("below", -centre, margin, -effect, (-high, -low))
    assert mirrored == grade("above", centre, margin, effect, (low, high))


@given(low=st.floats(0.001, 10), wide=st.floats(0, 10), margin=st.floats(1e-3, 20), less=st.floats(0.05, 1), at=st.floats(0, 1))
def test_a_smaller_margin_never_weakens_it(low, wide, margin, less, at):
    interval, effect = (low, low + wide), low + at * wide
    now, then = (grade("above", 0.0, each, effect, interval) for each in (margin, margin * less))
    assert now is None or (then is not None and GRADES.index(then) <= GRADES.index(now))


@given(grades=st.lists(st.sampled_from([None, *GRADES]), min_size=1, max_size=8), data=st.data())
def test_a_whole_has_the_grade_of_the_weakest_part_that_it_needs(grades, data):
    needed = data.draw(st.integers(1, len(grades)))
    found = joint_grade(grades, needed)
    order = [None, *GRADES]
    assert sum(order.index(each) <= order.index(found) for each in grades) >= needed
    assert sum(order.index(each) < order.index(found) for each in grades) < needed


@pytest.mark.parametrize(("mean", "found", "said"), [
    (1.0, "at least m", ": above the 0.5 that matters."),
    (0.55, "m not excluded", ": above 0, perhaps the 0.5 that matters."),
    (0.45, "probably below m", ": above 0, perhaps the 0.5 that matters, though not likely."),
])  # fmt: skip
def test_the_verdict_says_which_of_three(mean, found, said):
    verdict = judge(HIGHER, pairs(mean))
    assert verdict.outcome is Outcome.SUPPORTED
    assert verdict.grade == found == verdict.to_json()["grade"]
    assert said in verdict.reason


@pytest.mark.parametrize(("prediction", "mean"), [(HIGHER, 0.1), (HIGHER, -1.0), (HIGHER, 0.0), (NONE, 0.0), (NONE, 3.0)])
def test_no_grade_without_support_and_none_for_an_absence(prediction, mean):
    assert judge(prediction, pairs(mean)).grade is None


def test_what_forbids_a_verdict_forbids_its_grade():
    source = Source("paper", "A paper").at("I", "q")
    gate = Gate("fits", "llc", at_least=100)
    claim = Claim("paper/higher", "It is so.", source, HIGHER, gates=(gate,))
    assert judge(claim, pairs(1.0)).grade is None
    assert judge(HIGHER, pairs(1.0), scale="smoke").grade is None


def scoped(*means: float) -> tuple[pd.DataFrame, tuple[PairedDifference, ...]]:
    table = pd.concat([pairs(mean, scope=i) for i, mean in enumerate(means)])
    return table, tuple(replace(HIGHER, where={"scope": i}) for i in range(len(means)))


def test_a_conjunction_has_that_of_its_weakest_part():
    table, parts = scoped(1.0, 0.45, 0.55)
    verdict = judge(Conjunction(parts), table)
    assert (verdict.grade, [part.grade for part in verdict.parts]) == (
        "probably below m", ["at least m", "probably below m", "m not excluded"],
    )  # fmt: skip
    assert "though not likely" in verdict.reason


def test_of_most_parts_only_those_count_that_it_needs():
    table, parts = scoped(1.0, 1.1, 0.45, 0.0)
    assert judge(AtLeast(parts, count=2), table).grade == "at least m"
    assert judge(AtLeast(parts, count=3), table).grade == "probably below m"


def test_an_absence_among_the_parts_weakens_nothing():
    table = pd.concat([pairs(0.0, scope=0), pairs(1.0, scope=1)])
    parts = (replace(NONE, where={"scope": 0}), replace(HIGHER, where={"scope": 1}))
    assert judge(Conjunction(parts), table).grade == "at least m"


def test_protocols_and_companions_have_their_own():
    source = Source("paper", "A paper").at("I", "q")
    claim = Claim("paper/higher", "It is so.", source, HIGHER, protocols=("one", "two"), companions=(HIGHER,))
    verdict = judge(claim, {"one": pairs(0.45), "two": pairs(1.0)})
    row = with_verdict(base_row(claim, claim.id), verdict.to_json())
    assert [each["grade"] for each in row["protocols"]] == ["probably below m", "at least m"]
    assert row["companions"][0]["grade"] == row["grade"] == "probably below m"
