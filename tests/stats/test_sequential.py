"""Evidence that may be looked at after every block: known answers, duality, and a false-alarm rate over 60 looks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate
from scipy import stats as sps

from harness import stats
from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import DataFact, PairedDifference, Theorem
from harness.stats.sequential import SPREAD

BLOCKS = (range(8), range(8, 16), range(16, 24))
DIFFERENCE = PairedDifference("llc", "regime", "standard", "robust", "seed", margin=0.5, margin_reason="half a deviation")


def pairs(effect: float, seeds: int = 24, seed: int = 0) -> pd.DataFrame:
    noise = np.random.default_rng(seed).normal(size=seeds)
    return pd.DataFrame([{"seed": i, "regime": regime, "llc": (effect + noise[i]) * (regime == "standard")}
                         for i in range(seeds) for regime in ("standard", "robust")])  # fmt: skip


@pytest.mark.parametrize("z", [[2.0], [-1.0, 0.5], [3.0, 1.0, 2.0, -0.5]])
def test_the_e_value_is_the_mixture_that_it_says(z: list[float]) -> None:
    def mixed(mu: float) -> float:
        return float(np.prod(np.exp(mu * np.array(z) - mu**2 / 2)) * 2 * sps.norm.pdf(mu, scale=SPREAD))

    assert stats.e_value(z) == pytest.approx(integrate.quad(mixed, 0, 60)[0], rel=1e-6)


def test_no_block_is_no_evidence() -> None:
    assert stats.e_value(np.zeros((3, 0))) == pytest.approx([1, 1, 1])


def test_evidence_grows_with_z_and_orders_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=(100, 5))
    assert (stats.e_value(z + 0.1) > stats.e_value(z)).all()
    np.testing.assert_allclose(stats.e_value(z), stats.e_value(z[:, ::-1]), rtol=1e-12)


def test_the_expectation_under_the_null_is_one() -> None:
    # E[E] = 1 exactly; by quadrature over one block's z.
    mean = integrate.quad(lambda z: float(stats.e_value([z])) * sps.norm.pdf(z), -30, 30)[0]
    assert mean == pytest.approx(1, abs=1e-6)


def test_p_of_nothing_and_of_everything_is_finite() -> None:
    assert stats.anytime_p([1.0, 1.0]) == 1
    assert 0 <= stats.anytime_p([0.0, 0.0]) < 1e-100


def test_sixty_looks_raise_a_false_alarm_in_five_percent_of_studies_at_most() -> None:
    """A look after each of 60 blocks: the e-process alarms ever in α of studies at most, looking at p in most of them."""
    blocks = np.random.default_rng(2).normal(size=(10_000, 60))
    looks = [blocks[:, : k + 1] for k in range(60)]
    alarms = np.stack([stats.e_value(z) >= 20 for z in looks]).any(axis=0)
    naive = np.stack([z.sum(axis=1) / np.sqrt(z.shape[1]) > sps.norm.ppf(0.95) for z in looks]).any(axis=0)
    assert sps.binomtest(int(alarms.sum()), alarms.size).proportion_ci(0.98, "exact").high <= 0.05
    assert naive.mean() > 0.25


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_interval_and_p_agree(alpha: float) -> None:
    rng = np.random.default_rng(3)
    parts = [stats.stratified_mean(rng.normal(0.3, 1, (50, 8))).confidence for _ in range(4)]
    anytime = stats.Anytime(parts[0], parts)
    low, high = anytime.interval(alpha)
    assert (low < high).all()
    for study in range(50):
        one = stats.Anytime(parts[0], [stats.Student(*(f[study] for f in (p.estimate, p.error, p.freedom))) for p in parts])
        assert one.above(low[study]) == pytest.approx(alpha, rel=1e-6)
        assert one.below(high[study]) == pytest.approx(alpha, rel=1e-6)


def test_the_interval_is_wider_than_that_of_one_look_and_shrinks_with_the_blocks() -> None:
    table = pairs(1.0)
    once = judge(DIFFERENCE, table).estimate
    widths = [np.ptp(judge(DIFFERENCE, table[table.seed < 8 * k], blocks=BLOCKS[:k]).estimate.interval) for k in (1, 2, 3)]
    assert widths[0] > widths[1] > widths[2] > np.ptp(once.interval)


def test_a_verdict_in_blocks_says_so_and_keeps_the_estimate_of_all_seeds() -> None:
    verdict = judge(DIFFERENCE, pairs(1.5), blocks=BLOCKS)
    assert verdict.outcome is Outcome.SUPPORTED
    assert verdict.estimate.effect == judge(DIFFERENCE, pairs(1.5)).estimate.effect
    assert "Judged after 3 blocks of 8 seeds" in verdict.told
    assert judge(DIFFERENCE, pairs(-1.5), blocks=BLOCKS).outcome is Outcome.REFUTED


def test_blocks_of_unequal_size_are_named() -> None:
    verdict = judge(DIFFERENCE, pairs(1.5), blocks=(range(8), range(8, 24)))
    assert "2 blocks of 8 to 16 seeds" in verdict.told


def test_a_block_that_cannot_be_judged_makes_the_whole_invalid() -> None:
    verdict = judge(DIFFERENCE, pairs(1.5), blocks=(range(20), range(20, 24)))
    assert verdict.outcome is Outcome.INVALID
    assert "in block 2 of the seeds alone: 4 pairs" in verdict.told


def test_a_table_without_seeds_is_an_error() -> None:
    prediction = PairedDifference("llc", "regime", "standard", "robust", "model", margin=0.5, margin_reason="half")
    with pytest.raises(ClaimError, match="the table has no column 'seed' to tell the blocks apart; it has model, regime, llc"):
        judge(prediction, pairs(1.0).rename(columns={"seed": "model"}), blocks=BLOCKS)


def test_exact_kinds_have_no_blocks() -> None:
    theorem = pd.DataFrame({"examples": [9], "counterexample": [None]})
    assert judge(Theorem(5), theorem, blocks=BLOCKS).outcome is Outcome.SUPPORTED
    fact = pd.DataFrame({"case": ["a"], "value": [0.1], "reported": [0.1], "digits": [1]})
    assert judge(DataFact(), fact, blocks=BLOCKS).outcome is Outcome.SUPPORTED
