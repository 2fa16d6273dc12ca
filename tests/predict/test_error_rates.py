"""Simulated studies: how often each kind of prediction is wrong, and how often it finds what is there.

Every rate is bounded from the side that matters by the exact 99 % binomial limit, at 10,000 studies: a true
rate of 0.065 passes the bound of 1.5 alpha, a true rate of 0.08 does not.
"""

from collections import Counter

import numpy as np
import pytest
from scipy import stats as sps

from harness import stats
from harness.judge import Outcome, decide

ALPHA = 0.05
STUDIES = 10_000


def studies(seed, *shape):
    return np.random.default_rng(seed).standard_normal((STUDIES, *shape))


def at_most(errors, limit):
    """Whether the one-sided 99 % upper limit of an error rate is below a limit."""
    errors = np.asarray(errors)
    return sps.binomtest(int(errors.sum()), errors.size).proportion_ci(0.98, "exact").high <= limit


def at_least(hits, limit):
    """Whether the one-sided 99 % lower limit of a rate is above a limit."""
    return at_most(~np.asarray(hits), 1 - limit)


def outcomes(rule, centre, margin, interval):
    """Share of each outcome over studies, as booleans by outcome."""
    decided = np.array([decide(rule, centre, margin, ends)[0] for ends in zip(*interval, strict=True)])
    return {outcome: decided == outcome for outcome in Outcome}


def pooled(x, y, cluster=None):
    """Interval of the pooled Spearman correlation of arrays (study, block, unit)."""
    n = np.full(x.shape[1], x.shape[2])
    z, error = stats.pool(stats.fisher_z(stats.spearman(x, y), x.shape[2]), n, cluster)
    return stats.rho_interval(z, error, ALPHA)


def pearson_for(rho):
    """Pearson correlation of normal variables whose Spearman correlation is rho (Kruskal 1958)."""
    return 2 * np.sin(np.pi * rho / 6)


def correlated(seed, rho, *shape):
    """Normal variables with a given Spearman correlation."""
    x, e = studies(seed, *shape), studies(seed + 1, *shape)
    r = pearson_for(rho)
    return x, r * x + np.sqrt(1 - r**2) * e


NOISE = {
    "normal": lambda seed, n: studies(seed, n),
    "heavy tails": lambda seed, n: np.random.default_rng(seed).standard_t(3, (STUDIES, n)) / np.sqrt(3),
    "ties": lambda seed, n: np.round(studies(seed, n) * 2) / 2 + 1e-9 * studies(seed + 7, n),
}


class TestPairedDifference:
    @pytest.mark.parametrize("noise", NOISE)
    @pytest.mark.parametrize("n", [5, 8, 20])
    def test_no_difference_and_one_at_the_margin(self, noise, n):
        difference = NOISE[noise](n, n)
        null = outcomes("above", 0, 0.8, stats.stratified_mean(difference).interval(ALPHA))
        edge = outcomes("above", 0, 0.8, stats.stratified_mean(difference + 0.8).interval(ALPHA))
        assert at_most(null[Outcome.SUPPORTED], 1.5 * ALPHA)
        assert at_most(edge[Outcome.REFUTED], 1.5 * ALPHA)

    @pytest.mark.parametrize("n", [3, 5, 8, 20])
    def test_the_interval_covers_as_it_says(self, n):
        low, high = stats.stratified_mean(studies(n, n)).interval(ALPHA)
        missed = (low > 0) | (high < 0)
        # Exactly 2 alpha here.  The limits stand 5 standard errors (0.003) off, of which the bound takes 2.3.
        assert at_most(missed, 2.3 * ALPHA)
        assert at_least(missed, 1.7 * ALPHA)

    @pytest.mark.parametrize(("effect", "n"), [(0.8, 15), (1.0, 11), (1.5, 6)])
    def test_planted_effects_are_found_with_the_stated_power(self, effect, n):
        # The smallest n with 90 % power, by the noncentral t distribution; the rule's second clause costs
        # nothing at a margin of half the effect.
        mean = stats.stratified_mean(studies(n, n) + effect)
        assert at_least(outcomes("above", 0, effect / 2, mean.interval(ALPHA))[Outcome.SUPPORTED], 0.88)

    def test_strata_of_unequal_size_and_variance(self):
        codes = np.repeat([0, 1, 2], [3, 5, 12])
        spread, centre = np.array([5.0, 1, 0.2])[codes], np.array([-1.0, 0, 1])[codes]
        low, high = stats.stratified_mean(centre + spread * studies(1, 20), codes).interval(ALPHA)
        assert at_most(low > 0, 1.5 * ALPHA)
        assert at_most(high < 0, 1.5 * ALPHA)

    def test_samples_nested_in_seeds_are_no_units(self):
        # Ten seeds with 30 samples each; seeds differ with a third of the variance.  Samples as units are
        # wrong far too often, their means as units are right.
        values = studies(1, 10, 1) * np.sqrt(1 / 3) + studies(2, 10, 30) * np.sqrt(2 / 3)
        samples = stats.stratified_mean(values.reshape(STUDIES, 300)).interval(ALPHA)[0] > 0
        seeds = stats.stratified_mean(values.mean(axis=2)).interval(ALPHA)[0] > 0
        assert at_least(samples, 0.25)
        assert at_most(seeds, 1.5 * ALPHA)

    def test_sign_flips_under_the_null(self):
        rng = np.random.default_rng(0)
        p = np.array([stats.sign_flip_p(values, rng=rng) for values in studies(3, 8)[:2000]])
        assert at_most(p <= ALPHA, 1.5 * ALPHA)
        assert at_least(p <= ALPHA, 0.5 * ALPHA)


class TestCorrelation:
    @pytest.mark.parametrize(("blocks", "n"), [(1, 10), (1, 20), (1, 60), (6, 10), (15, 5)])
    def test_no_correlation_and_one_at_the_margin(self, blocks, n):
        null = outcomes("above", 0, 0.5, pooled(*correlated(n, 0.0, blocks, n)))
        edge = outcomes("above", 0, 0.5, pooled(*correlated(n, 0.5, blocks, n)))
        assert at_most(null[Outcome.SUPPORTED], 1.5 * ALPHA)
        assert at_most(edge[Outcome.REFUTED], 1.5 * ALPHA)

    @pytest.mark.parametrize("rho", [0.0, 0.5])
    @pytest.mark.parametrize("n", [10, 40])
    def test_the_interval_covers_as_it_says(self, rho, n):
        low, high = pooled(*correlated(n + 1, rho, 1, n))
        missed = (low > rho) | (high < rho)
        assert at_most(missed, 2.2 * ALPHA)
        assert at_least(missed, 1.2 * ALPHA)

    @pytest.mark.parametrize(("rho", "n"), [(0.5, 34), (0.7, 15), (0.8, 11)])
    def test_planted_correlations_are_found(self, rho, n):
        found = outcomes("above", 0, rho / 2, pooled(*correlated(n, rho, 1, n)))
        assert at_least(found[Outcome.SUPPORTED], 0.86)

    def test_ties(self):
        x, y = correlated(5, 0.0, 1, 20)
        assert at_most(pooled(np.round(x), np.round(y))[0] > 0, 1.5 * ALPHA)

    def test_regimes_with_shifted_means_are_blocks(self):
        # Three regimes of ten models shift both variables; within a regime nothing is related.
        x, y = correlated(9, 0.0, 3, 10)
        shift = np.array([0.0, 1.0, 2.0])[:, None]
        x, y = x + shift, y + shift
        together = pooled(x.reshape(STUDIES, 1, 30), y.reshape(STUDIES, 1, 30))[0] > 0
        assert at_least(together, 0.5)
        assert at_most(pooled(x, y)[0] > 0, 1.5 * ALPHA)

    def test_blocks_that_share_units_are_one_piece_of_evidence(self):
        # The same 20 models at two thresholds, whose success rates correlate at .9.
        x, y = correlated(11, 0.0, 1, 20)
        other = 0.9 * y + np.sqrt(1 - 0.81) * studies(13, 1, 20)
        x, y = np.concatenate([x, x], axis=1), np.concatenate([y, other], axis=1)
        assert at_least(pooled(x, y)[0] > 0, 1.6 * ALPHA)
        assert at_most(pooled(x, y, [0, 0])[0] > 0, 1.5 * ALPHA)

    def test_samples_nested_in_seeds_are_no_units(self):
        x = studies(21, 10, 1) + studies(22, 10, 20)
        y = studies(23, 10, 1) + studies(24, 10, 20)
        samples = pooled(x.reshape(STUDIES, 1, 200), y.reshape(STUDIES, 1, 200))[0] > 0
        seeds = pooled(x.mean(axis=2)[:, None], y.mean(axis=2)[:, None])[0] > 0
        assert at_least(samples, 0.2)
        assert at_most(seeds, 1.5 * ALPHA)


class TestNoCorrelation:
    @pytest.mark.parametrize(("blocks", "n"), [(1, 40), (6, 10)])
    def test_at_the_margin_and_beyond(self, blocks, n):
        for sign in (1, -1):
            edge = outcomes("within", 0, 0.4, pooled(*correlated(n, sign * 0.4, blocks, n)))
            assert at_most(edge[Outcome.SUPPORTED], 1.5 * ALPHA)
            assert at_most(edge[Outcome.REFUTED], 1.5 * ALPHA)

    @pytest.mark.parametrize(("margin", "n"), [(0.5, 39), (0.4, 64)])
    def test_absence_is_found_with_the_stated_power(self, margin, n):
        found = outcomes("within", 0, margin, pooled(*correlated(n, 0.0, 1, n)))
        assert at_least(found[Outcome.SUPPORTED], 0.86)


class TestCorrelationDifference:
    @staticmethod
    def interval(here, there, between, blocks, n):
        """Interval from normal variables (y, x here, x there) with given Spearman correlations."""
        a, b, c = map(pearson_for, (here, there, between))
        root = np.linalg.cholesky(np.array([[1, a, b], [a, 1, c], [b, c, 1]]))
        y, first, second = np.moveaxis(studies(n, blocks, n, 3) @ root.T, -1, 0)
        size = np.full(blocks, n)
        pairs = ((first, y), (second, y), (first, second))
        parts = [stats.pool(stats.fisher_z(stats.spearman(*pair), n), size) for pair in pairs]
        (z1, e1), (z2, e2), (z12, _) = parts
        return stats.difference_interval((z1, z2), (e1, e2), np.tanh(z12), sps.norm.ppf(1 - ALPHA))

    @pytest.mark.parametrize("between", [0.0, 0.6])
    @pytest.mark.parametrize(("blocks", "n"), [(1, 65), (6, 10)])
    def test_no_difference_and_one_at_the_margin(self, between, blocks, n):
        null = outcomes("above", 0, 0.3, self.interval(0.3, 0.3, between, blocks, n))
        edge = outcomes("above", 0, 0.3, self.interval(0.4, 0.1, between, blocks, n))
        assert at_most(null[Outcome.SUPPORTED], 1.5 * ALPHA)
        assert at_most(edge[Outcome.REFUTED], 1.5 * ALPHA)

    def test_coverage(self):
        low, high = self.interval(0.4, 0.1, 0.6, 1, 40)
        missed = (low > 0.3) | (high < 0.3)
        assert at_most(missed, 2.4 * ALPHA)
        assert at_least(missed, 1.4 * ALPHA)

    def test_significant_here_but_not_there_is_no_difference(self):
        # Equal correlations of .3 in 30 models: often one interval lies above zero and the other does not;
        # the difference is supported in one study of twenty.
        n = 30
        a = pearson_for(0.3)
        y, first, second = np.moveaxis(
            studies(2, n, 3) @ np.linalg.cholesky(np.array([[1, a, a], [a, 1, 0.2], [a, 0.2, 1]])).T, -1, 0
        )
        here, there = pooled(first[:, None], y[:, None])[0] > 0, pooled(second[:, None], y[:, None])[0] > 0
        assert at_least(here != there, 0.35)
        supported = outcomes("above", 0, 0.3, self.interval(0.3, 0.3, 0.2, 1, n))[Outcome.SUPPORTED]
        assert at_most(supported, 1.5 * ALPHA)


class TestPerSampleCorrelation:
    @staticmethod
    def course(seed, units, samples, epochs, memory=0.9):
        """Stationary autoregressive courses of shape (study, unit, sample, epoch)."""
        noise = np.random.default_rng(seed).standard_normal((2000, units, samples, epochs))
        for t in range(1, epochs):
            noise[..., t] = memory * noise[..., t - 1] + np.sqrt(1 - memory**2) * noise[..., t]
        return noise

    def test_slow_courses_are_no_evidence_within_a_unit(self):
        x, y = self.course(1, 8, 4, 10), self.course(2, 8, 4, 10)
        z = stats.fisher_z(stats.spearman(x, y), 10)
        units = stats.stratified_mean(z.mean(axis=-1)).interval(ALPHA)[0] > 0
        rows = stats.fisher_z(stats.spearman(x.reshape(2000, -1), y.reshape(2000, -1)), 320)
        pooled_rows = np.tanh(rows - sps.norm.ppf(1 - ALPHA) * stats.z_error(rows, 320)) > 0
        assert at_most(units, 1.5 * ALPHA)
        assert at_least(pooled_rows, 0.2)

    def test_samples_that_share_the_unit_are_no_evidence(self):
        # Every unit has its own correlation, shared by its samples, zero on average.
        z = 0.5 * studies(3, 8, 1) + 0.3 * studies(4, 8, 32)
        assert at_most(stats.stratified_mean(z.mean(axis=2)).interval(ALPHA)[0] > 0, 1.5 * ALPHA)
        assert at_least(stats.stratified_mean(z.reshape(STUDIES, -1)).interval(ALPHA)[0] > 0, 0.25)


class TestProportion:
    @pytest.mark.parametrize("n", [5, 10, 40, 200])
    @pytest.mark.parametrize(("exceeds", "margin"), [(0.5, 0.2), (0.8, 0.1), (0.9, 0.1)])
    def test_exact_error_rates(self, n, exceeds, margin):
        decided = [
            decide("above", exceeds, margin, stats.share_interval(yes, n, ALPHA))[0] for yes in range(n + 1)
        ]
        null, edge = Counter(), Counter()
        for yes, outcome in enumerate(decided):
            null[outcome] += sps.binom.pmf(yes, n, exceeds)
            edge[outcome] += sps.binom.pmf(yes, n, exceeds + margin)
        assert null[Outcome.SUPPORTED] <= ALPHA
        assert edge[Outcome.REFUTED] <= ALPHA


class TestScalingExponent:
    @pytest.mark.parametrize("n", [5, 10])
    def test_at_the_tolerance(self, n):
        for edge in (0.6, 0.4):
            slopes = edge + 0.05 * np.random.default_rng(n).standard_t(4, (STUDIES, n))
            decided = outcomes("within", 0.5, 0.1, stats.stratified_mean(slopes).interval(ALPHA))
            assert at_most(decided[Outcome.SUPPORTED], 1.5 * ALPHA)
            assert at_most(decided[Outcome.REFUTED], 1.5 * ALPHA)


class TestConjunction:
    def test_support_needs_no_correction(self):
        # One part at its null, the other far above: the worst case for an intersection-union test.
        low = [stats.stratified_mean(studies(seed, 10) + shift).interval(ALPHA)[0]
               for seed, shift in ((1, 0.0), (2, 3.0))]  # fmt: skip
        assert at_most((low[0] > 0) & (low[1] > 0), 1.5 * ALPHA)
