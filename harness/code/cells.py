"""Definitions that are in no file: those of notebook cells, whose source is a cell.

A cell is not a module: its names may have been bound anywhere, and since.  So a definition counts by its own syntax tree and by
what each of its names stands for now (:mod:`harness.code.live`).
"""

from __future__ import annotations

import ast
import hashlib
import linecache
import os
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

from harness.code.canonical import does
from harness.code.imports import Import
from harness.code.live import Definition, functions_of
from harness.code.loaded import SOURCES, CodeError


def cell_source(definition: Definition) -> list[str]:
    """What a definition of a cell does: a digest of each statement that defines it.

    A class without functions of its own, and without a source, is what it holds.

    Raises:
        CodeError: the source cannot be found.
    """
    found = list(dict.fromkeys(_statements(definition)))
    if not found and functions_of(definition):
        where = functions_of(definition)[0].__code__.co_filename
        if where != "<string>" or isinstance(definition, FunctionType) or _is_written(definition):
            raise CodeError(
                f"the source of {definition.__qualname__} cannot be found (it was defined in {where}), so that what it does "
                "has no name to be stored under: define it in a file or in a notebook cell"
            )
    return found


def made_source(definition: Definition, home: Mapping[str, Any]) -> str:
    """What a function that a library has made from a text that was not kept does, by its instructions; empty for any other.

    The module of such a function is not loaded, so nobody else can put anything into it.
    """
    if not isinstance(definition, FunctionType) or definition.__code__.co_filename != "<string>":
        return ""
    if home.get("__name__", "__main__") in sys.modules:
        return ""
    return hashlib.sha256(_instructions(definition.__code__).encode()).hexdigest()


def _instructions(code: CodeType) -> str:
    constants = [_instructions(each) if isinstance(each, CodeType) else sorted(map(repr, each)) if isinstance(each, frozenset)
                 else repr(each) for each in code.co_consts]  # fmt: skip
    return repr((code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants))


def _is_written(definition: Definition) -> bool:
    """Whether somebody wrote one of a class's functions, and not a dataclass all of them."""
    return any(not function.__name__.startswith("__") for function in functions_of(definition))


def _statements(definition: Definition) -> Iterator[str]:
    for function in functions_of(definition):
        code = function.__code__
        text = "".join(linecache.getlines(code.co_filename))
        if text:
            yield from _around(text, code.co_firstlineno)


@lru_cache(maxsize=4096)
def _around(text: str, line: int) -> tuple[str, ...]:
    """What the statements of a source that hold a line do."""
    body = ast.parse(text).body
    return tuple(does(ast.unparse(node)) for node in body if first_line(node) <= line <= (node.end_lineno or line))


@lru_cache(maxsize=4096)
def _function_at(text: bytes, line: int) -> tuple[str, ...]:
    """What the functions that begin at a line of a source do."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds))
    return tuple(does(ast.unparse(node)) for node in functions if first_line(node) == line)


def places(definition: Definition) -> list[str]:
    """What distinguishes definitions of one name in one file: the source of each of their functions."""
    codes = (function.__code__ for function in functions_of(definition))
    written = [code for code in codes if os.path.isabs(code.co_filename) or os.path.exists(code.co_filename)]
    sources = ((SOURCES.of(os.path.abspath(code.co_filename)), code.co_firstlineno) for code in written)
    return [each for source, line in sources for each in _function_at(source, line)]


def first_line(node: ast.stmt | ast.expr) -> int:
    """Of a definition, with its decorators."""
    return min([node.lineno, *(int(decorator.lineno) for decorator in getattr(node, "decorator_list", ()))])


def attributes(definition: Definition, module: ModuleType, name: str) -> list[Import]:
    """Attributes that a definition of a cell takes of a module, as imports of them."""
    found = []
    for function in functions_of(definition):
        text = "".join(linecache.getlines(function.__code__.co_filename))
        found += [Import(module.__name__, attribute, 0) for attribute in _taken(text, name)]
    return found


@lru_cache(maxsize=4096)
def _taken(text: str, name: str) -> tuple[str, ...]:
    nodes = ast.walk(ast.parse(text)) if text else ()
    taken = (node for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name))
    return tuple(sorted({node.attr for node in taken if node.value.id == name}))  # type: ignore[attr-defined]
