"""Validity checks on the evidence, each with a sentence that holds its numbers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.claim import ClaimError, Gate
from harness.judge.verdict import GateResult
from harness.predict import words


def check(gate: Gate, table: pd.DataFrame) -> GateResult:
    """Ask of every row of the table what a gate asks; a missing value fails, and so does an empty table.

    Raises:
        ClaimError: the gate's column is missing or holds no numbers.
    """
    for column in (gate.column, *gate.where):
        if column not in table.columns:
            present = ", ".join(map(str, table.columns))
            raise ClaimError(f"gate {gate.name!r} reads the column {column!r}; the table has {present}")
    for column, value in gate.where.items():
        table = table[table[column] == value]
    try:
        values = np.asarray(table[gate.column].astype(float), dtype=np.float64)
    except (TypeError, ValueError):
        raise ClaimError(
            f"gate {gate.name!r} reads {gate.column!r}, which holds something that is no number"
        ) from None
    low, high = _limits(gate)
    good = (values >= low) & (values <= high)  # False for nan
    passed = len(good) > 0 and bool(good.mean() >= gate.share)
    return GateResult(gate.name, passed, _gate_detail(gate, values, good))


def _limits(gate: Gate) -> tuple[float, float]:
    low = -math.inf if gate.at_least is None else gate.at_least
    high = math.inf if gate.at_most is None else gate.at_most
    return low, high


def _gate_detail(gate: Gate, values: NDArray[np.float64], good: NDArray[np.bool_]) -> str:
    limits = (("at least", gate.at_least), ("at most", gate.at_most))
    bounds = " and ".join(f"{name} {words.number(limit)}" for name, limit in limits if limit is not None)
    required = "all" if gate.share == 1 else words.percent(gate.share)
    rows = "row" + "".join(f" with {column} = {value}" for column, value in gate.where.items())
    count = f"{int(good.sum()):,} of {words.counted(len(good), 'row')}{rows.removeprefix('row')}"
    share = f" ({words.number(float(good.mean()))})" if len(good) else ""
    detail = f"{gate.column.replace('_', ' ')} is {bounds} in {count}{share}; required: {required}"
    missing = int(np.isnan(values).sum())
    if missing:
        detail += f"; {missing:,} missing"
    bad = values[~good & ~np.isnan(values)]
    if len(bad):
        low, high = _limits(gate)
        distance = np.maximum(low - bad, bad - high)
        detail += f"; furthest off: {words.number(float(bad[distance.argmax()]))}"
    return detail + (f" ({gate.reason})" if gate.reason else "")
