"""The fixtures of a claim: those that it and they name as arguments, and those that they ask pytest for while they run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from harness.code import CodeError, ReachedCode

REQUEST = "request"
_PROJECT: pytest.StashKey[ReachedCode] = pytest.StashKey()
_OF_PYTEST = "_pytest."  # modules whose fixtures belong to a run, not to a design


def definitions_of(item: pytest.Function, name: str) -> tuple[Any, ...]:
    """The definitions of a fixture that the claim sees, the one that counts last; none where it sees none."""
    own = item._fixtureinfo.name2fixturedefs.get(name)
    return tuple(own or item.session._fixturemanager.getfixturedefs(name, item) or ())


def is_own(definition: Any) -> bool:
    """Whether a fixture is the project's, and neither pytest's nor the harness's."""
    return not str(getattr(definition.func, "__module__", "")).startswith((_OF_PYTEST, "harness."))


def fixtures_of(item: pytest.Function, names: Iterable[str]) -> Iterator[Any]:
    """The project's fixtures of these names, and all that they name as arguments; of one that replaces another, both."""
    waiting, seen = list(names), set[str]()
    found: dict[str, list[Any]] = {}
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            found[name] = [each for each in definitions_of(item, name) if is_own(each)]
            waiting += [needed for each in found[name] for needed in each.argnames]
    for _, definitions in sorted(found.items()):
        yield from definitions


def code_of(item: pytest.Function, definitions: Iterable[Any]) -> str:
    """Digest of the code of a claim's body and fixtures, those included that they ask for by name while they run.

    A name that is computed could be that of any fixture which the claim sees, so that all of them count.

    Args:
        item: the claim.
        definitions: further functions and classes that count.

    Raises:
        CodeError: a source cannot be read.
    """
    definitions, names = list(definitions), set(item._fixtureinfo.name2fixturedefs)
    while True:
        functions = [item.function, *(each.func for each in fixtures_of(item, names))]
        reached = _project(item).reach(functions, definitions)
        visible = _known(item) if None in reached.fixtures else ()
        asked = {name for name in (*reached.fixtures, *visible) if name is not None}
        if asked <= names:
            return reached.digest
        names |= asked


def _known(item: pytest.Function) -> Iterator[str]:
    """Names of all fixtures, whoever sees them."""
    tables = (table for name, table in vars(item.session._fixturemanager).items() if name.startswith("_arg2"))
    yield from (name for table in tables for name in table)


def needed_by(item: pytest.Function, definition: Any) -> tuple[str, ...]:
    """Names of the fixtures that a fixture needs: its arguments, and those that its own source asks for by name."""
    if REQUEST not in definition.argnames:
        return tuple(definition.argnames)
    return (*definition.argnames, *asked_in(item, definition.func))


def asked_in(item: pytest.Function, function: Callable[..., Any]) -> tuple[str, ...]:
    """Names that a function's own source gives to ``getfixturevalue``."""
    try:
        return tuple(sorted(name for name in _project(item).asked_in(function) if name is not None))
    except CodeError:
        return ()


def _project(item: pytest.Function) -> ReachedCode:
    """The code of the session's project."""
    if _PROJECT not in item.config.stash:
        item.config.stash[_PROJECT] = ReachedCode(item.config.rootpath)
    return item.config.stash[_PROJECT]


class Asking:
    """Stands in for pytest's ``request``: a fixture that is asked for by name comes from elsewhere.

    Args:
        request: what answers everything else.
        value: gives the value of a fixture.
    """

    def __init__(self, request: Any, value: Callable[[str], Any]) -> None:
        self._request, self._value = request, value

    def getfixturevalue(self, argname: str) -> Any:
        """See :meth:`pytest.FixtureRequest.getfixturevalue`."""
        return self._value(argname)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)
