"""The two axes of a panel: from values to places and back to round numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.report import text

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_EQUAL = 1e-9  # values that differ by less of their size stand at one place
_NARROW = 2.2  # decades, below which a logarithmic axis has ticks between the powers of ten


@dataclass(frozen=True)
class Scale:
    """An axis.

    Attributes:
        low: value at its beginning.
        high: value at its end.
        log: whether equal ratios are equally far apart.
    """

    low: float
    high: float
    log: bool = False

    @classmethod
    def around(cls, values: Sequence[float], pad: float, *, log: bool = False, foot: float | None = None) -> Scale:
        """The scale that holds ``values`` and leaves ``pad`` of its length free at both ends, but none below ``foot``."""
        seen = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
        low, high = (min(seen), max(seen)) if seen else (1.0, 1.0) if log else (0.0, 1.0)
        if log:
            low, high = math.log(low), math.log(high)
        if high - low <= _EQUAL * (1.0 if log else max(abs(low), abs(high))):
            room = 0.5 if log else abs(low) / 2 or 0.5
            low, high = low - room, high + room
        first, last = low - pad * (high - low), high + pad * (high - low)
        if log:
            return cls(math.exp(first), math.exp(last), True)
        return cls(foot if foot is not None and low >= foot else first, last if foot is None or high > foot else foot)

    def share(self, value: float) -> float:
        """Where a value lies: 0 at the beginning, 1 at the end."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Round values and how they are written, ``most`` at most (some more on a logarithmic axis of few decades)."""
        return self._powers(most) if self.log else self._steps(most)

    def _steps(self, most: int) -> list[tuple[float, str]]:
        rough = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (*_STEPS, 20.0) if self._count(factor * power) <= most)
        first = math.ceil(self.low / step - 1e-9)
        values = [float(f"{(first + index) * step:.12g}") for index in range(self._count(step))]
        largest = max(map(abs, values), default=0.0)
        digits = 3 if largest == 0 else max(1, math.floor(math.log10(largest) + 1e-9) - math.floor(math.log10(step) + 1e-9) + 2)
        return [(value, text.number(value, digits)) for value in values]

    def _count(self, step: float) -> int:
        return math.floor(self.high / step + 1e-9) - math.ceil(self.low / step - 1e-9) + 1

    def _powers(self, most: int) -> list[tuple[float, str]]:
        low, high = math.log10(self.low), math.log10(self.high)
        factors = (1.0, 2.0, 5.0) if high - low < _NARROW else (1.0,)
        powers = range(math.floor(low), math.ceil(high) + 1)
        every = max(1, math.ceil((high - low) / most))
        values = [factor * 10.0**power for power in powers if power % every == 0 for factor in factors]
        inside = [value for value in values if self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9)]
        if len(inside) < 2:  # less than an octave: round steps, as on a linear axis
            return [(value, words) for value, words in Scale(self.low, self.high)._steps(most) if value > 0]
        return [(value, text.number(value, 1)) for value in inside]
