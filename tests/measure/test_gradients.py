"""Gradient norms where they are known, and against autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.measure.smoothness import GradientNorms, gradient_norms
from harness.measure.walk import random_points
from harness.networks import MLPProgram, ModuleProgram
from harness.recipe import RecipeError


def normal(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(1))


def autograd(network: torch.nn.Module, x: torch.Tensor, of: str) -> torch.Tensor:
    """Gradients of one network, points first: (function, point, *input)."""
    x = x.double().requires_grad_()
    logits = network.double()(x)
    if of == "outputs":
        functions = list(logits.T)
    else:
        order = logits.topk(2, dim=1).values
        functions = [order[:, 0] - order[:, 1]]
    return torch.stack([torch.autograd.grad(f.sum(), x, retain_graph=True)[0] for f in functions]).flatten(2)


@pytest.mark.parametrize("bias", [True, False])
def test_the_gradient_of_a_linear_network_is_its_weights(bias: bool) -> None:
    program = MLPProgram((4, 3), bias=bias)
    weight = torch.tensor([[3.0, 4.0, 0.0, 0.0], [0.0, 0.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    theta = torch.cat([weight.flatten(), torch.zeros(3 * bias)])[None]
    found = gradient_norms(program, program.layout.views(theta), normal(1, 4, 5), of="outputs")
    torch.testing.assert_close(found["l2"][0, :, 0], torch.tensor([5.0, 5.0**0.5, 0.0]))
    torch.testing.assert_close(found["l1"][0, :, 4], torch.tensor([7.0, 3.0, 0.0]))


def test_one_output_is_measured_itself_and_two_by_their_difference() -> None:
    x = normal(1, 6, 9)
    two = MLPProgram((6, 5, 2))
    theta = two.initial(torch.Generator().manual_seed(0))[None]
    views = two.layout.views(theta)
    one = MLPProgram((6, 5, 1))
    difference = {name: value[:, 1:] - value[:, :1] if name.startswith("1.") else value for name, value in views.items()}
    for norm in ("l2", "l1"):
        expected = gradient_norms(two, views, x)[norm]
        torch.testing.assert_close(gradient_norms(one, difference, x)[norm], expected)
        torch.testing.assert_close(gradient_norms(one, difference, x, of="outputs")[norm], expected)


@pytest.mark.parametrize("of", ["decision", "outputs"])
@pytest.mark.parametrize("which", ["mlp_members", "module_members"])
def test_the_table_is_what_autograd_says(which, of, toy_data, request) -> None:
    population = request.getfixturevalue(which)
    measure = GradientNorms(at="test", points=20, of=of, quantiles=(0.25,), epochs="all")
    table = measure.run(population, toy_data, "cpu")
    assert len(table) == 3 * 3 * (3 if of == "outputs" else 1)
    x = torch.from_numpy(toy_data.test_x[:20])
    for record in table.to_dict("records"):
        row = population.seeds.index(record["seed"])
        network = population.program.module(population.parameters[record["epoch"]][row])
        gradient = autograd(network, x, of)[record.get("output", 0)]
        for norm, sizes in (("l2", gradient.norm(dim=1)), ("l1", gradient.abs().sum(1))):
            for name, value in (("max", sizes.max()), ("mean", sizes.mean()), ("min", sizes.min()),
                                ("variance", sizes.var(correction=0)), ("q25", sizes.quantile(0.25))):  # fmt: skip
                assert record[f"{norm}_{name}"] == pytest.approx(float(value), rel=1e-4, abs=1e-6)


def test_rows_by_sample_are_what_the_summary_is_made_of(mlp_members, toy_data) -> None:
    samples = GradientNorms(points=30, by_sample=True).run(mlp_members, toy_data, "cpu")
    summary = GradientNorms(points=30).run(mlp_members, toy_data, "cpu")
    assert list(samples.columns) == ["seed", "sample", "l2", "l1", "epoch"]
    assert sorted(samples.groupby("seed")["sample"].count()) == [30, 30, 30]
    np.testing.assert_array_equal(samples.groupby("seed")["l2"].max(), summary["l2_max"])
    np.testing.assert_allclose(samples.groupby("seed")["l1"].median(), summary["l1_q50"])


def test_random_points_have_the_asked_deviation_and_are_the_same_for_all() -> None:
    points = random_points((20, 5), 2000, None, seed=3)
    assert points.shape == (20, 5, 2000)
    # 200,000 draws: the standard deviation is known to 1/√400,000 = 0.16 %, five of which are allowed.
    assert float(points.std()) == pytest.approx(0.1, rel=0.008)
    assert torch.equal(random_points((20, 5), 7, None, seed=3), points[..., :7])
    torch.testing.assert_close(random_points((20, 5), 7, 1.0, seed=3), 10 * points[..., :7])
    assert not torch.equal(random_points((20, 5), 7, None, seed=4), points[..., :7])


def test_a_dead_network_has_no_gradient() -> None:
    program = MLPProgram((3, 4, 2))
    views = program.layout.views(torch.zeros(1, program.layout.total))
    found = gradient_norms(program, views, normal(1, 3, 6))
    assert not bool(found["l2"].any())
    assert not bool(found["l1"].any())


def test_shifting_all_logits_alike_changes_no_decision() -> None:
    """Null: w added to every row of the last layer cancels in every margin."""
    program = ModuleProgram(lambda: torch.nn.Linear(5, 4), 4)
    theta = program.initial(torch.Generator().manual_seed(0))[None]
    moved = theta.clone()
    program.layout.views(moved)["weight"] += normal(5)
    x = normal(1, 5, 8)
    order = program.logits(program.layout.views(theta), x).argsort(1)
    views = program.layout.views(moved)
    assert torch.equal(program.logits(views, x).argsort(1), order)
    torch.testing.assert_close(
        gradient_norms(program, views, x)["l2"], gradient_norms(program, program.layout.views(theta), x)["l2"]
    )


@pytest.mark.parametrize("at", ["random", "test"])
@pytest.mark.parametrize("by_sample", [False, True])
def test_members_do_not_depend_on_who_stands_beside_them(at, by_sample, assert_alone_as_together) -> None:
    assert_alone_as_together(GradientNorms(at=at, points=40, of="outputs", epochs="all", by_sample=by_sample))


def test_more_points_than_there_are_are_refused(mlp_members, toy_data) -> None:
    with pytest.raises(ValueError, match="46 test points are asked for, but toy images has 45; ask for fewer"):
        GradientNorms(at="test", points=46).run(mlp_members, toy_data, "cpu")


@pytest.mark.parametrize(
    "wrong", [{"at": "everywhere"}, {"of": "loss"}, {"epochs": "first"}, {"points": 0}, {"points": None}, {"deviation": 0.0},
              {"quantiles": (1.5,)}]
)  # fmt: skip
def test_impossible_settings_are_refused(wrong) -> None:
    (name,) = wrong
    with pytest.raises(RecipeError, match=f"GradientNorms has {name}=.*it has to be"):
        GradientNorms(**wrong)
