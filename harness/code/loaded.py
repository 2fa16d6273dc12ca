"""The source of every module as it was when it was imported: what runs, whatever has become of the file since.

A digest that reads the file only when it is asked for may describe another program than the one that computes: if a measurement
were edited while a run waits, the old code's numbers would be stored under the new code's name.  So a user's code is read at
the moment of its import, by a finder that Python asks first and that finds nothing itself.  What was imported before, or in a
way that asks no finder, is read as soon as possible, and checked against the functions in memory.
"""

from __future__ import annotations

import ast
import contextlib
import os
import sys
import sysconfig
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, FunctionType, ModuleType
from typing import Any

from harness.code.canonical import parsed

OWN = __name__.partition(".")[0]  # this package is nobody's third party, wherever it is installed


class CodeError(RuntimeError):
    """Code that decides a number cannot be determined, so the number has no name; the message says which and what to do."""


class Sources:
    """Sources by file, as they were imported.

    Attributes:
        generation: grows whenever a file turns out to have been imported with another content than before.
        again: files that were imported more than once, with different contents.
    """

    def __init__(self) -> None:
        self.generation = 0
        self.again: set[str] = set()
        self._held: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def imported(self, path: str) -> None:
        """Keep what stands in a file that is being imported."""
        with contextlib.suppress(OSError):
            self._keep(path, _read(path))

    def of(self, path: str, module: ModuleType | None = None) -> bytes:
        """The source of a file as it was imported; of one that has not been, as it is now and will have to be then.

        Args:
            path: the file.
            module: what was made of it, if anything: its functions tell whether the file is still what it was made of.

        Raises:
            CodeError: it cannot be read, or was edited after it was imported and before anybody looked.
        """
        if path not in self._held:
            try:
                source = _read(path)
            except OSError as problem:
                raise CodeError(
                    f"the source of {path} cannot be read ({problem.strerror}), so that what it does has no name"
                ) from None
            if module is not None and not _made_of(module, path, source):
                raise CodeError(
                    f"{path} was edited after it was imported and before anybody looked, so that its source does not tell what "
                    "runs: import it again (importlib.reload, or start anew)"
                )
            self._keep(path, source)
        return self._held[path]

    def _keep(self, path: str, source: bytes) -> None:
        with self._lock:
            before = self._held.get(path)
            self._held[path] = source
            if before is not None and before != source:
                self.again.add(path)
                self.generation += 1


SOURCES = Sources()


class _Watch(MetaPathFinder):
    """Is asked for every import, and reads the file that will be imported if it is somebody's own; finds nothing itself."""

    def __init__(self) -> None:
        self._asking = threading.local()

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """See :meth:`importlib.abc.MetaPathFinder.find_spec`."""
        if getattr(self._asking, "now", False) or not _may_be_own(fullname, path):
            return
        self._asking.now = True
        try:
            found = find(fullname, path, without=self)
            if found is not None and (file := own_file(found)) is not None:
                SOURCES.imported(file)
        finally:
            self._asking.now = False


def watch() -> None:
    """Read sources as they are imported from now on, and those of the modules that are there already."""
    if any(isinstance(finder, _Watch) for finder in sys.meta_path):
        return
    _python_folders()  # now: on Python 3.13 it imports a module when it is first asked, which must not ask it again
    sys.meta_path.insert(0, _Watch())
    for module in list(sys.modules.values()):
        spec, script = getattr(module, "__spec__", None), getattr(module, "__file__", None)
        file = own_file(spec) if isinstance(spec, ModuleSpec) else None
        if spec is None and module.__name__ == "__main__" and script and not installed(os.path.abspath(script)):
            file = os.path.abspath(script)
        if file is not None and file.endswith(".py"):
            with contextlib.suppress(CodeError):  # which is said when somebody wants its name
                SOURCES.of(file, module)


def find(name: str, path: Sequence[str] | None, *, without: MetaPathFinder | None = None) -> ModuleSpec | None:
    """What an import of ``name`` would find, without importing anything."""
    for finder in list(sys.meta_path):
        if finder is without or isinstance(finder, _Watch) or not hasattr(finder, "find_spec"):
            continue
        with contextlib.suppress(Exception):  # a finder's own trouble shows when the import is really made
            if (spec := finder.find_spec(name, path, None)) is not None:
                return spec
    return None


def own_file(spec: ModuleSpec) -> str | None:
    """The Python file of a module that is no library's and not Python's own, else None."""
    origin = spec.origin
    if not spec.has_location or origin is None or not origin.endswith(".py"):
        return None
    file = os.path.abspath(origin)
    return file if spec.name.partition(".")[0] == OWN or not installed(file) else None


@lru_cache(maxsize=65536)
def installed(file: str) -> bool:
    """Whether a file belongs to Python or to what pip has installed."""
    parts = file.replace("\\", "/").split("/")
    if "site-packages" in parts or "dist-packages" in parts:
        return True
    return any(file.startswith(folder + os.sep) for folder in _python_folders())


@lru_cache
def _python_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({os.path.abspath(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib") if name in paths})


def is_standard(spec: ModuleSpec) -> bool:
    """Whether a module belongs to Python itself."""
    if not spec.has_location or spec.origin is None:
        return spec.name.partition(".")[0] in sys.stdlib_module_names
    parts = spec.origin.replace("\\", "/").split("/")
    return installed(os.path.abspath(spec.origin)) and "site-packages" not in parts and "dist-packages" not in parts


def _may_be_own(name: str, path: Sequence[str] | None) -> bool:
    if name.partition(".")[0] == OWN:
        return True
    return path is None or any(not installed(os.path.join(os.path.abspath(folder), "")) for folder in list(path))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _made_of(module: ModuleType, path: str, source: bytes) -> bool:
    """Whether the functions of a module can have been made of a source: each of them is found in it.

    Only where Python's own loader made them: others (pytest's, which rewrites assertions) compile something else.
    """
    if not isinstance(getattr(module, "__loader__", None), SourceFileLoader) or type(module.__loader__) is not SourceFileLoader:
        return True
    try:
        whole = compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    known = {_signature(code) for code in _nested(whole)}
    return _same_constants(module, source) and all(
        _signature(function.__code__) in known for function in _functions(module, path)
    )


def _same_constants(module: ModuleType, source: bytes) -> bool:
    """Whether the names that a source binds once, to a constant, have that value in the module."""
    return not _changed(module, source)


def changed_constants(name: str, file: str) -> dict[str, str]:
    """Constants of a module that somebody has set to something else, with what they are now."""
    module = sys.modules.get(name)
    return {} if module is None else _changed(module, SOURCES.of(file, module))


def _changed(module: ModuleType, source: bytes) -> dict[str, str]:
    now = vars(module)
    return {
        name: repr(now[name]) for name, value in constants(source).items()
        if name in now and not _same(now[name], value) and _is_plain(now[name])
    }  # fmt: skip


def _same(one: object, other: object) -> bool:
    """Whether two constants are the same: 0.0 is not -0.0, which compares equal, and NaN is NaN, which does not."""
    if type(one) is not type(other):
        return False
    return (isinstance(one, str | int | bytes) and one == other) or repr(one) == repr(other)


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float | complex | str | bytes)


@lru_cache(maxsize=4096)
def constants(source: bytes) -> dict[str, Any]:
    """Names that a source binds once, at its top level, to a constant, with their values."""
    tree = parsed(source)
    found = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            target = statement.targets[0]
            if isinstance(target, ast.Name):
                found[target.id] = statement.value.value
    if not found:
        return {}
    stored = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return {name: value for name, value in found.items() if stored[name] == 1}


def _nested(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested(constant)


def _signature(code: CodeType) -> tuple[Any, ...]:
    """What a function computes, without where it stands and how it is documented."""
    first = code.co_consts[:1]
    documented = bool(first) and isinstance(first[0], str)
    constants = tuple(
        _signature(value)
        if isinstance(value, CodeType)
        else (type(value).__name__, repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value))
        for value in code.co_consts[documented:]
    )
    return code.co_name, code.co_code, code.co_names, code.co_varnames, constants


def _functions(module: ModuleType, path: str) -> Iterator[FunctionType]:
    """Functions and methods of a module that were compiled from its file."""
    for value in list(vars(module).values()):
        for held in [value, *(vars(value).values() if isinstance(value, type) and value.__module__ == module.__name__ else ())]:
            inner = getattr(held, "__func__", getattr(held, "fget", held))
            inner = getattr(inner, "__wrapped__", inner)
            if isinstance(inner, FunctionType) and os.path.abspath(inner.__code__.co_filename) == path:
                yield inner


watch()
