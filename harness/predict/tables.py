"""The rows that a prediction may use: selected, checked, and in an order that does not depend on the table's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from harness.predict.base import MINIMUM, Prediction, Unusable
from harness.predict.words import counted, listed
from harness.rows import NoRow, Where, present
from harness.stats import is_constant

FAR = 1e50
"""Size of numbers up to which, and from the inverse of which on, sums of fourth powers are exact to all digits."""


def usable(
    prediction: Prediction,
    table: pd.DataFrame,
    *,
    keys: Sequence[str],
    numeric: Sequence[str] = (),
    compared: Sequence[str] = (),
) -> pd.DataFrame:
    """The rows that the prediction is about, with finite numbers, ordered by their keys.

    The order makes Monte-Carlo tests independent of the order in which rows were measured.  Columns that are only ``compared``
    with limits may be infinite.

    Raises:
        ClaimError: a column is missing.
        Unusable: no row is left, a key is missing, or a value is missing, infinite or not a number.
    """
    prediction.check_columns(table)
    rows = selected(table, prediction.where)
    _refuse_unnamed(prediction, rows)
    return gathered(rows, keys, numeric, compared)


def _refuse_unnamed(prediction: Prediction, rows: pd.DataFrame) -> None:
    """Refuse rows from several levels of a random factor that the prediction does not name, so its error would ignore it."""
    for name in prediction.population.unnamed if prediction.population else ():
        if name in rows.columns and len(rows[name].drop_duplicates()) > 1:
            raise Unusable(
                f"rows differ in {name}, whose levels stand for others, and {type(prediction).__name__} does not name it, so "
                f"that what they differ by would be left out: name {name} beside {listed(prediction.own_factors)}, or choose "
                "one of its levels with where="
            )


def gathered(frame: pd.DataFrame, keys: Sequence[str], numeric: Sequence[str], compared: Sequence[str] = ()) -> pd.DataFrame:
    """The columns that are asked for, with finite numbers, rows ordered by their keys as text.

    Raises:
        Unusable: there is no row, a key is missing, or a value is missing, infinite or not a number.
    """
    if frame.empty:
        raise Unusable("the table has no rows")
    for key in keys:
        absent = int(frame[key].isna().sum())
        if absent:
            raise Unusable(f"{absent} of {len(frame)} rows have no {key}, so that nobody knows what they belong to")
    numbers = {column: _numbers(frame, column, keys, infinite=column in compared) for column in (*numeric, *compared)}
    frame = frame[list(dict.fromkeys((*keys, *numbers)))].assign(**numbers)
    return frame.sort_values(list(keys), key=lambda column: column.astype(str), ignore_index=True)


def selected(table: pd.DataFrame, where: Mapping[str, Any]) -> pd.DataFrame:
    """Rows with what ``where`` asks for; see :mod:`harness.rows`.

    Raises:
        Unusable: there is none.
    """
    try:
        return Where(where).select(table)
    except NoRow as problem:
        raise Unusable(str(problem)) from None


def _numbers(frame: pd.DataFrame, column: str, keys: Sequence[str], *, infinite: bool) -> pd.Series[float]:
    try:
        if np.iscomplexobj(frame[column].to_numpy()):
            raise TypeError
        values = frame[column].astype(float)
    except (TypeError, ValueError):
        raise Unusable(f"column {column} holds something that is no number") from None
    largest = float(np.nanmax(np.abs(values.to_numpy()), initial=0.0, where=np.isfinite(values.to_numpy())))
    if not infinite and largest and not 1 / FAR < largest < FAR:  # what is only compared has no powers
        raise Unusable(f"{column} has numbers of the size {largest:.1g}, whose powers no computer holds: change its unit")
    bad = values.isna().to_numpy() if infinite else ~np.isfinite(values.to_numpy())
    if bad.any():
        raise Unusable(
            f"{int(bad.sum())} of {len(frame)} values of {column} are missing{'' if infinite else ' or infinite'}, "
            f"e.g. {first(frame, bad, keys)}"
        )
    return values


def first(frame: pd.DataFrame, rows: ArrayLike, keys: Sequence[str]) -> str:
    """Where the first of some rows stands: "architecture = 16x3, seed = 4"."""
    levels = frame.loc[np.asarray(rows), list(keys)].head(1).to_dict("records")[0]
    return ", ".join(f"{key} = {value}" for key, value in levels.items())


def once(frame: pd.DataFrame, keys: Sequence[str]) -> None:
    """Refuse several rows with the same keys: nested rows counted as units would look like more evidence.

    Raises:
        Unusable: some keys occur more than once.
    """
    repeated = frame.duplicated(list(keys), keep=False)
    if repeated.any():
        raise Unusable(
            f"{int(repeated.sum())} of {len(frame)} rows share their {listed(keys)} with another row, "
            f"e.g. {first(frame, repeated, keys)}; one row each is needed: average what is nested in a unit, "
            "or select rows with where="
        )


def sides(frame: pd.DataFrame, keys: Sequence[str], factor: str, levels: tuple[Any, Any]) -> list[pd.DataFrame]:
    """Split rows by two levels of a factor; row i of both parts has the same keys.

    Raises:
        Unusable: a level is absent, a key stands in one part only, or occurs twice.
    """
    parts = []
    for level in levels:
        part = frame[frame[factor] == level]
        if part.empty:
            raise Unusable(f"no row has {factor} = {level}; present: {present(frame[factor])}")
        once(part, keys)
        parts.append(part.set_index(list(keys), drop=False))
    for here, there, level in ((0, 1, levels[1]), (1, 0, levels[0])):
        alone = ~parts[here].index.isin(parts[there].index)
        if alone.any():
            raise Unusable(
                f"{int(alone.sum())} of {len(parts[here])} rows have no partner with {factor} = {level}, "
                f"e.g. {first(parts[here], alone, keys)}"
            )
    return [parts[0].reset_index(drop=True), parts[1].reindex(parts[0].index).reset_index(drop=True)]


def groups(frame: pd.DataFrame, keys: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    """Parts of a frame by the levels of some columns, with names; all of it where no column is given."""
    if not keys:
        return [("", frame)]
    parts = frame.groupby(list(keys), sort=False, observed=True)
    return [(name_of(key), part) for key, part in parts]


def name_of(key: object) -> str:
    """Levels as one name: "16x3, standard"."""
    return ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def codes(frame: pd.DataFrame, keys: Sequence[str]) -> NDArray[np.intp]:
    """Number 0, 1, … of the combination of levels that each row has; zeros where no column is given."""
    if not keys:
        return np.zeros(len(frame), dtype=np.intp)
    return frame.groupby(list(keys), sort=False, observed=True).ngroup().to_numpy().astype(np.intp)


def enough(n: int, what: str, minimum: int = MINIMUM) -> None:
    """Refuse fewer units than an interval needs.

    Raises:
        Unusable: too few.
    """
    if n < minimum:
        nouns, *rest = what.split(" ", 1)
        one = nouns.removesuffix("(s)").removesuffix("s")
        raise Unusable(f"{' '.join([counted(n, one), *rest])}; an interval needs {minimum} or more")


def varies(values: Iterable[float], column: str, where: str = "") -> None:
    """Refuse a column that is constant up to rounding.

    Raises:
        Unusable: it is.
    """
    data = np.asarray(list(values), dtype=float)
    if is_constant(data):
        raise Unusable(f"{column} has the same value, {data[0]:.3g}, in every row{where}, so that nothing can follow it")
