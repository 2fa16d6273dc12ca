"""Definitions that are in no file: those of notebook cells, whose source is a cell and whose surroundings are all cells before.

A cell is not a module: its names may have been bound anywhere, and since.  So a definition counts by its own syntax tree and by
what each of its names stands for now: another definition, in the same way; an imported module or a definition of one, by its
closure; a plain value, by itself.  Anything else has no name that would change with it, which is an error.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import inspect
import json
import linecache
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from harness.code.canonical import does
from harness.code.imports import Import
from harness.code.loaded import SOURCES, CodeError


@dataclass(frozen=True)
class Cell:
    """One definition of a cell.

    Attributes:
        name: what it is called.
        digest: what it does, with the plain values that it uses.
        imports: attributes of modules that it uses, as imports.
        uses: modules and definitions of modules that it uses.
    """

    name: str
    digest: str
    imports: tuple[Import, ...]
    uses: tuple[Any, ...]


def cells(root: FunctionType | type) -> list[Cell]:
    """A function or class of a cell, and all definitions of cells that it uses.

    Raises:
        CodeError: a source cannot be found, or a name stands for something that has no name of its own.
    """
    found: dict[str, Cell] = {}
    left: list[FunctionType | type] = [root]
    while left:
        definition = left.pop()
        if f"cell {definition.__qualname__}" not in found:
            cell, further = _cell(definition)
            found[cell.name] = cell
            left += further
    return list(found.values())


def _cell(definition: FunctionType | type) -> tuple[Cell, list[FunctionType | type]]:
    names: dict[str, str] = {}
    modules: list[Import] = []
    uses: list[Any] = []
    further: list[FunctionType | type] = []
    around = _globals(definition)
    source = [ast.unparse(node) for node in _nodes(definition)]
    for name, attributes in _used(source).items():
        if name not in around or name == definition.__name__:
            continue
        value = around[name]
        if isinstance(value, ModuleType):
            uses += [] if attributes else [value]
            modules += [Import(value.__name__, attribute, 0) for attribute in attributes]
        elif not isinstance(value, FunctionType | type):
            names[name] = _value(value, name, definition)
        elif _is_of_a_cell(value, around):
            further.append(value)
        elif getattr(value, "__module__", "builtins") != "builtins":
            uses.append(value)
    text = json.dumps([[does(text) for text in source], names, captured(definition)], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Cell(f"cell {definition.__qualname__}", digest, tuple(modules), tuple(uses)), further


def methods(definition: type) -> dict[str, FunctionType]:
    """The functions in a class's own body, by name: methods, properties, class and static methods, without what wraps them."""
    found = {}
    for name, value in vars(definition).items():
        inner = getattr(value, "__func__", getattr(value, "fget", value))
        inner = inspect.unwrap(inner) if callable(inner) else inner
        if isinstance(inner, FunctionType) and inner.__globals__.get("__name__") == definition.__module__:
            found[name] = inner
    return found


def _functions(definition: FunctionType | type) -> list[FunctionType]:
    return [definition] if isinstance(definition, FunctionType) else list(methods(definition).values())


def _globals(definition: FunctionType | type) -> Mapping[str, Any]:
    functions = _functions(definition)
    return functions[0].__globals__ if functions else {}


def _is_of_a_cell(value: FunctionType | type, around: Mapping[str, Any]) -> bool:
    return value.__module__ == around.get("__name__") and "__file__" not in around


def _nodes(definition: FunctionType | type) -> Iterator[ast.stmt]:
    """The statements that define it, as its cells have them."""
    shown: set[tuple[str, int]] = set()  # of a class, every method is in the same statement
    for code in (function.__code__ for function in _functions(definition)):
        lines = linecache.getlines(code.co_filename)
        if not lines:
            continue
        for node in ast.parse("".join(lines)).body:
            first = _first_line(node)
            inside = first <= code.co_firstlineno <= (node.end_lineno or first)
            if inside and (code.co_filename, first) not in shown:
                shown.add((code.co_filename, first))
                yield node
    if not shown:
        where = next((function.__code__.co_filename for function in _functions(definition)), definition.__module__)
        raise CodeError(
            f"the source of {definition.__qualname__} cannot be found (it was defined in {where}), so that what it does has no "
            "name to be stored under: define it in a file or in a notebook cell, with a method or function of its own"
        )


def _first_line(node: ast.stmt | ast.expr) -> int:
    """Of a definition, with its decorators."""
    return min([node.lineno, *(int(decorator.lineno) for decorator in getattr(node, "decorator_list", ()))])


def _used(sources: list[str]) -> dict[str, list[str]]:
    """Names that are read in some sources, each with the attributes that are taken of it."""
    found: dict[str, list[str]] = {}
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Name) and not hasattr(builtins, node.id):
                found.setdefault(node.id, [])
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found.setdefault(node.value.id, []).append(node.attr)
    return found


def captured(definition: FunctionType | type) -> dict[str, str]:
    """Values that a function, or a class's methods, took along from the function in which they were defined.

    Raises:
        CodeError: one of them has no name that would change with it.
    """
    found = {}
    for function in _functions(definition):
        for name, held in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if name != "__class__" and not isinstance(held.cell_contents, FunctionType | type | ModuleType):
                found[name] = _value(held.cell_contents, name, definition)
    return found


def places(definition: FunctionType | type) -> list[str]:
    """What distinguishes definitions of one name in one function: the source of each of their functions."""
    found = []
    for function in _functions(definition):
        code = function.__code__
        tree = ast.parse(SOURCES.of(os.path.abspath(code.co_filename)))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]
        found += [does(ast.unparse(node)) for node in functions if _first_line(node) == code.co_firstlineno]
    return found


def _value(value: Any, name: str, definition: FunctionType | type) -> str:
    """A plain value, or an array of numbers, as text that changes with it."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__} {[_value(item, name, definition) for item in value]}"
    if isinstance(value, set | frozenset):
        return f"set {sorted(_value(item, name, definition) for item in value)}"
    if isinstance(value, Mapping):
        return f"map {[(_value(key, name, definition), _value(item, name, definition)) for key, item in value.items()]}"
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if hasattr(value, "tobytes") and hasattr(value, "dtype"):
        return f"{value.dtype} {getattr(value, 'shape', ())} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if type(value).__module__ in ("typing", "types", "collections.abc", "functools", "logging"):
        return f"{type(value).__name__}"
    raise CodeError(
        f"{definition.__qualname__} uses {name}, a {type(value).__name__}, whose state has no name that would change with it: "
        "give it what it needs as a field, or define it in a module"
    )
