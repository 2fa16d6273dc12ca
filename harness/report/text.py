"""Words and numbers as a reader sees them; everything upstream keeps them as numbers."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from harness.predict.words import power_of_ten

UNKNOWN = "—"
_DIGITS = re.compile(r"\d+(?:\.\d+)?")
_DIGITS_IN = re.compile(r"(\d+(?:\.\d+)?)")
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+")  # and the next begins
_LARGE, _SMALL = 1e6, 1e-4  # beyond these a power of ten reads better than zeros
_ALL_DIGITS = 17  # with so many no two floating-point numbers look alike


def number(value: Any, digits: int = 3) -> str:
    """``value`` with up to ``digits`` significant digits; text is returned unchanged, None as a dash."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or value == 0:
        return _minus(f"{value:,.0f}")
    if not math.isfinite(value):
        return UNKNOWN
    exponent = math.floor(math.log10(abs(value)))
    if not _SMALL <= abs(value) < _LARGE:
        return f"{'−' if value < 0 else ''}{power_of_ten(abs(value), digits)}"
    fixed = f"{value:,.{max(0, digits - 1 - exponent)}f}"
    return _minus(fixed.rstrip("0").rstrip(".") if "." in fixed else fixed)


def apart(values: Sequence[float], digits: int = 3) -> list[str]:
    """Numbers that differ, with as many significant digits as it takes to tell them apart, :func:`number`'s at least.

    Example:
        >>> apart([0.023761, 0.023814, 1.5])
        ['0.02376', '0.02381', '1.5']
    """
    written = [number(value, digits) for value in values]
    if len(set(written)) == len(set(values)) or digits >= _ALL_DIGITS:
        return written
    return apart(values, digits + 1)


SIZES: Mapping[str, str] = {
    "at least m": "large enough to matter", "m not excluded": "perhaps large enough to matter",
    "probably below m": "probably too small to matter",
}  # fmt: skip
"""How large a supported effect is, in words for those who do not know that m is the smallest effect of interest."""


def sized(label: str | None, *, short: bool = False) -> str:
    """What stands behind a verdict, its label or its grade, in plain words; empty if there is nothing.

    ``short`` for tables, below a badge that has the whole.
    """
    return SIZES.get(label or "", label or "").removesuffix(" to matter" if short else "")


def worded(column: str) -> str:
    """A column's name as words: what programs join with underscores, readers separate."""
    return column.replace("_", " ").strip() or column


def by_number(name: str) -> tuple[Any, ...]:
    """A key that sorts names with numbers in them by these: 25, 100, 196; "8, 64" before "8, 512"."""
    return tuple(
        (0, float(piece), "") if _DIGITS.fullmatch(piece) else (1, 0.0, piece) for piece in _DIGITS_IN.split(name) if piece
    )


def cell(value: Any) -> str:
    """A value of a data table or a setting: whole numbers without separators, so that seeds and labels read as such.

    Several values, such as the widths of layers, stand in brackets.
    """
    if isinstance(value, list | tuple):
        return f"({', '.join(map(cell, value))})"
    if isinstance(value, dict):
        return ", ".join(f"{name} {cell(own)}" for name, own in value.items())
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGE:
        return _minus(f"{value:.0f}")
    if isinstance(value, int) and not isinstance(value, bool):
        return _minus(str(value))
    return number(value, 4)


class Once:
    """Says every sentence once: one that was said before is replaced by a word that points to it.

    Args:
        fewest: words of a sentence that a reader would miss; shorter ones are said again.
    """

    def __init__(self, fewest: int = 5) -> None:
        self._said, self._fewest = set[str](), fewest

    def __call__(self, words: str, instead: str = "As above.") -> str:
        """``words`` without the sentences that were said before."""
        kept, dropped = [], False
        for sentence in _SENTENCE_ENDS.split(words):
            known = sentence.rstrip(".").casefold()
            if len(known.split()) >= self._fewest and known in self._said:
                dropped = True
                continue
            self._said.add(known)
            kept.append(sentence)
        told = " ".join(kept)
        return f"{told} {instead}".strip() if dropped else told

    def each(self, several: Sequence[str]) -> list[str]:
        """Those of ``several`` of which something is left to say."""
        return [said for words in several if (said := self(words, ""))]


def measured(effect: float | None, interval: Sequence[float | None] | None) -> tuple[str, str]:
    """An effect and its interval, "low to high", with the decimals that the interval's width justifies.

    The width is shown with two significant digits and the rest follows, as the Guide to the Expression of
    Uncertainty in Measurement (JCGM 100:2008, 7.2.6) has it.  An end that is None is unbounded.
    """
    if effect is None:
        return UNKNOWN, UNKNOWN
    low, high = interval or (None, None)
    if low is None or high is None:
        return number(effect), UNKNOWN if low is high else f"{_end(low, '−∞')} to {_end(high, '∞')}"
    width, largest = high - low, max(abs(low), abs(high), abs(effect))
    decimals = 1 - math.floor(math.log10(width)) if width > 0 else 99
    if decimals > 6 or largest >= _LARGE:
        return number(effect), f"{number(low)} to {number(high)}"
    texts = [_minus(f"{value:,.{max(0, decimals)}f}") for value in (effect, low, high)]
    return texts[0], f"{texts[1]} to {texts[2]}"


def p_value(p: float | None) -> str:
    """A p-value: two significant digits, three decimals at most above 0.1, never "0"."""
    if p is None:
        return UNKNOWN
    if p < _SMALL:
        return "< 0.0001"
    return f"{p:.2f}" if p >= 0.1 else f"{p:.2g}"


def duration(seconds: float | None) -> str:
    """A duration as a person would say it: "0.4 s", "12 s", "3 min 20 s", "2 h 05 min"."""
    if seconds is None:
        return UNKNOWN
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def moment(started: Any) -> str:
    """A time as a reader would write it: "2026-03-02 09:15 UTC"; what is not a time is returned unchanged."""
    try:
        when = datetime.fromisoformat(str(started))
    except ValueError:
        return str(started)
    return f"{when:%Y-%m-%d %H:%M} {when:%Z}".rstrip()


def visible(text: str) -> str:
    """``text`` for a terminal: what a file says may be read there, but does nothing to it.

    Control characters, escape codes, ends of lines and marks that turn the direction of writing are written as Python does.
    """
    return "".join(each if _is_seen(each) else each.encode("unicode_escape").decode() for each in text)


def _is_seen(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"  # spaces of any width


def counted(number: int, one: str, more: str) -> str:
    """A number with its noun, "1 claim" or "2 claims"."""
    return f"{number:,} {one if number == 1 else more}"


def ranges(values: Iterable[Any]) -> str:
    """Whole numbers as runs: 0, 1, 2, 3, 7 becomes "0–3, 7"; anything else is listed."""
    listed = list(values)
    if not listed or not all(isinstance(value, int) for value in listed):
        return ", ".join(map(str, listed)) or UNKNOWN
    runs: list[list[int]] = []
    for value in sorted(set(listed)):
        if runs and value == runs[-1][1] + 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in runs)


def compact(value: Any) -> str:
    """A setting in one line: numbers short, mappings as "key value", lists with commas."""
    if isinstance(value, dict):
        return "; ".join(f"{key} {compact(item)}" for key, item in value.items()) or UNKNOWN
    if isinstance(value, list):
        if len(value) > 3 and all(type(item) is int for item in value) and value == sorted(set(value)):
            return ranges(value)  # seeds; a list in another order keeps it
        return ", ".join(compact(item) for item in value) or UNKNOWN
    return cell(value)


def _end(value: float | None, unbounded: str) -> str:
    return unbounded if value is None else number(value)


def _minus(text: str) -> str:
    rounded_away = text.startswith("-") and not text.strip("-0.,")
    return text[1:] if rounded_away else text.replace("-", "−")


@dataclass(frozen=True)
class VerdictStyle:
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


VERDICT_STYLES: Mapping[str, VerdictStyle] = {
    "supported": VerdictStyle("✓", "Supported", "the interval lies where predicted, and reaches what matters"),
    "refuted": VerdictStyle("✗", "Refuted", "the interval excludes what was predicted, or any effect that matters"),
    "inconclusive": VerdictStyle("?", "Inconclusive", "the interval allows both; more units would tell"),
    "invalid": VerdictStyle("⊘", "Invalid", "a validity check failed; the numbers say nothing about the claim"),
    "error": VerdictStyle("!", "Error", "it could not be run; this says nothing about the claim"),
}


_MOST = 1e6  # where the judge cuts a factor off


def bayes(factor: float) -> str:
    """A Bayes factor with its direction: "34 for the prediction", "1/12, against the prediction"."""
    against = factor < 1
    size = 1 / factor if against else factor
    words = "more than 1,000,000" if size >= _MOST * (1 - 1e-6) else number(size, 2 if size < 100 else 3)
    return f"{words} against the prediction" if against else f"{words} for the prediction"


def severity(row: Mapping[str, Any]) -> str:
    """How severely the data have tested that there is an effect, and that it is as large as matters."""
    voice, centre, margin = row["voice"], row["centre"] or 0.0, row["margin"] or 0.0
    at_margin = _share(voice["severity_margin"])
    if voice["rule"] == "within":
        return f"Severity {at_margin} for within {number(margin)} of {number(centre)}."
    more = "more" if voice["rule"] == "above" else "less"
    target = centre + margin if more == "more" else centre - margin
    at_null = _share(voice["severity_null"])
    return f"Severity {at_null} for {more} than {number(centre)}, {at_margin} for {more} than {number(target)}."


def _share(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return "above 0.999" if value > 0.999 else "below 0.001" if value < 0.001 else number(value, 3 if value > 0.99 else 2)
