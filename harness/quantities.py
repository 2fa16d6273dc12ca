"""Derived columns that have a name: what a declaration reads is fixed with the code that makes it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.code import code_digest
from harness.errors import ClaimError

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
    """Digest of the code behind a function: of the module that defines it.

    Raises:
        ClaimError: the source is not to be found.
    """
    module = inspect.getmodule(function)
    try:
        if module is None:
            raise OSError("it belongs to no module")
        return code_digest((module,))
    except (OSError, TypeError) as problem:
        raise ClaimError(
            f"the code of {function.__qualname__} cannot be read, so that no digest holds it: {problem}; "
            "define it in a file that can be imported"
        ) from None
