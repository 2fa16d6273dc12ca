"""The modules of a project, parsed as they were imported: what binds a name, where it comes from, which files there are.

Modules are located, and their sources read, without importing anything.
"""

from __future__ import annotations

import ast
import builtins
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
from harness.code.loaded import SOURCES, CodeError, find, installed
from harness.code.statements import (
    ALL,
    DEFINITIONS,
    Class,
    Module,
    Place,
    Reader,
    bound,
    folders,
    outside_of_functions,
)  # fmt: skip


def facts_of(name: str, file: str, module: ModuleType | None) -> Facts:
    """The facts of a module's source as it was imported.

    Raises:
        CodeError: it is not Python, or cannot be read.
    """
    try:
        return facts(SOURCES.of(file, module), name, os.path.basename(file) == "__init__.py")
    except SyntaxError as problem:
        raise CodeError(
            f"{file} cannot be read as Python (line {problem.lineno}: {problem.msg}), so that what it does has no name"
        ) from None


def binary(file: str) -> str:
    """Hash of what is in a file, such as a compiled module, 16 hexadecimal digits."""
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


_PACKAGE = Path(__file__).absolute().parents[1]


class Project:
    """What of the code in reach is a project's own, as it was imported.

    Args:
        root: the project's folder, below which files that a definition names are looked for; None for the folder of the module
            alone.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = None if root is None else root.absolute()
        self._files: dict[str, Path | None] = {}
        self._trees: dict[Path, ast.Module] = {}
        self._modules: dict[str, Module] = {}
        self._contents: dict[Path, str] = {}

    def tree(self, module: str, path: Path) -> ast.Module:
        """The syntax tree of a module's file."""
        if path not in self._trees:
            self._trees[path] = ast.parse(SOURCES.of(str(path), sys.modules.get(module)))
        return self._trees[path]

    def reader(self, module: str) -> Reader:
        """Reads statements of a module."""
        path = self.file(module)
        return Reader(module, path is not None and path.name == "__init__.py", self.is_module)

    def parsed(self, module: str, *, everywhere: bool = False) -> Module:
        """A module of the project (or from ``everywhere``); what is none has nothing."""
        path = self.file(module)
        if path is None or not (everywhere or self.is_own(path)):
            return Module()
        if module not in self._modules:
            self._modules[module] = self._parse(module, self.tree(module, path))
        return self._modules[module]

    def _parse(self, module: str, tree: ast.Module) -> Module:
        reader, found, stars = self.reader(module), Module(), list[str]()
        at_import = [each for node in tree.body for each in outside_of_functions(node)]
        for each in at_import:
            found.imports.update(reader.imported(each))
            if isinstance(each, ast.ImportFrom) and each.names[0].name == "*":
                stars.append(reader.base(each))
        for node in tree.body:
            says_only = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if not says_only and not isinstance(node, ast.Import | ast.ImportFrom):
                statement = reader.read(node, found.imports)
                for name in bound(node) or (ALL,):
                    found.statements.setdefault(name, []).append(statement)
                if isinstance(node, DEFINITIONS) and self._is_registered(node, module, found.imports):
                    found.statements.setdefault(ALL, []).append(statement)
        runs = tuple(run for each in at_import for run in reader.run_by(each))
        return Module(found.statements, found.imports, tuple(stars), runs)

    def _is_registered(
        self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, module: str, imports: dict[str, Place]
    ) -> bool:
        """Whether a decorator of the project may have handed a definition to others: it then runs without being named.

        Claims and fixtures are none: they are collected by their names, and each is code of its own alone.
        """
        if node.name.startswith("test_"):
            return False
        for decorator in node.decorator_list:
            root: ast.expr = decorator
            while isinstance(root, ast.Attribute | ast.Call | ast.Subscript):
                root = root.func if isinstance(root, ast.Call) else root.value
            if isinstance(root, ast.Name):
                known = root.id in imports
                builtin = not known and hasattr(builtins, root.id)
                if not builtin and self.is_own(self.file(imports[root.id][0] if known else module)):
                    return True
        return False

    def origin(self, place: Place) -> Place:
        """The place from which a module has a name that it imports."""
        seen = set[Place]()
        while place not in seen:
            seen.add(place)
            own = self.parsed(place[0])
            if place[1] in own.statements:
                break
            star = next((star for star in own.stars if self._binds(star, place[1])), None)
            place = own.imports.get(place[1], place if star is None else (star, place[1]))
        return place

    def _binds(self, module: str, name: str) -> bool:
        own = self.parsed(module)
        return name in own.statements or name in own.imports or any(self._binds(star, name) for star in own.stars)

    def class_at(self, place: Place) -> Iterator[Class]:
        """The classes that a place of the project stands for."""
        module, name = self.origin(place)
        for statement in self.parsed(module).statements.get(name, ()):
            yield from statement.classes

    def content(self, module: str, name: str) -> str | None:
        """Digest of the file that a text in a module names; None where it names none."""
        path = self.file(module)
        for folder in () if path is None or Path(name).is_absolute() else folders(path, self._root):
            file = folder / name
            if file.is_file():
                if file not in self._contents:
                    self._contents[file] = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
                return self._contents[file]
        return None

    def file(self, module: str) -> Path | None:
        """The Python file that a module comes from, whether or not it was imported; None where there is none."""
        if module not in self._files:
            known = sys.modules.get(module)
            spec = spec_of(module) if known is None and module else None
            found = getattr(spec, "origin", None) if known is None else getattr(known, "__file__", None)
            path = Path(str(found)).absolute()
            self._files[module] = path if path.suffix == ".py" and path.is_file() else None
        return self._files[module]

    def is_module(self, name: str) -> bool:
        """Whether a name is that of a module of the project, or of one that it may be in."""
        known, top = self.file(name), self.file(name.partition(".")[0])
        if known is not None or (top is not None and not self.is_own(top)):
            return known is not None
        return name in sys.modules or spec_of(name) is not None

    def is_own(self, path: Path | None) -> bool:
        """Whether a file belongs to the project, wherever it lies: it is neither the harness's nor installed."""
        return path is not None and not installed(str(path)) and not path.is_relative_to(_PACKAGE)
