"""What functions capture: values that decide what they compute, and that no source of theirs tells.

A threshold that a function around the body was given, a name that another cell of a notebook has bound anew, a constant that
a module has read from the environment: the code is the same, and the numbers are not.  Followed are the project's functions,
as far as they are reached by what they capture themselves.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import ModuleSpec
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from harness.code.cells import cell_source, places
from harness.code.live import Held, definition, filled, functions_of, global_names, methods, told
from harness.code.loaded import OWN, CodeError, own_file
from harness.code.project import binary

_DATA = (bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset)
_READ = 2**26  # bytes of a file that a body names, up to which its content is looked at
_ENVIRONMENT = frozenset({"environ", "environb", "getenv", "getenvb"})


def captured(function: Any) -> str:
    """Digest of what a function, and the project's functions that it reaches, capture; empty where that is nothing.

    These are values in cells of closures, defaults, names of modules that are data, attributes of modules and classes, and the
    variables of the environment whose names stand beside a use of it, and files that are there under a text of the source.

    Args:
        function: the body of a claim, with whatever the harness has put around it.

    Raises:
        CodeError: a value cannot be described, so that nobody could see that it has changed.
    """
    walk = _Walk()
    walk.take(getattr(function, "__qualname__", "body"), function)
    walk.to_the_end()
    if not walk.values:
        return ""
    return hashlib.sha256(json.dumps(walk.values, sort_keys=True).encode()).hexdigest()[:16]


def captured_or_unknown(function: Any) -> str | None:
    """What :func:`captured` says; None where that cannot be said, whatever somebody's object makes of being described."""
    try:
        return captured(function)
    except Exception:
        return None


class _Walk:
    """One way from a function along all that it captures."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._waiting: list[FunctionType | type] = []
        self._seen: dict[int, Any] = {}

    def take(self, name: str, value: Any) -> None:
        """Note a value by its name; what has code is followed later.

        Raises:
            CodeError: it cannot be described.
        """
        if value is os.environ or isinstance(value, ModuleType):  # told by what is read of them
            return
        if isinstance(value, MethodType):
            self.take(f"{name} of", vars(value.__self__) if hasattr(value.__self__, "__dict__") else value.__self__)
            self.take(name, value.__func__)
        elif isinstance(value, FunctionType | type):
            if value.__qualname__.rpartition(".")[2] != name.rpartition(" ")[2].rpartition(".")[2]:  # bound by another name
                self.values[name] = f"{value.__module__}.{value.__qualname__}"
            self._follow(value)
            self._follow(definition(value))
        else:
            found, text = _described(name, value)
            self.values[name] = text
            for used in found.uses:
                self.take(name, used)

    def to_the_end(self) -> None:
        """Follow all that waits."""
        while self._waiting:
            one = self._waiting.pop()
            if isinstance(one, FunctionType):
                self._function(one)
            else:
                self._class(one)

    def _follow(self, value: Any) -> None:
        if id(value) not in self._seen and isinstance(value, FunctionType | type):
            self._seen[id(value)] = value
            self._waiting.append(value)

    def _function(self, function: FunctionType) -> None:
        """What a function took along, and what its names stand for; of the harness's own, which wrap others, only the first."""
        own = str(function.__globals__.get("__name__")).partition(".")[0] == OWN  # a wrapper says that it is of what it wraps
        if not (own or _of_project(function.__globals__)):
            return
        name = f"{function.__module__}.{function.__qualname__}"
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        inside = {each: cell.cell_contents for each, cell in cells if each != "__class__" and filled(cell)}
        if own:
            for value in inside.values():
                self._handed(name, value)
            return
        if "<locals>" in function.__qualname__ or function.__name__ == "<lambda>":  # no name of a module leads to its source
            self.values[f"{name} does"] = _does(function)
        inside |= {f"default {number}": value for number, value in enumerate(function.__defaults__ or ())}
        inside |= function.__kwdefaults__ or {}
        home, attributes = function.__globals__, frozenset(_attributes(function.__code__))
        around = {each: home[each] for each in global_names(function.__code__) if each in home}
        for module, value in list(around.items()):
            if isinstance(value, ModuleType) and _of_project(vars(value)):
                around |= {f"{module}.{each}": vars(value)[each] for each in attributes & vars(value).keys()}
        for each, value in sorted({**around, **inside}.items()):
            self.take(f"{name}: {each}", value)
        texts = set(_texts(function.__code__))
        self.values |= {f"file {text}": _content(text) for text in texts if os.path.isfile(text)}
        if _ENVIRONMENT & (attributes | around.keys()):
            texts |= {value for value in (*around.values(), *inside.values()) if isinstance(value, str)}
            self.values |= {f"environment {text}": os.environ[text] for text in texts if text in os.environ}

    def _handed(self, name: str, value: Any) -> None:
        """What something of the harness holds to hand it on: functions, and what a body is given by name."""
        if isinstance(value, FunctionType | MethodType):
            self.take(name, value)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                self.take(f"{name} {key}", item)
        elif str(type(value).__module__).partition(".")[0] == OWN and callable(value):
            for item in vars(value).values() if hasattr(value, "__dict__") else ():
                if isinstance(item, FunctionType | MethodType):
                    self.take(name, item)

    def _class(self, kind: type) -> None:
        """What the functions of a class of the project capture, and its attributes."""
        own = list(methods(kind).values())
        module = sys.modules.get(kind.__module__)  # of a class that only holds values
        home = own[0].__globals__ if own else None if module is None else vars(module)
        if str(kind.__module__).partition(".")[0] == OWN or home is None or not _of_project(home):
            return
        for function in functions_of(kind):
            self._follow(function)
        for base in kind.__mro__[1:]:
            self._follow(base)
        for name, value in vars(kind).items():
            if isinstance(value, _DATA) and not name.startswith("__"):
                self.take(f"{kind.__module__}.{kind.__qualname__}: {name}", value)


def _described(name: str, value: Any) -> tuple[Held, str]:
    """A value as text that changes with it, and what it has of code.

    Raises:
        CodeError: there is no such text.
    """
    try:
        found = told([value])
    except CodeError:
        try:
            return Held(), hashlib.sha256(pickle.dumps(value, protocol=5)).hexdigest()
        except Exception as problem:  # whatever somebody's object makes of it
            raise CodeError(f"{name} is a {type(value).__name__}, which cannot be described ({problem})") from None
    return found, found.values["0"]


def _content(path: str) -> str:
    """Digest of a file that a body names; of one that is large or cannot be read, its size and time."""
    about = os.stat(path)
    if about.st_size > _READ:
        return f"{about.st_size} bytes, {about.st_mtime_ns}"
    try:
        return binary(path)
    except OSError:
        return f"{about.st_size} bytes, {about.st_mtime_ns}"


def _does(function: FunctionType) -> str:
    """What a function without a name in a module does: its source, and of one that was made of a text its instructions.

    Of several lambdas in one line, the source of each is that line; so it is said where in it each one ends.
    """
    code = function.__code__
    ends = [(line - code.co_firstlineno, at) for _, line, _, at in code.co_positions() if line is not None and at is not None]
    try:
        return json.dumps([places(function) or cell_source(function), max(ends, default=None)])
    except CodeError:
        return json.dumps([[each.co_code.hex(), each.co_names, list(_texts(each))] for each in _codes(code)])


def _of_project(home: Mapping[str, Any]) -> bool:
    """Whether names are those of somebody's own module, script or notebook, and neither the harness's nor installed."""
    spec = home.get("__spec__")
    if isinstance(spec, ModuleSpec):
        return own_file(spec) is not None and spec.name.partition(".")[0] != OWN
    return True


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _codes(inner)


def _attributes(code: CodeType) -> Iterable[str]:
    return (name for each in _codes(code) for name in each.co_names)


def _texts(code: CodeType) -> Iterable[str]:
    return (text for each in _codes(code) for text in each.co_consts if isinstance(text, str))
