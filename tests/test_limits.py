"""Limits on columns, as gates and proportions have them."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness import Gate, Proportion
from harness.claim import Claim
from harness.errors import ClaimError
from harness.judge import Outcome, check, judge
from harness.limits import BOUNDS, canonical, exact
from harness.predict import PairedDifference
from harness.predict.tables import Unusable
from harness.source import Source

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = st.floats() | st.sampled_from([0.95, 0.1, 1.0])
HOLDS = {
    "at_least": lambda value, limit: value >= limit, "at_most": lambda value, limit: value <= limit,
    "above": lambda value, limit: value > limit, "below": lambda value, limit: value < limit,
}  # fmt: skip


def share(**limits):
    return Proportion("v", "seed", 0.5, margin=0.2, margin_reason="…", **limits)


@given(
    st.lists(NUMBERS, min_size=5, max_size=12), st.sampled_from(list(BOUNDS)), st.sampled_from([0.95, 0.1, -0.0, 3]), st.data()
)  # fmt: skip
def test_gates_and_proportions_admit_what_a_comparison_does(values, name, limit, data):
    by_row = data.draw(st.booleans())
    limits = [limit] * len(values)
    if by_row:
        limits = data.draw(st.lists(NUMBERS, min_size=len(values), max_size=len(values)))
    table = pd.DataFrame({"v": values, "seed": range(len(values)), "bound": limits})
    given_limit = {name: "bound" if by_row else limit}
    good = [bool(HOLDS[name](value, own)) for value, own in zip(values, limits, strict=True)]
    result = check(Gate("g", "v", **given_limit), table)
    assert result.passed == all(good)
    assert f"in {sum(good)} of {len(values)} rows" in result.detail
    if np.isnan(values).any() or (by_row and np.isnan(limits).any()):
        with pytest.raises(Unusable, match="missing"):
            share(**given_limit).estimate(table, rng=np.random.default_rng(0))
    else:
        estimate = share(**given_limit).estimate(table, rng=np.random.default_rng(0))
        assert (estimate.effect, estimate.n) == (sum(good) / len(good), len(good))


@given(st.sampled_from(list(BOUNDS)), FINITE, FINITE)
def test_limits_that_differ_read_and_are_written_differently(name, one, other):
    assume(one != other)
    for declare in (lambda limit: Gate("g", "v", **{name: limit}), lambda limit: share(**{name: limit})):
        first, second = declare(one), declare(other)
        assert str(first) != str(second)
        assert first.describe() != second.describe()
        assert exact(one) in str(first)


@given(FINITE)
def test_a_number_in_full_is_that_number(value):
    assert float(exact(value).replace("−", "-")) == value


def test_sentences_state_the_limits():
    names = {"v": "an accuracy", "bound": "the bound"}
    said = str(share(at_least=0.95, names=names))
    assert said.startswith("More than 0.5 of the units (seed) have an accuracy of at least 0.95;")
    assert "have an accuracy above 0.9 and at most the bound;" in str(share(above=0.9, at_most="bound", names=names))
    assert "have an accuracy of at least 0 and below 1.001;" in str(share(at_least=0, below=1.001, names=names))
    gate = Gate("g", "train_loss", at_most="best_loss", share=0.9)
    assert str(gate) == "train loss is at most best loss in a share of 0.9 of the rows"
    assert str(Gate("g", "v", above=1e-6, where={"last": True})) == "v is above 1e−06 in every row with last = True"


def test_findings_state_the_limits():
    table = pd.DataFrame({"v": [0.96] * 19 + [0.9], "seed": range(20)})
    verdict = judge(share(at_least=0.95), table)
    assert verdict.outcome is Outcome.SUPPORTED
    assert "19 of 20 units have v of at least 0.95, a share of [0.784, 0.997]" in verdict.reason
    assert verdict.estimate.estimand == "share of units with v of at least 0.95"


def test_a_proportion_without_limits_reads_yes_and_no():
    table = pd.DataFrame({"v": [True] * 19 + [False], "seed": range(20)})
    assert judge(share(), table).outcome is Outcome.SUPPORTED
    with pytest.raises(Unusable, match=r"v holds 0.96; without at_least, at_most, above or below it must be yes or no"):
        share().estimate(table.assign(v=0.96), rng=np.random.default_rng(0))


def test_an_infinite_value_can_be_compared():
    table = pd.DataFrame({"v": [math.inf] * 6, "seed": range(6)})
    assert share(at_least=2).estimate(table, rng=np.random.default_rng(0)).effect == 1
    assert share(at_most=2).estimate(table, rng=np.random.default_rng(0)).effect == 0


@pytest.mark.parametrize(("limits", "said"), [
    ({"at_least": math.nan}, "a limit is a finite number or the name of a column"), ({"above": True}, "a limit is a finite"),
    ({"at_most": math.inf}, "a limit is a finite"), ({"below": [1]}, "a limit is a finite"), ({"at_least": 1j}, "a limit is a"),
    ({"at_least": 1, "above": 0}, "at_least and above; give one of them"), ({"at_most": 1, "below": "b"}, "at_most and below"),
    ({"at_least": 2, "at_most": 1}, "admits no value: at least 2 and at most 1"),
    ({"above": 1, "at_most": 1}, "admits no value"),
    ({"at_least": 1, "below": 1}, "admits no value"), ({"at_least": 10**400}, "a limit is a finite number"),
    ({"at_most": 10**5000}, "of more digits than Python writes; a limit is a"),
    ({"above": Fraction(1, 3)}, "double precision holds"),
    ({"below": Decimal("0.1")}, "double precision holds"), ({"at_least": Decimal("sNaN")}, "a limit is a finite"),
    ({"at_least": 2**53 + 1}, "double precision holds"), ({"at_least": np.True_}, "a limit is a finite"),
    ({"at_least": ""}, "name the column that holds the limit"), ({"below": " "}, "name the column that holds the limit"),
])  # fmt: skip
def test_impossible_limits_are_refused_when_they_are_declared(limits, said):
    for declare in (lambda: Gate("g", "v", **limits), lambda: share(**limits)):
        with pytest.raises(ClaimError, match=said) as caught:
            declare()
        assert len(str(caught.value)) < 300


@given(FINITE, st.sampled_from([np.float64, np.longdouble, Fraction, Decimal]))
def test_a_number_has_one_form_whatever_it_was_written_as(value, kind):
    one, other = canonical(value), canonical(kind(value))
    assert (one, type(one)) == (other, type(other))
    assert one == value
    if value.is_integer():
        assert (canonical(int(value)), type(canonical(int(value)))) == (one, type(one))
    assert repr(Gate("g", "v", at_least=kind(value)).describe()) == repr(Gate("g", "v", at_least=value).describe())


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_of_single_precision_is_what_its_decimals_say(value):
    assert canonical(np.float32(value)) == float(str(np.float32(value)))


ZEROS = [0, 0.0, -0.0, np.float64(0), np.float32(0), np.int8(0)]


def test_what_changes_nothing_changes_no_description():
    for declare in (
        lambda one: Gate("g", "v", at_least=one), lambda one: share(at_most=one), lambda one: Gate("g", "v", above=one - 1),
        lambda one: Gate("g", "v", above=0, share=one + 1),
        lambda one: Proportion("v", "seed", one, margin=0.2, margin_reason="…"),
        lambda one: PairedDifference("v", "f", "a", "b", ("seed",), margin=one + 1, margin_reason="…"),
    ):  # fmt: skip
        assert len({repr(declare(zero).describe()) for zero in ZEROS}) == 1
    one = Gate("g", "v", at_least=1, protocols=["sound"])
    assert repr(one.describe()) == repr(Gate("g", "v", at_least=1, protocols="sound").describe())
    assert one.protocols == ("sound",)


@pytest.mark.parametrize(("wrong", "said"), [
    ({"share": "x"}, "has share='x'; a share is a number above 0"), ({"share": None}, "a share is a number"),
    ({"share": 0}, "a share is a number above 0"), ({"share": math.nan}, "a share is a number"),
    ({"share": True}, "a share is a number"), ({"share": Fraction(10, 9)}, "a share is a number"),
    ({"column": None}, "has column=None; give text"), ({"name": ""}, "has name=''; give text"), ({"column": " "}, "give text"),
    ({"protocols": ()}, "and so checks nothing"), ({"protocols": (1,)}, "give a name, or a tuple of names"),
    ({"protocols": 3}, "give a name, or"), ({"protocols": ""}, "give a name, or"),
])  # fmt: skip
def test_other_terms_of_a_gate_are_refused_when_they_are_declared(wrong, said):
    with pytest.raises(ClaimError, match=said):
        Gate(**{"name": "g", "column": "v", "at_least": 1} | wrong)


@pytest.mark.parametrize(("wrong", "said"), [
    ({"of": None}, "has of=None; name a column, as text"), ({"of": ""}, "name a column"), ({"of": 3}, "name a column"),
    ({"exceeds": "x"}, "has exceeds='x'; give a number"), ({"margin": None}, "has margin=None; give a number"),
    ({"alpha": "x"}, "has alpha='x'; give a number"), ({"margin_reason": None}, "say where the margin comes from"),
    ({"margin": 10**400}, "give a number"),
])  # fmt: skip
def test_other_terms_of_a_proportion_are_refused_when_they_are_declared(wrong, said):
    with pytest.raises(ClaimError, match=said):
        Proportion(**{"of": "v", "unit": "seed", "exceeds": 0.5, "margin": 0.2, "margin_reason": "…"} | wrong)


def test_one_protocol_of_a_claim_may_be_text():
    cited = Source("paper", "A paper", year=2024).at("Intro", "…")
    said = [Claim("a/b", "…", cited, share(), protocols=each) for each in ("sound", ["sound"], ("sound",))]
    assert {(each.protocols, each.digest()) for each in said} == {(("sound",), said[0].digest())}
    with pytest.raises(ClaimError, match="claim a/b has protocols=3; give a name, or a tuple of names"):
        Claim("a/b", "…", cited, share(), protocols=3)


def test_possible_limits_are_not():
    assert Gate("g", "v", at_least=1, at_most=1).limits == {"at_least": 1, "at_most": 1}
    assert share(at_least="low", below="high").own_columns() == ("v", "low", "high", "seed")
    assert Gate("g", "v", at_least=np.float64(0.5), below=Fraction(3, 4)).limits == {"at_least": 0.5, "below": Fraction(3, 4)}
    with pytest.raises(ClaimError, match="gate 'g' admits every value: give at_least, at_most, above, below or two of them"):
        Gate("g", "v")


def test_a_limit_that_is_missing_or_no_column_fails():
    table = pd.DataFrame({"v": [1.0, 1.0], "bound": [2.0, math.nan]})
    gate = Gate("g", "v", at_most="bound")
    assert check(gate, table).detail.startswith("v is at most bound in 1 of 2 rows (50 %); required: all; furthest off: 1")
    with pytest.raises(ClaimError, match="gate 'g' reads the column 'other'"):
        check(replace(gate, at_most="other"), table)
    with pytest.raises(ClaimError, match="gate 'g' reads 'bound', which holds something that is not a number"):
        check(gate, table.assign(bound="a"))
