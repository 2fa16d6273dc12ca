"""A counterexample's text, made a value again."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import falsify
from harness.measure.counterexample import revived


@dataclass(frozen=True)
class Point:
    at: tuple[Fraction, ...]
    names: dict[str, int]


POINTS = st.builds(Point, st.lists(st.fractions(), max_size=4).map(tuple), st.dictionaries(st.text(max_size=5), st.integers()))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3) | st.tuples(inner, inner)
    ),
)


@given(POINTS | PLAIN, st.none() | st.text(alphabet="abc :(),'{}", max_size=20))
def test_what_falsify_writes_is_made_again(value: Any, asserted: str | None) -> None:
    text = repr(value) if asserted is None else f"{value!r}: {asserted}"
    assert revived(text, Point, Fraction) == value


def fails(value: Point) -> None:
    assert len(value.at) < 2, "there are two: too many"


def test_that_of_a_search_fails_once_more() -> None:
    (text,) = falsify(fails, POINTS, examples=200, key="points")["counterexample"]
    with pytest.raises(AssertionError):
        fails(revived(text, Point, Fraction))


@pytest.mark.parametrize(
    "text", ["__import__('os').getcwd()", "open('x')", "Point(at=exec('1'), names={})", "Point.at", "x + 1", ""]
)
def test_nothing_else_is_called(text: str) -> None:
    with pytest.raises(ValueError, match=r"may be called|no value"):
        revived(text, Point)
