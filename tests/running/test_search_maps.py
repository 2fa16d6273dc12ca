"""Maps of two settings of a scope: few enough fields, in the order of the axes, with the defaults where they lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.running.importance import Index
from harness.running.maps import FIELDS, MOST, maps_of
from harness.running.scope import scope_of
from harness.running.surface import Surface

MATTER = [Index("one", 0.5, 0.5, (0.4, 0.6)), Index("other", 0.4, 0.4, (0.3, 0.5))]


def drawn(strategy, default):
    """The map of a setting against a range, where the claim holds below 0.5 of the range."""
    scope = scope_of({"one": strategy, "other": st.floats(0, 1)}, {"one": default, "other": 0.25})
    tried = scope.even(12)
    distances = np.array([0.5 - each["other"] for each in tried])
    return maps_of(Surface(scope, tried, distances, np.full(12, 0.05)), MATTER, [])[0]


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 300))
def test_a_list_has_a_field_a_value_until_there_are_too_many(count):
    shown = drawn(st.sampled_from(range(count)), 0)
    assert len(shown.across_values) == (count if count <= MOST else FIELDS)
    assert list(shown.across_values) == sorted(set(shown.across_values))
    assert all(len(line) == len(shown.across_values) for line in shown.holds)
    assert len(shown.up_values) == len(shown.holds) == FIELDS


@pytest.mark.parametrize(("strategy", "default", "beside"), [
    (st.floats(0, 1).filter(lambda value: value != 0.4), 0.512345, False),
    (st.floats(0, 1).filter(lambda value: value != 0.4), 2.0, True),
    (st.integers(0, 99).filter(lambda value: value % 2 == 0), 50, False),
    (st.integers(0, 99).filter(lambda value: value % 2 == 0), 51, True),
    (st.sampled_from([True, "1"]), 1, True),
    (st.sampled_from([True, "1"]), True, False),
    (st.sampled_from([[8], [16, 16]]), [8], False),
])  # fmt: skip
def test_a_default_stands_in_the_map_unless_it_lies_beside_the_scope(strategy, default, beside):
    place = drawn(strategy, default).default[0]
    assert (place is None) is beside
    if not beside:
        assert 0 <= place <= 1
