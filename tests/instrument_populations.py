"""Small populations, one fully connected and one of modules, on which instruments are tried."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from harness.data.base import Dataset
from harness.data.toy import ToyImages
from harness.networks import ModuleProgram, Program
from harness.population import Population
from harness.recipe import MLP, SGD, Architecture, Recipe
from harness.training.train import train

INSTRUMENT_SEEDS = (0, 1, 4)


@dataclass(frozen=True)
class Smooth(Architecture):
    """A Sequential of two linear layers with a tanh between them, run through ``torch.func``."""

    width: int = 5
    name: str = "smooth"

    def program(self, shape: tuple[int, ...], classes: int) -> Program:
        inputs = shape[0] * shape[1]
        return ModuleProgram(
            lambda: torch.nn.Sequential(
                torch.nn.Flatten(), torch.nn.Linear(inputs, self.width), torch.nn.Tanh(), torch.nn.Linear(self.width, classes)
            ),
            classes,
        )


DATA = ToyImages(train=60, test=45, amplitude=3.0)


@pytest.fixture(scope="session")
def toy_data() -> Dataset:
    return DATA.load()


def _population(architecture: Architecture, data: Dataset) -> Population:
    recipe = Recipe(DATA, architecture, optimiser=SGD(0.1), epochs=2, batch_size=16, checkpoints=(0, 1))
    return Population(recipe, INSTRUMENT_SEEDS, train(recipe, data, INSTRUMENT_SEEDS))


@pytest.fixture(scope="session")
def mlp_members(toy_data: Dataset) -> Population:
    """Three fully connected members with two hidden layers, at epochs 0, 1 and 2."""
    return _population(MLP((7, 6)), toy_data)


@pytest.fixture(scope="session")
def module_members(toy_data: Dataset) -> Population:
    """Three modules, at epochs 0, 1 and 2."""
    return _population(Smooth(), toy_data)


@pytest.fixture
def assert_alone_as_together(mlp_members, module_members, toy_data):
    """A member's rows do not depend on who shares its stack.

    To the last bit for fully connected members; modules run through ``torch.func``, whose products round by the shape of the
    stack, so theirs agree to single precision.
    """
    import pandas as pd

    def check(measurement):
        for population, exact in ((mlp_members, True), (module_members, False)):
            together = measurement.run(population, toy_data, "cpu")
            for seed in INSTRUMENT_SEEDS:
                alone = measurement.run(population.select((seed,)), toy_data, "cpu")
                part = together[together["seed"] == seed].reset_index(drop=True)
                assert len(part) * len(INSTRUMENT_SEEDS) == len(together)
                pd.testing.assert_frame_equal(part, alone, check_exact=exact, **({} if exact else {"rtol": 1e-4, "atol": 1e-5}))

    return check
