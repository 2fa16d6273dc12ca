import numpy as np
import pandas as pd
import pytest

from harness import stats
from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import Peak, Unusable

TERMS = {"margin": 0.5, "margin_reason": "visible"}
WIDTHS = (1, 2, 4, 8, 16, 32, 64)
BUMP = (0.0, 0.5, 1.0, 3.0, 1.5, 1.0, 0.5)


def table(heights=BUMP, seeds=8, noise=0.2, widths=WIDTHS):
    rng = np.random.default_rng(7)
    return pd.DataFrame(
        [{"seed": seed, "width": width, "loss": height + noise * rng.normal()}
         for seed in range(seeds) for width, height in zip(widths, heights, strict=True)]
    )  # fmt: skip


def prediction(**changes):
    return Peak(**{"y": "loss", "x": "width", "unit": "seed", **TERMS, **changes})


def estimate(frame, **changes):
    return prediction(**changes).estimate(frame, rng=np.random.default_rng(0))


def test_a_clear_peak_is_its_smaller_side():
    frame = table()
    curves = frame.pivot_table(index="seed", columns="width", values="loss").to_numpy()
    found = estimate(frame)
    # All halves of the units choose the same places here: the peak at 8, its lows at both ends.
    assert found.effect == pytest.approx((curves[:, 3] - curves[:, 6]).mean())
    expected = stats.prominence(curves)
    assert found.interval == expected.interval(0.05)
    assert found.p == expected.above(0)
    assert [part.name for part in found.strata] == ["rise to the peak", "fall from it"]
    assert [part.effect for part in found.strata] == pytest.approx([3, 2.5], abs=0.2)
    assert found.standardised[0] > 5
    assert found.notes == (
        "The peak of the mean curve of all units lies at width = 8; it is lowest before it at 1 and after it at 64.",
    )


def test_a_peak_after_a_descent_is_no_edge():
    descent = (9.0, 4.0, 1.0, 3.0, 1.5, 1.0, 0.5)
    found = estimate(table(descent))
    assert found.effect == pytest.approx(2, abs=0.3)
    assert "lies at width = 8; it is lowest before it at 4 and after it at 64" in found.notes[0]


def test_a_valley_is_a_peak_upside_down():
    frame = table()
    upside = frame.assign(loss=-frame.loss)
    one, other = estimate(frame), estimate(upside, valley=True)
    assert (other.effect, other.interval, other.p, other.standardised) == (one.effect, one.interval, one.p, one.standardised)
    assert [part.name for part in other.strata] == ["fall to the valley", "rise from it"]
    assert "valley" in other.notes[0]
    assert "highest before it" in other.notes[0]


@pytest.mark.parametrize("heights", [(0, 1, 2, 3, 4, 5, 6), (6, 5, 4, 3, 2, 1, 0), (5, 3, 1, 0, 1, 3, 5), (0,) * 7])
def test_what_has_no_peak_is_refuted_or_undecided(heights):
    assert judge(prediction(), table(heights)).outcome is not Outcome.SUPPORTED
    steep = judge(prediction(), table(10 * np.array(heights), noise=0.1))
    assert (steep.outcome, steep.label) == (Outcome.REFUTED, None)


def test_verdicts():
    assert judge(prediction(), table()).outcome is Outcome.SUPPORTED
    assert judge(prediction(valley=True), table()).outcome is Outcome.REFUTED
    assert judge(prediction(), table(noise=3.0)).outcome is Outcome.INCONCLUSIVE
    small = judge(prediction(), table(np.array(BUMP) / 20, noise=0.005))
    assert (small.outcome, small.label) == (Outcome.REFUTED, "negligible")


def test_a_curve_that_all_units_share_without_a_peak_needs_no_spread():
    found = estimate(table(range(7), noise=0.0))
    assert (found.effect, found.interval[1], found.standardised) == (0, 0, None)
    assert found.notes == ("Mean curve of all units has no peak inside the range of width.",)


def test_it_reads_as_a_sentence():
    assert str(prediction()) == (
        "On average over seed, the curve of loss over width rises to a peak and falls again; the smallest rise and fall of "
        "interest is 0.5"
    )
    assert "falls to a valley and rises again" in str(prediction(valley=True))
    assert judge(prediction(), table()).told.startswith(
        "The smaller of rise to the peak and fall from it of mean loss over width is 2.47 ["
    )


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (table(seeds=4), "4 units"),
        (table((0, 1), widths=(1, 2)), r"2 value\(s\) of width; 3 or more"),
        (table().iloc[1:], "1 of 8 units have no row at some width .* e.g. seed = 0 at width = 1"),
        (pd.concat([table(), table().iloc[:1]]), "share their seed and width"),
        (table(noise=0.0).assign(loss=lambda rows: rows.loss + rows.seed / 3), "every unit has the same course of loss"),
    ],
)
def test_unusable(frame, why):
    with pytest.raises(Unusable, match=why):
        estimate(frame)


@pytest.mark.parametrize(("changes", "why"), [({"unit": ()}, "no unit"), ({"margin": 0}, "a number above 0")])
def test_declarations_that_are_refused(changes, why):
    with pytest.raises(ClaimError, match=why):
        prediction(**changes)


def tailed(tail, seeds, rng):
    """Curves with a peak in the middle whose height has a lognormal tail: -1 to the left, 1 to the right."""
    x = np.arange(7)
    shape = 1 - np.abs(x - 3) / 3
    height = 1.0 + tail * np.exp(rng.standard_normal((seeds, 1)))
    return height * shape + 0.1 * rng.standard_normal((seeds, 7))


@pytest.mark.parametrize("tail", [-1, 1])
def test_the_second_opinion_is_wider_and_mirrors(tail):
    for seed in range(30):
        curves = tailed(tail, 6 + seed, np.random.default_rng(seed))
        seen = stats.prominence(curves)
        both = [each.interval(0.05) for each in (seen, seen.cautious)]
        assert both[1][0] <= both[0][0]
        assert both[1][1] >= both[0][1]
        assert seen.cautious.effect == seen.effect
        for value in np.linspace(*both[1], 5):
            assert seen.cautious.above(value) >= seen.above(value)
            assert seen.cautious.below(value) >= seen.below(value)
        assert seen.cautious.cautious is None
        assert seen.cautious.resized(6, 12) == seen.resized(6, 12).cautious
        # Heights of units do not matter, however large; nor does the unit of the values.
        moved = stats.prominence(curves + 10 * np.random.default_rng(seed).standard_normal((len(curves), 1)))
        assert moved.cautious.interval(0.05) == pytest.approx(both[1], rel=1e-6, abs=1e-6)
        scaled = stats.prominence(1e3 * curves)
        assert scaled.cautious.interval(0.05) == pytest.approx(tuple(1e3 * np.array(both[1])))


def test_steps_have_the_error_and_the_skewness_of_means():
    curves = tailed(1, 9, np.random.default_rng(0))
    steps = stats.prominence(curves).steps
    for p, low in ((3, 0), (3, 6), (5, 1)):
        mean = stats.stratified_mean(curves[:, p] - curves[:, low])
        found = [float(each[p, low]) for each in (steps.estimate, steps.error, steps.lean)]
        assert found == pytest.approx([float(each) for each in (mean.mean, mean.error, mean.lean)])


def test_a_verdict_that_hangs_on_skewness_is_left_open():
    rng = np.random.default_rng(3)
    left_open = 0
    for _ in range(200):
        curves = tailed(-1, 6, rng) * 0.3
        table = pd.DataFrame([{"seed": 100 + i, "width": w, "loss": float(y)} for i, each in enumerate(curves)
                              for w, y in enumerate(each)])  # fmt: skip
        verdict = judge(prediction(margin=0.05), table)
        assert "Allowing for skewness " in verdict.told
        first = verdict.estimate.interval
        if first[0] > 0 and verdict.outcome is Outcome.INCONCLUSIVE:
            assert "] it is open." in verdict.told
            left_open += 1
    assert left_open
