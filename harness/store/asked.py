"""Requests to a store, checked while a mistake can still be explained, and completed with the engine that will run them."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from harness.recipe import Module

if TYPE_CHECKING:
    import pandas as pd

    from harness.measure.base import Measurement
    from harness.recipe import Recipe


def checked_seeds(seeds: Iterable[int]) -> tuple[int, ...]:
    """The seeds as plain whole numbers.

    Raises:
        ValueError: there are none, one is given twice, or one is not a whole number of at least 0.
    """
    given = tuple(seeds)
    try:
        whole = tuple(operator.index(seed) for seed in given)
    except TypeError:
        whole = ()
    if not whole or min(whole) < 0 or len(set(whole)) < len(whole):
        raise ValueError(
            f"seeds is {given}; give one or more different whole numbers of at least 0 (each is one trained "
            "network: a seed given twice would count as two)"
        )
    return whole


def check_built(recipes: Iterable[Recipe]) -> None:
    """Raise a RecipeError at once, and not deep in the naming of networks, if a function that builds one cannot be imported."""
    for recipe in recipes:
        if isinstance(recipe.architecture, Module):
            recipe.architecture.function()


def check_rows(measurement: Measurement, table: pd.DataFrame, seeds: Sequence[int]) -> None:
    """Raise a ValueError unless every member has rows in the table of a measurement."""
    measured = set(table["seed"]) if "seed" in table else set()
    if left_out := [seed for seed in seeds if seed not in measured]:
        raise ValueError(
            f"{type(measurement).__name__}.run returned no row for seeds {left_out}; it has to return at least "
            'one row for every member, with its seed in the column "seed"'
        )


Spec = TypeVar("Spec")


def resolved(measurement: Spec, engine: str) -> Spec:
    """The measurement with ``engine`` filled in wherever it, or a measurement inside it, has a field ``engine`` that is None.

    The engine then becomes part of the table's name in the store, so tables from two engines are kept apart.  A measurement
    that cannot run on every engine lists those that it can run on in an attribute ``engines``; if ``engine`` is not among them,
    the first of them is taken.
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
