import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from harness import stats
from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import CorrelationDifference, Unusable


def table(here=0.9, there=0.0, seeds=60, regimes=("standard",), seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for regime in regimes:
        for member in range(seeds):
            asr = rng.normal()
            for scope, rho in (("hidden", there), ("input", here)):
                llc = rho * asr + np.sqrt(1 - rho**2) * rng.normal()
                rows.append({"regime": regime, "seed": member, "scope": scope, "llc": llc, "asr": asr})
    return pd.DataFrame(rows)


def prediction(**changes):
    settings = {"y": "asr", "x": "llc", "factor": "scope", "here": "input", "there": "hidden", "margin": 0.3,
                "unit": ("regime", "seed"), "blocks": ("regime",), "margin_reason": "visible"}  # fmt: skip
    return CorrelationDifference(**{**settings, **changes})


def estimate(frame, **changes):
    return prediction(**changes).estimate(frame, rng=np.random.default_rng(0))


def test_one_block_is_the_difference_of_two_correlations():
    frame = table(0.6, 0.1, 40)
    wide = frame.pivot_table(index="seed", columns="scope", values=["llc", "asr"])
    first, second, y = wide["llc"]["input"], wide["llc"]["hidden"], wide["asr"]["input"]
    rho = [sps.spearmanr(a, b).statistic for a, b in ((first, y), (second, y), (first, second))]
    found = estimate(frame, blocks=())
    assert found.effect == pytest.approx(rho[0] - rho[1])
    here, there = (stats.pool(np.arctanh([each]), [40]) for each in rho[:2])
    assert found.interval == pytest.approx(stats.Overlapping(here, there, rho[2]).interval(0.05))
    assert (found.n, found.strata) == (40, ())


def test_blocks_are_pooled_and_reported():
    found = estimate(table(0.7, 0.1, 20, regimes=("standard", "robust", "finetuned")))
    assert [stratum.name for stratum in found.strata] == ["finetuned", "robust", "standard"]
    effects = [stratum.effect for stratum in found.strata]
    assert min(effects) < found.effect < max(effects)
    assert all(np.ptp(stratum.interval) > np.ptp(found.interval) for stratum in found.strata)
    assert found.n == 60


def test_blocks_that_share_models_are_no_more_evidence():
    frame = table(0.7, 0.1, 30)
    doubled = pd.concat([frame.assign(threshold=2), frame.assign(threshold=3)])
    once = estimate(frame, blocks=())
    twice = estimate(doubled, blocks=("threshold",))
    assert twice.interval == pytest.approx(once.interval)
    assert (twice.n, twice.p) == (30, pytest.approx(once.p))


def test_verdicts_and_mirror():
    frame = table()
    assert judge(prediction(), frame).outcome is Outcome.SUPPORTED
    back = judge(prediction(here="hidden", there="input"), frame)
    assert (back.outcome, back.label) == (Outcome.REFUTED, "reversed")
    forth = estimate(frame)
    assert back.estimate.effect == pytest.approx(-forth.effect)
    assert back.estimate.interval == pytest.approx((-forth.interval[1], -forth.interval[0]))
    assert back.estimate.p == pytest.approx(1 - forth.p)


def test_interval_and_p_agree():
    for seed in range(40):
        found = estimate(table(0.4, 0.2, 30, seed=seed))
        assert (found.interval[0] > 0) == (found.p < 0.05)


def test_both_correlations_are_named():
    reason = judge(prediction(), table()).told
    assert "higher in input than in hidden" in reason
    assert "The correlation is 0." in reason


def test_perfect_rankings_stay_finite():
    frame = table(seeds=10)
    frame.loc[frame.scope == "input", "llc"] = frame.loc[frame.scope == "input", "asr"]
    frame.loc[frame.scope == "hidden", "llc"] = -frame.loc[frame.scope == "hidden", "asr"]
    found = estimate(frame)
    assert np.isfinite([found.effect, *found.interval, found.p]).all()
    assert found.interval[0] > 0


def without(frame, scope):
    return frame.drop(frame[(frame.scope == scope) & (frame.seed == 4)].index)


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (without(table(), "hidden"), "no partner with scope = hidden, e.g. regime = standard, seed = 4"),
        (without(table(), "input"), "no partner with scope = input"),
        (table().assign(asr=range(120)), "asr differs between scope = input and hidden in 60 of 60 units"),
        (table(seeds=4), "4 units"),
        (table(seeds=7), "7 units in all; an interval needs 8 or more"),
        (table().assign(llc=lambda rows: rows.llc.where(rows.scope == "input", 2.0)),
         "llc has the same value, 2, in every row with scope = hidden"),
        (table().assign(asr=1.0), "asr has the same value"),
        (pd.concat([table(), table().iloc[:1]]), "share their regime and seed"),
    ],
)  # fmt: skip
def test_unusable(frame, why):
    with pytest.raises(Unusable, match=why):
        estimate(frame)


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"there": "input"}, "with itself"), ({"unit": ()}, "no unit"), ({"margin": 2.0}, "less than 2")],
)
def test_declarations_that_are_refused(changes, why):
    with pytest.raises(ClaimError, match=why):
        prediction(**changes)
