"""How missing work is cut into shards, and how workers share them.

A shard is a stack of members that are trained or measured together: as many as memory holds, at least one, and never more than
a set number.  How members are cut into stacks changes no number; see :mod:`harness.training.train`.

How many members are worked on as one stack, and how much work they are.

As many as memory holds, one at the least, and never more than a set number.  A stack is also a worker's share of the work.  How
the members are cut changes no number: see :mod:`harness.training.train`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from weakref import WeakSet

from filelock import FileLock, Timeout

from harness import deadline
from harness.device import memory_limit
from harness.store.files import unwritable
from harness.store.orders import Order

if TYPE_CHECKING:
    from harness.data.base import Dataset
    from harness.recipe import Recipe


WAIT_SECONDS = 0.05
_taken: WeakSet[FileLock] = WeakSet()  # locks of this process, given back or not
_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
Progress = Callable[[float], None]
Tell = Callable[[float, float], None]


def raise_first(failures: Sequence[Exception]) -> NoReturn:
    """Raise the first of some failures, which says of those that are alike what it says of itself, where it can."""
    first, *others = failures
    if hasattr(first, "take_in"):
        first.take_in(others)
    raise first


@dataclass(frozen=True)
class Shard:
    """A piece of work.

    Attributes:
        key: digest that names its lock.
        done: whether all its entries exist.
        ready: whether what it needs exists.
        run: makes its missing entries; it is given a function that takes the share of the work that is done.
            If something that it needs turns out to be damaged, it may return without them, and is run again.
        size: how many members it makes.
        work: how long it takes, relative to the others of its pile.
        order: the same in words that another process understands; None where only this one can do it.
    """

    key: str
    done: Callable[[], bool]
    ready: Callable[[], bool]
    run: Callable[[Progress], None]
    size: int = 1
    work: float = 1.0
    order: Order | None = None


def share(shards: Sequence[Shard], locks: Path, tell: Tell = lambda members, work: None) -> int:
    """Return when every shard is done, by this worker or by another.

    Args:
        shards: the pile; all workers are given the same one.
        locks: folder for the lock files.
        tell: told how many members are done and what share of the work that is, other workers included.

    Returns:
        How many of them this worker made.

    Raises:
        StoreError: the folder for the locks cannot be written.
    """
    make_folder(locks)
    shards = sorted(shards, key=lambda shard: -shard.work)
    left = [shard for shard in shards if not shard.done()]
    members, work, made = sum(shard.size for shard in shards), sum(shard.work for shard in shards), 0

    def working(shard: Shard, share_done: float) -> None:
        members_left = sum(other.size for other in left) - share_done * shard.size
        work_left = sum(other.work for other in left) - share_done * shard.work
        tell(members - members_left, 1 - work_left / work)

    while left:
        ready = (shard for shard in left if shard.ready())
        taken = next((shard for shard in ready if _take(shard, locks, partial(working, shard))), None)
        made += taken is not None
        before = len(left)
        # All of them, since an entry that was there may have turned out to be damaged.
        left = [shard for shard in shards if not shard.done()]
        if taken is None and len(left) == before:
            deadline.idle(WAIT_SECONDS)
        else:
            deadline.moved()
    return made


def _take(shard: Shard, locks: Path, progress: Progress) -> bool:
    """Run the shard if nobody else does; True if this worker ran it."""
    lock = held(shard, locks)
    if lock is None:
        return False
    try:
        if shard.done():
            return False
        shard.run(progress)
        return True
    finally:
        lock.release()


def held(shard: Shard, locks: Path) -> FileLock | None:
    """The shard's lock, which tells all others that it is being worked on; None if somebody else holds it.

    Raises:
        StoreError: the folder for the locks cannot be written.
    """
    return try_lock(locks / f"{shard.key}.lock")


def try_lock(path: Path, *, seconds: float = 0) -> FileLock | None:
    """A lock, held until it is released; None if somebody else holds it.

    On a file system that has no locks it is got at once, whoever else has it: so it may save work, and no more.

    Args:
        path: of the lock file.
        seconds: to wait for it; −1 for as long as it takes.

    Raises:
        StoreError: the folder for the locks cannot be written.
    """
    lock = FileLock(path)
    _taken.add(lock)
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        return None
    except NotImplementedError:
        pass  # how older versions of filelock say that there are no locks here
    except OSError as problem:
        if problem.errno not in _NO_LOCKS_HERE:
            raise unwritable(path.parent, problem) from problem
    return lock


def let_go() -> None:
    """Give back every lock that this process still holds, because the work under it was ended from outside."""
    for lock in list(_taken):
        lock.release(force=True)


def make_folder(folder: Path) -> None:
    """Make a folder of the store, if it is not there.

    Raises:
        StoreError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise unwritable(folder, problem) from problem


def until_written(progress: Progress) -> Progress:
    """The progress that a measurement may report: it is done only when its tables are written, which it does not see."""
    return lambda done: progress(min(done, 0.99))


MEMBERS_AT_A_TIME = {"trained": 64, "trained alongside": 128, "measured": 16}
ON_A_CARD = 512  # which a few members leave idle
# What a step of one member takes beside its products, in weights × points.  With it the work of the 45 recipes of the full grid
# of slt, from one layer of 8 units to three of 128, is proportional to their training times within a factor of 1.6.
OVERHEAD = 1e5
# The calls of a stack's training step for each layer, whatever its members are, and what a member takes beside its products, in
# weights × points: 25 to 30 further members of 9-8-3 to 9-16-16-16-3 take as long as the calls.
CALLS, EACH = 4.5e5, 3.3e4
MEASURED_POINTS = 256  # of a measurement's step, which it does not say


def trained_together(recipe: Recipe, data: Dataset, device: str) -> int:
    """Members of a recipe that are trained as one stack."""
    from harness.own.training import elsewhere
    from harness.training.train import memory_needed

    if elsewhere(recipe):
        return 1  # it is trained by itself anyway, and is then kept at once
    return _fitting("trained", memory_needed(recipe, data, 1), device)


def trained_alongside(recipe: Recipe, data: Dataset, device: str) -> int:
    """Members of several recipes of one kind that are trained as one stack."""
    from harness.training.train import memory_needed

    return _fitting("trained alongside", memory_needed(recipe, data, 1), device)


def measured_together(recipe: Recipe, device: str) -> int:
    """Members of a recipe that are read and measured together; whatever else a measurement holds is for it to limit."""
    return _fitting("measured", 4 * recipe.program().layout.total * len(recipe.kept), device)


def _fitting(what: str, each: int, device: str) -> int:
    return max(1, min(ON_A_CARD if device == "cuda" else MEMBERS_AT_A_TIME[what], memory_limit(device) // each))


def calls(recipe: Recipe) -> float:
    """How many further members a training step of a small stack could have in the time that its calls take."""
    program = recipe.program()
    layers = sum(len(shape) > 1 for shape in program.layout.shapes)
    return CALLS * layers / (recipe.batch_size * program.layout.total + EACH)


def training_work(recipe: Recipe, data: Dataset) -> float:
    """What training one member takes, relative to other recipes."""
    steps = recipe.epochs * len(data.train_x) / recipe.batch_size
    return max(1.0, steps) * recipe.regime.passes * _step(recipe, recipe.batch_size)


def measuring_work(recipe: Recipe) -> float:
    """What measuring one member takes, relative to other recipes and by the same measurement."""
    return len(recipe.kept) * _step(recipe, MEASURED_POINTS)


def _step(recipe: Recipe, points: int) -> float:
    return points * recipe.program().layout.total + OVERHEAD


def cut(seeds: tuple[int, ...], size: int) -> list[tuple[int, ...]]:
    """The seeds in parts of the given size; the last holds the rest."""
    return [seeds[first : first + size] for first in range(0, len(seeds), size)]
