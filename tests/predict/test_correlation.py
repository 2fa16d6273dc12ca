import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from harness import stats
from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import Correlation, NoCorrelation, Unusable

TERMS = {"margin": 0.3, "margin_reason": "the least that a plot shows"}


def table(rho=0.9, seeds=12, regimes=("standard", "robust"), thresholds=(2, 3), seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for regime in regimes:
        for member in range(seeds):
            llc, noise = rng.normal(size=2)
            for threshold in thresholds:
                asr = rho * llc + np.sqrt(1 - rho**2) * noise + 0.01 * rng.normal()
                rows.append({"seed": member, "regime": regime, "threshold": threshold, "llc": llc, "asr": asr})
    return pd.DataFrame(rows)


def prediction(kind=Correlation, **changes):
    settings = {
        "x": "llc",
        "y": "asr",
        "unit": ("regime", "seed"),
        "blocks": ("regime", "threshold"),
        **TERMS,
    }
    if kind is Correlation:
        settings["sign"] = 1
    return kind(**{**settings, **changes})


def estimate(frame, kind=Correlation, **changes):
    return prediction(kind, **changes).estimate(frame, rng=np.random.default_rng(0))


def test_one_block_is_the_spearman_correlation():
    frame = table(0.5, regimes=("standard",), thresholds=(2,), seeds=30)
    rho = sps.spearmanr(frame.llc, frame.asr).statistic
    found = estimate(frame, blocks=())
    assert found.effect == pytest.approx(rho)
    assert found.interval == pytest.approx(stats.pool(np.arctanh([rho]), [30]).interval(0.05))
    assert (found.n, found.unit, found.strata) == (30, "regime × seed", ())


def test_blocks_that_share_models_are_no_more_evidence():
    frame = table(0.4)
    both = estimate(frame)
    one = estimate(frame, where={"threshold": 2})
    assert both.n == one.n == 24
    assert len(both.strata) == 4
    assert both.confidence.variance == pytest.approx(one.confidence.variance)
    # Seeds as units of the whole table: the regimes share them too, so that all four blocks are one cluster.
    shared = estimate(frame, unit="seed")
    assert shared.confidence.variance == pytest.approx(2 * one.confidence.variance)
    assert np.ptp(shared.interval) > 1.3 * np.ptp(both.interval)
    assert shared.n == 12


def test_whether_chance_explains_how_far_blocks_differ():
    same = table(0.5, regimes=("standard", "robust"), thresholds=(2,), seeds=20)
    (note,) = estimate(same).notes
    assert note.startswith("The blocks differ no more than chance explains (p = 0.")
    opposite = same.assign(asr=same.asr.where(same.regime == "robust", -same.asr))
    (note,) = estimate(opposite).notes
    assert note.startswith("The blocks differ more than chance explains (p = ")
    assert estimate(same, blocks=()).notes == ()
    assert estimate(table(0.5)).notes == ()  # blocks that share models: the test would take them as independent


def test_regimes_with_shifted_means():
    frame = table(0.0, thresholds=(2,), seeds=20)
    shift = (frame.regime == "standard") * 3
    frame = frame.assign(llc=frame.llc + shift, asr=frame.asr + shift)
    assert estimate(frame, blocks=()).interval[0] > 0.4
    assert estimate(frame).interval[0] < 0


@pytest.mark.parametrize(("rho", "sign"), [(0.9, 1), (-0.9, -1)])
def test_the_sign_is_the_direction(rho, sign):
    frame = table(rho)
    right, wrong = judge(prediction(sign=sign), frame), judge(prediction(sign=-sign), frame)
    assert right.outcome is Outcome.SUPPORTED
    assert right.estimate.p < 0.001
    assert (wrong.outcome, wrong.label) == (Outcome.REFUTED, "reversed")
    assert wrong.estimate.p > 0.999


def test_negating_a_variable_mirrors():
    frame = table(0.4)
    forth, back = estimate(frame), estimate(frame.assign(asr=-frame.asr), sign=-1)
    assert back.effect == pytest.approx(-forth.effect)
    assert back.interval == pytest.approx((-forth.interval[1], -forth.interval[0]))
    assert back.p == pytest.approx(forth.p)


def test_only_ranks_count():
    frame = table(0.6)
    stretched = frame.assign(llc=np.exp(5 * frame.llc), asr=frame.asr**3)
    assert estimate(frame) == estimate(stretched)


def test_interval_and_permutation_agree():
    # The interval is approximate and the permutation test is not: within a factor of two of alpha they may
    # differ.
    for seed in range(60):
        found = estimate(table(0.25, seed=seed, regimes=("standard",), thresholds=(2,), seeds=25))
        if found.p < 0.025:
            assert found.interval[0] > 0
        if found.p > 0.1:
            assert found.interval[0] < 0


class TestNoCorrelation:
    def test_absence(self):
        verdict = judge(prediction(NoCorrelation, margin=0.5), table(0.0, seeds=60))
        assert verdict.outcome is Outcome.SUPPORTED
        assert ": inside −0.5 to 0.5" in verdict.told

    def test_presence_refutes_in_either_direction(self):
        for rho in (0.95, -0.95):
            assert judge(prediction(NoCorrelation), table(rho, seeds=30)).outcome is Outcome.REFUTED

    def test_few_models_decide_nothing(self):
        assert judge(prediction(NoCorrelation), table(0.0, seeds=8)).outcome is Outcome.INCONCLUSIVE

    def test_p_and_interval_agree(self):
        for seed in range(40):
            found = estimate(table(0.1, seed=seed, seeds=40), NoCorrelation, margin=0.4)
            assert (max(map(abs, found.interval)) < 0.4) == (found.p < 0.05)

    def test_same_interval_as_the_correlation(self):
        frame = table(0.3)
        assert estimate(frame).interval == estimate(frame, NoCorrelation).interval


@pytest.mark.parametrize("kind", [Correlation, NoCorrelation])
@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (pd.concat([table(), table().iloc[[3]]]), "2 of 49 rows share their regime, threshold and seed"),
        (table(thresholds=(2, 2)), "48 of 48 rows share"),
        (table(seeds=3), r"3 units \(regime × seed\) in .*, 2; an interval needs 5"),
        (table(seeds=7, regimes=("robust",)), "7 units in all; an interval needs 8 or more"),
        (
            table().assign(llc=lambda each: each.llc.where(each.regime == "robust", 0.7)),
            "llc has the same value, 0.7",
        ),
        (table().assign(asr=0.0), "asr has the same value, 0, in every row in robust, 2"),
    ],
)
def test_unusable(kind, frame, why):
    with pytest.raises(Unusable, match=why):
        estimate(frame, kind)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sign": 0}, r"allowed are \+1 and -1"),
        ({"unit": ()}, "has no unit"),
        ({"margin": 1.0}, "a correlation lies below 1"),
    ],
)
def test_declarations_that_are_refused(changes, why):
    with pytest.raises(ClaimError, match=why):
        prediction(**changes)
