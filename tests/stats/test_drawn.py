"""Random factors above the unit: the jackknife over their levels, against closed forms and other libraries' numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as sps

from harness import stats


def grid(outer, inner):
    return np.repeat(np.arange(outer), inner), np.tile(np.arange(inner), outer)


def one_way(levels, strata=None):
    return stats.Drawn((levels,), np.zeros(len(levels), dtype=int) if strata is None else strata)


whole = {"cells": np.zeros(12, dtype=int), "weights": np.ones(1)}
twelve = st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=12, max_size=12, unique=True).map(np.array)


@given(twelve)
def test_of_equal_levels_it_is_the_t_interval_of_their_means(values):
    levels, _ = grid(4, 3)
    means = values.reshape(4, 3).mean(axis=1)
    if np.ptp(means) < 1e-6:
        return
    low, high = stats.drawn_contrast(values, drawn=one_way(levels), **whole).interval(0.05)
    expected = sps.ttest_1samp(means, 0).confidence_interval(0.9)
    assert (low, high) == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-9)


@given(twelve)
def test_units_that_are_levels_of_their_own_are_as_drawn_one_by_one(values):
    strata = np.repeat([0, 1], [5, 7])
    mean = stats.stratified_mean(values, strata)
    drawn = stats.drawn_contrast(values, strata, np.full(2, 0.5), one_way(np.arange(12), strata))
    assert (drawn.mean, drawn.error, drawn.freedom) == pytest.approx((mean.mean, mean.error, mean.freedom), rel=1e-6)


def test_levels_that_recur_in_fixed_strata_are_one_unit_each():
    values = np.random.default_rng(1).standard_normal(12)
    strata, levels = grid(3, 4)
    mean = stats.drawn_contrast(values, strata, np.full(3, 1 / 3), one_way(levels, strata))
    expected = sps.ttest_1samp(values.reshape(3, 4).mean(axis=0), 0).confidence_interval(0.9)
    assert mean.interval(0.05) == pytest.approx((expected.low, expected.high))


def test_two_factors_that_cross_are_those_of_the_analysis_of_variance():
    values = np.random.default_rng(2).standard_normal((6, 16)) + np.random.default_rng(3).standard_normal((6, 1))
    drawn = stats.Drawn(grid(6, 16), np.zeros(96, dtype=int))
    mean = stats.drawn_contrast(values.ravel(), np.zeros(96, dtype=int), np.ones(1), drawn)
    rows, columns = 16 * values.mean(axis=1).var(ddof=1), 6 * values.mean(axis=0).var(ddof=1)
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    inside = (rest**2).sum() / (5 * 15)
    # Var(mean) = (MS_rows + MS_columns - MS_rest) / 96 in the balanced two-way layout; V_0 is within a cell in 96 of it.
    assert mean.error**2 == pytest.approx((rows + columns - inside) / 96, rel=0.05)
    assert mean.freedom <= 15


def test_a_variance_of_several_factors_is_never_below_the_largest():
    rng = np.random.default_rng(4)
    drawn = stats.Drawn(grid(6, 16), np.zeros(96, dtype=int))
    values = rng.standard_normal((200, 96))
    two = stats.drawn_contrast(values, np.zeros(96, dtype=int), np.ones(1), drawn).error
    for levels in drawn.factors:
        one = stats.drawn_contrast(values, np.zeros(96, dtype=int), np.ones(1), one_way(levels)).error
        assert (two >= one * (1 - 1e-9)).all()


def test_factors_that_lie_within_others_are_carried_by_them():
    outer, inner = grid(4, 3)
    assert stats.coarsest([outer, np.arange(12)]) == [0]
    assert stats.coarsest([np.arange(12), outer]) == [1]
    assert stats.coarsest([outer, inner]) == [0, 1]
    assert stats.coarsest([outer, outer.max() - outer]) == [0]


def test_spread_of_levels_has_the_intraclass_correlation_of_reliability():
    values = np.random.default_rng(5).standard_normal((8, 5)) + np.random.default_rng(6).standard_normal((8, 1))
    seen = stats.spread(values.ravel(), grid(8, 5)[0], np.zeros(40, dtype=int))
    assert seen.icc == pytest.approx(stats.reliability(values).single)
    assert seen.levels == 8


def test_a_new_level_is_expected_where_the_t_distribution_of_one_more_value_has_it():
    values = np.random.default_rng(7).standard_normal(9)
    seen = stats.spread(values, np.arange(9), np.zeros(9, dtype=int))
    reach = sps.t.ppf(0.95, 8) * values.std(ddof=1) * np.sqrt(1 + 1 / 9)
    expected = (values.mean() - reach, values.mean() + reach)
    assert seen.expected(stats.stratified_mean(values).confidence, 0.05) == pytest.approx(expected)
    assert seen.icc is None


def test_a_line_through_the_mean_curve_has_the_error_of_least_squares():
    x = np.arange(6.0)
    y = np.random.default_rng(8).standard_normal((1, 6))
    part, _ = stats.about_line(x, y, np.ones(1))
    assert np.sqrt(part.variance) == pytest.approx(sps.linregress(x, y[0]).stderr)
    assert part.freedom == 4


@pytest.mark.parametrize("yes", range(13))
def test_shares_of_units_that_are_alike_are_never_worth_more_than_the_units_or_less_than_the_levels(yes):
    has = np.random.default_rng(yes).permutation(np.arange(12) < yes)
    levels, other = grid(4, 3)
    assert 4 <= float(stats.drawn_share(has, one_way(levels), 0.05).n) <= 12
    assert 3 <= float(stats.drawn_share(has, stats.Drawn((levels, other), np.zeros(12, dtype=int)), 0.05).n) <= 12


def test_units_that_all_agree_count_as_many_as_there_are_levels():
    levels, _ = grid(6, 16)
    share = stats.drawn_share(np.ones(96, dtype=bool), one_way(levels), 0.05)
    assert float(share.n) == pytest.approx(6)
    assert float(share.interval(0.05)[0]) == pytest.approx(0.05 ** (1 / 6))


@given(st.integers(0, 10**6), st.integers(3, 8), st.integers(3, 8), st.floats(0, 100))
def test_what_a_crossing_factor_makes_does_not_change_how_far_levels_lie_apart(seed, outer, inner, far):
    rng = np.random.default_rng(seed)
    sizes, seeds = grid(outer, inner)
    values = rng.standard_normal(outer)[sizes] + rng.standard_normal(outer * inner)
    nothing = np.zeros(outer * inner, dtype=int)
    still = stats.spread(values, sizes, nothing, [seeds])
    moved = stats.spread(values + far * rng.standard_normal(inner)[seeds], sizes, nothing, [seeds])
    assert moved.deviation == pytest.approx(still.deviation, abs=1e-6)
    rest = values - values.reshape(outer, inner).mean(axis=0)[seeds]
    mean = rest.reshape(outer, inner).mean(axis=1)
    noise = ((rest - mean[sizes]) ** 2).sum() / ((outer - 1) * (inner - 1))
    assert still.deviation**2 == pytest.approx(max(mean.var(ddof=1) - noise / inner, 0), abs=1e-9)
