"""What a source imports, read off its syntax tree: anywhere in it, in functions, too, but not for type checkers alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from harness.code.canonical import parsed

IMPORTING = {"import_module": ("name", "package"), "__import__": ("name", "globals", "locals", "fromlist", "level")}
"""Functions that import what a text names, with their arguments."""
FROM_FILES = {"spec_from_file_location", "run_path", "load_source"}
"""Functions that run a file."""
ANY = "**"  # of a package: all of its modules
UNKNOWN = "??"  # what nobody can follow


@dataclass(frozen=True)
class Import:
    """One imported name.

    Attributes:
        module: full name of the module; for a computed import the package that the computed name begins with, or "" where
            nothing of it is known.
        name: what is taken from it, or None for the module itself; ``ANY`` for every module of a package, of which one is
            chosen while the program runs.
        line: where it stands.
        certain: False for an attribute of something imported, which may be a module or anything else.
    """

    module: str
    name: str | None
    line: int
    certain: bool = True


@dataclass(frozen=True)
class Facts:
    """What the closure needs to know of a source.

    Attributes:
        imports: all that it imports, names in the order of the source.
        exports: for each name that an import at the top level binds, where it comes from.
        passive: whether it only binds names at its top level (definitions, assignments, imports), so that importing it changes
            nothing elsewhere.
    """

    imports: tuple[Import, ...]
    exports: dict[str, Import]
    passive: bool


@lru_cache(maxsize=4096)
def facts(source: bytes, name: str, is_package: bool) -> Facts:
    """The :class:`Facts` of a module's source.

    Args:
        source: its text.
        name: its full name, to which relative imports refer.
        is_package: whether it is the ``__init__`` of a package.

    Raises:
        SyntaxError: it is no Python.
    """
    tree = parsed(source)
    package = name if is_package else name.rpartition(".")[0]
    running = _running(tree)
    found = list(_imports(tree, running, package))
    at_top = {id(node) for node in tree.body}
    exports = {bound: one for node, bound, one in found if id(node) in at_top and bound}
    ones = dict.fromkeys([*(one for _, _, one in found), *_attributes(running, found)])
    return Facts(tuple(ones), exports, all(_only_binds(node) for node in tree.body))


def _imports(tree: ast.AST, running: list[ast.AST], package: str) -> Iterator[tuple[ast.AST, str | None, Import]]:
    """Every import among the nodes of a tree that run, with the statement and the name that it binds."""
    renamed = {
        alias.asname: alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
        if alias.asname
    }  # fmt: skip
    for node in running:
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or (alias.name if "." not in alias.name else None)
                yield node, bound, Import(alias.name, None, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            for alias in node.names:
                yield node, alias.asname or alias.name, Import(base, alias.name, node.lineno)
        elif isinstance(node, ast.Call) and (called := renamed.get(name := _called(node) or "", name)) in IMPORTING:
            yield node, None, named_import(node, called, package)
        elif isinstance(node, ast.Call) and called in FROM_FILES:
            yield node, None, Import(called, UNKNOWN, node.lineno)


def _running(tree: ast.AST) -> list[ast.AST]:
    """All nodes below one in the order of the source, but not what stands under ``if TYPE_CHECKING``."""
    found: list[ast.AST] = []
    pending = _children(tree)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and for_type_checkers(node.test):
            pending += reversed(node.orelse)
        else:
            found.append(node)
            pending += _children(node)
    return found


def _children(node: ast.AST) -> list[ast.AST]:
    """The nodes right below one, the last first; whether a name is read or bound says nothing here."""
    found: list[ast.AST] = []
    for name in node._fields:
        held = getattr(node, name, None)
        if isinstance(held, list):
            found += [each for each in held if isinstance(each, ast.AST)]
        elif isinstance(held, ast.AST) and name != "ctx":
            found.append(held)
    found.reverse()
    return found


def for_type_checkers(test: ast.expr) -> bool:
    """Whether a condition holds for type checkers alone."""
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module of a from-import, a relative one resolved."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    base = ".".join(parts[: len(parts) - node.level + 1])
    return f"{base}.{node.module}" if node.module and base else node.module or base


def _called(node: ast.Call) -> str | None:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else None


def named_import(node: ast.Call, called: str, package: str) -> Import:
    """What a call that imports by name imports: that module, or any of the package that its name begins with.

    Args:
        node: the call.
        called: which of ``IMPORTING`` it calls.
        package: the package in which it stands, to which relative names refer where it names no other.
    """
    if any(isinstance(each, ast.Starred) for each in node.args):
        return Import("", ANY, node.lineno)
    given = dict(zip(IMPORTING[called], node.args, strict=False)) | {each.arg or "**": each.value for each in node.keywords}
    name = given.get("name")
    first = name.values[0] if isinstance(name, ast.JoinedStr) and name.values else name
    if isinstance(first, ast.BinOp) and isinstance(first.op, ast.Add):
        first = first.left
    text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
    whole = isinstance(name, ast.Constant)
    level = len(text) - len(text.lstrip(".")) if called == "import_module" else _literal(given.get("level"), 0)
    if level is None:
        return Import("", ANY, node.lineno)
    if level:
        anchor = _package_given(given.get("package"), package)
        if not anchor:
            return Import("", ANY, node.lineno)
        parts, rest = anchor.split("."), text.lstrip(".")
        base = ".".join(parts[: len(parts) - level + 1])
        text = f"{base}.{rest}" if rest or not whole else base
    return Import(text, None, node.lineno) if whole else Import(text.rpartition(".")[0], ANY, node.lineno)


def _literal(node: ast.expr | None, default: int) -> int | None:
    """A whole number as it is written; None where it is computed."""
    if node is None:
        return default
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int) else None


def _package_given(node: ast.expr | None, own: str) -> str:
    """The package that a relative name refers to; "" where it is computed."""
    if node is None:
        return own
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return own if isinstance(node, ast.Name) and node.id in ("__package__", "__name__") else ""


def _attributes(running: list[ast.AST], found: list[tuple[ast.AST, str | None, Import]]) -> Iterator[Import]:
    """What is reached as an attribute of an imported module: ``package.module.function`` after ``import package``."""
    modules = {bound: one for _, bound, one in found if bound and (one.name is None or one.name != ANY)}
    modules |= {one.module.split(".")[0]: Import(one.module.split(".")[0], None, one.line) for _, bound, one in found
                if one.name is None and bound is None and one.module}  # fmt: skip
    for node in running:
        if isinstance(node, ast.Attribute):
            chain, base = [node.attr], node.value
            while isinstance(base, ast.Attribute):
                chain, base = [base.attr, *chain], base.value
            if isinstance(base, ast.Name) and base.id in modules:
                one = modules[base.id]
                start = one.module if one.name is None else f"{one.module}.{one.name}"
                for length in range(len(chain)):
                    yield Import(".".join([start, *chain[:length]]), chain[length], node.lineno, certain=False)


def _only_binds(node: ast.stmt) -> bool:
    """Whether a statement at the top level binds names and does nothing else that another module could see."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Pass):
        return True
    if isinstance(node, ast.If) and for_type_checkers(node.test):
        return all(_only_binds(other) for other in node.orelse)
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign):
        return all(isinstance(target, ast.Name | ast.Tuple) for target in node.targets)
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
