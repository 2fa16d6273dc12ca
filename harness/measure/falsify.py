"""Search for a counterexample to a theorem: a Hypothesis property whose outcome is a table, not an exception."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

import hypothesis
import pandas as pd
from hypothesis.strategies import SearchStrategy

from harness.drawn import drawn

Value = TypeVar("Value")


class Keeper(Protocol):
    """Something that keeps tables, as :class:`harness.store.Store` does, which this package may not import."""

    def cached(
        self, name: str, key: Mapping[str, Any], compute: Callable[[], pd.DataFrame], *, values: Sequence[Any] = ()
    ) -> pd.DataFrame:
        """The table of that name, computed if it is not kept yet."""


def falsify(
    check: Callable[[Value], None], strategy: SearchStrategy[Value] | Callable[[], SearchStrategy[Value]], *,
    examples: int, key: str, store: Keeper | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Try a property on many admissible inputs and return what was found.

    The inputs depend on ``key``, ``examples`` and the installed version of Hypothesis alone.  A
    counterexample is shrunk to the simplest one that Hypothesis finds.

    Args:
        check: the property; an AssertionError means that it does not hold, ``hypothesis.assume`` rejects an
            input, and any other exception is an error of the check and is passed on.
        strategy: the admissible inputs, or a function that makes them (including one made by ``st.composite``).
        examples: inputs to try (rejected ones are not counted).
        key: names the random stream, such as the id of the claim.
        store: keeps the table under the code of check and strategy and their captured values, so that it is found the next
            time.  If those cannot be named, as with a strategy that was made beforehand, the search is run each time.

    Returns:
        One row: examples (inputs on which the property was tried, up to the first counterexample),
        counterexample (the shrunk input as text and what was asserted of it; None if there is none).

    Raises:
        ValueError: if ``examples`` is below 1.
        hypothesis.errors.FailedHealthCheck: if nearly all inputs are rejected.
    """
    if examples < 1:
        raise ValueError(f"examples={examples!r}; a property has to be tried on at least 1 input")
    if (drawing := drawn()) is not None:
        found: pd.DataFrame = drawing.instead("search for a counterexample", {"examples": examples, "key": key})
        return found
    search = partial(_searched, check, strategy, examples, key)
    if store is None:
        return search()
    settings = {"examples": examples, "key": key, "hypothesis": hypothesis.__version__}
    return store.cached("search for a counterexample", settings, search, values=(check, strategy))


def _searched(
    check: Callable[[Any], None], strategy: SearchStrategy[Any] | Callable[[], SearchStrategy[Any]], examples: int, key: str
) -> pd.DataFrame:  # fmt: skip
    tried = _Tried(check)
    inputs = strategy if isinstance(strategy, SearchStrategy) else strategy()
    search = hypothesis.seed(seed_of(key))(quiet(examples)(hypothesis.given(inputs)(tried.run)))
    try:
        search()
    except AssertionError:
        if tried.counterexample is None:  # not an answer of the check
            raise
    return pd.DataFrame({
        "examples": [tried.examples], "counterexample": pd.Series([tried.counterexample], dtype=object),
    })  # fmt: skip


class _Tried:
    """Counts the inputs until the first counterexample; later ones are steps of the shrinking."""

    def __init__(self, check: Callable[[Any], None]) -> None:
        self.check = check
        self.examples = 0
        self.counterexample: str | None = None  # the last one seen: Hypothesis replays the simplest at the end

    def run(self, value: Any) -> None:
        text = repr(value)  # before the check can change it
        searching = self.counterexample is None
        try:
            self.check(value)
        except AssertionError as broken:
            self.examples += searching
            asserted = (str(broken).splitlines() or [""])[0]
            self.counterexample = f"{text}: {asserted}" if asserted else text
            raise
        self.examples += searching


def seed_of(key: str) -> int:
    """The seed of the random stream that ``key`` names, for :func:`hypothesis.seed`."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")


def quiet(examples: int) -> hypothesis.settings:
    """Settings for a silent, repeatable search: nothing is taken from a profile, a database or a clock."""
    return hypothesis.settings(
        max_examples=examples, database=None, deadline=None, derandomize=False, print_blob=False,
        report_multiple_bugs=False, verbosity=hypothesis.Verbosity.quiet,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        suppress_health_check=(hypothesis.HealthCheck.too_slow,),  # no fault of the property
    )  # fmt: skip
