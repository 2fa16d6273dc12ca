"""Limits between which a column has to lie: what gates and proportions require of single rows.

A limit is a number, or the name of another column, compared row by row.  It is part of the declaration, and so of the claim's
digest and of its sentence; a study returns what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

from harness.errors import ClaimError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

Limit = float | str
"""A number, or a column that holds one for each row."""
BOUNDS = {"at_least": "at least", "above": "above", "at_most": "at most", "below": "below"}
"""Limits in words; an "at" limit is admissible itself, the others are not."""
_LONGEST = 60  # characters of a value that a message shows
_LOWER, _UPPER = ("at_least", "above"), ("at_most", "below")


class Limited:
    """What declarations with limits have in common; a base of frozen dataclasses that have the four as fields."""

    at_least: Limit | None
    at_most: Limit | None
    above: Limit | None
    below: Limit | None

    @property
    def limits(self) -> dict[str, Limit]:
        """The limits that are given, by the names of their fields."""
        found = ((name, getattr(self, name)) for name in BOUNDS)
        return {name: limit for name, limit in found if limit is not None}

    @property
    def limit_columns(self) -> tuple[str, ...]:
        """Columns that are limits."""
        return tuple(limit for limit in self.limits.values() if isinstance(limit, str))

    def check_limits(self, owner: str) -> None:
        """Turn limits into numbers, and refuse those that are neither numbers nor columns, or that admit nothing.

        Raises:
            ClaimError: a limit has to be refused.
        """
        for name, limit in self.limits.items():
            if isinstance(limit, str):
                if not limit.strip():
                    raise ClaimError(f"{owner} has {name}={limit!r}; name the column that holds the limit, or give a number")
                continue
            number = canonical(limit)
            if number is None or not math.isfinite(number):
                raise ClaimError(
                    f"{owner} has {name}={briefly(limit)}; a limit is a finite number or the name of a column, and a number is "
                    "one that double precision holds exactly, as a float or an int"
                )
            object.__setattr__(self, name, number)
        given = self.limits
        for pair in (_LOWER, _UPPER):
            if all(name in given for name in pair):
                raise ClaimError(f"{owner} has {pair[0]} and {pair[1]}; give one of them")
        low, high = ([given[name] for name in pair if name in given] for pair in (_LOWER, _UPPER))
        if low and high and not (isinstance(low[0], str) or isinstance(high[0], str)):
            closed = "at_least" in given and "at_most" in given
            if low[0] > high[0] or (low[0] == high[0] and not closed):
                raise ClaimError(f"{owner} admits no value: {self.limits_in_words()}")

    def admitted(self, values: NDArray[np.float64], table: pd.DataFrame) -> NDArray[np.bool_]:
        """Which values lie between the limits; a missing value or limit does not.

        Args:
            values: one per row of the table.
            table: holds the columns that are limits.
        """
        import numpy as np

        good = ~np.isnan(values)
        for name, limit in self.limits.items():
            bound: Any = table[limit].to_numpy(dtype=np.float64) if isinstance(limit, str) else limit
            compare = {"at_least": np.greater_equal, "at_most": np.less_equal, "above": np.greater, "below": np.less}[name]
            good &= compare(values, bound)
        return good

    def limits_in_words(self, word: Callable[[object], str] = str) -> str:
        """The limits as the reader sees them: "at least 0 and below the bound"."""
        return " and ".join(self._said(word))

    def _said(self, word: Callable[[object], str]) -> Iterator[str]:
        for name, limit in self.limits.items():
            yield f"{BOUNDS[name]} {word(limit) if isinstance(limit, str) else exact(limit)}"


def canonical(value: object) -> float | None:
    """A number in the one form that it has in descriptions and digests, or None for anything that is not a number.

    Equal numbers of Python and numpy have the same form: whole ones below 2**53 are integers, the others floats.  A number of
    less than double precision stands for its decimals.  What double precision does not hold exactly, such as a third as a
    fraction, gives None: it would not be the number that values are compared with.

    Example:
        >>> canonical(0.0), canonical(-0.0), canonical(0.5), canonical(10**20), canonical(True), canonical(10**400)
        (0, 0, 0.5, 1e+20, None, None)
    """
    dtype: Any = getattr(value, "dtype", None)
    if dtype is not None and isinstance(value, Real):
        value = float(str(value)) if dtype.kind == "f" and dtype.itemsize < 8 else value.item()  # type: ignore[attr-defined]
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return None
    try:
        number = float(value)
        same = number == value or (number != number and isinstance(value, float))
    except (OverflowError, ValueError, ArithmeticError):
        return None
    if not same:
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def briefly(value: object) -> str:
    """A value as a message shows it, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than some thousand digits
        text = f"{type(value).__name__} of more digits than Python writes"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def exact(value: float) -> str:
    """A number in full, so that two limits that differ read differently.

    Example:
        >>> exact(0.95), exact(1.0), exact(1.001), exact(-2), exact(1e-6)
        ('0.95', '1', '1.001', '−2', '1e−06')
    """
    number = float(value)
    text = str(int(number)) if number.is_integer() and abs(number) < 1e6 else repr(number)
    return text.replace("-", "−")
