"""The ledger's file: how it is read, checked, laid out, and replaced under a lock.

JSON of schema 2 (docs/writing-claims.md has it by example)::

    {"schema": 2,
     "reduced": {"document/claim": {"verdict": …, "since": …, "digest": …, "declared": …, "design": …, "numbers": …,
                                    "history": […]}},
     "designs": {…}}

``verdict`` is one verdict or a list of them, each of which is known; ``since`` the date on which it was first recorded;
``digest`` and ``declared`` what the declaration said then, ``design`` what the claim asked for (:mod:`harness.fixed`).  Members
and instruments that several claims share stand once under ``designs``, named by their digest.  ``history`` has a line for every
change after a verdict was known: ``date``, ``changed`` (in words), ``was`` (the verdict that stood) and ``because``.  Only
``verdict`` is required.  ``numbers`` are effect, interval and n, with a digest of what they depend on.

Schema 1 was ``{scale: {claim id: verdict}}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from harness.claim import SCALES
from harness.fixed import is_design, is_set_apart, put_together, set_apart
from harness.strict import unfit

SCHEMA = 2
KNOWN = ("supported", "refuted", "inconclusive", "invalid")
UPGRADE = "python -m harness ledger upgrade"
PATIENCE = 60.0  # seconds to wait for another run that is writing the ledger
_WIDE = 128  # characters of a line of the file
_FIELDS = ("verdict", "since", "digest", "declared", "design", "numbers", "history")
_OF_A_LINE = ("date", "changed", "was", "because")
Entries = dict[str, dict[str, "Entry"]]


class LedgerError(ValueError):
    """A ledger file that cannot be read or written; the message names it and what to do."""


@dataclass(frozen=True)
class Entry:
    """What the ledger holds about a claim at one scale; see the module.

    Attributes:
        verdict: the known verdict, or several.
        since: date of the first record, or None where it is not known.
        digest: the claim's digest then, or None.
        declared: what the declaration said, or None.
        design: what the claim asked for, or None.
        numbers: effect, interval, n, and a digest of what they were seen under (:mod:`harness.pytest_plugin.moved`), or None.
        history: the changes since, oldest first.
    """

    verdict: str | list[str]
    since: str | None = None
    digest: str | None = None
    declared: Mapping[str, Any] | None = None
    design: Mapping[str, Any] | None = None
    numbers: Mapping[str, Any] | None = None
    history: tuple[Mapping[str, Any], ...] = ()

    @property
    def verdicts(self) -> list[str]:
        """All verdicts that are known."""
        return list(self.verdict) if isinstance(self.verdict, list) else [self.verdict]

    @property
    def state(self) -> dict[str, Any]:
        """What was fixed, as :func:`harness.fixed.differences` compares it."""
        return {"digest": self.digest, "declared": self.declared, "design": self.design}


def read(path: Path) -> tuple[int, Entries]:
    """The file's schema and its entries by scale and claim; one that does not exist yet is empty.

    Raises:
        LedgerError: it cannot be read, or is not a ledger.
    """
    if not path.exists():
        return SCHEMA, {}
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise LedgerError(
            f"the ledger {path} cannot be read: {problem}; repair it, or restore it from version control"
        ) from None
    for where, wrong in unfit(held):
        raise LedgerError(f"the ledger {path} cannot be read: {where} {wrong}; repair it, or restore it from version control")
    schema = held.get("schema", 1) if isinstance(held, dict) else None
    if schema not in (None, 1, SCHEMA):
        raise LedgerError(
            f"the ledger {path} has schema {schema!r}, and this version reads {SCHEMA} and 1; use the version of the harness "
            "that wrote it"
        )
    fault = _fault(held, schema)
    if fault is not None:
        raise LedgerError(
            f"the ledger {path} {fault}; repair it by hand (docs/writing-claims.md has the format), or restore it from version "
            "control"
        )
    shared = held.get("designs", {})
    entries = {
        scale: {claim: _entry(value, shared) for claim, value in held[scale].items()} for scale in SCALES if scale in held
    }
    return int(schema or 1), entries


def write(path: Path, entries: Entries) -> None:
    """Replace the file in one step, so that an interrupted run leaves the old one.

    Raises:
        LedgerError: it cannot be written.
    """
    shared: dict[str, Any] = {}
    held: dict[str, Any] = {"schema": SCHEMA}
    for scale in SCALES:
        if entries.get(scale):
            held[scale] = {claim: _plain(entry, shared) for claim, entry in sorted(entries[scale].items())}
    if shared:
        held["designs"] = dict(sorted(shared.items()))
    try:
        _replace(path, _laid_out(held) + "\n")
    except OSError as problem:
        raise LedgerError(f"the ledger {path} cannot be written: {problem}") from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """A context in which nobody else writes the ledger, so that what is read in it still holds when it is written.

    Raises:
        LedgerError: another run has held it for a minute, or its folder cannot be written.
    """
    mark = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(mark, timeout=PATIENCE):
            try:
                yield
            finally:
                # Whoever waits for a file that is removed under its lock opens the next one: filelock looks at its links.
                mark.unlink(missing_ok=True)
    except Timeout:
        raise LedgerError(
            f"the ledger {path} cannot be written: another run has held {mark} for {PATIENCE:g} s; wait for it, or remove that "
            "file if no run is left"
        ) from None
    except (OSError, NotImplementedError) as problem:
        raise LedgerError(f"the ledger {path} cannot be written: {problem}") from None


def _entry(value: Any, shared: Mapping[str, Any]) -> Entry:
    """An entry as the file has it, with what it shares with others put back."""
    if not isinstance(value, dict):
        return Entry(value)
    design = value.get("design")
    if design is not None:
        design = put_together(design, shared)
    return Entry(**{**value, "design": design, "history": tuple(value.get("history") or ())})


def _plain(entry: Entry, shared: dict[str, Any]) -> dict[str, Any]:
    """An entry as the file has it; what its design asks for goes into ``shared``."""
    design = None if entry.design is None else set_apart(entry.design, shared)
    held = {name: getattr(entry, name) for name in _FIELDS} | {"design": design, "history": list(entry.history)}
    return {name: value for name, value in held.items() if value not in (None, [])}


def _fault(held: Any, schema: int | None) -> str | None:
    """What keeps ``held`` from being a ledger, or None."""
    if not isinstance(held, dict):
        return "is not a JSON object"
    shared = held.get("designs", {}) if schema == SCHEMA else {}
    if not isinstance(shared, dict) or not all(map(is_design, shared.values())):
        return "has invalid designs: each has to be an object with populations and instruments"
    for scale, claims in held.items():
        if schema == SCHEMA and scale in ("schema", "designs"):
            continue
        if scale not in SCALES:
            return f"has the scale {scale!r} (there are {', '.join(SCALES)})"
        if not isinstance(claims, dict):
            return f"has no object under {scale!r}"
        for claim, value in claims.items():
            if fault := _entry_fault(claim, value, shared):
                return fault
    return None


def _entry_fault(claim: str, value: Any, shared: Mapping[str, Any]) -> str | None:
    recorded = value.get("verdict") if isinstance(value, dict) else value
    several = recorded if isinstance(recorded, list) and recorded else [recorded]
    if not all(verdict in KNOWN for verdict in several):
        return f"has the verdict {recorded!r} for {claim} (a verdict is one of {', '.join(KNOWN)}, or a list of them)"
    if not isinstance(value, dict):
        return None
    if unknown := sorted(set(value) - set(_FIELDS)):
        return f"has the unknown field {', '.join(unknown)} in {claim}; the fields are {', '.join(_FIELDS)}"
    texts = all(isinstance(value.get(name), str | None) for name in ("since", "digest"))
    if not texts or not isinstance(value.get("declared"), dict | None):
        return f"has an invalid since, digest or declared for {claim}: the first two are text, the third is an object"
    if value.get("numbers") is not None and not _are_numbers(value["numbers"]):
        return f"has invalid numbers for {claim}: they are an object with effect, interval, n and under"
    design = value.get("design")
    if design is not None and not is_set_apart(design, shared):
        return f"has an invalid design for {claim}: it refers to something that is not under designs"
    if not all(map(_is_line, value["history"] if isinstance(value.get("history"), list) else [value.get("history") or {}])):
        return f"has an invalid history for {claim}: it has to be a list of objects with {', '.join(_OF_A_LINE)}"
    return None


def _are_numbers(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"effect", "interval", "n", "under"} and isinstance(value["under"], str)


def _is_line(value: Any) -> bool:
    if value == {}:
        return True
    changed = value.get("changed") if isinstance(value, dict) else None
    words = isinstance(changed, list) and all(isinstance(each, str) for each in changed)
    texts = words and all(isinstance(value.get(name), str | None) for name in ("date", "was"))
    return texts and isinstance(value.get("because"), str) and set(value) <= set(_OF_A_LINE)


def _laid_out(value: Any, indent: int = 0, before: int = 0) -> str:
    """JSON with whatever fits on a line on one, so that a change of one value is a change of one line."""
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, dict | list) or (len(flat) + indent + before <= _WIDE and indent > 1):
        return flat
    deeper = " " * (indent + 2)
    if isinstance(value, dict):
        names = {json.dumps(name, ensure_ascii=False): item for name, item in value.items()}
        inside = [f"{deeper}{name}: {_laid_out(item, indent + 2, len(name) + 3)}" for name, item in names.items()]
        return "{\n" + ",\n".join(inside) + "\n" + " " * indent + "}" if inside else "{}"
    inside = [deeper + _laid_out(item, indent + 2, 1) for item in value]
    return "[\n" + ",\n".join(inside) + "\n" + " " * indent + "]" if inside else "[]"


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
