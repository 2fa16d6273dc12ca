"""P values that are shown beside the interval: under the null no more than alpha of them are alpha or less."""

import numpy as np
import pytest

from harness import stats

from .cells import ALPHA, Rate, generator

STUDIES = 2_000


def sign_flips(rng):
    return stats.sign_flip_p(rng.standard_normal(8), rng=rng)


def sign_flips_by_stratum(rng):
    sizes = np.array([3, 5, 12])
    codes = np.repeat(np.arange(3), sizes)
    return stats.sign_flip_p(np.array([5.0, 1, 0.2])[codes] * rng.standard_normal(20), (1 / sizes)[codes], rng=rng)


def permutations(rng):
    return stats.permutation_p([rng.standard_normal(10)], [rng.standard_normal(10)], [np.arange(10)], 1, rng=rng)


def permutations_of_shared_units(rng):
    x, y, more = rng.standard_normal((3, 10))
    return stats.permutation_p([x, x], [y, 0.9 * y + 0.44 * more], [np.arange(10)] * 2, 1, rng=rng)


def labels(rng):
    return stats.label_p(rng.standard_normal(14), np.arange(14) < 6, rng=rng)


def pairings(rng):
    x, y = (np.linspace(-1, 1, 12) + rng.standard_normal((8, 12)) for _ in range(2))
    return stats.pairing_p(stats.between_units(x, y), 1, rng=rng)


@pytest.mark.parametrize("p", [sign_flips, sign_flips_by_stratum, permutations, permutations_of_shared_units, labels, pairings])
def test_it_holds_its_level(p, monkeypatch):
    # Monte-Carlo p of the form (b + 1) / (B + 1) is valid for any B; a small one keeps this quick.
    for module in ("means", "correlations", "permutation"):
        monkeypatch.setattr(f"harness.stats.{module}.RESAMPLES", 299)
    rng = generator("p values", p.__name__)
    rate = Rate(float(np.mean([p(rng) <= ALPHA for _ in range(STUDIES)])), STUDIES)
    assert rate.at_most(1.5 * ALPHA)
    assert rate.at_least(0.5 * ALPHA)


def test_blocks_that_differ_by_chance_are_said_to():
    # Cochran's Q on Spearman's z of six blocks of ten; its errors make it find too few differences, never too many.
    rng = generator("blocks")
    x, e = rng.standard_normal((2, 10_000, 6, 10))
    z = stats.fisher_z(stats.spearman(x, 0.5 * x + e), 10)
    rate = Rate(float(np.mean(stats.cochran_q(z, stats.z_error(z, 10)) <= ALPHA)), 10_000)
    assert rate.at_most(1.5 * ALPHA)
    differing = np.where(np.arange(6)[:, None] < 3, 1.0, -1.0) * x + 0.5 * e
    z = stats.fisher_z(stats.spearman(x, differing), 10)
    assert (stats.cochran_q(z, stats.z_error(z, 10)) <= ALPHA).mean() > 0.95
