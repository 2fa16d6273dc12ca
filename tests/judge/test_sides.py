"""P of both sides of a verdict: read off the curve that decides, they say what the interval says, at every alpha."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.judge import Outcome, judge
from harness.judge.caution import Sides, joint_sides, sides
from harness.judge.power import Terms, least_units, surviving
from harness.judge.ruling import _firm
from harness.predict import (
    AtLeast,
    Conjunction,
    Correlation,
    CorrelationDifference,
    NoChange,
    NoCorrelation,
    Ordering,
    PairedDifference,
    Proportion,
    ScalingExponent,
    Theorem,
)
from harness.report import adjust, base_row
from harness.report.rows import with_verdict
from harness.stats import Share, Student, holm

TERMS = {"margin": 0.4, "margin_reason": "simulated"}
KINDS = {
    "paired": PairedDifference("y", "regime", "b", "a", "seed", **TERMS),
    "unchanged": NoChange("y", "regime", "b", "a", "seed", **TERMS),
    "correlation": Correlation("x", "y", "seed", sign=1, where={"regime": "a"}, **TERMS),
    "negative": Correlation("x", "y", "seed", sign=-1, where={"regime": "a"}, **TERMS),
    "uncorrelated": NoCorrelation("x", "y", "seed", where={"regime": "a"}, **TERMS),
    "apart": CorrelationDifference("w", "y", "regime", "b", "a", "seed", **TERMS),
    "share": Proportion("y", "seed", 0.3, above=0.0, where={"regime": "a"}, **TERMS),
    "every": Proportion("y", "seed", 0.3, "regime", above=0.0, **TERMS),
    "ordering": Ordering("y", "dose", (0, 1, 2), "seed", **TERMS),
    "exponent": ScalingExponent("p", "dose1", "seed", value=0.2, tolerance=0.4, margin_reason="simulated"),
}


def table(seed: int, n: int, shift: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((2, n))
    rows = [
        pd.DataFrame({"seed": np.arange(n), "regime": regime, "dose": dose, "dose1": dose + 1.0, "x": x, "w": w,
                      "y": shift * (regime == "b") + shift * dose / 2 + shift * x + rng.standard_normal(n) + shift})
        for regime in ("a", "b") for dose in (0, 1, 2)
    ]  # fmt: skip
    return pd.concat(rows).assign(p=lambda each: np.exp(each["y"]))


def read(kind: str, data: pd.DataFrame) -> pd.DataFrame:
    if kind == "ordering" or kind == "exponent":
        return data[data["regime"] == "a"]
    return data[data["dose"] == 0]


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(8, 40), shift=st.floats(-1.5, 1.5), share=st.floats(0.05, 1))
def test_each_is_at_most_alpha_where_the_interval_decides(kind, seed, n, shift, share):
    prediction = KINDS[kind]
    verdict = judge(prediction, read(kind, table(seed, n, shift)))
    assume(verdict.sides is not None)
    alpha = prediction.alpha * share
    assume(min(abs(verdict.sides.support - alpha), abs(verdict.sides.refute - alpha)) > 1e-6)
    low, high = verdict.estimate.confidence.interval(alpha)
    strict = judge(replace(prediction, alpha=alpha), read(kind, table(seed, n, shift)))
    assert (strict.outcome is Outcome.REFUTED) == (verdict.sides.refute <= alpha)
    if strict.outcome is Outcome.SUPPORTED:
        assert verdict.sides.support <= alpha
    if verdict.sides.support <= alpha and prediction.rule == "above":
        assert low > prediction.centre
        assert (strict.outcome is Outcome.SUPPORTED) == (high >= prediction.centre + prediction.margin)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(8, 40), family=st.integers(1, 1000))
def test_the_level_of_one_claim_of_many_is_alpha_over_their_number(seed, n, family):
    """Computed back from the interval; it fades elsewhere: findings/deepsig_bonferroni_fades_with_more_comparisons.sh"""
    data = read("paired", table(seed, n, 0.5))
    difference = data[data["regime"] == "b"]["y"].to_numpy() - data[data["regime"] == "a"]["y"].to_numpy()
    low, high = judge(KINDS["paired"], data, share=1 / family).estimate.interval
    reach = (high - low) / 2 / scipy.stats.sem(difference)
    assert scipy.stats.t.sf(reach, n - 1) == pytest.approx(0.05 / family, rel=1e-6)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), shift=st.floats(-1, 2), count=st.integers(1, 3))
def test_those_of_a_whole_say_what_its_parts_say_at_their_shares(seed, shift, count):
    data = table(seed, 14, shift)
    parts = tuple(replace(KINDS["paired"], where={"dose": dose}, margin=1e-9) for dose in (0, 1, 2))
    whole = Conjunction(parts) if count == 3 else AtLeast(parts, count=count)
    verdict = judge(whole, data)
    assert verdict.sides == joint_sides(whole, [part.sides for part in verdict.parts])
    firm = [_firm(part, whole.support_share) for part in verdict.parts]
    assert (verdict.sides.support <= 0.05) == (firm.count(Outcome.SUPPORTED) >= whole.needed)
    assert (verdict.sides.refute <= 0.05) == (verdict.outcome is Outcome.REFUTED)


def test_an_exact_part_has_no_error_and_an_exact_claim_no_p():
    exact = Theorem(10)
    row = judge(exact, pd.DataFrame({"examples": [10], "counterexample": [None]})).to_json()
    assert row["p_support"] is row["p_refute"] is None
    assert joint_sides(Conjunction((exact, KINDS["paired"])), [Sides(0.0, 1.0), Sides(0.01, 0.9)]) == Sides(0.01, 1.0)
    assert joint_sides(Conjunction((exact, KINDS["paired"])), [Sides(1.0, 0.0), Sides(0.01, 0.9)]) == Sides(1.0, 0.0)
    assert joint_sides(Conjunction((exact, KINDS["paired"])), [None, Sides(0.01, 0.9)]) is None


def test_the_second_test_of_a_kind_counts_for_its_support():
    data = read("ordering", table(1, 12, 1.0))
    seen = KINDS["ordering"].estimate(data, rng=np.random.default_rng(0))
    curve = float(seen.confidence.above(0.0))
    assert sides(KINDS["ordering"], seen).support == max(curve, seen.second_p)
    assert sides(KINDS["ordering"], replace(seen, second_p=0.4)).support == 0.4


def test_eight_pairs_can_survive_thirteen_claims():
    """The sign-flip p of eight pairs is 1/256 at least, 13 of which are .0508; the interval has no such floor."""
    noise = np.linspace(-1, 1, 8)
    made = []
    for i in range(13):
        values = (3.0 if i == 0 else 0.05 * (-1) ** i) + 0.5 * noise
        rows = pd.DataFrame({"seed": range(8)})
        data = pd.concat([rows.assign(regime="b", y=values), rows.assign(regime="a", y=0.0)])
        row = base_row(ValueError(), f"paper/c{i}")
        made.append(with_verdict(row, judge(KINDS["paired"], data).to_json()))
    assert made[0]["p"] == 1 / 256
    assert holm([row["p"] for row in made])[0] > 0.05
    adjusted = adjust(made)
    assert adjusted[0]["survives"]
    assert adjusted[0]["p_adjusted"] < 0.001


def test_just_true_claims_are_refuted_after_adjustment_in_alpha_of_documents():
    """Twenty claims at their margins: some is refuted in 1 - .95^20 = 64 % of documents, adjusted in 5 %."""
    rng = np.random.default_rng(20)
    values = 0.4 + rng.standard_normal((2_000, 20, 10))
    curve = Student(values.mean(-1), values.std(-1, ddof=1) / np.sqrt(10), 9.0)
    ps = curve.below(0.4)
    assert (ps <= 0.05).any(axis=1).mean() == pytest.approx(0.64, abs=0.04)
    any_left = np.mean([min(holm(list(each))) <= 0.05 for each in ps])
    assert any_left <= 0.065


@settings(deadline=None)
@given(d=st.floats(0.3, 3), family=st.integers(2, 60), rule=st.sampled_from(["above", "below", "within"]))
def test_the_units_that_survive_are_as_many_as_the_strict_level_needs(d, family, rule):
    study, terms = Student(0.0, 1 / np.sqrt(10), 9.0), Terms(rule, 0.0, d, 0.05)
    units = surviving(terms, study, 10, family, 5)
    alone = surviving(terms, study, 10, 1, 5)
    assert units >= alone
    assert units >= surviving(terms, study, 10, family - 1, 5)


@given(share=st.floats(0.05, 0.95), family=st.integers(1, 60))
def test_fewer_units_than_the_least_never_survive(share, family):
    least = least_units(Share(5, 5), Terms("above", share, 0.04, 0.05), family)
    for n, can in ((least, True), (least - 1, False)):
        if n and abs(share**n * family - 0.05) > 1e-9:
            assert (float(Share(n, n).above(share)) * family <= 0.05) == can
    assert least_units(Student(0.0, 1.0, 5.0), Terms("above", 0.0, 1.0, 0.05), family) is None
