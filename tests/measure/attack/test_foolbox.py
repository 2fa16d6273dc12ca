"""PGD and FGSM beside Foolbox's on the same networks: the same perturbations, and with random starts the same success rates."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch

from harness.data.base import Dataset
from harness.measure.attack.attack import pgd
from harness.measure.attack.perturbations import fgsm
from harness.population import Population
from harness.recipe import Threat

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # its own, of scipy
    import foolbox

BOUNDS = (-4.0, 5.0)  # within the data's range, so that clipping is compared, too
STEPS, RELATIVE_STEP = 10, 2.5
PGD = {"linf": foolbox.attacks.LinfPGD, "l2": foolbox.attacks.L2PGD}
FGSM = {"linf": foolbox.attacks.LinfFastGradientAttack, "l2": foolbox.attacks.L2FastGradientAttack}


def points(data: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(data.test_x).clamp(*BOUNDS), torch.from_numpy(data.test_y)


def theirs(attack: object, population: Population, data: Dataset, epsilon: float, criterion: object = None) -> torch.Tensor:
    """Foolbox's perturbed points for every member, shape (member, point, *input)."""
    x, y = points(data)
    goal = y if criterion is None else criterion
    networks = [foolbox.PyTorchModel(population.program.module(theta).eval(), bounds=BOUNDS) for theta in population.final]
    return torch.stack([attack(network, x, goal, epsilons=epsilon)[1] for network in networks])  # type: ignore[operator]


def flipped(population: Population, perturbed: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
    """Which points are misclassified, shape (member, point)."""
    with torch.no_grad():
        outputs = [population.program.module(theta)(own) for theta, own in zip(population.final, perturbed, strict=True)]
    return (torch.stack(outputs).argmax(2) != labels).numpy()


@pytest.mark.parametrize("which", ["mlp_members", "module_members"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("epsilon", [0.3, 1.5])
def test_pgd_from_the_clean_point_takes_foolbox_s_steps(request, toy_data, which, norm, epsilon) -> None:
    population = request.getfixturevalue(which)
    x, y = points(toy_data)
    ours = pgd(population, x, y, Threat(norm, epsilon, STEPS, RELATIVE_STEP, random_start=False),
               bounds=BOUNDS)  # fmt: skip
    attack = PGD[norm](rel_stepsize=RELATIVE_STEP / STEPS, steps=STEPS, random_start=False)
    other = theirs(attack, population, toy_data, epsilon)
    assert bool((ours != x).any())
    torch.testing.assert_close(ours, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_targeted_pgd_takes_foolbox_s_steps(mlp_members, toy_data, norm) -> None:
    x, y = points(toy_data)
    aim = (y + 1) % toy_data.classes
    threat = Threat(norm, 1.5, STEPS, random_start=False)
    ours = pgd(mlp_members, x, y, threat, bounds=BOUNDS, aim=aim)
    attack = PGD[norm](rel_stepsize=RELATIVE_STEP / STEPS, steps=STEPS, random_start=False)
    other = theirs(attack, mlp_members, toy_data, 1.5, foolbox.criteria.TargetedMisclassification(aim))
    assert bool((ours != pgd(mlp_members, x, y, threat, bounds=BOUNDS)).any())
    torch.testing.assert_close(ours, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("which", ["mlp_members", "module_members"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_fgsm_takes_foolbox_s_step(request, toy_data, which, norm) -> None:
    population = request.getfixturevalue(which)
    x, y = points(toy_data)
    ours = fgsm(population, x, y, epsilon=0.7, norm=norm, bounds=BOUNDS)
    assert bool((ours != x).any())
    torch.testing.assert_close(ours, theirs(FGSM[norm](), population, toy_data, 0.7), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 1.0), ("l2", 2.5)])
def test_pgd_from_random_starts_flips_as_many_points_as_foolbox_s(mlp_members, toy_data, norm, epsilon) -> None:
    repeats = 16
    x, y = points(toy_data)
    attack = PGD[norm](rel_stepsize=RELATIVE_STEP / STEPS, steps=STEPS, random_start=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        other = np.stack([flipped(mlp_members, theirs(attack, mlp_members, toy_data, epsilon), y) for _ in range(repeats)])
    ours = np.stack([
        flipped(mlp_members, pgd(mlp_members, x, y, Threat(norm, epsilon, STEPS), bounds=BOUNDS, seed=seed), y)
        for seed in range(repeats)
    ])  # fmt: skip
    rates = ours.mean(), other.mean()
    assert 0.2 < rates[0] < 0.9
    # A point that flips in a share s of the starts adds s (1 − s) / repeats to the variance of either sum.
    share = np.stack([ours, other]).mean((0, 1))
    error = math.sqrt(2 * (share * (1 - share)).sum() / repeats) / share.size
    assert abs(rates[0] - rates[1]) <= 4 * error + 1e-12
    assert error < 0.01
