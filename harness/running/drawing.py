"""A store that trains and measures nothing, and the values that stand in for what it would have measured.

Studies that run against it show which members and measurements a claim asks for.  An operation on a stand-in gives another
stand-in or, where Python needs a real answer (whether, how many, which), ends the drawing of that study; nothing is guessed.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from harness.design import labelled
from harness.drawn import by
from harness.running.quiet import quietly

if TYPE_CHECKING:
    from harness.design import Design
    from harness.measure.views import View
    from harness.population import Population
    from harness.recipe import Recipe


class Undrawn(BaseException):
    """Ends the drawing of a study: a measured value decides what comes next.  No ``except Exception`` may catch it."""


class Unknown:
    """Stands in for a value that nobody has measured."""

    def __getattr__(self, name: str) -> Unknown:
        if name.startswith("_"):  # Python's protocols are answered below, and those of libraries not at all
            raise AttributeError(name)
        return Unknown()

    def _unknown(self, *_: object, **__: object) -> Unknown:
        return Unknown()

    __call__ = __getitem__ = __array_ufunc__ = __array_function__ = _unknown
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = __rpow__ = _unknown
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __matmul__ = __rmatmul__ = __neg__ = __pos__ = __abs__ = _unknown
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __invert__ = __round__ = _unknown
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _unknown  # type: ignore[assignment]
    __enter__ = _unknown

    def __exit__(self, *_: object) -> None:
        return None

    def __setitem__(self, name: object, value: object) -> None:
        """A table takes any column."""

    def _end(self, *_: object) -> Any:
        raise Undrawn

    __bool__ = __int__ = __index__ = __contains__ = _end
    __hash__ = _end

    def __iter__(self) -> Iterator[Any]:
        """One pass of a loop, so that what the loop asks for is seen."""
        yield Unknown()

    def __float__(self) -> float:
        return float("nan")

    def __str__(self) -> str:
        return "unknown"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return "unknown"


@dataclass
class Asked:
    """What was asked of the store while one function ran.

    Attributes:
        members: seeds by recipe.
        measured: (name, measurement or key of a table, number of members) in order.
        scaled: whether the scale was asked for, so that what follows may depend on it.
        work: (measurement, recipes and seeds that it is of) likewise.
        alone: names of the tables that belong to no member.
    """

    members: dict[Recipe, dict[int, None]] = field(default_factory=dict)
    measured: list[tuple[str, Any, int]] = field(default_factory=list)
    scaled: bool = False
    work: list[tuple[Any, tuple[tuple[Recipe, tuple[int, ...]], ...]]] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)

    def add(self, other: Asked) -> None:
        """Append what another function asked for."""
        for recipe, seeds in other.members.items():
            self.members.setdefault(recipe, {}).update(seeds)
        self.measured += other.measured
        self.scaled |= other.scaled
        self.work += other.work
        self.alone += other.alone


class Drawing:
    """A store that writes down what it is asked for."""

    def __init__(self) -> None:
        self.asked = Asked()

    @contextlib.contextmanager
    def noting(self) -> Iterator[Asked]:
        """A context that records by itself what is asked for within it."""
        before, self.asked = self.asked, Asked()
        try:
            yield self.asked
        finally:
            self.asked = before

    def drawn(self, function: Callable[[], Any]) -> tuple[Any, Asked]:
        """What a function returns, as far as it can be drawn, and what it asks for."""
        with self.noting() as asked:
            try:
                value = function()
                if inspect.iscoroutine(value):
                    value.close()
            except (Exception, Undrawn):
                value = Unknown()
            except BaseException as problem:
                if not _is_outcome(problem):
                    raise
                value = Unknown()
        return value, asked

    def population(self, recipe: Recipe, seeds: Iterable[int], *, name: str | None = None) -> Population:
        """Like the store's, but of members that do not exist."""
        return self.populations([recipe], seeds, name=name)[0]

    def populations(
        self, recipes: Iterable[Recipe] | Design, seeds: Iterable[int], *, name: str | None = None
    ) -> list[Population]:
        """Like the store's, but of members that do not exist."""
        from harness.population import Population

        cells, seeds = labelled(recipes), tuple(int(seed) for seed in seeds)
        unread: Mapping[int, Any]
        found = []
        for labels, recipe in cells:
            unread = {epoch: Unknown() for epoch in recipe.kept}
            found.append(Population(recipe, seeds, unread, labels))
        for _, recipe in cells:  # once it is known that these are recipes
            self.asked.members.setdefault(recipe, {}).update(dict.fromkeys(seeds))
        return found

    def measure(
        self, populations: Iterable[Population], measurement: Any, *, on: View | None = None, name: str | None = None
    ) -> Any:
        """Notes the measurement and what it is of."""
        from harness.measure.views import viewed

        measurement = viewed(measurement, on)
        called = str(getattr(measurement, "name", measurement))
        populations = list(populations)
        self.asked.measured.append((called, measurement, sum(len(each) for each in populations)))
        self.asked.work.append((measurement, tuple((each.recipe, each.seeds) for each in populations)))
        return Unknown()

    def cached(self, name: str, key: Mapping[str, Any], *_: object, **__: object) -> Any:
        """Note the table and its key."""
        self.asked.measured.append((name, key, 0))
        self.asked.alone.append(name)
        return Unknown()

    def instead(self, name: str, settings: Mapping[str, Any]) -> Any:
        """Note a measurement that no store is asked for."""
        return self.cached(name, settings)

    def end(self) -> NoReturn:
        """Called where data would be looked for."""
        raise Undrawn

    def __getattr__(self, name: str) -> Unknown:
        return Unknown()


def _is_outcome(problem: BaseException) -> bool:
    """Whether it is one of pytest's outcomes, a skip or a failure, which are not Exceptions."""
    return any(kind.__name__ == "OutcomeException" for kind in type(problem).__mro__)


@contextlib.contextmanager
def stand_ins(drawing: Drawing) -> Iterator[None]:
    """A context in which nothing is measured, read, printed or warned of, and pandas passes stand-ins on."""
    from unittest import mock

    import pandas as pd

    with contextlib.ExitStack() as stack:
        stack.enter_context(by(drawing))
        stack.enter_context(quietly())
        for owner, name in ((pd, "concat"), (pd, "merge"), (pd.DataFrame, "merge"), (pd.DataFrame, "join")):
            stack.enter_context(mock.patch.object(owner, name, _handing_on(getattr(owner, name))))
        yield


def _handing_on(function: Any) -> Any:
    """The function, with a stand-in for its result where one is among its tables."""

    def handing_on(*given: Any, **named: Any) -> Any:
        if any(map(_holds_unknown, (*given, *named.values()))):
            return Unknown()
        return function(*given, **named)

    return handing_on


def _holds_unknown(given: Any) -> bool:
    if isinstance(given, Mapping):
        given = list(given.values())
    if isinstance(given, Sequence) and not isinstance(given, str):
        return any(isinstance(each, Unknown) for each in given)
    return isinstance(given, Unknown)
