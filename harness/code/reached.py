"""Which first-party code some functions use: the definitions that they reach by name, and nothing beside them.

A claim's design has the code of its body and of its fixtures.  A module holds the claims of a whole document, so that it is too
much: another claim's margin would count as code of this one.  Followed are the names that a definition uses: to other
definitions of its module, through imports to those of other modules of the project, on and on.
"""

from __future__ import annotations

import ast
import builtins
import copy
import hashlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

from harness.code.canonical import written
from harness.code.loaded import SOURCES, CodeError, installed

_PACKAGE = Path(__file__).absolute().parents[1]
_OWN_NAMES = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
ALL = ""
UNNAMED = "-"  # no name: the statements that run whenever a module is reached
FileOf = Callable[[str], Path | None]
Place = tuple[str, str]  # a module and a name in it, ALL of it, or what is UNNAMED in it


@dataclass(frozen=True)
class _Statement:
    """What a statement does, and which names it uses."""

    does: str
    uses: tuple[Place, ...]


@dataclass(frozen=True)
class _Module:
    """A module's statements by the names that they bind (ALL: by none), and where its imported names come from."""

    statements: dict[str, list[_Statement]]
    imports: dict[str, Place]
    stars: tuple[str, ...] = ()


class ReachedCode:
    """The code of a project, as it was imported.

    Comments, docstrings and layout do not count, nor does the version of Python.  The package harness and installed packages
    do not count either: the harness names what it measures by its code, and stands in the provenance of a run.  All else is the
    project's own, also what pytest's option ``pythonpath`` finds outside of its folder.
    """

    def __init__(self) -> None:
        self._files: dict[str, Path | None] = {}
        self._trees: dict[Path, ast.Module] = {}
        self._modules: dict[str, _Module] = {}
        self._own: dict[Any, _Statement] = {}

    def digest(self, functions: Iterable[Callable[..., Any]], definitions: Iterable[Any] = ()) -> str:
        """Digest of what functions do and of all that they reach in the project's files.

        Args:
            functions: bodies and fixtures; the declaration of a claim does not count as code of its body.
            definitions: further functions and classes of modules, such as those that a spec holds.

        Raises:
            CodeError: the code of a function cannot be read.
        """
        found: dict[str, list[str]] = {}
        waiting = [(str(each.__module__), each.__qualname__.partition(".")[0]) for each in definitions]
        for function in functions:
            own = self._own.get(function) or self._own.setdefault(function, self._of(inspect.unwrap(function)))
            found.setdefault(f"{function.__module__}:{function.__qualname__}", []).append(own.does)
            waiting += [*own.uses, (str(function.__module__), UNNAMED)]
        seen: set[Place] = set()
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            statements, further = self._reached(place)
            found.setdefault(":".join(place), []).extend(each.does for each in statements)
            waiting += [*further, *(use for each in statements for use in each.uses)]
        told = sorted((name, sorted(set(does))) for name, does in found.items() if does)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    def _of(self, function: Callable[..., Any]) -> _Statement:
        """A function's own code; of a claim's body without the decorator that declares it."""
        try:
            top = self._found(function) or ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
        except (OSError, TypeError, SyntaxError, IndexError) as problem:
            name = f"{getattr(function, '__module__', None)}.{getattr(function, '__qualname__', function)}"
            raise CodeError(
                f"the code of {name} cannot be read ({problem}); define it in a file, or in a notebook's cell, and not by exec"
            ) from None
        claim = getattr(function, "__claim_id__", None)
        if claim is not None and isinstance(top, _OWN_NAMES):
            top.decorator_list = [each for each in top.decorator_list if not _declares(each, str(claim))]
        return _read(top, function.__module__, self._parsed(function.__module__, everywhere=True).imports, self._file)

    def _found(self, function: Callable[..., Any]) -> ast.stmt | None:
        """The definition in its module's source; None for what no file has."""
        path, code = self._file(function.__module__), getattr(function, "__code__", None)
        if path is None or code is None or Path(code.co_filename).absolute() != path:
            return None
        tree = self._tree(function.__module__, path)
        named = (node for node in ast.walk(tree) if isinstance(node, _OWN_NAMES) and node.name == code.co_name)
        first = (node for node in named if min(each.lineno for each in (node, *node.decorator_list)) == code.co_firstlineno)
        return copy.copy(next(first, None))

    def _tree(self, module: str, path: Path) -> ast.Module:
        if path not in self._trees:
            self._trees[path] = ast.parse(SOURCES.of(str(path), sys.modules.get(module)))
        return self._trees[path]

    def _reached(self, place: Place) -> tuple[list[_Statement], list[Place]]:
        """The statements that a place stands for, and the places to which it leads."""
        module, name = place
        own = self._parsed(module)
        if name == ALL:
            return [each for statements in own.statements.values() for each in statements], [
                *own.imports.values(), *((star, ALL) for star in own.stars)
            ]  # fmt: skip
        if name == UNNAMED:
            return own.statements.get(ALL, []), []
        if name in own.statements:  # and those that bind no name, which may register, or set, things
            return [*own.statements[name], *own.statements.get(ALL, [])], []
        if name in own.imports:
            return [], [own.imports[name]]
        if own.stars:
            return [], [(each, name) for each in own.stars]
        below = f"{module}.{name}"
        return [], [(below, ALL)] if self._is_own(self._file(below)) else []

    def _parsed(self, module: str, *, everywhere: bool = False) -> _Module:
        """A module of the project (or from ``everywhere``); what is none has nothing."""
        path = self._file(module)
        if path is None or not (everywhere or self._is_own(path)):
            return _Module({}, {})
        if module not in self._modules:
            self._modules[module] = _parse(module, path, self._tree(module, path), self._file, self._is_own)
        return self._modules[module]

    def _file(self, module: str) -> Path | None:
        """The file of a module, or None."""
        if module not in self._files:
            path = _file(module)
            self._files[module] = path
        return self._files[module]

    def _is_own(self, path: Path | None) -> bool:
        """Whether a file belongs to the project, wherever it lies: it is neither the harness's nor installed."""
        return path is not None and not installed(str(path)) and not path.is_relative_to(_PACKAGE)


def _declares(decorator: ast.expr, claim: str) -> bool:
    """Whether a decorator is the claim's declaration: it is called with the claim's id, or with the id's last part."""
    names = (claim, claim.split("/")[-1])
    given = decorator.args if isinstance(decorator, ast.Call) else []
    return any(isinstance(each, ast.Constant) and each.value in names for each in given)


def _file(module: str) -> Path | None:
    """The Python file that a module comes from, whether or not it was imported; None where there is none."""
    known = sys.modules.get(module)
    try:
        found = getattr(known, "__file__", None) if known is not None else getattr(find_spec(module), "origin", None)
    except (ImportError, ValueError, AttributeError):
        return None
    path = Path(str(found)).absolute()
    return path if path.suffix == ".py" and path.is_file() else None


def _is_registered(
    node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, module: str, imports: dict[str, Place],
    is_own: Callable[[Path | None], bool], file_of: FileOf,
) -> bool:  # fmt: skip
    """Whether a decorator of the project may have handed a definition to others: it then runs without being named.

    Claims and fixtures are none: they are collected by their names, and each is code of its own alone.
    """
    if node.name.startswith("test_"):
        return False
    for decorator in map(_called, node.decorator_list):
        root: ast.expr = decorator
        while isinstance(root, ast.Attribute | ast.Call | ast.Subscript):
            root = root.func if isinstance(root, ast.Call) else root.value
        if isinstance(root, ast.Name):
            known = root.id in imports
            from_module = imports[root.id][0] if known else module
            builtin = not known and hasattr(builtins, root.id)
            if not builtin and is_own(file_of(from_module)):
                return True
    return False


def _called(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _parse(
    module: str, path: Path, tree: ast.Module, file_of: FileOf, is_own: Callable[[Path | None], bool]
) -> _Module:
    statements: dict[str, list[_Statement]] = {}
    imports: dict[str, Place] = {}
    stars: list[str] = []
    for node in tree.body:
        for each in _outside_of_functions(node):
            imports.update(_imported(each, module, path))
            if isinstance(each, ast.ImportFrom) and each.names[0].name == "*":
                stars.append(_base(each, module, path))
    for node in tree.body:
        says_only = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not says_only and not isinstance(node, ast.Import | ast.ImportFrom):
            statement = _read(node, module, imports, file_of, path)
            for name in _bound(node) or (ALL,):
                statements.setdefault(name, []).append(statement)
            if isinstance(node, _OWN_NAMES) and _is_registered(node, module, imports, is_own, file_of):
                statements.setdefault(ALL, []).append(statement)
    return _Module(statements, imports, tuple(stars))


def _outside_of_functions(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it that run, and bind names, where it stands."""
    yield node
    if not isinstance(node, _OWN_NAMES):
        for child in ast.iter_child_nodes(node):
            yield from _outside_of_functions(child)


def _bound(node: ast.stmt) -> set[str]:
    """Names that a statement binds in its module."""
    names = {each.name for each in _outside_of_functions(node) if isinstance(each, _OWN_NAMES)}
    stored = (each for each in _outside_of_functions(node) if isinstance(each, ast.Name))
    return names | {each.id for each in stored if isinstance(each.ctx, ast.Store)}


def _imported(node: ast.AST, module: str, path: Path | None) -> dict[str, Place]:
    """Where the names that an import binds come from."""
    if isinstance(node, ast.Import):
        return {each.asname or each.name.split(".")[0]: (each.name, ALL) for each in node.names}
    if isinstance(node, ast.ImportFrom):
        base = _base(node, module, path)
        return {each.asname or each.name: (base, each.name) for each in node.names if each.name != "*"}
    return {}


def _base(node: ast.ImportFrom, module: str, path: Path | None) -> str:
    """The module that an import takes names from."""
    package = module if path is not None and path.name == "__init__.py" else module.rpartition(".")[0]
    return resolve_name("." * node.level + (node.module or ""), package) if node.level else str(node.module)


def _by_name(call: ast.Call, module: str, path: Path | None) -> str | None:
    """The module that ``importlib.import_module`` or ``__import__`` is called with, as text; None of another call."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", None)
    given = call.args[0] if call.args else next((each.value for each in call.keywords if each.arg == "name"), None)
    if called not in ("import_module", "__import__") or not isinstance(given, ast.Constant) or not isinstance(given.value, str):
        return None
    level = len(given.value) - len(given.value.lstrip("."))
    return _base(ast.ImportFrom(given.value[level:], [], level), module, path)


def _read(tree: ast.stmt, module: str, imports: dict[str, Place], file_of: FileOf, path: Path | None = None) -> _Statement:
    """What a statement does, and the places that it uses."""
    known = dict(imports)
    for node in ast.walk(tree):
        known.update(_imported(node, module, path))
    uses: dict[Place, None] = {}
    of_modules: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
            base, name = known[node.value.id]
            within = base if name == ALL else f"{base}.{name}"
            if file_of(within) is not None:  # module.name: that name alone counts
                uses[within, node.attr] = None
                of_modules.add(id(node.value))
        elif isinstance(node, ast.Call) and (named := _by_name(node, module, path)):
            uses[named, ALL] = None
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and id(node) not in of_modules:
            uses[known.get(node.id, (module, node.id))] = None
    return _Statement(written(tree), tuple(uses))
