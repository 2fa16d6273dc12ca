"""What is read off curves, and whether a mean curve has a peak."""

import numpy as np
import pytest
from scipy import signal
from scipy import stats as sps

from harness import stats

CURVES = np.random.default_rng(0).standard_normal((200, 15)).cumsum(axis=-1)


def scipy_peak(curve):
    """Place, prominence and width (in points) of the most prominent peak; None without one."""
    places, _ = signal.find_peaks(curve)
    if not len(places):
        return None
    sizes = signal.peak_prominences(curve, places)[0]
    best = int(sizes.argmax())
    return places[best], sizes[best], signal.peak_widths(curve, places[best : best + 1], 0.5)[0][0]


def test_a_summit_is_the_most_prominent_peak_of_scipy():
    top = stats.summit(CURVES)
    width = stats.summit_width(np.arange(15), CURVES, top)
    for i, curve in enumerate(CURVES):
        expected = scipy_peak(curve)
        assert (expected is None) == (top.prominence[i] <= 0) == np.isnan(width[i])
        if expected is not None:
            assert (top.place[i], top.prominence[i], width[i]) == pytest.approx(expected)


def test_a_summit_lies_between_its_lows():
    top = stats.summit([3.0, 1.0, 2.0, 5.0, 4.0, 0.0, 9.0])
    assert (top.place, top.before, top.after, top.prominence) == (3, 1, 5, 4.0)
    assert stats.summit([1.0, 2.0, 3.0, 4.0]).prominence < 0
    assert stats.summit([2.0, 2.0, 2.0]).prominence == 0
    assert stats.summit([0.0, 1.0, 0.0, 1.0, 0.0]).place == 1


def test_a_width_is_measured_in_x():
    x, y = np.array([0.0, 1.0, 2.0, 6.0]), np.array([0.0, 0.0, 2.0, 0.0])
    assert stats.summit_width(x, y, stats.summit(y)) == pytest.approx(0.5 + 2)


def test_a_change_is_the_best_of_all_splits():
    found = stats.change(CURVES)
    for i, curve in enumerate(CURVES):
        error = [curve[:s].var() * s + curve[s:].var() * (15 - s) for s in range(1, 15)]
        place = 1 + int(np.argmin(error))
        assert found.place[i] == place
        assert (found.before[i], found.after[i]) == pytest.approx((curve[:place].mean(), curve[place:].mean()))


def test_the_width_of_a_change_runs_from_a_tenth_to_nine_tenths():
    x = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    step = np.array([0.0, 0.0, 1.0, 1.0, 1.0])
    assert stats.change_width(x, step, stats.change(step)) == pytest.approx(0.8 * 2)
    for curve in (5 - 3 * step, 1e-6 * step):
        assert stats.change_width(x, curve, stats.change(curve)) == pytest.approx(0.8 * 2)
    ramp = np.array([0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0])
    split = stats.change(ramp)  # levels 0 and 0.875: from 0.0875 on the first half of the ramp to 0.7875 on the second
    assert (split.place, split.before, split.after) == (3, 0.0, 0.875)
    assert stats.change_width(np.arange(7), ramp, split) == pytest.approx(3 + 0.2875 / 0.5 - (2 + 0.0875 / 0.5))
    assert np.isnan(stats.change_width(x, np.ones(5), stats.change(np.ones(5))))


def test_widths_of_changes_are_never_negative():
    assert (stats.change_width(np.arange(15), CURVES, stats.change(CURVES)) >= 0).all()


def test_a_curve_has_settled_where_it_stays():
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    curves = np.array([[0, 10, 9.5, 9.3, 10], [0, 10, 0, 10, 10], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]])
    assert list(stats.settled_at(x, curves)) == [2, 4, 1, 5]


def test_a_mean_height_is_an_area_by_its_base():
    assert stats.mean_height([0.0, 1.0, 3.0], [[0.0, 1.0, 1.0], [2.0, 2.0, 2.0]]) == pytest.approx([2.5 / 3, 2])


def test_half_a_step_is_that_of_the_longer_side():
    assert list(stats.half_step([0.0, 1.0, 3.0, 4.0, 4.5], np.array([1, 2, 3]))) == [1.0, 1.0, 0.5]


def test_slopes_are_those_of_linregress():
    x, y = CURVES[:5], CURVES[5:10]
    assert stats.slope(x, y) == pytest.approx([sps.linregress(a, b).slope for a, b in zip(x, y, strict=True)])


def test_detrended_series():
    time = np.array([0.0, 1.0, 2.0, 4.0, 8.0])
    assert list(stats.detrended(time, [1.0, 2.0, 4.0, 8.0, 16.0], "difference")) == [1, 2, 4, 8]
    assert stats.detrended(time, 3 - 2 * time, "linear") == pytest.approx(np.zeros(5), abs=1e-12)
    assert stats.detrended(np.arange(15), CURVES, "linear") == pytest.approx(signal.detrend(CURVES))


def test_between_units_every_pair_is_spearmans():
    x, y = np.round(CURVES[:4]), CURVES[4:8]
    z = stats.between_units(x, y)
    for i in range(4):
        for j in range(4):
            assert np.tanh(z[i, j]) == pytest.approx(sps.spearmanr(x[i], y[j]).statistic)
    assert stats.between_units(np.stack([x, y]), np.stack([y, x]))[0] == pytest.approx(z)


# Whether a mean curve has a peak.  Each rate is bounded by the exact one-sided 99 % binomial limit.

ALPHA, STUDIES = 0.05, 4_000


def noise(units, points, seed=0, memory=0.0, studies=STUDIES):
    """Normal curves of variance 1, of neighbours that correlate by ``memory``: shape (study, unit, point)."""
    rng = np.random.default_rng([seed, units, points])
    shocks = rng.standard_normal((studies, units, points))
    curves = shocks.copy()
    for i in range(1, points):
        curves[..., i] = memory * curves[..., i - 1] + np.sqrt(1 - memory**2) * shocks[..., i]
    return curves


def at_most(errors, limit):
    return sps.binomtest(int(np.sum(errors)), np.size(errors)).proportion_ci(0.98, "exact").high <= limit


SHAPES = {
    "flat": lambda x: 0 * x,
    "rising": lambda x: 3 * x,
    "up and level": lambda x: np.minimum(8 * x, 4),
    "a step, then level": lambda x: 50 * (x > 0),
    "a valley": lambda x: 3 * np.abs(x - 0.5),
}


@pytest.mark.parametrize("memory", [0.0, 0.9])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("units", [5, 8, 20])
def test_no_peak_is_found_where_there_is_none(shape, units, memory):
    curves = noise(units, 12, memory=memory) + SHAPES[shape](np.linspace(0, 1, 12))
    low, _ = stats.prominence(curves).interval(ALPHA)
    assert at_most(low > 0, 1.5 * ALPHA)


@pytest.mark.parametrize("memory", [0.0, 0.9])
@pytest.mark.parametrize("units", [5, 20])
def test_small_peaks_on_both_slopes_of_a_valley_are_no_peak(units, memory):
    # Noise makes one peak with a large rise on one slope, and another with a large fall on the other: their means are both
    # above 0, but not the mean of the smaller sides.
    curves = noise(units, 30, memory=memory, studies=2_000) + 6 * np.abs(np.linspace(-0.5, 0.5, 30))
    sides = stats.peak_sides(curves)
    assert min(sides.rise.mean(), sides.fall.mean()) > 0 > sides.lesser.mean()
    low, _ = stats.prominence(curves).lesser.interval(ALPHA)
    assert at_most(low > 0, ALPHA)


def leave_one_out(curves):
    """Falls from the peak at places that all other units chose."""
    n = curves.shape[-2]
    top = stats.summit((curves.sum(axis=-2, keepdims=True) - curves) / (n - 1))
    return np.where(top.prominence > 0, stats.pick(curves, top.place) - stats.pick(curves, top.after), 0)


@pytest.mark.parametrize("units", [5, 20])
def test_leaving_out_one_unit_would_find_peaks_where_there_are_none(units):
    curves = noise(units, 12) + 50 * (np.arange(12) > 0)
    low, _ = stats.stratified_mean(leave_one_out(curves)).interval(ALPHA)
    assert 0.10 < np.mean(low > 0) < 0.25
    assert np.mean(stats.prominence(curves).interval(ALPHA)[0] > 0) < 0.06


@pytest.mark.parametrize("units", [5, 8, 20])
@pytest.mark.parametrize("edge", [0, 3])
def test_a_peak_as_large_as_the_margin_is_not_refuted(units, edge):
    margin = 0.8
    shape = np.minimum(edge * np.arange(12) / 6, edge) + margin * (np.arange(12) == 6)
    shape[7:] = edge if edge else 0
    _, high = stats.prominence(noise(units, 12) + shape).interval(ALPHA)
    assert at_most(high < margin, ALPHA)


def test_a_clear_peak_is_found():
    curves = noise(8, 12) + 3 * np.exp(-(((np.arange(12) - 6) / 2) ** 2))
    low, high = stats.prominence(curves).interval(ALPHA)
    assert not at_most((low > 0) & (high >= 1), 0.95)


def test_a_steep_rise_is_refuted():
    curves = noise(8, 6) + 10 * np.arange(6)
    low, high = stats.prominence(curves).interval(ALPHA)
    assert at_most(high >= 1, 0.01)
    assert (low <= 0).all()


def test_studies_are_judged_one_by_one_or_all_at_once():
    curves = noise(6, 7, studies=5) + np.array([0, 0, 0, 2, 0, 0, 0])
    together = stats.prominence(curves)
    for i, one in enumerate(map(stats.prominence, curves)):
        assert one.effect == pytest.approx(together.effect[i])
        assert one.interval(0.05) == pytest.approx(tuple(end[i] for end in together.interval(0.05)))
        for value in (-1.0, 0.0, 0.5, 3.0):
            assert (one.above(value), one.below(value)) == pytest.approx((together.above(value)[i], together.below(value)[i]))
    values = np.linspace(0, 2, 5)
    assert together.below(values) == pytest.approx([together.below(value)[i] for i, value in enumerate(values)])


def test_the_prominence_of_curves_without_noise_is_a_number():
    peaks = stats.prominence(np.tile([0.0, 1.0, 3.0, 1.0, 0.0], (6, 1)))
    assert peaks.effect == 3
    assert peaks.interval(0.05) == pytest.approx((3, 3))
    rising = stats.prominence(np.tile([0.0, 1.0, 2.0, 3.0], (6, 1)))
    assert (rising.effect, rising.interval(0.05)[1]) == (0, 0)
    assert rising.below(0.1) == 0 < 0.4 < rising.above(0)


def test_more_units_make_a_peak_better_known():
    small = stats.prominence(noise(8, 7, studies=1)[0] + np.array([0, 0, 0, 3, 0, 0, 0]))
    large = small.resized(8, 32)
    assert large.effect == small.effect
    assert np.diff(large.interval(0.05))[0] < 0.6 * np.diff(small.interval(0.05))[0]
    planned = small.approximate(0.05)  # the smaller side, as of half as many units
    assert planned.estimate == pytest.approx(small.effect)
    assert float(planned.freedom) == (8 / 2) - 1
    assert planned.interval(0.05)[0] < small.interval(0.05)[0]
