import numpy as np
import pandas as pd
import pytest
from scipy import signal
from scipy import stats as sps

from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import Landmark, PairedDifference, Unusable, curve_features

EPOCHS = np.arange(0, 41, 2)


def table(shape=lambda x, at: np.exp(-(((x - at) / 6) ** 2)), seeds=8, centre=20, spread=3.0, noise=0.01, x=EPOCHS):
    rng = np.random.default_rng(8)
    rows = []
    for seed in range(seeds):
        y = shape(x, centre + spread * rng.normal()) + noise * rng.standard_normal(len(x))
        rows += [{"seed": seed, "epoch": a, "loss": b} for a, b in zip(x, y, strict=True)]
    return pd.DataFrame(rows)


def step(x, at):
    return 1 / (1 + np.exp(-(x - at) / 2))


def prediction(**changes):
    settings = {"y": "loss", "x": "epoch", "unit": "seed", "of": "peak", "what": "position", "value": 20, "tolerance": 5,
                "margin_reason": "visible"}  # fmt: skip
    return Landmark(**{**settings, **changes})


def estimate(frame, **changes):
    return prediction(**changes).estimate(frame, rng=np.random.default_rng(0))


def by_seed(frame, read):
    return [read(part.loss.to_numpy()) for _, part in frame.groupby("seed")]


def test_a_position_is_a_t_interval_and_half_a_step():
    frame = table()
    places = by_seed(frame, lambda y: EPOCHS[y.argmax()])
    low, high = sps.ttest_1samp(places, 0).confidence_interval(0.9)
    found = estimate(frame)
    assert found.effect == pytest.approx(np.mean(places))
    assert found.interval == pytest.approx((low - 1, high + 1))
    below = sps.ttest_1samp(places, 15 + 1, alternative="greater").pvalue
    above = sps.ttest_1samp(places, 25 - 1, alternative="less").pvalue
    assert found.p == pytest.approx(max(below, above))
    assert found.standardised[0] == pytest.approx((np.mean(places) - 20) / np.std(places, ddof=1))
    assert "in single units; what is read off the grid is known to ± 1, by which the interval is widened." in found.notes[0]


def test_a_width_is_that_at_half_the_prominence():
    frame = table()
    widths = by_seed(frame, lambda y: 2 * signal.peak_widths(y, [y.argmax()], 0.5)[0][0])
    found = estimate(frame, what="width", value=10)
    assert found.effect == pytest.approx(np.mean(widths))
    assert found.interval[0] == pytest.approx(sps.ttest_1samp(widths, 0).confidence_interval(0.9)[0] - 1)


def test_valleys_are_peaks_upside_down():
    frame = table()
    upside = frame.assign(loss=1 - frame.loss)
    for what, value in (("position", 20), ("width", 10)):
        one, other = (estimate(each, of=of, what=what, value=value) for each, of in ((frame, "peak"), (upside, "valley")))
        assert other.interval == pytest.approx(one.interval)


def test_a_change_lies_between_its_sides():
    frame = table(step)
    found = estimate(frame, of="change")
    middles = by_seed(frame, lambda y: 2 * np.argmin([y[:s].var() * s + y[s:].var() * (21 - s) for s in range(1, 21)]) + 1)
    assert found.effect == pytest.approx(np.mean(middles))
    width = estimate(frame, of="change", what="width", value=8)
    # A logistic curve with scale 2 goes from 10 to 90 % within 2 · 2 ln 9 = 8.79; the levels are means, its flanks among
    # them, and so lie a little nearer to each other.
    assert 6.5 < width.effect < 8.79


def test_equal_positions_are_known_to_half_a_step():
    found = estimate(table(spread=0.0, noise=0.0), tolerance=1.5)
    assert found.interval == pytest.approx((19, 21))
    assert found.p < 1e-6
    assert found.standardised is None
    assert judge(prediction(tolerance=1.5), table(spread=0.0, noise=0.0)).outcome is Outcome.SUPPORTED
    assert judge(prediction(tolerance=0.9), table(spread=0.0, noise=0.0)).outcome is Outcome.INCONCLUSIVE
    assert judge(prediction(value=24, tolerance=1.5), table(spread=0.0, noise=0.0)).outcome is Outcome.REFUTED


def test_on_a_log_axis_all_numbers_are_doublings():
    x = 2.0 ** np.arange(10)
    frame = table(lambda x, at: -np.abs(np.log2(x) - at), centre=5, spread=0.0, noise=0.0, x=x)
    found = estimate(frame, log_x=True, value=5, tolerance=1)
    assert found.interval == pytest.approx((4.5, 5.5))
    assert estimate(frame, value=32, tolerance=1).interval == pytest.approx((32 - 16, 32 + 16))


@pytest.mark.parametrize(("value", "outcome"), [(20, Outcome.SUPPORTED), (35, Outcome.REFUTED), (25, Outcome.INCONCLUSIVE)])
def test_verdicts(value, outcome):
    assert judge(prediction(value=value), table(spread=1.0)).outcome is outcome


def test_it_reads_as_a_sentence():
    assert str(prediction()) == "On average over seed, the peak of loss over epoch lies at 20 ± 5"
    assert str(prediction(of="change", what="width", log_x=True)) == (
        "On average over seed, the change of loss over log2 of epoch is 20 ± 5 wide"
    )
    assert judge(prediction(), table()).told.startswith("Mean peak of loss over epoch lies at 18 [15.1, 20.9]: inside ")
    wide = judge(prediction(what="width", value=10), table()).told
    assert "peak of loss over epoch is 10" in wide
    assert ": inside 5 to 15" in wide


@pytest.mark.parametrize(
    ("frame", "changes", "why"),
    [
        (table(seeds=4), {}, "4 units"),
        (table(x=np.array([10, 20])), {}, r"2 value\(s\) of epoch"),
        (table().iloc[1:], {}, "1 of 8 units have no row at some epoch"),
        (table().assign(loss=lambda rows: rows.loss.where(rows.seed != 2, rows.epoch)), {},
         "1 of 8 units have no peak of loss over epoch, e.g. seed = 2, where the curve never rises and falls again"),
        (table(noise=0.0), {"of": "valley"}, "8 of 8 units have no valley"),
        (table().assign(loss=1.0), {"of": "change"}, "8 of 8 units have no change .* where the curve never changes"),
        (table(), {"log_x": True}, "epoch has the value 0; doublings"),
    ],
)  # fmt: skip
def test_unusable(frame, changes, why):
    with pytest.raises(Unusable, match=why):
        estimate(frame, **changes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"of": "plateau"}, "of='plateau'; allowed are 'peak', 'valley' and 'change'"),
        ({"what": "height"}, "what='height'; allowed are 'position' and 'width'"),
        ({"value": np.nan}, "a position is a number"),
        ({"what": "width", "value": 0}, "a width is a number above 0"),
        ({"tolerance": 0}, "above 0"),
        ({"unit": ()}, "no unit"),
    ],
)
def test_declarations_that_are_refused(changes, why):
    with pytest.raises(ClaimError, match=why):
        prediction(**changes)


def test_features_are_the_landmarks_of_single_curves():
    frame = table(seeds=6)
    features = curve_features(frame, y="loss", x="epoch", by="seed")
    assert list(features.columns) == [
        "seed", "peak_position", "peak_height", "peak_width", "valley_position", "valley_height", "valley_width",
        "change_position", "change_size", "change_width", "settled_at",
    ]  # fmt: skip
    assert list(features.seed) == list(range(6))
    for of, what, column in (("peak", "position", "peak_position"), ("peak", "width", "peak_width"),
                             ("change", "position", "change_position"), ("change", "width", "change_width")):  # fmt: skip
        assert features[column].mean() == pytest.approx(estimate(frame, of=of, what=what).effect)


def test_features_of_a_monotone_and_of_a_constant_curve():
    frame = pd.DataFrame({"run": ["a"] * 4 + ["b"] * 3, "x": [10.0, 2.0, 1.0, 4.0, 1, 2, 3], "y": [3, 1, 0, 3, 5, 5, 5]})
    one, other = (row for _, row in curve_features(frame, y="y", x="x", by=["run"]).iterrows())
    assert one.run == "a"
    assert np.isnan([one.peak_position, one.peak_height, one.peak_width, one.valley_position]).all()
    assert (one.change_position, one.change_size, one.settled_at) == (3.0, 2.5, 4.0)
    assert np.isnan([other.peak_position, other.change_position, other.change_size, other.change_width]).all()
    assert other.settled_at == 1


def test_features_are_compared_like_any_value():
    late = pd.concat(
        [table(step, centre=at, spread=1.0).assign(regime=regime) for regime, at in (("standard", 24), ("robust", 14))]
    )
    features = curve_features(late.sample(frac=1, random_state=0), y="loss", x="epoch", by=("seed", "regime"))
    pd.testing.assert_frame_equal(features, curve_features(late, y="loss", x="epoch", by=("seed", "regime")))
    for column in ("change_position", "settled_at"):
        later = PairedDifference(column, "regime", "standard", "robust", "seed", margin=2, margin_reason="one step")
        verdict = judge(later, features)
        assert verdict.outcome is Outcome.SUPPORTED
        assert verdict.estimate.effect == pytest.approx(10, abs=2)


@pytest.mark.parametrize(
    ("frame", "changes", "error", "why"),
    [
        (table(), {"y": "asr"}, ClaimError, "the table lacks asr"),
        (table(), {"by": ()}, ClaimError, "one or more in by"),
        (table().iloc[:0], {}, Unusable, "no rows"),
        (table().assign(loss=np.nan), {}, Unusable, "168 of 168 values of loss are missing"),
        (table().assign(seed=np.nan), {}, Unusable, "168 of 168 rows have no seed"),
        (pd.concat([table(), table().iloc[:1]]), {}, Unusable, "share their seed and epoch"),
        (table().iloc[:23], {}, Unusable, r"1 has 2 value\(s\) of epoch; a curve needs 3"),
    ],
)
def test_features_that_cannot_be_read(frame, changes, error, why):
    with pytest.raises(error, match=why):
        curve_features(frame, **{"y": "loss", "x": "epoch", "by": "seed", **changes})
