"""Validity checks on the evidence, each with a sentence that holds its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.errors import ClaimError
from harness.gate import Gate
from harness.judge.verdict import GateResult
from harness.limits import exact
from harness.predict import words
from harness.rows import NoRow, Where


def check(gate: Gate, table: pd.DataFrame) -> GateResult:
    """Check a gate's condition on every row of the table; a missing value fails, and so does a gate without a row to read.

    Raises:
        ClaimError: a column that the gate reads is missing or does not hold numbers.
    """
    for column in (gate.column, *gate.limit_columns, *gate.where):
        if column not in table.columns:
            present = ", ".join(map(str, table.columns))
            raise ClaimError(f"gate {gate.name!r} reads the column {column!r}; the table has {present}")
    try:
        table = Where(gate.where).select(table, f"gate {gate.name!r}")
    except NoRow as problem:
        return GateResult(gate.name, False, f"{gate.asked()} in none of its rows: {problem}{_because(gate)}")
    numbers = {column: _numbers(gate, table, column) for column in (gate.column, *gate.limit_columns)}
    values = numbers[gate.column]
    good = gate.admitted(values, pd.DataFrame(numbers))
    passed = len(good) > 0 and bool(good.mean() >= gate.share)
    return GateResult(gate.name, passed, _gate_detail(gate, values, good, numbers))


def _numbers(gate: Gate, table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    try:
        return np.asarray(table[column].astype(float), dtype=np.float64)
    except (TypeError, ValueError):
        raise ClaimError(f"gate {gate.name!r} reads {column!r}, which holds something that is not a number") from None


def _gate_detail(
    gate: Gate, values: NDArray[np.float64], good: NDArray[np.bool_], numbers: dict[str, NDArray[np.float64]]
) -> str:
    required = "all" if gate.share == 1 else f"{exact(round(100 * gate.share, 12))} %"
    count = f"{int(good.sum()):,} of {words.counted(len(good), 'row')}{gate.rows()}"
    share = f" ({words.percent(float(good.mean()))})" if len(good) else ""
    detail = f"{gate.asked()} in {count}{share}; required: {required}"
    missing = int(np.isnan(values).sum())
    if missing:
        detail += f"; {missing:,} missing"
    bad = ~good & ~np.isnan(values)
    if bad.any():
        distance = _distance(gate, values, numbers)[bad]
        detail += f"; furthest off: {words.number(float(values[bad][distance.argmax()]))}"
    return detail + _because(gate)


def _distance(gate: Gate, values: NDArray[np.float64], numbers: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """How far each value lies beyond the limits, negative inside them; infinite where a limit is missing."""
    beyond = np.full(len(values), -np.inf)
    for name, limit in gate.limits.items():
        bound: Any = numbers[limit] if isinstance(limit, str) else limit
        with np.errstate(invalid="ignore"):
            over = bound - values if name in ("at_least", "above") else values - bound
        beyond = np.maximum(beyond, np.where(np.isnan(over), np.inf, over))
    return beyond


def _because(gate: Gate) -> str:
    return f" ({gate.reason})" if gate.reason else ""
