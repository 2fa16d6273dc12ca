"""Whether definitions in memory are those of the sources that were imported last."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from harness.code.imports import facts
from harness.code.live import definition, filled, methods
from harness.code.loaded import SOURCES, CodeError


def check_current(root: Any, name: str) -> None:
    """Raise unless a root of a module that was imported again is of its present code."""
    if not SOURCES.again or "<locals>" in root.__qualname__:
        return
    now: Any = sys.modules.get(name)
    for part in root.__qualname__.split("."):
        now = getattr(now, part, None)
    if now is not None and not any(_same(root, definition(each)) for each in _inside(now)):
        raise CodeError(
            f"{root.__qualname__} is from before its module {name} was imported again, and its code has changed since: "
            f"take it from {name} again"
        )


def check_bindings(name: str) -> None:
    """Raise if a module still holds what it took from another before that was imported again."""
    module = sys.modules.get(name)
    if module is None or not (file := getattr(module, "__file__", None)):
        return
    for bound, origin in facts(SOURCES.of(os.path.abspath(file)), name, hasattr(module, "__path__")).exports.items():
        source = sys.modules.get(origin.module)
        if source is None or origin.name is None or os.path.abspath(getattr(source, "__file__", "") or "") not in SOURCES.again:
            continue
        held, now = vars(module).get(bound), vars(source).get(origin.name)
        if held is not None and now is not None and not _same(held, now):
            raise CodeError(
                f"{name} still holds {origin.name} of {origin.module} from before that was imported again: "
                f"import {name} again, too"
            )


def _inside(value: Any) -> Iterator[Any]:
    """Something, and the functions that it was made around, whether it says so or not."""
    left, seen = [value], set[int]()
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        wrapped = getattr(each, "__wrapped__", None)
        taken = [inner.cell_contents for inner in getattr(each, "__closure__", None) or () if filled(inner)]
        left += [inner for inner in [wrapped, *taken] if isinstance(inner, FunctionType)]


def _same(one: Any, other: Any) -> bool:
    """Whether two definitions run the same code."""
    if one is other:
        return True
    if isinstance(one, FunctionType) and isinstance(other, FunctionType):
        return one.__code__ == other.__code__
    if isinstance(one, type) and isinstance(other, type):
        mine, its = ({name: method.__code__ for name, method in methods(each).items()} for each in (one, other))
        return mine == its
    return type(one) is type(other) and not isinstance(one, FunctionType | type) and repr(one) == repr(other)
