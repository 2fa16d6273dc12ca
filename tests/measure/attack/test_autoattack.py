"""AutoAttack where the truth is known, and on networks that hide their gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.data.toy import ToyImages
from harness.measure.attack.attack import smallest_perturbation
from harness.measure.attack.autoattack import OUTCOMES, AutoAttack, AutoAttackSpec, autoattack
from harness.measure.attack.exact_perturbation import exact_perturbation
from harness.population import Population
from harness.recipe import MLP, Recipe, RecipeError, Threat
from harness.training.train import train

RNG = np.random.default_rng(0)
COLUMNS = ["apgd_ce", "apgd_t", "fab_t", "square"]
DUAL = {"linf": 1, "l2": 2}
RADIUS = {"linf": 3.0, "l2": 7.0}  # flips some of the points of the robust members
QUICK = AutoAttackSpec(steps=25, queries=100)
NORMS = pytest.mark.parametrize("norm", ["linf", "l2"])


def linear(classes: int, inputs: int = 6, count: int = 3) -> list[torch.nn.Linear]:
    torch.manual_seed(classes)
    return [torch.nn.Linear(inputs, classes) for _ in range(count)]


def distances(models: list[torch.nn.Linear], x: np.ndarray, y: np.ndarray, norm: str) -> np.ndarray:
    """To the nearest wrong class of linear classifiers, negative where the point is misclassified; (model, point)."""
    rows = []
    for model in models:
        weight, bias = model.weight.detach().numpy(), model.bias.detach().numpy()
        logits = x @ weight.T + bias
        gaps = logits[np.arange(len(y)), y][:, None] - logits
        with np.errstate(invalid="ignore", divide="ignore"):
            each = gaps / np.linalg.norm(weight[y][:, None] - weight[None], ord=DUAL[norm], axis=2)
        each[np.arange(len(y)), y] = np.inf
        rows.append(each.min(1))
    return np.array(rows)


@pytest.fixture(scope="module")
def robust() -> Population:
    """Two robustly trained members on the toy images."""
    recipe = Recipe(ToyImages(train=768, test=64), MLP((8, 8, 8)), epochs=30).robust(Threat("linf", 2.0))
    return Population(recipe, (0, 1), train(recipe, recipe.data.load(), (0, 1)))


@NORMS
@pytest.mark.parametrize("classes", [2, 3, 4, 10])
def test_of_linear_classifiers_exactly_the_points_within_reach_are_flipped(norm: str, classes: int) -> None:
    models = linear(classes)
    x = RNG.normal(size=(60, 6)).astype(np.float32)
    with torch.no_grad():
        y = models[0](torch.from_numpy(x)).argmax(1).numpy()
    distance = distances(models, x, y, norm)
    epsilon = float(np.median(distance[distance > 0]))
    found = autoattack(models, x, y, epsilon=epsilon, norm=norm, spec=QUICK)
    clear = np.abs(distance - epsilon) > 0.01 * epsilon
    assert clear.mean() > 0.9
    np.testing.assert_array_equal((found.outcome == "robust")[clear], (distance > epsilon)[clear])
    np.testing.assert_array_equal(found.outcome == "clean", distance <= 0)


@pytest.fixture(scope="module")
def small() -> Population:
    """Two robustly trained members, small enough for the exact perturbation."""
    recipe = Recipe(ToyImages(train=300, test=10), MLP((6, 6)), epochs=15).robust(Threat("linf", 2.0))
    return Population(recipe, (0, 1), train(recipe, recipe.data.load(), (0, 1)))


@pytest.fixture(scope="module")
def exact(small: Population) -> np.ndarray:
    """Exact smallest perturbations of the first 10 points."""
    data = small.recipe.data.load()
    x, y = data.test_x[:10], data.test_y[:10]
    return exact_perturbation(small, x, y, within=smallest_perturbation(small, x, y) * (1 + 1e-4))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_of_small_networks_nothing_beyond_the_exact_perturbation_is_flipped_and_what_is_well_within_is(
    small: Population, exact: np.ndarray, share: float
) -> None:
    data = small.recipe.data.load()
    epsilon = float(np.quantile(exact[exact > 0], share))
    stands = autoattack(small, data.test_x[:10], data.test_y[:10], epsilon=epsilon, spec=QUICK).outcome == "robust"
    assert stands[exact > epsilon * (1 + 1e-3)].all()
    assert not stands[exact < epsilon * 0.97].any()
    assert 0 < stands.mean() < 1


@NORMS
def test_points_stay_in_the_ball_and_the_bounds_and_are_misclassified(robust: Population, norm: str) -> None:
    data = robust.recipe.data.load()
    low, high = float(data.test_x.min()), float(data.test_x.max())
    found = autoattack(robust, data.test_x, data.test_y, epsilon=RADIUS[norm], norm=norm, bounds=(low, high), spec=QUICK)
    delta = (found.perturbed - torch.from_numpy(data.test_x)).flatten(2)
    size = delta.abs().amax(2) if norm == "linf" else delta.norm(dim=2)
    assert size.max() <= RADIUS[norm] * (1 + 1e-5)
    assert found.perturbed.min() >= low
    assert found.perturbed.max() <= high
    assert set(np.unique(found.outcome)) >= {"robust", "apgd-ce"}
    for theta, points, outcome in zip(robust.final, found.perturbed, found.outcome, strict=True):
        with torch.no_grad():
            wrong = (robust.program.module(theta)(points).argmax(1) != torch.from_numpy(data.test_y)).numpy()
        np.testing.assert_array_equal(wrong, outcome != "robust")
    np.testing.assert_allclose(found.robust_accuracy, (found.outcome == "robust").mean(1))
    assert (size.numpy()[np.isin(found.outcome, ["robust", "clean"])] == 0).all()


@NORMS
def test_in_a_ball_of_no_size_only_the_clean_errors_are_found(robust: Population, norm: str) -> None:
    data = robust.recipe.data.load()
    outcome = autoattack(robust, data.test_x, data.test_y, epsilon=0, norm=norm).outcome
    assert set(np.unique(outcome)) <= {"robust", "clean"}
    for theta, row in zip(robust.final, outcome, strict=True):
        with torch.no_grad():
            right = robust.program.module(theta)(torch.from_numpy(data.test_x)).argmax(1) == torch.from_numpy(data.test_y)
        np.testing.assert_array_equal(row == "robust", right.numpy())


@NORMS
def test_larger_balls_hold_more_flips(robust: Population, norm: str) -> None:
    data = robust.recipe.data.load()
    shares = [
        autoattack(robust, data.test_x, data.test_y, epsilon=epsilon, norm=norm, spec=QUICK).robust_accuracy
        for epsilon in RADIUS[norm] * np.array([0.25, 0.5, 1.0, 1.5])
    ]
    assert (np.diff(shares, axis=0) <= 0).all()
    assert (shares[0] > shares[-1]).all()


SIDES = torch.ones(4, 4)
SIDES[:, 2:] = -1


class Hidden(torch.nn.Module):
    """A classifier by the left minus the right half of an image, whose gradient is hidden."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.inner = torch.nn.Linear(16, 4)
        with torch.no_grad():
            self.inner.weight.zero_()
            self.inner.weight[0], self.inner.weight[1] = 0.1 * SIDES.flatten(), -0.1 * SIDES.flatten()
            self.inner.bias.copy_(torch.tensor([0.0, 0.0, -1.0, -1.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.inner(x.flatten(1))
        return logits * 1e4 if self.how == "scaled" else torch.round(logits * 100) / 100


def points_of_hidden() -> tuple[np.ndarray, np.ndarray]:
    """Points of class 0 whose distance to the boundary is 0.5 in L∞ and 2 in L2."""
    x, sides = RNG.normal(size=(20, 4, 4)).astype(np.float32), SIDES.numpy()
    return x - sides * (x * sides).mean((1, 2), keepdims=True) + 0.5 * sides, np.zeros(20, int)


def test_logits_too_large_for_the_cross_entropy_hide_nothing_from_the_others() -> None:
    x, y = points_of_hidden()
    outcome = autoattack(Hidden("scaled"), x, y, epsilon=0.6).outcome
    assert (outcome == "apgd-t").all()
    assert (autoattack(Hidden("scaled"), x, y, epsilon=0.45, spec=QUICK).outcome == "robust").all()


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.7), ("l2", 4 * 0.7)])
def test_without_a_gradient_square_finds_what_the_others_do_not(norm: str, epsilon: float) -> None:
    x, y = points_of_hidden()
    spec = AutoAttackSpec(steps=30, queries=2000)
    outcome = autoattack(Hidden("rounded"), x, y, epsilon=epsilon, norm=norm, spec=spec).outcome
    assert (outcome[0] == "square").mean() > 0.9
    assert set(np.unique(outcome)) <= {"robust", "square"}


class OnePixel(torch.nn.Module):
    """Class 0 where one pixel is above 0.5, by steps that have no gradient."""

    def __init__(self, row: int, column: int) -> None:
        super().__init__()
        self.row, self.column = row, column

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        score = torch.round(20 * (x[:, self.row, self.column] - 0.5))
        return torch.stack([score, -score], dim=1)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (4, 4), (7, 4), (4, 7), (7, 7)])
def test_square_reaches_every_pixel_the_last_row_and_column_too(row: int, column: int) -> None:
    """The authors' code leaves half of the points at the last column standing: findings/pyautoattack_square_…"""
    x, y = np.full((40, 8, 8), 0.55, np.float32), np.zeros(40, int)
    spec = AutoAttackSpec(steps=2, queries=2000)
    assert (autoattack(OnePixel(row, column), x, y, epsilon=0.1, spec=spec).outcome != "robust").all()


@pytest.mark.parametrize("shape", [(3, 5, 7), (6, 5), (12,), (1, 2), (3, 2, 2, 2)])
@NORMS
def test_inputs_of_any_shape_are_attacked(shape: tuple[int, ...], norm: str) -> None:
    torch.manual_seed(0)
    size = int(np.prod(shape))
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(size, 4))
    x = RNG.normal(size=(9, *shape)).astype(np.float32)
    with torch.no_grad():
        y = network(torch.from_numpy(x)).argmax(1).numpy()
    found = autoattack(network, x, y, epsilon=0.05, norm=norm, spec=AutoAttackSpec(steps=5, queries=30))
    assert found.perturbed.shape == (1, 9, *shape)
    assert found.perturbed.isfinite().all()


def test_a_member_s_points_do_not_depend_on_who_shares_its_stack(robust: Population) -> None:
    data = robust.recipe.data.load()
    together = autoattack(robust, data.test_x, data.test_y, epsilon=1.5, spec=QUICK)
    alone = autoattack(robust.select((1,)), data.test_x, data.test_y, epsilon=1.5, spec=QUICK)
    np.testing.assert_array_equal(together.outcome[1:], alone.outcome)
    # Seeds name the streams, so the second member has the same random numbers by itself.
    assert torch.equal(together.perturbed[1:], alone.perturbed)


def test_what_cannot_be_attacked_is_refused_by_name(robust: Population) -> None:
    data = robust.recipe.data.load()
    x, y = data.test_x[:2], data.test_y[:2]
    with pytest.raises(ValueError, match=r"epsilon is -0\.1; it has to be finite and at least 0"):
        autoattack(robust, x, y, epsilon=-0.1)
    with pytest.raises(ValueError, match="epsilon is nan"):
        autoattack(robust, x, y, epsilon=float("nan"))
    with pytest.raises(ValueError, match="norm='l0' is not supported here"):
        autoattack(robust, x, y, epsilon=1, norm="l0")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"inputs range from .* beyond bounds=\(0\.0, 1\.0\)"):
        autoattack(robust, x, y, epsilon=0.1, bounds=(0.0, 1.0))
    with pytest.raises(RecipeError, match="queries=0; it has to be 1 or more"):
        AutoAttackSpec(queries=0)
    assert OUTCOMES[:2] == ("robust", "clean")


@NORMS
def test_a_network_of_one_output_and_one_that_returns_more_are_attacked_as_what_they_are(norm: str) -> None:
    class Both(torch.nn.Module):
        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            z = self.inner(x)
            return torch.cat([torch.zeros_like(z), z], 1), x

    torch.manual_seed(0)
    single = torch.nn.Linear(5, 1)
    x = RNG.normal(size=(40, 5)).astype(np.float32)
    with torch.no_grad():
        z = single(torch.from_numpy(x))[:, 0].numpy()
    distance = np.abs(z) / np.linalg.norm(single.weight.detach().numpy()[0], ord=DUAL[norm])
    epsilon = float(np.median(distance)) + 1e-3
    one = autoattack(single, x, (z > 0).astype(int), epsilon=epsilon, norm=norm, spec=QUICK)
    two = autoattack(Both(single), x, (z > 0).astype(int), epsilon=epsilon, norm=norm, spec=QUICK, output=lambda out: out[0])
    clear = np.abs(distance - epsilon) > 0.01 * epsilon
    for found in (one, two):
        np.testing.assert_array_equal((found.outcome[0] == "robust")[clear], (distance > epsilon)[clear])


def test_the_table_holds_the_accuracy_after_each_attack(robust: Population) -> None:
    data = robust.recipe.data.load()
    measurement = AutoAttack(epsilons=(0.0, RADIUS["linf"]), spec=QUICK, points=32)
    table = measurement.run(robust, data, "cpu")
    assert table.columns.tolist() == ["seed", "epsilon", "accuracy", "robust_accuracy", *COLUMNS, "epoch"]
    assert table["seed"].tolist() == [0, 1, 0, 1]
    courses = table[["accuracy", *COLUMNS]].to_numpy()
    assert (np.diff(courses, axis=1) <= 0).all()
    assert (table["robust_accuracy"] == table["square"]).all()
    assert (table.loc[table["epsilon"] == 0, "robust_accuracy"] == table.loc[table["epsilon"] == 0, "accuracy"]).all()
    outcome = autoattack(robust, data.test_x[:32], data.test_y[:32], epsilon=RADIUS["linf"], spec=QUICK).outcome
    np.testing.assert_allclose(table["apgd_ce"][2:], 1 - np.isin(outcome, ["clean", "apgd-ce"]).mean(1))


def test_alone_as_together(assert_alone_as_together) -> None:
    assert_alone_as_together(AutoAttack(epsilons=(0.5,), spec=AutoAttackSpec(steps=10, queries=30), epochs="all"))


@pytest.mark.parametrize("epsilons", [(), (-1.0,), (1.0, 1.0), (1.0, float("inf")), (float("nan"),)])
def test_radii_that_do_not_rise_from_0_are_refused(epsilons: tuple[float, ...]) -> None:
    with pytest.raises(RecipeError, match=r"epsilons=.*one or more finite radii from 0"):
        AutoAttack(epsilons=epsilons)
