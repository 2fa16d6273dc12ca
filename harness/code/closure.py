"""The code that decides a number: a function or a class, and everything of one's own that it imports, however far.

What belongs to the harness or to the user counts by what its source does, what pip installed by its version, and Python's own
library does not count.  The rule needs no declarations: it reads the imports (:mod:`harness.code.imports`), those inside
functions, too, of the sources as they were imported (:mod:`harness.code.loaded`).  Modules of the harness that gather names
from others are looked through: ``from harness.models import MLPProgram`` is an import of ``harness.models.mlp``.  What a
definition in a notebook cell uses is found by its names (:mod:`harness.code.cells`).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from harness.code.canonical import does
from harness.code.cells import attributes, cell_source, places
from harness.code.imports import ANY, UNKNOWN, Facts, Import, facts
from harness.code.live import global_names, held, methods, registered
from harness.code.loaded import OWN, SOURCES, CodeError, changed_constants, find, is_standard, own_file

# What the harness takes from a library to carry or to show numbers, which decides none of them.
_CARRIERS = frozenset({"pandas", "pytest", "hypothesis", "matplotlib", "jinja2", "filelock", "safetensors", "pooch", "_pytest"})


@dataclass(frozen=True)
class Closure:
    """Code that decides a number.

    Attributes:
        own: what the source of each module does (a digest), by the module's name; of notebook cells and of what they use of
            others, by theirs.
        libraries: version of each installed package that one of them imports.
        files: where the modules lie, by name.
    """

    own: Mapping[str, str]
    libraries: Mapping[str, str]
    files: Mapping[str, str]

    @cached_property
    def digest(self) -> str:
        """Hash of all of it, 16 hexadecimal digits; the same on every version of Python and in every folder."""
        text = json.dumps([dict(self.own), dict(self.libraries)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def below(self, folder: Path) -> Closure:
        """What of it lies below a folder and is not the harness; libraries left out."""
        files = {
            name: file for name, file in self.files.items()
            if name.partition(".")[0] != OWN and Path(file).is_relative_to(folder.absolute())
        }  # fmt: skip
        return Closure({name: value for name, value in self.own.items() if name in files}, {}, files)


def closure(roots: Iterable[Any], *, taken_along: bool = True) -> Closure:
    """The code behind functions, classes and modules.

    Args:
        roots: functions (partial and decorated ones, too), classes, modules.
        taken_along: whether what a definition inside a function took along from it counts, as it has to where two definitions
            of one source can differ in it.

    Raises:
        CodeError: the source of something cannot be found, or is not that of what is in memory.
    """
    walk = _Walk(taken_along)
    for root in roots:
        walk.start(definition(root))
    return walk.whole()


_FOUND: dict[tuple[Any, ...], Closure] = {}


def code_digest(*roots: Any, taken_along: bool = True) -> str:
    """Digest of the :func:`closure` of functions, classes and modules."""
    return closure(roots, taken_along=taken_along).digest


def project_code(functions: Iterable[Any], root: Path) -> str:
    """Digest of a project's own part of the :func:`closure` of functions: what lies below ``root``, without the harness."""
    return closure(functions).below(root).digest


def definition(root: Any) -> Any:
    """What was defined: a function without its wrappers, a class or a module as it is, of any other object its type."""
    while isinstance(root, partial):
        root = root.func
    root = inspect.unwrap(root) if callable(root) else root
    root = getattr(root, "__func__", root)
    if isinstance(root, FunctionType | type | ModuleType):
        return root
    return type(root)


class _Walk:
    """One way from definitions, and what they hold, through the imports of their modules."""

    def __init__(self, taken_along: bool) -> None:
        self._taken_along = taken_along
        self.own: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.libraries: dict[str, str] = {}
        self._modules: dict[str, tuple[str, ModuleType | None]] = {}  # those still to be looked at
        self._started: dict[int, Any] = {}

    def whole(self) -> Closure:
        """All code behind what was started from; what sources alone decide is kept for the next time."""
        found = self._of_files()
        while more := self._registered(found):
            for root in more:
                self.start(root)
            found = self._of_files()
        own = {**found.own, **self.own}
        for name in found.files:
            if changed := changed_constants(name, found.files[name]):
                own[f"{name} as it was set"] = _hash(changed)
        libraries = {**found.libraries, **self.libraries}
        return Closure(dict(sorted(own.items())), dict(sorted(libraries.items())), found.files)

    def _of_files(self) -> Closure:
        """The closure of the modules that were started from."""
        key = (SOURCES.generation, tuple(sorted((name, file) for name, (file, _) in self._modules.items())))
        if key not in _FOUND:
            if len(_FOUND) > 1024:
                _FOUND.clear()
            _FOUND[key] = _Walk(self._taken_along)._along(self._modules)
        return _FOUND[key]

    def _along(self, modules: Mapping[str, tuple[str, ModuleType | None]]) -> Closure:
        self._modules = dict(modules)
        while self._modules:
            name, (file, module) = self._modules.popitem()
            self._look(name, file, module)
        if SOURCES.again:
            for name in self.files:
                _check_bindings(name)
        return Closure(self.own, self.libraries, self.files)

    def _registered(self, found: Closure) -> list[Any]:
        """Functions and classes that a module of the user's holds in its lists and tables, wherever they come from."""
        modules = (sys.modules.get(name) for name in found.files if name.partition(".")[0] != OWN)
        held_there = [each for module in modules if module is not None for _, inside in registered(module) for each in inside]
        return [each for each in map(definition, held_there) if id(each) not in self._started]

    def start(self, root: Any) -> None:
        """Take a definition or module, what it holds, and its module."""
        if id(root) in self._started:
            return
        self._started[id(root)] = root
        if isinstance(root, ModuleType):
            self._module(root)
            return
        if root.__module__ == "builtins":
            return
        home = _home(root)
        spec, file = home.get("__spec__"), home.get("__file__")
        if isinstance(spec, ModuleSpec) and own_file(spec) is None:
            if not is_standard(spec):
                self._library(spec.name.partition(".")[0])
        elif isinstance(spec, ModuleSpec):
            self._add(spec.name, str(own_file(spec)))
            _check_current(root, spec.name)
            self._holds(root, {})
        elif file and str(file).endswith(".py"):  # a script that was started, or what was loaded without a spec
            script = home.get("__name__") == "__main__"
            self._add(Path(file).stem if script else str(home["__name__"]), os.path.abspath(file))
            self._holds(root, home if script else {})
        else:
            self._cell(root, home)

    def _module(self, module: ModuleType) -> None:
        spec, file = getattr(module, "__spec__", None), getattr(module, "__file__", None)
        if isinstance(spec, ModuleSpec):
            if own_file(spec) is None and not is_standard(spec):
                self._library(module.__name__.partition(".")[0])
            self._whole(module.__name__, OWN)
        elif file and str(file).endswith(".py"):
            self._add(module.__name__, os.path.abspath(file))

    def _holds(self, root: Any, names: Mapping[str, Any]) -> None:
        """What a definition of a file holds; one inside a function counts by where it stands as well."""
        local = "<locals>" in root.__qualname__
        if not self._taken_along or (root.__module__.partition(".")[0] == OWN and not local):
            return
        found = held(root, strict=local, names=names)
        told: Any = [places(root), found.values] if local else found.values
        if local or found.values:
            self.own[f"{root.__module__}.{root.__qualname__} {_hash(told)}"] = _hash(told)
        for used in found.uses:
            self.start(definition(used))

    def _cell(self, root: Any, home: Mapping[str, Any]) -> None:
        """A definition of a notebook's cell, by its own source and what its names stand for."""
        source = cell_source(root)
        found = held(root, strict=True, names=home)
        told = [source, found.values]
        self.own[f"cell {root.__qualname__} {_hash(told)}"] = _hash(told)
        functions = [root] if isinstance(root, FunctionType) else list(methods(root).values())
        for name in sorted(set().union(*(global_names(function.__code__) for function in functions))):
            if isinstance(home.get(name), ModuleType):
                for each in attributes(root, home[name], name):
                    self._follow(each, "__main__")
        for used in found.uses:
            if not (isinstance(used, ModuleType) and used.__name__.partition(".")[0] == OWN):
                self.start(definition(used))

    def _add(self, name: str, file: str) -> None:
        if name not in self.own and name not in self._modules:
            self._modules[name] = (file, sys.modules.get(name))

    def _look(self, name: str, file: str, module: ModuleType | None) -> None:
        known = _facts(name, file, module)
        self.own[name], self.files[name] = _digest(SOURCES.of(file, module)), file
        for parent in _ancestors(name):
            self._package(parent)
        for each in known.imports:
            self._follow(each, name)

    def _package(self, name: str) -> None:
        """A package whose module is imported runs, too; one of the harness that only gathers names changes nothing."""
        if (spec := _spec(name)) is not None and (file := own_file(spec)) is not None:
            if name.partition(".")[0] == OWN and _facts(name, file, sys.modules.get(name)).passive:
                return
            self._add(name, file)

    def _follow(self, each: Import, importer: str) -> None:
        top = each.module.partition(".")[0]
        if each.name == UNKNOWN:
            raise CodeError(
                f"{importer}, line {each.line}, loads code from a file ({each.module}), so that what it does cannot be told: "
                "import it as a module"
            )
        if each.name == ANY:
            self._every(each.module or importer.partition(".")[0], importer, each.line)
        elif not top or (top in sys.stdlib_module_names and not self._is_own(top)):
            return
        elif not self._is_own(top):
            if each.certain and not (importer.partition(".")[0] == OWN and top in _CARRIERS):
                self._library(top)
        elif each.name is not None and _spec(f"{each.module}.{each.name}") is not None:
            self._whole(f"{each.module}.{each.name}", importer)
        elif top == OWN and each.name is not None and each.name != "*":
            self._through(each.module, each.name, importer)
        elif each.certain:
            self._whole(each.module, importer)

    def _through(self, module: str, name: str, importer: str) -> None:
        """A name that a module of the harness has from another module is imported from there."""
        spec = _spec(module)
        if spec is None or (file := own_file(spec)) is None:
            return
        known = _facts(module, file, sys.modules.get(module))
        origin = known.exports.get(name)
        if origin is not None and known.passive and origin.module.partition(".")[0] == OWN:
            self._follow(origin, module)
        elif origin is None and known.passive and hasattr(sys.modules.get(module), "__getattr__"):
            home = getattr(getattr(sys.modules[module], name, None), "__module__", None)
            if home is not None and home != module:
                self._whole(home, importer)
        else:
            self._add(module, file)

    def _whole(self, name: str, importer: str) -> None:
        spec = _spec(name)
        if spec is None:
            return
        if (file := own_file(spec)) is not None:
            self._add(name, file)
        elif spec.origin and spec.has_location and name.partition(".")[0] != OWN and self._is_own(name.partition(".")[0]):
            self.own[name] = _binary(spec.origin)

    def _every(self, package: str, importer: str, line: int) -> None:
        """All modules of a package: one of them is imported by a name that is computed."""
        spec = _spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise CodeError(
                f"{importer}, line {line}, imports a module whose name is computed, so that what it does cannot be told: "
                "import it by name, or put what may be imported into one package and begin the name with the package's"
            )
        self._whole(package, importer)
        for folder in spec.submodule_search_locations:
            for file in sorted(Path(folder).rglob("*.py")):
                parts = file.relative_to(folder).with_suffix("").parts
                parts = parts[:-1] if parts[-1] == "__init__" else parts
                self._add(".".join([package, *parts]), os.path.abspath(file))

    def _is_own(self, top: str) -> bool:
        if top == OWN:
            return True
        spec = _spec(top)
        if spec is None:
            return False
        if spec.origin is None or not spec.has_location:  # a folder without __init__
            return any(own_file(_as_module(folder)) for folder in spec.submodule_search_locations or ())
        return own_file(_as_module(os.path.dirname(spec.origin))) is not None

    def _library(self, top: str) -> None:
        if top not in self.libraries:
            self.libraries[top] = _version(top)


def _home(root: Any) -> dict[str, Any]:
    """The names around a definition: of a function its own globals, of a class those of its methods."""
    if isinstance(root, FunctionType):
        return root.__globals__
    own = list(methods(root).values())
    # Of "<string>" are what dataclasses write, whose names are those of the module, and what somebody has executed as a text.
    for method in sorted(own, key=lambda method: method.__code__.co_filename.startswith("<string>")):
        return method.__globals__
    module = sys.modules.get(root.__module__)
    if module is None:
        raise CodeError(
            f"{root.__qualname__} says that it is of the module {root.__module__!r}, which is not loaded, so that its source "
            "cannot be found: define it in a module"
        )
    return vars(module)


def _check_current(root: Any, name: str) -> None:
    """Raise unless a root of a module that was imported again is of its present code."""
    if not SOURCES.again or "<locals>" in root.__qualname__:
        return
    now: Any = sys.modules.get(name)
    for part in root.__qualname__.split("."):
        now = getattr(now, part, None)
    if now is not None and not _same(root, definition(now)):
        raise CodeError(
            f"{root.__qualname__} is from before its module {name} was imported again, and its code is another now: "
            f"take it from {name} again"
        )


def _check_bindings(name: str) -> None:
    """Raise if a module still holds what it took from another before that was imported again."""
    module = sys.modules.get(name)
    if module is None or not (file := getattr(module, "__file__", None)):
        return
    for bound, origin in facts(SOURCES.of(os.path.abspath(file)), name, hasattr(module, "__path__")).exports.items():
        source = sys.modules.get(origin.module)
        if source is None or origin.name is None or os.path.abspath(getattr(source, "__file__", "") or "") not in SOURCES.again:
            continue
        held, now = vars(module).get(bound), vars(source).get(origin.name)
        if held is not None and now is not None and not _same(held, now):
            raise CodeError(
                f"{name} still holds {origin.name} of {origin.module} from before that was imported again: "
                f"import {name} again, too"
            )


def _same(one: Any, other: Any) -> bool:
    """Whether two definitions run the same code."""
    if one is other:
        return True
    if isinstance(one, FunctionType) and isinstance(other, FunctionType):
        return one.__code__ == other.__code__
    if isinstance(one, type) and isinstance(other, type):
        mine, its = ({name: method.__code__ for name, method in methods(each).items()} for each in (one, other))
        return mine == its
    return type(one) is type(other) and not isinstance(one, FunctionType | type) and repr(one) == repr(other)


def _facts(name: str, file: str, module: ModuleType | None) -> Facts:
    try:
        return facts(SOURCES.of(file, module), name, os.path.basename(file) == "__init__.py")
    except SyntaxError as problem:
        raise CodeError(
            f"{file} cannot be read as Python (line {problem.lineno}: {problem.msg}), so that what it does has no name"
        ) from None


@lru_cache(maxsize=4096)
def _digest(source: bytes) -> str:
    return does(source)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _binary(file: str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]


def _ancestors(name: str) -> Iterator[str]:
    while name := name.rpartition(".")[0]:
        yield name


def _as_module(folder: str) -> ModuleSpec:
    """A spec that stands for anything in a folder, to ask whose it is."""
    return _at(os.path.join(folder, "any.py"))


@lru_cache(maxsize=1024)
def _at(file: str) -> ModuleSpec:
    found = ModuleSpec("any", None, origin=file)
    found.has_location = True
    return found


_SPECS: dict[str, tuple[tuple[int, tuple[str, ...]], ModuleSpec | None]] = {}


def _spec(name: str) -> ModuleSpec | None:
    """Where a module is, loaded or not, without importing anything."""
    module = sys.modules.get(name)
    if module is not None and isinstance(spec := getattr(module, "__spec__", None), ModuleSpec):
        return spec
    key = (SOURCES.generation, tuple(sys.path))
    if name not in _SPECS or _SPECS[name][0] != key:
        parent, _, _ = name.rpartition(".")
        where = None
        if parent:
            above = _spec(parent)
            if above is None or above.submodule_search_locations is None:
                _SPECS[name] = (key, None)
                return None
            where = list(above.submodule_search_locations)
        _SPECS[name] = (key, find(name, where))
    return _SPECS[name][1]


@lru_cache
def _version(top: str) -> str:
    """Version of the package that a top-level module comes from; without its build ("+cpu"), which changes no source."""
    try:
        return importlib.metadata.version(top).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        packages = _distributions().get(top)
    if packages:
        return " ".join(f"{each} {importlib.metadata.version(each)}" for each in sorted(set(packages)))
    return "absent" if _spec(top) is None else str(getattr(sys.modules.get(top), "__version__", "unknown"))


@lru_cache
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()
