import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from harness.errors import ClaimError
from harness.factors import Factors
from harness.judge import Outcome, judge
from harness.predict import PairedDifference, Superiority, Unusable

TERMS = {"margin": 0.2, "margin_reason": "seven pairs in ten"}
OFTENER = Superiority("llc", "regime", "standard", "robust", "seed", **TERMS)


def pairs(differences):
    rows = pd.DataFrame({"seed": range(len(differences)), "regime": "robust", "llc": 1.0})
    return pd.concat([rows, rows.assign(regime="standard", llc=1 + np.asarray(differences, dtype=float))])


def estimate(differences, prediction=OFTENER):
    return prediction.estimate(pairs(differences), rng=np.random.default_rng(0))


def test_it_is_an_exact_share():
    found = estimate([1, 2, 3, -1, 5, 6, 7, 8, -9, 10])
    expected = sps.binomtest(8, 10).proportion_ci(0.9, method="exact")
    assert found.effect == 0.8
    assert found.interval == pytest.approx((expected.low, expected.high))
    assert found.p == pytest.approx(sps.binomtest(8, 10, alternative="greater").pvalue)
    assert (found.n, found.unit) == (10, "pair (seed)")


def test_one_that_runs_away_changes_nothing():
    usual = [0.5, 1, 0.7, 0.9, 1.2, 0.8, 1.1, 0.6, 0.4, 1.3, 0.9, 1]
    assert estimate([*usual, -0.1]).interval == estimate([*usual, -1000]).interval
    assert judge(OFTENER, pairs([*usual, -1000])).outcome is Outcome.SUPPORTED
    mean = PairedDifference("llc", "regime", "standard", "robust", "seed", **TERMS)
    assert judge(mean, pairs([*usual, -1000])).outcome is not Outcome.SUPPORTED


def test_equal_values_count_half():
    found = estimate([1, 1, 1, 0, 0, -1])
    assert found.effect == pytest.approx(4 / 6)
    assert found.notes == ("2\u00a0pairs of equal values count half.",) or "count half" in found.notes[0]
    turned = Superiority("llc", "regime", "robust", "standard", "seed", **TERMS)
    assert estimate([1, 1, 1, 0, 0, -1], turned).effect == pytest.approx(2 / 6)


def test_random_factors_above_the_pair_are_carried():
    values = np.repeat([1.0, 1, 1, 1, -1, 1], 4) + 0.1 * np.random.default_rng(0).standard_normal(24)
    frame = pairs(values).assign(size=lambda rows: rows.seed // 4)
    within = Superiority("llc", "regime", "standard", "robust", ("size", "seed"), **TERMS)
    plain = within.estimate(frame, rng=np.random.default_rng(0))
    carried = within.drawn_from(Factors(("size", "seed"))).estimate(frame, rng=np.random.default_rng(0))
    assert carried.effect == pytest.approx(plain.effect)
    assert carried.interval[0] < plain.interval[0]
    assert carried.counted == ("size", 6)


def test_it_reads_as_a_sentence():
    assert str(OFTENER) == (
        "In more than half of the pairs with the same seed, llc is higher in standard than in robust; the smallest share of "
        "interest is 0.7"
    )
    assert judge(OFTENER, pairs(np.ones(10))).told.startswith(
        "In a share of 1 of the pairs llc is higher in standard than in robust [0.741, 1]"
    )


def test_what_is_refused():
    with pytest.raises(ClaimError, match=r"at most 0\.5 above a half"):
        Superiority("llc", "regime", "standard", "robust", "seed", margin=0.6, margin_reason="none")
    with pytest.raises(Unusable, match="4 pairs"):
        estimate([1, 2, 3, 4])
