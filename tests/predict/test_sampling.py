"""Populations: what a claim declares, what is refused, and what the estimate makes of it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from harness.claim import Claim
from harness.errors import ClaimError
from harness.factors import Factors
from harness.fixed import declared, differences
from harness.judge import Outcome, judge
from harness.predict import (
    Conjunction,
    Correlation,
    IndependentDifference,
    NoTrend,
    Ordering,
    PairedDifference,
    Peak,
    Proportion,
    Theorem,
    Unusable,
)
from harness.source import Source

TERMS = {"margin": 0.5, "margin_reason": "test"}
UNIT = ("architecture", "seed")
HIGHER = PairedDifference("llc", "regime", "standard", "robust", UNIT, "architecture", **TERMS)
LINK = Correlation("llc", "asr", UNIT, "regime", sign=1, margin=0.3, margin_reason="test")
BOTH = Factors(random=UNIT, fixed=("regime", "test points"))
SEEDS = Factors(random="seed", fixed=("architecture", "regime", "test points"))
SOURCE = Source("mine", "A document").at("Results", "a sentence")


def networks(architectures=6, seeds=8, between=1.0, rng=0):
    """One row per architecture, seed and regime."""
    rng = np.random.default_rng(rng)
    level = dict(enumerate(between * rng.standard_normal(architectures)))
    return pd.DataFrame([
        {"architecture": f"a{a}", "seed": s, "regime": regime, "asr": rng.standard_normal(),
         "llc": rng.standard_normal() + (1 + level[a]) * (regime == "standard")}
        for a in range(architectures) for s in range(seeds) for regime in ("standard", "robust")
    ])  # fmt: skip


def claim(prediction, population, **more):
    return Claim(id="mine/one", statement="a statement", source=SOURCE, prediction=prediction, population=population, **more)


class TestDeclaration:
    @pytest.mark.parametrize("given", [{"random": 3}, {"random": ("seed", "seed")}, {"random": "seed", "fixed": "seed"},
                                       {"fixed": ("",)}])  # fmt: skip
    def test_factors_are_different_names(self, given):
        with pytest.raises(ClaimError, match="Factors"):
            Factors(**given)

    def test_every_column_of_the_units_has_to_be_declared(self):
        with pytest.raises(ClaimError, match="does not say whether architecture is random"):
            claim(HIGHER, Factors(random="seed"))
        with pytest.raises(ClaimError, match="does not say whether regime is random"):
            claim(HIGHER, Factors(random=UNIT), companions=(LINK,))

    def test_something_has_to_be_drawn(self):
        with pytest.raises(ClaimError, match="nothing was drawn"):
            claim(HIGHER, Factors(fixed=UNIT))

    def test_a_random_factor_has_to_be_a_column_of_the_units(self):
        with pytest.raises(ClaimError, match="random=test points"):
            claim(HIGHER, Factors(random=(*UNIT, "test points")))

    def test_what_is_no_population_is_refused(self):
        with pytest.raises(ClaimError, match="population='seed'"):
            claim(HIGHER, "seed")

    def test_it_is_in_the_digest_and_in_what_is_declared(self):
        one, other, none = claim(HIGHER, BOTH), claim(HIGHER, SEEDS), claim(HIGHER, None)
        assert len({each.digest() for each in (one, other, none)}) == 3
        assert declared(one)["population"] == {"random": list(UNIT), "fixed": ["regime", "test points"]}
        assert declared(none)["population"] is None
        changed = differences({"declared": declared(other)}, {"declared": declared(one)})
        assert changed[0] == "population random seed → architecture, seed"

    def test_the_prediction_itself_is_described_as_without_it(self):
        assert claim(HIGHER, BOTH).prediction.describe() == HIGHER.describe()

    def test_it_stands_in_the_sentence(self):
        assert "(for others like these architectures and seeds; on these very regimes and test points)" in str(
            claim(LINK, BOTH).prediction
        )
        assert "(for others like these seeds; on these very architectures" in str(claim(HIGHER, SEEDS).prediction)
        assert "others like these" not in str(claim(HIGHER, None).prediction)

    def test_a_conjunction_says_it_once_where_all_parts_say_the_same(self):
        twice = claim(Conjunction((HIGHER, dataclasses.replace(HIGHER, value="asr"))), Factors(random=UNIT)).prediction
        assert str(twice).count("others like these") == 1
        apart = claim(Conjunction((HIGHER, LINK)), BOTH).prediction
        assert str(apart).count("others like these") == 2

    def test_what_holds_at_every_level_speaks_of_these_very_levels(self):
        every = Proportion("asr", "seed", 0.5, "architecture", above=0.0, margin=0.1, margin_reason="test")
        assert every.drawn_from(Factors(random=UNIT)).population == Factors("seed", "architecture")

    def test_exact_kinds_carry_nothing(self):
        theorem = Theorem(at_least_examples=5)
        assert claim(theorem, Factors(random="admissible inputs")).prediction == theorem


class TestEstimate:
    def test_seeds_alone_are_units_as_before(self):
        table = networks(architectures=1)
        simple = PairedDifference("llc", "regime", "standard", "robust", "seed", **TERMS)
        one, other = (judge(each, table).estimate for each in (simple, simple.drawn_from(Factors("seed"))))
        assert (one.interval, one.p, one.n) == (other.interval, other.p, other.n)
        assert other.counted is None

    @pytest.mark.parametrize("prediction", [HIGHER, LINK, dataclasses.replace(LINK, blocks=("architecture", "regime"))])
    def test_random_architectures_widen_the_interval(self, prediction):
        table = networks()
        one, two = (judge(each, table).estimate for each in (prediction, prediction.drawn_from(BOTH)))
        assert two.effect == pytest.approx(one.effect)
        assert np.ptp(two.interval) > np.ptp(one.interval) or prediction.blocks
        assert two.counted == ("architecture", 6)
        assert two.p == pytest.approx(float(two.confidence.above(0)))

    def test_a_mean_over_architectures_is_that_of_their_means_where_seeds_are_their_own(self):
        table = networks()
        table["seed"] = table["architecture"] + "/" + table["seed"].astype(str)
        seen = judge(HIGHER.drawn_from(BOTH), table).estimate
        wide = table.pivot_table(index=["architecture", "seed"], columns="regime", values="llc")
        means = (wide["standard"] - wide["robust"]).groupby("architecture").mean()
        expected = sps.ttest_1samp(means, 0).confidence_interval(0.9)
        assert seen.interval == pytest.approx((expected.low, expected.high))

    def test_the_order_of_the_rows_has_no_influence(self):
        table = networks()
        for prediction in (HIGHER.drawn_from(BOTH), LINK.drawn_from(BOTH)):
            one, other = (judge(prediction, each).estimate for each in (table, table.sample(frac=1, random_state=1)))
            assert one.interval == pytest.approx(other.interval)

    def test_too_few_levels_are_unusable_with_the_remedy(self):
        verdict = judge(HIGHER.drawn_from(BOTH), networks(architectures=2))
        assert verdict.outcome is Outcome.INVALID
        assert "2 levels of architecture" in verdict.told
        assert "measure more of them, or declare architecture fixed" in verdict.told

    def test_the_numbers_of_levels_and_what_a_new_one_may_be_stand_in_the_row(self):
        row = judge(HIGHER.drawn_from(Factors(random=UNIT, fixed="test points")), networks()).to_json()["population"]
        assert row["speaks"] == "for others like these 6 architectures and 8 seeds; on these very test points"
        assert [each["factor"] for each in row["beyond"]] == ["architecture", "seed"]
        architecture = row["beyond"][0]
        assert architecture["deviation"] > 0
        assert 0 <= architecture["icc"] <= 1
        assert architecture["interval"][0] < architecture["interval"][1]

    def test_without_a_population_the_row_says_what_is_taken_for_it(self):
        row = judge(HIGHER, networks()).to_json()["population"]
        assert row["speaks"].startswith("not declared; units (architecture × seed) are taken as drawn one by one")

    def test_a_plan_counts_levels(self):
        power = judge(HIGHER.drawn_from(BOTH), networks()).to_json()["power"]
        assert (power["unit"], power["n"]) == ("architecture", 6)

    def test_points_of_a_line_that_stand_for_others_carry_what_all_share_there(self):
        rng = np.random.default_rng(3)
        lack = dict(zip((1, 2, 4, 8), rng.standard_normal(4), strict=True))
        table = pd.DataFrame([{"seed": s, "d": d, "y": lack[d] + 0.1 * rng.standard_normal()} for s in range(8) for d in lack])
        flat = NoTrend("y", "d", "seed", **TERMS)
        narrow, wide = (judge(flat.drawn_from(Factors(each)), table).estimate for each in ("seed", ("seed", "d")))
        assert np.ptp(wide.interval) > 3 * np.ptp(narrow.interval)
        assert wide.population == "for others like these 8 seeds and values of d"

    def test_a_peak_is_not_chosen_across_two_factors(self):
        rng = np.random.default_rng(4)
        rows = [{"architecture": a, "seed": s, "epoch": e, "llc": -abs(e - 2) + 0.1 * rng.standard_normal()}
                for a in range(6) for s in range(6) for e in range(5)]  # fmt: skip
        peak = Peak("llc", "epoch", UNIT, **TERMS)
        assert "random and cross" in judge(peak.drawn_from(Factors(random=UNIT)), pd.DataFrame(rows)).told
        one = judge(peak.drawn_from(Factors("architecture", "seed")), pd.DataFrame(rows))
        assert one.estimate.counted == ("architecture", 6)

    def test_ranks_are_those_of_the_levels(self):
        rows = [{"architecture": a, "seed": s, "dose": d, "llc": d + 0.1 * ((3 * a + s + d) % 5)}
                for a in range(4) for s in range(5) for d in range(3)]  # fmt: skip
        rises = Ordering("llc", "dose", (0, 1, 2), UNIT, "architecture", **TERMS)
        one, other = (judge(each, pd.DataFrame(rows)).estimate for each in (rises, rises.drawn_from(Factors(random=UNIT))))
        assert other.second_p > one.second_p

    def test_blocks_of_seeds_that_share_architectures_are_no_studies_of_their_own(self):
        blocks = (range(4), range(4, 8))
        verdict = judge(HIGHER.drawn_from(BOTH), networks(), blocks=blocks)
        assert verdict.outcome is Outcome.INVALID
        assert "share their architecture" in verdict.told
        fixed = judge(HIGHER.drawn_from(SEEDS), networks(seeds=12), blocks=(range(6), range(6, 12)))
        assert fixed.outcome is not Outcome.INVALID


def nested(levels_by_stratum, seed=0, level_sd=1.0, seeds=6):
    """Pairs of architectures nested in strata, with seeds of their own."""
    rng, rows, level = np.random.default_rng(seed), [], 0
    for stratum, levels in enumerate(levels_by_stratum):
        for _ in range(levels):
            shift = level_sd * rng.standard_normal()
            for own in range(seeds):
                rows.append((f"s{stratum}", f"a{level}", 100 * level + own, shift + rng.standard_normal()))
            level += 1
    table = pd.DataFrame(rows, columns=["st", "arch", "seed", "difference"])
    return pd.concat([table.assign(regime="a", v=table["difference"]), table.assign(regime="b", v=0.0)], ignore_index=True)


NESTED = PairedDifference("v", "regime", "a", "b", ("arch", "seed"), "st", margin=0.3, margin_reason="test")


@pytest.mark.parametrize("levels", [(1, 6), (1, 1, 1, 3), (1, 1, 1), (3, 1)])
def test_a_stratum_with_one_level_of_a_random_factor_is_refused(levels):
    """Such a stratum gave no error at all, and 16 to 28 % false support."""
    prediction = NESTED.drawn_from(Factors(random=("arch", "seed"), fixed=("st",)))
    with pytest.raises(Unusable, match=r"st = s\d has a single level of arch, a\d; .* measure two or more"):
        prediction.estimate(nested(levels), rng=np.random.default_rng(0))


def test_strata_with_two_levels_each_are_judged():
    prediction = NESTED.drawn_from(Factors(random=("arch", "seed"), fixed=("st",)))
    estimate = prediction.estimate(nested((2, 2, 2)), rng=np.random.default_rng(0))
    assert estimate.interval[0] < estimate.effect < estimate.interval[1]


def test_levels_nested_in_groups_are_drawn_apart():
    """Two architectures in one group and nine in the other leave few degrees of freedom, as Welch has them."""
    rng = np.random.default_rng(3)
    arch = np.repeat(np.arange(11), 6)
    shift = np.where(np.arange(11) < 2, 1.0, 0.2) * rng.standard_normal(11)
    table = pd.DataFrame({
        "arch": arch, "seed": np.arange(66), "group": np.where(arch < 2, "few", "many"),
        "v": shift[arch] + rng.normal(0, 0.1, 66),
    })  # fmt: skip
    prediction = IndependentDifference("v", "group", "few", "many", ("arch", "seed"), margin=0.3, margin_reason="test")
    estimate = prediction.drawn_from(Factors(random=("arch", "seed"))).estimate(table, rng=rng)
    means = table.groupby(["group", "arch"])["v"].mean()
    expected = sps.ttest_ind(means["few"], means["many"], equal_var=False)
    assert float(estimate.confidence.freedom) == pytest.approx(expected.df, rel=1e-6)


@pytest.mark.parametrize("kept", [("a0",), ("a0", "a1")])
def test_a_random_factor_that_a_prediction_does_not_name_is_not_dropped_in_silence(kept):
    table = nested((6,)).assign(seed=lambda rows: rows["seed"])
    prediction = PairedDifference("v", "regime", "a", "b", "seed", margin=0.3, margin_reason="test", where={"arch": list(kept)})
    prediction = prediction.drawn_from(Factors(random=("arch", "seed")))
    if len(kept) == 1:
        assert prediction.estimate(table, rng=np.random.default_rng(0)).n == 6
    else:
        with pytest.raises(Unusable, match=r"rows differ in arch, whose levels stand for others, .* does not name it"):
            prediction.estimate(table, rng=np.random.default_rng(0))


@pytest.mark.parametrize("errors", [{}, {"x": "se"}])
def test_levels_without_which_nothing_is_left_are_named(errors):
    rng = np.random.default_rng(1)
    arch = np.tile(["A", "A", "A", "B", "C"], 2)
    table = pd.DataFrame({"arch": arch, "seed": np.arange(10), "block": np.repeat([0, 1], 5), "x": rng.standard_normal(10),
                          "y": rng.standard_normal(10), "se": 0.1})  # fmt: skip
    prediction = Correlation("x", "y", ("arch", "seed"), "block", sign=1, margin=0.3, margin_reason="test", errors=errors)
    with pytest.raises(Unusable, match="without one of the levels of arch nothing is left"):
        prediction.drawn_from(Factors(random=("arch", "seed"), fixed=("block",))).estimate(table, rng=rng)
