"""The controller's side: rows come in, reports and the last lines go out."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import device
from harness.plugin.collect import Collected, Collector
from harness.plugin.display import Display
from harness.plugin.ledger import LedgerError
from harness.plugin.outcome import PROPERTY, Row, Settings, Status, read_row, shown_path, status, to_text
from harness.plugin.provenance import provenance

_DIED = "the worker running it died"
_NEVER = "not run: the session ended before its turn"


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
        self._rows: dict[str, Row] = {}
        self._run: set[str] = set()
        self._known: list[str] = []
        self._started, self._clock = time.time(), time.perf_counter()
        self._lines: list[str] = []
        self._display = Display(config, folder)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """Without workers: this process has collected."""
        self._expect(self._collector.collected)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """With workers: one of them has collected.

        Raises:
            pytest.UsageError: ``--claim`` asked for an id that no claim has.
        """
        if not self._known and (collected := Collected.read(self._folder)) is not None:
            if collected.unknown:
                raise pytest.UsageError(collected.complaint())
            self._expect(collected)

    def _expect(self, collected: Collected) -> None:
        self._known = collected.known
        self._rows = dict(collected.rows)
        if self._rows and not self._config.option.collectonly:
            self._display.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the row that the report brings; a worker that died brings none."""
        if report.nodeid not in self._rows:
            return
        row = read_row(report)
        if row is None:
            error = f"{_DIED} ({str(report.longrepr).splitlines()[0]})"
            row = self._rows[report.nodeid] | {"verdict": "error", "reason": _DIED, "error": error}
            report.user_properties.append((PROPERTY, to_text(row)))
        self._rows[report.nodeid] = row
        if report.when != "setup" or not report.passed:
            self._run.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport | pytest.CollectReport) -> Status | None:
        """Give claims their own words."""
        row = read_row(report) if isinstance(report, pytest.TestReport) else None
        return None if row is None or not isinstance(report, pytest.TestReport) else status(report, row)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports and the ledger; a failure fails the run and leaves the verdicts on screen."""
        self._display.stop()
        if not self._run:
            return
        for nodeid in self._rows.keys() - self._run:
            self._rows[nodeid] |= {"reason": _NEVER, "error": _NEVER}
        done = [self._attempt(self._write_reports), self._attempt(self._write_ledger)]
        if not all(done) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line a claim, then where the report is."""
        if not self._run:
            return
        terminalreporter.section(f"claims at scale {self._settings.scale}")
        wide = max(len(row["id"]) for row in self._rows.values())
        for row in self._rows.values():
            terminalreporter.write_line(_summary_line(row, wide))
        for line in self._lines + list(self._notes()):
            terminalreporter.write_line(line)

    def _notes(self) -> Iterator[str]:
        if len(self._rows) < len(self._known):
            yield f"note: {len(self._rows)} of {len(self._known)} claims were selected; the report has these"
        if self._settings.scale == "smoke":
            yield "note: scale smoke decides nothing; it only shows that the claims run"
        if self._settings.scale == "reduced":
            yield "note: scale reduced trains smaller models than the documents; --scale full has their sizes"

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

    def _write_reports(self) -> str:
        from harness.report.rows import assemble
        from harness.report.write import write_reports

        some, all_ = len(self._rows), len(self._known)
        facts = provenance(
            self._config,
            started=self._started,
            seconds=time.perf_counter() - self._clock,
            selected={"claims": some, "of": all_} if some < all_ else None,
        )
        scale, used = self._settings.scale, self._device()
        run = assemble(self._rows.values(), scale=scale, device=used, provenance=facts)
        write_reports(run, self._settings.reports)
        return f"report: {shown_path(self._settings.reports / 'claims.html', self._settings.root)}"

    def _write_ledger(self) -> str | None:
        ledger = self._settings.ledger
        if not self._settings.updating or ledger.path is None:
            return None
        verdicts = {row["id"]: row["verdict"] for row in self._rows.values()}
        changed = ledger.record(self._settings.scale, verdicts)
        return f"ledger: {changed} verdicts changed in {shown_path(ledger.path, self._settings.root)}"

    def _device(self) -> str:
        choice = str(self._config.getoption("claims_device"))
        try:
            return device.resolve(choice)
        except device.DeviceError:
            return choice


def _summary_line(row: Row, wide: int) -> str:
    """Glyph, verdict, id, effect with interval, margin, n; where the numbers say nothing, why."""
    from harness.report.page import LOOKS
    from harness.report.text import measured, number

    known = row["verdict"] in ("refuted", "invalid") and row["expected"] == row["verdict"]
    word = row["verdict"].upper() + (" (known)" if known else "")
    line = f"{LOOKS[row['verdict']].glyph} {word:<15} {row['id']:<{wide}}"
    if row["effect"] is None or row["verdict"] in ("invalid", "error"):
        return f"{line}  {row['reason'].splitlines()[0]}"
    effect, interval = measured(row["effect"], row["interval"])
    line += f"  {effect} ({interval})" if row["interval"] is not None else f"  {effect}"
    line += f", margin {number(row['margin'])}" if row["margin"] is not None else ""
    return line + (f", n {row['n']}" if row["n"] is not None else "")
