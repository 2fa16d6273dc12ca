"""A claim's scope as a space that can be drawn from evenly: each setting an axis from 0 to 1.

Scopes are declared in Hypothesis's strategies, which are made to find counterexamples: they draw ends, zeros and round numbers
far more often than others.  A share of the scope has to be counted on even draws.  So the strategies that span a range or list
their values (``floats``, ``integers``, ``sampled_from``, ``booleans``, ``just``) are read as axes; of any other one, a pool of
different values is drawn once, and the axis goes through the pool.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import scipy.stats
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.errors import ClaimError
from harness.measure.falsify import seed_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Floats = NDArray[np.float64]
Settings = Mapping[str, Any]
POOL = 64
"""Values that stand for a strategy that is no range and no list."""
_DECADE = 10.0  # a range of positive numbers whose ends are so many times apart is even in its logarithm


@dataclass(frozen=True)
class Axis:
    """A setting whose values lie along a line from 0 to 1.

    Attributes:
        name: the setting.
        default: its value outside of a search.
        low: the smallest value of a range; None for a list of values.
        high: the largest.
        whole: whether the values of a range are whole numbers.
        values: the values of a list, smallest first where they are numbers; empty for a range.
        pool: whether the list is a pool that stands for more values.
    """

    name: str
    default: Any
    low: float | None = None
    high: float | None = None
    whole: bool = False
    values: tuple[Any, ...] = ()
    pool: bool = field(default=False, repr=False)  # not shown, since even draws are seeded by what is

    @property
    def size(self) -> int | None:
        """How many values there are; None where nobody can say, or where there is no end to them."""
        if self.values:
            return None if self.pool else len(self.values)
        low, high = self._ends()
        return math.floor(high) - math.ceil(low) + 1 if self.whole else 1 if low == high else None

    def all(self) -> Sequence[Any]:
        """Every value, where :attr:`size` says how many there are."""
        if self.values:
            return self.values
        low, high = self._ends()
        return range(math.ceil(low), math.floor(high) + 1) if self.whole else (float(low),)

    @property
    def logarithmic(self) -> bool:
        """Whether it is even in the logarithm: positive numbers that span a factor of 10."""
        return self.low is not None and self.high is not None and self.low > 0 and self.high >= _DECADE * self.low

    @property
    def ordered(self) -> bool:
        """Whether a value lies between its neighbours: numbers do, names do not."""
        return not self.values or all(_is_number(value) for value in self.values)

    def value(self, place: float) -> Any:
        """The value at a place from 0 to 1."""
        if self.values:
            return self.values[min(int(place * len(self.values)), len(self.values) - 1)]
        low, high = self._ends()
        if self.whole:  # every whole number has a stretch of its own
            low, high = low - 0.5 + 1e-9, high + 0.5 - 1e-9
            if self.logarithmic:
                low = max(low, 0.5)
        number = _between_logs(low, high, place) if self.logarithmic else low + (high - low) * place
        if self.whole:
            return min(max(round(number), math.ceil(self._ends()[0])), math.floor(self._ends()[1]))
        return float(number)

    def place(self, value: Any) -> float:
        """Where a value lies, from 0 to 1; one that is not in the scope, such as a default beside it, at the nearest place."""
        if self.values:
            if value in self.values:
                return (self.values.index(value) + 0.5) / len(self.values)
            if self.ordered and _is_number(value):
                return float(sum(each < value for each in self.values) / len(self.values))
            return -1.0
        low, high = self._ends()
        if self.whole:
            low, high = max(low - 0.5, 0.5 if self.logarithmic else -math.inf), high + 0.5
        if high == low:
            return 0.5
        if self.logarithmic:
            return float(min(max((math.log(max(value, low)) - math.log(low)) / (math.log(high) - math.log(low)), 0.0), 1.0))
        return float(min(max((value - low) / (high - low), 0.0), 1.0))

    def between(self, one: Any, other: Any) -> Any | None:
        """A value between two, in the middle of the axis between them; None where there is none."""
        middle = self.value((self.place(one) + self.place(other)) / 2)
        return None if middle in (one, other) else middle

    def _ends(self) -> tuple[float, float]:
        assert self.low is not None
        assert self.high is not None
        return self.low, self.high


@dataclass(frozen=True)
class Scope:
    """The axes of a claim's scope, by name.

    Attributes:
        axes: one for each setting.
    """

    axes: tuple[Axis, ...]

    @property
    def defaults(self) -> dict[str, Any]:
        """The settings outside of a search."""
        return {axis.name: axis.default for axis in self.axes}

    def axis(self, name: str) -> Axis:
        """The axis of a setting."""
        return next(axis for axis in self.axes if axis.name == name)

    @property
    def size(self) -> int | None:
        """How many settings there are; None where nobody can say, or where there is no end to them."""
        sizes = [axis.size for axis in self.axes]
        return None if None in sizes else math.prod(size for size in sizes if size is not None)

    @property
    def pools(self) -> tuple[str, ...]:
        """Settings whose values Hypothesis drew, which need not be even."""
        return tuple(axis.name for axis in self.axes if axis.pool)

    def all(self) -> list[dict[str, Any]]:
        """Every setting, where :attr:`size` says how many there are."""
        names = [axis.name for axis in self.axes]
        return [dict(zip(names, each, strict=True)) for each in itertools.product(*(axis.all() for axis in self.axes))]

    def at(self, places: Sequence[float]) -> dict[str, Any]:
        """The settings at a point of the unit cube."""
        return {axis.name: axis.value(place) for axis, place in zip(self.axes, places, strict=True)}

    def even(self, count: int, key: str = "") -> list[dict[str, Any]]:
        """So many settings, spread evenly over the scope: a scrambled Sobol' sequence (Owen 1998).

        They depend on the scope, the count's next power of 2 and the key alone, so that claims of one scope share them.
        """
        drawn = self.unit(count, key)
        return [self.at(place) for place in drawn]

    def unit(self, count: int, key: str = "") -> Floats:
        """Even points of the unit cube, shape (count, axes)."""
        seed = seed_of(f"{key} {sorted(repr(axis) for axis in self.axes)}")
        sobol = scipy.stats.qmc.Sobol(len(self.axes), scramble=True, rng=np.random.default_rng(seed))
        drawn: Floats = sobol.random_base2(max(math.ceil(math.log2(max(count, 1))), 0))[:count]
        return drawn

    def columns(self, settings: Sequence[Settings]) -> Floats:
        """What a surface is a function of, shape (setting, column): places of ordered axes, and a column a value of the others.

        A named value is 0.7 in its column and 0 in those of the others, so that two of them lie about as far apart as the ends
        of an axis.
        """
        parts: list[Floats] = []
        for axis in self.axes:
            given = [each.get(axis.name, axis.default) for each in settings]
            if axis.ordered:
                parts.append(np.array([[axis.place(value)] for value in given]))
            else:
                names = [*axis.values, *([] if axis.default in axis.values else [axis.default])]
                parts.append(np.array([[0.7 * (value == name) for name in names] for value in given], dtype=float))
        return np.concatenate(parts, axis=1)

    def changed(self, settings: Settings) -> dict[str, Any]:
        """What of the settings is not at its default."""
        return {name: value for name, value in settings.items() if value != self.axis(name).default}


def scope_of(strategies: Mapping[str, SearchStrategy[Any]], defaults: Settings) -> Scope:
    """The axes of a declared scope.

    Args:
        strategies: of the values of each setting.
        defaults: their values outside of a search.

    Raises:
        ClaimError: a strategy hardly ever gives a value, or raises.
    """
    return Scope(tuple(_named(name, strategies[name], defaults[name]) for name in sorted(strategies)))


def _named(name: str, strategy: SearchStrategy[Any], default: Any) -> Axis:
    """The axis of a setting; what its strategy raises is told with the setting's name."""
    try:
        return _axis(name, strategy, default)
    except ClaimError:
        raise
    except Exception as problem:  # whatever a project's own strategy does
        raise ClaimError(
            f"the scope's strategy for {name} raised {type(problem).__name__} ({problem}); declare one that gives values"
        ) from problem


def _axis(name: str, strategy: SearchStrategy[Any], default: Any) -> Axis:
    inner = _unwrapped(strategy)
    kind = type(inner).__name__
    # Attributes of Hypothesis's own classes; where a version names them otherwise, the pool takes their place.
    if kind == "FloatStrategy" and _finite(low := getattr(inner, "min_value", None), high := getattr(inner, "max_value", None)):
        return Axis(name, default, float(low), float(high))  # type: ignore[arg-type]
    if kind == "IntegersStrategy" and _finite(low := getattr(inner, "start", None), high := getattr(inner, "end", None)):
        return Axis(name, default, low, high, whole=True)
    if kind == "BooleansStrategy":
        return Axis(name, default, values=(False, True))
    if kind == "JustStrategy" and hasattr(inner, "value"):
        return Axis(name, default, values=(inner.value,))
    listed = getattr(inner, "elements", None) if kind == "SampledFromStrategy" and not _transformed(inner) else None
    return Axis(name, default, values=_in_order(_pool(name, strategy) if listed is None else listed), pool=listed is None)


def _between_logs(low: float, high: float, place: float) -> float:
    return min(max(math.exp(math.log(low) + place * (math.log(high) - math.log(low))), low), high)


def _unwrapped(strategy: SearchStrategy[Any]) -> Any:
    return getattr(strategy, "wrapped_strategy", strategy)


def _transformed(inner: Any) -> bool:
    return bool(getattr(inner, "_transformations", ()))


def _finite(low: Any, high: Any) -> bool:
    return _is_number(low) and _is_number(high) and math.isfinite(low) and math.isfinite(high)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _in_order(values: Sequence[Any]) -> tuple[Any, ...]:
    different: list[Any] = []
    for value in values:
        if value not in different:
            different.append(value)
    return tuple(sorted(different)) if all(_is_number(value) for value in different) else tuple(different)


def _pool(name: str, strategy: SearchStrategy[Any]) -> list[Any]:
    """Different values of a strategy, drawn by Hypothesis."""
    found: list[Any] = []

    def drawn(value: Any) -> None:
        if value not in found and len(found) < POOL:
            found.append(value)

    quiet = hypothesis.settings(
        max_examples=4 * POOL, database=None, deadline=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    with contextlib.suppress(hypothesis.errors.Unsatisfiable):
        hypothesis.seed(seed_of(f"pool of {name}"))(quiet(hypothesis.given(st.just(None).flatmap(lambda _: strategy))(drawn)))()
    if not found:
        raise ClaimError(
            f"the scope's strategy for {name}, {strategy!r}, gave no value in {4 * POOL} draws; declare one that draws what is "
            "wanted instead of rejecting the rest"
        )
    return found
