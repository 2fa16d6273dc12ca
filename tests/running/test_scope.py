"""Scopes as axes: read off Hypothesis's strategies, and drawn from evenly."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ClaimError
from harness.running.scope import Axis, scope_of


def axis(strategy, default) -> Axis:
    return scope_of({"it": strategy}, {"it": default}).axes[0]


def test_ranges_and_lists_are_read_off_the_installed_version_of_hypothesis():
    """These are attributes of its own classes; where a version names them otherwise, this says so."""
    assert (axis(st.floats(0.5, 3.0), 1.0).low, axis(st.floats(0.5, 3.0), 1.0).high) == (0.5, 3.0)
    whole = axis(st.integers(2, 6), 3)
    assert (whole.low, whole.high, whole.whole) == (2, 6, True)
    assert axis(st.booleans(), True).values == (False, True)
    assert axis(st.sampled_from([3, 1, 2]), 1).values == (1, 2, 3)
    assert axis(st.sampled_from([(32,), (128, 128)]), (32,)).values == ((32,), (128, 128))
    assert not axis(st.sampled_from(["a", "b"]), "a").ordered


@pytest.mark.parametrize("strategy", [
    st.integers(0, 10_000).filter(lambda value: value % 97 == 0), st.floats(0, 1).map(lambda value: 2 * value),
    st.one_of(st.just(1), st.integers(5, 7)), st.tuples(st.integers(1, 3), st.booleans()), st.text(max_size=2),
])  # fmt: skip
def test_any_other_strategy_is_a_pool_of_its_values(strategy):
    made = axis(strategy, None)
    assert len(made.values) > 1
    assert len({repr(value) for value in made.values}) == len(made.values)


def test_a_strategy_that_gives_nothing_is_named_with_a_remedy():
    with pytest.raises(ClaimError, match=r"the scope's strategy for it, .* gave no value in .* declare one that draws"):
        axis(st.integers(0, 9).filter(lambda value: False), 1)


ranges = st.tuples(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3)).map(lambda both: (both[0], both[0] + both[1]))


@given(ranges, st.floats(0, 1))
def test_a_range_is_gone_through_from_end_to_end(ends, place):
    made = axis(st.floats(*ends), ends[0])
    assert ends[0] <= made.value(place) <= ends[1] or math.isclose(made.value(place), ends[1])
    assert made.place(made.value(place)) == pytest.approx(place, abs=1e-6)
    assert made.value(0.0) == pytest.approx(ends[0])
    assert made.value(1.0) == pytest.approx(ends[1])


@given(st.integers(-50, 50), st.integers(0, 60), st.floats(0, 1))
def test_whole_numbers_come_back(low, width, place):
    made = axis(st.integers(low, low + width), low)
    value = made.value(place)
    assert isinstance(value, int)
    assert low <= value <= low + width
    assert made.value(made.place(value)) == value


def test_whole_numbers_have_equal_shares():
    made = axis(st.integers(2, 6), 2)
    counts = Counter(made.value(place) for place in np.linspace(0, 1, 5001))
    assert set(counts) == {2, 3, 4, 5, 6}
    assert max(counts.values()) - min(counts.values()) < 5


def test_positive_numbers_over_a_decade_are_even_in_their_logarithm():
    assert axis(st.floats(1e-5, 1e-1), 1e-3).value(0.5) == pytest.approx(1e-3)
    assert axis(st.floats(1.0, 9.0), 1.0).value(0.5) == pytest.approx(5.0)
    assert axis(st.integers(1, 256), 1).value(0.5) in range(11, 19)


@given(st.integers(1, 200))
def test_even_settings_cover_every_axis_evenly_whatever_their_number(count):
    """No further from uniform than random draws would be: p of a Kolmogorov-Smirnov test on every axis."""
    scope = scope_of({"noise": st.floats(0, 1), "rate": st.floats(1e-4, 1e-1)}, {"noise": 0.5, "rate": 1e-2})
    drawn = scope.even(count)
    assert len(drawn) == count
    for each in scope.axes:
        places = [each.place(settings[each.name]) for settings in drawn]
        assert scipy.stats.kstest(places, "uniform").pvalue > 0.01


def test_claims_of_one_scope_share_their_settings():
    def drawn(count):
        return scope_of({"noise": st.floats(0, 1), "regime": st.sampled_from("ab")}, {"noise": 0.5, "regime": "a"}).even(count)

    assert drawn(7) == drawn(7)
    assert drawn(5) == drawn(8)[:5]


def test_a_default_beside_the_scope_lies_at_its_nearest_end():
    assert axis(st.floats(1.0, 2.0), 5.0).place(5.0) == 1.0
    assert axis(st.sampled_from([1, 3, 9]), 4).place(4) == pytest.approx(2 / 3)


def test_columns_hold_places_of_numbers_and_one_column_a_name():
    scope = scope_of({"noise": st.floats(0, 1), "regime": st.sampled_from(["a", "b", "c"])}, {"noise": 0.5, "regime": "a"})
    columns = scope.columns([{"noise": 0.25, "regime": "b"}, {}])
    assert columns == pytest.approx(np.array([[0.25, 0, 0.7, 0], [0.5, 0.7, 0, 0]]))
