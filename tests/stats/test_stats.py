"""Published worked examples, agreement with other implementations, and limits of the statistics."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats as sps
from statsmodels.stats.multitest import multipletests

from harness import stats
from harness.stats.attenuation import kendall_tau
from harness.stats.correlations import mid_ranks
from harness.stats.ranks import covariance

finite = st.floats(-1e3, 1e3, allow_subnormal=False)


def rng(seed=0):
    return np.random.default_rng(seed)


class TestMean:
    def test_one_stratum_is_the_one_sample_t_interval(self):
        values = rng().normal(1, 2, 12)
        low, high = stats.stratified_mean(values).interval(0.05)
        expected = sps.ttest_1samp(values, 0).confidence_interval(0.90)
        assert (low, high) == pytest.approx((expected.low, expected.high))

    def test_two_strata_are_the_welch_interval_of_a_sum(self):
        # The mean of two stratum means is half the difference of one and minus the other: Welch's t.
        a, b = rng(1).normal(0, 1, 6), rng(2).normal(1, 5, 11)
        low, high = stats.stratified_mean(np.r_[a, b], [0] * 6 + [1] * 11).interval(0.05)
        welch = sps.ttest_ind(a, -b, equal_var=False).confidence_interval(0.90)
        assert (2 * low, 2 * high) == pytest.approx((welch.low, welch.high))

    def test_strata_weigh_equally_whatever_their_size(self):
        mean = stats.stratified_mean([0, 0.2, 1, 1.1, 1.2, 1.3, 1.4], [0, 0, 1, 1, 1, 1, 1])
        assert mean.mean == pytest.approx((0.1 + 1.2) / 2)

    def test_leading_axes_are_studies(self):
        values = rng().normal(size=(3, 4, 8))
        codes = [0, 0, 0, 1, 1, 1, 1, 1]
        together = stats.stratified_mean(values, codes)
        assert together.mean.shape == (3, 4)
        assert together.error[2, 1] == pytest.approx(stats.stratified_mean(values[2, 1], codes).error)

    def test_a_stratum_of_one_is_refused(self):
        with pytest.raises(ValueError, match=r"1 unit\(s\)"):
            stats.stratified_mean([1.0, 2.0, 3.0], [0, 0, 1])

    def test_standardised_effect_of_one_stratum(self):
        values = rng().normal(1, 2, 400)
        size, low, high = stats.standardised(stats.stratified_mean(values), 0.05)
        assert size == pytest.approx(values.mean() / values.std(ddof=1))
        # Large n: the exact interval inverts the noncentral t distribution.
        exact = [sps.nct.ppf(q, 399, size * 20) / 20 for q in (0.05, 0.95)]
        assert (low, high) == pytest.approx(exact, abs=0.005)

    def test_a_constant_up_to_rounding(self):
        shifted = np.array([0.1, 0.2, 0.3]) + 1000.0
        assert stats.is_constant(shifted - np.array([0.1, 0.2, 0.3]), scale=1000.0)
        assert not stats.is_constant([1.0, 1.0 + 1e-12])
        assert stats.is_constant([0.0, 0.0])
        assert not stats.is_constant([1e-20, 2e-20])


class TestSignFlip:
    @pytest.mark.parametrize("n", [5, 9])
    def test_all_sign_patterns_where_they_are_few(self, n):
        values = rng(n).normal(0.5, 1, n)
        sums = [np.dot(signs, values) for signs in itertools.product((1, -1), repeat=n)]
        assert stats.sign_flip_p(values, rng=rng()) == np.mean(np.array(sums) >= values.sum() - 1e-12)

    def test_smallest_p_is_two_to_the_minus_n(self):
        assert stats.sign_flip_p(np.arange(1, 9), rng=rng()) == 2**-8

    def test_monte_carlo_counts_the_observed_pattern(self):
        assert stats.sign_flip_p(np.full(40, 1.0), rng=rng()) == 1 / 10_000

    def test_weights_enter_the_sum(self):
        values, weights = np.array([5.0, 1, 1, -1, -1]), np.array([0.0, 1, 1, 1, 10])
        assert stats.sign_flip_p(values, rng=rng()) < 0.5 < stats.sign_flip_p(values, weights, rng=rng())


class TestCorrelation:
    @given(
        arrays(
            float,
            array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6),
            elements=st.one_of(st.integers(0, 9).map(float), st.floats(-9, 9), st.sampled_from([np.inf, np.nan])),
        )
    )
    def test_ranks_are_scipys_whatever_is_tied_or_missing(self, values):
        assert np.array_equal(mid_ranks(values), sps.rankdata(values, axis=-1), equal_nan=True)

    @given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=4, max_size=20))
    def test_spearman_is_scipys_with_ties(self, pairs):
        x, y = np.transpose(pairs)
        if np.ptp(x) and np.ptp(y):
            assert stats.spearman(x, y) == pytest.approx(sps.spearmanr(x, y).statistic, abs=1e-12)
        else:
            assert np.isnan(stats.spearman(x, y))

    def test_bonett_wright_interval_of_a_published_example(self):
        # Example of ci.spear in the R package statpsych (Bonett), 95 %: 0.8699639 (0.5840951, 0.9638297).
        y = [21, 4, 9, 12, 35, 18, 10, 22, 24, 1, 6, 8, 13, 16, 19]
        x = [67, 28, 30, 28, 52, 40, 25, 37, 44, 10, 14, 20, 28, 40, 51]
        rho = stats.spearman(x, y)
        z = stats.fisher_z(rho, 15)
        assert rho == pytest.approx(0.8699639, abs=5e-8)
        published = (0.5840951, 0.9638297)
        assert stats.Student(z, stats.z_error(z, 15), link="fisher").interval(0.025) == pytest.approx(published, abs=5e-8)
        assert stats.pool(z[None], [15]).plain.interval(0.025) == pytest.approx(published, abs=5e-8)

    def test_a_perfect_ranking_is_half_a_step_from_one(self):
        one_swap = stats.spearman([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 6, 5])
        assert np.tanh(stats.fisher_z(1.0, 6)) == pytest.approx((1 + one_swap) / 2)
        assert stats.fisher_z(-1.0, 6) == -stats.fisher_z(1.0, 6)
        assert np.tanh(stats.fisher_z(one_swap, 6)) == pytest.approx(one_swap)

    @pytest.mark.parametrize(("cluster", "more"), [(None, 1 / 2), ([0, 0, 0, 0], 1), ([0, 0, 1, 1], 1 / np.sqrt(2))])
    def test_independent_blocks_add_variances_and_shared_ones_add_errors(self, cluster, more):
        found = stats.pool([0.3, 0.3, 0.3, 0.3], [12, 12, 12, 12], cluster)
        assert found.plain.error == pytest.approx(stats.z_error(0.3, 12) * more)
        assert found.variance == pytest.approx(more**2 / 9)

    def test_blocks_weigh_by_n_minus_three(self):
        found = stats.pool([0.0, 1.0], [5, 9])
        assert found.plain.estimate == pytest.approx(6 / 8)
        assert (found.sizes, found.shares) == ((5.0, 9.0), pytest.approx((2 / 8, 6 / 8)))
        assert found.variance == pytest.approx(1 / 8)

    def test_clusters_are_chains_of_shared_units(self):
        member = np.array([[1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 1]], dtype=bool)
        a, b, c, d = stats.clusters(member)
        assert a == b == c != d


class TestPermutation:
    def test_matches_the_enumeration_of_all_orders(self):
        x, y = rng(3).normal(size=6), rng(4).normal(size=6)
        exact = np.mean(
            [stats.spearman(x, y[list(order)]) >= stats.spearman(x, y) - 1e-12
             for order in itertools.permutations(range(6))]
        )  # fmt: skip
        p = stats.permutation_p([x], [y], [np.arange(6)], 1, rng=rng())
        assert abs(p - exact) < 4 * np.sqrt(exact * (1 - exact) / 9999) + 1e-4

    def test_the_other_sign_is_the_other_tail(self):
        x = np.arange(12.0)
        y = x + rng(1).normal(0, 2, 12)
        assert stats.permutation_p([x], [y], [np.arange(12)], 1, rng=rng()) < 0.01
        assert stats.permutation_p([x], [y], [np.arange(12)], -1, rng=rng()) > 0.99

    def test_a_block_seen_twice_is_no_more_evidence(self):
        x = np.arange(8.0)
        y = np.array([2.0, 1, 4, 3, 0, 6, 7, 5])
        units = np.arange(8)
        once = stats.permutation_p([x], [y], [units], 1, rng=rng(1))
        twice = stats.permutation_p([x, x], [y, y], [units, units], 1, rng=rng(1))
        as_if_new = stats.permutation_p([x, x], [y, y], [units, units + 8], 1, rng=rng(1))
        assert twice == once
        assert as_if_new < once / 2

    def test_smallest_p_is_one_in_ten_thousand(self):
        x = np.arange(30.0)
        assert stats.permutation_p([x], [x], [np.arange(30)], 1, rng=rng()) == 1 / 10_000


class TestRanked:
    """The score of a correlation: what Spearman's r is in small samples."""

    @pytest.mark.parametrize(("pearson", "tau"), [(-1, -1), (0, 0), (0.5, 1 / 3), (1 / np.sqrt(2), 0.5), (1, 1)])
    def test_kendalls_tau_of_normal_variables(self, pearson, tau):
        # (2/pi) asin(r) for Kendall's, (6/pi) asin(r/2) for Spearman's (Kruskal 1958).
        assert kendall_tau(6 / np.pi * np.arcsin(pearson / 2)) == pytest.approx(tau, abs=1e-7)

    @pytest.mark.parametrize(("rho", "n"), [(0.0, 8), (0.4, 6), (0.6, 8), (0.8, 12), (-0.7, 20)])
    def test_the_expectation_of_spearman_and_of_its_z(self, rho, n):
        pearson = 2 * np.sin(np.pi * rho / 6)
        x, e = rng(n).standard_normal((2, 200_000, n))
        r = stats.spearman(x, pearson * x + np.sqrt(1 - pearson**2) * e)
        expected = ((n - 2) * rho + 3 * kendall_tau(rho)) / (n + 1)
        assert abs(r.mean() - expected) < 4 * r.std() / np.sqrt(len(r))  # exact (Moran 1948): four standard errors
        z = stats.fisher_z(r, n)
        bias = -float(stats.pool(np.zeros(1), [n]).surplus(rho)) - np.arctanh(rho)
        # Second order: of a bias of up to 0.08 no more than 0.01 is left, a fortieth of a standard error at n = 20.
        assert bias == pytest.approx(z.mean() - np.arctanh(rho), abs=0.01)

    def test_the_interval_solves_the_score(self):
        for n, z in ((8, 0.3), (20, -1.1), (65, 0.0)):
            found = stats.pool([z], [n])
            low, high = found.interval(0.05)
            freedom = 3 * n - 5
            upper = sps.t.ppf(0.95, freedom) * np.sqrt((freedom - 2) / freedom)
            for end, quantile in ((low, upper), (high, -upper)):
                tau = 2 / np.pi * np.arcsin(2 * np.sin(np.pi * end / 6))
                expected = np.arctanh(((n - 2) * end + 3 * tau) / (n + 1)) + end * (1 + end**2 / 2) / (n - 1)
                assert (z - expected) / np.sqrt((1 + end**2 / 2) / (n - 3)) == pytest.approx(quantile, abs=1e-6)

    def test_many_units_are_bonett_and_wrights_interval(self):
        z = np.arctanh(0.6)
        found = stats.pool([z], [40_000])
        assert found.interval(0.05) == pytest.approx(found.plain.interval(0.05), abs=1e-4)

    def test_a_correlation_of_one(self):
        found = stats.pool([1.0], [20])
        assert (found.above(1.0), found.below(1.0)) == pytest.approx((1.0, 0.0))
        assert (found.above(-1.0), found.below(-1.0)) == pytest.approx((0.0, 1.0))


class TestDifferenceOfCorrelations:
    @staticmethod
    def seen(r1, r2, r12, n):
        first, second = (stats.pool(np.arctanh([r]), [n]) for r in (r1, r2))
        return stats.Overlapping(first, second, r12)

    def test_covariances_against_simulation(self):
        # Normal variables y, x1, x2 with Spearman correlations .6, .2 and .5; 400 units, 20,000 studies.
        rho = np.array([0.6, 0.2, 0.5])
        a, b, g = 2 * np.sin(np.pi * rho / 6)
        root = np.linalg.cholesky([[1, a, b], [a, 1, g], [b, g, 1]])
        y, x1, x2 = np.moveaxis(rng(1).standard_normal((20_000, 400, 3)) @ root.T, -1, 0)
        r1, r2 = stats.spearman(y, x1), stats.spearman(y, x2)
        found = 400 * np.cov(r1, r2)
        # A covariance of 20,000 is known to 1 %; Bonett & Wright's variance to a few per cent.
        assert found[0, 0] == pytest.approx(covariance(rho[0], rho[0], 1.0), rel=0.06)
        assert found[1, 1] == pytest.approx(covariance(rho[1], rho[1], 1.0), rel=0.06)
        assert found[0, 1] == pytest.approx(covariance(rho[0], rho[1], rho[2]), rel=0.06)

    def test_equality_is_tested_at_equal_correlations(self):
        # Steiger 1980: both correlations at their common value, here their mean, since their variances are then equal.
        found = self.seen(0.5, 0.3, 0.4, 50)
        common = 0.4
        c = covariance(common, common, 0.4) / covariance(common, common, 1.0)
        z = np.arctanh([0.5, 0.3]) @ [1, -1]
        expected = z / np.sqrt(2 * (1 - c) * (1 + common**2 / 2) / 47)
        assert found.deviation(0.0) == pytest.approx(expected, rel=0.01)

    def test_mirror(self):
        low, high = self.seen(0.5, -0.1, 0.3, 30).interval(0.05)
        assert self.seen(-0.1, 0.5, 0.3, 30).interval(0.05) == pytest.approx((-high, -low))
        assert self.seen(-0.5, 0.1, 0.3, 30).interval(0.05) == pytest.approx((-high, -low))

    def test_equal_correlations_have_even_odds(self):
        assert self.seen(0.4, 0.4, 0.2, 30).above(0.0) == pytest.approx(0.5)

    def test_perfectly_dependent_correlations_hardly_differ(self):
        low, high = self.seen(0.6, 0.6, 1.0, 30).interval(0.05)
        assert -0.02 < low < 0 < high < 0.02

    @given(*[st.floats(-0.995, 0.995)] * 3, st.integers(8, 80))
    def test_any_three_correlations_have_an_interval(self, r1, r2, r12, n):
        # Pooled over blocks, the three need not be those of one sample.
        found = self.seen(r1, r2, r12, n)
        low, high = found.interval(0.05)
        assert -2 <= low <= high <= 2
        p = np.array([found.above(value) for value in np.linspace(-1.9, 1.9, 30)]).ravel()
        assert np.isfinite(p).all()
        assert (np.diff(p) >= -1e-12).all()

    def test_a_finer_search_finds_the_same(self, monkeypatch):
        cases = [(0.6, 0.0, 0.6, 20), (0.9, 0.5, 0.6, 12), (0.3, -0.2, 0.4, 40)]
        coarse = [self.seen(*case).interval(0.05) for case in cases]
        monkeypatch.setattr("harness.stats.ranks.STRIDE", 0.005)
        fine = [self.seen(*case).interval(0.05) for case in cases]
        assert np.allclose(coarse, fine, atol=0.01)  # against widths of 0.4 and more


class TestMultiplicity:
    def test_worked_example(self):
        assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
        assert stats.benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
    def test_holm_is_the_closure_of_bonferroni(self, ps):
        # Marcus, Peritz & Gabriel 1976: a hypothesis falls when every intersection with it falls.
        subsets = [s for k in range(1, len(ps) + 1) for s in itertools.combinations(range(len(ps)), k)]
        for i, found in enumerate(stats.holm(ps)):
            closed = max(min(1, len(s) * min(ps[j] for j in s)) for s in subsets if i in s)
            assert found == pytest.approx(closed)

    def test_benjamini_hochberg_is_that_of_statsmodels(self):
        ps = rng().uniform(size=40) ** 2
        assert stats.benjamini_hochberg(ps) == pytest.approx(multipletests(ps, method="fdr_bh")[1])

    @pytest.mark.parametrize("adjust", [stats.holm, stats.benjamini_hochberg])
    def test_unknown_stays_unknown_and_counts_for_nothing(self, adjust):
        first, second = adjust([0.01, 0.5])
        assert adjust([None, 0.01, None, 0.5]) == [None, first, None, second]
        assert adjust([None, None]) == [None, None]
        assert adjust([]) == []

    @pytest.mark.parametrize("adjust", [stats.holm, stats.benjamini_hochberg])
    @pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
    def test_no_p_is_refused(self, adjust, bad):
        with pytest.raises(ValueError, match="p values lie in"):
            adjust([0.5, bad])


class TestReliability:
    # Shrout & Fleiss 1979: six targets rated by four judges; ICC(1,1) = .17, ICC(1,4) = .44.
    RATINGS = ((9, 2, 5, 8), (6, 1, 3, 2), (8, 4, 6, 8), (7, 1, 2, 6), (10, 5, 6, 9), (6, 2, 4, 7))

    def test_published_example(self):
        found = stats.reliability(self.RATINGS)
        assert (round(found.single, 2), round(found.mean, 2)) == (0.17, 0.44)
        # The 95 % interval of ICC(1,4) of these ratings, as psych 2.4 prints it: -0.88 to 0.91.
        wide = stats.reliability(self.RATINGS, alpha=0.025)
        assert (round(wide.low, 2), round(wide.high, 2)) == (-0.88, 0.91)

    def test_the_interval_errs_as_often_as_it_says(self):
        values = rng(2).normal(0, 1, (2000, 12, 1)) + rng(3).normal(0, 1, (2000, 12, 4))
        found = [stats.reliability(each) for each in values]
        assert np.mean([each.low > 0.8 for each in found]) == pytest.approx(0.05, abs=0.015)  # 3 standard errors
        assert np.mean([each.high < 0.8 for each in found]) == pytest.approx(0.05, abs=0.015)

    def test_recovers_the_share_of_true_variance(self):
        truth = rng().normal(0, 3, (4000, 1))
        values = truth + rng(1).normal(0, 2, (4000, 4))
        found = stats.reliability(values)
        # 9/(9+4) and 9/(9+1); the standard error of an ICC of 4,000 units is below 0.01 (Fisher 1925).
        assert found.single == pytest.approx(9 / 13, abs=0.03)
        assert found.mean == pytest.approx(9 / 10, abs=0.03)

    def test_noise_alone_has_none(self):
        assert abs(stats.reliability(rng().normal(size=(4000, 4))).single) < 0.05

    @given(st.floats(0.1, 10), finite)
    def test_unit_of_measurement_has_no_influence(self, scale, shift):
        a, b = stats.reliability(self.RATINGS), stats.reliability(np.array(self.RATINGS) * scale + shift)
        assert (a.single, a.mean) == pytest.approx((b.single, b.mean), rel=1e-6)

    @pytest.mark.parametrize(
        ("values", "why"),
        [
            ([[1.0, 2.0]], "two or more"),
            ([[1.0], [2.0]], "two or more"),
            ([[1.0, np.nan], [2.0, 3.0]], "1 of 4 values"),
            ([[1.0, 2.0], [1.0, 2.0]], "same mean"),
        ],
    )
    def test_unusable_values_are_refused(self, values, why):
        with pytest.raises(ValueError, match=why):
            stats.reliability(values)
