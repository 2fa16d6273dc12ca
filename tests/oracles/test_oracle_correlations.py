"""Correlations against scipy, and against a published interval."""

import numpy as np
import pytest
from scipy import stats as sps
from zou import zou

from harness import stats


def test_zous_published_example():
    # Zou 2007, p. 409: r = .396 and .179, r12 = .088, n = 66: (-.093, .517) at 95 %.
    error = np.full(2, 1 / np.sqrt(63))
    assert zou(np.arctanh([0.396, 0.179]), error, 0.088, sps.norm.ppf(0.975)) == pytest.approx((-0.093, 0.517), abs=5e-4)


@pytest.mark.parametrize("seen", [(0.5, 0.1, 0.3), (0.7, 0.6, 0.8), (-0.2, 0.4, 0.0)])
def test_many_units_are_zous_interval(seen):
    n = 20_000
    first, second = (stats.pool(np.arctanh([r]), [n]) for r in seen[:2])
    error = np.sqrt((1 + np.square(seen[:2]) / 2) / (n - 3))
    expected = zou(np.arctanh(seen[:2]), error, seen[2], sps.norm.ppf(0.95))
    assert np.ptp(expected) > 0.01
    assert stats.Overlapping(first, second, seen[2]).interval(0.05) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("alternative", ["greater", "less"])
def test_permutations_are_scipys(alternative):
    rng = np.random.default_rng(3)
    x = rng.normal(size=15)
    y = 0.4 * x + rng.normal(size=15)
    result = sps.permutation_test(
        (x,), lambda each: sps.spearmanr(each, y).statistic, permutation_type="pairings", alternative=alternative,
        n_resamples=20_000, vectorized=False, rng=rng,
    )  # fmt: skip
    p = stats.permutation_p([x], [y], [np.arange(15)], 1 if alternative == "greater" else -1, rng=rng)
    # Four standard errors of the difference of 9,999 and 20,000 draws.
    assert abs(p - result.pvalue) < 4 * np.sqrt(p * (1 - p) * (1 / 9_999 + 1 / 20_000))


@pytest.mark.parametrize("n", [12, 40])
def test_no_correlation_is_scipys_t_test(n):
    # scipy: t = r sqrt((n - 2) / (1 - r^2)).  Both are approximations to the exact distribution of ranks; at p = 0.01 and more
    # they agree within a tenth.
    x, e = np.random.default_rng(4).standard_normal((2, 200, n))
    y = 0.3 * x + e
    ours = stats.pool(stats.fisher_z(stats.spearman(x, y), n)[:, None], [n]).above(0.0)
    scipys = np.array([sps.spearmanr(a, b, alternative="greater").pvalue for a, b in zip(x, y, strict=True)])
    told = (scipys > 0.01) & (scipys < 0.5)
    assert told.sum() > 80
    assert np.allclose(ours[told], scipys[told], rtol=0.1)
