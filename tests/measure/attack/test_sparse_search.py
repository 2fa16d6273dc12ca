"""Smallest perturbations in L1 and L0: closed forms, all subsets of a few inputs, and Foolbox's FMN."""

from __future__ import annotations

import warnings
from itertools import combinations, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.data.toy import ToyImages
from harness.measure.attack.attack import PerturbationSpec, smallest_perturbation
from harness.measure.attack.robustness import Robustness
from harness.measure.attack.sparse_search import cheapest, project_l1
from harness.population import Population
from harness.recipe import MLP, Recipe, Threat
from harness.training.train import train

RNG = np.random.default_rng(0)
WIDE = PerturbationSpec(largest=1e4)
NORMS = pytest.mark.parametrize("norm", ["l1", "l0"])


@pytest.fixture(scope="module")
def trained() -> dict[str, Population]:
    base = Recipe(ToyImages(train=768, test=64), MLP((8, 8, 8)), epochs=30)
    recipes = {"standard": base, "robust": base.robust(Threat("linf", 2.0))}
    return {name: Population(recipe, (0, 1), train(recipe, base.data.load(), (0, 1))) for name, recipe in recipes.items()}


def exact_linear(model: torch.nn.Linear, x: np.ndarray, right: int, norm: str, bounds: tuple[float, float]) -> float:
    """The knapsack of every wrong class, filled the greedy way, which is exact for equal costs."""
    weight, bias = model.weight.detach().double().numpy(), model.bias.detach().double().numpy()
    logits = weight @ x + bias
    found = []
    for wrong in range(len(weight)):
        if wrong == right:
            continue
        slope, gap = weight[wrong] - weight[right], logits[right] - logits[wrong]
        room = np.where(slope > 0, bounds[1] - x, x - bounds[0])
        size, places = 0.0, np.argsort(-np.abs(slope) * (room if norm == "l0" else 1))
        for place in places:
            if gap <= 0:
                break
            gain = abs(slope[place]) * room[place]
            size += 1 if norm == "l0" else room[place] * min(1, gap / gain)
            gap -= gain
        found.append(size if gap <= 0 else np.inf)
    return min(found)


@NORMS
@pytest.mark.parametrize("classes", [2, 4])
def test_linear_classifiers_are_solved_exactly_inside_the_bounds(norm: str, classes: int) -> None:
    torch.manual_seed(classes)
    models = [torch.nn.Linear(12, classes) for _ in range(2)]
    x = RNG.uniform(size=(60, 12)).astype(np.float32)
    with torch.no_grad():
        y = models[0](torch.from_numpy(x)).argmax(1).numpy()
    found = smallest_perturbation(models, x, y, norm=norm, bounds=(0.0, 1.0), spec=WIDE)  # type: ignore[arg-type]
    labelled = list(zip(x, y, strict=True))
    truth = np.array([[exact_linear(model, each, right, norm, (0.0, 1.0)) for each, right in labelled] for model in models])
    np.testing.assert_array_equal(found == 0, truth == 0)
    # The overshoot of 5 parts in 10,000 lengthens an L1 perturbation by as much of its last input, or starts another one.
    assert (found >= truth * (1 - 1e-5)).all()
    if norm == "l1":
        np.testing.assert_allclose(found, truth, rtol=5e-3, atol=1e-4)
    else:
        assert np.mean(found == truth) >= 0.97


@NORMS
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_inputs_of_one_slope_are_changed_one_by_one(norm: str, share: float) -> None:
    """Average pooling at the entrance: a search that takes all inputs of a slope or none would count whole windows."""
    torch.manual_seed(0)
    weights = 0.1 + 2 * torch.rand(3, 16)
    models, truth = [], []
    for weight in weights:
        model = torch.nn.Sequential(torch.nn.AvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(16, 2)).eval()
        gains = (
            (2 * 0.75 * weight.double() / 4).repeat_interleave(4).sort(descending=True).values
        )  # an input's slope times its room
        margin = share * float(gains.sum())
        with torch.no_grad():
            model[2].weight.copy_(torch.stack([weight, -weight]))
            model[2].bias.copy_(torch.tensor([margin - 2 * 0.75 * float(weight.sum()), 0.0]))
        models.append(model)
        whole = int((gains.cumsum(0) <= margin).sum())
        rest = (margin - float(gains[:whole].sum())) / float(gains[whole])
        truth.append(whole + 1 if norm == "l0" else 0.75 * (whole + rest))
    found = smallest_perturbation(
        models, np.full((1, 1, 8, 8), 0.75, np.float32), np.zeros(1, int), norm=norm, bounds=(0, 1), spec=WIDE
    )
    np.testing.assert_allclose(found[:, 0], truth, rtol=0 if norm == "l0" else 5e-3)


@NORMS
@pytest.mark.parametrize("needed", [2, 6, 20, 50])
def test_an_input_at_its_bound_leaves_the_rest_to_the_others(norm: str, needed: int) -> None:
    """The steepest input takes all and goes nowhere elsewhere: findings/art_l1_pgd_spends_its_budget_on_one_pixel.sh"""
    torch.manual_seed(0)
    slope = (0.5 + torch.rand(64)).double()
    steepest = slope.sort(descending=True).values
    model = torch.nn.Linear(64, 2)
    with torch.no_grad():  # a margin that so many of the steepest inputs spend, the last one by half
        margin = float(steepest[: needed - 1].sum() + steepest[needed - 1] / 2)
        model.weight.copy_(torch.stack([slope, -slope]))
        model.bias.copy_(torch.tensor([margin - float(slope.sum()), 0.0]))
    x = np.full((1, 64), 0.5, np.float32)
    found = smallest_perturbation(model, x, np.zeros(1, int), norm=norm, bounds=(0, 1), spec=WIDE)  # type: ignore[arg-type]
    assert found.item() == pytest.approx(needed if norm == "l0" else 0.5 * (needed - 0.5), rel=5e-3)


def test_without_bounds_one_input_does_in_l1() -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(6, 2)
    x = RNG.normal(size=(40, 6)).astype(np.float32)
    with torch.no_grad():
        z = model(torch.from_numpy(x)).numpy()
        slope = (model.weight[1] - model.weight[0]).abs().max().item()
    truth = np.abs(z[:, 0] - z[:, 1]) / slope
    found = smallest_perturbation(model, x, z.argmax(1), norm="l1", spec=WIDE)[0]
    np.testing.assert_allclose(found, truth, rtol=2e-3, atol=1e-5)


def test_in_l0_no_fewer_inputs_would_do_and_seldom_are_more_taken(trained: dict[str, Population]) -> None:
    """Of nine inputs all sets of three or fewer, each input at one of its bounds or in the middle between them."""
    population, bounds = trained["robust"].select((0,)), (-12.0, 12.0)
    data = population.recipe.data.load()
    x, y = np.clip(data.test_x[:12], *bounds), data.test_y[:12]
    network = population.program.module(population.final[0])
    found = smallest_perturbation(population, x, y, norm="l0", bounds=bounds, spec=WIDE)[0]
    best = np.full(len(x), np.inf)
    with torch.no_grad():
        wrong = network(torch.from_numpy(x)).argmax(1).numpy() != y
        best[wrong] = 0
        for size in (1, 2, 3):
            for places in combinations(range(9), size):
                for values in product((bounds[0], 0.0, bounds[1]), repeat=size):
                    moved = x.reshape(len(x), 9).copy()
                    moved[:, places] = values
                    flipped = network(torch.from_numpy(moved.reshape(x.shape))).argmax(1).numpy() != y
                    best[flipped] = np.minimum(best[flipped], size)
    assert np.isfinite(best).all()
    assert ((found == 0) == (best == 0)).all()
    assert np.mean(found <= best) >= 0.9
    assert (found <= best + 1).all()


@pytest.mark.parametrize("regime", ["standard", "robust"])
def test_foolbox_s_fmn_finds_nothing_smaller_in_l1(trained: dict[str, Population], regime: str) -> None:
    """200 steps (Pintor et al. 2021); its L0 attack needs more inputs than this network has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own, of scipy
        import foolbox

    population, bounds = trained[regime], (-50.0, 50.0)
    data = population.recipe.data.load()
    x, y = torch.from_numpy(data.test_x), torch.from_numpy(data.test_y)
    ours = smallest_perturbation(population, data.test_x, data.test_y, norm="l1", bounds=bounds, spec=WIDE)
    ratios = []
    for member, theta in enumerate(population.final):
        network = foolbox.PyTorchModel(population.program.module(theta).eval(), bounds=bounds)
        _, adversarial, flipped = foolbox.attacks.L1FMNAttack(steps=200)(network, x, y, epsilons=None)
        theirs = (adversarial - x).flatten(1).abs().sum(1).numpy()
        both = flipped.numpy() & (ours[member] > 0)
        ratios.append(ours[member][both] / theirs[both])
    ratio = np.concatenate(ratios)
    assert len(ratio) > 60
    assert np.median(ratio) <= 1.0005
    assert np.mean(ratio > 1.05) <= 0.05


@NORMS
def test_what_nothing_flips_is_infinite_and_so_is_what_takes_too_much(norm: str) -> None:
    model = torch.nn.Linear(4, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0] * 4, [1.0] * 4]))
        model.bias.copy_(torch.tensor([2.5, 0.0]))
    x, y = np.zeros((2, 4), np.float32), np.array([0, 1])
    found = [
        smallest_perturbation(model, x, y, norm=norm, bounds=(0.0, top), spec=PerturbationSpec(largest=largest))[0]  # type: ignore[arg-type]
        for top, largest in ((1.0, 10.0), (0.5, 10.0), (1.0, 2.0))
    ]
    assert found[0] == pytest.approx([{"l1": 2.5, "l0": 3}[norm], 0.0], rel=1e-3)
    assert found[1].tolist() == [np.inf, 0.0]
    assert found[2].tolist() == [np.inf, 0.0]


@NORMS
def test_a_member_s_points_do_not_depend_on_who_shares_its_stack(trained: dict[str, Population], norm: str) -> None:
    population = trained["standard"]
    data = population.recipe.data.load()
    x = np.clip(data.test_x, -12, 12)
    together, alone = (
        smallest_perturbation(who, x, data.test_y, norm=norm, bounds=(-12.0, 12.0), spec=WIDE)  # type: ignore[arg-type]
        for who in (population, population.select((1,)))
    )
    np.testing.assert_array_equal(together[1:], alone)


def test_l0_without_bounds_is_refused(trained: dict[str, Population]) -> None:
    data = trained["standard"].recipe.data.load()
    assert data.bounds is None
    with pytest.raises(ValueError, match="norm is 'l0' and bounds is None"):
        Robustness(norm="l0").run(trained["standard"], data, "cpu")


def test_the_table_takes_l1(trained: dict[str, Population]) -> None:
    data = trained["standard"].recipe.data.load()
    table = Robustness(norm="l1", thresholds=(12.0,), spec=WIDE).run(trained["standard"], data, "cpu")
    sizes = smallest_perturbation(trained["standard"], data.test_x, data.test_y, norm="l1", spec=WIDE)
    np.testing.assert_allclose(table["asr_12"], (sizes < 12).mean(1))
    assert table["asr_12"].between(0.01, 0.99).all()
    assert table["censored"].eq(0).all()


values = st.floats(-10, 10, width=32)


@given(st.lists(values, min_size=1, max_size=8), st.floats(0, 30, width=32))
def test_the_projection_onto_the_l1_ball_is_the_nearest_point(entries: list[float], radius: float) -> None:
    delta = torch.tensor(entries)[None, :, None]
    projected = project_l1(delta, torch.tensor([[radius]]))
    size = float(projected.abs().sum())
    assert size <= radius * (1 + 1e-4) + 1e-4
    if float(delta.abs().sum()) <= radius:
        torch.testing.assert_close(projected, delta, rtol=1e-5, atol=1e-5)
        return
    assert size == pytest.approx(radius, rel=1e-3, abs=1e-3)
    # Nearest: every entry that is left has been shortened by the same amount, and what is gone was shorter than that.
    shorter = (delta.abs() - projected.abs()).flatten()
    kept = projected.flatten() != 0
    if kept.any():
        assert float(shorter[kept].max() - shorter[kept].min()) <= 1e-3
        assert bool((shorter[~kept] <= float(shorter[kept].max()) + 1e-3).all())


@given(st.lists(st.tuples(values, st.floats(0, 5, width=32)), min_size=1, max_size=6), st.floats(0.125, 20, width=32))
def test_the_cheapest_closes_the_gap_where_there_is_room(inputs: list[tuple[float, float]], gap: float) -> None:
    slope, room = (torch.tensor(side)[None, :, None] for side in zip(*inputs, strict=True))
    reach = float((slope.abs() * room).sum())
    for norm in ("l1", "l0"):
        moved = cheapest(slope, room, torch.tensor([[gap]]), norm)
        closed = float((slope * moved).sum())
        assert (moved.abs() <= room).all()
        assert closed >= min(gap, reach) * (1 - 1e-4) - 1e-4
        if norm == "l1":
            assert closed <= gap * (1 + 1e-4) + 1e-4
