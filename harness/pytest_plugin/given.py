"""What pytest hands to a claim's body, and the body as the plain function of a harness that the rest of the package knows.

A body is called again with other harnesses, for more seeds, other settings or its design.  So what depends on a harness has to
be a study that the body calls.  A pytest fixture may give a claim anything else, or be a one-line adapter for a study:

    @pytest.fixture
    def networks(harness):
        return grid(harness)

While the fixtures of a claim are made, ``harness`` is therefore a :class:`Door`, which can only be handed to studies.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from harness.code import ReachedCode
from harness.errors import ClaimError
from harness.running.asking import ClaimDesign, Designer, Standing
from harness.running.session import Harness, needs

if TYPE_CHECKING:
    from harness.running.growth import Body

REMEDY = (
    "make it a study (@study def NAME(harness): …) and call that in the claim's body, so that it can be asked again with more "
    "seeds or other settings"
)
_FIXTURE = type(pytest.fixture(lambda: None))
_NOT_OF_A_PROJECT = ("_pytest.", "harness.")  # modules whose fixtures belong to a run, not to a design
_PROJECT: pytest.StashKey[ReachedCode] = pytest.StashKey()
_DESIGNERS: pytest.StashKey[dict[str, Designer]] = pytest.StashKey()


@dataclass(frozen=True, eq=False)
class Deferred:
    """A study that a fixture named; the body is handed what it returns."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python's protocols
            raise AttributeError(name)
        raise ClaimError(
            f"a fixture takes {name!r} from what a study returns, which does not exist before the body is called: {REMEDY}"
        )

    def _unmade(self, *_: object) -> Any:
        raise ClaimError(f"a fixture uses what a study returns, which does not exist before the body is called: {REMEDY}")

    __getitem__ = __iter__ = __len__ = __bool__ = __contains__ = __call__ = __float__ = __int__ = _unmade
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __add__ = __sub__ = __mul__ = __truediv__ = _unmade
    __hash__ = _unmade


class Door:
    """A harness as the fixtures of a claim see it.

    Args:
        scale: the session's, as are the others.
    """

    def __init__(self, scale: str, device: str, llc_engine: str) -> None:
        self.scale, self.device, self.llc_engine = scale, device, llc_engine

    def remembered(self, function: Callable[..., Any], arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Deferred:
        """See :meth:`Harness.remembered`."""
        return Deferred(function, arguments, named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ClaimError(f"a fixture of a claim uses harness.{name}: {REMEDY}")


def body_of(item: pytest.Function) -> Body:
    """The claim's body, its fixtures made, as a function of a harness."""
    function, every = item.obj, {name: item.funcargs[name] for name in needs(item.obj)}
    given = {name: value for name, value in every.items() if not isinstance(value, Door)}
    doors = tuple(name for name in every if name not in given)  # a search tells what was given by its state

    def body(harness: Harness | None) -> Any:
        made = {name: _opened(value, harness) for name, value in given.items()}
        result = function(**made, **dict.fromkeys(doors, harness))
        if inspect.iscoroutine(result):
            result.close()  # it will be refused as no Evidence; unclosed it would warn besides
        return result

    return body


def reads_a_harness(item: pytest.Function) -> bool:
    """Whether the claim's body is handed the harness, or a study."""
    return any(isinstance(item.funcargs[name], Door | Deferred) for name in needs(item.obj))


def _opened(value: Any, harness: Harness | None) -> Any:
    if not isinstance(value, Deferred):
        return value
    assert harness is not None  # whoever calls the body has asked reads_a_harness
    return harness.remembered(value.function, value.arguments, value.named)


def design_of(item: pytest.Function, scale: str) -> ClaimDesign:
    """What a claim asks for at a scale; see :meth:`harness.running.asking.Designer.design_of`."""
    designers = item.config.stash.setdefault(_DESIGNERS, {})
    if scale not in designers:
        project = item.config.stash.setdefault(_PROJECT, ReachedCode(item.config.rootpath))
        designers[scale] = Designer(scale, project)
    return designers[scale].design_of(item.obj, _standing(item))


def _standing(item: pytest.Function) -> Standing:
    every = list(_every_fixture(item))

    def fixtures(name: str | None) -> Sequence[Callable[..., Any]]:
        """All of a name: the first is the one that is drawn; to tell whether a claim has changed, each of them counts."""
        return [function for own, function in every if name is None or own == name]

    markers = tuple((each.name, each.args, each.kwargs) for each in item.iter_markers())
    return Standing(fixtures, item.fixturenames, tuple(_beside(item)), item.module.__name__, markers)


def design_in(item: pytest.Item, scale: str) -> dict[str, Any]:
    """The design as a row holds it."""
    assert isinstance(item, pytest.Function)  # nothing else is a claim
    return design_of(item, scale).to_json()


def _beside(item: pytest.Function) -> Iterator[Any]:
    """What runs with a claim, or holds what it uses, without being named by it: its class, and xunit-style set-up."""
    if item.cls is not None:
        yield item.cls
    for name in ("setup_module", "setUpModule", "setup_function"):
        if inspect.isfunction(function := getattr(item.module, name, None)):
            yield function


def _every_fixture(item: pytest.Function) -> Iterator[tuple[str, Callable[..., Any]]]:
    """(name, function) of the fixtures in the claim's class, its module, conftest files and plugins.

    The nearest stand first: by pytest's documentation they override the others; of one place, the last by attribute.
    """
    seen: set[int] = set()
    for home in _homes(item):
        held = (
            vars(home)
            if isinstance(home, ModuleType)
            else {each: inspect.getattr_static(home, each, None) for each in dir(home)}
        )
        for _, defined in sorted(held.items(), key=itemgetter(0), reverse=True):
            if isinstance(defined, _FIXTURE) and id(defined) not in seen:
                seen.add(id(defined))
                function = inspect.unwrap(defined)
                if not str(function.__module__).startswith(_NOT_OF_A_PROJECT):
                    yield defined.name, function


def _homes(item: pytest.Function) -> Iterator[Any]:
    """What may hold fixtures, nearest first: class, module, conftest files from the claim's folder up, plugins, the rest."""
    if item.cls is not None:
        yield item.cls
    yield item.module
    plugins = [plugin for _, plugin in item.config.pluginmanager.list_name_plugin() if isinstance(plugin, ModuleType)]
    above = list(item.path.parents)

    def distance(plugin: ModuleType) -> int:
        file = Path(str(getattr(plugin, "__file__", None)))
        if file.name != "conftest.py":
            return len(above)
        return above.index(file.parent) if file.parent in above else len(above) + 1

    plugins.reverse()  # of plugins, the one that is registered last overrides the others
    yield from sorted(plugins, key=distance)
