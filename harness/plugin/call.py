"""Running a claim: its fixtures, its body, the judge, and the row that comes of it."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.device import one_thread
from harness.plugin.collect import FAULT, claim_id
from harness.plugin.design import design_in, instruments, refuse_unknown
from harness.plugin.growth import until_decided
from harness.plugin.outcome import NotSupported, Row, Settings, Shown, conclude, read_row, write_row
from harness.plugin.searching import check_scope, searched

if TYPE_CHECKING:
    from harness.claim import Claim, Evidence
    from harness.judge import Verdict
    from harness.store import Store

Measured = tuple[str, Any]
_BEGAN: pytest.StashKey[tuple[float, int, int]] = pytest.StashKey()
_LONGEST_ERROR = 600  # characters of an error that a row keeps; all of it stands in pytest's output


class Caller:
    """Hooks of a process that runs tests.

    Args:
        settings: what the session was asked for.
        store: the session's store, once a claim has asked for it; a claim that adds nothing to what it has made was answered
            from it.
        families: number of claims of each document, by which ``--claims-family-wise`` divides alpha.
    """

    def __init__(self, settings: Settings, store: Callable[[], Store | None], families: Mapping[str, int]) -> None:
        self._settings, self._store, self._families = settings, store, families
        self._of_fixtures: dict[pytest.FixtureDef[Any], list[Measured]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """Set up a claim's fixtures; where one of them finds too few data, the claim is invalid."""
        if claim_id(item) is None:
            return (yield)
        self._note_what_is_fixed(item)
        item.stash[_BEGAN] = (time.perf_counter(), self._made(), len(self._measured()))
        one_thread()
        try:
            return (yield)
        except Exception as problem:
            self._conclude_shortfall(item, problem)
            raise

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """Note what is measured for a fixture, since the claims that share it ask only once."""
        before = len(self._measured())
        try:
            return (yield)
        finally:
            if measured := self._measured()[before:]:
                self._of_fixtures[fixturedef] = measured
            else:
                self._of_fixtures.pop(fixturedef, None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Call the body of a claim and judge what it returns."""
        if claim_id(pyfuncitem) is None:
            return None
        from harness.claim import ClaimError

        one_thread()
        try:
            evidence = _body(pyfuncitem)
        except Exception as problem:
            self._conclude_shortfall(pyfuncitem, problem)
            raise
        try:
            refuse_unknown(pyfuncitem.nodeid, getattr(evidence, "table", evidence))
            row = self._judged(pyfuncitem, evidence)
        except ClaimError as problem:
            reject(pyfuncitem, f"{problem} (in {pyfuncitem.nodeid})", self._settings)
        conclude(pyfuncitem, row, self._settings)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note in the row what kept a claim from being judged, before its report copies the row."""
        if call.excinfo is not None and call.when != "teardown":
            row = read_row(item) if claim_id(item) else None
            if row is not None and not isinstance(call.excinfo.value, NotSupported | Shown):
                self._note(item, row, call.excinfo)
        report = yield
        if call.excinfo is not None:
            _show_text_alone(report, call.excinfo.value)
        return report

    def _judged(self, item: pytest.Function, evidence: Evidence) -> Row:
        from harness.claim import ClaimError, Evidence
        from harness.judge import judge
        from harness.report.figures import figure_from_evidence
        from harness.report.images import images_from_evidence
        from harness.report.rows import plain, with_verdict

        claim: Claim = item.function.__claim__
        share = 1 / max(self._families.get(claim.document, 1), 1) if self._settings.family_wise else 1.0

        def judged(evidence: Evidence, blocks: list[Collection[int]] | None = None) -> Verdict:
            return judge(claim, evidence, scale=self._settings.scale, share=share, blocks=blocks)

        if self._settings.blocks is None or self._settings.scale == "smoke":
            verdict = judged(evidence)
        else:
            populations = _started(item)["design"]["populations"]
            asked = [seed for each in populations for seed in each["seeds"]]
            evidence, verdict = until_decided(item, evidence, judged, most=self._settings.blocks, asked=asked)
        if not isinstance(evidence, Evidence):  # a bare table, which the judge takes, has nothing to show
            given = type(evidence).__name__
            raise ClaimError(f"the body of {claim.id} has to return Evidence(table, …), given {given}")
        row = with_verdict(_started(item), verdict.to_json())
        row["figure"] = None if evidence.figure is None else figure_from_evidence(evidence.figure)
        row["images"] = None if evidence.images is None else images_from_evidence(evidence.images)
        row["settings"] = plain({**evidence.settings, **self._rules(claim)})
        row["recipes"] = plain(evidence.recipes)
        if evidence.shortfall is None:
            check_scope(item, claim)
            if self._settings.search and claim.scope:
                row["search"] = plain(searched(item, claim, judged, verdict=row["verdict"], trials=self._settings.search))
        return row | self._cost(item)

    def _rules(self, claim: Claim) -> dict[str, str]:
        """What of the rule is not the ordinary one; a claim without an interval has no other."""
        rules: dict[str, str] = {}
        if claim.prediction.rule == "exact":
            return rules
        if self._settings.blocks is not None:
            rules["stopping rule"] = (
                f"blocks of seeds are added until the claim is decided, at most {self._settings.blocks} in all; every look "
                "is judged by an e-process"
            )
        if self._settings.family_wise:
            rules["level"] = f"α divided by the {self._families.get(claim.document, 1)} claims of the document (family-wise)"
        return rules

    def _note_what_is_fixed(self, item: pytest.Item) -> None:
        """Write into the row what the claim asks for, and how it was changed after a verdict of it was known."""
        if FAULT in item.stash:
            return
        row, settings = _started(item), self._settings
        row["design"] = design_in(item, settings.scale)
        accepted = settings.because if settings.updating else None
        row["changes"] = settings.ledger.changes(settings.scale, row, today=settings.today, because=accepted)
        write_row(item, row)

    def _made(self) -> int:
        """How many pieces of work the store of this process has done so far."""
        store = self._store()
        return 0 if store is None else store.made

    def _measured(self) -> list[Measured]:
        """What was asked of the store of this process so far."""
        store = self._store()
        return [] if store is None else store.measured

    def _cost(self, item: pytest.Item) -> Row:
        """Seconds since the claim's fixtures began, whether the store had all of it, and which instruments measured."""
        began, made, measured = item.stash[_BEGAN]
        uses_store = "harness" in getattr(item, "fixturenames", ())
        definitions = item._fixtureinfo.name2fixturedefs.values() if isinstance(item, pytest.Function) else ()
        shared = [each for own in definitions for definition in own for each in self._of_fixtures.get(definition, ())]
        return {
            "seconds": time.perf_counter() - began, "cached": uses_store and self._made() == made,
            "instruments": list(_instruments([*shared, *self._measured()[measured:]])),
        }  # fmt: skip

    def _conclude_shortfall(self, item: pytest.Item, problem: Exception) -> None:
        """Judge the claim on nothing if ``problem`` says that there are fewer data than it needs."""
        base = sys.modules.get("harness.data.base")  # where it is not loaded, nothing of it was raised
        if base is not None and isinstance(problem, base.DataShortfall):
            from harness.claim import Evidence

            assert isinstance(item, pytest.Function)  # nothing else is a claim
            conclude(item, self._judged(item, Evidence({}, shortfall=str(problem))), self._settings)

    def _note(self, item: pytest.Item, row: Row, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        if isinstance(excinfo.value, pytest.skip.Exception):
            reason = f"skipped, so not judged: {excinfo.value}"
            write_row(item, row | {"verdict": "error", "reason": reason, "error": reason})
            return
        text = _text(excinfo)
        where = _place(excinfo, item.config.rootpath)
        error = text if len(text) <= _LONGEST_ERROR else "… " + text[-_LONGEST_ERROR:]
        reason = f"could not be run: {text.splitlines()[0]}"
        cost = self._cost(item) if _BEGAN in item.stash else {}
        write_row(item, row | cost | {"verdict": "error", "reason": reason, "error": f"{error}\n{where}"})


def _instruments(measured: list[Measured]) -> Iterator[dict[str, Any]]:
    """What measured, each once, with the engine that ran; None for an instrument that knows no engines."""
    for each in instruments((name, spec, 0) for name, spec in measured):
        engine = each["settings"].get("engine")
        yield {"name": each["name"], "engine": engine, "settings": each["settings"], "streams": len(each["streams"]) or None}


def _body(item: pytest.Function) -> Any:
    """What the body returns, called with its fixtures."""
    names = item._fixtureinfo.argnames
    result = item.obj(**{name: item.funcargs[name] for name in names})
    if inspect.iscoroutine(result):
        result.close()  # it will be refused as no Evidence; unclosed it would warn besides
    return result


def reject(item: pytest.Item, message: str, settings: Settings) -> None:
    """End a claim that is declared, or that answered, in a way that the harness cannot judge.

    Raises:
        NotSupported: always, with ``message``; the claim's row says the same.
    """
    conclude(item, _started(item) | {"verdict": "error", "reason": message, "error": message}, settings)


def _show_text_alone(report: pytest.TestReport, problem: BaseException) -> None:
    """What pytest shows of a verdict is its text: no traceback, and not the name of the exception's class."""
    if isinstance(problem, NotSupported):
        report.longrepr = str(problem)
    elif isinstance(problem, Shown) and isinstance(report.longrepr, tuple):
        report.longrepr = (*report.longrepr[:2], str(problem))


def _started(item: pytest.Item) -> Row:
    row = read_row(item)
    assert row is not None  # written at collection
    return row


def _text(excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """The exception as a reader sees it; pytest's own for a missing fixture shows its internals."""
    if isinstance(excinfo.value, pytest.FixtureLookupError):
        return f"fixture {excinfo.value.argname!r} not found"
    return excinfo.exconly(tryshort=True).strip()


def _place(excinfo: pytest.ExceptionInfo[BaseException], root: Path) -> str:
    """File and line at which it broke, relative to the root; of files elsewhere only the name."""
    last = excinfo.traceback[-1]
    path = Path(str(last.path))
    return f"{path.relative_to(root) if path.is_relative_to(root) else path.name}:{last.lineno + 1}"
