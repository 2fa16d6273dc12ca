"""Where the imports of modules lead: every module of one's own, however far, and the installed packages on the way."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from harness.code.canonical import does
from harness.code.current import check_bindings
from harness.code.imports import ANY, UNKNOWN, Import
from harness.code.loaded import OWN, SOURCES, CodeError, constants, own_file
from harness.code.project import ancestors, as_module, binary, facts_of, spec_of, version_of

# What the harness takes from a library to carry or to show numbers, which decides none of them.
_CARRIERS = frozenset(
    {"pandas", "pytest", "hypothesis", "matplotlib", "jinja2", "filelock", "safetensors", "pooch", "tqdm", "_pytest"}
)
Pending = Mapping[str, tuple[str, ModuleType | None]]


class Followed:
    """Modules whose imports are followed.

    Attributes:
        own: what the source of each module does (a digest), by the module's name.
        files: where the modules lie, by name.
        libraries: version of each installed package that one of them imports.
        pending: file and module of those that were not looked at yet, by name.
    """

    def __init__(self, pending: Pending) -> None:
        self.own: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.libraries: dict[str, str] = {}
        self.pending = dict(pending)

    def to_the_end(self) -> None:
        """Look at all that is pending, and at all that this leads to.

        Raises:
            CodeError: a source cannot be read or told, or is not that of what is in memory.
        """
        while self.pending:
            name, (file, module) = self.pending.popitem()
            self._look(name, file, module)
        if SOURCES.again:
            for name in self.files:
                check_bindings(name)

    def add(self, name: str, file: str) -> None:
        """Have a module of one's own looked at."""
        if name not in self.own and name not in self.pending:
            self.pending[name] = (file, sys.modules.get(name))

    def _look(self, name: str, file: str, module: ModuleType | None) -> None:
        known, source = facts_of(name, file, module), SOURCES.of(file, module)
        self.own[name], self.files[name] = _digest(source), file
        constants(source)  # which will be asked of every file, while its tree is at hand
        for parent in ancestors(name):
            self._package(parent)
        for each in known.imports:
            self.follow(each, name)

    def _package(self, name: str) -> None:
        """A package whose module is imported runs, too; one of the harness that only gathers names changes nothing."""
        if (spec := spec_of(name)) is not None and (file := own_file(spec)) is not None:
            if name.partition(".")[0] == OWN and facts_of(name, file, sys.modules.get(name)).passive:
                return
            self.add(name, file)

    def follow(self, each: Import, importer: str) -> None:
        """Have what an import leads to looked at.

        Raises:
            CodeError: nobody can tell what that is.
        """
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
                self.library(top)
        elif each.name is not None and spec_of(f"{each.module}.{each.name}") is not None:
            self.whole(f"{each.module}.{each.name}", importer)
        elif top == OWN and each.name is not None and each.name != "*":
            self._through(each.module, each.name, importer)
        elif each.certain:
            self.whole(each.module, importer)

    def _through(self, module: str, name: str, importer: str) -> None:
        """A name that a module of the harness has from another module is imported from there."""
        spec = spec_of(module)
        if spec is None or (file := own_file(spec)) is None:
            return
        known = facts_of(module, file, sys.modules.get(module))
        origin = known.exports.get(name)
        if origin is not None and known.passive and origin.module.partition(".")[0] == OWN:
            self.follow(origin, module)
        elif origin is None and known.passive and hasattr(sys.modules.get(module), "__getattr__"):
            home = getattr(getattr(sys.modules[module], name, None), "__module__", None)
            if home is not None and home != module:
                self.whole(home, importer)
        else:
            self.add(module, file)

    def whole(self, name: str, importer: str) -> None:
        """Have a module looked at, if it is one's own; of a compiled one its bytes count."""
        spec = spec_of(name)
        if spec is None:
            return
        if (file := own_file(spec)) is not None:
            self.add(name, file)
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
        self.whole(package, importer)
        for folder in spec.submodule_search_locations:
            for file in sorted(Path(folder).rglob("*.py")):
                parts = file.relative_to(folder).with_suffix("").parts
                parts = parts[:-1] if parts[-1] == "__init__" else parts
                self.add(".".join([package, *parts]), os.path.abspath(file))

    def _is_own(self, top: str) -> bool:
        if top == OWN:
            return True
        spec = spec_of(top)
        if spec is None:
            return False
        if spec.origin is None or not spec.has_location:  # a folder without __init__
            return any(own_file(as_module(folder)) for folder in spec.submodule_search_locations or ())
        return own_file(as_module(os.path.dirname(spec.origin))) is not None

    def library(self, top: str) -> None:
        """Count an installed package by its version."""
        if top not in self.libraries:
            self.libraries[top] = version_of(top)


@lru_cache(maxsize=4096)
def _digest(source: bytes) -> str:
    return does(source)
