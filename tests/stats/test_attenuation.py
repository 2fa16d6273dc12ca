"""Noise of measurements: what it leaves of correlations and slopes, and what is left where it is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import stats
from harness.stats import attenuation
from harness.stats.attenuation import Kept, seen, slope, true

RHO = st.floats(-0.99, 0.99)
FACTOR = st.floats(0.05, 1.0)


def study(seed, n, size=0.4):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(n), size * rng.uniform(0.5, 1.5, n)


@given(RHO, FACTOR)
def test_what_noise_leaves_of_a_correlation_leads_back_to_it(rho, factor):
    left = seen(rho, factor)
    assert abs(left) <= abs(rho) + 1e-12
    assert true(left, factor) == pytest.approx(rho, abs=1e-9)
    assert seen(-rho, factor) == pytest.approx(-left)


@given(RHO, FACTOR)
def test_the_slope_is_the_derivative(rho, factor):
    step = 1e-6
    assert slope(rho, factor) == pytest.approx((seen(rho + step, factor) - seen(rho - step, factor)) / (2 * step), rel=1e-4)


@given(st.integers(0, 10**6), st.integers(5, 40), st.floats(0.01, 100), st.floats(-100, 100))
def test_the_share_of_noise_knows_no_unit_and_no_order(seed, n, scale, shift):
    x, error = study(seed, n)
    found = stats.noise(x, error)
    order = np.random.default_rng(seed).permutation(n)
    for other in (stats.noise(scale * x + shift, scale * error), stats.noise(x[order], error[order]), stats.noise(-x, error)):
        assert other.share == pytest.approx(found.share, rel=1e-6)
        assert other.log_error == pytest.approx(found.log_error, rel=1e-5)


@given(st.integers(0, 10**6), st.integers(5, 30))
def test_its_error_is_that_of_leaving_out_each_unit(seed, n):
    x, error = study(seed, n)
    found = stats.noise(x, error)
    without = np.array([stats.noise(np.delete(x, i), np.delete(error, i)).share for i in range(n)])
    expected = np.sqrt(np.square(without - without.mean()).sum() * (n - 1) / n) / found.share
    assert found.log_error == pytest.approx(expected, rel=1e-9)


def test_the_second_noise_is_averaged_over_all_that_it_might_be():
    x, error = study(3, 25)
    again = x + error * np.random.default_rng(4).standard_normal((40_000, 25))
    pearson = 1 / np.sqrt(1 + stats.noise(x, error).share)
    expected = attenuation.mean_spearman(6 / np.pi * np.arcsin(pearson / 2), 25)
    assert stats.spearman(x, again).mean() == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize("reliability", [0.5, 0.8, 0.95])
def test_the_share_is_that_of_the_variance_of_normal_variables(reliability):
    rng = np.random.default_rng(5)
    noise = np.sqrt(1 / reliability - 1)
    x = rng.standard_normal(2_000) + noise * rng.standard_normal(2_000)
    assert 1 - stats.noise(x, np.full(2_000, noise)).share == pytest.approx(reliability, abs=0.02)


@given(st.integers(0, 10**6), st.integers(8, 30), st.floats(0.005, 0.45))
def test_without_noise_nothing_changes(seed, n, alpha):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, n))
    z = stats.fisher_z(stats.spearman(x, y), n)[None]
    kept = stats.noise(x, np.zeros(n)).kept
    plain, corrected = stats.pool(z, [n]), stats.pool(z, [n], kept=kept.both(kept))
    assert corrected.effect == pytest.approx(plain.effect, abs=1e-7)
    assert corrected.interval(alpha) == pytest.approx(plain.interval(alpha), abs=1e-7)


@given(st.integers(0, 10**6), st.integers(8, 60), st.floats(0.1, 0.9), st.floats(0.0, 0.3), st.floats(0.005, 0.45))
def test_a_corrected_correlation_lies_further_out_and_the_null_is_as_it_was(seed, n, factor, doubt, alpha):
    x, y = np.random.default_rng(seed).standard_normal((2, n))
    z = stats.fisher_z(stats.spearman(x, y), n)[None]
    kept = Kept(factor, factor * np.exp(-doubt), min(1, factor * np.exp(doubt)))
    plain, corrected = stats.pool(z, [n]), stats.pool(z, [n], kept=kept)
    assert abs(corrected.effect) >= abs(plain.effect) - 1e-9
    assert corrected.above(0) == pytest.approx(plain.above(0))
    low, high = corrected.interval(alpha)
    assert low <= corrected.effect + 0.05
    assert corrected.effect - 0.05 <= high
    for value in (low, high):
        if abs(value) < 0.999:
            assert min(corrected.above(value), corrected.below(value)) == pytest.approx(alpha, rel=1e-3)
    mirrored = stats.pool(-z, [n], kept=kept)
    assert mirrored.interval(alpha) == pytest.approx((-high, -low), abs=1e-9)


def test_factors_multiply_and_their_errors_add_in_squares():
    one, two = Kept(0.8, 0.7, 0.9), Kept(0.9, 0.85, 0.95)
    both = one.both(two)
    assert both.factor == pytest.approx(0.72)
    assert np.log(both.factor / both.low) == pytest.approx(np.hypot(np.log(0.8 / 0.7), np.log(0.9 / 0.85)))
    assert two.both(one).low == pytest.approx(both.low)


@given(st.integers(0, 10**6), st.integers(3, 20))
def test_pseudo_values_without_noise_are_those_of_the_common_slope(seed, units):
    rng = np.random.default_rng(seed)
    sums, slopes = rng.uniform(1, 2, units), rng.standard_normal(units)
    values = stats.steeper(slopes * sums, sums, np.zeros(units))
    equal = stats.steeper(slopes, np.ones(units), np.zeros(units))
    assert equal == pytest.approx(slopes)
    assert values.mean() == pytest.approx(np.average(slopes, weights=sums), abs=3 / units)


def test_noise_that_explains_all_of_the_spread_is_refused():
    with pytest.raises(ValueError, match="as large as its spread"):
        stats.steeper(np.ones(4), np.ones(4), np.full(4, 1.1))


def test_units_are_grouped_by_their_codes():
    assert [list(each) for each in attenuation.members(np.array([1, 0, 1]))] == [[1], [0, 2]]
