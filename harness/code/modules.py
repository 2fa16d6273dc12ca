"""Where modules are, and what their sources hold, without importing anything."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from harness.code.imports import Facts, facts
from harness.code.loaded import SOURCES, CodeError, find


def facts_of(name: str, file: str, module: ModuleType | None) -> Facts:
    """The facts of a module's source as it was imported.

    Raises:
        CodeError: it is no Python, or cannot be told.
    """
    try:
        return facts(SOURCES.of(file, module), name, os.path.basename(file) == "__init__.py")
    except SyntaxError as problem:
        raise CodeError(
            f"{file} cannot be read as Python (line {problem.lineno}: {problem.msg}), so that what it does has no name"
        ) from None


def binary(file: str) -> str:
    """Hash of a compiled module, 16 hexadecimal digits."""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]


def ancestors(name: str) -> Iterator[str]:
    """The packages that a module lies in, innermost first."""
    while name := name.rpartition(".")[0]:
        yield name


def as_module(folder: str) -> ModuleSpec:
    """A spec that stands for anything in a folder, to ask whose it is."""
    return _at(os.path.join(folder, "any.py"))


@lru_cache(maxsize=1024)
def _at(file: str) -> ModuleSpec:
    found = ModuleSpec("any", None, origin=file)
    found.has_location = True
    return found


_SPECS: dict[str, tuple[tuple[int, tuple[str, ...]], ModuleSpec | None]] = {}


def spec_of(name: str) -> ModuleSpec | None:
    """Where a module is, loaded or not, without importing anything."""
    module = sys.modules.get(name)
    if module is not None and isinstance(spec := getattr(module, "__spec__", None), ModuleSpec):
        return spec
    key = (SOURCES.generation, tuple(sys.path))
    if name not in _SPECS or _SPECS[name][0] != key:
        parent, _, _ = name.rpartition(".")
        where = None
        if parent:
            above = spec_of(parent)
            if above is None or above.submodule_search_locations is None:
                _SPECS[name] = (key, None)
                return None
            where = list(above.submodule_search_locations)
        _SPECS[name] = (key, find(name, where))
    return _SPECS[name][1]


@lru_cache
def version_of(top: str) -> str:
    """Version of the package that a top-level module comes from; without its build ("+cpu"), which changes no source."""
    try:
        return importlib.metadata.version(top).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        packages = _distributions().get(top)
    if packages:
        return " ".join(f"{each} {importlib.metadata.version(each)}" for each in sorted(set(packages)))
    return "absent" if spec_of(top) is None else str(getattr(sys.modules.get(top), "__version__", "unknown"))


@lru_cache
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()
