"""Objects that show themselves: in a line, and as a small card in a notebook.

What an object says of itself stands in its class; how it is laid out is for :mod:`harness.shown`.  That module is taken from
those that are loaded (``import harness`` loads it) and not imported here: code that names a network must not change with the
look of a card (docs/decisions/0025).
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
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
        return str(sys.modules["harness.shown"].line(*self._shown()))

    def _repr_html_(self) -> str:
        return str(sys.modules["harness.shown"].card(*self._shown(), *self._shown_rows()))
