"""One-step attacks and noise where their answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harness.measure.attack.perturbations import direction_attack, fgsm, gaussian_noise, unit_direction
from harness.population import Population

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 6)).astype(np.float32)


def linear(*rows: list[float]) -> torch.nn.Linear:
    network = torch.nn.Linear(len(rows[0]), len(rows))
    with torch.no_grad():
        network.weight.copy_(torch.tensor(rows))
        network.bias.zero_()
    return network


def test_fgsm_of_a_two_class_linear_network_by_hand() -> None:
    network = linear([0.0, 0.0], [3.0, -4.0])
    x = np.array([[1.0, 1.0], [5.0, 0.0]], dtype=np.float32)
    moved = fgsm(network, x, np.array([1, 0]), epsilon=0.5)  # the score of class 1 falls for the first, rises for the second
    torch.testing.assert_close(moved, torch.tensor([[[0.5, 1.5], [5.5, -0.5]]]))
    moved = fgsm(network, x, np.array([1, 0]), epsilon=0.5, norm="l2")
    torch.testing.assert_close(moved, torch.tensor([[[0.7, 1.4], [5.3, -0.4]]]))
    clipped = fgsm(network, x, np.array([1, 0]), epsilon=0.5, bounds=(0.0, 5.2))
    torch.testing.assert_close(clipped, torch.tensor([[[0.5, 1.5], [5.2, 0.0]]]))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_fgsm_follows_the_gradient_of_the_cross_entropy(norm, toy_data, module_members) -> None:
    x, y = torch.from_numpy(toy_data.test_x), torch.from_numpy(toy_data.test_y)
    moved = fgsm(module_members, x, y, epsilon=0.3, norm=norm)
    for row, theta in enumerate(module_members.final):
        free = x.double().requires_grad_()
        loss = torch.nn.functional.cross_entropy(module_members.program.module(theta).double()(free), y, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, free)
        step = gradient.sign() if norm == "linf" else gradient / gradient.flatten(1).norm(dim=1)[:, None, None]
        torch.testing.assert_close(moved[row].double(), x.double() + 0.3 * step, rtol=1e-4, atol=1e-5)


def test_fgsm_is_not_blinded_by_confidence() -> None:
    """The loss of a network whose logits are 1,000 times as large is exactly 0 in single precision, and so is its slope."""
    models = [linear(*(scale * np.array([[0.0, 0.0], [3.0, -4.0], [1.0, 1.0]])).tolist()) for scale in (1, 1000)]
    x = np.array([[4.0, -4.0]], dtype=np.float32)
    loss = torch.nn.functional.cross_entropy(models[1](torch.from_numpy(x)), torch.tensor([1]))
    assert loss.item() == 0
    one, other = fgsm(models, x, np.array([1]), epsilon=0.1)
    assert bool((other != torch.from_numpy(x)).all())
    torch.testing.assert_close(one, other)


def test_no_size_is_no_change(toy_data, mlp_members) -> None:
    """Null, for all three."""
    x, y = torch.from_numpy(toy_data.test_x), toy_data.test_y
    assert torch.equal(gaussian_noise(x, sigma=0.0), x)
    for moved in (fgsm(mlp_members, x, y, epsilon=0.0), direction_attack(mlp_members, x, y, direction=x[0], epsilon=0.0)):
        assert torch.equal(moved, x.expand(3, *x.shape))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_no_perturbation_is_longer_than_allowed_or_out_of_bounds(norm, toy_data, mlp_members) -> None:
    x, y = torch.from_numpy(toy_data.test_x).clamp(0, 1), toy_data.test_y
    along = RNG.normal(size=(3, 3))
    for moved in (
        fgsm(mlp_members, x, y, epsilon=0.25, norm=norm, bounds=(0.0, 1.0)),
        direction_attack(mlp_members, x, y, direction=along, epsilon=0.25, norm=norm, bounds=(0.0, 1.0)),
    ):
        size = torch.linalg.vector_norm((moved - x).flatten(2), math.inf if norm == "linf" else 2, dim=2)
        assert float(size.max()) <= 0.25 * (1 + 1e-5)
        assert float(size.max()) > 0.2
        assert float(moved.min()) >= 0
        assert float(moved.max()) <= 1


def test_noise_is_gaussian_scales_and_knows_its_points() -> None:
    x = torch.zeros(400, 10, 10)
    noisy = gaussian_noise(x, sigma=0.5, seed=1)
    # 40,000 draws: the deviation is known to 1/√80,000 = 0.35 %, the mean to 0.0025; five of each are allowed.
    assert float(noisy.std()) == pytest.approx(0.5, rel=0.018)
    assert abs(float(noisy.mean())) < 0.0125
    torch.testing.assert_close(gaussian_noise(x, sigma=1.0, seed=1), 2 * noisy)
    assert torch.equal(gaussian_noise(x[:3], sigma=0.5, seed=1), noisy[:3])
    assert not torch.equal(gaussian_noise(x, sigma=0.5, seed=2), noisy)
    clipped = gaussian_noise(x, sigma=0.5, seed=1, bounds=(-0.1, 0.2))
    assert torch.equal(clipped, noisy.clamp(-0.1, 0.2))


def test_a_direction_is_taken_on_its_worse_side_by_every_model() -> None:
    models = [linear([0.0, 0.0], [3.0, -4.0]), linear([0.0, 0.0], [-3.0, 4.0])]
    x, y = np.zeros((2, 2), dtype=np.float32), np.array([1, 0])
    moved = direction_attack(models, x, y, direction=[-6.0, 8.0], epsilon=1.0)
    down = torch.tensor([-0.6, 0.8])
    torch.testing.assert_close(moved, torch.stack([torch.stack([down, -down]), torch.stack([-down, down])]))
    moved = direction_attack(models, x, y, direction=[-6.0, 8.0], epsilon=1.0, norm="linf")
    torch.testing.assert_close(moved[0, 0], torch.tensor([-0.75, 1.0]))


def test_the_best_direction_of_a_linear_network_is_its_gradient() -> None:
    network, y = linear([0.0] * 6, [1.0, -2.0, 3.0, 0.0, 1.0, 1.0]), RNG.integers(0, 2, 30)
    moved = direction_attack(network, X, y, direction=[1.0, -2.0, 3.0, 0.0, 1.0, 1.0], epsilon=0.7)
    torch.testing.assert_close(moved, fgsm(network, X, y, epsilon=0.7, norm="l2"))


def test_models_do_not_depend_on_who_stands_beside_them(toy_data, mlp_members) -> None:
    x, y = toy_data.test_x, toy_data.test_y
    for attack, rest in ((fgsm, {}), (direction_attack, {"direction": x[0]})):
        together = attack(mlp_members, x, y, epsilon=0.4, **rest)
        for row, seed in enumerate(mlp_members.seeds):
            alone: Population = mlp_members.select((seed,))
            assert torch.equal(attack(alone, x, y, epsilon=0.4, **rest)[0], together[row])


@pytest.mark.parametrize("size", [-0.1, math.inf, math.nan])
def test_impossible_sizes_are_refused(size) -> None:
    y = np.zeros(30, dtype=int)
    with pytest.raises(ValueError, match=r"epsilon is .*; it has to be finite and at least 0"):
        fgsm(torch.nn.Linear(6, 2), X, y, epsilon=size)
    with pytest.raises(ValueError, match=r"epsilon is .*; it has to be finite and at least 0"):
        direction_attack(torch.nn.Linear(6, 2), X, y, direction=X[0], epsilon=size)
    with pytest.raises(ValueError, match=r"sigma is .*; it has to be finite and at least 0"):
        gaussian_noise(X, sigma=size)


def test_impossible_directions_and_models_are_refused() -> None:
    with pytest.raises(ValueError, match=r"direction has shape \(5,\); an input has shape \(6,\)"):
        unit_direction(np.ones(5), (6,), "l2")
    for broken in (np.zeros(6), np.full(6, np.nan)):
        with pytest.raises(ValueError, match=r"direction has the length .*; give one of finite length above 0"):
            unit_direction(broken, (6,), "linf")
    y = np.full(30, 2)
    with pytest.raises(ValueError, match="targets range from 2 to 2; this network has classes 0 to 1"):
        fgsm(torch.nn.Linear(6, 1), X, y, epsilon=0.1)
    with pytest.raises(ValueError, match="targets range from 2 to 2; this network has classes 0 to 1"):
        direction_attack(torch.nn.Linear(6, 2), X, y, direction=X[0], epsilon=0.1)
