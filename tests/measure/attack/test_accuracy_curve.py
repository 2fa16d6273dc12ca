"""Accuracy against size: exact for linear networks, and made of the attacks that it names."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from harness.data.base import Dataset
from harness.data.toy import ToyImages
from harness.measure.attack.accuracy_curve import Curve
from harness.measure.attack.perturbations import direction_attack, fgsm, gaussian_noise
from harness.networks import MLPProgram
from harness.population import Population
from harness.recipe import Architecture, Recipe, RecipeError

SIZES = (0.0, 0.2, 0.5, 1.0, 2.0)
ALONG = tuple(float(number) for number in range(-4, 5))
CURVES = {
    "fgsm": Curve(sizes=SIZES),
    "noise": Curve(attack="noise", sizes=SIZES, seed=3),
    "direction": Curve(attack="direction", sizes=SIZES, norm="l2", direction=ALONG),
}


@dataclass(frozen=True)
class Linear(Architecture):
    """Nine inputs, two classes, no hidden layer."""

    name: str = "linear"

    def program(self, shape: tuple[int, ...], classes: int) -> MLPProgram:
        return MLPProgram((9, 2))


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("attack", ["fgsm", "direction"])
def test_the_curve_of_a_linear_network_is_its_margins_distribution(attack, norm, toy_data) -> None:
    data = replace(toy_data, test_y=toy_data.test_y.clip(max=1), classes=2)
    theta = torch.randn(2, 20, generator=torch.Generator().manual_seed(0))
    population = Population(Recipe(ToyImages(), Linear(), epochs=0), (0, 5), {0: theta})
    direction = ALONG if attack == "direction" else None
    table = Curve(attack=attack, sizes=SIZES, norm=norm, direction=direction).run(population, data, "cpu")
    assert len(table) == 10
    for record in table.to_dict("records"):
        row = population.seeds.index(record["seed"])
        slope = (theta[row, 9:18] - theta[row, :9]).double().numpy()
        bias = float(theta[row, 19] - theta[row, 18])
        margin = (data.test_x.reshape(-1, 9) @ slope + bias) * (2 * data.test_y - 1)
        if attack == "fgsm":
            rate = np.linalg.norm(slope, 1 if norm == "linf" else 2)
        else:
            rate = abs(slope @ ALONG) / np.linalg.norm(ALONG, np.inf if norm == "linf" else 2)
        assert record["accuracy"] == pytest.approx((margin > record["size"] * rate).mean())


@pytest.mark.parametrize("attack", list(CURVES))
@pytest.mark.parametrize("which", ["mlp_members", "module_members"])
def test_every_point_of_the_curve_is_the_attack_of_that_size(which, attack, toy_data, request) -> None:
    population = request.getfixturevalue(which)
    table = CURVES[attack].run(population, toy_data, "cpu")
    assert len(table) == 3 * len(SIZES)
    x, y = toy_data.test_x, toy_data.test_y
    for size in SIZES:
        if attack == "fgsm":
            moved = fgsm(population, x, y, epsilon=size)
        elif attack == "noise":
            moved = gaussian_noise(x, sigma=size, seed=3).expand(3, *x.shape)
        else:
            moved = direction_attack(population, x, y, direction=np.reshape(ALONG, (3, 3)), epsilon=size)
        for row, seed in enumerate(population.seeds):
            logits = population.program.module(population.final[row])(moved[row]).detach()
            (record,) = table[(table["seed"] == seed) & (table["size"] == size)].to_dict("records")
            assert record["accuracy"] == pytest.approx(float((logits.argmax(1).numpy() == y).mean()))
            assert record["epoch"] == 2


def test_perturbed_points_stay_within_the_bounds_of_the_data(toy_data, mlp_members) -> None:
    """Null: where the bounds leave a point no room, no size does anything."""
    boxed: Dataset = replace(toy_data, test_x=np.zeros_like(toy_data.test_x), bounds=(0.0, 0.0))
    for curve in CURVES.values():
        longer = replace(curve, sizes=(0.0, 1.0, 20.0))
        held = longer.run(mlp_members, boxed, "cpu").groupby("seed")["accuracy"].nunique()
        assert (held == 1).all()
        if curve.direction is None:  # along the other curve's direction these networks decide alike
            free = replace(longer, clip=False).run(mlp_members, boxed, "cpu").groupby("seed")["accuracy"].nunique()
            assert (free > 1).any()


@pytest.mark.parametrize("attack", list(CURVES))
def test_members_do_not_depend_on_who_stands_beside_them(attack, assert_alone_as_together) -> None:
    assert_alone_as_together(replace(CURVES[attack], epochs="all"))


def test_a_direction_of_another_size_is_refused(toy_data, mlp_members) -> None:
    curve = Curve(attack="direction", direction=(1.0, 2.0), norm="l2")
    with pytest.raises(ValueError, match=r"direction has 2 numbers; an input of shape \(3, 3\) has 9"):
        curve.run(mlp_members, toy_data, "cpu")


@pytest.mark.parametrize(
    "wrong", [{"attack": "pgd"}, {"sizes": ()}, {"sizes": (0.1, 0.1)}, {"sizes": (-0.1, 0.1)}, {"sizes": (0.0, float("inf"))},
              {"norm": "l1"}, {"direction": (1.0,)}, {"split": "both"}, {"points": 0}]
)  # fmt: skip
def test_impossible_settings_are_refused(wrong) -> None:
    (name,) = wrong
    with pytest.raises(RecipeError, match=f"Curve has {name}=.*it has to be"):
        Curve(**wrong)


def test_a_direction_attack_needs_a_direction() -> None:
    with pytest.raises(RecipeError, match="Curve has direction=None; it has to be given where attack is 'direction'"):
        Curve(attack="direction")
