"""Contrasts of groups, permutations of labels and of pairings, and differences between strata."""

import numpy as np
import pytest
from scipy import stats as sps
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.oneway import anova_oneway

from harness import stats


def sample(n, mean, deviation):
    """Numbers with exactly this mean and standard deviation."""
    values = np.random.default_rng(n).standard_normal(n)
    return mean + deviation * (values - values.mean()) / values.std(ddof=1)


def test_two_cells_are_welchs_t_test():
    a, b = sample(9, 1, 2), sample(6, 0, 0.5)
    mean = stats.contrast(np.concatenate([b, a]), [0] * 6 + [1] * 9, [-1, 1])
    expected = sps.ttest_ind(a, b, equal_var=False)
    assert mean.mean / mean.error == pytest.approx(expected.statistic)
    assert mean.freedom == pytest.approx(expected.df)
    assert mean.interval(0.05) == pytest.approx(tuple(expected.confidence_interval(0.9)))
    assert mean.spread == pytest.approx(np.sqrt((8 * 4 + 5 * 0.25) / 13))


@pytest.mark.parametrize(("n", "spread"), [((5, 5), (1, 1)), ((5, 5), (1, 4)), ((5, 20), (4, 1)), ((20, 8), (4, 1))])
def test_groups_of_unequal_size_and_variance_are_judged_at_alpha(n, spread):
    rng = np.random.default_rng(n)
    values = rng.standard_normal((10_000, sum(n))) * np.repeat(spread, n)
    low, high = stats.contrast(values, np.repeat([1, 0], n), [-1, 1]).interval(0.05)
    for errors in (low > 0, high < 0):  # no difference supported; by symmetry, a difference at the margin refuted
        assert sps.binomtest(int(errors.sum()), 10_000).proportion_ci(0.98).high <= 0.075


def test_equal_weights_are_the_stratified_mean():
    values, codes = np.random.default_rng(0).standard_normal((4, 12)), np.repeat([0, 1, 2], [3, 4, 5])
    one, other = stats.contrast(values, codes, [1 / 3] * 3), stats.stratified_mean(values, codes)
    for field in ("mean", "error", "freedom", "spread"):
        assert (getattr(one, field) == getattr(other, field)).all()


def test_a_cell_of_one_unit_has_no_variance():
    with pytest.raises(ValueError, match="1 unit"):
        stats.contrast([1.0, 2.0, 3.0], [0, 0, 1], [1, -1])


def test_hedges_g_is_that_of_borensteins_worked_example():
    # Borenstein et al. 2009, chapter 4: means 103 and 100, deviations 5.5 and 4.5, 50 each: g = 0.5924, V_g = 0.0411.
    values = np.concatenate([sample(50, 103, 5.5), sample(50, 100, 4.5)])
    cells = np.repeat([0, 1], 50)
    mean = stats.contrast(values, cells, [1, -1])
    g, low, high = stats.hedges_g(mean, [50, 50], [1, -1], 0.025)
    assert g == pytest.approx(0.5924, abs=1e-4)
    assert ((high - low) / 2 / 1.96) ** 2 == pytest.approx(0.0411, abs=1e-4)


def welch(a, b):
    return sps.ttest_ind(a, b, equal_var=False).statistic


def test_few_labels_are_permuted_exactly():
    a, b = sample(5, 0.8, 1), sample(4, 0, 1)
    expected = sps.permutation_test((a, b), welch, vectorized=False, alternative="greater")
    side = [1] * 5 + [0] * 4
    found = stats.label_p(np.concatenate([a, b]), side, rng=np.random.default_rng(0))
    assert found == expected.pvalue
    assert found == stats.label_p(1e6 * np.concatenate([a, b]), side, rng=np.random.default_rng(1))


def test_labels_stay_in_their_strata():
    # Shifts between strata are no evidence: within each, the higher group is the lower one by every exchange but none.
    values = np.array([1.0, 2.0, 11.0, 12.0, 0.0, 0.5, 10.0, 10.5])
    side, codes = np.array([1] * 4 + [0] * 4), np.array([0, 0, 1, 1] * 2)
    assert stats.label_p(values, side, codes, rng=np.random.default_rng(0)) == 1 / 36


def test_many_labels_are_permuted_at_random():
    values, side = np.concatenate([sample(30, 0.4, 1), sample(30, 0, 1)]), np.repeat([1, 0], 30)
    codes = np.tile([0, 1], 30)
    p = stats.label_p(values, side, rng=np.random.default_rng(0))
    assert p == pytest.approx(sps.ttest_ind(values[:30], values[30:], alternative="greater").pvalue, abs=0.015)
    assert stats.label_p(values, side, codes, rng=np.random.default_rng(0)) == pytest.approx(p, abs=0.03)
    assert stats.label_p(values + 100 * side, side, rng=np.random.default_rng(0)) == 1e-4


def test_labels_that_mean_nothing_are_found_as_often_as_alpha_says():
    rng = np.random.default_rng(5)
    values = rng.standard_normal((250, 10)) * np.array([1] * 5 + [4] * 5)  # unequal variances
    p = np.array([stats.label_p(each, [1] * 5 + [0] * 5, rng=rng) for each in values])
    assert sps.binomtest(int((p <= 0.05).sum()), 250).proportion_ci(0.98).low <= 0.05
    assert np.mean(p <= 0.05) < 0.09


def test_pairings_are_told_from_what_all_share():
    z = np.full((8, 8), 0.7)
    assert stats.pairing_p(z, 1, rng=np.random.default_rng(0)) == 1
    assert stats.pairing_p(z + np.eye(8), 1, rng=np.random.default_rng(0)) < 0.001
    assert stats.pairing_p(z - np.eye(8), 1, rng=np.random.default_rng(0)) == 1
    assert stats.pairing_p(z - np.eye(8), -1, rng=np.random.default_rng(0)) < 0.001


GROUPS = [sample(5, 0, 1), sample(8, 0.5, 2), sample(6, 1.5, 0.3)]


def test_heterogeneity_is_welchs_analysis_of_variance():
    expected = anova_oneway(GROUPS, use_var="unequal", welch_correction=True).pvalue
    assert stats.heterogeneity(GROUPS) == pytest.approx(expected)
    assert stats.heterogeneity(GROUPS[:2]) == pytest.approx(sps.ttest_ind(*GROUPS[:2], equal_var=False).pvalue)


def test_heterogeneity_is_unknown_where_a_group_has_no_spread():
    assert stats.heterogeneity([*GROUPS, np.ones(5)]) is None
    assert stats.heterogeneity([GROUPS[0], 1 + 1e-13 * GROUPS[1]], scale=1e4) is None
    assert stats.heterogeneity(GROUPS[:1]) is None


def test_cochrans_q_is_that_of_a_meta_analysis():
    z, error = np.array([0.1, 0.5, 0.9]), np.array([0.2, 0.25, 0.3])
    expected = combine_effects(z, error**2).test_homogeneity().pvalue
    assert stats.cochran_q(z, error) == pytest.approx(expected)
    assert stats.cochran_q([z, [0.3] * 3], [error] * 2) == pytest.approx([expected, 1])


def test_equal_strata_differ_as_often_as_alpha_says():
    rng = np.random.default_rng(0)
    groups = rng.standard_normal((4_000, 3, 8)) * np.array([1, 2, 4])[:, None]
    error = groups.std(axis=-1, ddof=1) / np.sqrt(8)
    p = stats.welch_anova(groups.mean(axis=-1), error, np.full(3, 7))
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.012)
