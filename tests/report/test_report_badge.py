"""The badge: counts of verdicts, and nothing that praises."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from harness.report import assemble
from harness.report.flat import badge

NAMESPACE = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{NAMESPACE}text")]


def test_counts_every_verdict_and_says_the_scale(bare: dict[str, Any]) -> None:
    assert texts(badge(bare)) == [
        "claims (reduced)", "✓ 6 supported", "✗ 2 refuted", "? 1 inconclusive", "⊘ 1 invalid", "! 2 errors",
    ]  # fmt: skip
    assert texts(badge(bare | {"scale": "full"}))[0] == "claims"


def test_can_be_read_aloud(bare: dict[str, Any]) -> None:
    root = ET.fromstring(badge(bare))
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == [f"{NAMESPACE}title", f"{NAMESPACE}desc"]
    assert (root[0].text or "").startswith("claims (reduced): ✓ 6 supported, ✗ 2 refuted")


def test_fields_stand_beside_each_other_in_colours_of_their_verdicts(bare: dict[str, Any]) -> None:
    root = ET.fromstring(badge(bare))
    boxes = [(float(box.get("x", "")), float(box.get("width", ""))) for box in root.iter(f"{NAMESPACE}rect")]
    assert all(next_x == x + width + 1 for (x, width), (next_x, _) in pairwise(boxes))
    assert sum(boxes[-1]) == float(root.get("width", ""))
    assert len({box.get("fill") for box in root.iter(f"{NAMESPACE}rect")}) == 5  # "claims" has the colour of errors


@pytest.mark.parametrize("scale", ["smoke", "full"])
def test_a_run_without_claims_has_one_too(scale: str) -> None:
    assert texts(badge(assemble([], scale=scale, device="cpu", provenance={})))[-1] == "none"
