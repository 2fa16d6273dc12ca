"""From tidy rows to arrays: one row per unit, one column per point of a grid that all units share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.predict import tables
from harness.predict.base import Unusable
from harness.rows import present

Floats = NDArray[np.float64]

MIN_POINTS = 3
"""Fewest points of a curve or a trend; two lie on any line, and a peak needs both sides."""


def grid(
    frame: pd.DataFrame, unit: Sequence[str], over: str, columns: Sequence[str], levels: Sequence[Any] | None = None
) -> tuple[pd.DataFrame, NDArray[Any], list[Floats]]:
    """Every unit's values at every point.

    Args:
        frame: rows as ``tables.usable`` gives them.
        unit: columns that identify a unit.
        over: column that holds the points.
        columns: columns to take.
        levels: points in their order, rows with others are left out; None for all numbers there are, ascending.

    Returns:
        One row per unit with its keys; the points; and for each column an array of shape (unit, point).

    Raises:
        Unusable: a unit has several rows, or none, at a point.
    """
    points = np.unique(frame[over].to_numpy()) if levels is None else np.array(levels, dtype=object)
    for level in points:
        if not (frame[over] == level).any():
            raise Unusable(f"no row has {over} = {level}; present: {present(frame[over])}")
    rows = frame[frame[over].isin(list(points))].reset_index(drop=True)
    tables.once(rows, (*unit, over))
    units = rows.drop_duplicates(list(unit)).reset_index(drop=True)
    row = tables.codes(rows, unit)
    place = {level: i for i, level in enumerate(points)}
    column = np.array([place[value] for value in rows[over]], dtype=np.intp)
    held = np.zeros((len(units), len(points)), dtype=bool)
    held[row, column] = True
    if not held.all():
        lacking = ~held.all(axis=1)
        absent = points[int(np.argmin(held[int(lacking.argmax())]))]
        at = f"{absent:g}" if isinstance(absent, float) else str(absent)
        raise Unusable(
            f"{int(lacking.sum())} of {len(units)} units have no row at some {over} where others have one, e.g. "
            f"{tables.first(units, lacking, unit)} at {over} = {at}"
        )
    arrays = []
    for name in columns:
        values = np.empty(held.shape)
        values[row, column] = rows[name].to_numpy()
        arrays.append(values)
    return units, points, arrays


def enough_points(points: NDArray[Any], what: str) -> None:
    """Refuse fewer points than a curve needs.

    Raises:
        Unusable: too few.
    """
    if len(points) < MIN_POINTS:
        raise Unusable(f"{len(points)} value(s) of {what}; {MIN_POINTS} or more are needed")


def axis(values: Floats, column: str, log: bool) -> Floats:
    """Values of x on the axis on which they are read: as they are, or in doublings (log2).

    Raises:
        Unusable: a value has no logarithm.
    """
    if not log:
        return values
    if values.min() <= 0:
        raise Unusable(f"{column} has the value {values.min():.3g}; doublings need values above 0")
    return np.asarray(np.log2(values))
