"""Change under attack: of a linear network in closed form, of a constant one, and against plain modules."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.data.base import Dataset
from harness.data.toy import ToyImages
from harness.measure.attack.attack import pgd
from harness.measure.smoothness import ChangeUnderAttack
from harness.population import Population
from harness.recipe import MLP, Recipe, RecipeError, Threat
from harness.streams import sequence


def population_of(theta: torch.Tensor) -> Population:
    """A network 9-1-2 with these parameters."""
    return Population(Recipe(ToyImages(60, 45), MLP((1,))), (3,), {100: theta[None]})


def linear(slope: float) -> Population:
    """Logits (h, 0) with h = relu(slope · x_0 + 50): linear wherever |slope · x_0| < 50."""
    weight = torch.zeros(9)
    weight[0] = slope
    return population_of(torch.cat([weight, torch.tensor([50.0]), torch.tensor([1.0, 0.0]), torch.tensor([-50.0, 0.0])]))


def two_classes(points: int = 40) -> Dataset:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((points, 3, 3)).astype(np.float32), rng.integers(0, 2, points)
    return Dataset.of("two classes", (x, y), (x, y), classes=2, bounds=None, provenance="test")


def test_a_linear_network_moves_by_slope_times_epsilon() -> None:
    data = two_classes()
    population = Population(Recipe(TwoClasses(60, 45), MLP((1,))), (3,), linear(2.0).parameters)
    row = ChangeUnderAttack(Threat(epsilon=0.5, steps=10)).run(population, data, "cpu").iloc[0]
    assert row["output_change"] == pytest.approx(2.0 * 0.5, rel=1e-3)
    f = 2.0 * data.test_x[:, 0, 0].astype(float)  # logits (f, 0)
    sign = np.where(data.test_y == 0, 1.0, -1.0)  # the attack moves f by 1 against the label
    loss = np.logaddexp(0, -sign * f)
    assert row["loss_change"] == pytest.approx((np.logaddexp(0, -(sign * f - 1.0)) - loss).mean(), rel=1e-3)
    assert row["flips"] == ((f > 0) != (f - sign * 1.0 > 0)).mean()


class TwoClasses(ToyImages):
    """The toy images, announced with two classes."""

    @property
    def classes(self) -> int:
        return 2


def test_a_constant_network_does_not_move() -> None:
    population = Population(Recipe(TwoClasses(60, 45), MLP((1,))), (3,), linear(0.0).parameters)
    row = ChangeUnderAttack(Threat(epsilon=0.5)).run(population, two_classes(), "cpu").iloc[0]
    assert (row["output_change"], row["loss_change"], row["flips"]) == (0, 0, 0)


@pytest.mark.parametrize("which", ["mlp_members", "module_members"])
def test_the_table_is_what_modules_say(which, toy_data, request) -> None:
    population, threat = request.getfixturevalue(which), Threat(epsilon=1.0, steps=4)
    table = ChangeUnderAttack(threat, points=30, epochs="all").run(population, toy_data, "cpu")
    assert len(table) == 9
    x, y = torch.from_numpy(toy_data.test_x[:30]), torch.from_numpy(toy_data.test_y[:30])
    stream = int(sequence("change under attack", "test", 0, 0).generate_state(1)[0])
    for epoch in population.epochs:
        at = Population(population.recipe, population.seeds, {epoch: population.parameters[epoch]})
        moved = pgd(at, x, y, threat, seed=stream)
        for row, seed in enumerate(population.seeds):
            module = population.program.module(at.final[row])
            record = table[(table["seed"] == seed) & (table["epoch"] == epoch)].iloc[0]
            with torch.no_grad():
                before, after = module(x), module(moved[row])
            loss = torch.nn.functional.cross_entropy
            assert record["output_change"] == pytest.approx(float((after - before).norm(dim=1).mean()), rel=1e-3)
            assert record["loss_change"] == pytest.approx(float(loss(after, y) - loss(before, y)), rel=1e-2, abs=1e-4)
            assert record["flips"] == pytest.approx(float((after.argmax(1) != before.argmax(1)).float().mean()), abs=0.04)


def test_members_do_not_depend_on_who_stands_beside_them(assert_alone_as_together) -> None:
    assert_alone_as_together(ChangeUnderAttack(Threat(epsilon=1.0, steps=2), points=30))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"split": "both"}, "split='both'"), ({"epochs": "last"}, "epochs='last'"), ({"points": 0}, "points=0")],
)
def test_impossible_settings_are_refused(wrong, message) -> None:
    with pytest.raises(RecipeError, match=message):
        ChangeUnderAttack(**({"threat": Threat()} | wrong))
