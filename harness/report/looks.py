"""How verdicts are shown, wherever they are shown: always glyph, word and colour together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """How a verdict is shown.

    Attributes:
        glyph: its sign.
        word: its name.
        meaning: what it says of a claim.
    """

    glyph: str
    word: str
    meaning: str

    def counted(self, number: int) -> str:
        """So many of it: "2 supported", "1 error", "2 errors"."""
        return f"{number} {self.word.lower()}" + ("s" if self.word == "Error" and number != 1 else "")


LOOKS: Mapping[str, Look] = {
    "supported": Look("✓", "Supported", "the interval lies where predicted, and reaches what matters"),
    "refuted": Look("✗", "Refuted", "the interval excludes what was predicted, or any effect that matters"),
    "inconclusive": Look("?", "Inconclusive", "the interval allows both; more units would tell"),
    "invalid": Look("⊘", "Invalid", "a validity check failed; the numbers say nothing about the claim"),
    "error": Look("!", "Error", "it could not be run; this says nothing about the claim"),
}
