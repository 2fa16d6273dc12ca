"""Known answers of every confidence, and the duality of its p values and intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as sps

from harness import stats

ALPHAS = (0.005, 0.05, 0.2)


def overlapping(r1, r2, r12, n):
    first, second = (stats.pool(np.arctanh([r]), [n]) for r in (r1, r2))
    return stats.Overlapping(first, second, r12)


CONTINUOUS = {
    "t": stats.Student(0.4, 0.2, 7),
    "normal": stats.Student(-1.3, 0.5),
    "fisher": stats.Student(0.5, 0.2, 9, link="fisher"),
    "ranked": stats.pool([0.6], [20]),
    "ranked, blocks": stats.pool([0.6, -0.1, 0.3], [5, 9, 16], [0, 0, 1]),
    "overlapping": overlapping(0.6, 0.1, 0.5, 40),
    "overlapping, small": overlapping(0.8, 0.7, 0.1, 8),
    "blurred": stats.Blurred(stats.Student(0.4, 0.2, 7), 0.1),
    "least of one": stats.Least((stats.Student(0.4, 0.2, 7),)),
    "least of three": stats.Least(tuple(stats.Student(mean, 0.2, 7) for mean in (0.4, 0.5, 1.4))),
}


class TestDuality:
    @pytest.mark.parametrize("alpha", ALPHAS)
    @pytest.mark.parametrize("name", CONTINUOUS)
    def test_an_end_of_the_interval_has_p_alpha(self, name, alpha):
        found = CONTINUOUS[name]
        low, high = found.interval(alpha)
        assert float(found.above(float(low))) == pytest.approx(alpha, abs=1e-7)
        assert float(found.below(float(high))) == pytest.approx(alpha, abs=1e-7)

    @pytest.mark.parametrize("name", CONTINUOUS)
    def test_inside_it_neither_side_is_rejected_and_outside_one_is(self, name):
        found = CONTINUOUS[name]
        low, high = map(float, found.interval(0.05))
        for value in np.linspace(low - 0.3, high + 0.3, 41):
            if min(abs(value - low), abs(value - high)) > 1e-6 and abs(value) < 1:
                assert (found.above(value) > 0.05) == (value > low), value
                assert (found.below(value) > 0.05) == (value < high), value

    @pytest.mark.parametrize("name", CONTINUOUS)
    def test_p_is_monotone_in_the_value_and_intervals_are_nested(self, name):
        found = CONTINUOUS[name]
        p = np.array([float(found.above(value)) for value in np.linspace(-0.95, 0.95, 50)])
        assert (np.diff(p) >= -1e-12).all()
        ends = [tuple(map(float, found.interval(alpha))) for alpha in ALPHAS]
        assert ends[0][0] <= ends[1][0] <= ends[2][0] <= float(found.effect)
        assert ends[0][1] >= ends[1][1] >= ends[2][1]

    @given(st.integers(0, 60), st.integers(5, 60), st.floats(0.01, 0.99))
    def test_of_a_share(self, yes, n, value):
        found = stats.Share(min(yes, n), n)
        low, high = found.interval(0.05)
        if abs(value - low) > 1e-9 and abs(value - high) > 1e-9:
            assert (found.above(value) < 0.05) == (value < low)
            assert (found.below(value) < 0.05) == (value > high)

    @pytest.mark.parametrize("name", CONTINUOUS)
    @pytest.mark.parametrize("margin", [0.1, 0.3, 0.6, 0.9])
    def test_equivalence_is_an_interval_inside(self, name, margin):
        found = CONTINUOUS[name]
        low, high = found.interval(0.05)
        assert (found.within(0, margin) < 0.05) == (-margin < low and high < margin)


class TestStudent:
    def test_it_is_the_one_sample_t_test(self):
        values = np.random.default_rng(0).normal(0.5, 1, 12)
        found = stats.stratified_mean(values).confidence
        for value in (0.0, 0.4, 1.0):
            assert found.above(value) == pytest.approx(sps.ttest_1samp(values, value, alternative="greater").pvalue)
            assert found.below(value) == pytest.approx(sps.ttest_1samp(values, value, alternative="less").pvalue)
        expected = sps.ttest_1samp(values, 0).confidence_interval(0.9)
        assert found.interval(0.05) == pytest.approx((expected.low, expected.high))

    def test_fishers_interval_of_a_pearson_correlation_is_scipys(self):
        x, e = np.random.default_rng(1).standard_normal((2, 30))
        result = sps.pearsonr(x, x + e)
        found = stats.Student(np.arctanh(result.statistic), 1 / np.sqrt(27), link="fisher")
        expected = result.confidence_interval(0.9)
        assert found.interval(0.05) == pytest.approx((expected.low, expected.high))
        assert found.effect == pytest.approx(result.statistic)

    def test_a_correlation_is_never_beyond_one(self):
        found = stats.Student(2.0, 0.5, link="fisher")
        assert (found.above(1.0), found.below(1.0)) == (1.0, 0.0)
        assert (found.above(-1.2), found.below(1.2)) == (0.0, 0.0) or found.below(1.2) == found.below(1.0)

    def test_the_error_shrinks_with_the_root_of_the_units(self):
        found = stats.Student(0.4, 0.2, 9).resized(10, 40)
        assert (found.error, found.freedom) == (pytest.approx(0.1), 39)


class TestShare:
    @pytest.mark.parametrize(("yes", "n"), [(0, 9), (3, 10), (20, 20), (57, 60)])
    def test_clopper_pearson_by_its_beta_quantiles(self, yes, n):
        low, high = stats.Share(yes, n).interval(0.05)
        assert low == pytest.approx(sps.beta.ppf(0.05, yes, n - yes + 1) if yes else 0)
        assert high == pytest.approx(sps.beta.ppf(0.95, yes + 1, n - yes) if yes < n else 1)

    @pytest.mark.parametrize(("yes", "n"), [(0, 9), (3, 10), (20, 20), (57, 60)])
    def test_it_is_scipys_exact_test_and_interval(self, yes, n):
        found = stats.Share(yes, n)
        assert found.above(0.7) == pytest.approx(sps.binomtest(yes, n, 0.7, alternative="greater").pvalue)
        assert found.below(0.7) == pytest.approx(sps.binomtest(yes, n, 0.7, alternative="less").pvalue)
        expected = sps.binomtest(yes, n).proportion_ci(0.9, "exact")
        assert found.interval(0.05) == pytest.approx((expected.low, expected.high))

    def test_p_and_interval_agree(self):
        for n in (5, 12, 40):
            yes = np.arange(n + 1)
            found = stats.Share(yes, n)
            assert ((found.interval(0.05)[0] > 0.7) == (found.above(0.7) < 0.05)).all()


class TestLeast:
    PARTS = (stats.Student(0.4, 0.2, 7), stats.Student(0.9, 0.2, 7), stats.Student(0.5, 0.1, 7))

    def test_support_needs_every_part_and_no_correction(self):
        found = stats.Least(self.PARTS)
        assert found.effect == 0.4
        assert found.above(0) == max(part.above(0) for part in self.PARTS)
        assert found.interval(0.05)[0] == min(part.interval(0.05)[0] for part in self.PARTS)

    def test_refutation_is_corrected_for_the_number_of_parts(self):
        found = stats.Least(self.PARTS)
        assert found.below(0.6) == pytest.approx(3 * min(part.below(0.6) for part in self.PARTS))
        assert found.below(0.1) == 1
        assert found.interval(0.05)[1] == min(part.interval(0.05 / 3)[1] for part in self.PARTS)

    def test_one_part_is_itself(self):
        share = stats.Share(17, 20)
        assert stats.Least((share,)).interval(0.05) == share.interval(0.05)


class TestBlurred:
    def test_the_interval_is_wider_by_the_reach_at_both_ends(self):
        sharp = stats.Student(3.0, 0.2, 7)
        found = stats.Blurred(sharp, 0.5)
        assert found.effect == 3.0
        assert found.interval(0.05) == pytest.approx(np.add(sharp.interval(0.05), (-0.5, 0.5)))

    def test_no_number_of_units_makes_it_better_known(self):
        found = stats.Blurred(stats.Student(3.0, 0.2, 7), 0.5).resized(8, 8_000_000)
        assert found.interval(0.05) == pytest.approx((2.5, 3.5), abs=1e-3)


class TestEquivalence:
    def test_p_and_interval_agree(self):
        values = np.random.default_rng(0).normal(0, 1, (200, 12))
        found = stats.stratified_mean(values).confidence
        low, high = found.interval(0.05)
        inside = (low > -0.7) & (high < 0.7)
        assert 20 < inside.sum() < 180
        assert (inside == (found.within(0, 0.7) < 0.05)).all()


@pytest.mark.parametrize("make", [
    lambda z: stats.Student(z, 0.2, 7),
    lambda z: stats.Student(z, 0.2, link="fisher"),
    lambda z: stats.pool(np.stack([z, z + 0.1], axis=-1), [8, 20]),
    lambda z: stats.Overlapping(stats.pool(z[..., None], [20]), stats.pool(0 * z[..., None], [20]), 0.3 + 0 * z),
    lambda z: stats.Least((stats.Student(z, 0.2, 7), stats.Student(z + 0.1, 0.2, 7))),
    lambda z: stats.Blurred(stats.Student(z, 0.2, 7), 0.1),
])  # fmt: skip
def test_studies_in_one_array_are_the_studies_alone(make):
    z = np.linspace(-1.5, 1.5, 6).reshape(2, 3)
    together = make(z)
    low, high = together.interval(0.05)
    assert low.shape == together.effect.shape == together.above(0.2).shape == (2, 3)
    for at in np.ndindex(2, 3):
        alone = make(z[at])
        assert (low[at], high[at]) == pytest.approx(tuple(map(float, alone.interval(0.05))))
        assert together.above(0.2)[at] == pytest.approx(float(alone.above(0.2)))
        assert together.below(0.2)[at] == pytest.approx(float(alone.below(0.2)))
