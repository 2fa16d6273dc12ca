"""What a source does, as bytes that comments, docstrings, layout and the version of Python do not change."""

from __future__ import annotations

import ast
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# Fields that follow from the rest of the tree, or say how something was spelled.
_SPELLING = frozenset({"ctx", "kind", "type_comment", "type_ignores"})


@lru_cache(maxsize=2)
def parsed(source: str | bytes) -> ast.Module:
    """The syntax tree of a source, which nobody may change: what is asked of one source one after another shares it.

    Only the last ones are kept: trees take hundreds of times the memory of their sources.

    Raises:
        SyntaxError: it is no Python.
        ValueError: it holds a null character.
    """
    return ast.parse(source)


@lru_cache(maxsize=4096)
def does(source: str | bytes) -> str:
    """Hash of what a source does: its syntax tree without docstrings, comments and layout, 16 hexadecimal digits.

    An edit that can change a number changes it, so that no one has to remember to raise a version.  ``ast.dump`` would depend
    on the version of Python, which adds fields and stops showing empty ones (3.12 and 3.13 did): here a field that is empty is
    never shown, and a text is written in ASCII, since which characters can be printed is a matter of the version, too.

    Raises:
        SyntaxError: it is no Python.
        ValueError: it holds a null character.
    """
    return hashlib.sha256(written(parsed(source)).encode()).hexdigest()[:16]


def written(tree: ast.AST) -> str:
    """A syntax tree, or a part of one, as text: without docstrings, places and layout, the same on every version of Python."""
    return _plain(tree)


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
            found.update(does(path.read_bytes()).encode())
    except (OSError, SyntaxError, ValueError):
        return None
    return found.hexdigest()[:16]


def _plain(value: Any) -> str:
    """A node of the tree, a list of nodes, or a constant, as text."""
    if isinstance(value, ast.Constant):
        return f"Constant({type(value.value).__name__} {value.value!a})"
    if isinstance(value, list):
        return f"[{','.join(_plain(item) for item in value)}]"
    if not isinstance(value, ast.AST):
        return ascii(value)
    shown = []
    for name in value._fields:
        held = None if name in _SPELLING else getattr(value, name, None)
        if held is None:
            continue
        if name == "body" and isinstance(value, _DOCUMENTED) and _has_docstring(value):
            held = held[1:]
        if name == "values" and isinstance(value, ast.JoinedStr):
            held = _joined(held)
        if held != []:
            shown.append(f"{name}={_plain(held)}")
    return f"{type(value).__name__}({','.join(shown)})"


def _joined(parts: list[ast.expr]) -> list[ast.expr]:
    """Parts of an f-string, neighbouring texts as one: how many there are is a matter of the parser."""
    found: list[ast.expr] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, ast.Constant) and isinstance(last, ast.Constant):
            found[-1] = ast.Constant(str(last.value) + str(part.value))
        else:
            found.append(part)
    return [part for part in found if not (isinstance(part, ast.Constant) and part.value == "")]


def _has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    first = node.body[0] if node.body else None
    value = first.value if isinstance(first, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
