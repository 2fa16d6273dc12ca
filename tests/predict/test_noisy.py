"""Standard errors named in a prediction: what they change, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ClaimError
from harness.factors import Factors
from harness.judge import Outcome, judge
from harness.predict import Correlation, CorrelationDifference, NoCorrelation, NoTrend, ScalingExponent
from harness.predict.base import Unusable

WHY = "chosen for the test"
RNG = np.random.default_rng(0)


def models(seed=0, n=60, rho=0.6, noise=0.5, architectures=1):
    """Models whose LLC is measured with noise; y follows the true value."""
    rng = np.random.default_rng(seed)
    true = rng.standard_normal(n)
    return pd.DataFrame({
        "seed": np.arange(n), "architecture": np.arange(n) % architectures, "llc": true + noise * rng.standard_normal(n),
        "se": noise * rng.uniform(0.8, 1.2, n), "asr": rho * true + (1 - rho) * rng.standard_normal(n),
    })  # fmt: skip


def corr(errors=None, **more):
    return Correlation("llc", "asr", "seed", sign=1, margin=0.3, margin_reason=WHY, errors=errors or {}, **more)


def estimate(prediction, table):
    return prediction.estimate(table, rng=np.random.default_rng(1))


def test_the_effect_is_that_of_what_was_measured_and_the_card_says_both():
    table = models()
    plain, corrected = (estimate(corr(errors), table) for errors in ({}, {"llc": "se"}))
    assert corrected.effect > plain.effect
    assert corrected.p == plain.p  # whether there is any correlation is the same question
    assert "corrected for the noise of llc" in corrected.estimand
    assert f"As measured, the correlation is {plain.effect:.3f}"[:-1] in " ".join(corrected.notes)
    assert "reliability of" in " ".join(corrected.notes)
    assert not any("reliability" in note for note in plain.notes)


@given(st.integers(0, 10**6), st.sampled_from([1, 3]))
def test_units_of_measurement_do_not_matter(seed, blocks):
    table = models(seed, architectures=blocks)
    prediction = corr({"llc": "se"}, blocks="architecture" if blocks > 1 else ())
    other = table.assign(llc=table.llc * 250 + 3, se=table.se * 250)
    assert estimate(prediction, other).interval == pytest.approx(estimate(prediction, table).interval, abs=1e-6)


def test_both_variables_may_have_errors_and_neither_comes_first():
    table = models().assign(asr_se=0.1)
    errors = {"llc": "se", "asr": "asr_se"}
    one = estimate(corr(errors), table)
    two = estimate(Correlation("asr", "llc", "seed", sign=1, margin=0.3, margin_reason=WHY, errors=errors), table)
    assert one.interval == pytest.approx(two.interval, abs=1e-9)


def test_random_levels_carry_the_correction_too():
    table = models(n=96, architectures=8)
    population = Factors(("architecture", "seed"))
    unit = ("architecture", "seed")
    prediction = Correlation("llc", "asr", unit, sign=1, margin=0.3, margin_reason=WHY, errors={"llc": "se"})
    drawn = estimate(prediction.drawn_from(population), table)
    assert drawn.effect == pytest.approx(estimate(prediction, table).effect, abs=1e-6)
    assert drawn.interval[0] < drawn.effect < drawn.interval[1]


def test_a_correlation_at_the_margin_that_noise_hides_is_not_called_absent():
    parts = [models(seed, 40, 0.55, 1.0) for seed in range(4)]
    table = pd.concat(parts).assign(seed=np.arange(160))
    verdicts = [
        judge(NoCorrelation("llc", "asr", "seed", margin=0.5, margin_reason=WHY, errors=errors), table).outcome
        for errors in ({}, {"llc": "se"})
    ]
    assert verdicts[1] is not Outcome.SUPPORTED


def test_a_difference_says_what_it_assumes_and_with_errors_how_reliable_each_side_is():
    here, there = models(1, noise=0.1), models(1, noise=1.0)
    table = pd.concat([here.assign(scope="input"), there.assign(scope="hidden", asr=here.asr)])
    shared = {"unit": "seed", "margin": 0.2, "margin_reason": WHY}
    plain = estimate(CorrelationDifference("asr", "llc", "scope", "input", "hidden", **shared), table)
    found = estimate(CorrelationDifference("asr", "llc", "scope", "input", "hidden", errors={"llc": "se"}, **shared), table)
    assert "taken as measured equally well" in plain.notes[-1]
    assert "in hidden" in found.notes[-1]
    assert "reliability" in found.notes[-1]
    assert found.effect < plain.effect  # the worse measured side is no longer the smaller one for that reason


@pytest.mark.parametrize("kind", [ScalingExponent, NoTrend])
def test_a_noisy_regressor_makes_slopes_flatter_and_knows_it(kind):
    rng = np.random.default_rng(2)
    true = np.tile(np.arange(1.0, 6.0), 40)
    x = true + 0.8 * rng.standard_normal(200)
    y = 0.7 * true + 0.05 * rng.standard_normal(200)
    table = pd.DataFrame({"seed": np.repeat(np.arange(40), 5), "x": x, "se": 0.8, "y": y})
    shared = {"unit": "seed", "margin_reason": WHY}
    if kind is ScalingExponent:
        table = table.assign(x=np.exp(x), se=0.8 * np.exp(x), y=np.exp(table.y))
        shared |= {"value": 0.7, "tolerance": 0.1}
    else:
        shared |= {"per": "unit", "margin": 1.0}
    plain, noisy = (kind("y", "x", errors=each, **shared) for each in ({}, {"x": "se"}))
    flat, steep = estimate(plain, table), estimate(noisy, table)
    assert flat.interval[1] < 0.7
    assert steep.interval[0] < 0.7 < steep.interval[1]
    assert "As measured, the mean slope is" in steep.notes[-1]


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        ({"size": "se"}, "it takes them of llc and asr"),
        ({"llc": ""}, "give {column: column of its standard errors}"),
        ("se", "give {column: column of its standard errors}"),
    ],
)
def test_errors_that_name_nothing_are_refused(errors, words):
    with pytest.raises(ClaimError, match=words):
        corr(errors)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (-1.0, "below 0"),
        (np.nan, "missing or infinite"),
        (50.0, "differs by no more than its standard errors"),
    ],
)
def test_standard_errors_that_say_nothing_are_refused(values, words):
    with pytest.raises(Unusable, match=words):
        estimate(corr({"llc": "se"}), models().assign(se=values))


def test_a_missing_column_of_errors_is_named():
    with pytest.raises(ClaimError, match="lacks se"):
        estimate(corr({"llc": "se"}), models().drop(columns="se"))


def test_declared_errors_are_part_of_what_was_fixed():
    assert "errors" not in corr().describe()
    assert corr({"llc": "se"}).describe()["errors"] == {"llc": "se"}


@given(st.integers(0, 10**6), st.integers(2, 6))
def test_ties_are_no_noise(seed, levels):
    """Standard errors of 0 change nothing, however few values there are; they read as a reliability of .89."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, levels, 60)
    table = pd.DataFrame({"seed": np.arange(60), "llc": x, "asr": x + rng.standard_normal(60), "se": 0.0})
    plain, exact = (estimate(corr(errors), table) for errors in ({}, {"llc": "se"}))
    assert exact.effect == pytest.approx(plain.effect, abs=1e-7)
    assert exact.interval == pytest.approx(plain.interval, abs=1e-7)


def test_more_correlation_than_the_errors_leave_possible_is_no_certainty():
    x = np.random.default_rng(0).standard_normal(24)
    table = pd.DataFrame({"seed": np.arange(24), "llc": x, "asr": x, "se": 0.5})
    verdict = judge(corr({"llc": "se", "asr": "se"}), table)
    assert verdict.outcome is Outcome.INVALID
    assert "more closely than their standard errors (se) leave possible" in verdict.told
    json.dumps(verdict.to_json())


@pytest.mark.parametrize("errors", [{}, {"llc": "se"}])
def test_an_interval_holds_its_estimate_up_to_a_perfect_ranking(errors):
    x = np.random.default_rng(0).standard_normal(24)
    table = pd.DataFrame({"seed": np.arange(24), "llc": x, "asr": x, "se": 1e-9})
    verdict = judge(corr(errors), table)
    low, high = verdict.estimate.interval
    assert low <= verdict.estimate.effect <= high
    json.dumps(verdict.to_json())


@pytest.mark.parametrize("kind", [ScalingExponent, NoTrend])
def test_a_regressor_that_units_share_is_one_draw_of_noise(kind):
    """Its noise erred in 44 % of studies at the limit; measured for each unit it does not."""
    rng = np.random.default_rng(0)
    x = np.exp(np.arange(5.0) + 0.3 * rng.standard_normal(5))
    table = pd.DataFrame({"seed": np.repeat(np.arange(8), 5), "x": np.tile(x, 8), "se": 0.3 * np.tile(x, 8)})
    table["y"] = table.x * np.exp(0.1 * rng.standard_normal(40))
    terms = {"value": 1.0, "tolerance": 0.3} if kind is ScalingExponent else {"margin": 1.0}
    prediction = kind("y", "x", "seed", margin_reason=WHY, errors={"x": "se"}, **terms)
    with pytest.raises(Unusable, match="units share the measurements of x"):
        estimate(prediction, table)
    exact = kind("y", "x", "seed", margin_reason=WHY, errors={"x": "se"}, **terms)
    assert estimate(exact, table.assign(se=0.0)).n == 8  # known exactly, it may be shared


def test_a_column_is_not_its_own_error():
    with pytest.raises(ClaimError, match="llc as its own standard error"):
        corr({"llc": "llc"})
