"""A claim judged in settings of its scope: what they need is made in one go, judged in looks, and noted at once."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from harness.errors import Shortfall
from harness.running.checking import Checks
from harness.running.futility import FUTILE, Mending, chance, deciding
from harness.running.growth import SeededStore, in_blocks, moved, reach, seeds_of
from harness.running.notes import Notes
from harness.running.preparing import Lacking, Seeds, prepared
from harness.running.scope import Settings
from harness.running.screening import Look, Screen
from harness.running.timeout import TookTooLongError, one_setting
from harness.running.trials import Trial, trial_of
from harness.running.values import key_of
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


class Asked:
    """What is asked of a store from now on.

    Args:
        store: the session's.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._begun = store, (len(store.trained), len(store.measured))

    def since(self) -> frozenset[str]:
        """Recipes, and measurements, each once."""
        trained, measured = self._store.trained[self._begun[0] :], self._store.measured[self._begun[1] :]
        return frozenset([*(recipe.key for recipe, _ in trained), *(f"{each.name} {each.spec!r}" for each in measured)])


class _OverError(Exception):
    """Nothing more is made in one go."""


@dataclass
class AtSettings:
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
    usual: frozenset[str]
    mending: Mending = field(default_factory=Mending)
    began: float = field(default_factory=time.monotonic)
    seen: dict[tuple[Any, Look], Verdict | None] = field(default_factory=dict)
    short: list[Settings] = field(default_factory=list)
    blocks: dict[Any, int] = field(default_factory=dict)
    came: dict[tuple[Any, Look | None], Evidence] = field(default_factory=dict)
    final: dict[Any, Verdict] = field(default_factory=dict)
    mine: set[Any] = field(default_factory=set)  # settings that this search has noted itself
    late: dict[Any, str] = field(default_factory=dict)
    shares: bool = False  # whether something was lacking, so that it can be made for several settings
    apart: bool = False  # whether nothing can
    halted: bool = False  # whether the rest of a batch is left to be judged, since one of it did not return in its time
    table: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        self.checks = Checks(self.notes, self._anew, lambda settings: key_of(settings) in self.late, self.until)

    def prepare(self, batch: Sequence[Settings]) -> bool:
        """Make in one go what the first look at some settings needs, and then what the next does where that is undecided.

        Nothing is where a claim asks the store for nothing, or for the same in every setting: there is nothing to share, and
        settings that are judged one by one are noted one by one.

        Returns:
            Whether all of it is made, so that judging them takes no time to speak of.
        """
        self.apart = self.apart or not self.usual
        new = [settings for settings in batch if self.notes.read(settings) is None]
        if self.apart:
            return False
        self.halted = False
        number = len(self.done) + 1
        name = f"{self.claim.id}, settings {number} to {number + len(batch) - 1} of {self.trials}"
        every = [look.seeds for look in self.screen.looks]
        with self._engine(), contextlib.suppress(_OverError):
            for count, look in enumerate(self.screen.looks, 1):
                if not self._make(new, look, [*every[count:], list], f"{name}, look {count}"):
                    return False
                in_time = [settings for settings in new if key_of(settings) not in self.late]
                new = [settings for settings in in_time if self._early(settings, look) is None]
            return self._make(new, None, [], name)
        return False

    def _make(self, batch: Sequence[Settings], look: Look | None, later: Sequence[Seeds], name: str) -> bool:
        """Make what a look at some settings needs, None for that at all seeds, and keep what there is to be judged."""
        works: list[tuple[Settings, Seeds]] = [(settings, list if look is None else look.seeds) for settings in batch]
        store = self.harness.store
        made, asking = store.made, Asked(store)

        def came(settings: Settings, evidence: Evidence) -> None:
            if evidence.shortfall is None:  # else it is asked once more by itself: company must not cost a verdict
                self.came[key_of(settings), look] = evidence
                self._note(settings, look)
            if store.made == made:  # the bodies compute themselves, as far as one can see
                changed = len(settings) == len(self.claim.scope)
                self.apart = self.apart or (changed and not self.shares and asking.since() <= self.usual)
                if self.apart or not self._going():
                    raise _OverError

        whole = prepared(self._in_time, self.harness, works, later=later, name=name, going=self._going, came=came)
        return whole and not self.halted

    def _in_time(self, harness: Harness | None) -> Evidence:
        """What the body returns, within a setting's share of the time."""
        assert harness is not None  # there is no search without one
        if self.halted:
            raise _OverError  # a fault of this call, like any other: it is left to the call that judges
        try:
            with one_setting() as seconds:
                self._refuse_late(harness.settings, seconds)
                return self.body(harness)
        except Lacking:
            self.shares = True
            raise
        except TookTooLongError as problem:
            self.halted = not self.shares and key_of(harness.settings) not in self.late
            self._note_late(harness.settings, seconds, problem)
            raise

    def _refuse_late(self, settings: Settings, seconds: float | None) -> None:
        """Raise a TookTooLongError if a setting is known not to return in its time."""
        before = self.late.get(key_of(settings)) or (seconds and self.notes.late(settings, seconds))
        if before:
            self.late[key_of(settings)] = before
            raise TookTooLongError(before)

    def _note_late(self, settings: Settings, seconds: float | None, problem: TookTooLongError) -> None:
        """Note that a setting did not return in its time."""
        self.late[key_of(settings)] = str(problem)
        if seconds is not None:
            self.notes.write_late(settings, seconds, str(problem))

    def _note(self, settings: Settings, look: Look | None) -> None:
        """Judge, and note, what has come, before anything else is made: whoever interrupts that keeps it."""
        began = time.perf_counter()
        with contextlib.suppress(Exception):  # what breaks here breaks again where it is judged, and is told
            verdict = self._final(settings, self.screen.rest) if look is None else self._early(settings, look)
            if verdict is not None:
                self._write(trial_of(verdict, settings, time.perf_counter() - began, "even"))

    def _write(self, trial: Trial) -> None:
        self.mine.add(key_of(trial.settings))
        self.notes.write(trial)

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
        key = key_of(settings), look
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
        noted = None if key_of(settings) in self.mine else self.notes.read(settings)
        if noted is None:
            return self._anew(settings)
        self.checks.check(noted)
        return noted

    def _anew(self, settings: Settings) -> Verdict:
        """The verdict of the first look that has one, within a setting's share of the time."""
        seconds = None
        try:
            with one_setting() as seconds:
                self._refuse_late(settings, seconds)
                return self.screen.judged(partial(self._early, settings), partial(self._final, settings))
        except Shortfall:
            self.short.append(settings)
            raise
        except TookTooLongError as problem:
            self._note_late(settings, seconds, problem)
            raise

    def _final(self, settings: Settings, share: float) -> Verdict:
        """The verdict of all seeds, which is taken once."""
        key = key_of(settings)
        if key not in self.final:
            self.final[key] = self._look(settings, None, share)
        return self.final[key]

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
                self.blocks[key_of(settings)] = Blocks(self.harness).taken(self.claim.id)
            works = [(each, partial(moved, blocks=[self.blocks[key_of(each)]], stride=reach(self.known))) for each in batch]
            prepared(self.body, self.harness, works, name=f"{self.claim.id}, fresh seeds")

    def fresh(self, settings: Settings) -> Verdict | None:
        """The verdict of all seeds, none of which was used before; None where there are none."""
        block = self.blocks.pop(key_of(settings), None) or Blocks(self.harness).taken(self.claim.id)
        evidence = in_blocks(self.body, self.harness, [block], set(self.known), settings=settings)
        seeds = seeds_of(evidence)
        return self.judge(evidence) if seeds and not seeds & self.first else None

    def tell(self, trial: Trial) -> None:
        """Note a trial, and say how far the search is."""
        self.done.append(trial)
        if trial.settings not in self.short:  # other data, or more memory, may be there the next time
            self._write(trial)
        count, heartbeat = len(self.done), self.harness.store.heartbeat
        if heartbeat is not None:
            heartbeat({
                "population": f"settings of {self.claim.id}", "done": count, "total": self.trials,
                "share": count / self.trials, "what": "judged", "seconds": time.monotonic() - self.began,
            })  # fmt: skip

    def _look(self, settings: Settings, look: Look | None, share: float) -> Verdict:
        evidence = self.came.get((key_of(settings), look))
        if evidence is None:
            store = self.harness.store if look is None else cast("Store", SeededStore(self.harness.store, look.seeds))
            evidence = self.body(replace(self.harness, store=store, settings=settings))
        verdict = self.judge(evidence, share=share)
        self.came.pop((key_of(settings), look), None)
        self.table = deciding(self.claim, evidence.table) if evidence.shortfall is None else None
        if share == 1 or verdict.sides is None:
            return verdict
        return replace(verdict, sides=verdict.sides.at(share))  # one of several looks, of which any may have decided

    def _going(self) -> bool:
        return self.until is None or time.monotonic() < self.until


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
