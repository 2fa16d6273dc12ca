"""Digests of code: what names a number has to change when the code behind it does."""

from __future__ import annotations

import ast
import hashlib
import inspect
from functools import lru_cache
from types import ModuleType

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@lru_cache
def code_digest(modules: tuple[ModuleType, ...]) -> str:
    """Hash of what the modules do: their syntax trees without docstrings, comments and layout.

    An edit that can change a number changes it, so that no one has to remember to raise a version.
    """
    found = hashlib.sha256()
    for module in modules:
        tree = ast.parse(inspect.getsource(module))
        for node in ast.walk(tree):
            if isinstance(node, _DOCUMENTED) and _has_docstring(node):
                del node.body[0]
        found.update(ast.dump(tree).encode())
    return found.hexdigest()[:16]


def _has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    first = node.body[0] if node.body else None
    value = first.value if isinstance(first, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
