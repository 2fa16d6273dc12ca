"""Work that runs out of memory is done once more in halves, with half the working memory; then it is given up, with a remedy.

How many members are worked on together, and how many of their points, changes no number (:mod:`harness.training.train`,
:mod:`harness.measure.walk`); it is reckoned from what tensors need, which a measurement of one's own, or another program on the
machine, may exceed.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from harness import device as devices

Member = TypeVar("Member")
_SAID = ("not enough memory", "can't allocate memory", "cannot allocate memory", "out of memory", "std::bad_alloc")


class MemoryExhausted(MemoryError):  # noqa: N818 - a state of the world, not a fault
    """Work ran out of memory twice; the message says what, and what to do."""


def in_halves(members: tuple[Member, ...], work: Callable[[tuple[Member, ...]], None], what: str, device: str) -> None:
    """Do some work on members, all together if memory allows.

    Args:
        members: seeds of one recipe, or whatever names members of several.
        work: does it for some of them; what it raises besides is left to it.
        what: it is, in words: "training mlp".
        device: "cpu" or "cuda"; where.

    Raises:
        MemoryExhausted: the halves do not fit either.
    """
    try:
        work(members)
        return
    except Exception as problem:
        if not is_exhausted(problem):
            raise
        said = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
    _free(device)  # only now: the exception held all that the work did
    size, limit = (len(members) + 1) // 2, devices.memory_limit(device)
    with _half_the_memory(device):
        for some in filter(None, (members[:size], members[size:])):
            try:
                work(some)
            except Exception as problem:
                if not is_exhausted(problem):
                    raise
                raise MemoryExhausted(
                    f"{what} ran out of memory on {device} with {len(members)} networks together, and again with {len(some)} "
                    f"and half the working memory ({said[:200]}): give --claims-memory {_size(limit // 4)}, run fewer workers "
                    "at a time (-n), or use a larger machine or a smaller scale"
                ) from None


def is_exhausted(problem: BaseException) -> bool:
    """Whether an exception says that there is no memory left: Python's, NumPy's, torch's, whose kind is that of any fault."""
    if isinstance(problem, MemoryExhausted):
        return False
    torch: Any = sys.modules.get("torch")
    if isinstance(problem, MemoryError) or (torch is not None and isinstance(problem, torch.OutOfMemoryError)):
        return True
    return isinstance(problem, RuntimeError) and any(words in str(problem).lower() for words in _SAID)


@contextmanager
def _half_the_memory(device: str) -> Iterator[None]:
    before = devices._memory
    devices.limit_memory(max(1, devices.memory_limit(device) // 2))
    try:
        yield
    finally:
        devices.limit_memory(before)


def _free(device: str) -> None:
    gc.collect()
    if device == "cuda":
        import torch

        torch.cuda.empty_cache()


def _size(count: int) -> str:
    """A size as ``--claims-memory`` takes it."""
    unit, size = max((each for each in devices.UNITS.items() if each[1] <= max(1, count)), key=lambda each: each[1])
    return f"{max(1, count) // size}{unit}"
