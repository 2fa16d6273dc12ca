"""What a declaration says of its columns that cannot be meant: one column in two roles, and epochs that count as units.

A correlation of a column with itself is 1 whatever was measured.  Both checks are of names alone, before anything runs.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from harness.errors import ClaimError

if TYPE_CHECKING:
    from harness.predict.base import Prediction

WITHIN_A_RUN = ("epoch", "epochs", "step", "steps", "iteration", "iterations", "sample", "samples", "chain", "chains")
"""Columns that count what lies within one trained network, which is a unit only where a population says so."""

_OF_ONE_COLUMN = ("value", "of", "y", "x", "factor", "over", "reported", "digits", "case")
_OF_COLUMNS = ("pair", "unit", "strata", "blocks", "every", "sample")
_MEASURED = ("value", "of", "y")
_COMPARED = ("x", "factor")  # which a unit may name: a size, or the group that it belongs to, tells units apart


def check_roles(prediction: Prediction) -> None:
    """Refuse a column that is named for two roles of which one leaves nothing to see in the other.

    Raises:
        ClaimError: there is one.
    """
    kind = type(prediction).__name__
    named = {each.name: getattr(prediction, each.name) for each in fields(prediction) if "Literal" not in str(each.type)}
    single = {role: named[role] for role in _OF_ONE_COLUMN if isinstance(named.get(role), str)}
    several = {role: _names(named[role]) for role in _OF_COLUMNS if named.get(role)}
    for role, column in single.items():
        if other := next((name for name, own in single.items() if own == column and name != role), None):
            raise ClaimError(
                f"{kind} has {role}={str(column)!r} and {other}={str(column)!r}, so that a column would be held against "
                f"itself: name another one for {other}"
            )
    for role, columns in several.items():
        _check_columns(kind, role, columns, single, several.get("unit", ()))
    if single.get("of") in getattr(prediction, "limit_columns", ()):
        raise ClaimError(f"{kind} compares {str(single['of'])!r} with itself: name another column, or a number, as its limit")


def _check_columns(kind: str, role: str, columns: tuple[Any, ...], single: dict[str, str], unit: tuple[Any, ...]) -> None:
    """The same for the columns of one role that may have several."""
    if twice := [column for column in columns if columns.count(column) > 1]:
        raise ClaimError(f"{kind} names {str(twice[0])!r} twice in {role}={columns!r}; name each column once")
    if role == "sample" and (both := [column for column in columns if column in unit]):
        raise ClaimError(f"{kind} names {str(both[0])!r} in unit and in sample; a sample is what every unit has")
    for name in (*_MEASURED, *(() if role == "unit" else _COMPARED)):
        if single.get(name) in columns:
            raise ClaimError(
                f"{kind} has {name}={str(single[name])!r} and names it in {role}={columns!r}, too: what tells units apart is "
                f"not what is {'measured' if name in _MEASURED else 'compared'} of them, so name other columns for {role}"
            )


def check_units(prediction: Prediction) -> None:
    """Refuse epochs, samples or chains that would count as drawn one by one, since no population is declared.

    Raises:
        ClaimError: the columns that identify a unit name such a one.
    """
    own = prediction.units  # those of blocks are not: a unit lies in all of them
    within = [column for column in own if column.lower() in WITHIN_A_RUN]
    if prediction.population is not None or prediction.rule == "exact" or not within:
        return
    others = [column for column in own if column not in within]
    random = repr(others[0] if len(others) == 1 else tuple(others)) if others else "…"
    raise ClaimError(
        f"{type(prediction).__name__} has its units in {', '.join(own)}, so that every {within[0]} would count as drawn by "
        "itself, although those of one network are not: average over them or choose one with where=, or say which levels stand "
        f"for others, as in population=Factors(random={random}, fixed={within[0]!r})"
    )


def _names(given: Any) -> tuple[Any, ...]:
    """One column or several, as they were given."""
    return (given,) if isinstance(given, str) else tuple(given)
