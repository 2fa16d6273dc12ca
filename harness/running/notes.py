"""What a search has judged, noted in the store: who searches again, or goes on, judges no setting twice.

A note is named by all that a verdict depends on: the claim as it is declared, what it asks for and by which code, the scale,
the setting, and the code that trains, measures and judges.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.code import CodeError, code_digest
from harness.fixed import stable
from harness.running.asking import UNKNOWN
from harness.running.scope import Settings
from harness.running.trials import Trial
from harness.spec import definitions, digest
from harness.store import files

if TYPE_CHECKING:
    from harness.claim import Claim
    from harness.running.session import Harness

_CODE = (
    "harness.judge.court", "harness.training.train", "harness.running.trials", "harness.running.screening",
    "harness.running.futility", "harness.running.spared",
)  # fmt: skip


class Notes:
    """Trials of one claim.

    Args:
        harness: whose store they are in.
        claim: the declaration.
        design: what it asks for, as its row has it; without its code nothing is noted.
        rule: what else decides a verdict, such as the share of α.
    """

    def __init__(self, harness: Harness, claim: Claim, design: Mapping[str, Any] | None, rule: Any) -> None:
        self._folder: Path | None = None
        if design is None or design.get("code", UNKNOWN) == UNKNOWN:
            return
        store = harness.store
        instruments = {type(each.spec): each.spec for each in store.measured if not isinstance(each.spec, Mapping)}
        try:
            code = code_digest(*map(import_module, _CODE), *definitions([*instruments.values()]))
        except CodeError:
            return
        said = [claim.digest(), design["digest"], harness.scale, store.device, store.llc_engine, code, stable(rule)]
        self._folder = Path(store.folder) / "searches" / digest(said)[:32]

    def _path(self, settings: Settings) -> Path | None:
        return None if self._folder is None else self._folder / f"{digest(stable(dict(settings)))[:32]}.json"

    def read(self, settings: Settings) -> Trial | None:
        """The trial of a setting, or None; a damaged note is none."""
        path = self._path(settings)
        if path is None:
            return None
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(said, dict) or set(said) != {each.name for each in fields(Trial)}:
            return None
        interval = said["interval"]
        return Trial(**said | {"settings": settings, "interval": None if interval is None else tuple(interval)})

    def write(self, trial: Trial) -> None:
        """Note a trial; one that broke is tried again."""
        path = self._path(trial.settings)
        if path is None or trial.verdict == "error":
            return
        n = None if trial.n is None else int(trial.n)
        try:
            text = json.dumps(asdict(replace(trial, n=n, settings={})))
        except (TypeError, ValueError):  # a number of a kind of its own
            return
        files.write(path, text.encode())
