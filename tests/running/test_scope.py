"""Scopes as axes: read off Hypothesis's strategies, and drawn from evenly."""

from __future__ import annotations

import hashlib
import math
from collections import Counter

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.errors import ClaimError
from harness.running.scope import Axis, scope_of
from harness.running.strategies import ENOUGH, POOL
from harness.running.values import distinct, identity, same


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
    st.one_of(st.just(1), st.integers(5, 7)), st.tuples(st.integers(1, 3), st.booleans()), st.text(max_size=2), st.floats(),
    st.integers(0), st.lists(st.integers(1, 64), min_size=1), st.integers(0, 9).flatmap(st.just),
    st.one_of(st.integers(0, 9), st.none()).map(str), st.text(max_size=2).filter(len),
])  # fmt: skip
def test_any_other_strategy_is_a_pool_of_its_values_and_says_so(strategy):
    made = axis(strategy, None)
    assert len(made.values) > 1
    assert len({repr(value) for value in made.values}) == len(made.values)
    assert made.size is None
    assert scope_of({"it": strategy, "noise": st.floats(0, 1)}, {"it": None, "noise": 0}).pools == ("it",)


PINNED = {
    "829b58a1d3bcdee0": ({"noise": st.floats(0.5, 3.0)}, {"noise": 1.0}),
    "e9822f85ef3470d2": ({"rate": st.floats(1e-5, 1e-1)}, {"rate": 1e-3}),
    "9744adadd9fcedcd": ({"width": st.integers(1, 512), "depth": st.integers(1, 4)}, {"width": 32, "depth": 2}),
    "214a57c99b34dc54": ({"regime": st.sampled_from(["a", "b", "c"]), "on": st.booleans()}, {"regime": "a", "on": True}),
    "361b1d355d9e3881": (
        {"shape": st.sampled_from([(32,), (128, 128)]), "steps": st.sampled_from([20, 3, 7])}, {"shape": (32,), "steps": 7},
    ),
    "53a08f03d39064b4": (
        {"noise": st.floats(0, 1), "k": st.integers(0, 10), "regime": st.sampled_from("ab"), "on": st.booleans(),
         "only": st.just(3)}, {"noise": 0.5, "k": 3, "regime": "a", "on": False, "only": 3},
    ),
    "28567c40b037b79d": ({"clip": st.sampled_from([None, 0.5, 1.0])}, {"clip": None}),
}  # fmt: skip


@pytest.mark.parametrize("pinned", PINNED)
def test_the_draws_of_ranges_and_lists_stay_those_of_searches_that_were_kept(pinned):
    """Trials are noted by their settings: with other draws a search would be made anew."""
    scope = scope_of(*PINNED[pinned])
    assert hashlib.sha256(repr([*scope.axes, scope.even(24)]).encode()).hexdigest()[:16] == pinned


ranges = st.tuples(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3)).map(lambda both: (both[0], both[0] + both[1]))


def share_below(made: Axis, threshold: float) -> float:
    return float(np.mean([made.value(place) < threshold for place in (np.arange(4000) + 0.5) / 4000]))


@given(ranges, st.floats(0.02, 0.98), st.floats(0, 1))
def test_a_range_without_some_of_its_numbers_is_as_even_as_the_range_in_the_rest(ends, part, place):
    """Below any threshold lies the part of the axis that is declared, also of one that is even in its logarithm."""
    whole = axis(st.floats(*ends), ends[0])
    made = axis(st.floats(*ends).filter(lambda value: abs(whole.place(value) - part) > 0.01), ends[0])
    assert made.size is None
    assert not made.uneven
    wanted = place - min(max(place - part + 0.01, 0.0), 0.02)
    assert share_below(made, whole.value(place)) == pytest.approx(wanted / 0.98, abs=0.01)
    assert made.place(made.value(place)) == pytest.approx(place, abs=0.01)
    assert made.among(whole.value(0.5)), "a default between the values is not beside the scope"


@given(st.integers(-100, 100), st.integers(1, 500), st.integers(2, 9))
def test_whole_numbers_under_conditions_are_a_complete_list(low, width, modulus):
    whole = axis(st.integers(low, low + width), low)
    wanted = [value for value in range(low, low + width + 1) if value % modulus == 0]
    assume(wanted)
    made = axis(st.integers(low, low + width).filter(lambda value: value % modulus == 0), low)
    assert list(made.all()) == wanted
    assert made.size == len(wanted)
    drawn = Counter(made.value(place) for place in (np.arange(4000) + 0.5) / 4000)
    usual = Counter(whole.value(place) for place in (np.arange(20000) + 0.5) / 20000)
    known = sum(usual[value] for value in wanted)
    for value in wanted:  # each has the stretch that it has in the whole range, which may be even in the logarithm
        assert drawn[value] / 4000 == pytest.approx(usual[value] / known, abs=0.004)
        assert made.value(made.place(value)) == value


@settings(max_examples=8)
@given(st.integers(16, 24), st.integers(2, 128), st.data())
def test_conditions_that_go_in_steps_do_not_fall_between_the_grid(doublings, modulus, data):
    rest = data.draw(st.integers(0, modulus - 1))
    made = axis(st.integers(0, 2**doublings - 1).filter(lambda value: value % modulus == rest), rest)
    assert made.size is None
    assert not made.uneven
    assert len(made.values) >= ENOUGH / 2  # a random place of each stretch passes, or not
    assert all(value % modulus == rest for value in made.values)
    assert share_below(made, 2 ** (doublings - 1)) == pytest.approx(0.5, abs=2.5 / math.sqrt(len(made.values)))  # 5 deviations


@settings(max_examples=10)
@given(st.floats(0.01, 0.99), st.floats(0.01, 0.02))
def test_a_narrow_stretch_of_a_range_is_gone_through_finely(part, width):
    made = axis(st.floats(0, 1000).filter(lambda value: abs(value / 1000 - part) < width / 2), 1.0)
    assert len(made.values) >= ENOUGH
    middle = 1000 * (max(part - width / 2, 0) + min(part + width / 2, 1)) / 2
    assert share_below(made, middle) == pytest.approx(0.5, abs=0.02)


values = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["a", "1", "True"]), st.just(math.nan))
conditions = st.sampled_from([lambda value: True, lambda value: not isinstance(value, str), lambda value: value is not None])
mappings = st.sampled_from([lambda value: value, repr, lambda value: (value, 1), lambda value: [value], type])


@given(st.lists(values, min_size=1, max_size=40), conditions, conditions, mappings, mappings)
def test_a_list_under_conditions_and_mappings_is_a_complete_list(listed, first, second, one, other):
    wanted = [other(one(value)) for value in distinct(listed) if first(value) and second(one(value))]
    strategy = st.sampled_from(listed).filter(first).map(one).filter(second).map(other)
    assume(wanted)
    made = axis(strategy, None)
    assert {identity(value) for value in made.all()} == {identity(value) for value in wanted}
    assert made.size == len({identity(value) for value in wanted})
    assert [made.index(made.value((at + 0.5) / made.size)) for at in range(made.size)] == list(range(made.size))
    assert scope_of({"it": strategy}, {"it": None}).pools == ()


def test_a_mapping_carries_shares_of_the_range_and_not_of_what_becomes_of_it():
    tenth = axis(st.floats(0, 1).map(lambda value: int(value > 0.9)), 0)
    assert tenth.values == (0, 1)
    assert share_below(tenth, 1) == pytest.approx(0.9, abs=0.01)
    assert axis(st.floats(0, 1).map(lambda value: -value), 0).value(0.25) == pytest.approx(-0.75, abs=0.01)
    assert axis(st.integers(0, 3).map(lambda value: 2**value), 1).all() == (1, 2, 4, 8)
    assert axis(st.booleans().map(int), 0).values == (0, 1)
    assert axis(st.just(1).map(str), "1").values == ("1",)
    assert axis(st.just(1).filter(bool), 1).size == 1


@pytest.mark.parametrize("strategy", [st.floats(0, 1).map(str), st.integers(0, 5000).map(str), st.integers(0, 10**9).map(str)])
def test_names_that_a_range_becomes_are_few_enough_to_be_dimensions(strategy):
    made = axis(strategy, "0")
    assert 32 <= len(made.values) <= POOL
    assert made.size is None
    assert not made.uneven


def test_what_a_condition_or_a_mapping_raises_is_named_and_what_it_assumes_is_kept():
    with pytest.raises(ClaimError, match="the scope's strategy for it raised ZeroDivisionError"):
        axis(st.integers(0, 9).map(lambda value: 1 // 0), 1)

    def odd(value: int) -> int:
        assume(value % 2)
        return value

    assert axis(st.integers(0, 9).map(odd), 1).all() == (1, 3, 5, 7, 9)


def test_draws_do_not_depend_on_where_an_object_lies():
    class Plain:
        def __init__(self, good: bool) -> None:
            self.good = good

    def drawn():
        scope = scope_of({"it": st.sampled_from([Plain(True), Plain(False)]), "at": st.floats(0, 1)}, {"it": None, "at": 0})
        return [(each["it"].good, each["at"]) for each in scope.even(16)]

    assert drawn() == drawn()


@given(st.lists(values, min_size=1, max_size=12))
def test_values_of_one_look_are_settings_of_their_own(listed):
    """True, 1 and "1" are three settings; 1 and 1.0, and NaN and NaN, are one."""
    made = axis(st.sampled_from(listed), listed[0])
    scope = scope_of({"it": st.sampled_from(listed)}, {"it": listed[0]})
    assert made.size == len({identity(value) for value in listed}) == len(scope.all())
    for value in listed:
        assert same(made.value(made.place(value)), value)
        assert bool(scope.changed({"it": value})) is not same(value, listed[0])
    if not made.ordered:
        columns = scope.columns([{"it": value} for value in made.values])
        assert columns == pytest.approx(0.7 * np.eye(len(made.values)))


def test_a_search_goes_through_values_that_python_calls_equal():
    scope = scope_of({"it": st.sampled_from([True, 1, 1.0, "1"])}, {"it": True})
    assert [repr(each["it"]) for each in scope.all()] == ["True", "1", "'1'"]
    assert {repr(each["it"]) for each in scope.even(16)} == {"True", "1", "'1'"}
    assert [scope.changed(each) for each in scope.all()] == [{}, {"it": 1}, {"it": "1"}]


def test_a_strategy_that_gives_nothing_is_named_with_a_remedy():
    with pytest.raises(ClaimError, match=r"the scope's strategy for it, .* gave no value in .* declare one that draws"):
        axis(st.integers(0, 9).filter(lambda value: False), 1)


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
