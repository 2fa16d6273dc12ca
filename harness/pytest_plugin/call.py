"""Running a claim under pytest: its fixtures, its body, and the resulting row."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import runtestprotocol

from harness import deadline
from harness.deadline import TimedOut
from harness.device import one_thread
from harness.errors import ClaimError, Shortfall
from harness.pytest_plugin.collect import FAULT, claim_id
from harness.pytest_plugin.given import REMEDY, body_of, design_of, reads_a_harness
from harness.pytest_plugin.outcome import (
    SCALED,
    UNRUN,
    NotSupported,
    Row,
    Settings,
    Shown,
    conclude,
    lighten,
    read_row,
    write_row,
)
from harness.pytest_plugin.sittings import Sittings
from harness.spec import RecipeError

if TYPE_CHECKING:
    from harness.claim import Claim
    from harness.evidence import Evidence
    from harness.running.session import Harness
    from harness.store.store import Measured

_BEGAN: pytest.StashKey[tuple[float, int, int]] = pytest.StashKey()
_ENDED: pytest.StashKey[BaseException | bool] = pytest.StashKey()
_MEASURED: pytest.StashKey[int] = pytest.StashKey()  # what was measured until then is behind the verdict; a search comes later
_HARNESS = Path(deadline.__file__).parent
_CLOCK = Path(deadline.__file__)  # what the clock interrupts is where it broke, not the clock
_INSTEAD = "To leave a claim out, deselect it (-k); where there is too little to judge, raise harness.errors.Shortfall"
_LONGEST_ERROR = 600  # characters of an error that a row keeps; all of it stands in pytest's output


class Caller:
    """Hooks of a process that runs tests.

    Args:
        settings: what the session was asked for.
        harness: the session's, which opens its store when a claim first asks for it.
        opened: the same, or None as long as no claim has asked for it; a claim that adds nothing to what the store has made was
            answered from the store.
        families: number of claims of each document, by which ``--claims-family-wise`` divides alpha.
        sittings: what earlier runs have searched.
    """

    def __init__(
        self, settings: Settings, harness: Callable[[], Harness], opened: Callable[[], Harness | None],
        families: Mapping[str, int], sittings: Sittings,
    ) -> None:  # fmt: skip
        self._settings, self._harness, self._opened, self._families = settings, harness, opened, families
        self._sittings = sittings

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a claim once: a plugin that runs failing tests again would judge until the verdict is the wanted one."""
        if claim_id(item) is None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        runtestprotocol(item, nextitem=nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        lighten(item)
        if isinstance(ended := item.stash.get(_ENDED, None), BaseException):
            ended.with_traceback(None)  # whose frames hold what was measured
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """Set up a claim's fixtures; if one of them finds too few data, the claim is invalid."""
        if claim_id(item) is None:
            return (yield)
        self._begin(item)
        self._note_what_is_fixed(item)
        self._begin(item)  # anew: what it asks for was only looked at
        one_thread()
        try:
            return (yield)
        except Exception as problem:
            self._conclude_shortfall(item, problem)
            raise

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Call the body of a claim and judge what it returns; a plugin that calls it again gets the same answer."""
        if claim_id(pyfuncitem) is None:
            return None
        ended = pyfuncitem.stash.get(_ENDED, None)
        if ended is None:
            try:
                self._call(pyfuncitem)
            except BaseException as problem:
                ended = problem
            pyfuncitem.stash[_ENDED] = ended or True
        if isinstance(ended, BaseException):
            raise ended
        return True

    def _call(self, pyfuncitem: pytest.Function) -> None:
        from harness.running.asking import refuse_unknown
        from harness.running.evidence import completed

        one_thread()
        body = completed(pyfuncitem.function.__claim__, body_of(pyfuncitem))
        harness = self._harness().for_one_claim() if reads_a_harness(pyfuncitem) else None
        try:
            evidence = body(harness)
        except Exception as problem:
            self._conclude_shortfall(pyfuncitem, problem)
            raise
        pyfuncitem.stash[_MEASURED] = len(self._measured())
        try:
            refuse_unknown(pyfuncitem.nodeid, getattr(evidence, "table", evidence))
            row = self._judged(pyfuncitem, evidence, body, harness)
        except ClaimError as problem:
            reject(pyfuncitem, f"{problem} (in {pyfuncitem.nodeid})", self._settings)
        conclude(pyfuncitem, row, self._settings)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note in the row what kept a claim from being judged, before its report copies the row."""
        if call.excinfo is not None and call.when != "teardown":
            row = read_row(item) if claim_id(item) else None
            if row is not None and not isinstance(call.excinfo.value, NotSupported | Shown):
                call.excinfo = _with_own_frames(call.excinfo)
                if not isinstance(call.excinfo.value, Exception):  # it was interrupted: by a time limit of another plugin, say
                    from harness.store.sharing import let_go

                    let_go()
                self._note(item, row, call.excinfo)
        report = yield
        if call.excinfo is not None:
            _show_text_alone(report, call.excinfo.value)
        return report

    def _judged(self, item: pytest.Function, evidence: Evidence, body: Any, harness: Harness | None) -> Row:
        from harness.running.run import Judging, judged_row

        claim: Claim = item.function.__claim__
        settings, family = self._settings, self._families.get(claim.document, 1)
        how = Judging(
            settings.scale,
            family if settings.family_wise else None,
            settings.blocks,
            settings.fresh,
            settings.search,
            settings.minutes,
            settings.searchers or _left_over(item),
            self._sittings.whole,
        )
        return judged_row(_started(item), claim, evidence, how, body, harness).row | self._cost(item)

    def _note_what_is_fixed(self, item: pytest.Item) -> None:
        """Write into the row what the claim asks for, and how it was changed after its verdict was known."""
        if FAULT in item.stash:
            return
        row, settings = _started(item), self._settings
        assert isinstance(item, pytest.Function)  # nothing else is a claim
        design = design_of(item, settings.scale)
        row["design"] = design.to_json()
        if design.scaled:
            item.user_properties.append((SCALED, True))
        accepted = settings.because if settings.updating else None
        row["changes"] = settings.ledger.changes(settings.scale, row, today=settings.today, because=accepted)
        write_row(item, row)

    def _begin(self, item: pytest.Item) -> None:
        item.stash[_BEGAN] = (time.perf_counter(), self._made(), len(self._measured()))

    def _made(self) -> int:
        """How many pieces of work the store of this process has done so far."""
        opened = self._opened()
        return 0 if opened is None else opened.store.made

    def _measured(self) -> list[Measured]:
        """What was asked of the store of this process so far."""
        opened = self._opened()
        return [] if opened is None else opened.store.measured

    def _cost(self, item: pytest.Item) -> Row:
        """Seconds since the claim's fixtures began, whether the store had all of it, and which instruments measured."""
        from harness.running.run import instruments_of

        began, made, measured = item.stash[_BEGAN]
        uses_store = "harness" in getattr(item, "fixturenames", ())
        return {
            "seconds": time.perf_counter() - began, "cached": uses_store and self._made() == made,
            "instruments": list(instruments_of(self._measured()[measured : item.stash.get(_MEASURED, None)])),
        }  # fmt: skip

    def _conclude_shortfall(self, item: pytest.Item, problem: Exception) -> None:
        """Judge the claim on no data if ``problem`` says that there are fewer than it needs."""
        if isinstance(problem, Shortfall):
            from harness.evidence import Evidence

            assert isinstance(item, pytest.Function)  # nothing else is a claim
            nothing = Evidence({}, shortfall=str(problem))
            conclude(item, self._judged(item, nothing, lambda harness: nothing, None), self._settings)

    def _note(self, item: pytest.Item, row: Row, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        for kind, word in ((pytest.skip.Exception, "skipped"), (pytest.xfail.Exception, "expected to fail")):
            if isinstance(excinfo.value, kind):
                _note_unrun(item, row, f"{word}: {excinfo.value}")
                return
        text = _text(excinfo)
        where = _place(excinfo, item.config.rootpath)
        error = text if len(text) <= _LONGEST_ERROR else "… " + text[-_LONGEST_ERROR:]
        ended = isinstance(excinfo.value, TimedOut)
        reason = text if ended else f"could not be run: {text.splitlines()[0]}"
        cost = self._cost(item) | {"cached": None} if _BEGAN in item.stash else {}  # it was answered by nobody
        write_row(item, row | cost | {"verdict": "error", "reason": reason, "error": f"{error}\n{where}"})


def _note_unrun(item: pytest.Item, row: Row, why: str) -> None:
    """Write that the claim was left out on purpose: it has no verdict, so that no run with it is one without faults."""
    reason = f"{UNRUN}, for it was {why}"[:_LONGEST_ERROR]
    write_row(item, row | {"verdict": "error", "reason": reason, "error": f"{reason}. {_INSTEAD}"})


def reject(item: pytest.Item, message: str, settings: Settings) -> None:
    """End a claim whose declaration or result the harness cannot judge.

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


def _with_own_frames(excinfo: pytest.ExceptionInfo[BaseException]) -> pytest.ExceptionInfo[BaseException]:
    """Of an error that says what to do about it, the user's own lines are what a reader needs."""
    problem = excinfo.value
    if not isinstance(problem, RecipeError | ClaimError):
        return excinfo
    frames, trace = [], problem.__traceback__
    while trace is not None:
        if not Path(trace.tb_frame.f_code.co_filename).is_relative_to(_HARNESS):
            frames.append(trace)
        trace = trace.tb_next
    kept = None
    for each in reversed([each for each in frames if each.tb_frame.f_code.co_filename != contextlib.__file__]):
        kept = TracebackType(kept, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return pytest.ExceptionInfo.from_exception(problem.with_traceback(kept)) if kept is not None else excinfo


def _left_over(item: pytest.Item) -> int:
    """Processes that a claim's search may use: of ``-n``, those that have no claim of their own."""
    claims = sum(claim_id(each) is not None for each in item.session.items)
    here = getattr(item.config, "workerinput", {}).get("workercount", 1)  # of this session: another may have started it
    return max(1, int(here) // max(claims, 1))


def _started(item: pytest.Item) -> Row:
    row = read_row(item)
    assert row is not None  # written at collection
    return row


def _text(excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """The exception as a reader sees it; pytest's own for a missing fixture shows its internals."""
    if isinstance(excinfo.value, pytest.FixtureLookupError):
        return f"fixture {excinfo.value.argname!r} not found"
    if isinstance(excinfo.value, TimedOut):
        return str(excinfo.value)
    text = excinfo.exconly(tryshort=True).strip()
    if "ScopeMismatch" in text and "fixture harness" in text:
        return f"a fixture that outlives a claim asks for the harness: {REMEDY}\n{text}"
    return text


def _place(excinfo: pytest.ExceptionInfo[BaseException], root: Path) -> str:
    """File and line at which it broke, relative to the root; for files elsewhere only the name."""
    last = [each for each in excinfo.traceback if Path(str(each.path)) != _CLOCK][-1]
    path = Path(str(last.path))
    return f"{path.relative_to(root) if path.is_relative_to(root) else path.name}:{last.lineno + 1}"
