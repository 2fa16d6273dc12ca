"""When two values of a setting are the same one: by their type and by what they hold, whatever their classes call equal.

``True == 1`` and ``nan != nan`` in Python, arrays compare element by element, and objects without an ``__eq__`` are equal to
nothing but themselves.  A study that is given True instead of 1 may do something else, and so they are two settings; a default
that is written twice in the same way is one.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from numbers import Real
from types import BuiltinFunctionType, FunctionType
from typing import Any

from harness.spec import describe

_ITSELF = object()


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same setting.

    A bool is no number, 1 and 1.0 are one number, NaN is NaN, and what has no ``__eq__`` of its own is compared by what it
    holds.
    """
    return one is other or identity(one) == identity(other)


def identity(value: Any) -> tuple[Any, ...]:
    """What tells a value from others, hashable; of one that nothing describes, which object it is."""
    try:
        found = _identity(value)
        hash(found)
    except Exception:  # whatever a project's own class does when it is looked at, endless recursion among it
        return _ITSELF, id(value)
    return found


def key_of(settings: Mapping[str, Any]) -> Any:
    """What tells settings from others, hashable, whatever the order in which they are named."""
    return tuple((name, identity(settings[name])) for name in sorted(settings))


def is_described(value: Any) -> bool:
    """Whether another object could be the same value."""
    return identity(value)[0] is not _ITSELF


def is_number(value: Any) -> bool:
    """Whether it is an int or a float, infinity and NaN among them; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def distinct(values: Iterable[Any]) -> tuple[Any, ...]:
    """Different values: numbers smallest first and NaN last, others in the order in which they come."""
    found: dict[Any, Any] = {}
    for value in values:
        found.setdefault(identity(value), value)
    different = tuple(found.values())
    return tuple(sorted(different, key=in_order)) if all(map(is_number, different)) else different


def in_order(number: float) -> tuple[bool, float]:
    """A key that sorts numbers, NaN last."""
    return (True, 0.0) if math.isnan(number) else (False, number)


def _identity(value: Any) -> tuple[Any, ...]:
    kind = type(value)
    if value is None or kind in (bool, str, bytes):
        return kind, value
    if isinstance(value, enum.Enum):
        return kind, value.name
    if isinstance(value, Real):
        return "number", "nan" if math.isnan(value) else value
    if isinstance(value, list | tuple):
        return kind, tuple(map(_identity, value))
    if isinstance(value, set | frozenset):
        return kind, frozenset(map(_identity, value))
    if isinstance(value, Mapping):
        return kind, frozenset((_identity(key), _identity(item)) for key, item in value.items())
    if hasattr(value, "dtype") and hasattr(value, "tolist"):  # an array or a tensor, or one number of it that is no Real
        return ("array", repr(describe(value))) if getattr(value, "shape", ()) else _identity(value.tolist())
    if isinstance(value, FunctionType):  # a lambda is another object each time that it is come to
        held = [cell.cell_contents for cell in value.__closure__ or ()]
        return kind, value.__code__, *map(_identity, (value.__defaults__, value.__kwdefaults__, held))
    if isinstance(value, type | BuiltinFunctionType):
        return kind, value
    if is_dataclass(value):
        return kind, tuple(_identity(getattr(value, each.name)) for each in fields(value) if each.compare)
    return _of_another(value, kind)


def _of_another(value: Any, kind: type) -> tuple[Any, ...]:
    """What tells an object of a project's own class from others: its own ``__eq__``, else what a copy would be made of."""
    hashes: list[Any] = [None, object.__hash__]
    if kind.__hash__ not in hashes and any("__eq__" in vars(each) for each in kind.__mro__[:-1]):
        hash(value)
        return kind, value  # an object whose hash is that of its address is equal to itself alone, whatever it holds
    if kind is object:
        raise TypeError("nothing tells one bare object from another")
    made = value.__reduce_ex__(4)
    if isinstance(made, str):
        return kind, made
    _, *parts = made
    return kind, *(_identity(list(part) if hasattr(part, "__next__") else part) for part in parts)
