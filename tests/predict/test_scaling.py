import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import ScalingExponent, Unusable


def table(exponent=-0.5, seeds=8, dimensions=(10, 30, 100, 1000), noise=0.05):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [{"seed": seed, "d": d, "radius": 3 * d**exponent * np.exp(noise * rng.normal())}
         for seed in range(seeds) for d in dimensions]
    )  # fmt: skip


def prediction(**changes):
    settings = {
        "y": "radius",
        "x": "d",
        "unit": "seed",
        "value": -0.5,
        "tolerance": 0.1,
        "margin_reason": "visible",
    }
    return ScalingExponent(**{**settings, **changes})


def estimate(frame, **changes):
    return prediction(**changes).estimate(frame, rng=np.random.default_rng(0))


def test_it_is_a_t_interval_of_least_squares_slopes():
    frame = table()
    slopes = [sps.linregress(np.log(part.d), np.log(part.radius)).slope for _, part in frame.groupby("seed")]
    interval = sps.ttest_1samp(slopes, 0).confidence_interval(0.9)
    found = estimate(frame)
    assert found.effect == pytest.approx(np.mean(slopes))
    assert found.interval == pytest.approx((interval.low, interval.high))
    fits = [sps.linregress(np.log(part.d), np.log(part.radius)).rvalue ** 2 for _, part in frame.groupby("seed")]
    assert f"{100 * min(fits):.3g} % or more" in found.notes[0]


def test_the_tolerance_is_the_margin():
    assert prediction().margin == 0.1
    assert prediction().centre == -0.5
    assert prediction().describe()["margin"] == 0.1


@pytest.mark.parametrize(("exponent", "outcome"), [(-0.5, Outcome.SUPPORTED), (-1.0, Outcome.REFUTED), (0.0, Outcome.REFUTED)])
def test_verdicts(exponent, outcome):
    assert judge(prediction(), table(exponent)).outcome is outcome


def test_noise_decides_nothing():
    assert judge(prediction(tolerance=0.02), table(noise=0.5)).outcome is Outcome.INCONCLUSIVE


def test_p_and_interval_agree():
    for tolerance in np.linspace(0.002, 0.05, 25):
        found = estimate(table(noise=0.1), tolerance=tolerance)
        inside = -0.5 - tolerance < found.interval[0] and found.interval[1] < -0.5 + tolerance
        assert inside == (found.p < 0.05)


def test_units_of_either_variable_have_no_influence():
    frame = table()
    other = estimate(frame.assign(d=frame.d * 7.3, radius=frame.radius * 1e-5))
    assert other.effect == pytest.approx(estimate(frame).effect)
    assert other.interval == pytest.approx(estimate(frame).interval)


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (table(seeds=4), "4 units"),
        (table(dimensions=(10, 100)), r"2 value\(s\) of d; a fit needs 3"),
        (
            table().assign(radius=lambda each: each.radius - 0.2),
            "radius has the value .* needs values above 0",
        ),
        (table().assign(d=lambda each: each.d - 10), "d has the value 0; a power law"),
        (pd.concat([table(), table().iloc[:1]]), "share their seed and d"),
        (table(noise=0.0).assign(radius=1.0), "every unit has the same exponent, 0"),
    ],
)
def test_unusable(frame, why):
    with pytest.raises(Unusable, match=why):
        estimate(frame)


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"tolerance": 0.0}, "above 0"), ({"value": np.nan}, "is a number"), ({"unit": ()}, "no unit")],
)
def test_declarations_that_are_refused(changes, why):
    with pytest.raises(ClaimError, match=why):
        prediction(**changes)
