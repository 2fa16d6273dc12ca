import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from harness import stats
from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import Trajectory, Unusable

TERMS = {"margin": 0.2, "margin_reason": "visible"}
EPOCHS = (1, 2, 5, 10, 20, 40, 80, 100, 150, 200)


def table(own=1.0, shared=0.0, seeds=10, epochs=EPOCHS, trend=0.0):
    """Courses of llc and asr: one of each model, one that all share, and a straight line."""
    rng = np.random.default_rng(6)
    common = 5 * rng.standard_normal(len(epochs)).cumsum()
    rows = []
    for seed in range(seeds):
        course = rng.standard_normal(len(epochs)).cumsum()
        for i, epoch in enumerate(epochs):
            both = own * course[i] + shared * common[i] + trend * epoch
            rows.append({"seed": seed, "epoch": epoch, "llc": both + 0.3 * rng.normal(), "asr": both + 0.3 * rng.normal()})
    return pd.DataFrame(rows)


def prediction(**changes):
    settings = {"x": "llc", "y": "asr", "over": "epoch", "unit": "seed", "sign": 1, **TERMS}
    return Trajectory(**{**settings, **changes})


def estimate(frame, **changes):
    return prediction(**changes).estimate(frame, rng=np.random.default_rng(0))


def test_it_is_a_t_interval_of_one_correlation_per_model():
    frame = table()
    rho = [sps.spearmanr(part.llc.diff().dropna(), part.asr.diff().dropna()).statistic for _, part in frame.groupby("seed")]
    z = stats.fisher_z(rho, 9)
    found = estimate(frame)
    assert found.effect == pytest.approx(np.tanh(z.mean()))
    assert found.interval == pytest.approx(tuple(np.tanh(sps.ttest_1samp(z, 0).confidence_interval(0.9))))
    assert found.p == max(found.second_p, sps.ttest_1samp(z, 0, alternative="greater").pvalue)
    assert (found.n, found.objection) == (10, None)


def test_a_straight_line_is_taken_away():
    frame = table(trend=100.0)
    residual = [
        [part[column] - np.polyval(np.polyfit(part.epoch, part[column], 1), part.epoch) for column in ("llc", "asr")]
        for _, part in frame.groupby("seed")
    ]
    z = stats.fisher_z([sps.spearmanr(*pair).statistic for pair in residual], 10)
    assert estimate(frame, detrend="linear").effect == pytest.approx(np.tanh(z.mean()))


def test_a_trend_that_is_all_there_is_is_no_evidence():
    frame = table(own=0.0, trend=1.0)
    assert sps.spearmanr(frame.llc, frame.asr).statistic > 0.9
    for detrend in ("difference", "linear"):
        assert judge(prediction(detrend=detrend), frame).outcome is not Outcome.SUPPORTED


def test_what_all_models_share_is_no_evidence():
    verdict = judge(prediction(), table(own=0.0, shared=1.0))
    assert verdict.estimate.interval[0] > 0.5
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "Another unit's course would do as well: with units that are paired at random p = " in verdict.told
    assert verdict.estimate.p == verdict.estimate.second_p > 0.05
    assert "Between one unit's llc and another's asr the correlation is 0.9" in verdict.told


def test_what_models_do_not_share_counts_beside_what_they_do():
    assert judge(prediction(), table(own=1.0, shared=0.2, seeds=20)).outcome is Outcome.SUPPORTED


def test_verdicts_and_sign():
    assert judge(prediction(), table()).outcome is Outcome.SUPPORTED
    wrong = judge(prediction(sign=-1), table())
    assert (wrong.outcome, wrong.label) == (Outcome.REFUTED, "reversed")
    opposite = table().assign(asr=lambda rows: -rows.asr)
    assert judge(prediction(sign=-1), opposite).outcome is Outcome.SUPPORTED
    assert judge(prediction(margin=0.5), table(own=0.0, seeds=30)).outcome is Outcome.REFUTED


def test_unrelated_courses_that_remember_are_seldom_supported():
    # AR(0.9) courses, as in training; the judge's nominal level is 5 %.
    rng = np.random.default_rng(0)
    shocks = rng.standard_normal((2_000, 2, 8, 20))
    courses = np.zeros_like(shocks)
    for i in range(20):
        courses[..., i] = 0.9 * courses[..., i - 1] * (i > 0) + shocks[..., i]
    for how in ("difference", "linear"):
        x, y = np.moveaxis(stats.detrended(np.arange(20), courses, how), 1, 0)
        own = np.diagonal(stats.between_units(x, y), axis1=-2, axis2=-1)
        low, _ = stats.stratified_mean(own).interval(0.05)
        assert sps.binomtest(int((low > 0).sum()), 2_000).proportion_ci(0.98).high <= 0.075


def test_epochs_are_ordered_as_numbers():
    frame = table(epochs=(2, 10, 9, 30, 100, 1000))
    assert estimate(frame.assign(epoch=frame.epoch.astype(float))) == estimate(frame)
    ranked = frame.assign(epoch=frame.epoch.rank(method="dense"))
    assert estimate(ranked).interval == estimate(frame).interval


def test_it_reads_as_a_sentence():
    assert str(prediction(sign=-1)) == (
        "Within each seed, llc and asr move opposite ways over epoch (Spearman correlation of their changes from one epoch to "
        "the next), beyond what all units share; the smallest correlation of interest is −0.2"
    )
    assert "their courses beside a straight line in epoch" in str(prediction(detrend="linear"))
    assert judge(prediction(), table()).told.startswith(
        "Mean Spearman correlation of llc and asr within each, changes from one epoch to the next, is 0.8"
    )


@pytest.mark.parametrize(
    ("frame", "changes", "why"),
    [
        (table(seeds=7), {}, r"7 units \(seed\); an interval needs 8"),
        (table(epochs=(1, 2, 3, 4, 5)), {}, r"5 value\(s\) of epoch leave 4 for each series; 5 or more"),
        (table(epochs=(1, 2, 3, 4)), {"detrend": "linear"}, "leave 4"),
        (table().iloc[1:], {}, "1 of 10 units have no row at some epoch .* e.g. seed = 0 at epoch = 1"),
        (pd.concat([table(), table().iloc[:1]]), {}, "share their seed and epoch"),
        (table().assign(llc=lambda rows: rows.llc.where(rows.seed != 4, 1 / 3)), {},
         "llc has no changes from one epoch to the next that differ in 1 of 10 units, e.g. seed = 4"),
        (table().assign(asr=lambda rows: rows.asr.where(rows.seed != 4, 1e3 / 7 * rows.epoch)), {"detrend": "linear"},
         "asr has no courses beside a straight line in epoch that differ in 1 of 10"),
        (table().assign(asr=lambda rows: rows.llc), {}, "every seed has the same correlation"),
    ],
)  # fmt: skip
def test_unusable(frame, changes, why):
    with pytest.raises(Unusable, match=why):
        estimate(frame, **changes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sign": 0}, r"sign=0; allowed are \+1 and -1"),
        ({"detrend": "spline"}, "detrend='spline'; allowed are 'difference' and 'linear'"),
        ({"unit": ()}, "no unit"),
        ({"margin": 1.0}, "below 1"),
    ],
)
def test_declarations_that_are_refused(changes, why):
    with pytest.raises(ClaimError, match=why):
        prediction(**changes)
