"""One setting of a claim's scope as a line from 0 to 1, along which its values lie."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.running.values import identity, in_order, is_number, same

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
        pool: whether the list stands for more values.
        cuts: where along the line the stretch of each value of a list ends; empty where all of them are equally long.
        uneven: whether Hypothesis drew the list, which prefers some values to others.
    """

    name: str
    default: Any
    low: float | None = None
    high: float | None = None
    whole: bool = False
    values: tuple[Any, ...] = ()
    pool: bool = field(default=False, repr=False)  # not shown, since even draws are seeded by what is
    cuts: tuple[float, ...] = field(default=(), repr=False)
    uneven: bool = field(default=False, repr=False)

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

    @cached_property
    def ordered(self) -> bool:
        """Whether a value lies between its neighbours: numbers do, names do not."""
        return all(map(is_number, self.values))

    def value(self, place: float) -> Any:
        """The value at a place from 0 to 1."""
        if self.values:
            at = bisect_right(self.cuts, place) if self.cuts else int(place * len(self.values))
            return self.values[min(at, len(self.values) - 1)]
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
            at = self.index(value)
            if at is not None:
                return (self._start(at) + self._start(at + 1)) / 2 if self.cuts else (at + 0.5) / len(self.values)
            if self.ordered and is_number(value):
                return self._start(bisect_left(self.values, in_order(value), key=in_order))
            return -1.0
        low, high = self._ends()
        if self.whole:
            low, high = max(low - 0.5, 0.5 if self.logarithmic else -math.inf), high + 0.5
        if high == low:
            return 0.5
        if self.logarithmic:
            return float(min(max((math.log(max(value, low)) - math.log(low)) / (math.log(high) - math.log(low)), 0.0), 1.0))
        return float(min(max((value - low) / (high - low), 0.0), 1.0))

    def index(self, value: Any) -> int | None:
        """Which of a list of values it is, by type and value; None where it is none of them."""
        return self._places.get(identity(value))

    def among(self, value: Any) -> bool:
        """Whether it is one of the axis, which a default need not be; where numbers stand for more, whether it lies between."""
        if not self.values:
            low, high = self._ends()
            return is_number(value) and low <= value <= high
        if self.pool and self.ordered and is_number(value):
            return bool(self.values[0] <= value <= self.values[-1])
        return self.index(value) is not None

    def between(self, one: Any, other: Any) -> Any | None:
        """A value between two, in the middle of the axis between them; None where there is none."""
        middle = self.value((self.place(one) + self.place(other)) / 2)
        return None if same(middle, one) or same(middle, other) else middle

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {identity(value): at for at, value in enumerate(self.values)}

    def _start(self, at: int) -> float:
        """Where the stretch of a value of a list begins."""
        if not self.cuts:
            return at / len(self.values)
        return self.cuts[at - 1] if at else 0.0

    def _ends(self) -> tuple[float, float]:
        assert self.low is not None
        assert self.high is not None
        return self.low, self.high


def _between_logs(low: float, high: float, place: float) -> float:
    return min(max(math.exp(math.log(low) + place * (math.log(high) - math.log(low))), low), high)
