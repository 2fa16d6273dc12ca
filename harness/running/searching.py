"""Searching the scope of a claim: its body called with other settings, on a few of its seeds, on all, and on fresh ones."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from harness.deadline import TimedOut
from harness.engines.local import LocalEngine
from harness.errors import ClaimError
from harness.predict import words
from harness.running.at_settings import Asked, AtSettings, Judge
from harness.running.found import OPPOSITE, Search, search
from harness.running.futility import Mending, mending
from harness.running.growth import SeededStore, in_blocks, seeds_of
from harness.running.notes import Notes, StaleError, StaleNotes
from harness.running.scope import Settings, scope_of
from harness.running.screening import Look, Screen, screen_of
from harness.running.spared import Narrowed
from harness.running.timeout import give_up
from harness.running.trials import Trial, trial_of

if TYPE_CHECKING:
    from harness.claim import Claim
    from harness.evidence import Evidence
    from harness.judge import Verdict
    from harness.running.growth import Body
    from harness.running.session import Harness
    from harness.store import Store


def check_scope(claim: Claim, asked: Settings) -> None:
    """Raise a ClaimError if the scope names a setting that was not asked for.

    Args:
        claim: the declaration.
        asked: settings that its studies asked for.
    """
    if unknown := sorted(set(claim.scope) - set(asked)):
        raise ClaimError(
            f"the scope of {claim.id} names {', '.join(unknown)}, which no study asks for at the defaults: ask for it with "
            f"harness.setting({unknown[0]!r}, default) in every call, also where only some choices use it; asked for are "
            f"{', '.join(sorted(asked)) or 'none'}"
        )


def search_scope(
    claim: Claim, body: Body, harness: Harness, judge: Judge, *, verdict: Verdict, trials: int,
    minutes: float | None = None, design: Mapping[str, Any] | None = None, rule: Any = None, workers: int = 1,
) -> Search:  # fmt: skip
    """Search the scope of a claim, calling its body with other settings; whatever breaks in it is said in its own place.

    Args:
        claim: the declaration, with a scope.
        body: the claim's.
        harness: the session's.
        judge: judges evidence.
        verdict: the verdict at the defaults.
        trials: settings to try.
        minutes: after which no further setting is tried; None for no limit.
        design: what the claim asks for, as its row has it; without it no trial is noted.
        rule: what else than the claim decides its verdicts, for the name of the notes.
        workers: processes that make what several settings need, where the store has no engine of its own.
    """
    done: list[Trial] = []
    engine = LocalEngine(workers=workers) if workers > 1 and harness.store.engine is None else None
    try:
        asked: dict[str, Any] = {}
        known: set[int] = set()
        asking = Asked(harness.store)
        usual = in_blocks(body, harness, [0], known, asked=asked)  # from the store, and only to see what it is
        wanted, first = asking.since(), seeds_of(usual)
        until = None if minutes is None else time.monotonic() + 60 * minutes
        screen = screen_of(verdict, len(first), partial(_few, body, harness, judge))
        default = trial_of(verdict, {}, 0.0, "default")
        notes, narrowed = Notes(harness, claim, body, default, design, rule), Narrowed(body, harness, usual)
        mends = _mending(claim, body, harness, screen, usual)
        scope = scope_of(claim.scope, {name: asked[name] for name in claim.scope})

        def found() -> Search:
            at = AtSettings(
                claim, narrowed, harness, judge, screen, notes, known, frozenset(first), trials, until, done, engine, wanted,
                mends,
            )  # fmt: skip
            at.checks.begin(scope)
            left = None if until is None else max(until - time.monotonic(), 0.0) / 60
            return search(
                scope, at.judged, default, trials, at.fresh, minutes=left, tell=at.tell, ahead=at.prepare,
                fresh_ahead=at.prepare_fresh, foresight=at.foresight(),
            )  # fmt: skip

        try:
            return found()
        except StaleError as problem:
            _forget(notes, f"{claim.id}: {problem}")
            done.clear()
            return found()
    except (Exception, TimedOut) as problem:  # a search never costs the claim its own verdict
        if isinstance(problem, TimedOut):
            give_up()
        said = str(problem) if isinstance(problem, TimedOut) else f"{type(problem).__name__}: {problem}"
        reason = f"The search broke after {words.counted(len(done), 'setting')}: {said}"
        opposite = OPPOSITE.get(verdict.outcome.value, "refuted")
        return Search(opposite, tuple(done), None, None, None, reason, {}, (), broke=said)
    finally:
        if engine is not None:
            engine.close()


def _forget(notes: Notes, why: str) -> None:
    """Drop notes that are not true any more, and say so."""
    notes.drop()
    with contextlib.suppress(StaleNotes):  # where warnings are errors: it costs the search nothing
        warnings.warn(StaleNotes(why), stacklevel=2)


def _few(body: Body, harness: Harness, judge: Judge, look: Look) -> Verdict:
    """The verdict at the defaults with the seeds of a look, which the store has."""
    store = cast("Store", SeededStore(harness.store, look.seeds))
    return judge(body(replace(harness, store=store)), share=look.alpha)


def _mending(claim: Claim, body: Body, harness: Harness, screen: Screen, usual: Evidence) -> Mending:
    """What a first look can say of the gates; nothing where there is none."""
    if not screen.looks:
        return Mending()
    store = cast("Store", SeededStore(harness.store, screen.looks[0].seeds))
    return mending(claim, body(replace(harness, store=store)).table, usual.table)
