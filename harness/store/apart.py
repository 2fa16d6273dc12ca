"""Measurements of users, looked at as regimes of users are: the rows of a member depend on nothing but that member.

Tables are stored member by member, and put together again for other populations.  A rank within the population, or a number
drawn from the process's generators, would be stored as if it were a property of one network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.recipe import RecipeError, digest
from harness.store.asked import check_rows

if TYPE_CHECKING:
    import pandas as pd

    from harness.measure.base import Measurement
    from harness.population import Population

ROUNDING = 1e-3  # by how much a number may differ, of its column's largest, where stacks of another size round otherwise
Run = Callable[["Population"], "pd.DataFrame"]
LOOKED_AT: set[tuple[type, str]] = set()  # by their class, which is another one when its code is imported again


def is_own(measurement: Measurement) -> bool:
    """Whether its rows are for us to look at: tests hold those of the library to it."""
    inner: Any = measurement
    while (held := getattr(inner, "measurement", None)) is not None:  # of a view
        inner = held
    return type(inner).__module__.partition(".")[0] != "harness"


def check_once(measurement: Measurement, members: Population, table: pd.DataFrame, run: Run) -> None:
    """:func:`check_apart` of a measurement of a user's, at the first members that this process measures together with it."""
    key = (type(measurement), digest(measurement))
    if len(members) > 1 and key not in LOOKED_AT and is_own(measurement):
        LOOKED_AT.add(key)
        check_apart(measurement, members, table, run)


def check_apart(measurement: Measurement, members: Population, table: pd.DataFrame, run: Run) -> None:
    """Check that what was measured of members together is what would have been measured of them by themselves.

    The first and the last are measured alone.  Where that differs by more than rounding, stacks of the same size decide: in
    these, the same is the same to the last bit.

    Args:
        measurement: what was measured.
        members: of whom.
        table: their rows.
        run: measures a population once more.

    Raises:
        RecipeError: rows depend on the other members, or differ from call to call.
    """
    for seed in dict.fromkeys((members.seeds[0], members.seeds[-1])):
        alone = run(members.select((seed,)))
        check_rows(measurement, alone, (seed,))
        if _near(_of(table, seed), _of(alone, seed), table):
            continue
        name = type(measurement).__name__
        if not all(_of(table, each).equals(_of(again, each)) for again in (run(members),) for each in members.seeds):
            raise RecipeError(
                f"{name}.run gives other numbers for the same networks from call to call, so that its table cannot be made "
                "again: draw random numbers from a generator that is seeded by a field of the measurement and the member's seed"
            )
        if not _of(run(_among_its_like(members, seed)), seed).equals(_of(table, seed)):
            raise RecipeError(
                f"the rows of {name}.run depend on which other members are measured with them, and are stored for each member "
                "by itself: measure each member for itself, and compare members (ranks, differences from the mean) in the "
                "claim's body, on the whole table"
            )


def _of(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    return table[table["seed"] == seed].reset_index(drop=True)


def _near(one: pd.DataFrame, other: pd.DataFrame, of: pd.DataFrame) -> bool:
    """Whether rows agree, numbers up to rounding in units of the largest in their column."""
    import numpy as np
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if one.shape != other.shape or list(one.columns) != list(other.columns):
        return False
    for name in one.columns:
        mine, its = one[name], other[name]
        if not (is_numeric_dtype(mine) and is_numeric_dtype(its)) or is_bool_dtype(mine):
            if mine.tolist() != its.tolist():
                return False
            continue
        whole = of[name].to_numpy(dtype=float)
        scale = float(np.abs(whole[np.isfinite(whole)]).max(initial=0.0))
        if not np.allclose(mine.to_numpy(float), its.to_numpy(float), rtol=0, atol=ROUNDING * scale, equal_nan=True):
            return False
    return True


def _among_its_like(members: Population, seed: int) -> Population:
    """A stack of the same size and seeds, in which all other members have the weights of this one."""
    row = members.seeds.index(seed)
    return replace(
        members, parameters={epoch: members.parameters[epoch][[row] * len(members)].clone() for epoch in members.epochs}
    )
