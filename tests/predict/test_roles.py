"""One column in two roles: refused when a prediction is declared, whatever its kind."""

from __future__ import annotations

import dataclasses
from itertools import combinations

import pytest

from harness import ClaimError, Correlation, DataFact, IndependentDifference, Proportion
from tests.predict.test_properties import KINDS

PREDICTIONS = {type(each[0]).__name__: each[0] for each in KINDS}
SINGLE = ("value", "of", "y", "x", "factor", "over")
SEVERAL = ("pair", "unit", "strata", "blocks", "every", "sample")


def columns(prediction, roles):
    literal = {each.name for each in dataclasses.fields(prediction) if "Literal" in str(each.type)}
    given = {each.name for each in dataclasses.fields(prediction) if each.init}
    return [role for role in roles if role in given - literal and isinstance(getattr(prediction, role, None), str | tuple)]


@pytest.mark.parametrize("name", PREDICTIONS)
def test_no_kind_compares_a_column_with_itself(name):
    prediction = PREDICTIONS[name]
    for one, other in combinations(columns(prediction, SINGLE), 2):
        with pytest.raises(ClaimError, match=r"held against itself"):
            dataclasses.replace(prediction, **{one: getattr(prediction, other)}, **_without_errors(prediction))


@pytest.mark.parametrize("name", PREDICTIONS)
def test_no_kind_measures_what_tells_its_units_apart(name):
    prediction = PREDICTIONS[name]
    measured = [role for role in columns(prediction, ("value", "of", "y")) if isinstance(getattr(prediction, role), str)]
    for role in columns(prediction, SEVERAL):
        for own in measured:
            with pytest.raises(ClaimError, match=f"{own}=.*names it in {role}="):
                dataclasses.replace(prediction, **{role: (*getattr(prediction, role), getattr(prediction, own))})
        if own := getattr(prediction, role):
            with pytest.raises(ClaimError, match=f"twice in {role}="):
                dataclasses.replace(prediction, **{role: (*own, own[0])})


def _without_errors(prediction):
    return {"errors": {}} if hasattr(prediction, "errors") else {}


TERMS = {"margin": 0.1, "margin_reason": "visible"}


def test_what_may_be_meant_is_taken():
    assert Correlation("size", "llc", ("size", "seed"), sign=1, **TERMS).unit == ("size", "seed")
    assert IndependentDifference("v", "arm", "a", "b", ("arm", "seed"), **TERMS).unit == ("arm", "seed")


@pytest.mark.parametrize(
    "declared",
    [
        lambda: Correlation("x", "x", "seed", sign=1, **TERMS),
        lambda: Proportion("of", "seed", 0.5, at_least="of", **TERMS),
        lambda: DataFact(value="printed", reported="printed"),
        lambda: Correlation("x", "y", "seed", blocks="x", sign=1, **TERMS),
        lambda: IndependentDifference("v", "arm", "a", "b", "seed", strata="arm", **TERMS),
    ],
)
def test_what_could_only_come_out_one_way_is_refused(declared):
    with pytest.raises(ClaimError, match=r"itself|names it in"):
        declared()
