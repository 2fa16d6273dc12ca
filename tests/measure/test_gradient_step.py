"""The single-step attack where its answer is known, and what it must never do."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.data.base import Dataset
from harness.data.toy import ToyImages
from harness.measure import gradient_step
from harness.measure.ball import NearStart
from harness.measure.gradient_step import HALVINGS, SingleStep, smallest_steps
from harness.measure.views import Viewed
from harness.models import MLPProgram, ModuleProgram, Program
from harness.models.lazy import LazyNetwork
from harness.population import Population
from harness.recipe import MLP, SGD, Module, Recipe, RecipeError
from harness.train import initial, train

INPUTS, POINTS, MEMBERS = 12, 60, 3


def points(seed: int = 0, size: int = INPUTS) -> torch.Tensor:
    """Points of Euclidean norm 1, the same for every member; shape (member, input, point)."""
    x = torch.randn(size, POINTS, generator=torch.Generator().manual_seed(seed))
    return (x / x.norm(dim=0)).expand(MEMBERS, -1, -1).contiguous()


def members(program: Program) -> torch.Tensor:
    return torch.stack([program.initial(torch.Generator().manual_seed(seed)) for seed in range(MEMBERS)])


@pytest.mark.parametrize(
    "program", [ModuleProgram(lambda: torch.nn.Linear(INPUTS, 2), 2), MLPProgram((INPUTS, 2))], ids=["module", "mlp"]
)
def test_a_linear_network_is_solved_exactly(program: Program) -> None:
    theta, x = members(program), points()
    weight, bias = (part.double() for part in program.layout.views(theta).values())
    slope, constant = weight[:, 1] - weight[:, 0], bias[:, 1] - bias[:, 0]
    value = torch.einsum("mi,mip->mp", slope, x.double()) + constant[:, None]
    steps = smallest_steps(program, program.layout.views(theta), x, longest=100.0)
    torch.testing.assert_close(steps.value.double(), value, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(steps.gradient_norm.double(), slope.norm(dim=1)[:, None].expand(-1, POINTS))
    exact = value.abs() / slope.square().sum(1)[:, None]
    # The bracket is at most as wide as the step and is halved; f itself is known to its rounding: a few units in the
    # last place (2⁻²³) of the sum of its terms' sizes, which for unit points is at most ‖w₁‖ + ‖w₀‖ + |b₁| + |b₀|.
    terms = weight.norm(dim=2).sum(1) + bias.abs().sum(1)
    error = exact * 2.0**-HALVINGS + 8 * 2.0**-23 * (terms / slope.square().sum(1))[:, None]
    assert bool(((steps.step.double() - exact).abs() <= error).all())
    size = exact * slope.norm(dim=1)[:, None]  # ‖δ‖ / ‖x‖ = |f| / (‖∇f‖ ‖x‖), at ‖x‖ = 1
    torch.testing.assert_close(steps.relative_size.double(), size, rtol=1e-4, atol=1e-6)


def test_the_size_is_relative_to_the_point() -> None:
    program = ModuleProgram(lambda: torch.nn.Linear(INPUTS, 2, bias=False), 2)
    views, x = program.layout.views(members(program)), points()
    one, other = (smallest_steps(program, views, scale * x) for scale in (1, 8))
    torch.testing.assert_close(other.step, 8 * one.step, rtol=1e-4, atol=0)
    torch.testing.assert_close(other.relative_size, one.relative_size, rtol=1e-4, atol=0)


def test_the_step_flips_a_lazy_network_and_a_thousandth_less_does_not() -> None:
    program = ModuleProgram(lambda: LazyNetwork(49, 32), 2)
    theta, x = members(program), points(size=49)
    steps = smallest_steps(program, program.layout.views(theta), x)
    flips = []
    for member in range(MEMBERS):
        network = program.module(theta[member]).double()
        clean = x[member].T.double().requires_grad_()
        logits = network(clean)
        value = logits[:, 1] - logits[:, 0]
        (gradient,) = torch.autograd.grad(value.sum(), clean)
        step = steps.step[member].double()
        # Single precision rounds f by about 1e-7; where |f| > 0.01 that moves the crossing by less than 1e-4 of itself.
        chosen = step.isfinite() & (value.abs() > 0.01)
        for share, flipped in ((1.0001, True), (0.999, False)):
            after = network(clean - gradient * (value.sign() * step * share)[:, None]).detach()
            crossed = (after[:, 1] - after[:, 0]) * value.sign() < 0
            assert bool((crossed == flipped)[chosen].all())
        flips.append(float(chosen.double().mean()))
        torch.testing.assert_close(steps.gradient_norm[member].double(), gradient.norm(dim=1), rtol=1e-5, atol=0)
    assert min(flips) > 0.8


def test_the_network_is_not_linear_along_the_step() -> None:
    """Else the search would have nothing to do."""
    program = ModuleProgram(lambda: LazyNetwork(49, 32), 2)
    steps = smallest_steps(program, program.layout.views(members(program)), points(size=49))
    finite = steps.step.isfinite()
    linear = steps.value.abs() / steps.gradient_norm.square()
    assert float(((steps.step - linear).abs() > 0.01 * linear)[finite].float().mean()) > 0.3


def test_no_step_is_longer_than_allowed() -> None:
    program = MLPProgram((INPUTS, 2))
    views, x = program.layout.views(members(program)), points()
    free = smallest_steps(program, views, x, longest=1e6)
    assert bool(free.step.isfinite().all())
    short = smallest_steps(program, views, x, longest=0.5)
    inside = free.relative_size < 0.5 * (1 - 1e-5)
    outside = free.relative_size > 0.5 * (1 + 1e-5)
    assert bool(inside.any())
    assert bool(outside.any())
    assert bool(short.step[outside].isinf().all())
    assert bool(short.relative_size[outside].isinf().all())
    assert bool((short.relative_size[inside] <= 0.5 * (1 + 1e-6)).all())
    torch.testing.assert_close(short.step[inside], free.step[inside], rtol=1e-4, atol=1e-6)


def test_points_that_no_step_moves_are_never_flipped_and_never_nan() -> None:
    program = ModuleProgram(lambda: torch.nn.Linear(INPUTS, 2), 2)
    views, x = program.layout.views(members(program)), points()
    x[:, :, 0] = 0.0  # a step relative to ‖x‖ = 0 has no length
    views["weight"][1] = 0.0  # the gradient of member 1 is zero everywhere
    views["bias"][:] = torch.tensor([0.0, 1.0])
    views["bias"][2] = 0.0  # member 2 is exactly undecided at the point 0: no step is needed there
    steps = smallest_steps(program, views, x)
    for found in (steps.step, steps.relative_size):
        assert not bool(found.isnan().any())
        assert bool(found[1].isinf().all())
        assert float(found[0, 0]) == math.inf
        assert float(found[2, 0]) == 0.0


def test_more_than_two_classes_are_refused() -> None:
    program = MLPProgram((INPUTS, 3))
    with pytest.raises(ValueError, match="the single-step attack needs two classes; this network has 3"):
        smallest_steps(program, program.layout.views(members(program)), points())


# --- the measurement --------------------------------------------------------------------------------------------------


class TwoClasses(ToyImages):
    """The toy images with the third class merged into the second."""

    @property
    def classes(self) -> int:
        return 2

    def load(self) -> Dataset:
        data = super().load()
        return replace(data, train_y=data.train_y.clip(max=1), test_y=data.test_y.clip(max=1), classes=2)


RECIPE = Recipe(
    TwoClasses(train=48, test=40), Module("harness.models.lazy:lazy_network", "lazy", {"width": 16}),
    optimiser=SGD(1.0, row_radius=0.5), epochs=2, batch_size=16,
)  # fmt: skip
SEEDS = (0, 1, 4)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return RECIPE.data.load()


@pytest.fixture(scope="module")
def population(data: Dataset) -> Population:
    return Population(RECIPE, SEEDS, train(RECIPE, data, SEEDS))


def test_columns_are_what_they_are_called(population, data):
    table = SingleStep(points=30).run(population, data, "cpu")
    assert list(table["seed"]) == list(SEEDS)
    assert set(table["epoch"]) == {2}
    x, y = torch.from_numpy(data.test_x[:30]), data.test_y[:30]
    stacked = x.movedim(0, -1).expand(3, -1, -1, -1).contiguous()
    steps = smallest_steps(population.program, population.program.layout.views(population.final), stacked)
    for row, record in enumerate(table.to_dict("records")):
        assert record["flipped"] == pytest.approx(float(steps.step[row].isfinite().float().mean()))
        for name in ("relative_size", "step", "gradient_norm"):
            assert record[name] == pytest.approx(float(np.median(getattr(steps, name)[row])), rel=1e-5)
        network = population.program.module(population.final[row])
        assert record["accuracy"] == pytest.approx(float((network(x).argmax(1).numpy() == y).mean()))


def test_only_steps_within_the_budget_count(population, data):
    free = SingleStep(points=30).run(population, data, "cpu")
    budget = float(free["step"].median())
    assert math.isfinite(budget)
    table = SingleStep(points=30, step_budget=budget).run(population, data, "cpu")
    x = torch.from_numpy(data.test_x[:30]).movedim(0, -1).expand(3, -1, -1, -1).contiguous()
    steps = smallest_steps(population.program, population.program.layout.views(population.final), x)
    np.testing.assert_allclose(table["flipped"], (steps.step <= budget).float().mean(1), atol=1e-6)
    assert bool((table["flipped"] < free["flipped"]).any())
    others = table.drop(columns="flipped").columns
    assert table[others].equals(free[others])


@pytest.mark.parametrize("distance", [None, 0.7])
def test_members_do_not_depend_on_who_stands_beside_them(population, data, distance):
    measure = SingleStep(points=30) if distance is None else Viewed(SingleStep(points=30), NearStart(distance))
    together = measure.run(population, data, "cpu")
    alone = measure.run(population.select((4,)), data, "cpu")
    assert together[together["seed"] == 4].reset_index(drop=True).equals(alone)
    assert together["step"].nunique() == len(SEEDS)


@pytest.mark.parametrize("architecture", [RECIPE.architecture, MLP((6, 5))], ids=["lazy", "mlp"])
def test_a_view_near_the_start_moves_every_row_by_its_length_and_nothing_else(data, monkeypatch, architecture):
    recipe = replace(RECIPE, architecture=architecture, optimiser=SGD(), epochs=0)
    members = Population(recipe, SEEDS, {0: initial(recipe, SEEDS)})
    before, seen = members.final.clone(), []

    def watched(program, parameters, inputs, **rest):
        seen.extend({name: value[row].clone() for name, value in parameters.items()} for row in range(len(inputs)))
        return smallest_steps(program, parameters, inputs, **rest)

    monkeypatch.setattr(gradient_step, "smallest_steps", watched)
    Viewed(SingleStep(points=8), NearStart(0.7)).run(members, data, "cpu")
    assert torch.equal(members.final, before)
    views, directions = members.program.layout.views(before), []
    for row, moved in enumerate(seen):
        for name, value in moved.items():
            change = value - views[name][row]
            if value.dim() == 2 and name != "second":
                torch.testing.assert_close(change.norm(dim=1), torch.full((len(change),), 0.7))
                directions.append(change.flatten()[:10])
            else:  # the fixed second layer of the lazy network; biases
                assert not bool(change.any())
    assert all(not torch.allclose(one, other) for i, one in enumerate(directions) for other in directions[:i])


@pytest.mark.parametrize("wrong", [{"longest": 0}, {"points": 0}, {"step_budget": -1.0}])
def test_impossible_settings_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(RecipeError, match=f"SingleStep has {name}=.*above 0"):
        SingleStep(**wrong)
