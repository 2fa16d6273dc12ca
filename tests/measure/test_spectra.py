"""Singular values against numpy, under rotations, and where there is no matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.measure.spectra import SingularValues, singular_values
from harness.networks import MLPProgram, ModuleProgram
from harness.recipe import RecipeError


def normal(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(1))


def test_a_diagonal_matrix_by_hand() -> None:
    program = MLPProgram((2, 3), bias=False)
    values = singular_values(program, program.layout.views(torch.tensor([[0.0, -5.0, 2.0, 0.0, 0.0, 0.0]])))
    torch.testing.assert_close(values["0.weight"], torch.tensor([[5.0, 2.0]]))


@pytest.mark.parametrize("which", ["mlp_members", "module_members"])
def test_the_table_is_what_numpy_says(which, toy_data, request) -> None:
    population = request.getfixturevalue(which)
    table = SingularValues(epochs="all").run(population, toy_data, "cpu")
    layers = ["0", "1", "2"] if which == "mlp_members" else ["1", "3"]
    assert len(table) == 9 * len(layers)
    assert sorted(table["layer"].unique()) == layers
    for record in table.to_dict("records"):
        theta = population.parameters[record["epoch"]][population.seeds.index(record["seed"])]
        weight = dict(population.program.module(theta).named_parameters())[f"{record['layer']}.weight"]
        values = np.linalg.svd(weight.detach().double().numpy(), compute_uv=False)
        assert record["number"] == len(values)
        for name, value in (("mean", values.mean()), ("variance", values.var()), ("max", values.max()), ("min", values.min())):
            assert record[name] == pytest.approx(value, rel=1e-9, abs=1e-12)


def test_rotations_on_either_side_change_no_singular_value() -> None:
    program = MLPProgram((5, 4), bias=False)
    weight = torch.randn(1, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    left, right = (torch.linalg.qr(normal(n, n, dtype=torch.float64))[0] for n in (4, 5))
    torch.testing.assert_close(
        singular_values(program, {"0.weight": left @ weight @ right})["0.weight"],
        singular_values(program, {"0.weight": weight})["0.weight"],
    )


def test_a_kernel_is_the_matrix_of_its_outputs() -> None:
    def build() -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Conv2d(2, 3, 2), torch.nn.Flatten())

    program = ModuleProgram(build, 3)
    theta = program.initial(torch.Generator().manual_seed(0))[None]
    kernel = program.module(theta[0])[0].weight.detach()
    (values,) = singular_values(program, program.layout.views(theta)).values()
    np.testing.assert_allclose(values[0], np.linalg.svd(kernel.reshape(3, 8).numpy(), compute_uv=False), rtol=1e-5)


def test_members_do_not_depend_on_who_stands_beside_them(assert_alone_as_together) -> None:
    assert_alone_as_together(SingularValues(epochs="all"))


def test_a_network_without_a_matrix_is_refused() -> None:
    program = ModuleProgram(lambda: torch.nn.LayerNorm(3), 3)
    with pytest.raises(ValueError, match=r"no trained parameter has two dimensions \(there are weight, bias\)"):
        singular_values(program, program.layout.views(torch.zeros(1, 6)))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(RecipeError, match="SingularValues has epochs='last'; it has to be one of 'final', 'all'"):
        SingularValues(epochs="last")
