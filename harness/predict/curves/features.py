"""Curves of units: as arrays on a grid that all share, and as one row a curve with what can be read off it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness import stats
from harness.errors import ClaimError
from harness.predict import tables, words
from harness.predict.base import Unusable
from harness.rows import present

if TYPE_CHECKING:
    from collections.abc import Sequence


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


def curve_features(table: pd.DataFrame, *, y: str, x: str, by: str | Sequence[str]) -> pd.DataFrame:
    """Landmarks of every curve of y over x.

    Example:
        The change comes later in standard training::

            features = curve_features(runs, y="accuracy", x="epoch", by=("seed", "regime"))
            PairedDifference("change_position", "regime", "standard", "robust", "seed", …)

    Args:
        table: tidy table; the order of its rows has no influence.
        y: column of the height.
        x: column of numbers; three or more different ones in each curve, which may differ between curves.
        by: columns that identify a curve.

    Returns:
        One row per curve, ordered by ``by``, with the columns of ``by`` and

        - peak_position, peak_height, peak_width: x of the most prominent peak, its prominence (in y) and its width
          at half of that (in x); nan for a curve without a peak;
        - valley_position, valley_height, valley_width: likewise for the curve upside down;
        - change_position, change_size, change_width: x half-way between both sides of the least-squares split into two
          levels, level after minus level before, and the distance from 10 % to 90 % of it; nan for a constant curve;
        - settled_at: first x from which y stays within 10 % of its total range of its last value.

    Raises:
        ClaimError: a column is missing, or ``by`` is empty.
        Unusable: a number is missing, infinite or no number, a key is missing, x occurs twice in a curve or
            has fewer than three values.
    """
    keys = [by] if isinstance(by, str) else list(by)
    missing = [column for column in (*keys, x, y) if column not in table.columns]
    if missing or not keys:
        raise ClaimError(
            f"curve_features needs the columns y, x and one or more in by; given y={y!r}, x={x!r}, by={keys!r}"
            + (f", and the table lacks {words.listed(missing)}" if missing else "")
        )
    frame = tables.gathered(table.reset_index(drop=True), keys, (x, y))
    tables.once(frame, (*keys, x))
    rows = []
    for name, part in tables.groups(frame, keys):
        curve = part.sort_values(x)
        if len(curve) < MIN_POINTS:
            raise Unusable(f"{name} has {len(curve)} value(s) of {x}; a curve needs {MIN_POINTS} or more")
        rows.append({**{key: curve[key].iloc[0] for key in keys}, **_features(curve[x].to_numpy(), curve[y].to_numpy())})
    return pd.DataFrame(rows)


def _features(x: Floats, y: Floats) -> dict[str, float]:
    """All landmarks of one curve."""
    found = {}
    for what, curve in (("peak", y), ("valley", -y)):
        top = stats.summit(curve)
        there = bool(top.prominence > 0)
        found[f"{what}_position"] = float(x[top.place]) if there else np.nan
        found[f"{what}_height"] = float(top.prominence) if there else np.nan
        found[f"{what}_width"] = float(stats.summit_width(x, curve, top))
    split = stats.change(y)
    there = bool(np.ptp(y) > 0)
    found["change_position"] = float(x[split.place - 1] + x[split.place]) / 2 if there else np.nan
    found["change_size"] = float(split.size) if there else np.nan
    found["change_width"] = float(stats.change_width(x, y, split)) if there else np.nan
    return {**found, "settled_at": float(stats.settled_at(x, y))}
