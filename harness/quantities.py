"""Named derived columns: what a declaration reads is fixed together with the code that makes it."""

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

    It can be used wherever the name of a column is asked for.  The digest of a declaration that reads it includes the
    function's code.  It cannot be called itself, since pandas calls any callable that it is indexed with.

    Attributes:
        make: from a table to the column.
    """

    make: Callable[[pd.DataFrame], pd.Series[Any]]

    @property
    def __func__(self) -> Callable[[pd.DataFrame], pd.Series[Any]]:
        """The function that its name stood for, as in bound methods; it shows whether the name is current."""
        return self.make

    def of(self, table: pd.DataFrame) -> pd.Series[Any]:
        """The column, one value per row of the table."""
        return self.make(table)

    def describe(self) -> dict[str, str]:
        """As JSON holds it: name, function, and a digest of the code."""
        return {"column": str(self), "function": self.make.__qualname__, "code": made_by(self.make)}


def quantity(column: str) -> Callable[[Callable[[pd.DataFrame], pd.Series[Any]]], Quantity]:
    """Name the column that a function makes.

    The study makes it, ``table[drift] = drift.of(table)``, and the declaration names it, ``Gate("…", drift, at_most=0.1)``.

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
    """A column in the form that digests are made from: its name, or a quantity's description."""
    return column.describe() if isinstance(column, Quantity) else column


def made_by(function: Callable[..., Any]) -> str:
    """Digest of the code behind a function: its module and what that imports of the project, without harness and libraries.

    A claim is as it was declared whichever versions judge it; these are in the run's provenance.

    Raises:
        ClaimError: the source cannot be found.
    """
    try:
        own = closure([function]).own
    except CodeError as problem:
        raise ClaimError(f"the code of {function.__qualname__} cannot be read, so it has no digest: {problem}") from None
    return digest({name: does for name, does in own.items() if name.partition(".")[0] != "harness"})
