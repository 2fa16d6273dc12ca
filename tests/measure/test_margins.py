"""Margins and the distance to the linearised boundary: exact for linear networks, checked by autograd for others."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.measure.margins import Margins, margins
from harness.networks import MLPProgram, encode
from harness.population import Population
from harness.recipe import RecipeError


def normal(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(1))


def test_three_points_of_a_linear_network_by_hand() -> None:
    program = MLPProgram((2, 3), bias=False)
    views = program.layout.views(torch.tensor([[3.0, 0.0, 0.0, 4.0, 0.0, 0.0]]))  # f = (3 x₀, 4 x₁, 0)
    x = torch.tensor([[[2.0, 1.0, -1.0], [1.0, 1.0, -1.0]]])
    targets = encode(torch.tensor([0, 0, 2]), 3)[None]
    l2 = margins(program, views, x, targets)
    torch.testing.assert_close(l2["margin"], torch.tensor([[2.0, -1.0, 3.0]]))  # 6 − 4, 3 − 4, 0 − (−3)
    torch.testing.assert_close(l2["slope"], torch.tensor([[5.0, 5.0, 3.0]]))  # ‖(3, −4)‖ twice, ‖(3, 0)‖
    torch.testing.assert_close(l2["distance"], torch.tensor([[0.4, -0.2, 1.0]]))
    linf = margins(program, views, x, targets, norm="linf")
    torch.testing.assert_close(linf["slope"], torch.tensor([[7.0, 7.0, 3.0]]))
    torch.testing.assert_close(linf["distance"], torch.tensor([[2 / 7, -1 / 7, 1.0]]))


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("which", ["mlp_members", "module_members"])
def test_every_sample_is_what_autograd_says(which, norm, toy_data, request) -> None:
    population = request.getfixturevalue(which)
    table = Margins(by_sample=True, norm=norm, points=25, epochs="all").run(population, toy_data, "cpu")
    assert len(table) == 3 * 3 * 2 * 25
    for (seed, epoch, split), part in table.groupby(["seed", "epoch", "split"]):
        network = population.program.module(population.parameters[epoch][population.seeds.index(seed)]).double()
        x = torch.from_numpy(getattr(toy_data, f"{split}_x")[:25]).double().requires_grad_()
        y = getattr(toy_data, f"{split}_y")[:25]
        logits = network(x)
        right = logits[range(25), y]
        wrong = logits.masked_fill(torch.eye(3, dtype=torch.bool)[y], -math.inf).amax(1)
        (gradient,) = torch.autograd.grad((right - wrong).sum(), x)
        slope = gradient.flatten(1).norm(1 if norm == "linf" else 2, dim=1)
        np.testing.assert_array_equal(part["label"], y)
        for name, value in (("margin", right - wrong), ("slope", slope), ("distance", (right - wrong) / slope)):
            np.testing.assert_allclose(part[name], value.detach(), rtol=1e-4, atol=1e-5)


def test_the_summary_is_made_of_the_samples(mlp_members, toy_data) -> None:
    spec = Margins(threshold=0.5, quantiles=(0.05, 0.9))
    table = spec.run(mlp_members, toy_data, "cpu")
    samples = replace(spec, by_sample=True).run(mlp_members, toy_data, "cpu")
    assert len(table) == 6
    for record in table.to_dict("records"):
        part = samples[(samples["seed"] == record["seed"]) & (samples["split"] == record["split"])]
        margin, distance = part["margin"].to_numpy(), part["distance"].to_numpy()
        distance = distance[np.isfinite(distance)]
        assert record["below"] == pytest.approx((margin < 0.5).mean())
        assert record["indecisive"] == pytest.approx(((margin <= 0) & (margin > -0.5)).mean())
        assert record["flat"] == pytest.approx((part["slope"] == 0).mean())
        for name, values in (("margin", margin), ("distance", distance)):
            assert record[f"{name}_mean"] == pytest.approx(values.mean())
            assert record[f"{name}_variance"] == pytest.approx(values.var())
            assert record[f"{name}_q5"] == pytest.approx(np.quantile(values, 0.05))
            assert record[f"{name}_q90"] == pytest.approx(np.quantile(values, 0.9))
    assert table["indecisive"].max() > 0


def test_doubling_the_logits_doubles_margins_and_moves_no_boundary() -> None:
    """Null: the distance does not depend on the scale of the logits."""
    program = MLPProgram((4, 6, 3))
    theta = program.initial(torch.Generator().manual_seed(0))[None]
    views = program.layout.views(theta)
    twice = {name: 2 * value if name.startswith("1.") else value for name, value in views.items()}
    x, targets = normal(1, 4, 20), encode(torch.arange(20) % 3, 3)[None]
    one, other = margins(program, views, x, targets), margins(program, twice, x, targets)
    torch.testing.assert_close(other["margin"], 2 * one["margin"])
    torch.testing.assert_close(other["distance"], one["distance"])


def test_flat_points_are_counted_and_left_out_of_the_distances(mlp_members, toy_data) -> None:
    """A network of biases alone decides everywhere alike and has no boundary."""
    constant = torch.zeros_like(mlp_members.final[:2])
    mlp_members.program.layout.views(constant)["2.bias"][1] = torch.tensor([3.0, 1.0, 0.0])
    constant[0] = mlp_members.final[0]
    population = Population(mlp_members.recipe, (0, 1), {2: constant})
    spec = Margins(splits=("test",), quantiles=())
    trained, dead = spec.run(population, toy_data, "cpu").to_dict("records")
    assert dead["flat"] == 1.0
    assert math.isnan(dead["distance_mean"])
    assert trained["flat"] < 1.0
    assert math.isfinite(trained["distance_mean"])
    shares = np.bincount(toy_data.test_y) / len(toy_data.test_y)
    assert dead["margin_mean"] == pytest.approx(shares @ [2.0, -2.0, -3.0])
    samples = replace(spec, by_sample=True).run(population.select((1,)), toy_data, "cpu")
    np.testing.assert_array_equal(samples["distance"], np.where(toy_data.test_y == 0, np.inf, -np.inf))


def test_an_undecided_point_lies_on_the_boundary() -> None:
    program = MLPProgram((3, 2))
    found = margins(program, program.layout.views(torch.zeros(1, 8)), normal(1, 3, 4), encode(torch.zeros(4).long(), 2)[None])
    assert not bool(found["distance"].any())  # 0 ÷ 0, and not a missing number


@pytest.mark.parametrize("by_sample", [False, True])
def test_members_do_not_depend_on_who_stands_beside_them(by_sample, assert_alone_as_together) -> None:
    assert_alone_as_together(Margins(epochs="all", by_sample=by_sample))


def test_a_single_output_is_refused() -> None:
    program = MLPProgram((3, 1))
    with pytest.raises(ValueError, match="a margin needs two or more classes; this network has 1"):
        margins(program, program.layout.views(torch.zeros(1, 4)), torch.zeros(1, 3, 2), torch.ones(1, 1, 2))


@pytest.mark.parametrize(
    "wrong", [{"splits": ()}, {"splits": ("train", "train")}, {"splits": ("validation",)}, {"threshold": 0.0}, {"norm": "l1"},
              {"points": 0}, {"quantiles": (-0.1,)}]
)  # fmt: skip
def test_impossible_settings_are_refused(wrong) -> None:
    (name,) = wrong
    with pytest.raises(RecipeError, match=f"Margins has {name}=.*it has to be"):
        Margins(**wrong)
