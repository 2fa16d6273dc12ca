"""Names of store entries: digests of everything that changes the numbers, and of nothing else."""

from __future__ import annotations

import ast
import hashlib
import inspect
from functools import lru_cache
from types import ModuleType
from typing import Any

from harness.recipe import describe


@lru_cache
def code_digest(modules: tuple[ModuleType, ...]) -> str:
    """Hash of what the modules do: their syntax trees without docstrings, comments and layout.

    An edit that can change a number changes it, so that no one has to remember to raise a version.
    """
    found = hashlib.sha256()
    for module in modules:
        tree = ast.parse(inspect.getsource(module))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _documented(node):
                del node.body[0]
        found.update(ast.dump(tree).encode())
    return found.hexdigest()[:16]


def _documented(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def surroundings(device: str) -> dict[str, Any]:
    """What, besides recipe and code, decides floating-point results: library, device class, type, thread count."""
    import torch

    return {"torch": torch.__version__.split("+")[0], "device": device, "dtype": "float32", "threads": torch.get_num_threads()}


def member_key(recipe: Any, seed: int, data_digest: str, parent: str | None, device: str) -> dict[str, Any]:
    """What names one trained network."""
    import harness.models.ascent
    import harness.models.base
    import harness.models.losses
    import harness.models.mlp
    import harness.models.module
    import harness.train

    code = (harness.train, harness.models.ascent, harness.models.base, harness.models.losses, harness.models.mlp,
            harness.models.module)
    return {"kind": "member", "recipe": describe(recipe), "seed": seed, "data": data_digest, "parent": parent,
            "code": code_digest(code), **surroundings(device)}
