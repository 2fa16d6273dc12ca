"""Recipes that train in milliseconds, and a measurement that counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import harness.training.train
from harness.data import ToyImages
from harness.data.base import Dataset
from harness.measure.base import Measurement
from harness.population import Population
from harness.recipe import MLP, Recipe, Threat, digest
from harness.store.apart import LOOKED_AT

DATA = ToyImages(train=30, test=9)
STANDARD = Recipe(DATA, MLP((4,)), epochs=2, batch_size=16)
ROBUST = STANDARD.robust(Threat(steps=1))
TUNED = STANDARD.finetuned(Threat(steps=1), epochs=1)
Trainings = list[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Lengths(Measurement):
    """Length of each member's parameter vector, two rows a member."""

    factor: float = 1.0

    @property
    def name(self) -> str:
        return "lengths"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        measured.append((population.recipe.regime.name, population.seeds))
        lengths = population.final.norm(dim=1).double().tolist()
        rows = [
            {"seed": seed, "epoch": population.epochs[-1], "half": half, "length": length * self.factor}
            for seed, length in zip(population.seeds, lengths, strict=True)
            for half in ("first", "second")
        ]
        return pd.DataFrame(rows)


for factor in (1.0, 2.0):  # their runs are counted: none is for the look at measurements of users
    LOOKED_AT.add((Lengths, digest(Lengths(factor))))


@dataclass(frozen=True)
class State(Measurement):
    """What state it is run in."""

    @property
    def name(self) -> str:
        return "state"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        return pd.DataFrame({"seed": population.seeds, "epoch": 0, "state": [state()] * len(population)})


def state() -> str:
    backends: Any = torch.backends
    return str((
        torch.get_default_dtype(), torch.get_default_device(), torch.are_deterministic_algorithms_enabled(),
        float(torch.tensor(1e-40, dtype=torch.float32, device="cpu") * 1), backends.mkldnn.enabled,
        backends.mkldnn.matmul.fp32_precision, torch.is_grad_enabled(), torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
    ))  # fmt: skip


measured: Trainings = []


def count_trainings(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object] = lambda: None) -> Trainings:
    """A list that grows by (regime, seeds) with every training; ``meanwhile`` is called in the middle of it."""
    trainings: Trainings = []
    train = harness.training.train.train

    def counted(recipe, data, seeds, **rest):  # type: ignore[no-untyped-def]
        trainings.append((recipe.regime.name, tuple(seeds)))
        meanwhile()
        return train(recipe, data, seeds, **rest)

    monkeypatch.setattr("harness.training.train.train", counted)
    return trainings


def contents(folder: Path) -> dict[str, bytes]:
    """Every member and table below a folder, byte by byte."""
    return {str(path): path.read_bytes() for path in sorted(folder.glob("*s/??/*")) if path.is_file()}
