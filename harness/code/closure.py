"""The code that decides a number: a function or a class, and everything of one's own that it imports, however far.

What belongs to the harness or to the user counts by what its source does, what pip installed by its version, and Python's own
library does not count.  The rule needs no declarations: it follows the imports (:mod:`harness.code.followed`), those inside
functions, too, of the sources as they were imported (:mod:`harness.code.loaded`).  Modules of the harness that gather names
from others are looked through: ``from harness.networks import MLPProgram`` is an import of ``harness.networks.mlp``.  What a
definition in a notebook cell uses is found by its names (:mod:`harness.code.cells`).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from harness.code.cells import attributes, cell_source, made_source, places
from harness.code.current import check_current
from harness.code.followed import Followed, Pending
from harness.code.live import Held, definition, functions_of, global_names, held, methods, registered, told
from harness.code.loaded import OWN, SOURCES, CodeError, changed_constants, is_standard, own_file


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


def closure(roots: Iterable[Any], *, taken_along: bool = True, values: Iterable[Any] = ()) -> Closure:
    """The code behind functions, classes and modules.

    Args:
        roots: functions (partial and decorated ones, too), classes, modules.
        taken_along: whether what a definition inside a function took along from it counts, as it has to where two definitions
            of one source can differ in it.
        values: what counts by its state as well as by its code: functions with what they are a ``partial`` of, frozen specs,
            arrays, plain values.

    Raises:
        CodeError: the source of something cannot be found, or is not that of what is in memory, or a state has no name.
    """
    walk = _Walk(taken_along)
    for root in roots:
        walk.start(definition(root))
    if values := tuple(values):
        walk.tell(values)
    return walk.whole()


_FOUND: dict[tuple[Any, ...], Closure] = {}


def code_digest(*roots: Any, taken_along: bool = True, values: Iterable[Any] = ()) -> str:
    """Digest of the :func:`closure` of functions, classes and modules."""
    return closure(roots, taken_along=taken_along, values=values).digest


class _Walk:
    """One way from definitions, and what they hold, through the imports of their modules."""

    def __init__(self, taken_along: bool) -> None:
        self._taken_along = taken_along
        self._definitions: dict[str, str] = {}  # what they hold, by their names
        self._modules = Followed({})  # those that were started from
        self._started: dict[int, Any] = {}

    def whole(self) -> Closure:
        """All code behind what was started from; what sources alone decide is kept for the next time."""
        found = self._of_files()
        while more := self._registered(found):
            for root in more:
                self.start(root)
            found = self._of_files()
        own = {**self._modules.own, **self._definitions}
        for name in found.files:
            if changed := changed_constants(name, found.files[name]):
                own[f"{name} as it was set"] = _hash(changed)
        if not own and not self._modules.libraries:
            return found  # with its digest, where somebody has asked for it before
        own = {**found.own, **own}
        libraries = {**found.libraries, **self._modules.libraries}
        return Closure(dict(sorted(own.items())), dict(sorted(libraries.items())), found.files)

    def _of_files(self) -> Closure:
        """The closure of the modules that were started from."""
        pending = self._modules.pending
        key = (SOURCES.generation, tuple(sorted((name, file) for name, (file, _) in pending.items())))
        if key not in _FOUND:
            if len(_FOUND) > 1024:
                _FOUND.clear()
            _FOUND[key] = _along(pending)
        return _FOUND[key]

    def _registered(self, found: Closure) -> list[Any]:
        """Functions and classes that a module of the user's holds in its lists and tables, wherever they come from."""
        modules = (sys.modules.get(name) for name in found.files if name.partition(".")[0] != OWN)
        held_there = [each for module in modules if module is not None for each in registered(module)]
        return [each for each in map(definition, held_there) if id(each) not in self._started]

    def tell(self, values: Iterable[Any]) -> None:
        """Take values with their state, and what they have of code."""
        self._note("what is given", told(values), [])

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
                self._modules.library(spec.name.partition(".")[0])
                self._wraps(root, {})
        elif isinstance(spec, ModuleSpec):
            self._modules.add(spec.name, str(own_file(spec)))
            check_current(root, spec.name)
            self._holds(root, {})
        elif file and str(file).endswith(".py"):  # a script that was started, or what was loaded without a spec
            script = home.get("__name__") == "__main__"
            self._modules.add(Path(file).stem if script else str(home["__name__"]), os.path.abspath(file))
            self._holds(root, home if script else {})
        elif made := made_source(root, home):
            self._wraps(root, home, made)
        else:
            self._cell(root, home)

    def _module(self, module: ModuleType) -> None:
        spec, file = getattr(module, "__spec__", None), getattr(module, "__file__", None)
        if isinstance(spec, ModuleSpec):
            if own_file(spec) is None and not is_standard(spec):
                self._modules.library(module.__name__.partition(".")[0])
            self._modules.whole(module.__name__, OWN)
        elif file and str(file).endswith(".py"):
            self._modules.add(module.__name__, os.path.abspath(file))

    def _holds(self, root: Any, names: Mapping[str, Any]) -> None:
        """What a definition of a file holds; one inside a function counts by where it stands as well."""
        local = "<locals>" in root.__qualname__
        if not self._taken_along or (root.__module__.partition(".")[0] == OWN and not local):
            return
        found = held(root, strict=local, names=names)
        if local or found.values:
            self._note(f"{root.__module__}.{root.__qualname__}", found, [places(root)] if local else None)
        else:
            self._note("", found, None)

    def _wraps(self, root: Any, names: Mapping[str, Any], made: str = "") -> None:
        """What a function holds that a library has made around another one, which is what its caller wrote."""
        if self._taken_along and isinstance(root, FunctionType) and (made or root.__closure__):
            self._note(f"made {root.__qualname__}", held(root, strict=True, names=names), [made])

    def _cell(self, root: Any, home: Mapping[str, Any]) -> None:
        """A definition of a notebook's cell, by its own source and what its names stand for."""
        source = cell_source(root)
        found = held(root, strict=True, names=home)
        found.uses = [
            each for each in found.uses if not (isinstance(each, ModuleType) and each.__name__.partition(".")[0] == OWN)
        ]
        for name in sorted(set().union(*(global_names(function.__code__) for function in functions_of(root)))):
            if isinstance(home.get(name), ModuleType):
                for each in attributes(root, home[name], name):
                    self._modules.follow(each, "__main__")
        self._note(f"cell {root.__qualname__}", found, [source])

    def _note(self, name: str, found: Held, before: list[Any] | None) -> None:
        """Note what a definition holds under its name, if it has one, and take what that uses."""
        if name:
            told: Any = found.values if before is None else [*before, found.values]
            self._definitions[f"{name} {_hash(told)}"] = _hash(told)
        for used in found.uses:
            self.start(definition(used))


def _along(pending: Pending) -> Closure:
    """The closure of modules."""
    followed = Followed(pending)
    followed.to_the_end()
    return Closure(dict(sorted(followed.own.items())), dict(sorted(followed.libraries.items())), followed.files)


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
    spec = getattr(module, "__spec__", None)
    foreign = root.__module__ == "__main__" and isinstance(spec, ModuleSpec) and own_file(spec) is None
    if foreign and root.__qualname__.partition(".")[0] not in vars(module):
        return {"__name__": "__main__"}  # ``python -m pytest`` and the like: what was started is not where the user's text ran
    return vars(module)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
