"""The code that decides a number: a function or a class, and everything of one's own that it imports, however far.

What belongs to the harness or to the user counts by what its source does, what pip installed by its version, and Python's own
library does not count.  The rule needs no declarations: it reads the imports (:mod:`harness.code.imports`), those inside
functions, too, of the sources as they were imported (:mod:`harness.code.loaded`).  Modules of the harness that gather names
from others are looked through: ``from harness.models import MLPProgram`` is an import of ``harness.models.mlp``.  What a
definition in a notebook cell uses is found by its names (:mod:`harness.code.cells`).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from harness.code.canonical import does
from harness.code.cells import attributes, cell_source, places
from harness.code.current import check_bindings, check_current
from harness.code.imports import ANY, UNKNOWN, Import
from harness.code.live import definition, functions_of, global_names, held, methods, registered
from harness.code.loaded import OWN, SOURCES, CodeError, changed_constants, is_standard, own_file
from harness.code.modules import ancestors, as_module, binary, facts_of, spec_of, version_of

# What the harness takes from a library to carry or to show numbers, which decides none of them.
_CARRIERS = frozenset(
    {"pandas", "pytest", "hypothesis", "matplotlib", "jinja2", "filelock", "safetensors", "pooch", "tqdm", "_pytest"}
)


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
        own = dict(self.own)
        for name in found.files:
            if changed := changed_constants(name, found.files[name]):
                own[f"{name} as it was set"] = _hash(changed)
        if not own and not self.libraries:
            return found  # with its digest, where somebody has asked for it before
        own = {**found.own, **own}
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
                check_bindings(name)
        return Closure(dict(sorted(self.own.items())), dict(sorted(self.libraries.items())), self.files)

    def _registered(self, found: Closure) -> list[Any]:
        """Functions and classes that a module of the user's holds in its lists and tables, wherever they come from."""
        modules = (sys.modules.get(name) for name in found.files if name.partition(".")[0] != OWN)
        held_there = [each for module in modules if module is not None for each in registered(module)]
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
            check_current(root, spec.name)
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
        for name in sorted(set().union(*(global_names(function.__code__) for function in functions_of(root)))):
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
        known = facts_of(name, file, module)
        self.own[name], self.files[name] = _digest(SOURCES.of(file, module)), file
        for parent in ancestors(name):
            self._package(parent)
        for each in known.imports:
            self._follow(each, name)

    def _package(self, name: str) -> None:
        """A package whose module is imported runs, too; one of the harness that only gathers names changes nothing."""
        if (spec := spec_of(name)) is not None and (file := own_file(spec)) is not None:
            if name.partition(".")[0] == OWN and facts_of(name, file, sys.modules.get(name)).passive:
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
        elif each.name is not None and spec_of(f"{each.module}.{each.name}") is not None:
            self._whole(f"{each.module}.{each.name}", importer)
        elif top == OWN and each.name is not None and each.name != "*":
            self._through(each.module, each.name, importer)
        elif each.certain:
            self._whole(each.module, importer)

    def _through(self, module: str, name: str, importer: str) -> None:
        """A name that a module of the harness has from another module is imported from there."""
        spec = spec_of(module)
        if spec is None or (file := own_file(spec)) is None:
            return
        known = facts_of(module, file, sys.modules.get(module))
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
        spec = spec_of(name)
        if spec is None:
            return
        if (file := own_file(spec)) is not None:
            self._add(name, file)
        elif spec.origin and spec.has_location and name.partition(".")[0] != OWN and self._is_own(name.partition(".")[0]):
            self.own[name] = binary(spec.origin)

    def _every(self, package: str, importer: str, line: int) -> None:
        """All modules of a package: one of them is imported by a name that is computed."""
        spec = spec_of(package)
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
        spec = spec_of(top)
        if spec is None:
            return False
        if spec.origin is None or not spec.has_location:  # a folder without __init__
            return any(own_file(as_module(folder)) for folder in spec.submodule_search_locations or ())
        return own_file(as_module(os.path.dirname(spec.origin))) is not None

    def _library(self, top: str) -> None:
        if top not in self.libraries:
            self.libraries[top] = version_of(top)


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


@lru_cache(maxsize=4096)
def _digest(source: bytes) -> str:
    return does(source)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
