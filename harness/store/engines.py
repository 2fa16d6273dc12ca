"""Which engine a measurement runs on, where it names none."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

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
