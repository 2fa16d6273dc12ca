"""Exceptions travel as plain values, whatever their class."""

from __future__ import annotations

import importlib
import json
import pkgutil

import pytest
import torch

import harness
from harness.engines.base import EngineError
from harness.engines.parcel import There, failed, packed, raised
from harness.store.orders import Order


def classes() -> list[type[Exception]]:
    """Every class of exceptions of the harness."""
    for module in pkgutil.walk_packages(harness.__path__, "harness."):
        if module.name not in ("harness.__main__", "harness.cuda.fused"):  # the latter needs Triton, and has none
            importlib.import_module(module.name)
    found, waiting = [], [Exception]
    while waiting:
        for each in waiting.pop().__subclasses__():
            waiting.append(each)
            if each.__module__.startswith("harness.") and each is not There:
                found.append(each)
    return sorted(set(found), key=str)


def test_every_exception_of_the_harness_arrives_as_its_class():
    assert len(classes()) > 15
    for kind in classes():
        problem = kind.__new__(kind, "what is wrong")
        problem.args = ("what is wrong",)
        said = failed(problem)
        json.dumps(said)
        again = raised(said)
        assert (type(again), str(again)) == (kind, "what is wrong")


@pytest.mark.parametrize(
    "problem",
    [
        ValueError("a", 1), KeyError("key"), OSError(2, "No such file"), FileNotFoundError(2, "none", "file"), StopIteration(3),
        ZeroDivisionError(), json.JSONDecodeError("bad", "doc", 1), ValueError(torch.ones(2)),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "y"),
    ],
    ids=lambda problem: type(problem).__name__,
)  # fmt: skip
def test_others_arrive_as_their_class_or_as_what_they_say(problem):
    said = failed(problem)
    json.dumps(said, default=bytes.hex)
    again = raised(said)
    assert str(problem) in str(again)
    assert type(again) in (type(problem), EngineError)


def test_a_class_that_nobody_here_knows_arrives_as_what_it_says():
    class Local(Exception):  # noqa: N818
        pass

    again = raised(failed(Local("it broke")))
    assert type(again) is EngineError
    assert "Local: it broke" in str(again)


def test_what_is_no_exception_arrives_as_one():
    """pytest's skip and fail end a body; they must not end whoever waits for it."""
    again = raised(failed(pytest.skip.Exception("not today")))
    assert isinstance(again, EngineError)
    assert "not today" in str(again)


def test_what_is_defined_in_the_program_itself_stays(monkeypatch):
    from engine_recipes import STANDARD, Lengths

    order = Order(STANDARD, (0,), ("name",), Lengths())
    assert packed(order) is not None
    monkeypatch.setattr(Lengths, "__module__", "__main__")
    assert packed(order) is None
