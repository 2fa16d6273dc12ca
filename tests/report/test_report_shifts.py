"""How far chance moves an effect between two runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.report.causes import half_widths, in_half_widths, shift


def row(effect: float, low: float | None, high: float | None, alpha: float | None = 0.05) -> dict[str, Any]:
    return {"effect": effect, "interval": [low, high], "alpha": alpha}


class TestHalfWidths:
    def test_variances_of_two_runs_add(self) -> None:
        assert half_widths(row(0, -3, 3), row(1, -3, 5)) == pytest.approx((5, 5, 0.9))

    def test_halves_that_face_each_other_count(self) -> None:
        # upwards: the old interval's upper half, 3, and the new one's lower half, 4
        down, up, _ = half_widths(row(0, -1, 3), row(10, 6, 11))
        assert (down, up) == pytest.approx((math.hypot(1, 1), 5))

    def test_levels_are_brought_to_the_higher(self) -> None:
        wider = stats.norm.isf(0.005) / stats.norm.isf(0.05)
        down, _, level = half_widths(row(0, -1, 1), row(0, -2, 2, alpha=0.005))
        assert (down, level) == pytest.approx((math.hypot(wider, 2), 0.99))

    def test_an_unbounded_end_explains_everything_on_its_side(self) -> None:
        down, up, _ = half_widths(row(0, -1, None), row(0, -1, 1))
        assert (down, up) == pytest.approx((math.sqrt(2), math.inf))
        assert not shift(row(0, -1, None), row(99, 98, 100), independent=True).beyond
        assert shift(row(0, -1, None), row(-9, -10, -8), independent=True).beyond


class TestShift:
    def test_a_difference_at_the_end_of_the_interval_has_the_p_of_its_level(self) -> None:
        found = shift(row(0, -3, 3), row(5, 1, 9), independent=True)
        assert (found.difference, found.interval) == (5, (-5, 5))
        assert not found.beyond
        assert found.p == pytest.approx(0.1)
        assert shift(row(0, -3, 3), row(-5.01, -9.01, -1.01), independent=True).beyond

    def test_the_same_networks_have_no_prediction_interval(self) -> None:
        found = shift(row(0, -1, 1), row(9, 8, 10), independent=False)
        assert (found.interval, found.p, found.beyond) == (None, None, False)

    def test_numbers_without_error_differ_or_do_not(self) -> None:
        assert shift(row(1, 1, 1), row(2, 2, 2), independent=True).p == 0
        assert shift(row(1, 1, 1), row(1, 1, 1), independent=True).p == 1

    @pytest.mark.parametrize("n", [8, 30])
    def test_two_runs_of_one_truth_lie_beyond_it_no_more_often_than_it_says(self, n: int) -> None:
        """One of ten, for normal means of unequal spread; within 3.3 standard errors of 4,000 runs (0.016).

        The larger spread rules, so that its t interval is nearly the whole of the prediction interval.
        """
        rng = np.random.default_rng(4)
        beyond = []
        for _ in range(4000):
            both = []
            for spread in (1.0, 3.0):
                x = rng.normal(0, spread, n)
                half = stats.t.isf(0.05, n - 1) * x.std(ddof=1) / math.sqrt(n)
                both.append(row(x.mean(), x.mean() - half, x.mean() + half))
            beyond.append(shift(both[0], both[1], independent=True).beyond)
        assert np.mean(beyond) == pytest.approx(0.10, abs=0.016)

    def test_finds_a_planted_shift(self) -> None:
        """Intervals of normal estimates with standard error 1, and a shift of 6: z is 6 / √2."""
        half = stats.norm.isf(0.05)
        found = shift(row(0, -half, half), row(6, 6 - half, 6 + half), independent=True)
        assert found.p == pytest.approx(2 * stats.norm.sf(6 / math.sqrt(2)))


@pytest.mark.parametrize(
    ("given", "expected"), [(row(0, -2, 2), 1.5), (row(0, 0, 0), 3), (row(0, None, 1), 3), ({"effect": 0, "interval": None}, 3)]
)
def test_differences_in_half_widths(given: dict[str, Any], expected: float) -> None:
    assert in_half_widths(-3, given) == pytest.approx(expected)
