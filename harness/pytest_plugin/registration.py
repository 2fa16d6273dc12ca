"""Preregistrations: what is fixed for some claims, written down before anything runs, and compared with a later run.

The file is JSON of schema 1: ``{"preregistration": 1, "date", "scale", "note", "versions", "commit", "dirty", "claims",
"designs", "recipes"}``; ``note`` may be absent.  Each claim has ``digest``, ``declared`` and ``design`` (:mod:`harness.fixed`),
and in words ``prediction`` and ``plan``; ``designs`` has what claims share, ``recipes`` says what each digest of a recipe is.
A Markdown file beside it says the same for readers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.claim import SCALES
from harness.fixed import differences, is_design, is_set_apart, put_together
from harness.strict import unfit

SCHEMA = 1
REMEDY = "give a file that python -m harness preregister --out FILE wrote"


class RegistrationError(ValueError):
    """A preregistration that cannot be read, or is of another scale; the message names it and what to do."""


@dataclass(frozen=True)
class Registration:
    """What was registered.

    Attributes:
        path: the file.
        date: when.
        scale: of the designs.
        claims: by id, each with digest, declared and design.
        note: what its writer says of it, such as what was known by then; empty for nothing.
    """

    path: Path
    date: str
    scale: str
    claims: Mapping[str, Mapping[str, Any]]
    note: str = ""

    def check(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Whether the claim of a row is as registered: {"state", "date", "note", "differs"}, the last in words."""
        registered, said = self.claims.get(row["id"]), {"date": self.date, "note": self.note}
        if registered is None:
            return {"state": "not registered", **said, "differs": []}
        found = differences(registered, row)
        return {"state": "differs" if found else "as registered", **said, "differs": found}

    def told(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
        """What checked rows have that is not as registered, as notes at the end of a run."""
        found = [(row["id"], row["registered"]["state"]) for row in rows if row["registered"]]
        if differ := [claim for claim, state in found if state == "differs"]:
            yield f"note: not as preregistered on {self.date}, as their cards say: {', '.join(differ)}"
        if new := [claim for claim, state in found if state == "not registered"]:
            yield f"note: {len(new)} of {len(found)} claims not preregistered on {self.date}: {', '.join(new)}"

    def check_scale(self, scale: str) -> None:
        """Raise a RegistrationError where a run is of another scale, and so of other networks."""
        if scale != self.scale:
            raise RegistrationError(
                f"{self.path} registers scale {self.scale}, and this run is of scale {scale}; give --claims-scale "
                f"{self.scale}, or a preregistration of that scale"
            )


def read_registration(path: Path) -> Registration:
    """Read a preregistration.

    Raises:
        RegistrationError: the file cannot be read, or is not a valid preregistration.
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise RegistrationError(f"{path} cannot be read: {problem.strerror}; {REMEDY}") from None
    except (ValueError, RecursionError) as problem:
        raise RegistrationError(f"{path} is damaged ({problem}); {REMEDY}, or restore it from where it was kept") from None
    for where, wrong in unfit(held):
        raise RegistrationError(f"{path} is damaged ({where} {wrong}); {REMEDY}, or restore it from where it was kept")
    if not isinstance(held, dict) or "preregistration" not in held:
        raise RegistrationError(f"{path} is not a preregistration; {REMEDY}")
    if held["preregistration"] != SCHEMA:
        raise RegistrationError(
            f"{path} has schema {held['preregistration']!r}, and this version reads {SCHEMA}; use the version of the harness "
            "that wrote it"
        )
    if fault := _fault(held):
        raise RegistrationError(f"{path} {fault}; restore it from where it was kept, or register anew")
    shared = held.get("designs", {})
    claims = {name: {**claim, "design": put_together(claim["design"], shared)} for name, claim in held["claims"].items()}
    return Registration(path, held["date"], held["scale"], claims, held.get("note", ""))


def of_scale(paths: Iterable[Path], scale: str) -> Registration | None:
    """The one of several preregistrations that is of a scale; None where there is none.

    Raises:
        RegistrationError: one cannot be read, or two are of that scale.
    """
    found = [each for each in map(read_registration, paths) if each.scale == scale]
    if len(found) > 1:
        raise RegistrationError(
            f"{found[0].path} and {found[1].path} both register scale {scale}; name one of them, or give the one that counts "
            "with --claims-preregistration"
        )
    return found[0] if found else None


def _fault(held: Mapping[str, Any]) -> str | None:
    """What keeps an object from being a preregistration, or None."""
    if held.get("scale") not in SCALES or not isinstance(held.get("date"), str):
        return f"has no date, or no scale of {', '.join(SCALES)}"
    if not isinstance(held.get("note", ""), str):
        return "has a note that is no text"
    shared = held.get("designs", {})
    if not isinstance(held.get("claims"), dict) or not isinstance(shared, dict) or not all(map(is_design, shared.values())):
        return "has no claims, or has invalid designs"
    for claim, value in held["claims"].items():
        parts = isinstance(value, dict) and isinstance(value.get("digest"), str)
        if not parts or not isinstance(value.get("declared"), dict) or not is_set_apart(value.get("design"), shared):
            return f"has no digest, declared and design of {claim}"
    return None
