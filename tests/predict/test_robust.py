"""Trimmed means and how often one of two unpaired groups is higher: known answers, scipy's numbers, what the card says."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as sps

from harness import stats
from harness.errors import ClaimError
from harness.factors import Factors
from harness.judge import Outcome, judge
from harness.judge.power import again, plan
from harness.predict import (
    IndependentDifference,
    IndependentSuperiority,
    IndependentTrimmedDifference,
    PairedDifference,
    TrimmedDifference,
    Unusable,
)

TERMS = {"margin": 0.2, "margin_reason": "visible"}
PAIRED = TrimmedDifference("llc", "regime", "standard", "robust", "seed", **TERMS)
APART = IndependentTrimmedDifference("llc", "regime", "standard", "robust", "seed", **TERMS)
PLACED = IndependentSuperiority("llc", "regime", "standard", "robust", "seed", **TERMS)
SIZES = st.integers(8, 40)


def pairs(differences):
    rows = pd.DataFrame({"seed": np.arange(len(differences)) + 100, "regime": "robust", "llc": 0.0})
    return pd.concat([rows, rows.assign(regime="standard", llc=np.asarray(differences, dtype=float))])


def groups(standard, robust):
    values = np.r_[standard, robust].astype(float)
    regime = np.repeat(["standard", "robust"], [len(standard), len(robust)])
    return pd.DataFrame({"seed": np.arange(len(values)) + 100, "regime": regime, "llc": values})


def estimate(prediction, table):
    return prediction.estimate(table, rng=np.random.default_rng(0))


def noise(seed, n, tail=False):
    values = np.random.default_rng(seed).standard_normal(n)
    return np.exp(values) if tail else values


@given(st.integers(0, 10**6), SIZES, st.booleans())
def test_a_trimmed_mean_of_pairs_is_scipys(seed, n, tail):
    values = noise(seed, n, tail)
    found = estimate(PAIRED, pairs(values))
    assert found.effect == pytest.approx(sps.trim_mean(values, 0.2))
    out = int(0.2 * n + 1e-9)
    kept = n - 2 * out
    pulled = sps.mstats.winsorize(values, limits=out / n + 1e-9)
    assert found.confidence.error == pytest.approx(np.sqrt(np.var(pulled, ddof=1) * (n - 1) / (kept * (kept - 1))))
    assert found.confidence.freedom == pytest.approx(kept - 1)


@given(st.integers(0, 10**6), SIZES, SIZES, st.booleans())
def test_two_groups_are_yuens_test(seed, m, n, tail):
    a, b = noise(seed, m, tail), 3 * noise(seed + 1, n)
    found = estimate(APART, groups(a, b))
    expected = sps.ttest_ind(a, b, equal_var=False, trim=0.2, alternative="greater")
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.confidence.freedom == pytest.approx(expected.df)
    assert found.effect == pytest.approx(sps.trim_mean(a, 0.2) - sps.trim_mean(b, 0.2))


@given(st.integers(0, 10**6), SIZES, st.floats(10, 1e6), st.sampled_from([-1, 1]))
def test_one_that_runs_away_moves_nothing_once_it_is_the_furthest(seed, n, far, side):
    values = noise(seed, n)
    values[0] = side * far
    further = values.copy()
    further[0] = side * 10 * far
    for prediction, table in ((PAIRED, pairs), (APART, lambda each: groups(each, noise(seed + 1, n))),
                              (PLACED, lambda each: groups(each, noise(seed + 1, n)))):  # fmt: skip
        assert estimate(prediction, table(values)).interval == estimate(prediction, table(further)).interval


def test_one_that_runs_away_takes_no_support_but_from_the_mean():
    values = np.r_[np.linspace(0.4, 1.4, 14), -60.0]
    assert judge(PAIRED, pairs(values)).outcome is Outcome.SUPPORTED
    mean = PairedDifference("llc", "regime", "standard", "robust", "seed", **TERMS)
    assert judge(mean, pairs(values)).outcome is not Outcome.SUPPORTED
    apart = groups(values + 5, np.linspace(4.2, 5.2, 12))
    assert judge(APART, apart).outcome is Outcome.SUPPORTED
    assert judge(PLACED, apart).outcome is Outcome.SUPPORTED
    assert judge(IndependentDifference("llc", "regime", "standard", "robust", "seed", **TERMS), apart).outcome is not (
        Outcome.SUPPORTED
    )


def test_nothing_trimmed_is_the_mean():
    values, cells = noise(0, 20), np.repeat([0, 1], [8, 12])
    plain, none = stats.contrast(values, cells, [1, -1]), stats.contrast(values, cells, [1, -1], 0.0)
    assert plain == none
    little = stats.contrast(values, cells, [1, -1], 0.01)
    for name in ("mean", "error", "freedom", "lean"):
        assert getattr(little, name) == pytest.approx(getattr(plain, name))


@given(st.integers(0, 10**6), SIZES, SIZES)
def test_how_often_is_mann_and_whitneys_and_the_variance_is_brunner_and_munzels(seed, m, n):
    a, b = np.round(noise(seed, m) + 0.5, 1), np.round(2 * noise(seed + 1, n), 1)
    found = stats.placed_share(a, b)
    assert float(found.effect) == pytest.approx(sps.mannwhitneyu(a, b).statistic / (m * n))
    statistic = sps.brunnermunzel(b, a).statistic  # (theta - 1/2) / error
    variance = ((float(found.effect) - 0.5) / statistic) ** 2 if statistic else None
    least, most = stats.worth(m, n)
    if variance:
        units = float(found.effect) * (1 - float(found.effect)) / variance
        assert float(found.n) == pytest.approx(np.clip(units, least, most), rel=1e-6)
    assert min(m, n) <= float(found.n) <= max(m, n) * 3


def test_groups_that_do_not_overlap_are_judged_by_the_smaller_one():
    found = estimate(PLACED, groups(np.arange(8) + 10, np.arange(20)[:8]))
    assert found.effect == 1
    assert found.interval == pytest.approx((0.05 ** (1 / 8), 1.0))
    assert judge(PLACED, groups(np.arange(8) + 10, np.arange(8))).outcome is Outcome.SUPPORTED


def test_equal_values_count_half_and_are_counted():
    found = estimate(PLACED, groups([1, 1, 1, 2, 2], [1, 1, 0, 0, 0]))
    assert found.effect == pytest.approx((2 * 5 + 3 * 3 + 6 * 0.5) / 25)
    assert "6 pairs of equal values count half." in found.notes[1].replace("\u00a0", " ")


@pytest.mark.parametrize(("prediction", "table"), [
    (PAIRED, pairs(noise(1, 7))), (APART, groups(noise(1, 7), noise(2, 20))), (APART, groups(noise(1, 20), noise(2, 7))),
])  # fmt: skip
def test_fewer_than_eight_are_not_trimmed(prediction, table):
    with pytest.raises(Unusable, match="an interval needs 8 or more"):
        estimate(prediction, table)


@pytest.mark.parametrize(("prediction", "table"), [
    (PAIRED, pairs([0, 3, 3, 3, 3, 3, 3, 3, 3, 9])), (APART, groups([0, *[3] * 8, 9], [0, *[1] * 8, 9])),
])  # fmt: skip
def test_a_middle_without_spread_is_refused(prediction, table):
    with pytest.raises(Unusable, match="no spread to judge it by"):
        estimate(prediction, table)


def test_small_strata_are_not_trimmed():
    table = pairs(noise(1, 12)).assign(size=lambda rows: np.where(rows.seed < 104, "a", "b"))
    with pytest.raises(Unusable, match=r"4 pairs in a; an interval needs 5 or more"):
        estimate(TrimmedDifference("llc", "regime", "standard", "robust", "seed", "size", **TERMS), table)


def test_cards_say_in_plain_words_what_is_left_out():
    verdict = judge(PAIRED, pairs(noise(3, 12) + 1))
    assert str(PAIRED).startswith(
        "On average over pairs with the same seed, the highest and the lowest 20 % left out, llc is higher in standard"
    )
    assert "On average, the highest and the lowest 20 % left out, llc is" in verdict.told
    assert "about the middle 60 % of units: rare ones at either end do not count" in verdict.told
    assert "A mean counts rare" not in verdict.told
    assert verdict.estimate.estimand == "20 % trimmed mean of paired difference of llc, standard minus robust"
    apart = judge(APART, groups(noise(3, 12) + 1, noise(4, 12)))
    assert apart.estimate.estimand == "difference of 20 % trimmed mean of llc, standard minus robust"
    placed = judge(PLACED, groups(noise(3, 12) + 1, noise(4, 12)))
    assert "In a share of" in placed.told
    assert "There are 12 units in standard and 12 in robust." in placed.told
    said = "Of two units (seed), llc is higher in that in standard than in that in robust in more than half of all pairs"
    assert str(PLACED).startswith(said)


@pytest.mark.parametrize(("prediction", "table"), [
    (PAIRED, pairs(noise(5, 15))), (APART, groups(noise(5, 15), noise(6, 15))), (PLACED, groups(noise(5, 15), noise(6, 15))),
])  # fmt: skip
def test_they_are_planned(prediction, table):
    planned = plan(prediction, estimate(prediction, table))
    assert planned.needed > planned.n  # 0.2 is little beside a spread of 1
    assert planned.smallest > 0.2 or planned.smallest is None
    said = planned.to_json()
    if said["study"]:
        more = again(said, 2 * planned.n)
        assert more.smallest < planned.smallest
        assert more.study.caution == planned.study.caution
        assert more.study.freedom == pytest.approx(planned.study.freedom + planned.study.gain * planned.n)


def test_random_factors_above_the_unit_are_carried():
    rng = np.random.default_rng(7)
    sizes = np.repeat(np.arange(6), 16)
    values = np.repeat(2 * rng.standard_normal(6), 16) + rng.standard_normal(96)
    table = pairs(values).assign(size=np.tile(sizes, 2))
    population = Factors(("size", "seed"), ())
    for kind, more in ((TrimmedDifference, {}), (TrimmedDifference, {"strata": "size"})):
        plain = kind("llc", "regime", "standard", "robust", ("size", "seed"), **more, **TERMS)
        found, drawn = estimate(plain, table), estimate(plain.drawn_from(population), table)
        assert drawn.effect == pytest.approx(found.effect)
        assert np.ptp(drawn.interval) > 1.5 * np.ptp(found.interval)
        assert drawn.counted == ("size", 6)
    apart = groups(values[::2], values[1::2]).assign(size=np.r_[sizes[::2], sizes[1::2]])
    placed = IndependentSuperiority("llc", "regime", "standard", "robust", ("size", "seed"), **TERMS)
    assert estimate(placed, apart).effect == estimate(placed.drawn_from(population), apart).effect


def test_a_share_has_room_for_its_margin():
    with pytest.raises(ClaimError, match=r"at most 0\.5 above a half"):
        IndependentSuperiority("llc", "regime", "standard", "robust", "seed", margin=0.6, margin_reason="too much")
