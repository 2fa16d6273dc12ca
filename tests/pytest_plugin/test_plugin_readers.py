"""Files of a project that were changed: ledgers and preregistrations are read, or refused in one line that names them."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from mutations import kinds_of_places, texts

from harness.claim import SCALES
from harness.fixed import put_together
from harness.pytest_plugin.ledger import Ledger, LedgerError, sentences
from harness.pytest_plugin.registration import RegistrationError, read_registration

ROOT = Path(__file__).parents[2]
SOME = settings(max_examples=300, suppress_health_check=list(HealthCheck), derandomize=True)


def cut(held: dict[str, Any], of: str, most: int = 4) -> dict[str, Any]:
    """A ledger with a few entries, so that the changes meet all of its fields."""
    claims = dict(list(held[of].items())[:most])
    used = {entry["design"]["asks"] for entry in claims.values() if "asks" in entry.get("design", {})}
    return held | {of: claims, "designs": {key: value for key, value in held["designs"].items() if key in used}}


def ledger() -> dict[str, Any]:
    held: dict[str, Any] = json.loads((ROOT / "fixtures" / "ledger.json").read_text(encoding="utf-8"))
    small = cut({name: value for name, value in held.items() if name in ("schema", "reduced", "designs")}, "reduced")
    next(iter(small["reduced"].values()))["history"] = [
        {"date": "2026-01-01", "changed": ["margin 1 → 2"], "was": "supported", "because": "the reason"}
    ]
    return small


LEDGER = ledger()
ROWS = [
    {"id": claim, "verdict": "supported", **{name: entry.get(name) for name in ("digest", "declared")},
     "design": put_together(entry["design"], LEDGER["designs"])}
    for claim, entry in LEDGER["reduced"].items()
]  # fmt: skip
REGISTERED = {
    "preregistration": 1, "date": "2026-01-01", "scale": "reduced", "versions": {}, "commit": None, "dirty": None,
    "claims": {claim: {name: entry.get(name) for name in ("digest", "declared", "design")} | {"prediction": "p", "plan": "p"}
               for claim, entry in LEDGER["reduced"].items()},
    "designs": LEDGER["designs"], "recipes": {},
}  # fmt: skip


def told(problem: ValueError, path: Path) -> None:
    """A fault is one line that names the file, and does nothing to a terminal."""
    assert str(path) in str(problem)
    assert str(problem).isprintable()


@SOME
@given(texts(LEDGER, kinds_of_places(LEDGER)))
def test_a_ledger(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("ledger", numbered=True) / "ledger.json"
    path.write_bytes(content)
    try:
        held = Ledger.read(path)
    except LedgerError as problem:
        told(problem, path)
        return
    for scale in SCALES:
        for row in ROWS:
            held.changes(scale, row, today="2026-01-02", because=None)
            held.known(scale, row["id"], "supported")
        list(sentences(held, scale, ["a/b"], ROWS, "ledger.json"))
    with contextlib.suppress(LedgerError):
        held.record("reduced", ROWS, today="2026-01-02", because="so")
    Ledger.read(path)  # what was written is a ledger


@SOME
@given(texts(REGISTERED, kinds_of_places(REGISTERED)))
def test_a_preregistration(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("plan", numbered=True) / "plan.json"
    path.write_bytes(content)
    try:
        found = read_registration(path)
        found.check_scale("reduced")
    except RegistrationError as problem:
        told(problem, path)
        return
    for row in ROWS:
        state = found.check(row)
        json.dumps(state, allow_nan=False).encode()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[" * 100_000, b"1" * 10_000, b"null", b"[]"])
def test_what_is_no_json_object(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=r"file\.json"):
        Ledger.read(path)
    with pytest.raises(RegistrationError, match=r"file\.json"):
        read_registration(path)
