"""A claim's scope as a space that can be drawn from evenly: each setting an axis from 0 to 1.

How the axes are read off Hypothesis's strategies, in which scopes are declared, says :mod:`harness.running.strategies`.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from harness.measure.falsify import seed_of
from harness.running.axis import Axis
from harness.running.strategies import axis_of
from harness.running.values import identity, same

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["Axis", "Floats", "Scope", "Settings", "scope_of"]
Floats = NDArray[np.float64]
Settings = Mapping[str, Any]
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


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
    def pools(self) -> tuple[str, ...]:
        """Settings whose values Hypothesis gave, which need not be even."""
        return tuple(axis.name for axis in self.axes if axis.uneven)

    @property
    def size(self) -> int | None:
        """How many settings there are; None where nobody can say, or where there is no end to them."""
        sizes = [axis.size for axis in self.axes]
        return None if None in sizes else math.prod(size for size in sizes if size is not None)

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
        said = sorted(_ADDRESS.sub("", repr(axis)) for axis in self.axes)  # the same in every process
        seed = seed_of(f"{key} {said}")
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
                beside = [] if axis.index(axis.default) is not None else [axis.default]
                names = [identity(name) for name in (*axis.values, *beside)]
                parts.append(0.7 * np.equal.outer(_numbered(given, names), np.arange(len(names))))
        return np.concatenate(parts, axis=1)

    def changed(self, settings: Settings) -> dict[str, Any]:
        """What of the settings is not at its default."""
        return {name: value for name, value in settings.items() if not same(value, self.axis(name).default)}


def scope_of(strategies: Mapping[str, SearchStrategy[Any]], defaults: Settings) -> Scope:
    """The axes of a declared scope.

    Args:
        strategies: of the values of each setting.
        defaults: their values outside of a search.

    Raises:
        ClaimError: a strategy hardly ever gives a value, or raises.
    """
    return Scope(tuple(axis_of(name, strategies[name], defaults[name]) for name in sorted(strategies)))


def _numbered(values: Sequence[Any], names: Sequence[Any]) -> NDArray[np.int64]:
    """Which of the names each value has; -1 for one that has none of them."""
    numbers = {name: at for at, name in enumerate(names)}
    return np.array([numbers.get(identity(value), -1) for value in values], dtype=np.int64)
