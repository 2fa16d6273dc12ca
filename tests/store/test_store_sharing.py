"""Workers that share one store: each member is trained once, all see all, and nobody waits for the dead."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from store_samples import STANDARD, TUNED, Lengths, count_trainings
from store_worker import RECIPES, SEEDS, TRAININGS

from harness.store import Store, StoreError
from harness.store.sharing import Shard, share

WORKER = Path(__file__).with_name("store_worker.py")
PATIENCE = 60.0  # seconds until a test gives up on its workers; they need three on an idle core


class Crew:
    """Workers in processes of their own, and what they noted down."""

    def __init__(self, folder: Path) -> None:
        self.store, self.diary = folder / "store", folder / "diary"
        self.diary.mkdir()
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *how: str) -> list[subprocess.Popen[str]]:
        started = [
            subprocess.Popen(
                [sys.executable, str(WORKER), str(self.store), str(self.diary), each], text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
            for each in how
        ]  # fmt: skip
        self.processes += started
        self.wait(lambda: all((self.diary / f"{process.pid}.ready").exists() for process in started))
        return started

    def go(self) -> None:
        (self.diary / "go").touch()

    def wait(self, until: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not until():
            broken = [process for process in self.processes if process.poll() not in (None, 0, -signal.SIGKILL)]
            assert not broken, broken[0].communicate()[1]
            assert time.monotonic() < end, "the workers do not get on"
            time.sleep(0.01)

    def results(self, workers: list[subprocess.Popen[str]]) -> list[list[list[float]]]:
        found = []
        for worker in workers:
            said, complained = worker.communicate(timeout=PATIENCE)
            assert worker.returncode == 0, complained
            assert complained == ""
            found.append(json.loads(said))
        return found

    def noted(self) -> Counter[str]:
        return Counter(line for log in self.diary.glob("*.log") for line in log.read_text().splitlines())


@pytest.fixture
def crew(tmp_path):
    made = Crew(tmp_path)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def alone(folder: Path) -> list[list[float]]:
    """What one worker finds by itself."""
    populations = Store(folder).populations(RECIPES, SEEDS)
    return [population.final.double().norm(dim=1).tolist() for population in populations]


def test_three_workers_train_every_member_once_and_see_all(crew, tmp_path):
    workers = crew.start("slow", "slow", "slow")
    crew.go()
    results = crew.results(workers)
    assert results == [alone(tmp_path / "alone")] * 3
    noted = crew.noted()
    assert len(noted) == TRAININGS
    assert set(noted.values()) == {1}
    assert len(list(crew.diary.glob("*.log"))) > 1, "one worker did everything"


def test_a_worker_killed_while_it_writes_leaves_nothing_half_done_and_stops_nobody(crew, tmp_path):
    (victim,) = crew.start("stuck")
    crew.go()
    crew.wait(lambda: (crew.diary / "stuck").exists())
    (survivor,) = crew.start("quick")
    held = crew.noted()
    assert sum(held.values()) == 1
    # The survivor can do all that does not hang on the member that the victim holds.
    within_reach = TRAININGS - 1 - ("standard" in next(iter(held)))
    crew.wait(lambda: len(Store(crew.store).entries()) == within_reach)
    assert survivor.poll() is None
    os.kill(victim.pid, signal.SIGKILL)
    assert crew.results([survivor]) == [alone(tmp_path / "alone")]
    assert crew.noted() - held == Counter(dict.fromkeys(crew.noted(), 1))
    entries = Store(crew.store).entries()
    assert len(entries) == TRAININGS
    assert all(entry.valid() for entry in entries)


def test_lost_locks_cost_work_and_nothing_else(crew, tmp_path):
    workers = crew.start("slow", "slow")
    crew.go()

    def steal() -> bool:
        for lock in crew.store.glob("locks/*"):
            lock.unlink(missing_ok=True)
        return all(worker.poll() is not None for worker in workers)

    crew.wait(steal)
    assert crew.results(workers) == [alone(tmp_path / "alone")] * 2
    noted = crew.noted()
    assert len(noted) == TRAININGS
    assert max(noted.values()) <= 2
    assert all(entry.valid() for entry in Store(crew.store).entries())


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, None], ids=["ENOLCK", "EOPNOTSUPP", "no flock"])
def test_a_file_system_without_locks_will_do(store, monkeypatch, number):
    """Another worker trains the same members at the same time, since nothing keeps it from it."""

    def acquire(lock: FileLock, **rest: object) -> None:
        raise NotImplementedError if number is None else OSError(number, os.strerror(number))

    monkeypatch.setattr(FileLock, "acquire", acquire)
    others: list[torch.Tensor] = []

    def meanwhile() -> None:
        if not others:
            others.append(torch.empty(0))
            others[0] = Store(store.folder).population(STANDARD, range(2)).final

    trainings = count_trainings(monkeypatch, meanwhile)
    mine = store.population(STANDARD, range(2)).final
    assert trainings == [("standard", (0, 1))] * 2
    assert torch.equal(mine, others[0])


def test_work_that_was_done_under_a_lost_lock_is_not_done_again(store, trainings, measured):
    shard = store._members.training(STANDARD, (0, 1))
    population = store.population(STANDARD, range(2))
    shard.run(lambda share: None)
    assert len(trainings) == 1
    shard = store._tables.measuring(population, population.seeds, Lengths())
    store.measure([population], Lengths())
    shard.run(lambda share: None)
    assert len(measured) == 1


def test_a_folder_for_locks_that_cannot_be_written_is_an_error_before_any_work(store, trainings, monkeypatch):
    def acquire(lock: FileLock, **rest: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(FileLock, "acquire", acquire)
    with pytest.raises(StoreError, match=r"cannot write .*locks \(Permission denied\); make the folder writable"):
        store.population(STANDARD, [0])
    assert trainings == []


class Pile:
    """Shards in memory: what was run, and what is there."""

    def __init__(self, *keys: str, needs: dict[str, str] | None = None) -> None:
        self.there: set[str] = set()
        self.ran: list[str] = []
        self.shards = [self.shard(key, (needs or {}).get(key)) for key in keys]

    def shard(self, key: str, needed: str | None) -> Shard:
        def run(progress: Callable[[float], None]) -> None:
            self.ran.append(key)
            progress(0.5)
            self.there.add(key)

        return Shard(key, lambda: key in self.there, lambda: needed is None or needed in self.there, run, size=2)


def test_shards_run_in_order_of_need(tmp_path):
    pile, told = Pile("child", "parent", "other", needs={"child": "parent"}), []
    assert share(pile.shards, tmp_path / "locks", lambda members, work: told.append((members, work))) == 3
    assert pile.ran == ["parent", "child", "other"]
    assert told == [(1, pytest.approx(1 / 6)), (3, pytest.approx(3 / 6)), (5, pytest.approx(5 / 6))]
    assert share(pile.shards, tmp_path / "locks") == 0
    assert len(pile.ran) == 3


def test_the_largest_shard_that_can_run_is_taken_first_and_counts_as_what_it_is(tmp_path):
    pile, told = Pile("small", "large", "child", needs={"child": "small"}), []
    for shard, work in zip(pile.shards, (1.0, 6.0, 9.0), strict=True):
        object.__setattr__(shard, "work", work)
    share(pile.shards, tmp_path / "locks", lambda members, work: told.append((members, work * 16)))
    assert pile.ran == ["large", "small", "child"]
    assert told == [(1, pytest.approx(3)), (3, pytest.approx(6.5)), (5, pytest.approx(11.5))]


def test_a_held_shard_is_left_to_its_holder(tmp_path, monkeypatch):
    pile = Pile("first", "second")
    locks = tmp_path / "locks"
    locks.mkdir()
    other = FileLock(locks / "first.lock")
    other.acquire()

    def holder_finishes(seconds: float) -> None:
        pile.there.add("first")
        other.release()

    monkeypatch.setattr("harness.deadline.idle", holder_finishes)
    assert share(pile.shards, locks) == 1
    assert pile.ran == ["second"]


def test_a_shard_whose_holder_died_is_taken_over(tmp_path, monkeypatch):
    pile = Pile("only")
    locks = tmp_path / "locks"
    locks.mkdir()
    other = FileLock(locks / "only.lock")
    other.acquire()
    monkeypatch.setattr("harness.deadline.idle", lambda seconds: other.release())
    assert share(pile.shards, locks) == 1
    assert pile.ran == ["only"]


def test_what_vanished_meanwhile_is_made_again(tmp_path):
    """A parent that was there turns out to be damaged when its child is made; who noticed it may be gone."""
    pile = Pile("parent", "child", needs={"child": "parent"})
    pile.there.add("parent")
    run, tries = pile.shards[1].run, []

    def damaged_at_first(progress: Callable[[float], None]) -> None:
        tries.append(1)
        if len(tries) == 1:
            pile.there.discard("parent")
        else:
            run(progress)

    object.__setattr__(pile.shards[1], "run", damaged_at_first)
    share(pile.shards, tmp_path / "locks")
    assert pile.ran == ["parent", "child"]


def test_a_failed_training_gives_its_lock_back(tmp_path):
    pile = Pile("only")

    def fail(progress: Callable[[float], None]) -> None:
        raise RuntimeError("diverged")

    object.__setattr__(pile.shards[0], "run", fail)
    with pytest.raises(RuntimeError, match="diverged"):
        share(pile.shards, tmp_path / "locks")
    with FileLock(tmp_path / "locks" / "only.lock", timeout=0):
        pass


def test_children_wait_for_parents_that_another_worker_trains(store, monkeypatch):
    """The parent's lock is held elsewhere; its holder finishes while this worker waits."""
    shard = store._members.training(STANDARD, (0,))
    (store.folder / "locks").mkdir(parents=True)
    other = FileLock(store.folder / "locks" / f"{shard.key}.lock")
    other.acquire()
    trainings = count_trainings(monkeypatch)

    def holder_finishes(seconds: float) -> None:
        shard.run(lambda share: None)
        other.release()

    monkeypatch.setattr("harness.deadline.idle", holder_finishes)
    assert len(store.population(TUNED, [0])) == 1
    assert [regime for regime, _ in trainings] == ["standard", "finetuned"]
