"""Where a curve is shown to be flat, where it is shown not to be, and where neither."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.stats.plateaus import plateau

PLACES = np.geomspace(0.1, 1000, 13)


def flat_between(low: float, high: float) -> np.ndarray:
    """1 between two places, and away from them a power of the distance, rising to the left and falling to the right."""
    return np.where(low > PLACES, (low / PLACES) ** 0.5, np.where(high < PLACES, (high / PLACES) ** 0.5, 1.0))


@pytest.mark.parametrize(("low", "high"), [(0.1, 1.0), (0.1, 1000.0), (1.0, 100.0), (2.154434690, 46.41588834), (100, 1000)])
def test_the_flat_stretch_is_found(low: float, high: float) -> None:
    curve = flat_between(low * 0.999, high * 1.001)
    found = plateau(PLACES, np.stack([curve, 3 * curve]), np.full((2, 13), 1e-3), tolerance=0.15)
    assert found.verdict == "plateau"
    assert found.first is not None
    assert found.last is not None
    assert (PLACES[found.first], PLACES[found.last]) == pytest.approx((low, high))
    assert found.mean == pytest.approx(2)
    assert found.change == pytest.approx(0, abs=1e-9)
    assert 0 < found.bound < 0.15


def test_a_factor_less_than_the_span_is_no_plateau() -> None:
    curve = flat_between(1.0, 10 ** (2 / 3))
    assert plateau(PLACES, curve[None], np.full((1, 13), 1e-3), tolerance=0.15).verdict == "none"


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_errors_decide_between_shown_and_undecided_and_units_do_not(scale: float) -> None:
    curve = scale * flat_between(1.0, 100.0)[None]
    verdicts = [plateau(PLACES, curve, np.full((1, 13), scale * error), tolerance=0.15).verdict
                for error in (0.0, 0.05, 0.08, 1.0)]  # fmt: skip
    assert verdicts == ["plateau", "plateau", "undecided", "undecided"]  # 1.645 √2 error against 0.15
    slope = scale * PLACES[None] ** -0.2
    verdicts = [plateau(PLACES, slope, np.full((1, 13), scale * error), tolerance=0.15).verdict
                for error in (0.0, 0.02, 0.5)]  # fmt: skip
    assert verdicts == ["none", "none", "undecided"]


def test_a_drift_of_small_steps_is_seen_by_its_ends() -> None:
    """Each step is far below the tolerance: the whole is not."""
    places = np.geomspace(1, 10, 200)
    assert plateau(places, (places**-0.2)[None], np.full((1, 200), 1e-6), tolerance=0.15).verdict == "none"


def test_flat_curves_are_called_flat_and_sloping_ones_hardly_ever() -> None:
    """Where the ends differ by exactly the tolerance, no more than 5 % are called flat."""
    draw = np.random.default_rng(1)
    places = np.geomspace(1, 10, 4)
    edge = 1 + 0.15 * np.array([0.5, 0.2, -0.2, -0.5])
    verdicts = {"edge": 0, "flat": 0}
    for _ in range(400):
        for name, curve in (("edge", edge), ("flat", np.ones(4))):
            noisy = curve + 0.02 * draw.standard_normal((5, 4))
            verdicts[name] += plateau(places, noisy, np.full((5, 4), 0.02), tolerance=0.15).verdict == "plateau"
    assert verdicts["edge"] <= 0.05 * 400 + 3 * math.sqrt(400 * 0.05 * 0.95)
    assert verdicts["flat"] == 400


def test_curves_that_move_apart_count_by_how_they_differ() -> None:
    """The mean of a rising and a falling curve is flat, and says nothing."""
    tilt = np.linspace(-0.4, 0.4, 13)
    values = np.stack([1 + tilt, 1 - tilt])
    assert plateau(PLACES, values, np.full((2, 13), 1e-3), tolerance=0.15).verdict == "undecided"


def test_curves_with_holes_are_left_out_and_nothing_is_undecided() -> None:
    good = np.ones(13)
    bad = np.where(np.arange(13) == 5, np.nan, 50.0)
    errors = np.full((2, 13), 1e-3)
    assert plateau(PLACES, np.stack([good, bad]), errors, tolerance=0.15).mean == 1
    assert plateau(PLACES, bad[None], errors[:1], tolerance=0.15).verdict == "undecided"
    assert plateau(PLACES[:3], good[None, :3], errors[:1, :3], tolerance=0.15).verdict == "undecided"
    assert plateau(PLACES, good[None], np.full((1, 13), np.nan), tolerance=0.15).verdict == "undecided"
    assert plateau(PLACES, np.zeros((1, 13)), errors[:1], tolerance=0.15).verdict == "undecided"
