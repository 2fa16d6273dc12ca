"""Limits on columns, as gates and proportions have them."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness import Gate, Proportion
from harness.claim import ClaimError
from harness.judge import Outcome, check, judge
from harness.limits import BOUNDS, exact
from harness.predict.tables import Unusable

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
    assert "19 of 20 units (seed) have v of at least 0.95: a share of 0.95" in verdict.reason
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
    ({"at_least": 1, "below": 1}, "admits no value"),
])  # fmt: skip
def test_impossible_limits_are_refused_when_they_are_declared(limits, said):
    for declare in (lambda: Gate("g", "v", **limits), lambda: share(**limits)):
        with pytest.raises(ClaimError, match=said):
            declare()


def test_possible_limits_are_not():
    assert Gate("g", "v", at_least=1, at_most=1).limits == {"at_least": 1, "at_most": 1}
    assert share(at_least="low", below="high").own_columns() == ("v", "low", "high", "seed")
    assert Gate("g", "v", at_least=np.float64(0.5), below=Fraction(3, 4)).limits == {"at_least": 0.5, "below": Fraction(3, 4)}
    with pytest.raises(ClaimError, match="gate 'g' admits every value: give at_least, at_most, above, below or two of them"):
        Gate("g", "v")


def test_a_limit_that_is_missing_or_no_column_fails():
    table = pd.DataFrame({"v": [1.0, 1.0], "bound": [2.0, math.nan]})
    gate = Gate("g", "v", at_most="bound")
    assert check(gate, table).detail.startswith("v is at most bound in 1 of 2 rows (0.5); required: all; furthest off: 1")
    with pytest.raises(ClaimError, match="gate 'g' reads the column 'other'"):
        check(replace(gate, at_most="other"), table)
    with pytest.raises(ClaimError, match="gate 'g' reads 'bound', which holds something that is no number"):
        check(gate, table.assign(bound="a"))
