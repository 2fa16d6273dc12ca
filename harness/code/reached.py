"""Which first-party code some functions use: the definitions that they reach by name, and nothing beside them.

A claim's design has the code of its body and of its fixtures.  A module holds the claims of a whole document, so that it is too
much: another claim's margin would count as code of this one.  Followed are the names that a definition uses: to other
definitions of its module, through imports to those of other modules of the project, on and on.  Classes that nobody names count
where a class above them is told of them, or is asked for them; files that a definition names count by their content.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.code.imports import ANY
from harness.code.loaded import CodeError
from harness.code.project import Project, ancestors, spec_of
from harness.code.requested import Requested
from harness.code.statements import ALL, DEFINITIONS, UNNAMED, Class, Place, Statement


@dataclass(frozen=True)
class Reached:
    """What some functions reach.

    Attributes:
        digest: of all of it.
        requested: what it asks pytest for while it runs.
    """

    digest: str
    requested: Requested


class ReachedCode:
    """The code of a project, as it was imported.

    Comments, docstrings and layout do not count, nor does the version of Python.  The package harness and installed packages
    do not count either: the harness names what it measures by its code, and stands in the provenance of a run.  All else is the
    project's own, also what pytest's option ``pythonpath`` finds outside of its folder.

    Args:
        root: see :class:`harness.code.project.Project`.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._project = Project(root)
        self._own: dict[Any, Statement] = {}

    def digest(self, functions: Iterable[Callable[..., Any]], definitions: Iterable[Any] = ()) -> str:
        """Digest of what functions do and of all that they reach in the project's files; see :meth:`reach`."""
        return self.reach(functions, definitions).digest

    def reach(
        self, functions: Iterable[Callable[..., Any]], definitions: Iterable[Any] = (), places: Iterable[Place] = ()
    ) -> Reached:
        """What functions do, and all that they reach in the project's files.

        Args:
            functions: bodies and fixtures; the declaration of a claim does not count as code of its body.
            definitions: further functions and classes of modules, such as those that a spec holds.
            places: further names of modules.

        Raises:
            CodeError: the code of a function cannot be read, or it runs code that cannot be told.
        """
        walk = _Walk(self._project, list(places))
        for each in definitions:
            walk.waiting.append((str(each.__module__), each.__qualname__.partition(".")[0]))
        for function in functions:
            walk.take(f"{function.__module__}:{function.__qualname__}", str(function.__module__), self._statement(function))
            walk.waiting.append((str(function.__module__), UNNAMED))
        return walk.whole()

    def _statement(self, function: Callable[..., Any]) -> Statement:
        return self._own.get(function) or self._own.setdefault(function, self._of(inspect.unwrap(function)))

    def _of(self, function: Callable[..., Any]) -> Statement:
        """A function's own code; of a claim's body without the decorator that declares it."""
        try:
            top = self._found(function) or ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
        except (OSError, TypeError, SyntaxError, IndexError) as problem:
            name = f"{getattr(function, '__module__', None)}.{getattr(function, '__qualname__', function)}"
            raise CodeError(
                f"the code of {name} cannot be read ({problem}); define it in a file, or in a notebook's cell, and not by exec"
            ) from None
        claim = getattr(function, "__claim_id__", None)
        if claim is not None and isinstance(top, DEFINITIONS):
            top.decorator_list = [each for each in top.decorator_list if not _declares(each, str(claim))]
        known = self._project.parsed(function.__module__, everywhere=True).imports
        return self._project.reader(function.__module__).read(top, known)

    def _found(self, function: Callable[..., Any]) -> ast.stmt | None:
        """The definition in its module's source; None for what no file has."""
        path, code = self._project.file(function.__module__), getattr(function, "__code__", None)
        if path is None or code is None or Path(code.co_filename).absolute() != path:
            return None
        tree = self._project.tree(function.__module__, path)
        named = (node for node in ast.walk(tree) if isinstance(node, DEFINITIONS) and node.name == code.co_name)
        first = (node for node in named if min(each.lineno for each in (node, *node.decorator_list)) == code.co_firstlineno)
        return copy.copy(next(first, None))


@dataclass
class _Walk:
    """One way from functions through what they use."""

    project: Project
    waiting: list[Place] = field(default_factory=list)
    seen: set[Place] = field(default_factory=set)
    found: dict[str, list[str]] = field(default_factory=dict)
    runs: dict[str, None] = field(default_factory=dict)
    requested: Requested = field(default_factory=Requested)
    lists: bool = False

    def take(self, name: str, module: str, statement: Statement) -> None:
        """Count a statement under a name, and look at what it uses."""
        if statement.loads is not None:
            raise CodeError(
                f"{module}, line {statement.loads}, loads code from a file, so that what it does cannot be told: import it as "
                "a module"
            )
        self.found.setdefault(name, []).append(statement.does)
        self.waiting += statement.uses
        self._run([module, *statement.runs])
        self.requested |= statement.requested
        self.lists |= statement.lists
        for file in statement.files:
            if (content := self.project.content(module, file)) is not None:
                self.found[f"file {file}"] = [content]

    def whole(self) -> Reached:
        """All that is reached."""
        while self.waiting:
            while self.waiting:
                place = self.waiting.pop()
                if place not in self.seen:
                    self.seen.add(place)
                    self._look(place)
            named = {module for module, _ in self.seen}
            self.waiting += [(module, UNNAMED) for module in self.runs if module not in named and self._does_something(module)]
            self.waiting += [place for place in (*self._unnamed_classes(), *self._handed_on()) if place not in self.seen]
        told = sorted((name, sorted(set(does))) for name, does in self.found.items() if does)
        return Reached(hashlib.sha256(repr(told).encode()).hexdigest()[:16], self.requested)

    def _does_something(self, module: str) -> bool:
        return not all(each.idle for each in self.project.parsed(module).statements.get(ALL, ()))

    def _look(self, place: Place) -> None:
        """Take the statements that a place stands for, and go on to the places to which it leads."""
        module, name = place
        if name == ANY:
            self.waiting += [(each, ALL) for each in self._every(module)]
            return
        own, taken = self.project.parsed(module), list[Statement]()
        if name == ALL:
            taken = [each for statements in own.statements.values() for each in statements]
            self.waiting += [*own.imports.values(), *((star, ALL) for star in own.stars)]
        elif name == UNNAMED:
            taken = own.statements.get(ALL, [])
        elif name in own.statements:  # and those that bind no name, which may register, or set, things
            taken = [*own.statements[name], *own.statements.get(ALL, [])]
        elif name in own.imports:
            self.waiting.append(own.imports[name])
        elif own.stars:
            self.waiting += [(each, name) for each in own.stars]
        elif self.project.is_own(self.project.file(below := f"{module}.{name}")):
            self.waiting.append((below, ALL))
        for statement in taken:
            self.take(":".join(place), module, statement)

    def _run(self, modules: Iterable[str]) -> None:
        """Note modules that are imported, with the packages that they lie in and all that they import."""
        waiting = list(modules)
        while waiting:
            module = waiting.pop()
            if module not in self.runs and self.project.is_own(self.project.file(module)):
                self.runs[module] = None
                waiting += [*ancestors(module), *self.project.parsed(module).runs]

    def _handed_on(self) -> Iterator[Place]:
        """All of the modules that are imported from packages which count whole: whoever has the package has them, too."""
        whole = tuple(f"{module}." for module, name in self.seen if name == ALL)
        yield from ((module, ALL) for module in self.runs if whole and module.startswith(whole))

    def _unnamed_classes(self) -> Iterator[Place]:
        """Classes that a class above them is told of, or that are found from one which is asked for those below it."""
        for module in self.runs:
            for name, statements in self.project.parsed(module).statements.items():
                classes = [each for statement in statements for each in statement.classes]
                if name != ALL and any(map(self._is_handed_on, classes)):
                    yield module, name

    def _is_handed_on(self, kind: Class) -> bool:
        above = list(self._above(kind))
        if any(self._of_project(each.made_by) for each in (kind, *(each for _, each in above))):
            return True
        reached = self.lists and any(place in self.seen or (place[0], ALL) in self.seen for place, _ in above)
        return reached or any(each.told for _, each in above)

    def _above(self, kind: Class) -> Iterator[tuple[Place, Class]]:
        """The classes of the project that a class derives from, with their places."""
        waiting, seen = list(kind.bases), set[Place]()
        while waiting:
            place = self.project.origin(waiting.pop())
            if place not in seen:
                seen.add(place)
                for each in self.project.class_at(place):
                    yield place, each
                    waiting += each.bases

    def _of_project(self, place: Place | None) -> bool:
        return place is not None and any(True for _ in self.project.class_at(place))

    def _every(self, package: str) -> Iterator[str]:
        """All modules of a package: one of them is imported by a name that is computed."""
        spec = spec_of(package) if package else None
        if spec is None or spec.submodule_search_locations is None:
            raise CodeError(
                f"{package or 'a module'} imports a module whose name is computed, so that what it does cannot be told: "
                "import it by name, or put what may be imported into one package and begin the name with the package's"
            )
        for folder in spec.submodule_search_locations:
            own = self.project.is_own(Path(folder).absolute() / "any.py")
            for file in sorted(Path(folder).rglob("*.py")) if own else ():
                parts = file.relative_to(folder).with_suffix("").parts
                yield ".".join([package, *(parts[:-1] if parts[-1] == "__init__" else parts)])


def _declares(decorator: ast.expr, claim: str) -> bool:
    """Whether a decorator is the claim's declaration: it is called with the claim's id, or with the id's last part."""
    names = (claim, claim.split("/")[-1])
    given = decorator.args if isinstance(decorator, ast.Call) else []
    return any(isinstance(each, ast.Constant) and each.value in names for each in given)
