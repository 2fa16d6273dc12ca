"""The second opinion on a mean: it mirrors, it agrees with its own p, and it is never sharper than t."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sps

from harness import stats
from harness.judge import Outcome, judge
from harness.judge.caution import survives
from harness.judge.power import Terms, again, plan_for, power
from harness.predict import NoChange, PairedDifference
from harness.stats.confidence import CAUTION

TERMS = {"margin": 0.5, "margin_reason": "simulated"}
HIGHER = PairedDifference("llc", "regime", "standard", "robust", "seed", **TERMS)
SAME = NoChange("llc", "regime", "robust", "standard", "seed", **(TERMS | {"margin": 1.0}))


def pairs(differences):
    rows = pd.DataFrame({"seed": range(len(differences)), "regime": "robust", "llc": 0.0})
    return pd.concat([rows, rows.assign(regime="standard", llc=differences)])


studies = st.builds(
    lambda seed, n, power: np.random.default_rng(seed).gamma(power, size=n) - 0.5, st.integers(0, 10_000), st.integers(5, 40),
    st.floats(0.2, 20),
)  # fmt: skip


@given(studies, st.floats(0.001, 0.2))
@settings(max_examples=100, deadline=None)
def test_interval_and_p_are_one_curve_and_lie_outside_ts(values, alpha):
    mean = stats.stratified_mean(values)
    second = mean.confidence.cautious
    low, high = second.interval(alpha)
    assert (second.above(low), second.below(high)) == pytest.approx((alpha, alpha))
    plain = mean.confidence.interval(alpha)
    assert low <= plain[0] + 1e-12
    assert high >= plain[1] - 1e-12
    turned = stats.stratified_mean(-values).confidence.cautious.interval(alpha)
    assert turned == pytest.approx((-high, -low))


def test_the_lean_is_the_skewness_of_the_mean():
    values = np.random.default_rng(0).exponential(size=12)
    lean = sps.skew(values, bias=False) / np.sqrt(12)
    assert stats.stratified_mean(values).lean == pytest.approx(lean)
    drawn = stats.Drawn((np.arange(12),), np.zeros(12, dtype=int))
    found = stats.drawn_contrast(values, np.zeros(12, dtype=int), np.ones(1), drawn)
    assert found.lean == pytest.approx(lean)
    symmetric = stats.contrast(np.concatenate([values, values]), np.repeat([0, 1], 12), [-1, 1])
    assert symmetric.lean == pytest.approx(0)
    assert stats.stratified_mean([1.0, 1, 1]).lean == 0


def test_halls_transform_by_hand():
    values = np.array([1.0, 2, 3, 4, 10])
    mean = stats.stratified_mean(values)
    t, a = mean.mean / mean.error, mean.lean
    transformed = t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6
    second = mean.confidence.cautious
    assert second.below(0) == pytest.approx(min(1, sps.t.cdf(transformed, 4) / CAUTION))
    assert second.above(0) == pytest.approx(max(sps.t.sf(t, 4), sps.t.sf(transformed, 4) / CAUTION))


def test_a_long_tail_takes_back_what_t_decides():
    values = 1.1 - np.array([0.05, 0.1, 0.1, 0.2, 0.3, 0.3, 0.5, 2.2])  # one far to the left
    plain = stats.stratified_mean(values).interval(0.05)
    assert plain[0] > 0
    assert plain[1] > 0.5
    verdict = judge(HIGHER, pairs(values))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    second = stats.stratified_mean(values).confidence.cautious.interval(HIGHER.alpha)
    assert f"Allowing for skewness [{second[0]:.3g}, {second[1]:.3g}] it is open." in verdict.reason.replace("−", "-")
    assert "would decide it" in verdict.told
    assert verdict.estimate.interval == pytest.approx(plain)


@pytest.mark.parametrize("prediction", [HIGHER, SAME])
def test_the_card_always_says_what_few_units_do_not_show(prediction):
    values = 0.3 + 0.1 * np.random.default_rng(1).standard_normal(12)
    verdict = judge(prediction, pairs(values))
    assert re.search(r"what happens in fewer than 22\.1\s% of them may not have shown in 12\.", verdict.told)


def test_a_refutation_needs_it_as_well():
    values = np.array([0.05, 0.1, 0.1, 0.2, 0.3, 0.3, 0.3, 0.9]) - 0.07
    assert stats.stratified_mean(values).interval(0.05)[1] < 0.5
    verdict = judge(dataclasses.replace(HIGHER, margin=0.4), pairs(values))
    second = verdict.estimate.confidence.cautious
    assert survives(verdict.outcome, HIGHER, verdict.estimate.confidence, 0.05)
    assert (verdict.outcome is Outcome.REFUTED) == (second.interval(0.05)[1] < 0.4)


def test_the_plan_counts_with_it():
    plain, seen = stats.Student(0.0, 0.25, 15.0), stats.Student(0.0, 0.25, 15.0, lean=0.0)
    terms = Terms("above", 0.0, 0.5, 0.05)
    assert power(seen, terms, 0.8) < power(plain, terms, 0.8)
    plan = plan_for(HIGHER, seen, 16, "pair (seed)")
    moved = again(plan.to_json(), 32)
    assert moved.needed == plan.needed
    assert moved.smallest < plan.smallest


def test_a_few_levels_do_not_tell_how_skewed_they_are():
    values = np.array([0.0, 0.1, 3.0]).repeat(4) + 0.01 * np.random.default_rng(0).standard_normal(12)
    drawn = stats.Drawn((np.repeat(np.arange(3), 4),), np.zeros(12, dtype=int))
    assert stats.drawn_contrast(values, np.zeros(12, dtype=int), np.ones(1), drawn).lean == 0


@given(studies)
@settings(max_examples=25, deadline=None)
def test_looks_have_a_second_reading_that_is_one_curve_too(values):
    blocks = [stats.stratified_mean(values + shift).confidence for shift in (0.0, 0.1)]
    whole = stats.stratified_mean(np.concatenate([values, values + 0.1])).confidence
    seen = stats.Anytime(whole, blocks)
    low, high = seen.cautious.interval(0.05)
    assert (seen.cautious.above(low), seen.cautious.below(high)) == pytest.approx((0.05, 0.05))
    assert low <= seen.interval(0.05)[0]
    assert high >= seen.interval(0.05)[1]
