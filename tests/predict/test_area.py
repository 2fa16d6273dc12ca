import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import AreaDifference, Unusable

TERMS = {"margin": 0.1, "margin_reason": "visible"}


def table(height=0.3, seeds=8, points=(1, 2, 4, 16), noise=0.1):
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        [{"seed": seed, "regime": regime, "width": width,
          "loss": seed / width + height * (regime == "robust") + noise * rng.normal()}
         for seed in range(seeds) for regime in ("standard", "robust") for width in points]
    )  # fmt: skip


def prediction(**changes):
    settings = {"y": "loss", "x": "width", "factor": "regime", "higher": "robust", "lower": "standard", "pair": "seed"}
    return AreaDifference(**{**settings, **TERMS, **changes})


def estimate(frame, **changes):
    return prediction(**changes).estimate(frame, rng=np.random.default_rng(0))


@pytest.mark.parametrize("log", [False, True])
def test_it_is_a_t_interval_of_areas_by_their_base(log):
    frame = table()
    wide = frame.pivot_table(index="seed", columns=["regime", "width"], values="loss")
    difference = (wide["robust"] - wide["standard"]).to_numpy()
    x = np.array([0.0, 1, 2, 4]) if log else np.array([1.0, 2, 4, 16])
    heights = np.trapezoid(difference, x, axis=1) / np.ptp(x)
    found = estimate(frame, log_x=log)
    assert found.effect == pytest.approx(heights.mean())
    assert found.interval == pytest.approx(tuple(sps.ttest_1samp(heights, 0).confidence_interval(0.9)))
    flips = sps.permutation_test((heights,), np.sum, permutation_type="samples", alternative="greater")
    assert found.p == flips.pvalue
    assert found.standardised[0] == pytest.approx(heights.mean() / heights.std(ddof=1))


def test_curves_of_different_pairs_may_have_different_points():
    frame = table()
    found = estimate(frame[(frame.seed > 2) | (frame.width != 4)])
    assert found.n == 8
    assert found.effect == pytest.approx(0.3, abs=0.1)


def test_points_are_ordered_as_numbers():
    frame = table(points=(1, 2, 10, 100), noise=0.01)
    assert estimate(frame.assign(width=frame.width.astype(float))) == estimate(frame)
    shifted = frame.assign(loss=frame.loss + (frame.regime == "robust") * frame.width)
    expected = np.trapezoid([1, 2, 10, 100], [1, 2, 10, 100]) / 99
    assert estimate(shifted).effect - estimate(frame).effect == pytest.approx(expected)


def test_verdicts():
    assert judge(prediction(), table()).outcome is Outcome.SUPPORTED
    assert judge(prediction(higher="standard", lower="robust"), table()).label == "reversed"
    assert judge(prediction(), table(0.0, noise=0.01)).outcome is Outcome.REFUTED
    assert judge(prediction(), table(0.1, noise=1.0)).outcome is Outcome.INCONCLUSIVE


def test_it_reads_as_a_sentence():
    assert str(prediction(log_x=True)) == (
        "On average over pairs with the same seed, the curve of loss over log2 of width lies higher in robust than in "
        "standard; the smallest effect of interest is 0.1"
    )
    assert judge(prediction(), table()).told.startswith(
        "Mean curve of loss over width lies 0.253 higher in robust than in standard ["
    )


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (table().iloc[1:], "1 of 32 rows have no partner with regime = standard, e.g. seed = 0, width = 1"),
        (table(points=(1, 2)), r"2 value\(s\) of width in seed = 0; 3 or more are needed"),
        (table(seeds=4), "4 pairs"),
        (table(noise=0.0), "every pair has the same height difference of the curves of loss over width"),
        (pd.concat([table(), table().iloc[:1]]), "share their seed and width"),
    ],
)
def test_unusable(frame, why):
    with pytest.raises(Unusable, match=why):
        estimate(frame)


def test_doublings_need_values_above_0():
    with pytest.raises(Unusable, match="width has the value 0; doublings"):
        estimate(table().replace({"width": {1: 0}}), log_x=True)


@pytest.mark.parametrize(
    ("changes", "why"), [({"higher": "standard"}, "compares 'standard' with itself"), ({"pair": ()}, "has no pair")]
)
def test_declarations_that_are_refused(changes, why):
    with pytest.raises(ClaimError, match=f"AreaDifference {why}"):
        prediction(**changes)
