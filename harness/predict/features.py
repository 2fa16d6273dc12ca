"""One row per curve with what can be read off it, so that curves can be compared by any kind of prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from harness import stats
from harness.claim import ClaimError
from harness.predict import tables, words
from harness.predict.base import Unusable
from harness.predict.grids import MIN_POINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.predict.grids import Floats


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
