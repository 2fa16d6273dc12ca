"""What a store is asked for and given, checked where a mistake can still be explained."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from harness.measure.base import Measurement


def checked_seeds(seeds: Iterable[int]) -> tuple[int, ...]:
    """The seeds as plain whole numbers.

    Raises:
        ValueError: there are none, or one is given twice or is no whole number from 0.
    """
    given = tuple(seeds)
    try:
        whole = tuple(operator.index(seed) for seed in given)
    except TypeError:
        whole = ()
    if not whole or min(whole) < 0 or len(set(whole)) < len(whole):
        raise ValueError(
            f"seeds is {given}; give one or more different whole numbers from 0 (each is one trained "
            "network: one that came twice would count as two)"
        )
    return whole


def check_rows(measurement: Measurement, table: pd.DataFrame, seeds: Sequence[int]) -> None:
    """Raise a ValueError unless every member has rows in the table of a measurement."""
    measured = set(table["seed"]) if "seed" in table else set()
    if left_out := [seed for seed in seeds if seed not in measured]:
        raise ValueError(
            f"{type(measurement).__name__}.run returned no row for seeds {left_out}; it has to return one or "
            'more rows for every member, with its seed in the column "seed"'
        )
