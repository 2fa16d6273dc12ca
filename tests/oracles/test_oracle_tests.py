"""The tests under the kinds against scipy, statsmodels and published examples."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW, ttost_paired

from harness import stats
from harness.judge import judge
from harness.judge.rule import refutes, supports
from harness.predict import Ordering


def values(seed, *shape):
    return np.random.default_rng(seed).normal(0.2, 1, shape)


def with_moments(n, mean, sd):
    """N values with exactly this mean and standard deviation."""
    grid = np.linspace(-1, 1, n)
    return mean + sd * grid / grid.std(ddof=1)


def test_a_published_equivalence_test():
    # Lakens 2017, Soc. Psychol. Pers. Sci. 8(4), 355-362, on Moery & Calin-Jageman 2016, study 2: 5.25 (0.95, n = 95) and
    # 5.22 (0.83, n = 89), bounds d = ±0.43 of the root mean square of both SDs, Welch: t(182) = -2.69, p = .004.
    data = np.r_[with_moments(89, 5.22, 0.83), with_moments(95, 5.25, 0.95)]
    found = stats.contrast(data, np.repeat([0, 1], [89, 95]), [-1, 1]).confidence
    bound = 0.43 * np.sqrt((0.95**2 + 0.83**2) / 2)
    t = (found.effect - bound) / found.error
    assert round(float(t), 2) == -2.69
    assert found.freedom == pytest.approx(182, abs=1)  # 181.1; the text gives n1 + n2 - 2
    assert round(float(found.within(0, bound)), 3) == 0.004
    low, high = found.interval(0.05)
    assert -bound < low < high < bound


def test_tost_of_one_sample_and_of_pairs_is_statsmodels():
    first, second = values(1, 20), values(2, 20)
    found = stats.stratified_mean(first - second).confidence
    assert found.within(0, 0.8) == pytest.approx(ttost_paired(first, second, -0.8, 0.8)[0])
    assert found.within(0.1, 0.5) == pytest.approx(DescrStatsW(first - second).ttost_mean(-0.4, 0.6)[0])


def test_welchs_test_is_scipys_and_statsmodels():
    a, b = 3 * values(3, 7), values(4, 15)
    found = stats.contrast(np.r_[a, b], np.repeat([0, 1], [7, 15]), [1, -1]).confidence
    result = sps.ttest_ind(a, b, equal_var=False, alternative="greater")
    assert (found.above(0), found.freedom) == (pytest.approx(result.pvalue), pytest.approx(result.df))
    expected = CompareMeans(DescrStatsW(a), DescrStatsW(b)).tconfint_diff(alpha=0.1, usevar="unequal")
    assert found.interval(0.05) == pytest.approx(expected)


@pytest.mark.parametrize(("yes", "n"), [(0, 7), (11, 40), (57, 60)])
def test_clopper_and_pearsons_interval_is_statsmodels(yes, n):
    assert stats.Share(yes, n).interval(0.05) == pytest.approx(proportion_confint(yes, n, 0.1, "beta"))


def test_sign_flips_are_the_enumeration_and_near_wilcoxon_for_ranks():
    # With ranks as values the sign-flip test is Wilcoxon's signed-rank test.
    difference = values(5, 12)
    ranks = np.sign(difference) * sps.rankdata(np.abs(difference))
    expected = sps.wilcoxon(difference, alternative="greater", method="exact").pvalue
    assert stats.sign_flip_p(ranks, rng=np.random.default_rng(0)) == pytest.approx(expected)


def test_adjusted_p_values_are_statsmodels():
    ps = np.random.default_rng(6).uniform(size=30) ** 3
    assert stats.holm(ps) == pytest.approx(multipletests(ps, method="holm")[1])
    assert stats.benjamini_hochberg(ps) == pytest.approx(multipletests(ps, method="fdr_bh")[1])


def test_pages_test_of_an_ordering_is_scipys():
    data = values(7, 9, 4) + 0.5 * np.arange(4)
    seed, dose = (each.ravel() for each in np.indices(data.shape))
    table = pd.DataFrame({"seed": seed, "dose": dose, "llc": data.ravel()})
    found = judge(Ordering("llc", "dose", (0, 1, 2, 3), "seed", margin=0.1, margin_reason="…"), table).estimate
    assert found.p == pytest.approx(sps.page_trend_test(data).pvalue)


class TestShares:
    """Error rates that need no simulation."""

    @pytest.mark.parametrize("n", [5, 10, 40, 200])
    @pytest.mark.parametrize(("exceeds", "margin"), [(0.5, 0.2), (0.8, 0.1), (0.9, 0.1)])
    def test_exact_error_rates(self, n, exceeds, margin):
        yes = np.arange(n + 1)
        ends = stats.Share(yes, n).interval(0.05)
        assert sps.binom.pmf(yes, n, exceeds) @ supports("above", exceeds, margin, *ends) <= 0.05
        assert sps.binom.pmf(yes, n, exceeds + margin) @ refutes("above", exceeds, margin, *ends) <= 0.05

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.77, 0.9])
    def test_each_end_errs_at_most_alpha(self, share):
        yes = np.arange(31)
        low, high = stats.Share(yes, 30).interval(0.05)
        pmf = sps.binom.pmf(yes, 30, share)
        assert 0 < pmf @ (low > share) <= 0.05
        assert 0 < pmf @ (high < share) <= 0.05
