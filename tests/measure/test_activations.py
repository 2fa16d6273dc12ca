"""Norms of activations, by hand and by running each network layer by layer."""

from __future__ import annotations

import pytest
import torch

from fixtures.lazy.networks import LazyNetwork
from harness.measure.activations import ActivationNorms, activation_norms
from harness.networks import MLPProgram, ModuleProgram
from harness.recipe import RecipeError


def normal(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(1))


def test_two_layers_by_hand() -> None:
    program = MLPProgram((2, 2, 1), bias=False)
    views = program.layout.views(torch.tensor([[3.0, 0.0, 0.0, -4.0, 1.0, 2.0]]))
    norms = activation_norms(program, views, torch.tensor([[[1.0, 1.0], [1.0, -1.0]]]))
    assert list(norms) == ["0", "1"]
    torch.testing.assert_close(norms["0"], torch.tensor([[3.0, 5.0]]))  # relu(3, −4), relu(3, 4)
    torch.testing.assert_close(norms["1"], torch.tensor([[3.0, 11.0]]))


def test_a_linear_network_hands_on_negative_values() -> None:
    program = MLPProgram((2, 2, 1), bias=False, linear=True)
    views = program.layout.views(torch.tensor([[3.0, 0.0, 0.0, -4.0, 1.0, 2.0]]))
    norms = activation_norms(program, views, torch.tensor([[[1.0], [1.0]]]))
    torch.testing.assert_close(norms["0"], torch.tensor([[5.0]]))
    torch.testing.assert_close(norms["1"], torch.tensor([[5.0]]))


@pytest.mark.parametrize("which", ["mlp_members", "module_members"])
def test_the_table_is_what_each_network_says(which, toy_data, request) -> None:
    population = request.getfixturevalue(which)
    table = ActivationNorms(splits=("train", "test"), points=30, epochs="all").run(population, toy_data, "cpu")
    layers = {"0": "relu0", "1": "relu1", "2": "2"} if which == "mlp_members" else {name: name for name in "123"}
    assert len(table) == 3 * 3 * 2 * 3
    assert set(table["layer"]) == set(layers)
    for record in table.to_dict("records"):
        theta = population.parameters[record["epoch"]][population.seeds.index(record["seed"])]
        value = torch.from_numpy(getattr(toy_data, f"{record['split']}_x")[:30]).double()
        for name, layer in population.program.module(theta).double().named_children():
            value = layer(value).detach()
            if name == layers[record["layer"]]:
                sizes = value.flatten(1).norm(dim=1)
                for column, number in (("mean", sizes.mean()), ("variance", sizes.var(correction=0)),
                                       ("max", sizes.max()), ("min", sizes.min())):  # fmt: skip
                    assert record[column] == pytest.approx(float(number), rel=1e-4, abs=1e-6)


def test_doubling_the_first_layer_doubles_what_a_network_without_biases_hands_on() -> None:
    program = MLPProgram((3, 5, 4, 2), bias=False)
    views = program.layout.views(program.initial(torch.Generator().manual_seed(0))[None])
    x = normal(1, 3, 10)
    one = activation_norms(program, views, x)
    other = activation_norms(program, {**views, "0.weight": 2 * views["0.weight"]}, x)
    for layer, norms in one.items():
        torch.testing.assert_close(other[layer], 2 * norms)


def test_what_is_computed_in_place_or_called_twice_is_seen_as_it_was() -> None:
    class Twice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.relu = torch.nn.Linear(3, 3), torch.nn.ReLU(inplace=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.relu(self.linear(self.relu(self.linear(x))))

    network = Twice()
    program = ModuleProgram(lambda: network, 3)
    theta = program.initial(torch.Generator().manual_seed(0))[None]
    x = normal(6, 3)
    norms = activation_norms(program, program.layout.views(theta), x.T[None])
    assert sorted(norms) == ["linear", "linear (2)", "relu", "relu (2)"]
    linear = program.module(theta[0]).linear
    with torch.no_grad():
        torch.testing.assert_close(norms["linear"][0], linear(x).norm(dim=1))
        torch.testing.assert_close(norms["relu (2)"][0], torch.relu(linear(torch.relu(linear(x)))).norm(dim=1))
    assert not program.skeleton.linear._forward_hooks


def test_a_module_without_parts_shows_its_output() -> None:
    program = ModuleProgram(lambda: LazyNetwork(4, 6), 2)
    views = program.layout.views(program.initial(torch.Generator().manual_seed(0))[None])
    x = normal(1, 4, 3)
    norms = activation_norms(program, views, x)
    assert list(norms) == ["output"]
    torch.testing.assert_close(norms["output"], program.logits(views, x).norm(dim=1))


def test_members_do_not_depend_on_who_stands_beside_them(assert_alone_as_together) -> None:
    assert_alone_as_together(ActivationNorms(splits=("train", "test"), epochs="all"))


def test_more_points_than_there_are_are_refused(mlp_members, toy_data) -> None:
    with pytest.raises(ValueError, match="61 train points are asked for, but toy images has 60"):
        ActivationNorms(splits=("train",), points=61).run(mlp_members, toy_data, "cpu")


@pytest.mark.parametrize("wrong", [{"splits": ()}, {"epochs": "last"}, {"points": -1}])
def test_impossible_settings_are_refused(wrong) -> None:
    (name,) = wrong
    with pytest.raises(RecipeError, match=f"ActivationNorms has {name}=.*it has to be"):
        ActivationNorms(**wrong)
