"""Searching the scope of a claim: its body called with other settings, on a few of its seeds, on all, and on fresh ones."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from harness.deadline import TimedOut
from harness.engines.local import LocalEngine
from harness.errors import ClaimError, Shortfall
from harness.predict import words
from harness.running.found import OPPOSITE, Search, search
from harness.running.futility import FUTILE, Mending, chance, deciding, mending
from harness.running.growth import SeededStore, in_blocks, moved, reach, seeds_of
from harness.running.notes import Notes
from harness.running.preparing import Seeds, prepared
from harness.running.scope import Settings, scope_of
from harness.running.screening import Look, Screen, screen_of
from harness.running.spared import Narrowed
from harness.running.timeout import give_up
from harness.running.trials import Trial, trial_of
from harness.store.sharing import calls

if TYPE_CHECKING:
    import pandas as pd

    from harness.claim import Claim
    from harness.engines import Engine
    from harness.evidence import Evidence
    from harness.judge import Verdict
    from harness.running.growth import Body
    from harness.running.session import Harness
    from harness.store import Store


DEARER = 1.6  # what a member costs that is trained and measured, in members that are trained; of small networks


class Judge(Protocol):
    """Judges evidence at a share of every alpha."""

    def __call__(self, evidence: Evidence, *, share: float = 1.0) -> Verdict: ...  # noqa: D102


def check_scope(claim: Claim, asked: Settings) -> None:
    """Raise a ClaimError if the scope names a setting that was not asked for.

    Args:
        claim: the declaration.
        asked: settings that its studies asked for.
    """
    if unknown := sorted(set(claim.scope) - set(asked)):
        raise ClaimError(
            f"the scope of {claim.id} names {', '.join(unknown)}, which no study asks for: a study gets the value with "
            f"harness.setting({unknown[0]!r}, default); asked for are {', '.join(sorted(asked)) or 'none'}"
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
        usual = in_blocks(body, harness, [0], known, asked=asked)  # from the store, and only to see what it is
        first = seeds_of(usual)
        until = None if minutes is None else time.monotonic() + 60 * minutes
        screen = screen_of(verdict, len(first), partial(_few, body, harness, judge))
        at = _Settings(
            claim, Narrowed(body, harness, usual), harness, judge, screen, Notes(harness, claim, design, rule), known,
            frozenset(first), trials, until, done, engine, _mending(claim, body, harness, screen, usual),
        )  # fmt: skip
        scope = scope_of(claim.scope, {name: asked[name] for name in claim.scope})
        default = trial_of(verdict, {}, 0.0, "default")
        return search(
            scope, at.judged, default, trials, at.fresh, minutes=minutes, tell=at.tell, ahead=at.prepare,
            fresh_ahead=at.prepare_fresh, foresight=at.foresight(),
        )  # fmt: skip
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


@dataclass
class _Settings:
    """Judges the claim in settings of its scope."""

    claim: Claim
    body: Body
    harness: Harness
    judge: Judge
    screen: Screen
    notes: Notes
    known: set[int]
    first: frozenset[int]
    trials: int
    until: float | None
    done: list[Trial]
    engine: Engine | None
    mending: Mending = field(default_factory=Mending)
    began: float = field(default_factory=time.monotonic)
    seen: dict[tuple[str, Look], Verdict | None] = field(default_factory=dict)
    short: list[Settings] = field(default_factory=list)
    blocks: dict[str, int] = field(default_factory=dict)
    came: dict[tuple[str, Look | None], Evidence] = field(default_factory=dict)
    table: pd.DataFrame | None = None

    def prepare(self, batch: Sequence[Settings]) -> bool:
        """Make in one go what the first look at some settings needs, and then what the next does where that is undecided.

        Returns:
            Whether all of it is made, so that judging them takes no time to speak of.
        """
        new = [settings for settings in batch if self.notes.read(settings) is None]
        number = len(self.done) + 1
        name = f"{self.claim.id}, settings {number} to {number + len(batch) - 1} of {self.trials}"
        every = [look.seeds for look in self.screen.looks]
        with self._engine():
            for count, look in enumerate(self.screen.looks, 1):
                if not self._make(new, look, [*every[count:], list], f"{name}, look {count}"):
                    return False
                new = [settings for settings in new if self._early(settings, look) is None]
            return self._make(new, None, [], name)

    def _make(self, batch: Sequence[Settings], look: Look | None, later: Sequence[Seeds], name: str) -> bool:
        """Make what a look at some settings needs, None for that at all seeds, and keep what there is to be judged."""
        works: list[tuple[Settings, Seeds]] = [(settings, list if look is None else look.seeds) for settings in batch]

        def came(settings: Settings, evidence: Evidence) -> None:
            if evidence.shortfall is None:  # else it is asked once more by itself: company must not cost a verdict
                self.came[_key(settings), look] = evidence

        return prepared(self.body, self.harness, works, later=later, name=name, going=self._going, came=came)

    @contextlib.contextmanager
    def _engine(self) -> Iterator[None]:
        """Let the processes of this search make what is missing."""
        store = self.harness.store
        before, store.engine = store.engine, store.engine or self.engine
        try:
            yield
        finally:
            store.engine = before

    def _early(self, settings: Settings, look: Look) -> Verdict | None:
        """The verdict of a look, which is taken once."""
        key = _key(settings), look
        if key not in self.seen:
            self.seen[key] = look.verdict(partial(self._look, settings, look), partial(self._end, look))
        return self.seen[key]

    def _end(self, look: Look, verdict: Verdict) -> Verdict | None:
        """The verdict of a look, with the reason why there is no other; None where more seeds are worth their price."""
        few, grows = f"with a share of {look.share:.2g} of the seeds; the others", 1 / look.share
        if verdict.outcome.value == "invalid" and self.table is not None and self.mending.hopeless(self.table, grows):
            return replace(verdict, reason=f"{verdict.reason} Seen {few} would not change that.")
        likely = chance(verdict, grows, self.screen.rest / look.alpha)
        if verdict.outcome.value == "inconclusive" and likely < FUTILE:
            return replace(verdict, reason=f"{verdict.reason} Seen {few} would decide it with a probability of {likely:.2g}.")
        return None

    def judged(self, settings: Settings) -> Verdict | Trial:
        """The verdict of the first look that has one, or the trial that was noted."""
        if (noted := self.notes.read(settings)) is not None:
            return noted
        try:
            return self.screen.judged(partial(self._early, settings), partial(self._look, settings, None))
        except Shortfall:
            self.short.append(settings)
            raise

    def foresight(self) -> int:
        """Steps of a bisection whose settings are made in one go, before it is known which of them are needed.

        One, unless calls are most of what a stack of a single setting's first look takes: then the settings of two steps, three
        of them, cost less than two stacks do.
        """
        asked = {recipe.key: (recipe, seeds) for recipe, seeds in self.harness.store.trained}
        first = self.screen.looks[0].seeds if self.screen.looks else list
        worth = [
            calls(recipe) > DEARER * len(first(seeds)) for recipe, seeds in asked.values() if self.harness.store.beside(recipe)
        ]
        return 2 if worth and all(worth) and len(worth) == len(asked) else 1

    def prepare_fresh(self, batch: Sequence[Settings]) -> None:
        """Make in one go what the confirmations of some settings need, each of them on seeds of its own."""
        if not self.known:
            return  # no seed is asked for, so that there are no fresh ones
        with contextlib.suppress(Exception), self._engine():  # what breaks here breaks again where it is judged, and is told
            for settings in batch:
                self.blocks[_key(settings)] = Blocks(self.harness).taken(self.claim.id)
            works = [(each, partial(moved, blocks=[self.blocks[_key(each)]], stride=reach(self.known))) for each in batch]
            prepared(self.body, self.harness, works, name=f"{self.claim.id}, fresh seeds")

    def fresh(self, settings: Settings) -> Verdict | None:
        """The verdict of all seeds, none of which was used before; None where there are none."""
        block = self.blocks.pop(_key(settings), None) or Blocks(self.harness).taken(self.claim.id)
        evidence = in_blocks(self.body, self.harness, [block], set(self.known), settings=settings)
        seeds = seeds_of(evidence)
        return self.judge(evidence) if seeds and not seeds & self.first else None

    def tell(self, trial: Trial) -> None:
        """Note a trial, and say how far the search is."""
        self.done.append(trial)
        if trial.settings not in self.short:  # other data, or more memory, may be there the next time
            self.notes.write(trial)
        count, heartbeat = len(self.done), self.harness.store.heartbeat
        if heartbeat is not None:
            heartbeat({
                "population": f"settings of {self.claim.id}", "done": count, "total": self.trials,
                "share": count / self.trials, "what": "judged", "seconds": time.monotonic() - self.began,
            })  # fmt: skip

    def _look(self, settings: Settings, look: Look | None, share: float) -> Verdict:
        evidence = self.came.pop((_key(settings), look), None)
        if evidence is None:
            store = self.harness.store if look is None else cast("Store", SeededStore(self.harness.store, look.seeds))
            evidence = self.body(replace(self.harness, store=store, settings=settings))
        verdict = self.judge(evidence, share=share)
        self.table = deciding(self.claim, evidence.table) if evidence.shortfall is None else None
        if share == 1 or verdict.sides is None:
            return verdict
        return replace(verdict, sides=verdict.sides.at(share))  # one of several looks, of which any may have decided

    def _going(self) -> bool:
        return self.until is None or time.monotonic() < self.until


def _key(settings: Settings) -> str:
    return repr(sorted(settings.items()))


class Blocks:
    """Which blocks of fresh seeds were used by confirmations, written down in the store: none is ever used twice.

    Args:
        harness: whose store it is.
    """

    def __init__(self, harness: Harness) -> None:
        self._path = harness.store.folder / "confirmations.json"

    def taken(self, claim: str) -> int:
        """The number of a block that no confirmation of the claim has used, which is used from now on."""
        from harness.store import files
        from harness.store.sharing import make_folder, try_lock

        make_folder(self._path.parent)
        lock = try_lock(self._path.with_suffix(".lock"), seconds=-1)
        assert lock is not None  # after a wait without end
        try:
            used: Mapping[str, int] = json.loads(self._path.read_text()) if self._path.exists() else {}
            block = used.get(claim, 0) + 1
            files.write(self._path, json.dumps({**used, claim: block}, sort_keys=True, indent=1).encode())
        finally:
            lock.release()
        return block
