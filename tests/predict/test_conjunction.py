import numpy as np
import pandas as pd
import pytest

from harness.claim import ClaimError
from harness.judge import Outcome, judge
from harness.predict import Conjunction, NoCorrelation, PairedDifference, Theorem

REASON = {"margin_reason": "visible"}


def table(input_=1.0, hidden=1.0, seeds=10):
    rng = np.random.default_rng(0)
    rows = []
    for scope, shift in (("input", input_), ("hidden", hidden)):
        noise = rng.normal(size=(seeds, 2))
        noise -= noise.mean(axis=0)  # the effects are then exactly the shifts
        for seed in range(seeds):
            for i, (regime, up) in enumerate((("robust", 0.0), ("standard", shift))):
                rows.append(
                    {"scope": scope, "seed": seed, "regime": regime, "llc": up + 0.3 * noise[seed, i]}
                )
    return pd.DataFrame(rows)


def part(scope, margin=0.5):
    return PairedDifference(
        "llc", "regime", "standard", "robust", "seed", margin=margin, where={"scope": scope}, **REASON
    )


BOTH = Conjunction(parts=(part("input"), part("hidden")))


def test_all_parts_must_be_supported():
    verdict = judge(BOTH, table(1.0, 1.5))
    assert verdict.outcome is Outcome.SUPPORTED
    assert [each.outcome for each in verdict.parts] == [Outcome.SUPPORTED] * 2


def test_one_refuted_part_refutes():
    verdict = judge(BOTH, table(1.0, 0.1))
    assert verdict.outcome is Outcome.REFUTED
    assert verdict.reason.startswith("Of 2 parts 1 supported and 1 refuted. On average llc is 0.1 higher")


def test_the_label_of_the_refuted_part_is_kept():
    assert judge(BOTH, table(1.0, -1.0)).label == "reversed"
    assert judge(BOTH, table(1.0, 1.0)).label is None


def test_different_labels_are_none():
    verdict = judge(BOTH, table(0.0, -1.0))
    assert [part.label for part in verdict.parts] == [None, "reversed"]
    assert (verdict.outcome, verdict.label) == (Outcome.REFUTED, None)


def test_the_reason_of_support_is_the_weakest_part():
    assert "where scope = input" in judge(BOTH, table(1.0, 1.5)).reason
    assert "where scope = hidden" in judge(BOTH, table(1.5, 1.0)).reason


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
    assert BOTH.finding(alone).startswith("Weakest of 2 parts: On average llc is 1 higher")


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
    assert "2 of 20 values of llc are missing or infinite" in verdict.reason
    assert verdict.estimate.effect == pytest.approx(0.0, abs=1e-9)


def test_nested_conjunctions_are_taken_apart():
    nested = Conjunction(parts=(BOTH, part("input", 0.1)))
    assert nested.parts == (*BOTH.parts, part("input", 0.1))
    assert nested.columns() == ("llc", "regime", "seed", "scope")


def test_the_sentence_lists_the_parts():
    assert str(BOTH).startswith(
        "All of: (1) On average over pairs with the same seed, llc is higher in standard than"
    )
    assert "(2) " in str(BOTH)
    assert "where scope = hidden; the smallest effect of interest is 0.5" in str(BOTH)


def test_declarations_that_are_refused():
    with pytest.raises(ClaimError, match="joins two or more"):
        Conjunction(parts=(part("input"),))
    with pytest.raises(ClaimError, match="give it to the parts"):
        Conjunction(parts=BOTH.parts, where={"scope": "input"})
