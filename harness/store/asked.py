"""Requests to a store, checked while a mistake can still be explained, and completed with the engine that will run them."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from harness.recipe import Module, RecipeError
from harness.spec import is_real

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
    """Raise a RecipeError at once, and not deep in the naming of networks, if a network cannot be built.

    Raises:
        RecipeError: a function that builds one cannot be imported, or a module of it has no shape before it is called.
    """
    for recipe in recipes:
        if isinstance(recipe.architecture, Module):
            recipe.architecture.function()
        try:
            recipe.program()
        except RuntimeError as problem:
            if "uninitialized parameter" not in str(problem):  # of torch's lazy modules
                raise
            raise RecipeError(
                f"{recipe.architecture.name} has a lazy module, whose parameters have no shape before it is called: give its "
                "sizes (Linear in place of LazyLinear), or let the function that builds it call it once on a point of its data"
            ) from None


def check_asked(measurement: Any) -> None:
    """Raise unless the numbers of a measurement are finite, and what it reads off its search lies where the search looks.

    Beyond the largest perturbation that is searched for, an attack success rate would be that of the largest; at 0 and below it
    would be 0 whatever the networks are.

    Raises:
        RecipeError: a number of it, or of a spec or a measurement inside it, is another; the message says what to set.
    """
    if not is_dataclass(measurement) or isinstance(measurement, type):
        return
    name, held = type(measurement).__name__, {each.name: getattr(measurement, each.name) for each in fields(measurement)}
    for field, value in held.items():
        check_asked(value)
        for number in value if isinstance(value, tuple | list) else (value,):
            if isinstance(number, float) and not math.isfinite(number):
                raise RecipeError(f"{name} has {field}={value!r}; give finite numbers")
    largest, thresholds = getattr(held.get("spec"), "largest", None), held.get("thresholds", ())
    if largest is None or not thresholds or not isinstance(thresholds, tuple | list):
        return
    if wrong := [each for each in thresholds if not is_real(each) or each <= 0]:
        raise RecipeError(f"{name} has the threshold {wrong[0]!r}; thresholds are numbers above 0, in the units of the data")
    if (most := max(thresholds)) > largest and not held.get("by_sample", False):
        enough = type(held["spec"]).__name__ + f"(largest={float(f'{2 * most:.1g}'):g})"
        raise RecipeError(
            f"{name} has the threshold {most:g}, and perturbations are searched for only up to {largest:g}, so that its attack "
            f"success rate would be that at {largest:g}: set spec={enough} or more, "
            "or leave the threshold out"
        )


def check_rows(measurement: Measurement, table: pd.DataFrame, seeds: Sequence[int]) -> None:
    """Raise a ValueError unless every member has rows in the table of a measurement, and its cells can be written."""
    measured = set(table["seed"]) if "seed" in table else set()
    if left_out := [seed for seed in seeds if seed not in measured]:
        raise ValueError(
            f"{type(measurement).__name__}.run returned no row for seeds {left_out}; it has to return at least "
            'one row for every member, with its seed in the column "seed"'
        )
    for column, values in table.items():
        if values.dtype.kind not in "biuf":
            try:
                json.dumps(values.tolist())
            except (TypeError, ValueError):
                plain = (str, bool, int, float, type(None))
                other = next((type(each).__name__ for each in values if not isinstance(each, plain)), str(values.dtype))
                raise ValueError(
                    f"{type(measurement).__name__}.run returned the column {column!r} with a {other}, which no table of a "
                    "store holds: give numbers, texts or lists of them (tensor.tolist(), or float(each))"
                ) from None


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
