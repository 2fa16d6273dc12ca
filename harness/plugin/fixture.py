"""What the fixture ``harness`` gives to claims and to the fixtures that bring their populations."""

from __future__ import annotations

import atexit
import gc
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from harness import device
from harness.plugin.progress import Heartbeat

if TYPE_CHECKING:
    from harness.store import Store

STORE_VARIABLE = "HARNESS_STORE"
Value = TypeVar("Value")


@dataclass(frozen=True)
class Harness:
    """What a session was asked for, and where its models come from.

    Attributes:
        scale: "smoke", "reduced" or "full".
        device: "cpu" or "cuda".
        llc_engine: "stacked" or "devinterp"; what estimates a learning coefficient whose measurement names no engine.
        store: finds trained models and measurements, and makes the missing ones.
        settings: values of settings that a search has chosen; empty outside of one.
        asked: the settings that fixtures have asked for, with their defaults.
    """

    scale: str
    device: str
    llc_engine: str
    store: Store
    settings: Mapping[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict, compare=False)

    def setting(self, name: str, default: Value) -> Value:
        """The value of a setting that a document leaves open: ``default``, or what a search chose from a claim's scope.

        Args:
            name: name of the setting, as scopes have it ("noise").
            default: its value outside of a search.
        """
        self.asked[name] = default
        chosen: Value = self.settings.get(name, default)
        return chosen


def store_folder(given: str | None, invoked_from: Path, root: Path) -> Path:
    """The store's folder: the one given, else ``$HARNESS_STORE``, else ``.harness`` in the project."""
    named = given or os.environ.get(STORE_VARIABLE)
    return invoked_from / named if named else root / ".harness"


def open_harness(config: pytest.Config, heartbeat: Heartbeat) -> Harness:
    """The harness of a session; imports torch.

    Args:
        config: pytest's configuration.
        heartbeat: called by the store while it works.
    """
    import torch  # noqa: F401 - before its threads are counted, which the names of the store's entries do

    from harness.store import Store

    device.one_thread()
    atexit.register(gc.freeze)  # else Python looks for garbage in all of torch before it ends: 1 s a worker
    chosen = device.resolve(config.getoption("claims_device"))
    folder = store_folder(config.getoption("claims_store"), config.invocation_params.dir, config.rootpath)
    engine = config.getoption("claims_llc_engine")
    return Harness(
        scale=config.getoption("claims_scale"),
        device=chosen,
        llc_engine=engine,
        store=Store(folder, device=chosen, heartbeat=heartbeat, llc_engine=engine),
    )
