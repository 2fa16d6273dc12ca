"""Writing a preregistration: what is fixed of some claims, with the power that is planned, before anything runs."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.asking import ClaimDesign
from harness.fixed import declared, set_apart
from harness.plugin.given import design_in
from harness.plugin.registration import SCHEMA, RegistrationError
from harness.plugin.registration_text import to_markdown
from harness.provenance import installed

if TYPE_CHECKING:
    import pytest

    from harness.claim import Claim

_PACKAGES = ("torch", "numpy", "scipy", "claims-harness")  # what decides numbers, beside Python


def state_of(item: pytest.Function, claim: Claim, scale: str) -> dict[str, Any]:
    """What is fixed of a claim, in the form in which rows, the ledger and preregistrations hold it."""
    return {"id": claim.id, "digest": claim.digest(), "declared": declared(claim), "design": design_in(item, scale)}


def registered(
    claim: Claim, design: ClaimDesign, row: Mapping[str, Any] | None, scale: str, ran_at: str | None
) -> dict[str, Any]:
    """What a preregistration holds of one claim.

    Args:
        claim: its declaration.
        design: what it asks for at the scale.
        row: its row in a run that tells the spread between units, or None.
        scale: of the design.
        ran_at: scale of that run.
    """
    from harness.planning import statement

    plan = statement(claim, design if design.recipes else None, row, scale, ran_at)
    said = {"prediction": str(claim.prediction), "plan": " ".join(plan.split())}
    return {"digest": claim.digest(), "declared": declared(claim), "design": design.to_json(), **said}


def register(
    path: Path, readable: Path, claims: Mapping[str, Any], recipes: Mapping[str, Any], *, scale: str, commit: str | None,
    dirty: bool | None,
) -> None:  # fmt: skip
    """Write a preregistration, as JSON and for readers; the same for the same project but for its date.

    Raises:
        RegistrationError: the files cannot be written.
    """
    from harness.report import ReportError
    from harness.report.write import write_whole

    shared: dict[str, Any] = {}
    apart = {name: {**claim, "design": set_apart(claim["design"], shared)} for name, claim in claims.items()}
    held = {
        "preregistration": SCHEMA, "date": datetime.now(UTC).date().isoformat(), "scale": scale,
        "versions": {"python": platform.python_version(), **{name: installed(name) for name in _PACKAGES}},
        "commit": commit, "dirty": dirty, "claims": apart, "designs": dict(sorted(shared.items())),
        "recipes": dict(sorted(recipes.items())),
    }  # fmt: skip
    text = json.dumps(held, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    try:
        write_whole({path.name: text, readable.name: to_markdown(held)}, path.parent)
    except ReportError:
        raise RegistrationError(f"{path} cannot be written; make its folder writable, or name another file") from None
