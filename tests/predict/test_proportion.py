import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from harness import stats
from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import Proportion, Unusable


def table(**successes):
    """A table of width levels, each given as (successes, units)."""
    return pd.DataFrame(
        [{"width": width, "seed": seed, "memorised": seed < yes}
         for width, (yes, units) in successes.items() for seed in range(units)]
    )  # fmt: skip


def prediction(**changes):
    settings = {
        "of": "memorised",
        "unit": "seed",
        "exceeds": 0.5,
        "margin": 0.2,
        "margin_reason": "most",
    }
    return Proportion(**{**settings, **changes})


def test_clopper_pearson():
    found = prediction().estimate(table(w=(17, 20)), rng=np.random.default_rng(0))
    ends = sps.binomtest(17, 20).proportion_ci(0.9, "exact")
    assert found.interval == pytest.approx((ends.low, ends.high), rel=1e-9)
    assert found.p == pytest.approx(sps.binomtest(17, 20, 0.5, "greater").pvalue, rel=1e-9)
    assert (found.effect, found.n, found.strata) == (0.85, 20, ())


@pytest.mark.parametrize(
    ("yes", "expected"),
    [(20, (Outcome.SUPPORTED, None)), (12, (Outcome.INCONCLUSIVE, None)), (6, (Outcome.REFUTED, None)),
     (2, (Outcome.REFUTED, "reversed"))],
)  # fmt: skip
def test_verdicts(yes, expected):
    verdict = judge(prediction(), table(w=(yes, 20)))
    assert (verdict.outcome, verdict.label) == expected


def test_all_successes_reach_a_target_of_one():
    # 0.9 + 0.1 is what the interval's end, 1, must reach; rounding must not keep it away.
    for exceeds, margin in ((0.9, 0.1), (0.8, 0.2), (0.7, 0.3), (0.6, 0.4), (0.95, 0.05), (0.85, 0.15)):
        assert judge(prediction(exceeds=exceeds, margin=margin), table(w=(80, 80))).outcome is Outcome.SUPPORTED


class TestEveryLevel:
    def test_one_level_that_fails_refutes(self):
        verdict = judge(prediction(every="width"), table(a=(40, 40), b=(15, 40), c=(40, 40)))
        assert verdict.outcome is Outcome.REFUTED
        assert "15 of 40 units have memorised at width = b, the lowest of 3 levels" in verdict.told
        assert [stratum.effect for stratum in verdict.estimate.strata] == [1, 15 / 40, 1]

    def test_one_level_that_is_unclear_leaves_it_open(self):
        # The level with the lower share is clear (70 % of 400), the one with the higher is not (5 of 6).
        frame = table(large=(280, 400), small=(5, 6))
        verdict = judge(prediction(every="width"), frame)
        assert verdict.outcome is Outcome.INCONCLUSIVE
        low, high = verdict.estimate.interval
        assert low == verdict.estimate.strata[1].interval[0]  # of the level that is less clear
        assert high < verdict.estimate.strata[0].interval[1] + 0.01  # of the lower one, at half of alpha
        said = "at width = large, the lowest of 2 levels, a share of [0.418,"
        assert said in verdict.told
        assert judge(prediction(), frame[frame.width == "large"]).outcome is Outcome.SUPPORTED

    def test_a_level_that_is_refuted_decides_before_one_that_is_unclear(self):
        # 60 % of 400 surely miss 70 %; the interval of 5 of 6 begins lower and ends above.
        verdict = judge(prediction(every="width"), table(large=(240, 400), small=(5, 6)))
        assert verdict.outcome is Outcome.REFUTED
        assert "at width = large, the lowest of 2 levels" in verdict.told

    def test_a_level_is_refuted_at_its_share_of_alpha(self):
        """24 of 40 exclude three quarters by themselves; as one of six levels they may be that few by chance."""
        ends = [stats.Share(24, 40).interval(alpha)[1] for alpha in (0.05, 0.05 / 6)]
        assert ends[0] < 0.75 < ends[1]
        alone = judge(prediction(exceeds=0.25, margin=0.5), table(a=(24, 40)))
        levels = table(a=(24, 40), **dict.fromkeys("bcdef", (36, 40)))
        beside = judge(prediction(exceeds=0.25, margin=0.5, every="width"), levels)
        assert (alone.outcome, beside.outcome) == (Outcome.REFUTED, Outcome.SUPPORTED)

    def test_levels_that_are_all_alike_are_told_together(self):
        verdict = judge(prediction(every="width"), table(a=(40, 40), b=(40, 40)))
        assert "40 of 40 units have memorised at each of 2 levels, a share of [" in verdict.told

    def test_every_level_supported(self):
        verdict = judge(prediction(every="width"), table(a=(40, 40), b=(38, 40)))
        assert verdict.outcome is Outcome.SUPPORTED
        assert verdict.estimate.p == pytest.approx(sps.binomtest(38, 40, 0.5, "greater").pvalue, rel=1e-9)

    def test_combinations_of_columns_are_levels(self):
        frame = pd.concat([table(a=(9, 9)).assign(depth=depth) for depth in (1, 2)])
        found = prediction(every=("width", "depth")).estimate(frame, rng=np.random.default_rng(0))
        assert [stratum.name for stratum in found.strata] == ["a, 1", "a, 2"]

    def test_levels_are_named_by_their_factors_and_the_estimand_is_one_whatever_was_seen(self):
        """A number alone says nothing, and two runs whose lowest levels differ have measured the same quantity."""
        told = set()
        for least in (0, 1):
            have = [(12, 40), (38, 40)][:: 1 if least == 0 else -1]
            frame = pd.concat(
                [table(w=each).assign(width=512, depth=depth) for depth, each in zip((5.0, 10.0), have, strict=True)]
            )
            found = judge(prediction(every=("width", "depth")), frame)
            assert f"at width = 512 and depth = {(5, 10)[least]}, the lowest of 2 levels" in found.told
            told.add(found.estimate.estimand)
        assert told == {"share of units with memorised, the smallest over 2 levels of width × depth"}


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (table(w=(3, 4)), "4 units"),
        (table(a=(3, 6), b=(3, 6)), "12 of 12 rows share their seed"),
        (table(w=(3, 6)).assign(memorised=0.4), "must be yes or no"),
    ],
)
def test_unusable(frame, why):
    with pytest.raises(Unusable, match=why):
        prediction().estimate(frame, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"exceeds": 1.0}, "0 to below 1"),
        ({"exceeds": -0.1}, "0 to below 1"),
        ({"exceeds": 0.9, "margin": 0.2}, "may be 0.1 at most"),
        ({"unit": ()}, "no unit"),
    ],
)
def test_declarations_that_are_refused(changes, why):
    with pytest.raises(ClaimError, match=why):
        prediction(**changes)
