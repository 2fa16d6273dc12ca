"""The second voice: Bayes factors against another library's numbers and their own integrals, severity as the p curve."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy import stats as sps
from test_sides import KINDS, read, table

from harness import stats
from harness.judge import judge
from harness.judge.voice import LEVELS, voice
from harness.predict import Proportion, Theorem
from harness.stats import Share, Student, log_factor, log_jzs, log_share
from harness.stats.sequential import Anytime

# pingouin 0.6.1 and 0.7.0: bayesfactor_ttest, whose scale is 0.707; bayesfactor_binom; bayesfactor_pearson (Ly et al. 2016)
ONE_SAMPLE = {(3.5, 20): 17.184748951561883, (0, 10): 0.3088298269662628, (1, 8): 0.5002565812541329,
              (-2.2, 12): 1.6561335615159583, (2, 5): 1.2276927265354163, (10, 16): 270591.01948559453,
              (0.3, 45): 0.16861023513855425}  # fmt: skip
TWO_SAMPLES = {(3.5, 20, 20): 26.742659231762612, (1, 8, 12): 0.5695847133147409, (5, 5, 50): 1700.2659835076777}
SHARES = {(8, 8, 0.5): 28.44444444444444, (115, 200, 0.5): 0.8353281455069094, (3, 10, 0.9): 10391.985700627685}
PEARSON = {(0.6, 20): 10.6336163341366, (-0.2, 50): 0.45255665568024445, (0.9, 10): 84.64810636076507,
           (0.0, 30): 0.22692422441908}  # fmt: skip


@pytest.mark.parametrize("given", ONE_SAMPLE)
def test_one_sample_jzs_is_that_of_pingouin(given):
    t, n = given
    assert np.exp(log_jzs(t, n, n - 1, scale=0.707)) == pytest.approx(ONE_SAMPLE[given], rel=1e-8)


@pytest.mark.parametrize("given", TWO_SAMPLES)
def test_two_sample_jzs_is_that_of_pingouin(given):
    t, a, b = given
    assert np.exp(log_jzs(t, a * b / (a + b), a + b - 2, scale=0.707)) == pytest.approx(TWO_SAMPLES[given], rel=1e-8)


@pytest.mark.parametrize("given", SHARES)
def test_the_factor_of_a_share_is_that_of_pingouin(given):
    assert np.exp(log_share(*given)) == pytest.approx(SHARES[given], rel=1e-9)


@pytest.mark.parametrize("given", PEARSON)
def test_the_factor_of_a_rank_correlation_is_near_the_exact_one_of_pearsons(given):
    """Ranks tell a little less than the values do, and in ten units a little more or less is a factor of 1.6."""
    r, n = given
    rho = stats.pool(stats.fisher_z(np.array([r]), n), [n])
    assert log_factor(rho, 0.0, 0) == pytest.approx(np.log(PEARSON[given]), abs=0.35)


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(("t", "n"), [(0.7, 9), (2.5, 20), (-1.2, 6)])
def test_the_factor_of_one_side_is_its_integral_over_effects(t, n, side):
    prior = sps.cauchy(scale=np.sqrt(0.5)).pdf

    def marginal(delta):
        return 2 * prior(delta) * sps.nct.pdf(t, n - 1, delta * np.sqrt(n))

    limits = (0, 8) if side > 0 else (-8, 0)  # beyond them the likelihood is nil
    found = integrate.quad(marginal, *limits, epsabs=0, epsrel=1e-8)[0] / sps.t.pdf(t, n - 1)
    assert np.exp(log_jzs(t, n, n - 1, side)) == pytest.approx(found, rel=1e-5)


@settings(deadline=None)
@given(t=st.floats(-30, 30), n=st.floats(2, 500), freedom=st.floats(2, 500))
def test_both_sides_make_the_whole_and_mirror_each_other(t, n, freedom):
    whole, up, down = (log_jzs(t, n, freedom, side) for side in (0, 1, -1))
    assert np.logaddexp(up, down) - np.log(2) == pytest.approx(whole, abs=1e-6)
    assert log_jzs(-t, n, freedom, -1) == pytest.approx(up, abs=1e-9)


@given(yes=st.integers(0, 60), more=st.integers(0, 60), null=st.floats(0.02, 0.98))
def test_both_sides_of_a_share_make_the_whole(yes, more, null):
    n = yes + more
    assume(n)
    up, down, whole = (log_share(yes, n, null, side) for side in (1, -1, 0))
    assert np.logaddexp(np.log(1 - null) + up, np.log(null) + down) == pytest.approx(whole, abs=1e-6)


@settings(deadline=None)
@given(rho=st.floats(-0.8, 0.8), n=st.integers(10, 200), more=st.floats(0, 0.04))
def test_a_larger_correlation_speaks_more_for_a_positive_one(rho, n, more):
    one, other = (stats.pool(stats.fisher_z(np.array([each]), n), [n]) for each in (rho, rho + more))
    assert log_factor(other, 0.0, 1) >= log_factor(one, 0.0, 1) - 1e-6
    assert log_factor(other, 0.0, -1) <= log_factor(one, 0.0, -1) + 1e-6


def test_units_count_by_the_spread_between_them():
    values = np.random.default_rng(1).standard_normal(12) + 1
    mean = stats.stratified_mean(values)
    t = float(mean.mean / mean.error)
    assert log_factor(mean.confidence, 0.0, 0) == pytest.approx(log_jzs(t, 12, 11))
    two = stats.contrast(values, np.arange(12) < 5, [-1.0, 1.0])
    n = float(two.spread / two.error) ** 2
    assert n == pytest.approx(5 * 7 / 12, rel=0.35)
    bare = Student(1.0, 0.4, 9.0)
    assert log_factor(bare, 0.0, 0) == pytest.approx(log_jzs(2.5, 10, 9))


def test_what_has_no_factor_says_so():
    assert log_factor(Share(5, 5), 0.0, 1) is None
    assert log_factor(stats.Least((Share(5, 5), Share(3, 5))), 0.5, 1) == log_factor(Share(3, 5), 0.5, 1)
    whole = Student(1.0, 0.4, 9.0)
    assert log_factor(Anytime(whole, (whole,)), 0.0, 1) == log_factor(whole, 0.0, 1)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(8, 40), shift=st.floats(-1, 1))
def test_severity_is_the_curve_of_p_values(kind, seed, n, shift):
    prediction = KINDS[kind]
    verdict = judge(prediction, read(kind, table(seed, n, shift)))
    assume(verdict.estimate is not None)
    found, curve = voice(prediction, verdict.estimate), verdict.estimate.confidence
    assert found.rule == prediction.rule
    assert list(found.levels) == sorted(found.levels, reverse=True)
    assert list(found.at) == sorted(found.at, reverse=prediction.rule != "above")
    for level, at in zip(found.levels, found.at, strict=True):
        ends = (0.0, 1.0) if isinstance(prediction, Proportion) else (-1.0, 1.0)
        if not (0.02 < level < 0.98 and ends[0] < at < ends[1]):
            continue  # beyond the last value that is tested, or at the end of what can be
        p = {"above": curve.above, "below": curve.below}.get(prediction.rule, lambda v: curve.within(prediction.centre, v))(at)
        assert 1 - float(p) == pytest.approx(level, abs=2e-3)
    assert set(found.levels) <= set(LEVELS)
    assert found.severity_margin == pytest.approx(verdict.to_json()["voice"]["severity_margin"], abs=1e-4)


def test_it_has_no_say_and_is_none_for_exact_kinds():
    data = read("paired", table(3, 24, 0.6))
    verdict = judge(KINDS["paired"], data)
    row = verdict.to_json()
    assert row["voice"]["bayes_factor"] > 1
    assert row["voice"]["severity_null"] >= 0.95
    exact = judge(Theorem(10), pd.DataFrame({"examples": [10], "counterexample": [None]}))
    assert exact.to_json()["voice"] is None
