"""Targeted attacks: towards one class, and no other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.data.toy import ToyImages
from harness.measure.attack.attack import PerturbationSpec, pgd, smallest_perturbation
from harness.population import Population
from harness.recipe import MLP, Recipe, Threat
from harness.training.train import train

RNG = np.random.default_rng(0)
WIDE = PerturbationSpec(largest=1e4)


@pytest.fixture(scope="module")
def members() -> Population:
    recipe = Recipe(ToyImages(train=768, test=48), MLP((8, 8)), epochs=20)
    return Population(recipe, (0, 1), train(recipe, recipe.data.load(), (0, 1)))


def elsewhere(labels: np.ndarray, classes: int = 3) -> np.ndarray:
    return (labels + 1) % classes


def answers(population: Population, points: torch.Tensor) -> np.ndarray:
    """Classes of the points of every member, shape (member, point)."""
    networks = [population.program.module(theta) for theta in population.final]
    with torch.no_grad():
        return torch.stack([network(own).argmax(1) for network, own in zip(networks, points, strict=True)]).numpy()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_of_two_classes_the_other_one_is_any_wrong_one(norm: str) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(6, 2)
    x = RNG.normal(size=(30, 6)).astype(np.float32)
    with torch.no_grad():
        y = model(torch.from_numpy(x)).argmax(1).numpy()
    any_wrong = smallest_perturbation(model, x, y, norm=norm, spec=WIDE)  # type: ignore[arg-type]
    aimed = smallest_perturbation(model, x, y, norm=norm, spec=WIDE, aim=1 - y)  # type: ignore[arg-type]
    np.testing.assert_allclose(aimed, any_wrong, rtol=1e-3, atol=1e-5)


def test_of_a_linear_classifier_it_is_the_distance_to_the_cell_of_the_class() -> None:
    """Three classes of one input: intervals, so that the way to the third leads through the second."""
    model = torch.nn.Linear(1, 3)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0], [1.0], [2.0]]))
        model.bias.copy_(torch.tensor([0.0, -1.0, -4.0]))  # class 1 from 1 on, class 2 from 3 on
    x, y = np.array([[0.0], [0.5], [2.0]], np.float32), np.array([0, 0, 1])
    for norm in ("linf", "l2", "l1"):
        found = smallest_perturbation(model, x, y, norm=norm, aim=2)  # type: ignore[arg-type]
        np.testing.assert_allclose(found[0], [3.0, 2.5, 1.0], rtol=5e-3)
        np.testing.assert_allclose(smallest_perturbation(model, x[2:], y[2:], norm=norm, aim=0)[0], [1.0], rtol=5e-3)  # type: ignore[arg-type]
    assert smallest_perturbation(model, x[:1], np.array([1]), aim=0)[0, 0] == 0  # it is taken for the class already


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
def test_a_given_class_is_never_nearer_than_the_nearest(members: Population, norm: str) -> None:
    data, bounds = members.recipe.data.load(), (-12.0, 12.0)
    x = np.clip(data.test_x, *bounds)
    nearest = smallest_perturbation(members, x, data.test_y, norm=norm, bounds=bounds, spec=WIDE)  # type: ignore[arg-type]
    aimed = smallest_perturbation(
        members,
        x,
        data.test_y,
        norm=norm,
        bounds=bounds,
        spec=WIDE,
        aim=elsewhere(data.test_y),  # type: ignore[arg-type]
    )
    assert np.isfinite(aimed).all()
    assert (aimed >= nearest * 0.97).all()
    assert (aimed > nearest * 1.1).any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_reaches_the_class_more_often_with_it_as_its_aim_and_only_inside_the_ball(members: Population, norm: str) -> None:
    data = members.recipe.data.load()
    aim = elsewhere(data.test_y)
    x, y = data.test_x, data.test_y
    needed = smallest_perturbation(members, x, y, norm=norm, aim=aim)  # type: ignore[arg-type]
    epsilon = float(np.median(needed))
    aimed, away = (
        answers(members, pgd(members, x, y, Threat(norm, epsilon, steps=40), aim=each)) == aim  # type: ignore[arg-type]
        for each in (aim, None)
    )
    assert not aimed[needed > epsilon * 1.1].any()
    assert aimed.mean() > away.mean()


@pytest.mark.parametrize(
    ("aim", "message"),
    [
        (1, r"aim is the right class of 2 of 3 points \(1, 2\); leave them out"),
        ([1, 1, 0], r"aim is the right class of 1 of 3 points \(1\)"),
        (3, "aim ranges from 3 to 3; the classes are 0 to 2"),
        ([-1, 0, 0], "aim ranges from -1 to 0"),
        ([0, 0], r"aim has shape \(2,\); give one class number, or one for each of the 3 points"),
        (1.0, r"aim is torch\.float64; give class numbers"),
        (True, r"aim is torch\.bool"),
    ],
)
def test_what_is_no_aim_is_refused(aim: object, message: str) -> None:
    torch.manual_seed(0)
    model, x, y = torch.nn.Linear(2, 3), np.zeros((3, 2), np.float32), np.array([0, 1, 1])
    given = np.array(aim) if isinstance(aim, list) else aim
    with pytest.raises(ValueError, match=message):
        smallest_perturbation(model, x, y, aim=given)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        pgd(model, x, y, Threat(epsilon=1.0), aim=given)  # type: ignore[arg-type]
