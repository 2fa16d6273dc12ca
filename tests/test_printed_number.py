"""The document's number as a value of what is judged: drawn, and no part of what is fixed."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Claim, ClaimError, Source
from harness.fixed import declared
from harness.predict import ScalingExponent

SOURCE = Source("paper", "A paper")
SLOPE = ScalingExponent("y", "x", "seed", value=1.0, tolerance=0.1, margin_reason="half")
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def claim(number: Any) -> Claim:
    return Claim("paper/a", "It scales.", SOURCE.at("I", "q", reported="slope 1", number=number), SLOPE)


@given(st.one_of(FINITE, st.lists(st.one_of(st.none(), FINITE))))
def test_it_changes_nothing_that_is_fixed(number: Any) -> None:
    assert claim(number).digest() == claim(None).digest()
    assert declared(claim(number)) == declared(claim(None))
    assert hash(claim(number).source) is not None


@pytest.mark.parametrize("number", ["0.5", True, math.nan, math.inf, (0.5, "1"), {"a": 1}])
def test_what_is_no_number_is_refused(number: Any) -> None:
    with pytest.raises(ClaimError, match=r"give number=0\.5, or for a conjunction one for each part"):
        claim(number)
