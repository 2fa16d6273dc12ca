"""Digests of code: what names a number has to change when the code behind it does."""

from __future__ import annotations

import ast
import hashlib
import inspect
from functools import lru_cache
from pathlib import Path
from types import ModuleType

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@lru_cache
def code_digest(modules: tuple[ModuleType, ...]) -> str:
    """Hash of what the modules do: their syntax trees without docstrings, comments and layout.

    An edit that can change a number changes it, so that no one has to remember to raise a version.
    """
    found = hashlib.sha256()
    for module in modules:
        found.update(_does(inspect.getsource(module)))
    return found.hexdigest()[:16]


def folder_digest(folder: Path, *, without: tuple[str, ...] = ()) -> str | None:
    """Hash of what all Python files below ``folder`` do and of how they are named; None where one cannot be read.

    Args:
        folder: where they lie.
        without: folders right below it that do not count.
    """
    found = hashlib.sha256()
    try:
        for path in sorted(folder.rglob("*.py")):
            name = path.relative_to(folder)
            if name.parts[0] in without:
                continue
            found.update(name.as_posix().encode() + b"\0")
            found.update(_does(path.read_text(encoding="utf-8")))
    except (OSError, SyntaxError, ValueError):
        return None
    return found.hexdigest()[:16]


def _does(source: str) -> bytes:
    """The syntax tree of a source, without docstrings, comments and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and _has_docstring(node):
            del node.body[0]
    return ast.dump(tree).encode()


def _has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    first = node.body[0] if node.body else None
    value = first.value if isinstance(first, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
