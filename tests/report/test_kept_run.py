"""The run that is kept in the repository, as a reader meets it."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

import harness.report

KEPT = Path(harness.report.__file__).parents[2] / "reports" / "reference"


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """The kept run."""
    return dict(json.loads((KEPT / "claims.json").read_text(encoding="utf-8")))


def test_its_reasons_are_short(kept: dict[str, Any]) -> None:
    """Thirty words at the median, sixty at most: what a reader takes in at a glance; the rest stands in the notes."""
    if not any(row.get("notes") for row in kept["rows"]):
        pytest.skip("the kept run was made before reasons were short; make it again")
    lengths = {row["id"]: len(row["reason"].split()) for row in kept["rows"]}
    assert statistics.median(lengths.values()) <= 30
    assert max(lengths.values()) <= 60, max(lengths, key=lengths.__getitem__)


def test_the_picture_in_the_readme_is_of_it() -> None:
    """``python tests/browser/keep.py`` makes both in one step."""
    import hashlib

    png = (KEPT / "claims.png").read_bytes()
    keyword = b"tEXtclaims.json sha256\0"
    assert keyword in png
    said = png.partition(keyword)[2][:64].decode()
    assert said == hashlib.sha256((KEPT / "claims.json").read_bytes()).hexdigest()
