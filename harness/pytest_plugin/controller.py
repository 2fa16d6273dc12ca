"""The controller's side: rows come in, reports and the last lines go out."""

from __future__ import annotations

import shlex
import textwrap
import time
import traceback
from collections.abc import Callable, Generator, Iterator, MutableMapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from harness import device
from harness.pytest_plugin.arriving import Arriving, Crashes
from harness.pytest_plugin.collect import Collected, Collector
from harness.pytest_plugin.ledger import UPGRADE, LedgerError, sentences
from harness.pytest_plugin.ledger_file import SCHEMA
from harness.pytest_plugin.moved import surroundings
from harness.pytest_plugin.options import claims_folders, leaves_out_unseen
from harness.pytest_plugin.outcome import (
    PROPERTY,
    RETRIES,
    SCALED,
    PackedRows,
    Row,
    Settings,
    Status,
    light,
    lighten,
    pending,
    read_row,
    shown_path,
    status,
    to_text,
)
from harness.pytest_plugin.screen import Display
from harness.running.provenance import origin, provenance
from harness.running.session import store_folder

_WIDEST = 60  # characters of the column of ids; a longer one has a longer line of its own
_LONGEST_REASON = 160  # characters; all of it stands in the report


class Controller:
    """Hooks of the process that the user started.

    Args:
        config: pytest's configuration.
        settings: what the session was asked for.
        folder: the run's folder, in which workers leave what they collected and their heartbeats.
        collector: what this process itself collects; of use without workers.
    """

    def __init__(self, config: pytest.Config, settings: Settings, folder: Path, collector: Collector) -> None:
        self._config, self._settings, self._folder, self._collector = config, settings, folder, collector
        self._rows: MutableMapping[str, Row] = {}  # packed while rows come, since there may be thousands
        self._run: set[str] = set()
        self._known: list[str] = []
        self._left_out_unseen = self._partial = self._scaled = self._retries = False
        self._broken: set[str] = set()
        self._started, self._clock = time.time(), time.perf_counter()
        self._lines: list[str] = []
        self._origin: dict[str, Any] = {}
        self._display = Display(config, folder)
        self._arriving = Arriving(settings.reports, settings.root)
        self._crashes = Crashes(folder, config.rootpath, settings.timeout)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """Without workers: this process has collected."""
        self._expect(self._collector.collected)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """With workers: one of them has collected.

        Raises:
            pytest.UsageError: ``--claims-only`` asked for an id that no claim has, or the ledger is to be updated without a
                reason for a change.
        """
        if not self._known and (collected := Collected.read(self._folder)) is not None:
            if complaint := collected.complaint():
                raise pytest.UsageError(complaint)
            self._expect(collected)

    def _expect(self, collected: Collected) -> None:
        self._known = collected.known
        self._left_out_unseen, self._partial = leaves_out_unseen(self._config), collected.partial
        self._rows = PackedRows([*collected.rows, *collected.broken])
        self._broken = {nodeid for nodeid, _ in collected.broken}
        collected.rows.clear()
        if self._rows and not self._config.option.collectonly:
            self._origin = origin(self._config.rootpath, claims_folders(self._config))
            self._arriving.begin(self._assembled)
            self._display.start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A claim begins, here or in a worker."""
        if nodeid in self._rows:
            self._crashes.began(nodeid)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Take the row that the report brings, before others see it, and then lighten the report, which pytest keeps."""
        if report.nodeid in self._rows:
            self._take(report)
        try:
            return (yield)
        finally:
            lighten(report)

    def _take(self, report: pytest.TestReport) -> None:
        """The row of a report; a worker that died brings none."""
        row = read_row(report)
        if row is not None and light(row):
            return  # a plugin reports it once more
        if row is None:
            said = str(report.longrepr).splitlines()[0]
            reason = self._crashes.reason(report.nodeid, said)
            row = self._rows[report.nodeid] | {"verdict": "error", "reason": reason, "error": f"{reason} ({said})"}
            report.user_properties.append((PROPERTY, to_text(row)))
        self._rows[report.nodeid] = row
        self._retries |= any(name == RETRIES for name, _ in report.user_properties)
        self._scaled |= any(name == SCALED for name, _ in report.user_properties)
        if (report.when != "setup" or not report.passed) and report.nodeid not in self._run:
            self._run.add(report.nodeid)
            self._arriving.add(row)
            self._crashes.ended(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport | pytest.CollectReport) -> Status | None:
        """Give claims their own words."""
        row = read_row(report) if isinstance(report, pytest.TestReport) else None
        return None if row is None or not isinstance(report, pytest.TestReport) else status(report, row)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports and the ledger; a failure fails the run and leaves the verdicts on screen."""
        self._display.stop()
        self._arriving.end()
        if not self._run:
            self._arriving.dropped()
            return
        from harness.report.rows import NEVER

        self._rows, self._run = dict(self._rows), self._run | self._broken
        missing = {nodeid: row for nodeid, row in self._rows.items() if nodeid not in self._run}
        for row in missing.values():
            row |= {"reason": NEVER, "error": NEVER}
        self._rows.update(self._arriving.last(self._settings.scale, missing))
        self._attempt(self._carry_searches)
        for row in self._rows.values():
            if row["verdict"] == "error":
                row["expected"] = self._settings.ledger.known(self._settings.scale, row["id"], row["verdict"])
            if self._settings.registration is not None:
                row["registered"] = self._settings.registration.check(row)
        self._attempt(self._note_moved)
        if unjudged := [row["id"] for nodeid, row in self._rows.items() if nodeid in self._run and row["verdict"] == "error"]:
            self._lines.append(f"without a verdict, so that this run is not without faults: {', '.join(unjudged)}")
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        done = [self._attempt(self._write_reports), self._attempt(self._write_ledger)]
        if done[0]:
            self._arriving.reported({row["id"]: row for row in self._rows.values()})
        elif said := self._arriving.unreported():
            self._lines.append(said)
        if not all(done) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line per claim, then where the report is."""
        if not self._run:
            return
        terminalreporter.write_sep("=", f"claims at scale {self._settings.scale}")
        wide = min(max(len(row["id"]) for row in self._rows.values()), _WIDEST)
        for row in self._rows.values():
            terminalreporter.write_line(_summary_line(row, wide))
        for line in self._lines + self._arriving.notes + list(self._notes()):
            terminalreporter.write_line(line)

    def _selected(self) -> dict[str, int | None] | None:
        """How many claims were selected, of how many (None where the others were not even collected)."""
        if self._left_out_unseen:
            return {"claims": len(self._rows), "of": None}
        if len(self._rows) < len(self._known):
            return {"claims": len(self._rows), "of": len(self._known)}
        return None

    def _notes(self) -> Iterator[str]:
        if part := self._selected():
            yield f"note: {part['claims']} of {part['of'] or 'all'} claims selected; the report has these"
        if self._settings.scale == "smoke":
            yield "note: scale smoke decides nothing; it only shows that the claims run"
        if self._settings.scale == "reduced" and self._scaled:
            yield "note: scale reduced trains smaller models than the documents; --claims-scale full has their sizes"
        if self._settings.registration is not None:
            yield from self._settings.registration.told(self._rows.values())
        if self._retries:
            yield "note: claims are judged once, whatever comes out; reruns of failing tests leave them out"
        ledger = self._settings.ledger
        if ledger.path is not None and ledger.schema != SCHEMA and not self._settings.updating:
            name = shown_path(ledger.path, self._settings.root)
            yield f"note: {name} has only verdicts, so changes to claims go unnoticed; {UPGRADE} adds what is fixed now"
        if ledger.path is not None and not self._partial and self._selected() is None:
            name, scale = shown_path(ledger.path, self._settings.root), self._settings.scale
            for said in sentences(ledger, scale, self._known, self._rows.values(), name):
                yield f"note: {said}"

    def _attempt(self, write: Callable[[], str | None]) -> bool:
        """Whether ``write`` worked; what it says, or what is wrong, goes to the end of the output."""
        from harness.report.rows import ReportError

        try:
            said = write()
        except (ReportError, LedgerError) as problem:
            self._lines.append(f"ERROR: {problem}")
            return False
        except Exception:  # a fault of ours: the verdicts are still to be shown, and the fault with them
            self._lines += ["ERROR: the report could not be made", *traceback.format_exc().splitlines()]
            return False
        if said:
            self._lines.append(said)
        return True

    def _assembled(self) -> dict[str, Any]:
        """The run as far as it has come."""
        from harness.report.rows import assemble

        facts = provenance(
            self._origin,
            started=self._started,
            seconds=time.perf_counter() - self._clock,
            command=shlex.join(["pytest", *map(str, self._config.invocation_params.args)]),
            workers=getattr(self._config.option, "numprocesses", None) or 1,
            llc_engine=self._config.getoption("claims_llc_engine"),
            selected=self._selected(),
        ) | ({} if self._scaled else {"scaled": False})
        scale, used = self._settings.scale, self._device()
        return assemble(self._rows.values(), scale=scale, device=used, provenance=facts, stories=self._stories())

    def _stories(self) -> dict[str, str]:
        """What is written about the documents of the run; a file that cannot be read costs its own chapter, and is named."""
        from harness.report.prose import gathered
        from harness.report.rows import ReportError

        folder, found = self._config.getini("claims_stories"), dict[str, str]()
        for key in dict.fromkeys(str(row["document"]) for row in self._rows.values()) if folder else ():
            try:
                found |= gathered(self._config.rootpath / folder, [key])
            except ReportError as problem:
                self._lines.append(f"note: {problem}")
        return found

    def _carry_searches(self) -> None:
        """Rows keep the last search of their claim; of verdicts by another rule than the ordinary one nothing was searched."""
        from harness.report.carried import carried
        from harness.report.rows import ReportError

        if self._settings.family_wise or self._settings.blocks or self._settings.fresh:
            return
        scale, reports = self._settings.scale, self._settings.reports
        try:
            self._rows.update(carried(self._rows, scale=scale, reports=reports, named=self._settings.searches))
        except ReportError as problem:
            self._lines.append(f"note: no earlier search stands in the report: {problem} (ini option claims_searches)")

    @cached_property
    def _surroundings(self) -> str | None:
        """What numbers depend on beside claims; None where no numbers are kept: by another rule than the ordinary one."""
        settings = self._settings
        if settings.ledger.path is None or settings.family_wise or settings.blocks or settings.fresh:
            return None
        code, engine = self._origin.get("code", {}).get("harness"), self._config.getoption("claims_llc_engine")
        return surroundings(code, device=self._device(), engine=engine)

    def _note_moved(self) -> str | None:
        """Say so among the notes of claims whose numbers are others than the ledger's, though nothing known was changed."""
        found = []
        scale, known = self._settings.scale, self._settings.ledger.entries
        if not any(entry.numbers for entry in known.get(self._settings.scale, {}).values()) or self._surroundings is None:
            return None
        for row in self._rows.values():
            if row["as_of"] is None and (said := self._settings.ledger.moved(scale, row, self._surroundings)):
                row["notes"] = [said, *row["notes"]]
                found.append(row["id"])
        name = shown_path(self._settings.ledger.path, self._settings.root) if self._settings.ledger.path else ""
        others = "numbers differ from those in"
        return f"note: {others} {name}, and nothing known was changed: {', '.join(found)} (docs/limits.md)" if found else None

    def _write_reports(self) -> str:
        from harness.report.drawings import Drawings
        from harness.report.write import write_reports

        folder = store_folder(self._config.getoption("claims_store"), self._config.invocation_params.dir, self._config.rootpath)
        write_reports(self._assembled(), self._settings.reports, Drawings(folder))
        return f"report: {shown_path(self._settings.reports / 'claims.html', self._settings.root)}"

    def _write_ledger(self) -> str | None:
        ledger = self._settings.ledger
        if not self._settings.updating or ledger.path is None:
            return None
        settings, where = self._settings, shown_path(ledger.path, self._settings.root)
        rows = [row for row in self._rows.values() if row["as_of"] is None]
        done = ledger.record(
            settings.scale, rows, today=settings.today, because=settings.because, surroundings=self._surroundings
        )
        if done.kept:
            raise LedgerError(
                f"{where} was changed while this run went on, in {', '.join(done.kept)}: these entries were left as they are, "
                "and the verdicts of this run are in the report; run these claims again to record them"
            )
        what = "verdict" if done.verdicts == 1 else "verdicts"
        accepted = f", {done.changes} accepted as changed" if done.changes else ""
        return f"ledger: {done.verdicts} {what} changed{accepted} in {where}"

    def _device(self) -> str:
        choice = str(self._config.getoption("claims_device"))
        try:
            return device.resolve(choice)
        except device.DeviceError:
            return choice


def _summary_line(row: Row, wide: int) -> str:
    """Glyph, verdict, id, effect with interval, margin, n, which kind of verdict; or, where the numbers say nothing, why."""
    from harness.report.text import VERDICT_STYLES, measured, moment, number, visible

    verdict, known = row["verdict"], row["expected"]
    word = verdict.upper() + (" (known)" if verdict == known and verdict in ("refuted", "invalid") else "")
    if row["effect"] is None or verdict in ("invalid", "error"):
        told = textwrap.shorten(row["reason"], _LONGEST_REASON, placeholder=" …")
    else:
        effect, interval = measured(row["effect"], row["interval"])
        told = effect if row["interval"] is None else f"{effect} ({interval})"
        told += "" if row["margin"] is None else f", margin {number(row['margin'])}"
        told += "" if row["n"] is None else f", n {row['n']}"
        told += f", {kind}" if (kind := row["label"] or row["grade"]) else ""
    changed = "" if row["as_of"] is None else f"; as of {moment(row['as_of'])}, not run now"
    changed += "" if known in (None, verdict) else f"; the ledger has {known}"
    if what := pending(row):
        changed += f"; changed since it was known: {', '.join(what)}"
    return visible(f"{VERDICT_STYLES[verdict].glyph} {word:<15} {row['id']:<{wide}}  {told}{changed}")
