"""Tables of pandas: which of their empty cells were not logged, and which were logged as NaN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import ClaimError
from harness.limits import briefly

if TYPE_CHECKING:
    import pandas as pd

NANS = (None, "logged", "not logged")


def read(
    table: pd.DataFrame, metrics: Sequence[str] | None, others: Sequence[str | None], nan: str | None
) -> dict[str, list[Any]]:
    """Cells by column, None where nothing was logged.

    Args:
        table: the table.
        metrics: columns of what was logged; None for all that are not among the others.
        others: columns that mean something else.
        nan: what a NaN in a column of plain floats is.

    Raises:
        ClaimError: it is no table with names of columns, or such a column has a NaN and nobody says what it is.
    """
    if not hasattr(table, "columns") or not hasattr(table, "dtypes"):
        raise ClaimError(f"from_dataframe takes a table of pandas, not {type(table).__name__}")
    if nan not in NANS:
        raise ClaimError(f"nan={briefly(nan)}; allowed are 'logged' and 'not logged'")
    names = [str(name) for name in table.columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ClaimError(f"the table has two columns called {twice[0]!r}; give each a name of its own")
    logged = [name for name in names if name not in others] if metrics is None else metrics
    return {name: _cells(table.iloc[:, place], name in logged, nan) for place, name in enumerate(names)}


def _cells(column: pd.Series[Any], logged: bool, nan: str | None) -> list[Any]:
    """A column's cells; in one of plain floats, NaN is what the user says."""
    kind = getattr(column.dtype, "kind", "O")
    plain_floats = kind == "f" and not hasattr(column.array, "_pa_array") and not hasattr(column.array, "_mask")
    cells: list[Any] = [None if cell is None or type(cell).__name__ in ("NAType", "NaTType") else cell for cell in column]
    if not (logged and plain_floats):
        return cells
    if any(math.isnan(cell) for cell in cells) and nan is None:
        raise ClaimError(
            f"the column {column.name!r} has NaN, which in a column of plain floats stands for a value that was not logged as "
            "well as for one that was logged as NaN: say which with nan='not logged' or nan='logged', or read the file itself "
            "with from_csv or from_parquet, if whoever wrote it kept the two apart"
        )
    return [None if math.isnan(cell) and nan == "not logged" else cell for cell in cells]
