"""Classes that declarations consist of show what they take, and say so where they are given something else."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness import AtLeast, ScalingExponent, Source
from harness.declaring import Declared

CLASSES = sorted(
    (each for each in (getattr(harness, name) for name in harness.__all__) if isinstance(each, Declared)),
    key=lambda each: each.__name__,
)
ENDLESS = [inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL]


def test_there_are_many():
    assert {"PairedDifference", "AtLeast", "Source", "Gate", "Factors", "Between"} < {each.__name__ for each in CLASSES}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_the_signature_names_the_fields_that_can_be_given(cls):
    parameters = inspect.signature(cls).parameters
    assert not [each for each in parameters.values() if each.kind in ENDLESS]
    if dataclasses.is_dataclass(cls):
        assert set(parameters) == {each.name for each in dataclasses.fields(cls) if each.init}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_arguments_that_it_does_not_take_are_named_with_those_that_it_does(cls, data):
    """Whatever else is given; no sentence of Python's about ``__init__``."""
    parameters = inspect.signature(cls).parameters
    some = data.draw(st.sets(st.sampled_from(sorted(parameters))))
    with pytest.raises(TypeError) as raised:
        cls(**dict.fromkeys([*some, "misspelt"], 0))
    said = str(raised.value)
    assert said.startswith(f"{cls.__name__} has no argument misspelt")
    assert "__init__" not in said
    assert all(name in said.partition(": give it ")[2] for name in parameters)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: AtLeast(2, ()),
            "given 2 values without a name, and takes only parts; it lacks count: give it parts, count",
        ),
        (lambda: ScalingExponent(exponent=1), "has no argument exponent; it lacks y, x, unit, value, tolerance, margin_reason"),
        (lambda: Source("a", "b", key="a"), "was given twice key: give it key, title, and if wanted authors, year"),
        (lambda: Source("a"), "Source lacks title: give it key, title"),
    ],
)
def test_every_fault_is_said(make: Any, said: str):
    with pytest.raises(TypeError) as raised:
        make()
    assert said in str(raised.value)


def test_a_fault_inside_of_a_constructor_stays_what_it_is():
    class Broken(metaclass=Declared):
        def __init__(self, value: int) -> None:
            raise TypeError("not this one")

    with pytest.raises(TypeError, match="not this one"):
        Broken(1)
