"""The product of operator norms: exact for one layer, above every slope for more, and refused where it bounds nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.lazy.networks import LazyNetwork
from harness.measure.spectra import OperatorBound, chain, jacobian_norms, operator_bound
from harness.networks import MLPProgram, ModuleProgram
from harness.recipe import RecipeError


def normal(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(1))


def test_two_layers_by_hand() -> None:
    program = MLPProgram((2, 2, 1), bias=False)
    views = program.layout.views(torch.tensor([[3.0, 0.0, 0.0, 4.0, 1.0, -2.0]]))
    # ‖diag(3, 4)‖₂ = 4, ‖(1, −2)‖₂ = √5; largest row sums 4 and 3.
    torch.testing.assert_close(operator_bound(program, views, "l2"), torch.tensor([4 * 5**0.5]))
    torch.testing.assert_close(operator_bound(program, views, "linf"), torch.tensor([12.0]))
    slopes = jacobian_norms(program, views, torch.tensor([[[1.0, 1.0], [1.0, -1.0]]]))  # both units on; the second off
    torch.testing.assert_close(slopes["l2"], torch.tensor([[73**0.5, 3.0]]))  # ‖(3, −8)‖, ‖(3, 0)‖
    torch.testing.assert_close(slopes["linf"], torch.tensor([[11.0, 3.0]]))


def test_one_linear_layer_attains_its_bound() -> None:
    """Null: nothing is lost between a matrix and its norm."""
    program = MLPProgram((6, 4))
    theta = torch.stack([program.initial(torch.Generator().manual_seed(seed)) for seed in range(3)]).double()
    views = program.layout.views(theta)
    slopes = jacobian_norms(program, views, normal(3, 6, 5, dtype=torch.float64))
    for norm in ("l2", "linf"):
        torch.testing.assert_close(slopes[norm], operator_bound(program, views, norm)[:, None].expand(-1, 5))
    np.testing.assert_allclose(operator_bound(program, views, "l2"), np.linalg.norm(views["0.weight"].numpy(), 2, axis=(1, 2)))


@given(st.lists(st.integers(1, 6), min_size=2, max_size=5), st.integers(0, 2**32 - 1), st.floats(-3, 3))
@settings(deadline=None, max_examples=60, derandomize=True)
def test_no_slope_exceeds_the_bound(sizes: list[int], seed: int, exponent: float) -> None:
    program = MLPProgram(sizes)
    generator = torch.Generator().manual_seed(seed)
    theta = torch.randn(2, program.layout.total, generator=generator, dtype=torch.float64) * 10**exponent
    views = program.layout.views(theta)
    x = torch.randn(2, sizes[0], 12, generator=generator, dtype=torch.float64)
    for norm, slope in jacobian_norms(program, views, x).items():
        assert bool((slope <= operator_bound(program, views, norm)[:, None] * (1 + 1e-9)).all())


@pytest.mark.parametrize("which", ["mlp_members", "module_members"])
def test_the_table_is_what_numpy_and_autograd_say(which, toy_data, request) -> None:
    population = request.getfixturevalue(which)
    table = OperatorBound(at="test", points=15, epochs="all").run(population, toy_data, "cpu")
    assert len(table) == 9
    assert table["within"].all()
    for record in table.to_dict("records"):
        theta = population.parameters[record["epoch"]][population.seeds.index(record["seed"])]
        network = population.program.module(theta).double()
        weights = [value.detach().numpy() for name, value in network.named_parameters() if "weight" in name]
        bound = np.prod([np.linalg.norm(weight, 2) for weight in weights])
        assert record["bound_l2"] == pytest.approx(bound)
        assert record["bound_linf"] == pytest.approx(np.prod([np.abs(weight).sum(1).max() for weight in weights]))
        jacobians = [
            torch.autograd.functional.jacobian(lambda x, network=network: network(x[None])[0], point).flatten(1).numpy()
            for point in torch.from_numpy(toy_data.test_x[:15]).double()
        ]
        largest = max(np.linalg.norm(jacobian, 2) for jacobian in jacobians)
        assert record["largest_l2"] == pytest.approx(largest)
        assert record["ratio_l2"] == pytest.approx(largest / bound)
        assert record["largest_linf"] == pytest.approx(max(np.abs(jacobian).sum(1).max() for jacobian in jacobians))


def test_a_network_of_zeros_is_within_its_bound_of_zero(mlp_members, toy_data) -> None:
    from harness.population import Population

    dead = Population(mlp_members.recipe, (0,), {2: torch.zeros_like(mlp_members.final[:1])})
    (record,) = OperatorBound(points=5).run(dead, toy_data, "cpu").to_dict("records")
    assert record["within"]
    assert record["ratio_l2"] == record["bound_l2"] == 0


def test_chains_are_found_in_nested_and_shared_modules() -> None:
    shared = torch.nn.Linear(3, 3)
    nested = torch.nn.Sequential(shared, torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(3, 3)), torch.nn.Tanh(), shared)
    assert chain(ModuleProgram(lambda: nested, 3)) == ("0.weight", "1.1.weight", "0.weight")
    assert chain(ModuleProgram(lambda: torch.nn.Linear(3, 2), 2)) == ("weight",)


def test_members_do_not_depend_on_who_stands_beside_them(assert_alone_as_together) -> None:
    assert_alone_as_together(OperatorBound(points=20, epochs="all"))


@pytest.mark.parametrize(
    "network", [LazyNetwork(4, 3), torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 2))]
)
def test_what_is_no_chain_of_linear_layers_is_refused(network) -> None:
    with pytest.raises(ValueError, match=r"(LazyNetwork|LayerNorm) is not a chain of linear layers; the product"):
        chain(ModuleProgram(lambda: network, 2))


def test_a_weight_that_is_computed_is_refused() -> None:
    with pytest.raises(ValueError, match="weight is not a parameter but computed from others"):
        chain(ModuleProgram(lambda: torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 2)), 2))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(RecipeError, match="OperatorBound has points=None; it has to be a number where at is 'random'"):
        OperatorBound(points=None)
