"""What a mean, a slope or a correlation hides: support is withheld, with a sentence that says what is there instead."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from harness import stats
from harness.judge import Outcome, judge
from harness.predict import Landmark, NoChange, NoCorrelation, NoTrend, ScalingExponent, Trajectory

WHY = {"margin_reason": "simulated"}
RNG = np.random.default_rng(7)
SAME = NoChange("llc", "regime", "robust", "standard", "seed", margin=0.8, **WHY)
UNRELATED = NoCorrelation("x", "y", "seed", margin=0.5, **WHY)
LAW = ScalingExponent("y", "x", "seed", -0.5, 0.1, **WHY)
FLAT = NoTrend("y", "x", "seed", margin=0.1, **WHY)


def pairs(differences):
    rows = pd.DataFrame({"seed": range(len(differences)), "regime": "robust", "llc": 0.0})
    return pd.concat([rows, rows.assign(regime="standard", llc=differences)])


def curves(x, values):
    seed, point = (each.ravel() for each in np.indices(values.shape))
    return pd.DataFrame({"seed": seed, "x": np.asarray(x, dtype=float)[point], "y": values.ravel()})


def test_half_up_and_half_down_is_a_change():
    values = np.where(np.arange(30) % 2, 1.0, -1.0) + 0.1 * RNG.standard_normal(30)
    verdict = judge(SAME, pairs(values))
    assert verdict.estimate.interval[1] < 0.8
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "0 of 30 lie within the margin, fewer than normal ones of this mean and spread would" in verdict.told
    assert judge(SAME, pairs(RNG.standard_normal(30))).estimate.objection is None


def test_scattered_by_hand():
    values = np.array([1.0, -1, 1, -1, 0.1])
    share = np.diff(sps.norm.cdf([-0.5, 0.5], values.mean(), values.std(ddof=1)))[0]
    assert stats.scattered_p(values, 0, 0.5) == pytest.approx(sps.binom.cdf(1, 5, share))
    assert stats.scattered_p([0.1, 0.1, 0.1], 0, 0.5) == 1


def test_half_early_and_half_late_is_no_place():
    place = 4 + np.where(np.arange(30) % 2, 2.2, -2.2)[:, None]
    frame = curves(range(9), np.tanh(4 * (np.arange(9) - place)))
    verdict = judge(Landmark("y", "x", "seed", "change", "position", 4.0, 1.5, **WHY), frame)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "The mean hides that units go apart" in verdict.told


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_relation_that_turns_is_one(mirrored):
    x = RNG.standard_normal(96)
    y = np.abs(x) + 0.1 * RNG.standard_normal(96)
    frame = pd.DataFrame({"seed": range(96), "x": y if mirrored else x, "y": x if mirrored else y})
    verdict = judge(UNRELATED, frame)
    assert abs(verdict.estimate.effect) < 0.3
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "They are related in another way" in verdict.told
    assert "ranks from the middle" in verdict.told


def test_no_relation_is_none():
    frame = pd.DataFrame({"seed": range(200), "x": RNG.standard_normal(200), "y": RNG.standard_normal(200)})
    assert judge(UNRELATED, frame).outcome is Outcome.SUPPORTED


def test_a_small_turn_within_the_margin_does_not_matter():
    x = RNG.standard_normal(3000)
    frame = pd.DataFrame({"seed": range(3000), "x": x, "y": 0.2 * np.abs(x) + RNG.standard_normal(3000)})
    assert stats.spearman(stats.folded(x), frame.y) > 0.05
    assert judge(UNRELATED, frame).outcome is Outcome.SUPPORTED


def test_a_floor_is_no_power():
    x = np.array([10.0, 20, 40, 80, 160, 320, 640])
    law = 4 / x + 0.04
    exponent = stats.slope(np.log(x), np.log(law))
    frame = curves(x, law * np.exp(0.02 * RNG.standard_normal((8, 7))))
    verdict = judge(ScalingExponent("y", "x", "seed", float(exponent), 0.1, **WHY), frame)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "It is no straight line: the exponent of y is −0." in verdict.told
    straight = curves(x, 4 * x**-0.5 * np.exp(0.02 * RNG.standard_normal((8, 7))))
    assert judge(LAW, straight).outcome is Outcome.SUPPORTED


def test_a_bend_within_the_tolerance_does_not_matter():
    x = np.array([1.0, 2, 4, 8, 16])
    frame = curves(x, x**-0.5 * np.exp(0.01 * np.log(x) ** 2 + 0.001 * RNG.standard_normal((8, 5))))
    assert judge(LAW, frame).outcome is Outcome.SUPPORTED


def test_a_rise_and_a_fall_are_a_trend_each():
    x = np.array([1.0, 2, 4, 8, 16])
    frame = curves(x, -((np.log2(x) - 2) ** 2) + 0.1 * RNG.standard_normal((8, 5)))
    verdict = judge(FLAT, frame)
    assert abs(verdict.estimate.effect) < 0.1
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "on the lower half and" in verdict.told
    shuffled = frame.sample(frac=1, random_state=0)
    assert judge(FLAT, shuffled).estimate.objection == verdict.estimate.objection


def courses(related, epochs=20, units=12):
    rng = np.random.default_rng(3)
    over = 1 / (1 + np.exp((rng.uniform(3, epochs - 4, (units, 1)) - np.arange(epochs)) / 0.7))
    steps = rng.standard_normal((2, units, epochs))
    steps[1] = related * steps[0] + np.sqrt(1 - related**2) * steps[1]
    x, y = over + 0.1 * np.cumsum(steps, axis=-1)
    seed, epoch = (each.ravel() for each in np.indices(x.shape))
    return pd.DataFrame({"seed": seed, "epoch": epoch, "x": x.ravel(), "y": y.ravel()})


def test_courses_that_share_their_timing_alone_do_not_move_together():
    prediction = Trajectory("x", "y", "epoch", "seed", sign=1, margin=0.05, **WHY)
    verdict = judge(prediction, courses(0.0))
    assert verdict.estimate.interval[0] > 0
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "shifted to go over into their other state at the same time" in verdict.told
    assert judge(prediction, courses(0.8)).outcome is Outcome.SUPPORTED


def test_aligned_courses_keep_units_with_themselves():
    x, y = RNG.standard_normal((2, 5, 12))
    at = np.array([2, 4, 6, 8, 3])
    z = stats.aligned(x, y, at)
    assert np.diagonal(z) == pytest.approx(np.diagonal(stats.between_units(x, y)))
    assert z[1, 0] == pytest.approx(stats.between_units(x[1:2, 2:], y[:1, :10])[0, 0])  # a later one moved back by two
    assert z[0, 1] == pytest.approx(stats.between_units(x[:1, :10], y[1:2, 2:])[0, 0])
    assert stats.aligned(x, y, np.zeros(5, dtype=int)) == pytest.approx(stats.between_units(x, y))
