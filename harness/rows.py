"""Which rows of a table are meant: the one grammar of ``where``.

Predictions, gates and fixtures name rows by what their columns hold:

    ==========================  =====================================================================
    ``{"regime": "robust"}``    one value; ``None`` or nan for a missing one
    ``{"batch": [32, 64]}``     one of several values; a tuple, set or frozenset means the same
    ``{"epoch": range(5)}``     a whole number of a Python range, its end excluded
    ``{"size": Between(0, 1)}``  a number of an interval, its ends included
    ==========================  =====================================================================

A value equals what a column holds if both are of one kind (text, boolean, number) and equal: 1 is 1.0, ``True`` is not 1, and
"1" is neither.  Numbers are compared exactly; in a column of single precision, after the value is rounded to it.

Nothing here imports a numerical library before rows are selected.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Number, Real
from typing import TYPE_CHECKING, Any

from harness.declaring import Declared
from harness.errors import ClaimError
from harness.limits import briefly

if TYPE_CHECKING:
    import pandas as pd

ALLOWED = "a value, a list, tuple or set of values, a range of whole numbers, or Between(low, high)"
_GREATEST = int(sys.float_info.max)
SHOWN = 8
"""Values of a column that a message names."""
Key = tuple[str, Any]
"""The kind of a value and the value; equal keys are what a condition takes as equal."""


class NoRow(LookupError):  # noqa: N818 - a state of a table, not a fault of the program
    """No row of a table has what was asked for."""


@dataclass(frozen=True)
class Between(metaclass=Declared):
    """A closed interval of numbers, for ``where``; None for an end that is open to infinity.

    Attributes:
        low: smallest number that is admitted, or None.
        high: largest number that is admitted, or None.
    """

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        ends = [_scalar(end) for end in (self.low, self.high) if end is not None]
        if not ends or not all(_key(end)[0] == "number" and abs(end) <= _GREATEST for end in ends) or ends != sorted(ends):
            raise ClaimError(
                f"Between({briefly(self.low)}, {briefly(self.high)}) is no interval: give low and high as finite numbers, "
                "low at most high, or one of them"
            )
        for name in ("low", "high"):
            object.__setattr__(self, name, _scalar(getattr(self, name)))

    def __contains__(self, value: Any) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True)
class OneOf:
    """One of several values, each once and in an order of their own; what a value and a list of values are read as.

    Attributes:
        choices: the values, as plain Python ones.
    """

    choices: tuple[Any, ...]


Condition = OneOf | Between | range


class Where(Mapping[str, Any]):
    """Conditions on columns, checked and in a canonical form; all rows without any.

    Two with the same conditions are equal, in whatever order and container they were written down.
    """

    def __init__(self, conditions: Mapping[str, Any] | None = None, *, owner: str = "where") -> None:
        """Read conditions.

        Args:
            conditions: what each column has to hold; see the module.
            owner: whose they are, for messages.

        Raises:
            ClaimError: a column is no text, or a condition is none.
        """
        if conditions is not None and not isinstance(conditions, Mapping):
            raise ClaimError(
                f"{owner} has where={briefly(conditions)}; give what each column has to hold: where={{'column': value}}"
            )
        self._conditions: dict[str, Condition] = {}
        for column, given in (conditions or {}).items():
            if not isinstance(column, str):
                raise ClaimError(f"{owner} has where={{{briefly(column)}: …}}; name the column as text")
            self._conditions[column] = _condition(given, f"{owner} has where={{{column!r}: {briefly(given)}}}")

    def __getitem__(self, column: str) -> Condition:
        return self._conditions[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._conditions)

    def __len__(self) -> int:
        return len(self._conditions)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        try:
            return repr(self) == repr(Where(other))  # as text, since True == 1
        except ClaimError:
            return False

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"Where({self.describe()!r})"

    def describe(self) -> dict[str, Any]:
        """As JSON holds it, columns and values in an order of their own; digests are made from it."""
        return {column: _plain(self._conditions[column]) for column in sorted(self._conditions)}

    def admits(self, column: str, value: object) -> bool:
        """Whether one value of a column is what is asked for; anything is where nothing is asked of the column."""
        return column not in self._conditions or _test(self._conditions[column])(_scalar(value))

    def select(self, table: pd.DataFrame, owner: str = "where") -> pd.DataFrame:
        """The rows that are meant, in their order.

        Raises:
            ClaimError: a column is missing.
            NoRow: the table has rows, but none that is meant.
        """
        for column, condition in self._conditions.items():
            if column not in table.columns:
                raise ClaimError(
                    f"{owner} selects rows by the column {column!r}; the table has "
                    f"{', '.join(map(str, table.columns)) or 'no columns'}"
                )
            kept = _admitted(table[column], condition)
            if len(table) and not any(kept):
                held = f"{present(table[column])}{_kinds(table[column], condition)}"
                raise NoRow(f"no row has {worded(column, condition)}; present: {held}")
            table = table[kept] if len(table) else table
        return table

    def worded(self, column: str, word: Callable[[object], str] = str) -> str:
        """One condition in words; see :func:`worded`."""
        return worded(column, self._conditions[column], word)


def worded(column: str, condition: Condition, word: Callable[[object], str] = str) -> str:
    """A condition as the reader sees it: "batch = 32 or 64", "size from 0 to 1", "epoch from 0 to 8 in steps of 2".

    Args:
        column: the column.
        condition: what it has to hold.
        word: how columns and values read.
    """
    if isinstance(condition, OneOf):
        said = ("missing" if value is None else word(value) for value in condition.choices)
        return f"{word(column)} = {' or '.join(said)}"
    if isinstance(condition, range):
        low, high = condition[0], condition[-1]
        step = f" in steps of {condition.step}" if condition.step != 1 and len(condition) > 1 else ""
        return f"{word(column)} a whole number from {low} to {high}{step}"
    if condition.low is None:
        return f"{word(column)} at most {condition.high}"
    upper = f"at least {condition.low}" if condition.high is None else f"from {condition.low} to {condition.high}"
    return f"{word(column)} {upper}"


def present(column: pd.Series[Any]) -> str:
    """Up to eight values of a column, for a message."""
    values = [str(value) for value in column.unique()]
    return ", ".join(values[:SHOWN]) + (", …" if len(values) > SHOWN else "")


def _condition(given: Any, said: str) -> Condition:
    """One condition in its canonical form."""
    if isinstance(given, (OneOf, Between)):
        return given
    if isinstance(given, range):
        if not given:
            raise ClaimError(f"{said}, a range without a number; no row could have it")
        return given if given.step > 0 else given[::-1]
    if isinstance(given, (list, tuple, set, frozenset)):
        if not given:
            raise ClaimError(f"{said}, without a value; no row could have one of none")
        found = {_key(value): value for value in (_checked(each, said) for each in given)}
        return OneOf(tuple(found[key] for key in sorted(found, key=lambda key: (key[0], _order(key[1])))))
    return OneOf((_checked(given, said),))


def _checked(value: Any, said: str) -> Any:
    """A single value as a plain Python one."""
    plain = _scalar(value)
    if _key(plain)[0] == "other":
        kind = type(value).__name__
        raise ClaimError(f"{said}; {briefly(plain)} is of type {kind}. Give {ALLOWED}: text, booleans, numbers or None")
    if isinstance(plain, int) and abs(plain) > _GREATEST:
        raise ClaimError(f"{said}, a number that no column of numbers holds")
    return plain


def _scalar(value: Any) -> Any:
    """Numpy's scalars as Python's; nan and what else stands for a missing value as None; whole floats as integers."""
    if hasattr(value, "dtype") and getattr(value, "shape", None) == ():
        # A single-precision 0.1 is meant as 0.1, not as the double nearest to it.
        value = float(str(value)) if value.dtype.kind == "f" and value.dtype.itemsize < 8 else value.item()
    if value is None or _missing(value):
        return None
    if isinstance(value, str):
        return str(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _missing(value: object) -> bool:
    """Whether a cell holds nothing: None, nan, NaT, NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)


def _key(value: object) -> Key:
    if _missing(value):
        return "missing", None
    if isinstance(value, str):
        return "text", str(value)
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):  # numpy's is no bool
        return "boolean", bool(value)
    if isinstance(value, Number) and not isinstance(value, complex):
        return "number", value
    return "other", id(value)


def _order(value: Any) -> Any:
    """By size where there is one."""
    return (value, "") if isinstance(value, Real) else (0, str(value))


def _plain(condition: Condition) -> Any:
    if isinstance(condition, OneOf):
        values = [_written(value) for value in condition.choices]
        return values[0] if len(values) == 1 else values
    if isinstance(condition, range):
        return {"range": [condition[0], condition[-1] + 1, condition.step if len(condition) > 1 else 1]}
    return {"between": [_written(condition.low), _written(condition.high)]}


def _written(value: Any) -> Any:
    """A value as JSON holds it; numbers that it does not hold exactly as text with their kind."""
    if value is None or isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return {"number": str(value)}


def _test(condition: Condition) -> Callable[[object], bool]:
    """What tells whether a plain Python value is what is asked for."""
    if isinstance(condition, OneOf):
        keys = set(map(_key, condition.choices))
        return lambda value: _key(value) in keys
    return lambda value: _key(value)[0] == "number" and value in condition


def _admitted(column: pd.Series[Any], condition: Condition) -> list[bool]:
    """Which cells of a column are what is asked for."""
    dtype = column.dtype
    if getattr(dtype, "kind", "") != "f" or getattr(dtype, "itemsize", 8) >= 8:
        test = _test(condition)
        return [test(_scalar(value)) for value in column.tolist()]

    def rounded(value: Any) -> Any:
        return _scalar(dtype.type(value)) if _key(value)[0] == "number" else value

    if isinstance(condition, OneOf):
        condition = OneOf(tuple(map(rounded, condition.choices)))
    elif isinstance(condition, Between):
        condition = Between(rounded(condition.low), rounded(condition.high))
    test = _test(condition)
    return [test(rounded(_scalar(value))) for value in column.tolist()]


def _kinds(column: pd.Series[Any], condition: Condition) -> str:
    """A hint where the condition is of another kind than the column."""
    held = {_key(_scalar(value))[0] for value in column.tolist()} - {"missing"}
    asked = {_key(value)[0] for value in condition.choices} if isinstance(condition, OneOf) else {"number"}
    if not held or asked & held or "missing" in asked:
        return ""
    return f" (the column holds {' and '.join(sorted(held))}, the condition asks for {' and '.join(sorted(asked))})"
