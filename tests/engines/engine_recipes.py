"""What the tests of engines train and measure: quick, and written down by whoever does it.

It reaches other processes by the folder that it was imported from, as modules of claims do.  It imports no engine: what its
recipes import names their members, and tests change constants of engines.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from harness.data import ToyImages
from harness.data.base import Dataset
from harness.measure.base import Measurement
from harness.population import Population
from harness.recipe import MLP, Recipe, Threat

DATA = ToyImages(train=30, test=9)
STANDARD = Recipe(DATA, MLP((4,)), epochs=2, batch_size=16)
TUNED = STANDARD.finetuned(Threat(steps=1), epochs=1)
OTHER = Recipe(DATA, MLP((5,)), epochs=2, batch_size=16)
STEPS = 14  # that a shard of three members notes: two epochs of two batches each, and two when it is looked at before
DIARY = "ENGINE_DIARY"


def noted(inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """An augmentation that changes nothing, and notes every step of a process; slowly, where asked to."""
    diary = Path(os.environ[DIARY])
    with (diary / f"{os.getpid()}.steps").open("a") as log:
        log.write("step\n")
    with suppress(OSError):
        time.sleep(float((diary / "slowly").read_text()))
    return inputs


def noted_of(width: int) -> Recipe:
    """One recipe of several, so that each is a shard."""
    return Recipe(DATA, MLP((width,)), epochs=2, batch_size=16, augment=noted)


def at_work(diary: Path) -> list[int]:
    """Processes that have noted a step."""
    return [int(log.stem) for log in diary.glob("*.steps") if log.stat().st_size]


def shards_trained(diary: Path) -> tuple[int, int]:
    """How many shards of three members were trained to the end, and how many were begun and left, in all processes."""
    noted = [len(log.read_text().splitlines()) for log in diary.glob("*.steps")]
    return sum(steps // STEPS for steps in noted), sum(steps % STEPS > 0 for steps in noted)


@dataclass(frozen=True)
class Lengths(Measurement):
    """Length of each member's parameter vector."""

    factor: float = 1.0
    name = "lengths"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        lengths = population.final.double().norm(dim=1) * self.factor
        return pd.DataFrame({"seed": population.seeds, "epoch": population.epochs[-1], "length": lengths.tolist()})


class TwoArguments(Exception):  # noqa: N818
    """As some libraries have them: pickle cannot make it again."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")
        self.why = why


@dataclass(frozen=True)
class Failing(Measurement):
    name = "failing"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        raise TwoArguments("it fails", "because it is meant to")
