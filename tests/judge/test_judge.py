"""The written rule, and everything that may keep a verdict from being one."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.claim import Claim
from harness.errors import ClaimError
from harness.evidence import Evidence
from harness.gate import Gate
from harness.judge import GateResult, Outcome, check, conjoin, decide, judge
from harness.judge.power import plan
from harness.predict import Conjunction, Correlation, DataFact, PairedDifference, Theorem
from harness.source import Source

SUPPORTED, REFUTED, INCONCLUSIVE, INVALID = (
    Outcome.SUPPORTED, Outcome.REFUTED, Outcome.INCONCLUSIVE, Outcome.INVALID,
)  # fmt: skip


class TestRule:
    @pytest.mark.parametrize(
        ("low", "high", "expected"),
        [
            (0.1, 2.0, (SUPPORTED, None)),
            (1.5, 2.0, (SUPPORTED, None)),
            (0.1, 1.0, (SUPPORTED, None)),  # reaching the margin is enough
            (0.0, 2.0, (INCONCLUSIVE, None)),  # touching zero is not
            (-0.5, 1.0, (INCONCLUSIVE, None)),
            (-3.0, 3.0, (INCONCLUSIVE, None)),
            (-0.5, 0.9, (REFUTED, None)),
            (-0.5, 0.0, (REFUTED, None)),
            (0.0, 0.9, (REFUTED, None)),
            (0.1, 0.9, (REFUTED, "negligible")),
            (-0.5, -0.1, (REFUTED, "reversed")),
        ],
    )
    def test_above_and_its_mirror(self, low, high, expected):
        assert decide("above", 0.0, 1.0, (low, high)) == expected
        assert decide("below", 0.0, 1.0, (-high, -low)) == expected
        assert decide("above", 4.0, 1.0, (4 + low, 4 + high)) == expected
        assert decide("below", -4.0, 1.0, (-4 - high, -4 - low)) == expected

    @pytest.mark.parametrize(
        ("low", "high", "expected"),
        [
            (-0.9, 0.9, SUPPORTED),
            (0.2, 0.9, SUPPORTED),
            (-1.0, 0.5, INCONCLUSIVE),
            (-0.5, 1.0, INCONCLUSIVE),
            (-2.0, 2.0, INCONCLUSIVE),
            (0.9, 1.1, INCONCLUSIVE),
            (1.0, 2.0, REFUTED),
            (1.1, 2.0, REFUTED),
            (-2.0, -1.0, REFUTED),
        ],
    )
    def test_within(self, low, high, expected):
        assert decide("within", 0.0, 1.0, (low, high)) == (expected, None)
        assert decide("within", 0.0, 1.0, (-high, -low)) == (expected, None)
        assert decide("within", -8.0, 1.0, (low - 8, high - 8)) == (expected, None)

    def test_exact(self):
        assert decide("exact", 0.0, 0.0, (0.0, 0.0)) == (SUPPORTED, None)
        assert decide("exact", 0.0, 0.0, (1.0, 1.0)) == (REFUTED, None)

    def test_no_other_rule(self):
        with pytest.raises(ValueError, match="given 'all'"):
            decide("all", 0.0, 1.0, (0.0, 1.0))

    @given(st.sampled_from(["above", "below", "within"]), st.floats(-3, 3), st.floats(0, 3), st.floats(0.01, 2))
    def test_the_whole_line_is_decided_without_gaps(self, rule, low, width, margin):
        outcome, label = decide(rule, 0.0, margin, (low, low + width))
        assert outcome in (SUPPORTED, REFUTED, INCONCLUSIVE)
        assert label is None or outcome is REFUTED

    @given(st.floats(-3, 3), st.floats(0, 3), st.floats(0.01, 2), st.floats(1, 3))
    def test_monotone_in_the_margin(self, low, width, margin, factor):
        order = {REFUTED: 0, INCONCLUSIVE: 1, SUPPORTED: 2}
        interval = (low, low + width)
        narrow, wide = (order[decide("above", 0.0, m, interval)[0]] for m in (margin, margin * factor))
        assert wide <= narrow
        narrow, wide = (order[decide("within", 0.0, m, interval)[0]] for m in (margin, margin * factor))
        assert wide >= narrow

    @given(st.floats(-3, 3), st.floats(0, 3), st.floats(0.01, 1.0))
    def test_more_precision_never_turns_a_refutation_into_support(self, low, width, share):
        whole = decide("above", 0.0, 1.0, (low, low + width))[0]
        inner = decide("above", 0.0, 1.0, (low + width * share / 2, low + width * (1 - share / 2)))[0]
        assert (whole, inner) != (REFUTED, SUPPORTED)  # the other way happens: what is left may be negligible

    def test_conjunctions(self):
        for outcomes, whole in (
            ([SUPPORTED, SUPPORTED], SUPPORTED),
            ([SUPPORTED, INCONCLUSIVE], INCONCLUSIVE),
            ([SUPPORTED, REFUTED], REFUTED),
            ([INCONCLUSIVE, REFUTED], REFUTED),
            ([REFUTED, INVALID], INVALID),
            ([SUPPORTED, INVALID], INVALID),
        ):
            assert conjoin(outcomes, outcomes) is whole

    def test_a_conjunction_is_refuted_only_by_a_part_that_is_refuted_at_its_share_of_alpha(self):
        assert conjoin([SUPPORTED, REFUTED], [INCONCLUSIVE, INCONCLUSIVE]) is INCONCLUSIVE
        assert conjoin([SUPPORTED, SUPPORTED], [INCONCLUSIVE, INCONCLUSIVE]) is SUPPORTED

    def test_some_of_several_parts(self):
        for outcomes, whole in (
            ([SUPPORTED, SUPPORTED, REFUTED], SUPPORTED),
            ([SUPPORTED, REFUTED, INCONCLUSIVE], INCONCLUSIVE),
            ([SUPPORTED, REFUTED, REFUTED], REFUTED),
            ([SUPPORTED, SUPPORTED, INVALID], INVALID),
        ):
            assert conjoin(outcomes, outcomes, 2) is whole
        assert conjoin([SUPPORTED, INCONCLUSIVE, REFUTED], [INCONCLUSIVE] * 3, 2) is INCONCLUSIVE


def table(effect=1.0, seeds=10, noise=0.3):
    rng = np.random.default_rng(5)
    rows = []
    for seed in range(seeds):
        for regime, shift in (("robust", 0.0), ("standard", effect)):
            llc = shift + noise * rng.normal()
            rows.append({"seed": seed, "regime": regime, "llc": llc, "asr": rng.random(),
                         "accuracy": 0.95 + 0.004 * seed, "trusted": True})  # fmt: skip
    return pd.DataFrame(rows)


TERMS = {"margin": 0.5, "margin_reason": "half of the stated effect"}
HIGHER = PairedDifference("llc", "regime", "standard", "robust", "seed", **TERMS)
RELATED = Correlation("llc", "asr", ("regime", "seed"), "regime", sign=1, **TERMS)
COMPETENT = Gate("models are competent", "accuracy", at_least=0.9, reason="the document's least")
SOURCE = Source("doc", "A document").at("Results", "The LLC is higher")


def claim(**changes):
    return Claim(**{"id": "doc/higher", "statement": "…", "source": SOURCE, "prediction": HIGHER, **changes})


class TestVerdicts:
    def test_of_a_prediction_alone(self):
        verdict = judge(HIGHER, table())
        assert (verdict.outcome, verdict.label) == (SUPPORTED, None)
        assert verdict.prediction is HIGHER
        assert judge(HIGHER, table(-1.0)).label == "reversed"
        assert judge(HIGHER, table(0.2, seeds=40)).label == "negligible"
        assert judge(HIGHER, table(0.4, noise=1.0)).outcome is INCONCLUSIVE

    def test_the_reason_says_which_rows_it_is_about(self):
        early = replace(HIGHER, where={"epoch": 1})
        reason = judge(early, table().assign(epoch=1)).reason
        assert "] (epoch: 1): above the 0.5 that matters" in reason

    def test_of_a_claim(self):
        verdict = judge(claim(gates=(COMPETENT,), companions=(RELATED,)), Evidence(table()))
        assert verdict.outcome is SUPPORTED
        assert [gate.passed for gate in verdict.gates] == [True]
        assert [each.prediction for each in verdict.companions] == [RELATED]
        assert verdict.companions[0].outcome is not SUPPORTED

    def test_a_companion_has_no_say(self):
        against = PairedDifference("llc", "regime", "robust", "standard", "seed", **TERMS)
        verdict = judge(claim(companions=(against,)), Evidence(table()))
        assert verdict.outcome is SUPPORTED
        assert verdict.companions[0].outcome is REFUTED

    def test_a_verdict_does_not_flicker(self):
        many = claim(prediction=RELATED)
        assert judge(many, Evidence(table())) == judge(many, Evidence(table().sample(frac=1, random_state=1)))
        other = judge(claim(id="doc/other", prediction=RELATED), Evidence(table()))
        assert other.estimate.p != judge(many, Evidence(table())).estimate.p  # another stream, the same verdict
        assert other.estimate.interval == judge(many, Evidence(table())).estimate.interval

    def test_unusable_evidence_is_invalid_and_has_no_estimate(self):
        broken = table()
        broken.loc[3, "llc"] = np.nan
        verdict = judge(claim(), Evidence(broken))
        assert (verdict.outcome, verdict.label, verdict.estimate) == (INVALID, None, None)
        assert verdict.reason == (
            "The evidence cannot be used: 1 of 20 values of llc are missing or infinite, e.g. seed = 1, regime = standard."
        )

    def test_a_shortfall_is_invalid_with_its_own_words(self):
        missing = Evidence(pd.DataFrame(), shortfall="MNIST is not there: fetch it.")
        verdict = judge(claim(gates=(COMPETENT,), companions=(RELATED,)), missing)
        assert (verdict.outcome, verdict.reason) == (INVALID, "MNIST is not there: fetch it.")
        assert verdict.companions[0].outcome is INVALID
        both = judge(claim(protocols=("sound", "document")), missing)
        assert {name: each.outcome for name, each in both.protocols.items()} == {
            "sound": INVALID,
            "document": INVALID,
        }


class TestGates:
    @pytest.mark.parametrize(("effect", "would_be"), [(1.0, SUPPORTED), (-1.0, REFUTED)])
    def test_a_failed_gate_is_invalid_never_a_decision(self, effect, would_be):
        strict = Gate("models are competent", "accuracy", at_least=0.97)
        assert judge(claim(), Evidence(table(effect))).outcome is would_be
        verdict = judge(claim(gates=(strict,), companions=(RELATED,)), Evidence(table(effect)))
        assert (verdict.outcome, verdict.label) == (INVALID, None)
        assert verdict.estimate.effect == pytest.approx(effect, abs=0.3)
        assert verdict.companions[0].outcome is INVALID
        assert verdict.reason == ("A validity check failed, so that the numbers say nothing: “models are competent”.")
        both = judge(claim(gates=(strict, replace(strict, name="networks are alike"))), Evidence(table(effect)))
        assert both.reason == (
            "2 validity checks failed, so that the numbers say nothing: “models are competent” and “networks are alike”."
        )
        assert verdict.notes == (
            "Models are competent: accuracy is at least 0.97 in 10 of 20 rows (50 %); required: all; furthest off: 0.95.",
        )

    @pytest.mark.parametrize(
        ("gate", "values", "passed"),
        [
            (Gate("g", "v", at_least=1.0), [1.0, 2.0], True),
            (Gate("g", "v", at_least=1.0), [0.999, 2.0], False),
            (Gate("g", "v", at_most=1.0), [1.0, -5.0], True),
            (Gate("g", "v", at_most=1.0), [1.001], False),
            (Gate("g", "v", at_least=0.0, at_most=1.0), [0.0, 1.0], True),
            (Gate("g", "v", at_least=0.0, at_most=1.0), [-0.1, 1.0], False),
            (Gate("g", "v", at_least=1.0), [True, True], True),
            (Gate("g", "v", at_least=1.0), [True, False], False),
            (Gate("g", "v", at_least=1.0), [1.0, np.nan], False),
            (Gate("g", "v", at_least=1.0), [1.0, None], False),
            (Gate("g", "v", at_most=1.0), [np.inf], False),
            (Gate("g", "v", at_least=1.0), [], False),
            (Gate("g", "v", at_least=1.0, share=0.9), [1.0] * 9 + [0.0], True),
            (Gate("g", "v", at_least=1.0, share=0.9), [1.0] * 8 + [0.0] * 2, False),
            (Gate("g", "v", at_least=1.0, share=0.9), [1.0] * 27 + [np.nan] * 3, True),
        ],
    )
    def test_limits_shares_and_missing_values(self, gate, values, passed):
        assert check(gate, pd.DataFrame({"v": pd.Series(values, dtype=object)})).passed is passed

    def test_the_detail_is_a_sentence_with_numbers(self):
        gate = Gate("attack is sane", "attack_gain", at_least=0.0, at_most=1.0, share=0.75, reason="a share")
        result = check(gate, pd.DataFrame({"attack_gain": [0.5, -0.25, 3.0, np.nan]}))
        assert result == GateResult(
            "attack is sane",
            False,
            "attack gain is at least 0 and at most 1 in 1 of 4 rows (25 %); required: 75 %; 1 missing; "
            "furthest off: 3 (a share)",
        )

    def test_a_gate_may_apply_to_some_protocols_only(self):
        strict = Gate("sampler is trusted", "trusted", at_least=1, protocols=("sound",))
        untrusted = table().assign(trusted=False)
        both = claim(gates=(strict,), protocols=("document", "sound"))
        verdict = judge(both, Evidence({"document": untrusted, "sound": untrusted}))
        assert verdict.outcome is SUPPORTED
        assert verdict.gates == ()
        assert verdict.protocols["sound"].outcome is INVALID
        assert len(verdict.protocols["sound"].gates) == 1

    @pytest.mark.parametrize("column", ["precision", "regime"])
    def test_a_gate_without_numbers_to_read_is_an_error(self, column):
        with pytest.raises(ClaimError, match=f"gate 'g' reads .*{column}"):
            judge(claim(gates=(Gate("g", column, at_least=0),)), Evidence(table()))


BOTH = {"sound": table(1.0), "document": table(-1.0)}


class TestProtocols:
    def test_the_first_decides_and_all_are_shown(self):
        verdict = judge(claim(protocols=("sound", "document")), Evidence(BOTH))
        assert verdict.outcome is SUPPORTED
        assert list(verdict.protocols) == ["sound", "document"]
        assert verdict.protocols["document"].label == "reversed"
        other = judge(claim(protocols=("document", "sound")), Evidence(BOTH))
        assert (other.outcome, other.label) == (REFUTED, "reversed")

    def test_one_alone(self):
        both = claim(protocols=("sound", "document"))
        verdict = judge(both, Evidence(BOTH), protocol="document")
        assert verdict.outcome is REFUTED
        assert list(verdict.protocols) == ["document"]
        assert judge(both, BOTH["document"], protocol="document").estimate == verdict.estimate

    @pytest.mark.parametrize(
        "given_",
        [table(), {"sound": table()}, {**BOTH, "third": table()}, {"sound": table(), "document": None}, {}],
    )
    def test_other_names_than_those_declared(self, given_):
        with pytest.raises(ClaimError, match=r"each of its protocols \(sound, document\) to a DataFrame; given Evidence"):
            judge(claim(protocols=("sound", "document")), Evidence(given_))

    def test_a_protocol_that_is_not_declared(self):
        with pytest.raises(ClaimError, match="no protocol 'third'; it has sound, document"):
            judge(claim(protocols=("sound", "document")), Evidence(BOTH), protocol="third")
        with pytest.raises(ClaimError, match="no protocol 'sound'; it has none"):
            judge(claim(), Evidence(table()), protocol="sound")


class TestSmoke:
    def test_it_decides_nothing_and_shows_what_it_measured(self):
        for effect in (1.0, -1.0):
            verdict = judge(claim(gates=(COMPETENT,), companions=(HIGHER,)), Evidence(table(effect)), scale="smoke")
            assert (verdict.outcome, verdict.label) == (INCONCLUSIVE, None)
            assert verdict.estimate == judge(claim(), Evidence(table(effect))).estimate
            assert verdict.reason.startswith("Scale smoke decides nothing; what it measured: Mean llc is")
            assert verdict.companions[0].outcome is INCONCLUSIVE

    def test_weak_models_are_shown_and_no_fault(self):
        strict = Gate("models are competent", "accuracy", at_least=0.99)
        verdict = judge(claim(gates=(strict,)), Evidence(table()), scale="smoke")
        assert verdict.outcome is INCONCLUSIVE
        assert not verdict.gates[0].passed
        assert judge(claim(), Evidence(table(seeds=2)), scale="smoke").outcome is INCONCLUSIVE

    def test_a_missing_column_is_a_fault_all_the_same(self):
        with pytest.raises(ClaimError, match="lacks llc"):
            judge(claim(), Evidence(table().drop(columns="llc")), scale="smoke")
        with pytest.raises(ClaimError, match="gate 'models are competent'"):
            judge(claim(gates=(COMPETENT,)), Evidence(table().drop(columns="accuracy")), scale="smoke")

    def test_parts_and_protocols_decide_nothing_either(self):
        both = claim(prediction=Conjunction(parts=(HIGHER, RELATED)), protocols=("sound", "document"))
        verdict = judge(both, Evidence({"sound": table(), "document": table()}), scale="smoke")
        assert verdict.reason.count("Scale smoke") == 1
        assert {part.outcome for part in verdict.parts} == {INCONCLUSIVE}
        assert {each.outcome for each in verdict.protocols.values()} == {INCONCLUSIVE}

    def test_there_are_three_scales(self):
        assert judge(HIGHER, table(), scale="full").outcome is SUPPORTED
        with pytest.raises(ClaimError, match="'huge' is unknown; there are smoke, reduced, full"):
            judge(HIGHER, table(), scale="huge")


class TestFaults:
    @pytest.mark.parametrize("given_", [None, 3.5, [1, 2], {"sound": table()}, "evidence"])
    def test_something_that_is_no_evidence(self, given_):
        with pytest.raises(ClaimError, match="claim doc/higher is judged on Evidence with one DataFrame as its table"):
            judge(claim(), given_)
        with pytest.raises(ClaimError, match="given Evidence with table"):
            judge(claim(), Evidence(given_))

    def test_missing_columns_are_named(self):
        with pytest.raises(
            ClaimError,
            match=r"needs the columns llc, regime, seed; .* asr, accuracy, trusted and so lacks llc$",
        ):
            judge(claim(), Evidence(table().drop(columns="llc")))
        with pytest.raises(ClaimError, match="lacks asr"):
            judge(claim(companions=(RELATED,)), Evidence(table().drop(columns="asr")))
        with pytest.raises(ClaimError, match="lacks asr"):
            judge(Conjunction(parts=(HIGHER, RELATED)), table().drop(columns="asr"))

    def test_a_conjunction_names_all_that_is_missing(self):
        with pytest.raises(ClaimError, match=r"Conjunction needs the columns .* lacks llc and asr"):
            judge(Conjunction(parts=(HIGHER, RELATED)), table().drop(columns=["asr", "llc"]))

    def test_something_that_is_no_prediction(self):
        with pytest.raises(ClaimError, match=r"one of harness\.predict; given str"):
            judge(claim(prediction="it is higher"), Evidence(table()))


ROW = {
    "verdict", "label", "grade", "reason", "notes", "prediction", "rule", "estimand", "unit", "effect", "interval", "centre",
    "margin", "margin_reason", "alpha", "p", "p_support", "p_refute", "n", "standardised", "power", "voice", "rows", "gates",
    "parts", "decides", "counts", "objection", "cautious",
    "strata", "companions", "protocols", "population",
}  # fmt: skip
PART = ROW - {
    "margin_reason", "standardised", "power", "voice", "rows", "gates", "parts", "decides", "companions", "protocols",
    "population", "counts",
}  # fmt: skip


def strict(verdict):
    """The verdict's row after a journey through strict JSON, which must not change it."""
    row = verdict.to_json()
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert set(row) == ROW
    return row


class TestRow:
    def test_of_a_claim_with_everything(self):
        full = claim(
            prediction=Conjunction(parts=(HIGHER, RELATED)),
            gates=(COMPETENT,),
            companions=(HIGHER,),
            protocols=("a", "b"),
        )
        row = strict(judge(full, Evidence({"a": table(), "b": table(-1)})))
        assert row["rule"] == "all"
        assert [set(part) for part in (*row["parts"], *row["companions"])] == [PART] * 3
        assert set(row["parts"][1]["strata"][0]) == {"name", "effect", "interval", "n"}
        assert row["gates"] == [{"name": "models are competent", "passed": True,
                                 "detail": "accuracy is at least 0.9 in 20 of 20 rows (100 %); required: all "
                                           "(the document's least)"}]  # fmt: skip
        assert [(each["name"], each["primary"]) for each in row["protocols"]] == [("a", True), ("b", False)]
        assert set(row["protocols"][0]) == {
            "name",
            "primary",
            "verdict",
            "label",
            "grade",
            "effect",
            "interval",
            "n",
            "reason",
            "notes",
            "gates",
            "rows",
        }
        assert row["protocols"][1]["verdict"] == "refuted"

    def test_numbers_are_those_of_the_estimate(self):
        verdict = judge(HIGHER, table())
        row = strict(verdict)
        assert row["effect"] == verdict.estimate.effect
        assert row["interval"] == list(verdict.estimate.interval)
        assert (row["centre"], row["margin"], row["alpha"], row["n"]) == (0.0, 0.5, 0.05, 10)
        assert row["margin_reason"] == "half of the stated effect"
        assert row["standardised"]["effect"] == verdict.estimate.standardised[0]
        assert row["standardised"]["interval"] == list(verdict.estimate.standardised[1:])
        assert (row["verdict"], row["label"], row["prediction"]) == ("supported", None, str(HIGHER))
        assert row["power"] == plan(HIGHER, verdict.estimate).to_json() | {"enough": None}

    def test_what_is_unknown_is_null(self):
        row = strict(judge(HIGHER, table(seeds=3)))
        assert row["verdict"] == "invalid"
        unknown = ("estimand", "unit", "effect", "interval", "p", "n", "standardised", "power")
        assert {row[key] for key in unknown} == {None}
        assert (row["margin"], row["strata"]) == (0.5, [])
        joined = strict(judge(Conjunction(parts=(HIGHER, HIGHER)), table(seeds=3)))
        assert (joined["margin"], joined["margin_reason"], joined["effect"]) == (None, None, None)

    def test_exact_kinds_have_no_interval_and_no_margin(self):
        found = pd.DataFrame({"examples": np.array([500]), "counterexample": [None]})
        facts = pd.DataFrame({"case": ["a"], "value": np.float32([0.5]), "reported": [0.5], "digits": np.int8([1])})
        for row in (strict(judge(Theorem(100), found)), strict(judge(DataFact(), facts))):
            assert [row[key] for key in ("interval", "centre", "margin", "margin_reason", "alpha", "p")] == [None] * 6
            assert (row["verdict"], row["effect"], row["power"]) == ("supported", 0.0, None)

    def test_infinity_is_null(self):
        verdict = judge(HIGHER, table())
        endless = replace(verdict, estimate=replace(verdict.estimate, interval=(-math.inf, math.nan), p=math.nan))
        assert (strict(endless)["interval"], strict(endless)["p"]) == ([None, None], None)
