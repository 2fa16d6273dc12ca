"""Searches for counterexamples that a store keeps: found again, and never served for another check or other inputs."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pandas as pd
import pytest
from hypothesis import strategies as st

from harness.measure.falsify import falsify
from harness.store import Store

LIMITS = """
LIMIT = 100
"""
CHECKS = """
from hypothesis import strategies as st
from limits_of_checks import LIMIT

def helper(value):
    return value < LIMIT

def small(value):
    assert helper(value)

@st.composite
def inputs(draw):
    return draw(st.integers(0, 1000))

@st.composite
def up_to(draw, most):
    return draw(st.integers(0, most))
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Imports the modules of checks as they are written, anew each time."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def write(checks: str = CHECKS, limits: str = LIMITS) -> Any:
        for name, text in (("limits_of_checks", limits), ("checks_of_theorems", checks)):
            (folder / f"{name}.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        for name in ("limits_of_checks", "checks_of_theorems"):
            sys.modules.pop(name, None)
        return importlib.import_module("checks_of_theorems")

    yield write
    for name in ("limits_of_checks", "checks_of_theorems"):
        sys.modules.pop(name, None)


def searched(store: Store, check: Any, strategy: Any, **changes: Any) -> tuple[pd.DataFrame, bool]:
    """The table, and whether it was searched for, and not read."""
    before, tables = store.made, len(store.entries())
    table = falsify(check, strategy, **{"examples": 50, "key": "any", "store": store, **changes})
    assert (store.made > before) == (len(store.entries()) > tables)
    return table, store.made > before


def test_what_was_searched_is_read_the_next_time(store, written):
    checks = written()
    table, made = searched(store, checks.small, checks.inputs)
    assert made
    assert table.loc[0, "counterexample"] == "100"
    again, made = searched(store, checks.small, checks.inputs)
    assert not made
    pd.testing.assert_frame_equal(again, table)
    for broken in (True, False):
        fresh = falsify(checks.small if broken else checks.helper, checks.inputs, examples=50, key="any")
        kept = [searched(store, checks.small if broken else checks.helper, checks.inputs)[0] for _ in range(2)]
        for each in kept:
            pd.testing.assert_frame_equal(each, fresh)
    assert kept[1].loc[0, "counterexample"] is None


def test_it_is_kept_from_process_to_process(store, written):
    checks = written()
    searched(store, checks.small, checks.inputs)
    checks = written()  # imported again, as it was
    assert not searched(Store(store.folder), checks.small, checks.inputs)[1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("assert helper(value)", "assert helper(value), 'is large'"),  # the check
        ("value < LIMIT", "value <= LIMIT"),  # a helper that it calls
        ("st.integers(0, 1000)", "st.integers(0, 2000)"),  # the inputs
        ("LIMIT = 100", "LIMIT = 200"),  # a constant of another module
    ],
)
def test_other_code_is_another_search(store, written, old, new):
    checks = written()
    searched(store, checks.small, checks.inputs)
    assert old in CHECKS + LIMITS
    checks = written(CHECKS.replace(old, new), LIMITS.replace(old, new))
    table, made = searched(store, checks.small, checks.inputs)
    assert made
    pd.testing.assert_frame_equal(table, falsify(checks.small, checks.inputs, examples=50, key="any"))


def test_another_comment_is_the_same_search(store, written):
    checks = written()
    searched(store, checks.small, checks.inputs)
    checks = written(CHECKS.replace("def small(value):", "def small(value):  # at most"))
    assert not searched(store, checks.small, checks.inputs)[1]


@pytest.mark.parametrize("changes", [{"examples": 51}, {"key": "other"}])
def test_other_settings_are_another_search(store, written, changes):
    checks = written()
    searched(store, checks.small, checks.inputs)
    assert searched(store, checks.small, checks.inputs, **changes)[1]


def test_another_version_of_hypothesis_is_another_search(store, written, monkeypatch):
    checks = written()
    searched(store, checks.small, checks.inputs)
    monkeypatch.setattr(hypothesis, "__version__", "6.0.0")
    assert searched(store, checks.small, checks.inputs)[1]


def test_a_damaged_table_is_searched_anew(store, written):
    checks = written()
    table, _ = searched(store, checks.small, checks.inputs)
    (entry,) = store.entries()
    content = entry.path.read_bytes()
    for damaged in (content[:-10], content.replace(b"100", b"999"), b"", b"[]"):
        entry.path.write_bytes(damaged)
        with pytest.warns(UserWarning, match="is damaged"):
            again = falsify(checks.small, checks.inputs, examples=50, key="any", store=store)
        pd.testing.assert_frame_equal(again, table)


# --- what a check or its inputs took along ------------------------------------------------------------------


def below(limit: Any) -> Callable[[int], None]:
    def check(value: int) -> None:
        assert value < limit

    return check


def shifted(shift: int) -> Callable[[Callable[[int], None]], Callable[[int], None]]:
    def around(check: Callable[[int], None]) -> Callable[[int], None]:
        @functools.wraps(check)
        def moved(value: int) -> None:
            check(value + shift)

        return moved

    return around


def bare(shift: int) -> Callable[[Callable[[int], None]], Callable[[int], None]]:
    def around(check: Callable[[int], None]) -> Callable[[int], None]:
        def moved(value: int) -> None:
            check(value + shift)

        return moved

    return around


def at_most_100(value: int) -> None:
    assert value <= 100


def at_most(limit: int, value: int) -> None:
    assert value <= limit


def lists_below(limits: list[int]) -> Callable[[int], None]:
    return lambda value: below(limits[0])(value)


def defaults(limit: int) -> Callable[[int], None]:
    def check(value: int, most: int = limit) -> None:
        assert value <= most

    return check


@dataclass(frozen=True)
class AtMost:
    limit: int

    def __call__(self, value: int) -> None:
        assert value <= self.limit


def of_numbers(most: int) -> Callable[[], Any]:
    def inputs() -> Any:
        return st.integers(0, most)

    return inputs


def composite(most: int) -> Callable[[], Any]:
    @st.composite
    def inputs(draw: st.DrawFn) -> int:
        return draw(st.integers(0, most))

    return inputs


@st.composite
def up_to(draw: st.DrawFn, most: int) -> int:
    return draw(st.integers(0, most))


KINDS = {
    "closure": lambda n: (below(n), of_numbers(1000)),
    "closure over a list": lambda n: (lists_below([n]), of_numbers(1000)),
    "lambda": lambda n: ((lambda value: below(n)(value)), of_numbers(1000)),
    "default": lambda n: (defaults(n), of_numbers(1000)),
    "wrapper that says so": lambda n: (shifted(n)(at_most_100), of_numbers(1000)),
    "wrapper that does not": lambda n: (bare(n)(at_most_100), of_numbers(1000)),
    "two wrappers": lambda n: (shifted(0)(shifted(n)(at_most_100)), of_numbers(1000)),
    "partial": lambda n: (functools.partial(at_most, n), of_numbers(1000)),
    "partial of a closure": lambda n: (functools.partial(lambda more, value: below(n)(value), None), of_numbers(1000)),
    "frozen callable": lambda n: (AtMost(n), of_numbers(1000)),
    "inputs: closure": lambda n: (at_most_100, of_numbers(50 + n)),
    "inputs: lambda": lambda n: (at_most_100, lambda: st.integers(0, 50 + n)),
    "inputs: composite inside a function": lambda n: (at_most_100, composite(50 + n)),
    "inputs: partial of a composite": lambda n: (at_most_100, functools.partial(up_to, 50 + n)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_taken_along_tells_searches_apart(store, kind):
    fresh = {n: falsify(*KINDS[kind](n), examples=50, key="any") for n in (20, 70, 90)}
    for n in (20, 70, 90):
        table, made = searched(store, *KINDS[kind](n))
        assert made
        pd.testing.assert_frame_equal(table, fresh[n])
    for n in (20, 70, 90):
        table, made = searched(store, *KINDS[kind](n))
        assert not made
        pd.testing.assert_frame_equal(table, fresh[n])


class Counting:
    """A check with a state that nothing tells."""

    def __init__(self, limit: int) -> None:
        self.limit, self.seen = limit, 0

    def check(self, value: int) -> None:
        self.seen += 1
        assert value < self.limit

    __call__ = check


def in_a_list(limit: int) -> Callable[[int], None]:
    seen: list[int] = []

    def check(value: int) -> None:
        seen.append(value)
        assert value < limit

    return check


def through(one: Counting) -> Callable[[int], None]:
    return lambda value: one.check(value)


UNNAMED = {
    "method": lambda n: (Counting(n).check, of_numbers(1000)),
    "object": lambda n: (Counting(n), of_numbers(1000)),
    "closure over an object": lambda n: (through(Counting(n)), of_numbers(1000)),
    "state that changes": lambda n: (in_a_list(n), of_numbers(1000)),
    "inputs that were made already": lambda n: (below(n), st.integers(0, 1000)),
}


@pytest.mark.parametrize("kind", UNNAMED)
def test_what_has_no_name_is_searched_each_time(store, kind):
    for n in (20, 70, 20):
        check, strategy = UNNAMED[kind](n)
        table = falsify(check, strategy, examples=50, key="any", store=store)
        pd.testing.assert_frame_equal(table, falsify(*UNNAMED[kind](n), examples=50, key="any"))
    assert store.entries() == []


def test_a_method_of_a_list_counts_with_the_list(store):
    one, other = [], [1]
    for seen in (one, other):
        falsify(seen.append, of_numbers(10), examples=5, key="any", store=store)
    assert (len(one), len(other)) == (5, 6)
    assert store.entries() == []  # what it was given has changed


def test_errors_of_a_check_are_passed_on_and_nothing_is_kept(store):
    for _ in range(2):
        with pytest.raises(KeyError):
            falsify(lambda value: {}[value], of_numbers(10), examples=5, key="any", store=store)
    assert store.entries() == []
