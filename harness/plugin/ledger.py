"""The ledger: the verdicts that a repository already knows, by scale and claim.

The file is JSON, ``{scale: {claim id: verdict}}``.  A verdict that it holds is no news, whichever it is; any
other verdict of that claim is, and fails the run until somebody looks at it and records it.  Where a list of
verdicts stands, each of them is known: a claim at the edge of two, or one whose data not every machine has.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.claim import SCALES

KNOWN = ("supported", "refuted", "inconclusive", "invalid")


class LedgerError(ValueError):
    """A ledger file that cannot be read or written; the message names it and what it has to look like."""


@dataclass(frozen=True)
class Ledger:
    """Known verdicts.

    Attributes:
        path: the file, or None for the raw view, which knows nothing.
        verdicts: {scale: {claim id: verdict, or a list of them}}.
    """

    path: Path | None = None
    verdicts: Mapping[str, Mapping[str, str | list[str]]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """Read the file; one that does not exist yet is an empty ledger.

        Raises:
            LedgerError: the file is not a ledger.
        """
        if not path.exists():
            return cls(path)
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise LedgerError(f"the ledger {path} cannot be read: {problem}") from None
        if fault := _fault(held):
            raise LedgerError(f"the ledger {path} {fault}; it has to be {{scale: {{claim id: verdict}}}}")
        return cls(path, held)

    def known(self, scale: str, claim: str, verdict: str) -> str | None:
        """The verdict recorded for ``claim`` at ``scale``, or None.

        Where several are recorded, it is ``verdict`` if that is one of them, else the first.
        """
        recorded = self.verdicts.get(scale, {}).get(claim)
        if isinstance(recorded, list):
            return verdict if verdict in recorded else recorded[0]
        return recorded

    def record(self, scale: str, verdicts: Mapping[str, str]) -> int:
        """Write ``verdicts``, but no errors, into the file, beside what it holds of other claims and scales.

        Returns:
            How many entries changed or are new.

        Raises:
            LedgerError: the file cannot be written.
        """
        if self.path is None:
            return 0
        before = self.verdicts.get(scale, {})
        found = {claim: verdict for claim, verdict in verdicts.items() if verdict in KNOWN}
        new = {claim: verdict for claim, verdict in found.items() if self.known(scale, claim, verdict) != verdict}
        merged = {**self.verdicts, scale: dict(sorted({**before, **new}.items()))}
        ordered = {name: merged[name] for name in SCALES if merged.get(name)}
        try:
            _replace(self.path, json.dumps(ordered, indent=2) + "\n")
        except OSError as problem:
            raise LedgerError(f"the ledger {self.path} cannot be written: {problem}") from None
        return len(new)


def _fault(held: object) -> str | None:
    """What keeps ``held`` from being a ledger, or None."""
    if not isinstance(held, dict):
        return "holds no JSON object"
    for scale, verdicts in held.items():
        if scale not in SCALES:
            return f"has the scale {scale!r} (there are {', '.join(SCALES)})"
        if not isinstance(verdicts, dict):
            return f"has no object under {scale!r}"
        for claim, recorded in verdicts.items():
            several = recorded if isinstance(recorded, list) and recorded else [recorded]
            if not all(verdict in KNOWN for verdict in several):
                return f"says {recorded!r} of {claim} (a verdict is one of {', '.join(KNOWN)}, or a list of them)"
    return None


def _replace(path: Path, text: str) -> None:
    """Write a file in one step, so that an interrupted run leaves the old one."""
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
