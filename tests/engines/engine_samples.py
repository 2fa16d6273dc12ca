"""Engines that run in this process, and do with jobs what a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.engines.base import Engine, Lost
from harness.engines.job import Job, carried_out
from harness.recipe import Recipe
from harness.store import Store


def lengths_of(store: Store, recipes: Sequence[Recipe], seeds: Sequence[int]) -> list[list[float]]:
    """What a store has, to the last digit."""
    return [each.final.double().norm(dim=1).tolist() for each in store.populations(recipes, seeds)]


@dataclass
class Ended:
    """A future that has its answer, or that never comes to one."""

    answer: Any = None
    queued: bool = False
    cancelled: bool = False

    def done(self) -> bool:
        return self.answer is not None

    def waiting(self) -> bool:
        return self.queued

    def result(self) -> dict[str, Any]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return dict(self.answer)

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Inline(Engine):
    """Runs jobs in this process, or does with them what a test says: one function for every time that a shard is sent."""

    does: list[Callable[[Job], Ended]] = field(default_factory=list)
    sent: list[Job] = field(default_factory=list)
    futures: list[Ended] = field(default_factory=list)
    says: str = ""
    name = "inline"
    patience = 0.3
    visible = 0.3

    def submit(self, jobs: Sequence[Job]) -> list[Any]:
        mine = []
        for job in jobs:
            self.sent.append(job)
            does = self.does.pop(0) if self.does else (lambda job: Ended(carried_out(job)))
            mine.append(does(job))
        self.futures += mine
        return mine

    def complaint(self) -> str:
        return self.says


def lost(job: Job) -> Ended:
    return Ended(Lost("its node is gone"))


def silent(job: Job) -> Ended:
    """It began, and is never heard of again."""
    Path(job.beat).write_text("1")
    return Ended()
