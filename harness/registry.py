"""What a package offers, read off the imports that it writes for type checkers: one list for them, for readers and for Python.

Names are loaded on first use (PEP 562), so that what nobody asks for is never imported.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def offered(file: str) -> dict[str, str]:
    """The module of every name that a source imports under ``if TYPE_CHECKING`` at its top level.

    Args:
        file: the source.
    """
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return {
        alias.asname or alias.name: str(line.module)
        for block in tree.body if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
        for line in block.body if isinstance(line, ast.ImportFrom)
        for alias in line.names if alias.name != "*"
    }  # fmt: skip


def kinds() -> dict[str, str]:
    """The module of every kind of prediction, by its name: the lines of :mod:`harness.kinds`."""
    return offered(str(Path(__file__).with_name("kinds.py")))
