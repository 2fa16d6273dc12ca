"""What a claim's body is given: at which scale, on which device, from which store, and with which open settings.

A body, and every study that it calls (:func:`harness.study.study`), is a plain function of a :class:`Harness`.  So to
find out what the claim would say with more seeds, with other settings or at another scale, it is called with another harness.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness import device as devices
from harness.errors import ClaimError
from harness.kept import Drop, noting, told
from harness.running.values import is_described, same
from harness.runs.read import Read, reading
from harness.runs.read import told as told_of

if TYPE_CHECKING:
    from harness.engines import Engine
    from harness.store import Store
    from harness.store.place import Place

STORE_VARIABLE = "HARNESS_STORE"
Value = TypeVar("Value")


@dataclass(frozen=True)
class _Made:
    """What a study returned, or raised, and what it did for that, which counts for everybody who calls it."""

    value: Any
    raised: Exception | None
    measured: tuple[Any, ...]
    trained: tuple[Any, ...]
    dropped: tuple[Drop, ...]
    asked: Mapping[str, Any]
    read: tuple[Read, ...] = ()


@dataclass(frozen=True, eq=False)
class Harness:
    """What a session was asked for, and where its models come from.

    Attributes:
        scale: "smoke", "reduced" or "full".
        device: "cpu" or "cuda".
        llc_engine: "stacked" or "devinterp"; what estimates a learning coefficient whose measurement names no engine.
        store: finds trained models and measurements, and makes the missing ones.
        settings: values of settings that a search has chosen; empty outside of one.
        asked: the settings that were asked for, with their defaults.
    """

    scale: str
    device: str
    llc_engine: str
    store: Store
    settings: Mapping[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)
    _made: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)
    _told: set[Any] = field(default_factory=set, init=False, repr=False)

    def for_one_claim(self) -> Harness:
        """The same, with what studies have returned so far, and records of its own of what is asked for and left out."""
        own = replace(self, asked={})
        object.__setattr__(own, "_made", self._made)
        return own

    def setting(self, name: str, default: Value) -> Value:
        """The value of a setting that a document leaves open: ``default``, or what a search chose from a claim's scope.

        Args:
            name: name of the setting, as scopes have it ("noise").
            default: its value outside of a search.
        """
        first = self.asked.setdefault(name, default)
        if not same(first, default):
            raise ClaimError(_two_defaults(name, first, default))
        chosen: Value = self.settings.get(name, default)
        return chosen

    def remembered(self, function: Callable[..., Value], arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Value:
        """What a study returns; it is run once for all claims that call it.

        A study that failed fails again, in the same way.

        Args:
            function: the study; its first argument is this harness.
            arguments: the others; hashable.
            named: those that are given by name.
        """
        key = call_of(function, arguments, named)
        if key not in self._made:
            self._made[key] = self._make(function, arguments, named, key)
        made: _Made = self._made[key]
        for name, default in made.asked.items():
            self.setting(name, default)
        self.store.measured.extend(made.measured)
        self.store.trained.extend(made.trained)
        new = [drop for drop in made.dropped if drop.call not in self._told]
        self._told.update(drop.call for drop in new)
        told(new)
        told_of(made.read)
        if made.raised is not None:
            raise made.raised
        result: Value = own_tables(made.value)
        return result

    def _make(self, function: Callable[..., Any], arguments: tuple[Any, ...], named: Mapping[str, Any], call: Any) -> _Made:
        """Call a study with a harness of its own, so that what it does is its own, whatever was called before."""
        store, own = self.store, self.for_one_claim()
        measured, trained = len(store.measured), len(store.trained)
        value, raised = None, None
        with noting() as dropped, reading() as read:
            try:
                value = function(own, *arguments, **named)
                if inspect.iscoroutine(value) or isinstance(value, Iterator):
                    raise ClaimError(
                        f"the study {function.__qualname__} returns a {type(value).__name__}, which only the first claim could "
                        "use up; return a list or a table"
                    )
            except Exception as problem:
                raised = problem
        drops = tuple(drop if drop.call is not None else replace(drop, call=call) for drop in dropped)
        made = _Made(
            value, raised, tuple(store.measured[measured:]), tuple(store.trained[trained:]), drops, own.asked, tuple(read)
        )
        del store.measured[measured:], store.trained[trained:]  # they are counted where the study is asked for
        return made


def _two_defaults(name: str, first: Any, second: Any) -> str:
    """What to say, and what to do, where a setting has two defaults."""
    unknown = next((each for each in (first, second) if not is_described(each)), None)
    if unknown is not None:
        return (
            f"the setting {name!r} is asked for twice, and nothing tells whether its defaults, {first!r} and {second!r}, are "
            f"the same: make the {type(unknown).__name__} once, outside of the functions that ask for it, or a dataclass"
        )
    alike = ", which are not the same although they are written alike" if repr(first) == repr(second) else ""
    return (
        f"the setting {name!r} is asked for with two defaults, {first!r} and {second!r}{alike}; give it the same everywhere, "
        "or another name"
    )


def own_tables(value: Any) -> Any:
    """A copy with tables of its own, so that writing into them changes nobody else's."""
    import pandas as pd

    if isinstance(value, pd.DataFrame | pd.Series):
        return value.copy()
    if isinstance(value, dict):
        return {name: own_tables(each) for name, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(own_tables(each) for each in value)
    if _has_tables(value) and is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: own_tables(getattr(value, each.name)) for each in fields(value) if each.init})
    return value


def _has_tables(value: Any) -> bool:
    import pandas as pd

    if isinstance(value, dict):
        return any(map(_has_tables, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_tables, value))
    if is_dataclass(value) and not isinstance(value, type):
        return any(_has_tables(getattr(value, each.name)) for each in fields(value))
    return isinstance(value, pd.DataFrame | pd.Series)


def call_of(function: Callable[..., Any], arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    """What tells one call of a study from another; 1, 1.0 and True are three different arguments.

    Raises:
        ClaimError: an argument cannot be told from others.
    """
    try:
        bound = inspect.signature(function).bind(None, *arguments, **named)
        bound.apply_defaults()
        given = tuple((name, type(value), value) for name, value in list(bound.arguments.items())[1:])
        hash(given)
    except TypeError as problem:
        raise ClaimError(
            f"the study {function.__qualname__} cannot be called like this: {problem}. Besides the harness, a study takes only "
            "arguments that can be hashed, such as numbers, words, tuples and frozen dataclasses"
        ) from None
    return (function, given)


def needs(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of what a body or a fixture has to be handed: its parameters without a default."""
    parameters = inspect.signature(function).parameters.values()
    named = (each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD))
    return tuple(each.name for each in named if each.default is each.empty)


def store_folder(given: str | Path | None, standing: Path, project: Path) -> Path:
    """The store's folder on this machine; see :func:`store_place`."""
    return store_place(given, (), standing, project).folder


def store_place(given: str | Path | None, shared: Iterable[str], standing: Path, project: Path) -> Place:
    """Where the store lies: at what is given, else in ``$HARNESS_STORE``, else in ``.harness`` of the project.

    Args:
        given: a folder or a URL; like that of the variable, a folder may be relative to the working directory.
        shared: folders and URLs of stores that are only read.
        standing: the working directory.
        project: the project's.
    """
    from harness.store.place import Place, is_url

    def meant(named: str | Path) -> str | Path:
        return named if is_url(named) else standing / named

    named = given or os.environ.get(STORE_VARIABLE)
    return Place.of(meant(named) if named else project / ".harness", [str(meant(each)) for each in shared])


def open_harness(
    folder: Path | Place, *, scale: str, device: str = "auto", llc_engine: str = "stacked",
    heartbeat: Callable[..., None] | None = None, engine: Engine | None = None,
) -> Harness:  # fmt: skip
    """A harness with a store of its own in this process; imports torch.

    Args:
        folder: the store's, or where it lies in more words.
        scale: "smoke", "reduced" or "full".
        device: "auto", "cpu" or "cuda".
        llc_engine: "stacked" or "devinterp".
        heartbeat: see :class:`harness.store.Store`.
        engine: where the store's work is done, and so whose device it is; None for this process.
    """
    import torch  # noqa: F401 - before its threads are counted, which the names of the store's entries do

    from harness.store import Store

    devices.one_thread()
    chosen = devices.resolve(device) if engine is None else engine.device(device)
    store = Store(folder, device=chosen, heartbeat=heartbeat, llc_engine=llc_engine, engine=engine)
    return Harness(scale, chosen, llc_engine, store)
