"""The exact smallest perturbation, held against cases that can be worked out otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from harness.data import ToyImages
from harness.measure.attack.attack import smallest_perturbation
from harness.measure.attack.exact_perturbation import GAP, ExactnessError, _Model, exact_perturbation
from harness.networks import MLPProgram
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


class Normalised(torch.nn.Module):
    """A linear network of normalised inputs."""

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.mean, self.deviation, self.head = mean, deviation, torch.nn.Linear(9, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head((x.flatten(1) - self.mean) / self.deviation)


@pytest.mark.parametrize("deviation", [0.3081, 4.0])
def test_sizes_are_in_units_of_what_is_handed_in_however_a_network_normalises(deviation: float) -> None:
    """Others certify in deviations and attack in pixels: findings/art_certificates_are_of_other_inputs.sh"""
    mean = 0.1307
    torch.manual_seed(0)
    network = Normalised(mean, deviation)
    folded = torch.nn.Linear(9, 3)
    with torch.no_grad():
        folded.weight.copy_(network.head.weight / deviation)
        folded.bias.copy_(network.head.bias - network.head.weight.sum(1) * mean / deviation)
    x = np.random.default_rng(0).random((6, 3, 3)).astype(np.float32)
    y = network(torch.from_numpy(x)).argmax(1).numpy()
    found = smallest_perturbation(network, x, y)
    exact = exact_perturbation(torch.nn.Sequential(torch.nn.Flatten(), folded), x, y, within=2 * found)
    weight, logits = folded.weight.detach().numpy(), folded(torch.from_numpy(x).flatten(1)).detach().numpy()
    for point, right in enumerate(y):
        wrong = [other for other in range(3) if other != right]
        slopes = np.abs(weight[right] - weight[wrong]).sum(1)
        truth = ((logits[point, right] - logits[point, wrong]) / slopes).min()
        assert exact[0, point] == pytest.approx(truth, rel=1e-4)
        assert found[0, point] == pytest.approx(truth, rel=1e-2)


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


def boundary(network: torch.nn.Module, inside: float, outside: float) -> float:
    """Where the class changes between two inputs of a network of one input, by bisection to the last bit."""

    def of(x: float) -> int:
        return int(network(torch.tensor([[x]], dtype=torch.float64)).argmax())

    right = of(inside)
    for _ in range(100):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if of(middle) == right else (inside, middle)
    return outside


@pytest.mark.parametrize("exponent", [-1, -3, -5, -6, -7, -8, -9])
@pytest.mark.parametrize("scale", [5.0, 30.0])
@torch.no_grad()
def test_a_point_next_to_the_boundary_has_the_size_that_it_has(exponent: int, scale: float) -> None:
    """Whatever the ball: a solver of absolute tolerances calls a flip at 5e-7 one at 0 in a ball of 16."""
    size, tried = 10.0**exponent, 0
    for seed in range(16):
        members = modules((5, 5), seed + 1, scale ** (1 / 3), inputs=1)
        network = members.program.module(members.final[seed]).double()
        grid = torch.linspace(-3, 3, 601, dtype=torch.float64)[:, None]
        classes = network(grid).argmax(1)
        changes = torch.nonzero(classes[1:] != classes[:-1])[:, 0].tolist()
        if not changes:
            continue
        edge = boundary(network, float(grid[changes[0], 0]), float(grid[changes[0] + 1, 0]))
        x = edge - size
        near = network(torch.linspace(x - size, x + 0.999 * size, 401, dtype=torch.float64)[:, None]).argmax(1)
        if len(set(near.tolist())) > 1:
            continue  # another boundary is nearer
        tried += 1
        for within in (2 * size, 1.0, 16.0):
            found = exact_perturbation(members, np.array([[x]]), near[:1].numpy(), within=within)[seed, 0]
            assert found == pytest.approx(size, rel=1e-3)
    assert tried >= 5


def test_the_networks_boundary_is_found_on_both_sides_of_tiny() -> None:
    """Two inputs, one crossing: hidden (10 (a + b), 10 (a - b)), logit 1e-5 + h_0 - h_1 against 0; the size is 5e-7."""
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Linear(2, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[10.0, 10.0], [10.0, -10.0]]))
        network[0].bias.zero_()
        network[2].weight.copy_(torch.tensor([[1.0, -1.0], [0.0, 0.0]]))
        network[2].bias.copy_(torch.tensor([1e-5, 0.0]))
    for within in (1e-6, 1e-3, 1.0, 16.0, 1e4):
        found = exact_perturbation(network, np.zeros((1, 2)), np.array([0]), within=within)[0, 0]
        assert found == pytest.approx(5e-7, rel=1e-3)
    assert exact_perturbation(network, np.zeros((1, 2)), np.array([1]), within=16.0)[0, 0] == 0
    assert np.isinf(exact_perturbation(network, np.zeros((1, 2)), np.array([0]), within=4e-7)[0, 0])


def test_a_size_below_what_can_be_told_is_an_error() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU(), torch.nn.Linear(1, 2))
    with torch.no_grad():
        network[0].weight.fill_(1.0)
        network[0].bias.fill_(1.0)
        network[2].weight.copy_(torch.tensor([[0.0], [1.0]]))
        network[2].bias.copy_(torch.tensor([1.0, -1e-13]))
    with pytest.raises(ExactnessError, match=r"flipped by less than 1\.0e-10, which is within the rounding of a logit"):
        exact_perturbation(network, np.zeros((1, 1)), np.array([0]), within=16.0)


def relu_network() -> torch.nn.Sequential:
    return torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))


@pytest.mark.parametrize("within", [np.nan, np.inf, -1.0, [1.0, 2.0]])
def test_a_radius_that_is_none_is_refused(within: Any) -> None:
    x, y = torch.randn(5, 4), torch.zeros(5, dtype=torch.long)
    with pytest.raises(ValueError, match="within h"):
        exact_perturbation(relu_network(), x, y, within=within)
    with pytest.raises(ValueError, match="time_limit=0"):
        exact_perturbation(relu_network(), x, y, within=1.0, time_limit=0)


def test_within_nothing_only_what_is_misclassified_is_flipped() -> None:
    torch.manual_seed(0)
    model, x = relu_network(), torch.randn(9, 4)
    y = torch.arange(9) % 3
    found = exact_perturbation(model, x, y, within=0.0)[0]
    assert (found == np.where(model(x).argmax(1) == y, np.inf, 0.0)).all()


def test_the_solver_prints_nothing_into_what_a_program_prints(capfd: pytest.CaptureFixture[str]) -> None:
    """Of a problem at which the HiGHS of SciPy 1.17 prints two lines, though it is told not to."""
    rng = np.random.default_rng(106)
    weights = rng.integers(1, 20, (10, 20)).astype(float)
    gains = rng.integers(1, 30, 20).astype(float)
    whole = rng.random(20) < 0.6
    model = _Model()
    loss = model.variable(-1e4, 0)
    amounts = [model.variable(0, 3, integer=bool(each)) for each in whole]
    for row in weights:
        model.require(dict(zip(amounts, row, strict=True)), most=0.4 * row.sum())
    model.require({loss: 1.0, **dict(zip(amounts, gains, strict=True))}, least=0, most=0)
    print("before")
    assert model.solve(60.0).status == 0
    print("after")
    assert capfd.readouterr().out == "before\nafter\n"
