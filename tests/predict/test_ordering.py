import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import Ordering, Unusable
from harness.stats import Skewed, stratified_mean

TERMS = {"margin": 0.2, "margin_reason": "visible"}


def table(heights=(0.0, 0.5, 1.0, 1.5), seeds=8, architectures=("8x1", "16x3"), noise=0.2, levels=(8, 16, 32, 64)):
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        [{"architecture": architecture, "seed": seed, "width": level, "llc": 3 * seed + height + noise * rng.normal()}
         for architecture in architectures for seed in range(seeds)
         for level, height in zip(levels, heights, strict=True)]
    )  # fmt: skip


def prediction(**changes):
    settings = {"value": "llc", "factor": "width", "levels": (8, 16, 32, 64), "unit": ("architecture", "seed"),
                "strata": "architecture", **TERMS}  # fmt: skip
    return Ordering(**{**settings, **changes})


def estimate(frame, **changes):
    return prediction(**changes).estimate(frame, rng=np.random.default_rng(0))


def wide(frame, levels=(8, 16, 32, 64)):
    return frame.pivot_table(index=["architecture", "seed"], columns="width", values="llc")[list(levels)].to_numpy()


def test_it_is_a_t_interval_of_slopes_and_pages_trend_test():
    frame = table(noise=1.0)
    values = wide(frame)
    slopes = [sps.linregress(range(4), row).slope for row in values]
    found = estimate(frame, strata=None)
    steps = [Skewed(stratified_mean(step).confidence).above(0) for step in np.diff(values, axis=1).T]
    assert found.effect == pytest.approx(np.mean(slopes))
    assert found.interval == pytest.approx(tuple(sps.ttest_1samp(slopes, 0).confidence_interval(0.9)))
    assert found.p == sps.page_trend_test(values).pvalue
    assert found.second_p == max(found.p, *steps)
    assert found.standardised[0] == pytest.approx(np.mean(slopes) / np.std(slopes, ddof=1))


def test_pages_own_example_is_a_trend():
    # The worked example of scipy: students rate tutorial, lecture and seminar; predicted order tutorial < lecture < seminar.
    ratings = np.array(
        [[3, 4, 3], [2, 2, 4], [3, 3, 5], [1, 3, 2], [2, 3, 2], [2, 4, 5], [1, 2, 4], [3, 4, 4], [2, 4, 5], [1, 3, 4]]
    )
    frame = pd.DataFrame(ratings, columns=["tutorial", "lecture", "seminar"]).rename_axis("student").reset_index()
    tidy = frame.melt("student", var_name="kind", value_name="rating")
    order = Ordering("rating", "kind", ("tutorial", "lecture", "seminar"), "student", **TERMS)
    found = order.estimate(tidy, rng=np.random.default_rng(0))
    assert found.p == pytest.approx(0.0018191161948127822)
    verdict = judge(order, tidy)  # and the second step is not shown
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "lecture → seminar (" in verdict.estimate.objection


def test_every_step_is_shown():
    found = estimate(table((0, 1, 0.5, 2)))
    assert [step.name for step in found.strata] == ["8 → 16", "16 → 32", "32 → 64"]
    assert [step.effect for step in found.strata] == pytest.approx([1, -0.5, 1.5], abs=0.2)
    assert found.strata[0].n == 16
    assert found.objection.startswith("The step 16 → 32 (p = ")
    assert found.objection.endswith(") shows no clear rise.")
    assert estimate(table()).objection is None
    two = estimate(table((0, -1, 3, 2)))
    assert two.objection == "2 of 3 steps show no clear rise, such as 8 → 16."


@pytest.mark.parametrize("heights", [(0, 1.5, 3, 2), (0, 0, 0, 2), (0, 0, 2, 2), (0, 2, 2, 2)])
def test_a_trend_that_single_steps_carry_is_no_support(heights):
    verdict = judge(prediction(), table(heights))
    assert verdict.estimate.interval[0] > 0.2
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no clear rise" in verdict.told


def test_a_step_without_any_spread_is_certain():
    frame = table()
    frame.loc[frame.width == 16, "llc"] = frame.loc[frame.width == 8, "llc"].to_numpy() + 0.5
    assert judge(prediction(strata=None), frame).outcome is Outcome.SUPPORTED
    frame.loc[frame.width == 16, "llc"] -= 0.5
    assert judge(prediction(strata=None), frame).outcome is Outcome.INCONCLUSIVE


def test_strata_differ_or_do_not():
    frame = table()
    assert "no more than chance explains" in estimate(frame).notes[-1]
    steeper = frame.assign(llc=frame.llc + (frame.architecture == "8x1") * np.log2(frame.width))
    assert estimate(steeper).notes[-1].startswith("The strata differ more than chance explains (p = ")
    assert estimate(frame, strata=None).notes == ()


def test_one_unit_that_runs_away_needs_the_ranks_too():
    # A few steep units among many that fall a little: the mean slope is above 0, and the ranks say the opposite.
    frame = table((0, -0.01, -0.02, -0.03), seeds=10, noise=0.001)
    steep = frame.seed >= 5
    frame.loc[steep, "llc"] += 3 * np.log2(frame.width[steep])
    verdict = judge(prediction(), frame)
    assert verdict.estimate.interval[0] > 0
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "The ranks do not agree (Page's test, p = " in verdict.told
    assert judge(prediction(), table()).estimate.objection is None


def test_verdicts():
    assert judge(prediction(), table()).outcome is Outcome.SUPPORTED
    down = judge(prediction(levels=(64, 32, 16, 8)), table())
    assert (down.outcome, down.label) == (Outcome.REFUTED, "reversed")
    assert judge(prediction(), table((0, 0, 0, 0))).outcome is Outcome.REFUTED
    assert judge(prediction(), table((0, 0, 0, 0), noise=5.0)).outcome is Outcome.INCONCLUSIVE


def test_other_levels_are_left_out():
    frame = table(levels=("a", "b", "c", "d"))
    three = estimate(frame, levels=("a", "b", "d"))
    assert [step.name for step in three.strata] == ["a → b", "b → d"]
    assert three == estimate(frame[frame.width != "c"], levels=("a", "b", "d"))


def test_it_reads_as_a_sentence():
    assert str(prediction()) == (
        "On average over units (architecture × seed), each architecture with equal weight, llc rises in the order "
        "width = 8 → 16 → 32 → 64; the smallest rise of interest is 0.2 a step"
    )
    assert judge(prediction(), table()).told.startswith("Mean llc rises by 0.531 a step from width 8 to 64 [")


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (table().iloc[1:], "1 of 16 units have no row at some width where others have one, e.g. .*seed = 0 at width = 8"),
        (table().query("width != 32"), "no row has width = 32; present: 16, 64, 8"),
        (table(seeds=2), "4 units; an interval needs 5"),
        (table(seeds=5).query("architecture == '8x1' or seed == 0"), r"1 unit in 16x3"),
        (pd.concat([table(), table().iloc[:1]]), "2 of 65 rows share their architecture, seed and width"),
        (table(noise=0.0), r"every unit of a stratum has the same rise of llc \(0.5\)"),
    ],
)
def test_unusable(frame, why):
    with pytest.raises(Unusable, match=why):
        estimate(frame)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"levels": (8, 16)}, r"levels=\(8, 16\); it orders three or more"),
        ({"levels": (8, 16, 8)}, "different levels"),
        ({"levels": "abc"}, "three or more"),
        ({"unit": ()}, "no unit"),
    ],
)
def test_declarations_that_are_refused(changes, why):
    with pytest.raises(ClaimError, match=why):
        prediction(**changes)


def test_a_list_of_levels_is_a_tuple():
    assert prediction(levels=[8, 16, 32, 64]) == prediction()
    assert dataclasses.replace(prediction(), levels=[8, 16, 32, 64]).describe()["levels"] == [8, 16, 32, 64]
