"""A module's statements, each with what it does, the names that it uses, and what else one has to know to follow it.

Names are followed to modules and definitions of them (:data:`Place`).  What no name shows counts in full: of a module whose
names are looked up by texts (``globals()[…]``, ``vars(module)``) all of it, of a computed import all modules of the package.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import resolve_name
from pathlib import Path

from harness.code.canonical import written
from harness.code.imports import FROM_FILES, IMPORTING, for_type_checkers, named_import
from harness.code.requested import Requested, requested

DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
ALL = ""
UNNAMED = "-"  # no name: the statements that run whenever a module is reached
Place = tuple[str, str]  # a module and a name in it, ALL of it, what is UNNAMED in it, or ANY module of a package
_BY_TEXT = frozenset({"globals", "eval", "exec"})  # builtins that find names of the module by texts
_TABLES = frozenset({"__dict__", "__getattribute__"})  # attributes of a module that hold all of its names
_LONGEST = 255  # characters of the name of a file


@dataclass(frozen=True)
class Class:
    """A class of a statement: its bases, whether its own body is told of classes below it, and its metaclass."""

    bases: tuple[Place, ...]
    told: bool
    made_by: Place | None


@dataclass(frozen=True)
class Statement:
    """What a statement does.

    Attributes:
        does: its syntax tree as text.
        uses: places of the names that it uses.
        runs: modules that it imports, whether or not it uses a name of theirs.
        requested: what it asks pytest for.
        lists: whether it asks classes for those below them (``__subclasses__``).
        classes: those that it defines.
        files: texts in it that may name files.
        loads: the line on which it runs a file by its path, or None.
        idle: whether it is for type checkers alone.
    """

    does: str
    uses: tuple[Place, ...]
    runs: tuple[str, ...] = ()
    requested: Requested = field(default_factory=Requested)
    lists: bool = False
    classes: tuple[Class, ...] = ()
    files: tuple[str, ...] = ()
    loads: int | None = None
    idle: bool = False


@dataclass(frozen=True)
class Module:
    """A module's statements by the names that they bind (ALL: by none), and where its imported names come from."""

    statements: dict[str, list[Statement]] = field(default_factory=dict)
    imports: dict[str, Place] = field(default_factory=dict)
    stars: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reader:
    """Reads statements of a module.

    Attributes:
        module: its full name.
        is_package: whether it is the ``__init__`` of a package.
        is_module: whether a full name is that of a module.
    """

    module: str
    is_package: bool
    is_module: Callable[[str], bool]

    @property
    def package(self) -> str:
        """To which relative imports refer."""
        return self.module if self.is_package else self.module.rpartition(".")[0]

    def imported(self, node: ast.AST) -> dict[str, Place]:
        """Where the names that an import binds come from."""
        if isinstance(node, ast.Import):
            own = ((each.asname, each.name.partition(".")[0], each.name) for each in node.names)
            return {renamed or top: (name if renamed else top, ALL) for renamed, top, name in own}
        if isinstance(node, ast.ImportFrom):
            base = self.base(node)
            return {each.asname or each.name: (base, each.name) for each in node.names if each.name != "*"}
        return {}

    def base(self, node: ast.ImportFrom) -> str:
        """The module that an import takes names from."""
        return resolve_name("." * node.level + (node.module or ""), self.package) if node.level else str(node.module)

    def run_by(self, node: ast.AST) -> Iterator[str]:
        """The modules that an import runs."""
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = self.base(node)
            yield base
            yield from (f"{base}.{each.name}" for each in node.names if self.is_module(f"{base}.{each.name}"))

    def read(self, tree: ast.stmt, imports: dict[str, Place]) -> Statement:
        """A statement, given what its module imports."""
        known, nodes = dict(imports), list(ast.walk(tree))
        for node in nodes:
            known.update(self.imported(node))
        uses: dict[Place, None] = {}
        followed, loads = set[int](), None  # names that are the beginning of a chain which was followed
        for node in nodes:
            if isinstance(node, ast.Attribute) and (chain := self._chain(node, known)) is not None:
                place, root = chain
                if id(root) not in followed:  # the longest chain comes first
                    uses[place] = None
                    followed.add(id(root))
            elif isinstance(node, ast.Call):
                called = _called(node, known)
                if called in IMPORTING:
                    one = named_import(node, called, self.package)
                    uses[one.module or self.module.partition(".")[0], one.name or ALL] = None
                elif called in FROM_FILES:
                    loads = node.lineno
                elif (called in _BY_TEXT and called not in known) or (called == "vars" and not node.args):
                    uses[self.module, ALL] = None
            if (loaded := self._loaded(node)) is not None:
                uses[loaded, ALL] = None
        for node in nodes:
            if isinstance(node, ast.Name) and id(node) not in followed:
                uses[known.get(node.id, (self.module, node.id))] = None
        return Statement(
            written(tree), tuple(uses), tuple(run for node in nodes for run in self.run_by(node)), requested(nodes),
            any(isinstance(node, ast.Attribute) and node.attr == "__subclasses__" for node in nodes),
            tuple(self._class(node, known) for node in outside_of_functions(tree) if isinstance(node, ast.ClassDef)),
            tuple(dict.fromkeys(_named_files(nodes))), loads,
            isinstance(tree, ast.If) and for_type_checkers(tree.test) and not tree.orelse,
        )  # fmt: skip

    def _chain(self, node: ast.Attribute, known: dict[str, Place]) -> tuple[Place, ast.Name] | None:
        """What ``package.module.name`` stands for, with the name that it begins with; None where that is no module."""
        names, root = [node.attr], node.value
        while isinstance(root, ast.Attribute):
            names, root = [root.attr, *names], root.value
        if not isinstance(root, ast.Name) or root.id not in known:
            return None
        base, name = known[root.id]
        within = base if name == ALL else f"{base}.{name}"
        if name != ALL and not self.is_module(within):
            return None
        for each in names:
            if each in _TABLES:
                return (within, ALL), root
            if not self.is_module(f"{within}.{each}"):
                return (within, each), root
            within = f"{within}.{each}"
        return (within, ALL), root

    def _loaded(self, node: ast.AST) -> str | None:
        """The module that ``sys.modules`` is asked for: this one where no text says which."""
        value = node.value if isinstance(node, ast.Subscript | ast.Attribute) else None
        if not isinstance(value, ast.Attribute) or value.attr != "modules" or getattr(value.value, "id", None) != "sys":
            return None
        key = node.slice if isinstance(node, ast.Subscript) else None
        return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else self.module

    def _class(self, node: ast.ClassDef, known: dict[str, Place]) -> Class:
        bases = tuple(place for each in node.bases if (place := self._place(each, known)) is not None)
        told = any(isinstance(each, DEFINITIONS) and each.name == "__init_subclass__" for each in node.body)
        made_by = next((self._place(each.value, known) for each in node.keywords if each.arg == "metaclass"), None)
        return Class(bases, told, made_by)

    def _place(self, node: ast.expr, known: dict[str, Place]) -> Place | None:
        """What a base of a class stands for."""
        while isinstance(node, ast.Subscript):
            node = node.value
        if isinstance(node, ast.Attribute):
            chain = self._chain(node, known)
            return None if chain is None else chain[0]
        return known.get(node.id, (self.module, node.id)) if isinstance(node, ast.Name) else None


def outside_of_functions(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it that run, and bind names, where it stands."""
    yield node
    if not isinstance(node, DEFINITIONS):
        for child in ast.iter_child_nodes(node):
            yield from outside_of_functions(child)


def bound(node: ast.stmt) -> set[str]:
    """Names that a statement binds in its module."""
    names = {each.name for each in outside_of_functions(node) if isinstance(each, DEFINITIONS)}
    stored = (each for each in outside_of_functions(node) if isinstance(each, ast.Name))
    return names | {each.id for each in stored if isinstance(each.ctx, ast.Store)}


def _called(node: ast.Call, known: dict[str, Place]) -> str:
    """The name of what a call calls, before it was renamed by an import."""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return known.get(function.id, ("", function.id))[1] if isinstance(function, ast.Name) else ""


def _named_files(nodes: list[ast.AST]) -> Iterator[str]:
    """Texts that may name a file: those in the code, those joined by ``/``, and those given together to one call."""
    said = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}  # a docstring names none
    for node in nodes:
        parts = [node] if id(node) not in said else []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            parts, left = [node.right], node.left
            while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Div):
                parts, left = [left.right, *parts], left.left
            parts = [left, *parts] if isinstance(left, ast.Constant) else parts
        elif isinstance(node, ast.Call):
            parts = [each for each in node.args if isinstance(each, ast.Constant)]
        texts = [each.value if isinstance(each, ast.Constant) and isinstance(each.value, str) else "" for each in parts]
        name = "/".join(texts)
        if all(texts) and len(name) <= _LONGEST and ("." in name or "/" in name) and name.isprintable():
            yield name


def folders(path: Path, root: Path | None) -> Iterator[Path]:
    """The folder of a file, and those above it up to the project's."""
    yield path.parent
    if root is not None and path.is_relative_to(root):
        yield from (each for each in path.parent.parents if each.is_relative_to(root))
