"""When two values of a setting are the same one."""

from __future__ import annotations

import copy
import enum
import functools
import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.optimiser import SGD, Adam
from harness.running.values import distinct, identity, is_described, same


class Plain:
    """Without an ``__eq__``."""

    def __init__(self, good: object) -> None:
        self.good = good


class Addressed(Plain):
    """Equal to itself alone."""

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__


class Slotted:
    __slots__ = ("good",)

    def __init__(self, good: object) -> None:
        self.good = good


class Count(enum.IntEnum):
    ONE = 1


@dataclass
class Noted:
    value: object
    note: str = field(default="", compare=False)


class Odd:
    """Cannot be compared, hashed or copied."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    def __hash__(self) -> int:
        raise RuntimeError("no")

    def __reduce_ex__(self, protocol: object) -> str:
        raise RuntimeError("no")


texts = st.one_of(st.text(max_size=2), st.sampled_from(["1", "True"]))
leaves = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=True), texts)
holders = [
    Plain,
    Addressed,
    Slotted,
    Noted,
    lambda held: [held],
    lambda held: (held,),
    lambda held: {"a": held},
    lambda held: Plain([held]),
]


def alike(one: object, other: object) -> bool:
    """As the rule has it, of leaves."""
    if isinstance(one, bool) or isinstance(other, bool) or isinstance(one, str | None) or isinstance(other, str | None):
        return type(one) is type(other) and one == other
    return one == other or (one != one and other != other)


@given(leaves, leaves, st.sampled_from(holders), st.sampled_from(holders))
def test_values_are_the_same_by_type_and_by_what_they_hold(one, other, holder, another):
    assert same(one, other) is alike(one, other)
    assert same(holder(one), holder(other)) is alike(one, other)
    if holder is not another:
        assert not same(holder(one), another(one))


@given(st.lists(leaves, max_size=12))
def test_of_the_same_values_the_first_stays(listed):
    kept = distinct(listed)
    assert len({identity(value) for value in kept}) == len(kept)
    assert {identity(value) for value in kept} == {identity(value) for value in listed}
    numbers = [value for value in kept if not math.isnan(value)] if all(type(each) in (int, float) for each in kept) else []
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("make", [
    lambda: np.arange(3), lambda: torch.arange(3), lambda: pd.DataFrame({"a": [1, 2]}), lambda: lambda value: value + 1,
    lambda: SGD(0.1), lambda: functools.partial(max, 3), lambda: Plain(np.arange(3)), lambda: {"a": np.arange(3)},
    lambda: Noted(1, note="here"), lambda: np.float32(0.5), lambda: abs, lambda: Plain, lambda: Count.ONE,
    lambda: frozenset({1, 2}), lambda: np.array([1, "a", None], dtype=object),
])  # fmt: skip
def test_what_is_made_twice_in_the_same_way_is_one_value(make):
    assert same(make(), make())
    assert is_described(make())


@pytest.mark.parametrize(("one", "other"), [
    (np.array([1, 2]), np.array([3, 4])), (np.array([1, 2]), np.array([[1, 2]])), (SGD(0.1), Adam(0.1)), (SGD(0.1), SGD(0.2)),
    (lambda value: value + 1, lambda value: value + 2), (np.tanh, np.sin), (Count.ONE, 1), (np.bool_(True), 1),
    (Plain(1), Slotted(1)), (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]})), (object(), object()), ([1], (1,)),
    (functools.partial(max, 3), functools.partial(max, 4)),
])  # fmt: skip
def test_what_differs_is_told_apart(one, other):
    assert not same(one, other)
    assert len(distinct([one, other, one])) == 2


def test_numbers_of_arrays_are_numbers():
    assert same(np.float32(0.5), 0.5)
    assert same(np.int64(3), 3)
    assert same(np.bool_(True), True)
    assert same(torch.tensor(3), 3)


def test_functions_differ_by_what_they_took_along():
    def adding(more: int):
        return lambda value: value + more

    assert same(adding(1), adding(1))
    assert not same(adding(1), adding(2))


def test_what_nothing_describes_is_only_the_same_as_itself():
    endless: list[object] = []
    endless.append(endless)
    for odd in (Odd(), object(), endless, [Odd()]):
        assert same(odd, odd)
        assert not is_described(odd)
    assert not same(Odd(), Odd())
    assert not same(endless, copy.deepcopy(endless))
