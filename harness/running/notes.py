"""What a search has judged, noted in the store: who searches again, or goes on, judges no setting twice.

A note is named by all that a verdict is known to depend on: the claim as it is declared, what it asks for and by which code,
what its body captures (:mod:`harness.code.captured`), its verdict at the defaults, the scale, the setting, and the code that
trains, measures and judges.  A body may depend on more: on a file whose name it computes, on the time of day.  So a
search judges some noted settings anew (:mod:`harness.running.checking`), and believes none if one of them says something else.
"""

from __future__ import annotations

import ast
import contextlib
import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.code import code_digest
from harness.code.captured import captured, captured_or_unknown
from harness.fixed import stable
from harness.running.asking import UNKNOWN
from harness.running.scope import Settings
from harness.running.trials import Trial
from harness.spec import definitions, digest
from harness.store import files

if TYPE_CHECKING:
    from harness.claim import Claim
    from harness.running.growth import Body
    from harness.running.session import Harness

_CODE = (
    "harness.judge.court", "harness.training.train", "harness.running.trials", "harness.running.screening",
    "harness.running.futility", "harness.running.spared",
)  # fmt: skip
_LATE = ".late.json"
_ALIKE = 1e-9  # relative difference of two numbers that are the same on different machines


class StaleNotes(UserWarning):
    """What a body depends on has changed in a way that its code does not show."""


class StaleError(BaseException):
    """Ends a search in which a noted setting says something else than its note; no ``except Exception`` may go on with it."""


class Notes:
    """Trials of one claim.

    Args:
        harness: whose store they are in.
        claim: the declaration.
        body: its body; where it captures what cannot be described, nothing is noted.
        default: its trial at the defaults.
        design: what it asks for, as its row has it; without its code nothing is noted.
        rule: what else decides a verdict, such as the share of α.
    """

    def __init__(
        self, harness: Harness, claim: Claim, body: Body, default: Trial, design: Mapping[str, Any] | None, rule: Any
    ) -> None:
        self._folder: Path | None = None
        self._believed = True
        if design is None or design.get("code", UNKNOWN) == UNKNOWN:
            return
        store = harness.store
        instruments = {type(each.spec): each.spec for each in store.measured if not isinstance(each.spec, Mapping)}
        try:
            code = code_digest(*map(import_module, _CODE), *definitions([*instruments.values()]))
            values = captured(body)
        except Exception:  # CodeError, and whatever somebody's object makes of being described
            return
        said = [claim.digest(), design["digest"], harness.scale, store.device, store.llc_engine, code, stable(rule), values]
        said += [default.verdict, *(f"{number:.9g}" for number in _numbers(default))]
        self._folder = Path(store.folder) / "searches" / digest(said)[:32]

    def _path(self, settings: Settings) -> Path | None:
        if self._folder is None:
            return None
        said = [stable(dict(settings))]
        if _as_text(settings) is None:  # objects of one class have one name there, whatever they hold
            if (held := captured_or_unknown(dict(settings))) is None:
                return None
            said.append(held)
        return self._folder / f"{digest(said[0] if len(said) == 1 else said)[:32]}.json"

    def read(self, settings: Settings) -> Trial | None:
        """The trial of a setting, or None; a damaged note is none."""
        path = self._path(settings) if self._believed else None
        return None if path is None else _trial(path, lambda said: settings)

    def all(self) -> Iterator[Trial]:
        """All trials whose settings are numbers, texts and the like, which can be read from their notes."""
        there = self._folder is not None and self._believed and self._folder.is_dir()
        for path in sorted(self._folder.glob("*.json")) if self._folder is not None and there else ():
            trial = None if path.name.endswith(_LATE) else _trial(path, _read)
            if trial is not None and self._path(trial.settings) == path:
                yield trial

    def write(self, trial: Trial) -> None:
        """Note a trial; one that broke is tried again."""
        if trial.verdict != "error":
            n = None if trial.n is None else int(trial.n)
            said = asdict(replace(trial, n=n, settings={})) | {"settings": _as_text(trial.settings)}
            self._write(self._path(trial.settings), said)

    def late(self, settings: Settings, seconds: float) -> str | None:
        """What was said of a setting that did not return within so many seconds, or within more; None where nothing was."""
        path = self._path(settings) if self._believed else None
        try:
            said = json.loads(path.with_suffix(_LATE).read_text(encoding="utf-8")) if path is not None else {}
            return str(said["reason"]) if said["seconds"] >= seconds else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write_late(self, settings: Settings, seconds: float, reason: str) -> None:
        """Note that a setting did not return within so many seconds, so that no search with as little time tries it again."""
        path = self._path(settings)
        self._write(path and path.with_suffix(_LATE), {"seconds": seconds, "reason": reason})

    def drop(self) -> None:
        """Forget all trials of this name; none that anybody notes from now on is believed."""
        self._believed = False
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @staticmethod
    def _write(path: Path | None, said: Mapping[str, Any]) -> None:
        if path is not None:
            with contextlib.suppress(TypeError, ValueError):  # a number of a kind of its own
                files.write(path, json.dumps(said).encode())


def _trial(path: Path, settings_of: Callable[[Any], Settings]) -> Trial | None:
    """The trial of a file; a damaged one has none."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(said, dict) or set(said) != {each.name for each in fields(Trial)}:
            return None
        interval = said["interval"]
        changed = {"settings": settings_of(said["settings"]), "interval": None if interval is None else tuple(interval)}
        return Trial(**said | changed)
    except (OSError, ValueError, TypeError, SyntaxError):
        return None


def _as_text(settings: Settings) -> str | None:
    """Settings as text that Python reads as the same; None where there is none."""
    text = repr(dict(settings))
    try:
        return text if stable(_read(text)) == stable(dict(settings)) else None
    except (ValueError, TypeError, SyntaxError):
        return None


def _read(text: Any) -> Settings:
    if not isinstance(text, str):
        raise ValueError("a note without settings")
    found = ast.literal_eval(text)
    if not isinstance(found, dict):
        raise ValueError("settings that are none")
    return found


def agree(one: Trial, other: Trial) -> bool:
    """Whether two trials of a setting say the same: verdict, effect, interval and n."""
    mine, others = _numbers(one), _numbers(other)
    return one.verdict == other.verdict and len(mine) == len(others) and all(
        math.isclose(a, b, rel_tol=_ALIKE, abs_tol=_ALIKE) or (math.isnan(a) and math.isnan(b))
        for a, b in zip(mine, others, strict=True)
    )  # fmt: skip


def _numbers(trial: Trial) -> list[float]:
    return [float(each) for each in (trial.effect, *(trial.interval or ()), trial.n) if each is not None]
