import numpy as np
import pandas as pd
import pytest

from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.judge.rule import conjoin
from harness.predict import AtLeast, Conjunction, NoCorrelation, PairedDifference, Theorem

REASON = {"margin_reason": "visible"}


def table(input_=1.0, hidden=1.0, seeds=10):
    rng = np.random.default_rng(0)
    rows = []
    for scope, shift in (("input", input_), ("hidden", hidden)):
        noise = rng.normal(size=(seeds, 2))
        noise -= noise.mean(axis=0)  # the effects are then exactly the shifts
        for seed in range(seeds):
            for i, (regime, up) in enumerate((("robust", 0.0), ("standard", shift))):
                rows.append({"scope": scope, "seed": seed, "regime": regime, "llc": up + 0.3 * noise[seed, i]})
    return pd.DataFrame(rows)


def part(scope, margin=0.5):
    return PairedDifference("llc", "regime", "standard", "robust", "seed", margin=margin, where={"scope": scope}, **REASON)


BOTH = Conjunction(parts=(part("input"), part("hidden")))


def test_all_parts_must_be_supported():
    verdict = judge(BOTH, table(1.0, 1.5))
    assert verdict.outcome is Outcome.SUPPORTED
    assert [each.outcome for each in verdict.parts] == [Outcome.SUPPORTED] * 2


def test_one_refuted_part_refutes():
    verdict = judge(BOTH, table(1.0, 0.1))
    assert verdict.outcome is Outcome.REFUTED
    assert verdict.told.startswith("1 of 2 parts holds, 1 fails. Mean llc is 0.1 higher")


def test_the_label_of_the_refuted_part_is_kept():
    assert judge(BOTH, table(1.0, -1.0)).label == "reversed"
    assert judge(BOTH, table(1.0, 1.0)).label is None


def test_different_labels_are_none():
    verdict = judge(BOTH, table(0.0, -1.0))
    assert [part.label for part in verdict.parts] == [None, "reversed"]
    assert (verdict.outcome, verdict.label) == (Outcome.REFUTED, None)


def test_the_reason_of_support_is_the_weakest_part():
    assert "(scope: input)" in judge(BOTH, table(1.0, 1.5)).told
    assert "(scope: hidden)" in judge(BOTH, table(1.5, 1.0)).told


def test_the_headline_is_the_weakest_part_in_units_of_its_margin():
    frame = table(1.0, 1.2)
    assert judge(BOTH, frame).estimate.effect == pytest.approx(1.0)
    wide = Conjunction(parts=(part("input", 0.2), part("hidden", 0.6)))  # 1.0/0.2 = 5 against 1.2/0.6 = 2
    verdict = judge(wide, frame)
    assert verdict.estimate.effect == pytest.approx(1.2)
    assert verdict.to_json()["margin"] == 0.6
    assert verdict.to_json()["rule"] == "all"


def test_its_p_is_the_largest_of_its_parts():
    verdict = judge(BOTH, table(1.0, 0.1))
    ps = [each.estimate.p for each in verdict.parts]
    assert verdict.estimate.p == max(ps) > min(ps)


def test_estimating_alone_is_the_headline_of_judging():
    frame = table(1.0, 1.2)
    alone = BOTH.estimate(frame, rng=np.random.default_rng(0))
    assert alone.effect == judge(BOTH, frame).estimate.effect
    assert BOTH.finding(alone).startswith("Weakest of 2 parts: Mean llc is 1 higher")


def test_strength_of_the_rules():
    frame = table()
    directed = part("input")
    seen = directed.estimate(frame, rng=np.random.default_rng(0))
    assert directed.strength(seen) == pytest.approx(2.0)
    absent = NoCorrelation("llc", "llc2", "seed", margin=0.5, **REASON)
    correlated = pd.DataFrame({"seed": range(40), "llc": range(40), "llc2": np.r_[range(20, 40), range(20)]})
    found = absent.estimate(correlated, rng=np.random.default_rng(0))
    assert absent.strength(found) == pytest.approx(1 - abs(found.effect) / 0.5)
    searched = pd.DataFrame({"examples": [5], "counterexample": ["x"]})
    assert Theorem(1).strength(Theorem(1).estimate(searched, rng=np.random.default_rng(0))) == -np.inf


def test_an_unusable_part_makes_it_invalid_even_beside_a_refuted_one():
    frame = table(0.0, 1.0)
    frame.loc[(frame.scope == "hidden") & (frame.seed == 0), "llc"] = np.nan
    verdict = judge(BOTH, frame)
    assert verdict.outcome is Outcome.INVALID
    assert "2 of 20 values of llc are missing or infinite" in verdict.told
    assert verdict.estimate is None, "the part that decides has no number, and another one's would be taken for it"


def test_nested_conjunctions_are_taken_apart():
    nested = Conjunction(parts=(BOTH, part("input", 0.1)))
    assert nested.parts == (*BOTH.parts, part("input", 0.1))
    assert nested.columns() == ("llc", "regime", "seed", "scope")


def test_the_sentence_lists_the_parts():
    assert str(BOTH).startswith("All of: (1) On average over pairs with the same seed, llc is higher in standard than")
    assert "(2) " in str(BOTH)
    assert "where scope = hidden; the smallest effect of interest is 0.5" in str(BOTH)


def test_declarations_that_are_refused():
    with pytest.raises(ClaimError, match="joins two or more"):
        Conjunction(parts=(part("input"),))
    with pytest.raises(ClaimError, match="give it to the parts"):
        Conjunction(parts=BOTH.parts, where={"scope": "input"})


def cases(*effects, seeds=10):
    """One scope for each effect, named by its number."""
    rows = []
    rng = np.random.default_rng(1)
    for scope, effect in enumerate(effects):
        noise = 0.3 * rng.normal(size=seeds)
        noise -= noise.mean()
        rows += [
            {"scope": scope, "seed": seed, "regime": regime, "llc": height}
            for seed in range(seeds)
            for regime, height in (("robust", 0.0), ("standard", effect + noise[seed]))
        ]
    return pd.DataFrame(rows)


def most(count, parts):
    return AtLeast(parts=tuple(part(scope) for scope in range(parts)), count=count)


class TestAtLeast:
    @pytest.mark.parametrize(
        ("effects", "outcome"),
        [((1, 1, 1, -1), "supported"), ((1, 1, 0.1, -1), "refuted"), ((1, 1, -1, -1), "refuted")],
    )
    def test_some_of_the_parts_have_to_be_supported(self, effects, outcome):
        verdict = judge(most(3, 4), cases(*effects))
        assert verdict.outcome == outcome
        assert "The whole holds if 3 parts hold at α/2" in verdict.told

    def test_its_parts_count_at_shares_of_alpha_that_are_a_conjunctions_where_all_are_needed(self):
        assert (most(3, 4).support_share, most(3, 4).refute_share) == (1 / 2, 1 / 3)
        assert (BOTH.support_share, BOTH.refute_share) == (1, 1 / 2)

    def test_support_at_the_parts_own_alpha_is_not_enough(self):
        frame = cases(1, 1, 1, 0)
        spread = np.linspace(-1, 1, 10)
        # with n = 10 the one-sided t of this part is 2.2: p = .028, between .05 / 2 and .05
        weak = frame[(frame.scope == 2) & (frame.regime == "standard")].index
        frame.loc[weak, "llc"] = 2.2 * spread.std(ddof=1) / np.sqrt(10) + spread
        verdict = judge(AtLeast(parts=tuple(part(scope, 0.05) for scope in range(4)), count=3), frame)
        assert [each.outcome for each in verdict.parts].count(Outcome.SUPPORTED) == 3
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert "(2 do)" in verdict.told

    def test_what_is_negligible_does_not_count_because_its_interval_is_wider_at_the_stricter_level(self):
        frame = cases(1, 1, 0, -1)
        spread = frame.loc[(frame.scope == 2) & (frame.regime == "standard"), "llc"]
        error = spread.std() / np.sqrt(10)
        # its end at .05 lies below the margin, at .05 / 2 above: t of 9 degrees of freedom is 1.83 and 2.26
        frame.loc[spread.index, "llc"] = spread + 0.5 - 2.0 * error
        verdict = judge(most(3, 4), frame)
        assert verdict.parts[2].label == "negligible"
        assert verdict.outcome is Outcome.INCONCLUSIVE

    def test_the_headline_is_the_weakest_of_those_that_are_needed(self):
        verdict = judge(most(3, 4), cases(1.0, 1.5, 1.2, 0.0))
        assert verdict.estimate.effect == pytest.approx(1.0)
        assert verdict.decides == 0
        assert "Part 1 of 4 decides." in verdict.estimate.notes

    def test_p_is_the_partial_conjunctions(self):
        verdict = judge(most(3, 4), cases(1.0, 1.5, 0.2, 0.1))
        third = sorted(each.estimate.p for each in verdict.parts)[2]
        assert verdict.estimate.p == pytest.approx(2 * third)

    def test_power_is_that_at_the_level_at_which_a_part_counts(self):
        frame = pd.concat([cases(1.0).assign(scope=scope) for scope in range(4)])
        parts = tuple(part(scope, 0.01) for scope in range(4))
        all_of, some = Conjunction(parts=parts), AtLeast(parts=parts, count=1)
        whole, fewer = (judge(each, frame).to_json()["power"]["smallest_effect"] for each in (all_of, some))
        assert fewer > whole, "one of four counts at a quarter of the level"

    def test_an_unusable_part_makes_it_invalid(self):
        frame = cases(1, 1, 1, 1)
        frame.loc[0, "llc"] = np.nan
        assert judge(most(3, 4), frame).outcome is Outcome.INVALID

    def test_declarations_that_are_refused(self):
        with pytest.raises(ClaimError, match="allowed is 1 to 1"):
            AtLeast(parts=BOTH.parts, count=2)
        with pytest.raises(ClaimError, match="counts single predictions"):
            AtLeast(parts=(BOTH, part("input")), count=1)
        with pytest.raises(ClaimError, match="Conjunction has AtLeast"):
            Conjunction(parts=(most(1, 2), part("input")))


@pytest.mark.parametrize("alphas", [(0.05, 0.1), (0.01, 0.05), (0.1, 0.1)])
def test_the_whole_survives_at_the_strictest_level_of_its_parts(alphas):
    parts = tuple(
        PairedDifference("v", "regime", "a", "b", "seed", margin=0.1, margin_reason="test", alpha=alpha) for alpha in alphas
    )
    whole = Conjunction(parts)
    assert whole.alpha == min(alphas)
    assert whole.stricter(0.5).alpha == min(alphas) / 2

    def test_a_tally_that_would_decide_says_so_where_it_does_not(self):
        """Whatever the parts: the reason never leaves a reader with parts that hold or fail and a whole that is open."""
        rng, seen = np.random.default_rng(3), set()
        for _ in range(60):
            parts = int(rng.integers(2, 5))
            verdict = judge(most(int(rng.integers(1, parts + 1)), parts), cases(*rng.choice([0.28, 0.34, 1.0], parts)))
            at_face = [part.outcome for part in verdict.parts]
            puzzling = verdict.outcome is Outcome.INCONCLUSIVE and conjoin(at_face, at_face, verdict.prediction.needed) is not (
                Outcome.INCONCLUSIVE
            )
            assert ("not clearly enough for the whole" in verdict.reason) is puzzling
            seen.add(puzzling)
        assert seen == {True, False}
