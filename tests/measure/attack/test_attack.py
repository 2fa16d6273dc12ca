"""Attacks where the truth is known in closed form, and what they must never do."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from harness import device
from harness.data.toy import ToyImages
from harness.measure.attack.attack import PerturbationSpec, pgd, smallest_perturbation
from harness.measure.attack.exact_perturbation import GAP, exact_perturbation
from harness.measure.attack.perturbations import fgsm
from harness.measure.attack.robustness import Robustness
from harness.measure.base import Given, in_chunks
from harness.population import Population
from harness.recipe import MLP, Recipe, RecipeError, Threat
from harness.training.train import train

RNG = np.random.default_rng(0)
DUAL = {"linf": 1, "l2": 2}


def linear(classes: int, inputs: int = 6, count: int = 3) -> list[torch.nn.Module]:
    torch.manual_seed(classes)
    return [torch.nn.Linear(inputs, classes) for _ in range(count)]


def exact(models: list[torch.nn.Module], x: np.ndarray, y: np.ndarray, norm: str) -> np.ndarray:
    """min over wrong classes k of (z_y − z_k) / ‖w_y − w_k‖_dual, 0 where the point is misclassified; (model, point)."""
    rows = []
    for model in models:
        assert isinstance(model, torch.nn.Linear)
        weight, bias = model.weight.detach().numpy(), model.bias.detach().numpy()
        logits = x @ weight.T + bias
        gaps = logits[np.arange(len(y)), y][:, None] - logits
        size = np.linalg.norm(weight[y][:, None] - weight[None], ord=DUAL[norm], axis=2)
        with np.errstate(invalid="ignore"):
            distance = np.where(np.arange(weight.shape[0]) == y[:, None], np.inf, gaps / size)
        rows.append(np.clip(distance.min(1), 0, None))
    return np.array(rows)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_binary_linear_classifiers_are_solved_exactly(norm: str) -> None:
    models = linear(2)
    x = RNG.normal(size=(200, 6)).astype(np.float32)
    y = RNG.integers(0, 2, 200)
    truth = exact(models, x, y, norm)
    found = smallest_perturbation(models, x, y, norm=norm)
    beyond = truth > 15.9
    # One linear step lands on the boundary, 1.0005 times as far as needed; halving the ray takes most of that back.
    np.testing.assert_allclose(found[~beyond], truth[~beyond], rtol=2e-3, atol=1e-4)
    assert (found >= truth * (1 - 1e-4) - 1e-5).all()
    assert ((truth == 0) == (found == 0)).all()
    assert (truth == 0).any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_ten_class_linear_classifiers_are_never_undercut_and_nearly_solved(norm: str) -> None:
    models = linear(10)
    x = RNG.normal(size=(100, 6)).astype(np.float32)
    with torch.no_grad():
        y = models[0](torch.from_numpy(x)).argmax(1).numpy()
    truth, found = (f(models[:1], x, y) for f in (lambda *a: exact(*a, norm), lambda *a: smallest_perturbation(*a, norm=norm)))
    inside = truth < 15.9
    assert (found >= truth * (1 - 1e-4) - 1e-5).all()
    # The nearest class may not be the one that ascent runs into: an upper bound, tight for nearly all points.
    assert np.mean(found[inside] <= truth[inside] * 1.005 + 1e-4) >= 0.95


def test_points_that_nothing_flips_are_censored() -> None:
    constant = torch.nn.Linear(4, 2)
    with torch.no_grad():
        constant.weight.zero_()
        constant.bias.copy_(torch.tensor([1.0, 0.0]))
    found = smallest_perturbation(constant, np.zeros((3, 4), np.float32), np.array([0, 0, 1]))
    assert found.shape == (1, 3)
    assert np.isinf(found[0, :2]).all()
    assert found[0, 2] == 0


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_stays_in_its_ball_and_in_the_bounds_and_raises_the_loss(norm: str) -> None:
    models = linear(3)
    x = RNG.uniform(size=(50, 6)).astype(np.float32)
    y = RNG.integers(0, 3, 50)
    adversarial = pgd(models, x, y, Threat(norm, 0.3, steps=20), bounds=(0.0, 1.0))
    delta = (adversarial - torch.from_numpy(x)).reshape(3, 50, -1)
    size = delta.abs().amax(2) if norm == "linf" else delta.norm(dim=2)
    assert size.max() <= 0.3 * (1 + 1e-5)
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    loss = torch.nn.functional.cross_entropy
    for model, perturbed in zip(models, adversarial, strict=True):
        with torch.no_grad():
            assert loss(model(perturbed), torch.from_numpy(y)) > loss(model(torch.from_numpy(x)), torch.from_numpy(y)) + 0.01


@pytest.fixture(scope="module")
def trained() -> dict[str, Population]:
    """Two standard and two robust members on the toy images."""
    base = Recipe(ToyImages(train=768, test=64), MLP((8, 8, 8)), epochs=30)
    recipes = {"standard": base, "robust": base.robust(Threat("linf", 2.0))}
    data = base.data.load()
    return {name: Population(recipe, (0, 1), train(recipe, data, (0, 1))) for name, recipe in recipes.items()}


@pytest.mark.parametrize("regime", ["standard", "robust"])
def test_it_is_nearly_the_exact_one(trained: dict[str, Population], regime: str) -> None:
    """Never below it, 3 % above it at most in the median and 10 % at most for 95 % of the points."""
    data = trained[regime].recipe.data.load()
    x, y = data.test_x[:16], data.test_y[:16]
    found = smallest_perturbation(trained[regime], x, y)
    assert np.isfinite(found).all()
    exact = exact_perturbation(trained[regime], x, y, within=found * (1 + 1e-4))
    flipped = found > 0
    assert (flipped == (exact > 0)).all()
    ratio = found[flipped] / exact[flipped]
    assert len(ratio) > 20
    assert ratio.min() >= 1 - 2 * GAP
    assert np.median(ratio) <= 1.03
    assert np.quantile(ratio, 0.95) <= 1.10


def test_more_walks_find_no_larger_ones_and_some_smaller(trained: dict[str, Population]) -> None:
    data = trained["robust"].recipe.data.load()
    few, more = (
        smallest_perturbation(trained["robust"], data.test_x, data.test_y, spec=PerturbationSpec(neighbours=neighbours))
        for neighbours in (0, 2)
    )
    # The walks that both make are the same; only the last shortening, a part in 256 of a ray, starts elsewhere.
    assert (more <= few * (1 + 1 / 256)).all()
    assert (more < few * 0.99).any()


def test_a_region_without_gradient_is_left_by_way_of_another_point() -> None:
    """relu(x − 1) > 1 beyond x = 2: around 0 the network is constant."""
    network = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU(), torch.nn.Linear(1, 2))
    with torch.no_grad():
        for name, value in {"0.weight": 1.0, "0.bias": -1.0}.items():
            dict(network.named_parameters())[name].fill_(value)
        network[2].weight.copy_(torch.tensor([[0.0], [1.0]]))
        network[2].bias.copy_(torch.tensor([1.0, 0.0]))
    found = smallest_perturbation(network, np.array([[0.0], [5.0]], np.float32), np.array([0, 1]))
    np.testing.assert_allclose(found[0], [2.0, 3.0], rtol=1e-2)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_bounds_of_the_data_are_kept(trained: dict[str, Population], norm: str) -> None:
    data = trained["standard"].recipe.data.load()
    x, y = data.test_x[:16], data.test_y[:16]
    free = smallest_perturbation(trained["standard"], x, y, norm=norm)
    tight = smallest_perturbation(trained["standard"], x, y, norm=norm, bounds=(float(x.min()), float(x.max())))
    assert (tight >= free * 0.97).all()
    assert (tight > free * 1.01).any()


@pytest.mark.parametrize(("attack", "norm"), [("LInfFMNAttack", "linf"), ("DDNAttack", "l2")])
@pytest.mark.parametrize("regime", ["standard", "robust"])
def test_foolbox_finds_nothing_smaller(trained: dict[str, Population], regime: str, attack: str, norm: str) -> None:
    """Foolbox's FMN (Pintor et al. 2021) and DDN (Rony et al. 2019), 200 steps each, on the same networks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own, of scipy
        import foolbox

    population = trained[regime]
    data = population.recipe.data.load()
    x, y = torch.from_numpy(data.test_x), torch.from_numpy(data.test_y)
    ours = smallest_perturbation(population, data.test_x, data.test_y, norm=norm)
    for member, theta in enumerate(population.final):
        network = foolbox.PyTorchModel(population.program.module(theta).eval(), bounds=(-50, 50))
        _, adversarial, flipped = getattr(foolbox.attacks, attack)(steps=200)(network, x, y, epsilons=None)
        delta = (adversarial - x).flatten(1)
        theirs = (delta.abs().amax(1) if norm == "linf" else delta.norm(dim=1)).numpy()
        both = flipped.numpy() & (ours[member] > 0)
        ratio = ours[member][both] / theirs[both]
        assert both.sum() > 30
        assert np.median(ratio) <= 1.0005
        assert ratio.max() <= 1.10


def test_members_and_modules_give_the_same_and_nobody_matters_to_his_neighbour() -> None:
    data = ToyImages(train=120, test=30)
    recipe = Recipe(data, MLP((8,)), epochs=5)
    loaded = data.load()
    population = Population(recipe, (0, 1, 2), train(recipe, loaded, (0, 1, 2)))
    together = Robustness(thresholds=(1.0, 2.0), by_sample=True).run(population, loaded, "cpu")
    alone = Robustness(thresholds=(1.0, 2.0), by_sample=True).run(population.select((2,)), loaded, "cpu")
    assert together[together["seed"] == 2]["perturbation"].tolist() == alone["perturbation"].tolist()
    module = recipe.program().module(population.final[2])
    sizes = smallest_perturbation(module, loaded.test_x, loaded.test_y)
    np.testing.assert_allclose(sizes[0], alone["perturbation"], rtol=0.05, atol=1e-3)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_less_memory_is_more_chunks_of_the_same_numbers(trained: dict[str, Population], norm: str) -> None:
    population = trained["standard"]
    data = population.recipe.data.load()
    x, y = data.test_x[:8], data.test_y[:8]
    seen: list[list[int]] = []

    def looked_at(given: Given) -> torch.Tensor:
        seen.append(list(given.owners))
        return given.inputs

    def attacks() -> list[np.ndarray]:
        perturbed = [
            pgd(population, x, y, Threat(norm, 1.0)).numpy(),  # type: ignore[arg-type]
            fgsm(population, x, y, epsilon=1.0, norm=norm).numpy(),  # type: ignore[arg-type]
        ]
        return [smallest_perturbation(population, x, y, norm=norm), *perturbed,
                in_chunks(population, x, y, "cpu", looked_at).numpy()]  # fmt: skip

    whole = attacks()
    device.limit_memory(1)
    try:
        parts = attacks()
    finally:
        device.limit_memory(None)
    assert seen == [[0, 1], [0], [1]]
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_success_rates_count_points_below_the_threshold() -> None:
    table = Robustness(thresholds=(1.0, 2.0))._table((7,), 3, np.array([[0.0, 1.0, 1.5, np.inf]]))
    row = table.iloc[0]
    assert (row["asr_1"], row["asr_2"], row["censored"], row["accuracy"]) == (0.25, 0.75, 0.25, 0.75)
    assert (row["seed"], row["epoch"]) == (7, 3)


def test_bad_input_is_named() -> None:
    with pytest.raises(RecipeError, match="largest=0; it has to be above 0"):
        PerturbationSpec(largest=0)
    with pytest.raises(TypeError, match=r"models is str; give one torch\.nn\.Module"):
        smallest_perturbation("model", np.zeros((1, 2)), np.zeros(1, int))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="model 1 has different parameters from model 0"):
        smallest_perturbation([torch.nn.Linear(2, 2), torch.nn.Linear(2, 3)], np.zeros((1, 2)), np.zeros(1, int))
