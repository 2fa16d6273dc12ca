"""Objects that show themselves: as one line of text, and in a notebook as a small card.

A class says which facts its objects show (:class:`Shown`); they are laid out by :func:`line` and by :func:`card`, a small table
of HTML without script, in the notebook's colours.  Objects look these functions up in the loaded module (``import harness``
loads it) instead of importing them: code that names a network must not change with the look of a card (docs/decisions/0025).
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from html import escape
from typing import Any


class Shown(ABC):
    """Something with a heading and a few facts: numbers, texts, short tuples; never arrays."""

    @abstractmethod
    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        """The heading, and the facts by name; those that are None or empty are left out."""

    def _shown_rows(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        """Heads and rows of a table below the facts, for a notebook; none unless a class has one."""
        return (), ()

    def __repr__(self) -> str:
        return str(sys.modules["harness.showing"].line(*self._shown()))

    def _repr_html_(self) -> str:
        return str(sys.modules["harness.showing"].card(*self._shown(), *self._shown_rows()))


LONGEST = 280
"""Characters of a line."""
_FACT = 90  # characters of one fact in a line
_CELL = 400  # of one in a card
_ROWS = 20  # of a card's table
_TABLE = "border-collapse: collapse; color: inherit; background: none; font-size: inherit; margin: 0.3em 0"
_HEAD = "text-align: left; vertical-align: top; padding: 0.1em 0.8em 0.1em 0; font-weight: 600; background: none"
_DATA = "text-align: left; vertical-align: top; padding: 0.1em 0.8em 0.1em 0; background: none; white-space: normal"


def line(heading: str, facts: Mapping[str, Any]) -> str:
    """An object in one line of at most :data:`LONGEST` characters.

    Args:
        heading: what it is.
        facts: what it says of itself, by name.
    """
    said = [f"{name} {cut(text, _FACT)}" for name, text in _said(facts)]
    return cut(": ".join([cut(one_line(heading), _FACT), *(["; ".join(said)] if said else [])]), LONGEST)


def card(heading: str, facts: Mapping[str, Any], heads: Sequence[str] = (), rows: Sequence[Sequence[Any]] = ()) -> str:
    """An object as a small table of HTML, everything escaped.

    Args:
        heading: what it is.
        facts: what it says of itself, by name.
        heads: of a table below the facts.
        rows: that table's, of which the first twenty are shown.
    """
    parts = [f"<strong>{escape(cut(one_line(heading), _CELL))}</strong>"]
    if said := list(_said(facts)):
        body = "".join(f'<tr><th scope="row" style="{_HEAD}">{escape(name)}</th>{_cell(text)}</tr>' for name, text in said)
        parts.append(f'<table style="{_TABLE}"><tbody>{body}</tbody></table>')
    if rows:
        top = "".join(f'<th scope="col" style="{_HEAD}">{escape(head)}</th>' for head in heads)
        body = "".join(f"<tr>{''.join(_cell(in_words(value)) for value in row)}</tr>" for row in rows[:_ROWS])
        parts.append(f'<table style="{_TABLE}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>')
        if len(rows) > _ROWS:
            parts.append(f"<p>and {len(rows) - _ROWS:,} more rows</p>")
    return f'<div class="harness-shown" style="color: inherit">{"".join(parts)}</div>'


def in_words(value: Any) -> str:
    """A fact as text: numbers to four digits, runs of whole numbers by their ends, specs by what is not at its default."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return one_line(str(value))
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−")
    if isinstance(value, tuple | list):
        return _run(value) if _is_run(value) else ", ".join(map(in_words, value))
    if is_dataclass(value) and not isinstance(value, type):
        return one_line(_changed(value))
    return one_line(str(value))


def _changed(spec: Any) -> str:
    """A dataclass with those of its fields that are not at their default."""
    values = [(each, getattr(spec, each.name)) for each in fields(spec) if each.init and each.repr]
    said = [f"{each.name}={_changed(value) if is_dataclass(value) else repr(value)}" for each, value in values
            if each.default is MISSING or repr(value) != repr(each.default)]  # fmt: skip
    return f"{type(spec).__name__}({', '.join(said)})"


def one_line(text: str) -> str:
    """A text without line breaks."""
    return " ".join(text.split())


def cut(text: str, longest: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _said(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if value is not None and value != "" and value != ():
            yield one_line(name), in_words(value)


def _cell(text: str) -> str:
    return f'<td style="{_DATA}">{escape(cut(text, _CELL))}</td>'


def _is_run(values: Sequence[Any]) -> bool:
    whole = len(values) > 2 and all(type(value) is int for value in values)
    return whole and list(values) == list(range(values[0], values[0] + len(values)))


def _run(values: Sequence[int]) -> str:
    return f"{values[0]:,} to {values[-1]:,}"
