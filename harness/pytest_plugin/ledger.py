"""The ledger: the verdicts that a repository already knows, and what was fixed when they became known.

A verdict that it holds is not news, whichever it is; any other verdict of that claim is, and fails the run until somebody looks
at it and records it.  An entry may list several verdicts, each of them known: for a claim on the borderline between two, or one
whose data not every machine has.  A claim whose declaration or design differs from the ledger's was changed after its verdict
was known, and fails, too, until the change is accepted with a reason, which stays in its history.

Renaming a claim does not get rid of what is known about it.  A claim with a new id has no entry, so no change of it can show.
But the old entry stays behind without a claim, which is reported, together with any claim without an entry that has the same
design or the same declaration.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.fixed import differences
from harness.pytest_plugin import ledger_file
from harness.pytest_plugin.ledger_file import KNOWN, SCHEMA, UPGRADE, Entries, Entry, LedgerError
from harness.pytest_plugin.moved import seen, sentence

__all__ = ["KNOWN", "UPGRADE", "Entry", "Ledger", "LedgerError", "Recorded"]

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Recorded:
    """What an update of the file did.

    Attributes:
        verdicts: how many verdicts are new or different.
        changes: how many changes of what was fixed were accepted.
        kept: claims whose entry somebody else changed while the run went on; it was left as it is.
    """

    verdicts: int = 0
    changes: int = 0
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ledger:
    """Known verdicts.

    Attributes:
        path: the file, or None for the raw view, which knows nothing.
        entries: by scale and claim.
        schema: that of the file.
    """

    path: Path | None = None
    entries: Entries = field(default_factory=dict)
    schema: int = SCHEMA

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """Read the file; one that does not exist yet is an empty ledger.

        Raises:
            LedgerError: the file is not a ledger.
        """
        schema, entries = ledger_file.read(path)
        return cls(path, entries, schema)

    def entry(self, scale: str, claim: str) -> Entry | None:
        """What is known about a claim, or None."""
        return self.entries.get(scale, {}).get(claim)

    def known(self, scale: str, claim: str, verdict: str) -> str | None:
        """The verdict recorded for ``claim`` at ``scale``, or None.

        Where several are recorded, it is ``verdict`` if that is one of them, else the first.
        """
        entry = self.entry(scale, claim)
        return None if entry is None else verdict if verdict in entry.verdicts else entry.verdicts[0]

    def changes(self, scale: str, row: Row, *, today: str, because: str | None) -> list[dict[str, Any]] | None:
        """The claim's changes after its verdict was known, oldest first: those of the history, and a new one, if any.

        Args:
            scale: of the run.
            row: the claim's row, with ``digest``, ``declared`` and ``design``.
            today: date of a new change.
            because: its reason, or None, in which case it is not accepted.

        Returns:
            A list of {"date", "changed", "was", "because"}; None where the ledger does not know what was fixed.
        """
        entry = self.entry(scale, row["id"])
        if entry is None or (entry.digest is None and entry.design is None and not entry.history):
            return None
        lines = [{name: line.get(name) for name in ("date", "changed", "was", "because")} for line in entry.history]
        if found := differences(entry.state, row):
            lines.append(_line(entry, found, today, because))
        return lines

    def pending(self, scale: str, row: Row) -> list[str]:
        """How the claim differs from its entry in the ledger; empty if it does not, or if nobody knows."""
        entry = self.entry(scale, row["id"])
        return [] if entry is None else differences(entry.state, row)

    def record(
        self, scale: str, rows: Iterable[Row], *, today: str, because: str | None = None, surroundings: str | None = None
    ) -> Recorded:
        """Write the verdicts of ``rows``, but no errors, into the file, beside what it holds by then.

        The file is read again under a lock: what another run, or somebody by hand, wrote meanwhile stays.

        Args:
            scale: of the run.
            rows: of the claims that ran.
            today: date of what is new.
            because: reason for changes; None where none is accepted.
            surroundings: what the numbers depend on beside claims (:mod:`harness.pytest_plugin.moved`); None to keep none.

        Returns:
            What was done.

        Raises:
            LedgerError: the file cannot be written, or is no longer a ledger.
        """
        if self.path is None:
            return Recorded()
        with ledger_file.locked(self.path):
            schema, entries = ledger_file.read(self.path)
            before, own = dict(entries.get(scale, {})), entries.setdefault(scale, {})
            verdicts, changes, kept = 0, 0, []
            for row in rows:
                id, verdict = row["id"], row["verdict"]
                if verdict not in KNOWN:
                    continue
                held = own.get(id)
                pending = [] if held is None else differences(held.state, row)
                news = held is None or verdict not in held.verdicts
                if held != self.entry(scale, id) and held is not None:
                    kept += [id] if news or pending else []
                    continue
                if pending and because is None:
                    continue  # such a run is refused before it starts; a change is never recorded without its reason
                own[id] = _updated(held, row, pending, today, because)
                if surroundings is not None:
                    own[id] = replace(own[id], numbers=seen(row, surroundings))
                verdicts, changes = verdicts + news, changes + bool(pending)
            if own != before or schema != SCHEMA:
                ledger_file.write(self.path, entries)
        return Recorded(verdicts, changes, tuple(kept))

    def moved(self, scale: str, row: Row, surroundings: str) -> str | None:
        """That a claim's numbers are others than those recorded, for no known reason; None where they are not."""
        entry = self.entry(scale, row["id"])
        return None if entry is None else sentence(entry.numbers, seen(row, surroundings))

    def upgrade(self, scale: str, rows: Iterable[Row]) -> int:
        """Add what is fixed now to the entries that lack it; verdicts stay, and nothing is judged.

        Returns:
            How many entries it was added to.

        Raises:
            LedgerError: the file cannot be written.
        """
        assert self.path is not None
        with ledger_file.locked(self.path):
            schema, entries = ledger_file.read(self.path)
            own, found = entries.get(scale, {}), 0
            for row in rows:
                held = own.get(row["id"])
                if held is not None and held.declared is None and held.design is None:
                    own[row["id"]], found = replace(held, **_state(row)), found + 1
            if found or schema != SCHEMA:
                ledger_file.write(self.path, entries)
        return found


def _updated(held: Entry | None, row: Row, pending: list[str], today: str, because: str | None) -> Entry:
    """The entry after a run."""
    if held is None:
        return Entry(row["verdict"], today, **_state(row))
    entry = held
    if row["verdict"] not in held.verdicts:
        entry = replace(entry, verdict=row["verdict"], since=today)
    if pending:
        entry = replace(entry, history=(*entry.history, _line(held, pending, today, because)))
    known = {name: value for name, value in _state(row).items() if value is not None}
    return replace(entry, **known)


def _line(entry: Entry, changed: list[str], today: str, because: str | None) -> dict[str, Any]:
    return {"date": today, "changed": changed, "was": " or ".join(entry.verdicts), "because": because}


def _state(row: Row) -> dict[str, Any]:
    return {name: row.get(name) for name in ("digest", "declared", "design")}


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
    """What to say about a ledger's orphans; nothing if it has none.

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
                yield f"{row['id']} looks like {claim} renamed: it has the same design, or the same declaration"


def _like(row: Mapping[str, Any], left: Mapping[str, Entry]) -> list[str]:
    """The orphans with the design or the declaration of a claim."""
    design, declared = (row.get("design") or {}).get("digest"), row.get("declared")

    def like(entry: Entry) -> bool:
        same = design is not None and design == (entry.design or {}).get("digest")
        return same or (bool(declared) and declared == entry.declared)

    return [claim for claim, entry in left.items() if like(entry)]
