"""What a claim's body is given: at which scale, on which device, from which store, and with which open settings.

A body, and every study that it calls (:func:`harness.study.study`), is a plain function of a :class:`Harness`.  So whoever
wants to know what the claim would say with more seeds, with other settings or at another scale calls it with another one.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness import device as devices

if TYPE_CHECKING:
    from harness.store import Store

STORE_VARIABLE = "HARNESS_STORE"
Value = TypeVar("Value")


@dataclass(frozen=True)
class _Made:
    """What a study returned, or raised, and what it asked of the store for that."""

    value: Any
    raised: Exception | None
    measured: tuple[Any, ...]
    trained: tuple[Any, ...]


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

    def setting(self, name: str, default: Value) -> Value:
        """The value of a setting that a document leaves open: ``default``, or what a search chose from a claim's scope.

        Args:
            name: name of the setting, as scopes have it ("noise").
            default: its value outside of a search.
        """
        self.asked[name] = default
        chosen: Value = self.settings.get(name, default)
        return chosen

    def remembered(self, function: Callable[..., Value], arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Value:
        """What a study returns, which is asked for once for all claims that call it.

        A study that failed fails again, as it did.

        Args:
            function: the study; its first argument is this harness.
            arguments: the others; hashable.
            named: those that are given by name.
        """
        key = (function, arguments, tuple(sorted(named.items())))
        if key in self._made:
            made: _Made = self._made[key]
            self.store.measured.extend(made.measured)  # asked for by this claim, too
            self.store.trained.extend(made.trained)
        else:
            before, begun = len(self.store.measured), len(self.store.trained)
            value, raised = None, None
            try:
                value = function(self, *arguments, **named)
            except Exception as problem:
                raised = problem
            made = self._made[key] = _Made(
                value, raised, tuple(self.store.measured[before:]), tuple(self.store.trained[begun:])
            )
        if made.raised is not None:
            raise made.raised
        result: Value = made.value
        return result


def needs(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of what a body or a fixture has to be handed: its parameters without a default."""
    parameters = inspect.signature(function).parameters.values()
    named = (each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD))
    return tuple(each.name for each in named if each.default is each.empty)


def store_folder(given: str | Path | None, standing: Path, project: Path) -> Path:
    """The store's folder: the one given, else ``$HARNESS_STORE``, else ``.harness`` in the project.

    Args:
        given: a folder; a relative one is relative to where the user stands, as that of the variable is.
        standing: the folder that the user stands in.
        project: the project's.
    """
    named = given or os.environ.get(STORE_VARIABLE)
    return standing / named if named else project / ".harness"


def open_harness(
    folder: Path, *, scale: str, device: str = "auto", llc_engine: str = "stacked", heartbeat: Callable[..., None] | None = None
) -> Harness:
    """A harness with a store of its own in this process; imports torch.

    Args:
        folder: the store's.
        scale: "smoke", "reduced" or "full".
        device: "auto", "cpu" or "cuda".
        llc_engine: "stacked" or "devinterp".
        heartbeat: see :class:`harness.store.Store`.
    """
    import torch  # noqa: F401 - before its threads are counted, which the names of the store's entries do

    from harness.store import Store

    devices.one_thread()
    chosen = devices.resolve(device)
    store = Store(folder, device=chosen, heartbeat=heartbeat, llc_engine=llc_engine)
    return Harness(scale, chosen, llc_engine, store)
