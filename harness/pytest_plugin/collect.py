"""Collection: every claim gets a row, whatever happens to it later; ids are unique and can be asked for."""

from __future__ import annotations

import ast
import difflib
import json
import os
import sys
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness import links
from harness.code.loaded import SOURCES
from harness.declaring import declaring
from harness.errors import ClaimError
from harness.pytest_plugin.given import design_in
from harness.pytest_plugin.outcome import RETRIES, Settings, after_known, read_row, write_row

FAULT: pytest.StashKey[str] = pytest.StashKey()
COLLECTED = "collected.json"
_SHOWN = 5  # changed claims that a message names


def claim_id(item: object) -> str | None:
    """The id of the claim that the item is the body of, or None."""
    found = getattr(getattr(item, "function", None), "__claim_id__", None)
    return None if found is None else str(found)


def asks_for_retries(item: pytest.Item) -> bool:
    """Whether a plugin is asked to run a failing test again until it passes: pytest-rerunfailures, pytest-retry, flaky."""
    asked = (item.config.getoption(name, None) for name in ("reruns", "force_reruns", "retries", "force_flaky"))
    try:
        written = item.config.getini("reruns")
    except (KeyError, ValueError):  # there is no such plugin
        written = None
    return any(asked) or bool(written) or item.get_closest_marker("flaky") is not None


@dataclass
class Collected:
    """What a collection found.

    Attributes:
        known: ids of all claims that were seen, also of deselected ones.
        unknown: ids that ``--claims-only`` asked for and that no claim has.
        rows: (node id, row) of each claim that is to run, in order.
        families: by document, how many of the claims that were seen are judged by an interval.
        refused: a sentence for each claim that was changed after its verdict was known, if the ledger is to be updated without
            a reason for it.
        partial: a file of claims could not be collected, or was skipped, so that there may be claims that nobody saw.
        broken: (node id, row) of each claim that a file declares which could not be imported, as far as its source shows them.
    """

    known: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    families: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    partial: bool = False
    broken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Leave it for the controller; every worker finds the same, so whoever is last may win."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = folder / f"{COLLECTED}.{os.getpid()}"
        found = [self.known, self.unknown, self.rows, self.refused, self.partial, self.broken]
        temporary.write_text(json.dumps(found), encoding="utf-8")
        temporary.replace(folder / COLLECTED)

    @classmethod
    def read(cls, folder: Path) -> Collected | None:
        """What a worker left, or None before any did (or where none collected a claim)."""
        try:
            known, unknown, rows, refused, partial, broken = json.loads((folder / COLLECTED).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        own, others = ([(nodeid, row) for nodeid, row in each] for each in (rows, broken))
        return cls(known, unknown, own, refused=refused, partial=partial, broken=others)

    def complaint(self) -> str:
        """Why nothing runs: for unknown ids the closest known ones, for changed claims what was changed; else empty."""
        if self.unknown:
            return "; ".join(_unknown(wanted, self.known) for wanted in self.unknown)
        if not self.refused:
            return ""
        more = f"; and {len(self.refused) - _SHOWN} more" if len(self.refused) > _SHOWN else ""
        return (
            f"--claims-update-ledger: {'; '.join(self.refused[:_SHOWN])}{more}. Nothing was run: undo the change, or give the "
            'reason, which the ledger keeps, with --claims-because "the reason"'
        )


class Collector:
    """Hooks of a process that collects: the only one of a plain run, or a worker.

    Args:
        settings: what the session was asked for.
        folder: where the controller looks for what a worker collected; None in the controller itself.
    """

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        self.collected = Collected()
        self._settings, self._folder = settings, folder
        self._owner: dict[str, str] = {}
        self._root = Path()

    def pytest_pycollect_makemodule(self, module_path: Path) -> None:
        """Keep the source of a module that pytest is about to import: it has a finder of its own, which asks no other."""
        if not any(getattr(module, "__file__", None) == str(module_path) for module in list(sys.modules.values())):
            SOURCES.imported(str(module_path))

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Note the folder that node ids are relative to."""
        self._root = session.config.rootpath

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Let a mistake in one claim's prediction cost that claim alone, while its module is imported."""
        if not isinstance(collector, pytest.Module):
            return (yield)
        with declaring():
            return (yield)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note that claims may be missing, and which."""
        self.collected.partial |= not report.passed
        if report.failed and report.nodeid.endswith(".py"):
            self.collected.broken += _declared_in(report, self._root / report.nodeid)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Write the claim's row on the item, and let ``-k`` find it by its id."""
        claim = claim_id(item)
        if claim is None:
            return
        from harness.running.returned import check_claim

        declared = item.function.__claim__  # type: ignore[attr-defined]
        owner = self._owner.setdefault(claim, item.nodeid)
        if "__pytest_repeat_step_number" in getattr(getattr(item, "callspec", None), "params", ()):
            declared = ClaimError(
                f"the claim {claim} is repeated (--count, or the marker repeat), and a claim is judged once: to see what other "
                "seeds say, name more of them, or add --claims-until-decided"
            )
        elif owner != item.nodeid:
            declared = ClaimError(
                f"the claim id {claim} is declared twice: by {owner} and by {item.nodeid}; an id names one "
                "claim, so give this one another (a claim that varies something is not parametrised: it "
                "gathers what it varies in one table)"
            )
        elif hasattr(item, "callspec"):
            declared = ClaimError(
                f"the claim {claim} is parametrised, so that its declaration does not say what it is: gather what varies in "
                "one table, as levels of a factor, or declare a claim for each value"
            )
        if not isinstance(declared, ClaimError):
            try:
                check_claim(declared)
            except ClaimError as problem:
                declared = problem
        if isinstance(declared, ClaimError):
            item.stash[FAULT] = str(declared)
        row_id = claim if owner == item.nodeid else self._spare(claim, item.nodeid)
        write_row(item, _base_row(item, declared, row_id) | {"place": _place(item)})
        if asks_for_retries(item):
            item.user_properties.append((RETRIES, True))
        item.extra_keyword_matches.add(claim)
        if row_id not in self.collected.known:
            self.collected.known.append(row_id)
            rule = getattr(getattr(declared, "prediction", None), "rule", "exact")
            self.collected.families[row_id.split("/")[0]] += rule != "exact"

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep what ``--claims-only`` asks for.

        Raises:
            pytest.UsageError: an id is unknown.  A worker leaves that to the controller, where it can be
                read; after a fault in collection the fault comes first, since it may hide the claim.
        """
        from harness.pytest_plugin.options import leaves_out_unseen  # which imports this module

        self._refuse_links(items, whole=not self.collected.partial and not leaves_out_unseen(config))
        wanted = _wanted(config)
        if not wanted:
            return
        self.collected.unknown = [claim for claim in wanted if claim not in self.collected.known]
        broken = bool(session.testsfailed)
        if self.collected.unknown and not broken and self._folder is None:
            raise pytest.UsageError(self.collected.complaint())
        kept = [item for item in items if claim_id(item) in wanted]
        dropped = [item for item in items if claim_id(item) not in wanted]
        if dropped:
            config.hook.pytest_deselected(items=dropped)
        items[:] = [] if self.collected.unknown and not broken else kept
        if broken:
            self.collected.unknown = []

    def _refuse_links(self, items: Iterable[pytest.Item], *, whole: bool) -> None:
        """Refuse claims whose links name no claim, or return to where they began.

        Args:
            items: all that were collected.
            whole: whether there are no other claims, so that an id can be called unknown.
        """
        claims = {row["id"]: item for item in items if FAULT not in item.stash and (row := read_row(item))}
        linked = {id: links.of(item.function.__claim__) for id, item in claims.items()}  # type: ignore[attr-defined]
        found = links.faults(
            {id: own for id, own in linked.items() if any(own.values())}, self.collected.known if whole else None
        )
        for id, fault in found.items():
            claims[id].stash[FAULT] = fault
            write_row(claims[id], _base_row(claims[id], ClaimError(fault), id) | {"place": _place(claims[id])})

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what is to run; before a worker tells the controller that it has collected.

        Raises:
            pytest.UsageError: the ledger is to be updated, and claims were changed without a reason being given.  A worker
                leaves that to the controller.
        """
        items = [] if self.collected.unknown else session.items
        claims = [item for item in items if claim_id(item) is not None]
        place = {claim: at for at, claim in enumerate(self.collected.known)}  # a plugin may have shuffled the items
        rows = [(item.nodeid, row) for item in claims if (row := read_row(item))]
        self.collected.rows = sorted(rows, key=lambda each: place[each[1]["id"]])
        if self._settings.updating and self._settings.because is None and not session.config.option.collectonly:
            self.collected.refused = list(self._changed(claims))
            if self.collected.refused and self._folder is None:
                raise pytest.UsageError(self.collected.complaint())
        if self.collected.refused:
            session.items.clear()
        if self._folder is not None and (self.collected.known or self.collected.unknown or self.collected.broken):
            self.collected.write(self._folder)

    def _changed(self, claims: Iterable[pytest.Item]) -> Iterator[str]:
        """Claims that have changed since their verdict became known."""
        for item in claims:
            row = read_row(item)
            if row is None or FAULT in item.stash or self._settings.ledger.entry(self._settings.scale, row["id"]) is None:
                continue
            row["design"] = design_in(item, self._settings.scale)
            if found := self._settings.ledger.pending(self._settings.scale, row):
                yield after_known(row["id"], found, self._settings)

    def _spare(self, claim: str, nodeid: str) -> str:
        """An id for the row of a second claim with the same id, so that the report has both."""
        for number in range(2, 10_000):
            spare = f"{claim}-again-{number}"
            if self._owner.setdefault(spare, nodeid) == nodeid:
                return spare
        raise AssertionError(claim)  # nobody declares a claim ten thousand times


def _base_row(item: pytest.Item, declared: Any, row_id: str) -> dict[str, Any]:
    """The row from collection on; a declaration that cannot even be read makes one that says so."""
    from harness.report.rows import base_row  # brings NumPy: only for sessions that have claims

    try:
        return base_row(declared, row_id)
    except Exception as problem:  # a user's own object: an error here would end the whole collection
        item.stash[FAULT] = f"claim {row_id} cannot be read: {type(problem).__name__}: {problem}"
        return base_row(ClaimError(item.stash[FAULT]), row_id)


def _place(item: pytest.Item) -> str | None:
    """File and line of a claim, as an editor takes them."""
    file, line, _ = item.location
    return None if line is None else f"{file}:{line + 1}"


def _declared_in(report: pytest.CollectReport, path: Path) -> list[tuple[str, dict[str, Any]]]:
    """A row for every claim that the source of a file declares which could not be imported; none if it cannot be parsed."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return []
    from harness.report.rows import base_row

    said = str(report.longrepr).strip().splitlines() or ["it could not be imported"]
    why = ClaimError(f"{report.nodeid} could not be imported: {said[-1].removeprefix('E').strip()}")
    return [
        (f"{report.nodeid}::{node.name}", base_row(why, given.value))
        for node in tree.body if isinstance(node, ast.FunctionDef)
        for call in node.decorator_list if isinstance(call, ast.Call) and call.args
        for given in call.args[:1] if isinstance(given, ast.Constant) and isinstance(given.value, str) and "/" in given.value
    ]  # fmt: skip


def _wanted(config: pytest.Config) -> list[str]:
    from harness.pytest_plugin.options import fresh_plan  # which imports this module

    plan = fresh_plan(config)
    given: Iterable[str] = config.getoption("claims_wanted") or (plan.claims if plan else ())
    return [claim.strip() for text in given for claim in text.split(",") if claim.strip()]


def _unknown(wanted: str, known: list[str]) -> str:
    if not known:
        return f"--claims-only {wanted}: no claim was collected; name the folder that has them (pytest claims/ …)"
    same_end = [claim for claim in known if claim.split("/")[-1] == wanted.split("/")[-1]]
    close = same_end or difflib.get_close_matches(wanted, known, n=3, cutoff=0.75)
    hint = f"; did you mean {' or '.join(close)}?" if close else ";"
    everything = f"list all {len(known)} with: python -m harness list"
    return f"--claims-only {wanted}: there is no claim with this id{hint} {everything}"
