"""What a store is asked for: checked where a mistake can still be explained, and with the engine that will run it."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

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


Spec = TypeVar("Spec")


def resolved(measurement: Spec, engine: str) -> Spec:
    """The measurement with ``engine`` wherever it, or a measurement that it holds, has a field ``engine`` that is None.

    What runs then stands in its name in the store, so that tables of two engines are two tables.  A measurement that cannot run
    on every engine has an attribute ``engines``, those that it can run on; where ``engine`` is not among them the first is
    taken.
    """
    if not is_dataclass(measurement) or isinstance(measurement, type):
        return measurement
    changed: dict[str, Any] = {}
    for each in fields(measurement):
        value = getattr(measurement, each.name)
        able = getattr(measurement, "engines", (engine,))
        chosen = engine if engine in able else able[0]
        own = chosen if each.name == "engine" and value is None else resolved(value, engine)
        if own is not value and each.init:
            changed[each.name] = own
    return replace(measurement, **changed) if changed else measurement
