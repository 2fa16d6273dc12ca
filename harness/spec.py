"""Frozen specs: how their values are checked, and the canonical form that digests are made of."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from functools import partial
from numbers import Integral, Real
from types import BuiltinFunctionType, FunctionType
from typing import Any

LATER = {"later": True}
"""Metadata of a field that came later: at its default it is left out of the canonical form, so that old names stay."""


class RecipeError(ValueError):
    """A recipe with an impossible value; the message says which value, what is allowed and what to do."""


def require(condition: bool, owner: object, name: str, allowed: str) -> None:
    """Raise a :class:`RecipeError` unless ``condition`` holds for ``owner.name``."""
    if not condition:
        raise RecipeError(f"{type(owner).__name__} has {name}={getattr(owner, name)!r}; it has to be {allowed}")


def is_whole(value: object) -> bool:
    """Whether it is a whole number; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_real(value: object) -> bool:
    """Whether it is a finite number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _left_out(each: Field[Any], value: Any) -> bool:
    return each.metadata == LATER and value == each.default


def describe(value: Any) -> Any:
    """A frozen dataclass as plain JSON, its type's name first; the canonical form that digests are made of.

    A function counts by its name, an array of numbers by its content; the code of either is for
    :func:`harness.code.closure` to tell.

    Raises:
        RecipeError: a function has no name (a lambda).
    """
    if hasattr(value, "describe") and not isinstance(value, type):
        return value.describe()
    if is_dataclass(value) and not isinstance(value, type):
        return described(value)
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [describe(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((describe(item) for item in value), key=repr)
    if isinstance(value, partial):
        return {"function": describe(value.func), "of": describe(value.args), "with": describe(value.keywords)}
    if isinstance(value, type | FunctionType | BuiltinFunctionType):
        if value.__name__ == "<lambda>":
            raise RecipeError("a lambda has no name to tell it from another one by: define a function")
        return f"{value.__module__}:{value.__qualname__}"
    if hasattr(value, "detach") and hasattr(value, "numpy"):
        value = value.detach().cpu().numpy()
    if hasattr(value, "tobytes") and hasattr(value, "dtype"):
        content = hashlib.sha256(value.tobytes()).hexdigest()
        return {"type": "array", "dtype": str(value.dtype), "shape": list(value.shape), "sha256": content}
    return value


def described(spec: Any) -> dict[str, Any]:
    """A dataclass's type and fields, but those that came later and stand at their default."""
    values = ((each, getattr(spec, each.name)) for each in fields(spec))
    said = {each.name: describe(given) for each, given in values if not _left_out(each, given)}
    return {"type": type_name(type(spec))} | said


def type_name(kind: type) -> str:
    """Name of a type in canonical forms: of the harness's own without their module, which may move."""
    return kind.__name__ if kind.__module__.partition(".")[0] == "harness" else f"{kind.__module__}.{kind.__qualname__}"


def definitions(value: Any) -> Iterator[Any]:
    """The classes and functions that a spec consists of, whose code decides what becomes of it.

    A spec that names one in another way than by holding it says so in a method ``definitions``.
    """
    if isinstance(value, type | FunctionType):
        yield value
    elif isinstance(value, partial):
        yield from definitions([value.func, value.args, value.keywords])
    elif isinstance(value, Mapping):
        yield from definitions(list(value.values()))
    elif isinstance(value, tuple | list | set | frozenset):
        for item in value:
            yield from definitions(item)
    elif is_dataclass(value) or hasattr(value, "describe"):
        yield type(value)
        if is_dataclass(value):
            yield from definitions([getattr(value, each.name) for each in fields(value)])
        if hasattr(value, "definitions"):
            yield from value.definitions()


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of ``value``, 16 hexadecimal digits.

    Raises:
        RecipeError: it holds something that has no canonical form.
    """
    try:
        text = json.dumps(describe(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except TypeError as problem:
        raise RecipeError(
            f"{type(value).__name__} holds something that cannot be told from others by what it is ({problem}): use numbers, "
            "texts, tuples, arrays, frozen dataclasses and functions of modules"
        ) from None
    return hashlib.sha256(text.encode()).hexdigest()[:16]
