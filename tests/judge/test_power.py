"""What a study of a given size can find, held against simulation, published tables and statsmodels."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps
from statsmodels.stats.power import TTestPower

from harness import stats
from harness.judge import judge
from harness.judge.power import POWER, Terms, again, plan, plan_for, power, smallest
from harness.judge.rule import supports
from harness.predict import (
    Correlation,
    CorrelationDifference,
    NoCorrelation,
    PairedDifference,
    Proportion,
    ScalingExponent,
    Theorem,
)

MARGIN = {"margin": 0.5, "margin_reason": "half a deviation"}
DIFFERENCE = PairedDifference("llc", "regime", "standard", "robust", "seed", **MARGIN)
NONE = NoCorrelation("llc", "asr", "seed", margin=0.4, margin_reason="a medium effect")


def units(n: int) -> stats.Student:
    """A study of n units with a spread of 1."""
    return stats.Student(0.0, 1 / np.sqrt(n), n - 1)


def correlation(n: int) -> stats.Student:
    return stats.pool(np.zeros(1), np.array([n]))


# Smallest n with 90 % power, from guides on sample size that this project measured itself by; the margin at half the effect.
@pytest.mark.parametrize(("effect", "n"), [(0.8, 15), (1.0, 11), (1.5, 6), (2.0, 4)])
def test_units_that_a_difference_needs(effect: float, n: int) -> None:
    terms = Terms("above", 0, effect / 2, 0.05)
    assert power(units(n), terms, effect) >= POWER
    assert power(units(n - 1), terms, effect) < POWER


@pytest.mark.parametrize(("margin", "n"), [(1.0, 13), (0.8, 19), (0.5, 45)])
def test_units_that_an_equivalence_needs(margin: float, n: int) -> None:
    terms = Terms("within", 0, margin, 0.05)
    assert power(units(n), terms, 0) >= POWER
    assert power(units(n - 1), terms, 0) < POWER


@pytest.mark.parametrize(("margin", "n"), [(0.5, 42), (0.4, 66), (0.3, 119)])
def test_units_that_the_absence_of_a_correlation_needs(margin: float, n: int) -> None:
    prediction = NoCorrelation("llc", "asr", "seed", margin=margin, margin_reason="…")
    assert plan_for(prediction, correlation(20), 20, "seed").needed == pytest.approx(n, abs=1)


def test_it_is_statsmodels_power_of_a_t_test() -> None:
    for n, effect in ((6, 1.0), (12, 0.7), (40, 0.3)):
        reference = TTestPower().power(effect, n, 0.05, alternative="larger")
        assert power(units(n), Terms("above", 0, 1e-9, 0.05), effect) == pytest.approx(reference, abs=2e-3)


@pytest.mark.parametrize(("rule", "centre", "margin", "effect"), [
    ("above", 0.2, 0.5, 0.9), ("below", 0.0, 0.5, -0.4), ("within", -0.3, 0.9, 0.0), ("above", 0.0, 1.5, 1.0),
])  # fmt: skip
def test_it_is_the_share_of_simulated_studies_that_are_supported(rule, centre, margin, effect) -> None:
    data = np.random.default_rng(7).normal(effect, 1, (40_000, 9))
    found = supports(rule, centre, margin, *stats.stratified_mean(data).interval(0.05))
    said = power(units(9), Terms(rule, centre, margin, 0.05), effect)
    # Four standard errors of the simulation, and a thousandth for the grid over the error's distribution.
    assert said == pytest.approx(found.mean(), abs=4 * np.sqrt(found.var() / found.size) + 1e-3)


def test_a_share_is_exact() -> None:
    terms, study = Terms("above", 0.5, 0.2, 0.05), stats.Share(8, 10)
    by_hand = sum(
        sps.binom.pmf(yes, 10, 0.9) for yes in range(11) if supports("above", 0.5, 0.2, *stats.Share(yes, 10).interval(0.05))
    )
    assert power(study, terms, 0.9) == pytest.approx(by_hand)
    assert power(stats.Least((study, study)), terms, 0.9) == pytest.approx(by_hand**2)


def test_a_grid_costs_power() -> None:
    terms = Terms("within", 3, 1, 0.05)
    sharp = stats.Student(3.0, 0.3, 7)
    assert power(stats.Blurred(sharp, 0.2), terms, 3) == pytest.approx(power(sharp, Terms("within", 3, 0.8, 0.05), 3))
    assert power(stats.Blurred(sharp, 1.2), terms, 3) == 0
    upward = Terms("above", 0, 1, 0.05)
    assert power(stats.Blurred(sharp, 0.2), upward, 1.5) < power(sharp, upward, 1.5)


def test_the_smallest_effect_is_the_one_that_is_found_with_that_power() -> None:
    for rule, sign in (("above", 1), ("below", -1)):
        terms = Terms(rule, 0.1, 0.3, 0.05)
        size = smallest(units(12), terms)
        assert power(units(12), terms, 0.1 + sign * size) == pytest.approx(POWER, abs=1e-3)
    margin = smallest(units(12), Terms("within", 0, 0.3, 0.05))
    assert power(units(12), Terms("within", 0, margin, 0.05), 0) == pytest.approx(POWER, abs=1e-3)


def test_the_units_needed_are_the_fewest() -> None:
    terms = Terms("above", 0, 0.5, 0.05)
    needed = plan_for(DIFFERENCE, units(8), 8, "seed").needed
    assert power(units(needed), terms, 0.5) >= POWER > power(units(needed - 1), terms, 0.5)


def test_a_correlation_cannot_exceed_one() -> None:
    few = plan_for(Correlation("llc", "asr", "seed", sign=1, **MARGIN), correlation(5), 5, "seed")
    assert few.smallest is None or few.smallest < 1
    assert few.needed == pytest.approx(32, abs=1)  # a correlation of .5
    tiny = plan_for(Proportion("fits", "seed", 0.9, margin=0.05, margin_reason="…"), stats.Share(8, 8), 8, "seed")
    assert tiny.smallest is None
    assert "decide nothing, whatever is true" in str(tiny)


def test_every_statistical_kind_has_a_plan() -> None:
    difference = CorrelationDifference("asr", "llc", "scope", "input", "hidden", "seed", **MARGIN)
    both = stats.Overlapping(correlation(30), correlation(30), 0.2)
    assert plan_for(difference, both, 30, "seed").needed > 30
    anytime = stats.Anytime(units(16), (units(8), units(8)))
    looked, once = (plan_for(DIFFERENCE, study, 16, "seed") for study in (anytime, units(16)))
    assert looked.smallest == pytest.approx(once.smallest, rel=1e-3)
    assert looked.needed == once.needed


def test_it_reads_as_a_sentence() -> None:
    assert str(plan_for(DIFFERENCE, units(16), 16, "seed")) == (
        "With 90 % power 16 units (seed) find 0.767 or more; the smallest effect of interest, 0.5, needs 37."
    )
    assert str(plan_for(NONE, correlation(64), 64, "seed")) == (
        "With 90 % power 64 units (seed) confirm an absence within ± 0.405 or more; the margin, ± 0.4, needs 66."
    )
    slope = ScalingExponent("size", "d", "seed", -0.5, 0.1, margin_reason="…")
    text = str(plan_for(slope, stats.Student(-0.42, 0.02, 11), 12, "seed"))
    assert "confirm a value within ± 0.0703 or more of −0.5; the margin, ± 0.1, needs 7." in text
    lower = Correlation("llc", "asr", "seed", sign=-1, **MARGIN)
    assert "or less; the smallest effect of interest, −0.5, needs" in str(plan_for(lower, correlation(20), 20, "seed"))


def test_it_does_not_depend_on_what_was_found() -> None:
    """Power at the effect that was seen would repeat its p value and say nothing more."""
    table = pd.DataFrame([{"seed": i, "regime": regime, "llc": (i % 4) * (regime == "standard")}
                          for i in range(12) for regime in ("standard", "robust")])  # fmt: skip
    moved = table.assign(llc=table["llc"] + 5 * (table["regime"] == "standard"))
    here, there = (plan(DIFFERENCE, judge(DIFFERENCE, each).estimate) for each in (table, moved))
    assert str(here) == str(there)


def test_no_plan_asks_for_fewer_units_than_the_kind_admits() -> None:
    sharp = stats.Student(0.0, 0.01, 15)
    assert plan_for(DIFFERENCE, sharp, 16, "seed").needed == DIFFERENCE.fewest == 5
    strong = Correlation("llc", "asr", "seed", sign=1, margin=0.95, margin_reason="…")
    assert plan_for(strong, correlation(20), 20, "seed").needed == strong.fewest == 8


def test_another_number_of_units_is_planned_from_what_a_row_holds() -> None:
    held = plan_for(DIFFERENCE, units(16), 16, "seed").to_json()
    assert json.loads(json.dumps(held, allow_nan=False)) == held
    moved = again(held, 30)
    assert str(moved) == str(plan_for(DIFFERENCE, units(30), 30, "seed"))
    assert again(held, 1) is None
    related = plan_for(NONE, correlation(64), 64, "seed").to_json()
    assert again(related, 100).smallest < related["smallest_effect"]
    share = plan_for(Proportion("a", "seed", 0.5, margin=0.2, margin_reason="…"), stats.Share(9, 9), 9, "seed").to_json()
    assert again(share, 20) is None  # its precision follows from the number of units


def test_exact_kinds_have_none() -> None:
    theorem = judge(Theorem(5), pd.DataFrame({"examples": [9], "counterexample": [None]}))
    assert plan(theorem.prediction, theorem.estimate) is None
