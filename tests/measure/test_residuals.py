"""Residuals by hand, of a network that fits exactly, and of data without real targets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.data import RandomLabels
from harness.data.base import Dataset
from harness.measure.residuals import Residuals
from harness.population import Population
from harness.recipe import MLP, Adam, Recipe, RecipeError
from harness.training.train import train

RECIPE = Recipe(RandomLabels(30, 3, test=20), MLP((5,)), optimiser=Adam(0.05), epochs=4, batch_size=30, loss="mse",
                checkpoints=(0,))  # fmt: skip
SEEDS = (0, 3, 4)


@pytest.fixture(scope="module")
def members() -> Population:
    return Population(RECIPE, SEEDS, train(RECIPE, RECIPE.data.load(), SEEDS))


def test_the_table_is_what_modules_say(members) -> None:
    data = RECIPE.data.load()
    for split, x, y in (("train", data.train_x, data.train_y), ("test", data.test_x, data.test_y)):
        table = Residuals(split, epochs="all").run(members, data, "cpu")
        assert len(table) == 6
        for record in table.to_dict("records"):
            theta = members.parameters[record["epoch"]][SEEDS.index(record["seed"])]
            with torch.no_grad():
                f = members.program.module(theta)(torch.from_numpy(x)).double().numpy()
            assert record["residual_max"] == pytest.approx(abs(f - y).max(), rel=1e-5)
            assert record["residual_rms"] == pytest.approx(np.sqrt(np.square(f - y).mean()), rel=1e-5)
            assert record["right"] == (f * y > 0).mean()


def outputs_of(value: float) -> Population:
    """A network that gives the same value everywhere: all weights zero but the last bias."""
    program = RECIPE.program()
    theta = torch.zeros(1, program.layout.total)
    theta[0, -1] = value
    return Population(RECIPE, (7,), {4: theta})


def test_constants_by_hand() -> None:
    x, y = np.zeros((4, 3), np.float32), np.array([[1], [1], [-1], [1]], np.float32)
    data = Dataset.of("by hand", (x, y), (x, y), classes=1, bounds=None, provenance="by hand")
    row = Residuals().run(outputs_of(0.5), data, "cpu").iloc[0]
    assert (row["residual_max"], row["right"]) == (1.5, 0.75)
    assert row["residual_rms"] == pytest.approx(np.sqrt((3 * 0.25 + 2.25) / 4))
    exact = Residuals(points=2).run(outputs_of(1.0), data, "cpu").iloc[0]
    assert (exact["residual_max"], exact["residual_rms"], exact["right"]) == (0, 0, 1)
    silent = Residuals().run(outputs_of(0.0), data, "cpu").iloc[0]
    assert (silent["residual_max"], silent["right"]) == (1, 0)


def test_members_do_not_depend_on_who_stands_beside_them(members) -> None:
    data = RECIPE.data.load()
    together = Residuals().run(members, data, "cpu")
    for row, seed in enumerate(SEEDS):
        assert Residuals().run(members.select((seed,)), data, "cpu").iloc[0].equals(together.iloc[row])


def test_class_numbers_and_impossible_settings_are_refused(mlp_members, toy_data) -> None:
    with pytest.raises(ValueError, match="toy images has class numbers; a residual needs real targets"):
        Residuals().run(mlp_members, toy_data, "cpu")
    with pytest.raises(RecipeError, match="Residuals has split='both'"):
        Residuals(split="both")
    with pytest.raises(RecipeError, match="points=0"):
        Residuals(points=0)
