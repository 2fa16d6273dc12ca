"""Names of store entries: digests of everything that changes the numbers, and of nothing else."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from functools import lru_cache
from types import ModuleType
from typing import Any

from harness.recipe import Architecture, Module, describe

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


def surroundings(device: str) -> dict[str, Any]:
    """What decides floating-point results besides recipe and code: library, device class, type, threads."""
    import torch

    version = torch.__version__.split("+")[0]
    return {"torch": version, "device": device, "dtype": "float32", "threads": torch.get_num_threads()}


def member_key(recipe: Any, seed: int, data_digest: str, parent: str | None, device: str) -> dict[str, Any]:
    """What names one trained network."""
    import harness.models.ascent
    import harness.models.base
    import harness.models.layout
    import harness.models.losses
    import harness.models.mlp
    import harness.models.module
    import harness.streams
    import harness.train

    code = (
        harness.train, harness.streams, harness.models.ascent, harness.models.base, harness.models.layout,
        harness.models.losses, harness.models.mlp, harness.models.module, *_network_code(recipe.architecture),
    )  # fmt: skip
    return {
        "kind": "member", "recipe": describe(recipe), "seed": seed, "data": data_digest, "parent": parent,
        "code": code_digest(code), **surroundings(device),
    }  # fmt: skip


def _network_code(architecture: Architecture) -> tuple[ModuleType, ...]:
    """The module that builds a user's network; the recipe knows only the building function's source."""
    if not isinstance(architecture, Module):
        return ()
    return (sys.modules[architecture.function().__module__],)
