"""Derived columns that have a name: what a declaration reads is fixed with the code that makes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.code import CodeError, closure
from harness.errors import ClaimError
from harness.spec import digest

if TYPE_CHECKING:
    import pandas as pd


class Quantity(str):
    """The name of a column, with the function that makes it from others; made by :func:`quantity`.

    It is its column's name wherever one is asked for.  A declaration that reads it has the function's code in its digest.
    It cannot be called itself, since pandas calls whatever callable it is indexed with.

    Attributes:
        make: from a table to the column.
    """

    make: Callable[[pd.DataFrame], pd.Series[Any]]

    @property
    def __func__(self) -> Callable[[pd.DataFrame], pd.Series[Any]]:
        """The function that its name stood for, as bound methods name theirs: by it the name is told to be current."""
        return self.make

    def of(self, table: pd.DataFrame) -> pd.Series[Any]:
        """The column, one value a row of the table."""
        return self.make(table)

    def describe(self) -> dict[str, str]:
        """As JSON holds it: name, function, and a digest of the code."""
        return {"column": str(self), "function": self.make.__qualname__, "code": made_by(self.make)}


def quantity(column: str) -> Callable[[Callable[[pd.DataFrame], pd.Series[Any]]], Quantity]:
    """Name the column that a function makes.

    The fixture makes it, ``table[drift] = drift.of(table)``, and the declaration names it, ``Gate("…", drift, at_most=0.1)``.

    Example:
        >>> @quantity("relative_size")
        ... def relative_size(table): return table["size"] / table["norm"]
        >>> relative_size == "relative_size"
        True
    """

    def named(make: Callable[[pd.DataFrame], pd.Series[Any]]) -> Quantity:
        found = Quantity(column)
        found.make = make
        found.__doc__ = make.__doc__
        return found

    return named


def written(column: str) -> Any:
    """A column as a digest is made of it: its name, or what a quantity says of itself."""
    return column.describe() if isinstance(column, Quantity) else column


def made_by(function: Callable[..., Any]) -> str:
    """Digest of the code behind a function: its module and what that imports of the project, without harness and libraries.

    A claim is as it was declared whichever versions judge it; those stand in the run's provenance.

    Raises:
        ClaimError: the source is not to be found.
    """
    try:
        own = closure([function]).own
    except CodeError as problem:
        raise ClaimError(f"the code of {function.__qualname__} cannot be read, so that no digest holds it: {problem}") from None
    return digest({name: does for name, does in own.items() if name.partition(".")[0] != "harness"})
