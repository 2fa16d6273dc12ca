"""The exact smallest perturbation, held against cases that can be worked out otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.data import ToyImages
from harness.measure.attack import smallest_perturbation
from harness.measure.exact_perturbation import GAP, ExactnessError, exact_perturbation
from harness.models import MLPProgram
from harness.population import Population
from harness.recipe import MLP, Recipe


def modules(hidden: tuple[int, ...], members: int = 2, scale: float = 1.0, inputs: int = 9) -> Members:
    """Untrained networks."""
    program = MLPProgram((inputs, *hidden, 3))
    theta = torch.stack([program.initial(torch.Generator().manual_seed(seed)) for seed in range(members)]) * scale
    return Members(program, theta)


class Members(Population):
    """A population of a program that no recipe gives."""

    def __init__(self, program: MLPProgram, theta: torch.Tensor) -> None:
        recipe = Recipe(ToyImages(train=24), MLP((6,)), epochs=0)
        super().__init__(recipe, tuple(range(len(theta))), {0: theta})
        object.__setattr__(self, "own", program)

    @property
    def program(self) -> MLPProgram:
        return self.own


def points(n: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 3, 3)).astype(np.float32), rng.integers(0, 3, n)


def test_of_a_linear_network_it_is_the_distance_to_the_hyperplane() -> None:
    members = modules(())
    x, y = points()
    found = exact_perturbation(members, x, y, within=50.0)
    views = members.program.layout.views(members.final.double())
    weight, bias = views["0.weight"].numpy(), views["0.bias"].numpy()
    logits = np.einsum("mci,pi->mpc", weight, x.reshape(len(x), -1)) + bias[:, None]
    for member in range(2):
        for point, right in enumerate(y):
            distances = [
                max(0.0, (logits[member, point, right] - logits[member, point, wrong])
                    / np.abs(weight[member, right] - weight[member, wrong]).sum())
                for wrong in range(3) if wrong != right
            ]  # fmt: skip
            assert found[member, point] == pytest.approx(min(distances), rel=1e-5, abs=1e-9)


def test_a_grid_finds_nothing_smaller_and_flips_right_beyond_it() -> None:
    """Two inputs, so that the ball can be covered: with steps of 0.005 inside it, of 0.0002 in a ring right beyond."""
    for seed in range(4):
        members = modules((6, 6), seed + 1, 3.0, inputs=2)
        network = members.program.module(members.final[seed]).double()
        x = np.array([[0.3, -0.2]])
        y = network(torch.tensor(x)).argmax(1).numpy()
        exact = float(exact_perturbation(members, x, y, within=3.0)[seed, 0])

        def flips(delta: np.ndarray, network: torch.nn.Module = network, x: np.ndarray = x, right: int = y[0]) -> np.ndarray:
            with torch.no_grad():
                return network(torch.tensor(x + delta)).argmax(1).numpy() != right

        inside = np.stack(np.meshgrid(*2 * [np.arange(-1, 1.001, 0.005) * min(exact, 3.0)]), -1).reshape(-1, 2)
        assert not flips(inside * (1 - 2 * GAP)).any()
        if exact < 3:
            edge = np.arange(-exact, exact, 2e-4)
            sides = [np.stack(pair, 1)
                     for end in (-1, 1) for beyond in np.arange(0, 0.01, 2e-4)
                     for line in [np.full(len(edge), end * (exact + beyond))]
                     for pair in ((edge, line), (line, edge))]  # fmt: skip
            assert flips(np.concatenate(sides)).any()


def test_no_attack_is_below_it() -> None:
    members = modules((6, 6), scale=2.0)
    x, y = points(8)
    attack = smallest_perturbation(members, x, y)
    exact = exact_perturbation(members, x, y, within=np.minimum(attack, 16) * 1.001)
    assert ((exact == 0) == (attack == 0)).all()
    found = np.isfinite(attack) & (attack > 0)
    assert found.sum() >= 4
    assert (exact[found] <= attack[found] * (1 + 1e-5)).all()


def test_beyond_the_radius_there_is_nothing() -> None:
    members = modules((6,), scale=2.0)
    x, y = points(8)
    exact = exact_perturbation(members, x, y, within=50.0)
    beyond = exact[exact > 0].min()
    assert np.isinf(exact_perturbation(members, x, y, within=0.99 * beyond)[exact > 0]).all()


def test_other_architectures_are_refused() -> None:
    x, y = points(1)
    with pytest.raises(TypeError, match="fully connected ReLU networks"):
        exact_perturbation(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(9, 3), torch.nn.Sigmoid()), x, y, within=1.0)


def test_a_solver_that_runs_out_of_time_is_an_error() -> None:
    members = modules((24, 24, 24), members=1, scale=2.0)
    x, y = points(3)
    with pytest.raises(ExactnessError, match="give a smaller radius or more time"):
        exact_perturbation(members, x, y, within=16.0, time_limit=0.01)
