"""A pile of shards, worked off by an engine.

The store decides what is done: a shard whose entries exist is done, whatever its engine says, and one whose engine says so is
not done before they exist.  A shard that is sent is locked as if it were worked on here, so that other processes of the run,
and other hosts, leave it alone; the lock goes when this process does.  No wait is without end: a job whose signs of life have
stopped, or that no node can run, is given up after the engine's patience, even where the engine itself would wait for ever (Ray
on a node that is frozen but connected, submitit on a job that ``sacct`` does not know).
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import deadline
from harness.engines.base import Engine, EngineError, Future, Lost
from harness.engines.job import described
from harness.engines.parcel import packed, raised, warn_again
from harness.store.orders import Done
from harness.store.sharing import Shard, Tell, held, make_folder

if TYPE_CHECKING:
    from filelock import FileLock

    from harness.store import Store

POLL = 0.1  # seconds between two looks at what is under way
SCAN = 1.0  # seconds between two looks at the whole pile, each of which asks a shared file system for every entry
ASKED = 5.0  # seconds between two questions to an engine whether a node is left
ATTEMPTS = 3  # times that a shard is sent before it is given up; each time but the last its worker was lost
GRACE = 5.0  # seconds that an engine may take to hand over an answer whose entries are there already


@dataclass
class _Sent:
    """A shard that is under way.

    Attributes:
        shard: which one.
        lock: tells others that it is.
        future: the engine's.
        beat: file of its signs of life.
        seen: the last of them.
        since: when something was last seen of it, by the clock of this process.
        there: when its entries, or an answer that says that they are there, were first seen.
        answer: what it returned.
    """

    shard: Shard
    lock: FileLock
    future: Future
    beat: Path
    seen: str = ""
    since: float = field(default_factory=time.monotonic)
    there: float | None = None
    answer: dict[str, Any] | None = None


class Dispatch:
    """One pile's way through an engine.

    Args:
        engine: where to.
        store: whose shards they are.
        tell: told how many members are done, and which share of the work.
    """

    def __init__(self, engine: Engine, store: Store, tell: Tell) -> None:
        self._engine, self._store, self._tell = engine, store, tell
        self._locks, self._jobs = store.folder / "locks", store.folder / "jobs"
        self._sent: list[_Sent] = []
        self._payloads: dict[str, bytes | None] = {}
        self._attempts: Counter[str] = Counter()
        self._failed: set[str] = set()
        self._done = Done()
        self._scanned = -SCAN
        self._able = self._asked = time.monotonic()  # when a node could run a job, and when that was last asked

    def run(self, shards: Sequence[Shard]) -> Done:
        """Return when every shard is done, has failed, or needs one that has.

        Raises:
            EngineError: no job can be sent, or no node can run one.
            StoreError: the store cannot be written.
        """
        make_folder(self._locks)
        make_folder(self._jobs)
        shards = sorted({shard.key: shard for shard in shards}.values(), key=lambda shard: -shard.work)
        try:
            while self._step(shards):
                pass
            self._report(shards, [shard for shard in shards if not shard.done()])
        finally:
            for sent in self._sent:
                sent.future.cancel()
                self._forget(sent)
        return self._done

    def _step(self, shards: Sequence[Shard]) -> bool:
        """Look once at all that is under way, and send or do what is ready; False when nothing is left to wait for."""
        if not self._look() and time.monotonic() - self._scanned < SCAN:
            deadline.idle(POLL, endless=True)  # patience is this module's own
            return True
        left = [shard for shard in shards if not shard.done()]
        self._report(shards, left)
        under_way = {sent.shard.key for sent in self._sent}
        ready = [shard for shard in left if shard.key not in under_way | self._failed and shard.ready()]
        self._send([shard for shard in ready if self._payload(shard) is not None])
        here = next((shard for shard in ready if self._payload(shard) is None), None)
        if here is None or not self._do_here(here):
            self._scanned = time.monotonic()  # else something has become ready, perhaps
        return bool(self._sent or ready)

    # --- here ---------------------------------------------------------------------------------------------

    def _payload(self, shard: Shard) -> bytes | None:
        if shard.key not in self._payloads:
            self._payloads[shard.key] = None if shard.order is None else packed(shard.order)
        return self._payloads[shard.key]

    def _do_here(self, shard: Shard) -> bool:
        """Run a shard that cannot travel, unless somebody else does; whether something came of it."""
        lock = held(shard, self._locks)
        if lock is None:
            return False
        try:
            if not shard.done():
                shard.run(lambda share: None)
                self._done.made += 1
        except Exception as problem:
            self._fail(shard, problem)
        finally:
            lock.release()
        for sent in self._sent:  # nobody looked at them meanwhile
            sent.since = time.monotonic()
        return True

    # --- there --------------------------------------------------------------------------------------------

    def _send(self, shards: Sequence[Shard]) -> None:
        """Send those that nobody works on, as many as may be under way."""
        taken: list[tuple[Shard, FileLock]] = []
        try:
            for shard in shards:
                if len(self._sent) + len(taken) >= self._engine.at_once:
                    break
                if (lock := held(shard, self._locks)) is not None:
                    taken.append((shard, lock))
            taken = [(shard, lock) for shard, lock in taken if not self._found_done(shard, lock)]
            if not taken:
                return
            beats = [self._jobs / f"{shard.key}-{secrets.token_hex(4)}.beat" for shard, _ in taken]
            futures = self._engine.submit([self._job(shard, beat) for (shard, _), beat in zip(taken, beats, strict=True)])
        except BaseException:
            for _, lock in taken:
                lock.release()
            raise
        for (shard, lock), future, beat in zip(taken, futures, beats, strict=True):
            self._attempts[shard.key] += 1
            self._sent.append(_Sent(shard, lock, future, beat))

    def _found_done(self, shard: Shard, lock: FileLock) -> bool:
        """Whether another process has made it since; then its lock is given back."""
        if done := shard.done():
            lock.release()
        return done

    def _job(self, shard: Shard, beat: Path) -> Any:
        payload = self._payload(shard)
        assert payload is not None  # only such are sent
        assert shard.order is not None
        return described(self._store, shard, payload, shard.order, beat.resolve(), self._engine.visible)

    def _look(self) -> bool:
        """Take in what has come back, and give up what is lost; whether anything did."""
        self._check_nodes()
        over = [sent for sent in self._sent if self._is_over(sent)]
        for sent in over:
            self._sent.remove(sent)
            self._forget(sent)
        return bool(over)

    def _is_over(self, sent: _Sent) -> bool:
        now = time.monotonic()
        try:
            if sent.answer is None and sent.future.done():
                sent.answer = sent.future.result()
                warn_again(sent.answer["warned"])
            if sent.shard.done():
                return self._is_taken_in(sent, now)
            if sent.answer is not None:
                return self._is_without_entries(sent, sent.answer, now)
            self._check_life(sent, now)
        except Lost as problem:
            self._lose(sent, str(problem))
            return True
        except EngineError as problem:
            self._fail(sent.shard, problem)
            return True
        return False

    def _is_taken_in(self, sent: _Sent, now: float) -> bool:
        """Whether to go on: the entries are there, and the answer that may come with them has come, or had its time."""
        sent.there = sent.there or now
        if sent.answer is None and now - sent.there < GRACE:
            return False
        if sent.answer is None:
            sent.future.cancel()  # the scheduler may have queued it again, and it would begin when all is over
        self._done.made += 1
        return True

    def _is_without_entries(self, sent: _Sent, answer: dict[str, Any], now: float) -> bool:
        """Whether to go on with a shard that has answered and whose entries are not there."""
        if answer["failed"] is not None:
            self._fail(sent.shard, raised(answer["failed"]))
            return True
        if not answer["done"]:  # a parent was damaged; it is made again first
            self._lose(sent, "what it needs was damaged again and again")
            return True
        sent.there = sent.there or now
        if now - sent.there < self._engine.visible:
            return False
        raise EngineError(
            f"{answer['node']} says that it has written entries which are not in {self._store.folder} here: the store's folder "
            "has to lie on a file system that all nodes share; choose it with --claims-store DIR or HARNESS_STORE"
        )

    def _check_life(self, sent: _Sent, now: float) -> None:
        """Raise Lost if a job that has begun, and that stands in no queue, has given no sign of life for too long."""
        with contextlib.suppress(OSError):
            if (seen := sent.beat.read_text(encoding="utf-8")) != sent.seen:
                sent.seen, sent.since = seen, now
        if sent.future.waiting():
            sent.since = now
        if sent.seen and now - sent.since > self._engine.patience:
            raise Lost(f"it gave no sign of life for {self._engine.patience:.0f} seconds")

    def _check_nodes(self) -> None:
        now = time.monotonic()
        if not self._sent or now - self._asked < ASKED:
            return
        self._asked = now
        complaint = self._engine.complaint()
        if not complaint:
            self._able = now
        elif now - self._able > self._engine.patience:
            raise EngineError(complaint)

    def _lose(self, sent: _Sent, why: str) -> None:
        """Put a shard back on the pile, unless it was lost too often."""
        sent.future.cancel()
        if self._attempts[sent.shard.key] >= ATTEMPTS:
            order = sent.shard.order
            name = "a shard" if order is None else order.recipe.name
            self._fail(sent.shard, EngineError(
                f"work on {name} was lost {ATTEMPTS} times with whoever did it, the last time because: {why}. If it is "
                "memory, give --claims-memory less or its nodes more"
            ))  # fmt: skip

    def _fail(self, shard: Shard, problem: Exception) -> None:
        self._failed.add(shard.key)
        self._done.failures.append(problem)

    def _forget(self, sent: _Sent) -> None:
        sent.lock.release()
        with contextlib.suppress(OSError):
            sent.beat.unlink(missing_ok=True)

    def _report(self, shards: Sequence[Shard], left: Sequence[Shard]) -> None:
        members, work = (sum(each) for each in zip(*((shard.size, shard.work) for shard in shards), strict=True))
        self._tell(members - sum(shard.size for shard in left), 1 - sum(shard.work for shard in left) / work)
