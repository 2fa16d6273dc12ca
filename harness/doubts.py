"""How notes begin that cast doubt on what a verdict rests on; the report shows them beside the reason, and filters by them.

A row holds them among its notes, as sentences, so that files of any version can be read.
"""

from __future__ import annotations

from collections.abc import Iterable

SHARED = "No population is declared, so that "
"""Of a claim whose units share a seed, an architecture, a draw."""
COPIED = "Units repeat others to the last digit: "
"""Of a claim of which some units have the numbers of others."""
MOVED = "The numbers differ from those in the ledger, and nothing that the harness knows of was changed: "
"""Of a claim whose numbers are others than when they were recorded, for no reason that is known."""


def among(notes: Iterable[str]) -> list[str]:
    """Those of some notes that cast doubt, in their order."""
    return [note for note in notes if note.startswith((SHARED, COPIED, MOVED))]
