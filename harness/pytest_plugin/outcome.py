"""From a judged row to what pytest shows: passed, failed, or an outcome of the claim's own.

A row travels as JSON text in ``user_properties``, because that is what reaches the controller from a worker
whatever happens, and because a single NumPy number there ends the whole run.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from harness.pytest_plugin.ledger import Ledger
from harness.pytest_plugin.registration import Registration
from harness.running.fresh import Plan

Row = dict[str, Any]
Status = tuple[str, str, tuple[str, Mapping[str, bool]]]
PROPERTY = "claim"
SCALED = "claims-scaled"  # the property of a claim that asks for the scale
RETRIES = "claims-retries"  # the property of a claim that a plugin would run again until it passes
_WORDS = ("id", "verdict", "expected", "changes")  # fields of a row that the words for its outcome need
UNRUN = "not judged"
"""How the reason of a claim begins that its author left out."""


class NotSupported(pytest.fail.Exception):  # type: ignore[misc, name-defined]
    """A claim that fails the run: refuted, invalid, changed or impossible to judge; shown without traceback."""


class Shown(pytest.skip.Exception):  # type: ignore[misc, name-defined]
    """A claim that neither passes nor fails the run: inconclusive, or the verdict that the ledger knows."""


@dataclass(frozen=True)
class Settings:
    """What a session was asked for.

    Attributes:
        scale: "smoke", "reduced" or "full".
        strict: inconclusive claims fail.
        ledger: known verdicts; an empty one is the raw view.
        updating: verdicts of this session go into the ledger, so none of them is a surprise.
        because: why declarations or designs were changed after a verdict was known; None where no change is accepted.
        today: the date of the session, for the ledger.
        registration: what was registered before anything ran, or None.
        family_wise: every claim is judged at its share of alpha, one part for each claim of its document.
        blocks: seeds are added until a claim is decided, in at most so many blocks; None for the seeds that the
            fixtures ask for.
        fresh: which claims are judged on fresh seeds alone, and on how many; None for their own seeds.
        search: settings that are tried of each claim's scope; 0 for no search.
        minutes: after which a search tries no further setting; None for no limit.
        timeout: seconds that a claim may take; None for no limit.
        searchers: processes that a search shares its settings among; None for those of the run that are left over.
        search_again: claims are searched whose search in the report still stands.
        searches: runs whose searches stand in the report for claims that were not searched now.
        reports: folder for the reports.
        root: folder that the user stands in; paths are shown relative to it.
    """

    scale: str
    strict: bool
    ledger: Ledger
    updating: bool
    because: str | None
    today: str
    registration: Registration | None
    family_wise: bool
    blocks: int | None
    fresh: Plan | None
    search: int
    minutes: float | None
    timeout: float | None
    searchers: int | None
    search_again: bool
    searches: tuple[Path, ...]
    reports: Path
    root: Path


def to_text(row: Mapping[str, Any]) -> str:
    """Strict JSON of a row, whatever it holds: a NumPy number would end the whole run, half a surrogate the report."""
    from harness.report.rows import plain

    return json.dumps(plain(row), allow_nan=False)


def write_row(item: pytest.Item, row: Mapping[str, Any]) -> None:
    """Put the row on the item, in place of the one that it carries."""
    item.user_properties[:] = [pair for pair in item.user_properties if pair[0] != PROPERTY]
    item.user_properties.append((PROPERTY, to_text(row)))


def read_row(holder: pytest.Item | pytest.TestReport) -> Row | None:
    """The row that an item or a report carries, or None; another plugin's property of that name does not count."""
    for name, text in getattr(holder, "user_properties", ()):
        if name == PROPERTY and isinstance(text, str):
            row = _parsed(text)
            return None if row is None else dict(row)
    return None


def lighten(holder: pytest.Item | pytest.TestReport) -> None:
    """Leave of the row that an item or a report carries what its words need: pytest keeps both until the session ends.

    Whoever gathers reports has it by then, the JUnit file among them.
    """
    row = read_row(holder)
    if row is not None:
        brief = {name: row[name] for name in _WORDS if name in row}
        holder.user_properties[:] = [
            (name, json.dumps(brief) if name == PROPERTY else value) for name, value in holder.user_properties
        ]


def light(row: Mapping[str, Any]) -> bool:
    """Whether it is what :func:`lighten` leaves of a row."""
    return set(row) <= set(_WORDS)


class PackedRows(MutableMapping[str, Row]):
    """Rows by node id, each as compressed text, a tenth of what it takes as objects; each look makes a row of its own.

    Args:
        rows: that are there from the start.
    """

    def __init__(self, rows: Iterable[tuple[str, Row]] = ()) -> None:
        self._packed: dict[str, bytes] = {}
        self.update(rows)

    def __getitem__(self, nodeid: str) -> Row:
        row: Row = json.loads(zlib.decompress(self._packed[nodeid]))
        return row

    def __setitem__(self, nodeid: str, row: Row) -> None:
        self._packed[nodeid] = zlib.compress(to_text(row).encode())

    def __delitem__(self, nodeid: str) -> None:
        del self._packed[nodeid]

    def __contains__(self, nodeid: object) -> bool:
        return nodeid in self._packed

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)


@lru_cache(maxsize=64)
def _parsed(text: str) -> Row | None:
    try:
        row = json.loads(text)
    except ValueError:
        return None
    return row if isinstance(row, dict) and {"id", "verdict", "expected"} <= set(row) else None


def conclude(item: pytest.Item, row: Row, settings: Settings) -> None:
    """Write the judged row on the item and end its test accordingly.

    Raises:
        NotSupported: the verdict fails the run.
        Shown: the verdict is an outcome of its own.
    """
    known = None if row["verdict"] == "error" else settings.ledger.known(settings.scale, row["id"], row["verdict"])
    if settings.updating and settings.ledger.path is not None:
        known = row["verdict"]
    row["expected"] = known
    write_row(item, row)
    verdict = row["verdict"]
    if verdict != "error" and pending(row) is not None:
        raise NotSupported(_describe(row, settings), pytrace=False)
    if known is not None and known != verdict:
        raise NotSupported(_describe(row, settings), pytrace=False)
    if verdict == "inconclusive" and not settings.strict:
        raise Shown(_headline(row), _use_item_location=True)
    if verdict in ("refuted", "invalid") and known == verdict:
        raise Shown(_headline(row), _use_item_location=True)
    if verdict != "supported":
        raise NotSupported(_describe(row, settings), pytrace=False)


def status(report: pytest.TestReport, row: Row) -> Status | None:
    """Category, letter and word of a report, or None where pytest's own will do."""
    verdict, word = row["verdict"], row["verdict"].upper()
    if hasattr(report, "wasxfail") or report.when == "teardown":
        return None
    if report.skipped and verdict == "inconclusive":
        return "inconclusive", "i", (word, {"yellow": True})
    if report.skipped and verdict in ("refuted", "invalid") and verdict == row["expected"]:
        return f"{verdict} (known)", "k", (f"{word} (known)", {"yellow": True})
    if report.passed and report.when == "call":
        return "passed", ".", (word, {"green": True})
    if report.failed and verdict == "error":
        return "error", "E", (word, {"red": True})
    if report.failed:
        was = "" if row["expected"] in (None, verdict) else f" (was {row['expected']})"
        return "failed", "F", (word + was + (" (changed)" if pending(row) else ""), {"red": True})
    return None


def pending(row: Mapping[str, Any]) -> list[str] | None:
    """What was changed in the claim after its verdict was known, if nobody has accepted that; else None."""
    lines = row["changes"] or ()
    return list(lines[-1]["changed"]) if lines and lines[-1]["because"] is None else None


def _headline(row: Row) -> str:
    """The verdict in a sentence."""
    verdict, known = row["verdict"], row["expected"]
    what = "cannot be judged" if verdict == "error" else f"is {verdict}"
    if verdict != "error" and known is not None:
        what += ", as the ledger has it" if known == verdict else f", but the ledger has {known}"
    return f"{row['id']} {what}: {row['reason']}"


def after_known(claim: str, changed: list[str], settings: Settings) -> str:
    """That a claim was changed after its verdict was known, and how, in a sentence without its full stop."""
    entry = settings.ledger.entry(settings.scale, claim)
    since = entry.since if entry is not None else None
    when = f"the verdict of {since}" if since else "its verdict"
    return f"{claim} was changed: {', '.join(changed)}, after {when} was known"


def _describe(row: Row, settings: Settings) -> str:
    """The text of a failing claim, for a reader who has never seen it."""
    changed, ledger = pending(row), shown_path(settings.ledger.path or Path(), settings.root)
    lines = [_headline(row)]
    if changed is not None:
        lines.insert(0, f"{after_known(row['id'], changed, settings)}.")
    if row["statement"]:
        lines += ["", f"  claim    {row['statement']}"]
    if row["source"]["title"]:
        lines.append(f"  source   {cite(row)}")
    if row["prediction"]:
        lines.append(f"  tested   {row['prediction']}")
    failed = [gate for gate in row["gates"] if not gate["passed"] and gate["detail"] not in row["reason"]]
    lines += [f"  gate     {gate['name']} failed: {gate['detail']}" for gate in failed]
    if row["verdict"] == "inconclusive":
        lines.append("  strict   --strict makes inconclusive claims fail")
    if row["expected"] not in (None, row["verdict"]):
        lines.append(f"  ledger   if the new verdict is right, record it in {ledger} with --claims-update-ledger")
    if changed is not None:
        accept = '--claims-update-ledger --claims-because "the reason"'
        lines.append(f"  changed  undo the change, or accept it in {ledger} with {accept}")
    lines.append(f"  report   {shown_path(settings.reports / 'claims.html', settings.root)}")
    return "\n".join(lines)


def cite(row: Mapping[str, Any]) -> str:
    """Where the document says it: title (year), section: the quote."""
    source = row["source"]
    year = f" ({source['year']})" if source["year"] else ""
    section = f", {source['section']}" if source["section"] else ""
    quote = f": “{source['quote']}”" if source["quote"] else ""
    return f"{source['title']}{year}{section}{quote}"


def shown_path(path: Path, root: Path) -> str:
    """A path as a reader would type it: relative where it lies below the root."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
