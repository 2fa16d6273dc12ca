"""The run that is kept in the repository, as a reader meets it."""

from __future__ import annotations

import html
import json
import re
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import harness.report
from harness.report import render

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


def prose(card: str) -> list[str]:
    """The sentences of a card, of five words and more: without drawings, data, heads of columns and lists of numbers."""
    card = re.sub(
        r"<(script|svg|noscript|thead|caption)\b.*?</\1>|<details class=\"why\">.*?</details>|<p class=\"shares\".*?</p>",
        " ", card, flags=re.DOTALL,
    )  # fmt: skip
    blocks = re.split(r"</?(?:p|div|td|th|dd|dt|li|span|summary|figcaption|footer|h3|tr|table|header|details)\b[^>]*>", card)
    words = [html.unescape(re.sub(r"\s+|<[^>]+>", " ", block)).strip() for block in blocks]
    sentences = [one.rstrip(".").casefold() for block in words for one in re.split(r"(?<=[.!?])\s+", block)]
    return [one for one in sentences if len(one.split()) >= 5]


def test_no_card_says_a_sentence_twice(kept: dict[str, Any]) -> None:
    cards = re.findall(r'<article[^>]*id="claim/([^"]+)"(.*?)</article>', render(kept), flags=re.DOTALL)
    assert len(cards) == len(kept["rows"])
    twice = {id: [said for said, count in Counter(prose(card)).items() if count > 1] for id, card in cards}
    assert sum(len(prose(card)) for _, card in cards) > 10 * len(cards)
    assert {id: said for id, said in twice.items() if said} == {}


def test_the_picture_in_the_readme_is_of_it() -> None:
    """``python tests/browser/keep.py`` makes both in one step."""
    import hashlib

    png = (KEPT / "claims.png").read_bytes()
    keyword = b"tEXtclaims.json sha256\0"
    assert keyword in png
    said = png.partition(keyword)[2][:64].decode()
    assert said == hashlib.sha256((KEPT / "claims.json").read_bytes()).hexdigest()
