"""Frozen specs: how their values are checked, and the canonical form that digests are made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


class RecipeError(ValueError):
    """A recipe with an impossible value; the message says which value, what is allowed and what to do."""


def require(condition: bool, owner: object, name: str, allowed: str) -> None:
    """Raise a :class:`RecipeError` unless ``condition`` holds for ``owner.name``."""
    if not condition:
        raise RecipeError(f"{type(owner).__name__} has {name}={getattr(owner, name)!r}; it has to be {allowed}")


def describe(value: Any) -> Any:
    """A frozen dataclass as plain JSON, its type's name first; the canonical form that digests are made of."""
    if hasattr(value, "describe") and not isinstance(value, type):
        return value.describe()
    if is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__} | {f.name: describe(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [describe(item) for item in value]
    return value


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of ``value``, 16 hexadecimal digits."""
    text = json.dumps(describe(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
