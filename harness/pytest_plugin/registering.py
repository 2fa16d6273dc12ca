"""Writing a preregistration: what is fixed of some claims, with the power that is planned, before anything runs.

A preregistration for readers, as Markdown.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.fixed import declared, set_apart
from harness.pytest_plugin.given import design_in
from harness.pytest_plugin.registration import SCHEMA, RegistrationError
from harness.report import text
from harness.running.asking import ClaimDesign
from harness.running.provenance import installed

if TYPE_CHECKING:
    import pytest

    from harness.claim import Claim


def to_markdown(held: Mapping[str, Any]) -> str:
    """The file beside a preregistration's JSON; see :mod:`harness.pytest_plugin.registration`."""
    claims, versions = held["claims"], held["versions"]
    lines = [
        f"# Preregistration of {text.counted(len(claims), 'claim', 'claims')}, {held['date']}", "",
        *([held["note"], ""] if held.get("note") else []),
        f"Written before any run that is compared with it, at scale {held['scale']}. Commit {held['commit'] or 'unknown'}"
        f"{', with uncommitted changes' if held['dirty'] else ''}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items() if version) + ".", "",
        "A later run says of every claim whether it is as registered: `pytest claims/ --claims-preregistration FILE`, with the "
        "JSON file beside this one.", "",
    ]  # fmt: skip
    for name, claim in claims.items():
        lines += [f"## {name}", "", *_claim(claim), ""]
    lines += ["## Designs", "", "What is trained and measured, by the names above.", ""]
    for key, design in held["designs"].items():
        lines += [f"### {key}", "", *_design(design), ""]
    if held["recipes"]:
        lines += ["## Recipes", "", "What is trained, by the digests above.", ""]
        lines += [f"- `{key}`: {_inline(recipe)}" for key, recipe in held["recipes"].items()]
    return "\n".join(lines).rstrip() + "\n"


def _claim(claim: Mapping[str, Any]) -> Iterator[str]:
    declared = claim["declared"]
    source, prediction = declared["source"], declared["prediction"]
    yield declared["statement"]
    yield ""
    if "quote" in source:
        yield f"> {source['quote']}"
        yield ">"
    place = ", ".join(source[name] for name in ("title", "section") if name in source)
    yield f"> {place}" + (f" (reported: {source['reported']})" if "reported" in source else "")
    yield ""
    yield f"- **Prediction**: {claim['prediction']}"
    yield from _fields(prediction)
    for name, gate in ((gate["name"], gate) for gate in declared["gates"]):
        rest = {key: value for key, value in gate.items() if key != "name" and value not in (None, "", {}, [])}
        yield f"- **Validity check**, {name}: {_inline(rest)}"
    for companion in declared["companions"]:
        yield f"- **Companion**, without a say: {_inline(companion)}"
    if declared.get("population"):
        yield f"- **Population**: {_inline(declared['population'])}"
    if declared["protocols"]:
        yield f"- **Protocols**: {', '.join(declared['protocols'])}; the first decides"
    if declared["scope"]:
        yield "- **Scope**: " + "; ".join(f"{name} in {values}" for name, values in declared["scope"].items())
    yield f"- **Planned power**: {claim['plan']}"
    design = claim["design"]
    yield f"- **Design**: [{design['asks']}](#{design['asks']}); code of body and fixtures `{design['code']}`"
    yield f"- **Digests**: declaration `{claim['digest']}`, design `{design['digest']}`"


def _fields(prediction: Mapping[str, Any], indent: str = "  ") -> Iterator[str]:
    """Every field of a prediction; the parts of a conjunction below it."""
    for name, value in prediction.items():
        if isinstance(value, list) and value and all(isinstance(part, Mapping) for part in value):
            for number, part in enumerate(value, 1):
                yield f"{indent}- {name.replace('_', ' ')} {number}:"
                yield from _fields(part, indent + "  ")
        else:
            yield f"{indent}- {name.replace('_', ' ')}: {_inline(value)}"


def _design(design: Mapping[str, Any]) -> Iterator[str]:
    if not design["populations"]:
        yield "- No networks are trained"
    for group in design["populations"]:
        recipes = ", ".join(f"{name} (`{key}`)" for key, name in group["recipes"].items())
        yield f"- **Seeds** {text.ranges(group['seeds'])} of {recipes}"
    for instrument in design["instruments"]:
        of = f" of {text.counted(instrument['members'], 'network', 'networks')}" if instrument["members"] else ""
        streams = f"; random streams {text.ranges(instrument['streams'])}" if instrument["streams"] else ""
        yield f"- **Instrument**, {instrument['name']}{of}: {_inline(instrument['settings'])}{streams}"


def _inline(value: Any) -> str:
    """A value in one line, exact: a registered number is never rounded."""
    if isinstance(value, Mapping):
        return ", ".join(f"{str(name).replace('_', ' ')} {_inline(item)}" for name, item in value.items()) or "none"
    if isinstance(value, list):
        return "(" + ", ".join(map(_inline, value)) + ")" if value else "none"
    return "none" if value is None or value == "" else str(value)


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
    from harness.running.planning import statement

    plan = statement(claim, design if design.recipes else None, row, scale, ran_at)
    said = {"prediction": str(claim.prediction), "plan": " ".join(plan.split())}
    return {"digest": claim.digest(), "declared": declared(claim), "design": design.to_json(), **said}


def register(
    path: Path, readable: Path, claims: Mapping[str, Any], recipes: Mapping[str, Any], *, scale: str, commit: str | None,
    dirty: bool | None, note: str = "",
) -> None:  # fmt: skip
    """Write a preregistration, as JSON and for readers; the same for the same project but for its date and its note.

    Raises:
        RegistrationError: the files cannot be written.
    """
    from harness.report import ReportError
    from harness.report.write import write_whole

    shared: dict[str, Any] = {}
    apart = {name: {**claim, "design": set_apart(claim["design"], shared)} for name, claim in claims.items()}
    held = {
        "preregistration": SCHEMA, "date": datetime.now(UTC).date().isoformat(), "scale": scale, "note": note,
        "versions": {"python": platform.python_version(), **{name: installed(name) for name in _PACKAGES}},
        "commit": commit, "dirty": dirty, "claims": apart, "designs": dict(sorted(shared.items())),
        "recipes": dict(sorted(recipes.items())),
    }  # fmt: skip
    text = json.dumps(held, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    try:
        write_whole({path.name: text, readable.name: to_markdown(held)}, path.parent)
    except ReportError:
        raise RegistrationError(f"{path} cannot be written; make its folder writable, or name another file") from None
