"""What a definition holds beside its source: defaults, what it took along, attributes of a class, names of its surroundings.

Two definitions of one source may differ in it: those that a function or a loop makes, those of notebook cells, whose names may
have been bound anywhere and since, and those whose constants somebody has set.
"""

from __future__ import annotations

import dis
import hashlib
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import lru_cache, partial
from pathlib import PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any

from harness.code.loaded import CodeError

Definition = FunctionType | type
_PLAIN = (bool, int, float, complex, str, bytes, type(None))
# Types of the standard library and of torch that say all of themselves when they are shown.
_SHOWN = frozenset({"torch", "decimal", "fractions", "datetime", "enum", "re", "typing", "collections.abc", "numpy", "types"})


@dataclass
class Held:
    """What a definition holds.

    Attributes:
        values: texts that change with the plain values, by name.
        uses: functions, classes and modules, which count by their own code.
    """

    values: dict[str, str] = field(default_factory=dict)
    uses: list[Any] = field(default_factory=list)


def held(definition: Definition, *, strict: bool, names: Mapping[str, Any]) -> Held:
    """What a definition holds.

    Args:
        definition: a function or class.
        strict: whether everything has to be told; else only what cannot change by itself is looked at, as is right where the
            source of a module says what it was to begin with.
        names: globals that count by what they stand for now.

    Raises:
        CodeError: something that has to be told cannot.
    """
    found, owner = Held(), definition.__qualname__
    for function in functions_of(definition):
        taken = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        inner = {name: cell.cell_contents for name, cell in taken if name != "__class__" and filled(cell)}
        inner |= {f"default {number}": value for number, value in enumerate(function.__defaults__ or ())}
        inner |= function.__kwdefaults__ or {}
        for name, value in inner.items():
            _note(found, f"{function.__name__} {name}", value, owner, strict)
        for name in sorted(global_names(function.__code__) & names.keys()):
            _note(found, name, names[name], owner, strict)
    if isinstance(definition, type):
        found.uses += [base for base in definition.__mro__[1:] if base is not object]
        for name, value in vars(definition).items():
            if not (name.startswith(("__", "_abc_")) or name in methods(definition)):
                _note(found, name, value, owner, strict)
    return found


def told(values: Iterable[Any]) -> Held:
    """What values hold: their state as text, and the functions and classes in them.

    Raises:
        CodeError: the state of one of them has no text that changes with it.
    """
    found = Held()
    for number, value in enumerate(values):
        found.values[str(number)] = _told(found, value, f"argument {number}", "what is named")
    return found


def _note(found: Held, name: str, value: Any, owner: str, strict: bool) -> None:
    if strict:
        found.values[name] = _told(found, value, name, owner)
    elif isinstance(value, FunctionType):
        found.uses.append(value)
    elif _unchanging(value):
        found.values[name] = _told(found, value, name, owner)


def _unchanging(value: Any) -> bool:
    return isinstance(value, _PLAIN) or (isinstance(value, tuple | frozenset) and all(map(_unchanging, value)))


def filled(cell: Any) -> bool:
    """Whether a cell of a function holds something yet."""
    try:
        return cell.cell_contents is not cell
    except ValueError:  # a name that is bound later
        return False


def unwrapped(value: Any) -> Any:
    """What decorators that say so (``functools.wraps``) have wrapped; anything else as it is."""
    return inspect.unwrap(value) if callable(value) else value


def definition(root: Any) -> Any:
    """What was defined: a function without its wrappers, a class or a module as it is, of any other object its type."""
    while isinstance(root, partial):
        root = root.func
    root = getattr(unwrapped(root), "__func__", unwrapped(root))
    if isinstance(root, FunctionType | type | ModuleType):
        return root
    return type(root)


def functions_of(definition: Definition) -> list[FunctionType]:
    """The functions that a definition consists of."""
    return [definition] if isinstance(definition, FunctionType) else list(methods(definition).values())


def methods(definition: type) -> dict[str, FunctionType]:
    """The functions in a class's own body, by name: methods, properties, class and static methods, without what wraps them."""
    found = {}
    for name, value in vars(definition).items():
        inner = unwrapped(getattr(value, "__func__", getattr(value, "fget", value)))
        if isinstance(inner, FunctionType) and inner.__globals__.get("__name__") == definition.__module__:
            found[name] = inner
    return found


@lru_cache(maxsize=8192)
def global_names(code: CodeType) -> frozenset[str]:
    """Names that some code, and all code in it, takes from its surroundings."""
    instructions = dis.get_instructions(code)
    found = frozenset(str(each.argval) for each in instructions if each.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    return found.union(*(global_names(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def registered(module: ModuleType) -> Iterator[Any]:
    """The functions and classes that stand in a module's lists and tables: what others have registered there."""
    for name, value in list(vars(module).items()):
        if isinstance(value, dict | list | set | tuple) and value is not vars(module) and name != "__builtins__":
            items = list(value.values()) if isinstance(value, dict) else list(value)
            yield from (each for each in items if isinstance(each, FunctionType | type))


def _is_bound(value: Any) -> bool:
    """Whether something is what its module has under its name, so that the module's source says all of it."""
    now: Any = sys.modules.get(getattr(value, "__module__", None) or "")
    for part in getattr(value, "__qualname__", "<locals>").split("."):
        now = getattr(now, part, None)
    return now is value


def _around(value: Any, found: Held) -> dict[str, Any]:
    """What the wrappers around a function took along, since others of its name may have taken other things; they are used."""
    taken: dict[str, Any] = {}
    while (wrapped := getattr(value, "__wrapped__", None)) is not None:
        if isinstance(value, FunctionType):
            if (home := sys.modules.get(value.__globals__.get("__name__", ""))) is not None:
                found.uses.append(home)
            for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
                if filled(cell) and cell.cell_contents is not value and cell.cell_contents is not wrapped:
                    taken[f"{len(taken)} {name}"] = cell.cell_contents
        value = wrapped
    return taken


def _told(found: Held, value: Any, name: str, owner: str) -> str:
    """A value as text that changes with it; what has code goes into ``uses``."""

    def inner(item: Any) -> str:
        return _told(found, item, name, owner)

    if isinstance(value, _PLAIN):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__} {[inner(item) for item in value]}"
    if isinstance(value, set | frozenset):
        return f"set {sorted(map(inner, value))}"
    if isinstance(value, Mapping):
        return f"map {[(inner(key), inner(item)) for key, item in value.items()]}"
    if isinstance(value, partial):
        return f"partial {inner(value.func)} {inner(value.args)} {inner(value.keywords)}"
    if isinstance(value, SimpleNamespace):
        return f"namespace {inner(vars(value))}"
    inside = unwrapped(value)
    if isinstance(inside, ModuleType | FunctionType | type):
        found.uses.append(inside)
        around = {} if _is_bound(value) else _around(value, found)
        name = f"{type(inside).__name__} {getattr(inside, '__qualname__', inside.__name__)}"
        return f"{name} in {inner(around)}" if around else name
    if isinstance(value, BuiltinFunctionType):
        of = getattr(value, "__self__", None)
        bound = "" if of is None or isinstance(of, ModuleType) else f" of {inner(of)}"
        return f"{value.__module__}.{value.__qualname__}{bound}"
    if is_dataclass(value):
        found.uses.append(type(value))
        return f"{type(value).__qualname__} {[inner(getattr(value, each.name)) for each in fields(value)]}"
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if hasattr(value, "tobytes") and hasattr(value, "dtype"):
        return f"{value.dtype} {getattr(value, 'shape', ())} {hashlib.sha256(value.tobytes()).hexdigest()}"
    shown = isinstance(value, PurePath) or type(value).__module__.partition(".")[0] in _SHOWN
    if shown and " at 0x" not in repr(value):
        return f"{type(value).__qualname__} {value!r}"
    raise CodeError(
        f"{owner} uses {name}, a {type(value).__name__}, whose state has no name that would change with it: "
        "give it what it needs as a field, or define it in a module"
    )
