"""Verdicts of the ledger that belong to no claim any more: whoever renames a claim does not get rid of what is known of it.

A claim under a new id has no entry, so that nothing about it can have changed.  That shows in the entry that stays behind, and,
where the claim asks for the same or declares the same as that entry, in that claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.plugin.ledger import Entry, Ledger

_SHOWN = 5  # entries that a sentence names


def orphans(ledger: Ledger, scale: str, known: Iterable[str]) -> dict[str, Entry]:
    """The entries of a scale whose id no claim has.

    Args:
        ledger: known verdicts.
        scale: of the entries.
        known: ids of all claims that there are.
    """
    ids = set(known)
    return {claim: entry for claim, entry in ledger.entries.get(scale, {}).items() if claim not in ids}


def sentences(ledger: Ledger, scale: str, known: Iterable[str], rows: Iterable[Mapping[str, Any]], where: str) -> Iterator[str]:
    """What is to be said of a ledger's orphans; nothing where it has none.

    Args:
        ledger: known verdicts.
        scale: of the entries.
        known: ids of all claims that there are.
        rows: claims with ``id``, ``declared`` and ``design``; those without an entry are compared with the orphans.
        where: the ledger's file, as the reader sees it.
    """
    left = orphans(ledger, scale, known)
    if not left:
        return
    names = list(left)
    several, more = len(names) > 1, f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    yield (
        f"{where} has verdicts at scale {scale} of {', '.join(names[:_SHOWN])}{more}, {'ids' if several else 'an id'} that no "
        f"claim has any more: give {'an' if several else 'the'} entry its claim's new id if the claim was renamed, or take it "
        "out if the claim was given up"
    )
    for row in rows:
        if ledger.entry(scale, row["id"]) is None:
            for claim in _like(row, left):
                yield f"{row['id']} looks like {claim} renamed: it asks for the same, or declares the same"


def _like(row: Mapping[str, Any], left: Mapping[str, Entry]) -> list[str]:
    """The orphans with the design or the declaration of a claim."""
    design, declared = (row.get("design") or {}).get("digest"), row.get("declared")

    def like(entry: Entry) -> bool:
        same = design is not None and design == (entry.design or {}).get("digest")
        return same or (bool(declared) and declared == entry.declared)

    return [claim for claim, entry in left.items() if like(entry)]
