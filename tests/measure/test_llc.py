"""The LLC where it is known, and where it must not be believed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.data.toy import ToyImages
from harness.measure.llc import ENGINES, LLC, LLCSpec, document_spec, llc
from harness.measure.sample_llc import SampleLLC
from harness.models import MLPProgram
from harness.population import Population
from harness.recipe import MLP, Recipe, RecipeError
from harness.train import train

NBETA_1024 = 1024 / math.log(1024)


def regression(inputs: int, outputs: int, points: int = 1024) -> tuple[torch.nn.Linear, torch.Tensor, torch.Tensor]:
    """Linear regression at its least-squares solution: a regular model."""
    generator = torch.Generator().manual_seed(inputs)
    x = torch.randn(points, inputs, generator=generator)
    y = x @ torch.randn(inputs, outputs, generator=generator) + torch.randn(points, outputs, generator=generator)
    solution = torch.linalg.lstsq(torch.cat([x, torch.ones(points, 1)], 1), y).solution
    model = torch.nn.Linear(inputs, outputs)
    with torch.no_grad():
        model.weight.copy_(solution[:-1].T)
        model.bias.copy_(solution[-1])
    return model, x, y


@pytest.mark.parametrize("engine", ENGINES)
def test_a_regular_model_has_half_its_dimension(engine: str) -> None:
    model, x, y = regression(8, 2)
    spec = LLCSpec(localization=1.0, step_size=1e-3, burn_in=100, draws=1200, chains=4, sensitivity_chains=0)
    row = llc(model, x, y, loss="mse", spec=spec, engine=engine).iloc[0]  # type: ignore[arg-type]
    # Exactly ½ Σ nβ h / (nβ h + γ) over the eigenvalues h of the Hessian: 18 of them, all near 1.
    augmented = torch.cat([x, torch.ones(len(x), 1)], 1)
    h = torch.linalg.eigvalsh(augmented.T @ augmented / len(x)).repeat(2).double()
    truth = float((NBETA_1024 * h / (NBETA_1024 * h + 1)).sum() / 2)
    assert truth == pytest.approx(9, rel=0.01)
    # Draws decorrelate in 2 / (ε nβ h) = 14 steps: 1200 × 4 chains are 340 draws of a χ²₁₈/2, whose deviation is 3, so that
    # the standard error is 0.16; four of them, and 4 % for the discretisation at ε nβ h = 0.15.
    assert row["llc"] == pytest.approx(truth, abs=4 * 0.16 + 0.04 * truth)
    assert row["mala_acceptance"] > 0.95
    assert row["parameters"] == 18
    assert row["nbeta"] == pytest.approx(NBETA_1024)


class Crossing(torch.nn.Module):
    """f(x) = a b x, whose loss (a b)² / 2 has a normal crossing at the origin."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = torch.nn.Parameter(torch.zeros(1)), torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a * self.b * x


def test_a_normal_crossing_matches_quadrature_and_not_half_its_dimension() -> None:
    gamma = 10.0
    grid = np.linspace(-2.5, 2.5, 2001)
    a, b = np.meshgrid(grid, grid)
    loss = (a * b) ** 2 / 2
    density = np.exp(-NBETA_1024 * loss - gamma * (a**2 + b**2) / 2)
    truth = NBETA_1024 * float((loss * density).sum() / density.sum())
    assert 0.1 < truth < 0.5  # far below the two dimensions' 1, and below λ = ½ by the multiplicity's logarithm
    spec = LLCSpec(localization=gamma, step_size=1e-3, burn_in=500, draws=2000, chains=64, nbeta=NBETA_1024,
                   sensitivity_chains=0)
    row = llc(Crossing(), torch.ones(4, 1), torch.zeros(4, 1), loss="mse", spec=spec).iloc[0]
    assert row["llc"] == pytest.approx(truth, abs=4 * row["llc_se"])
    assert row["llc_se"] < 0.02


def reduced_rank(inputs: int, hidden: int, outputs: int, rank: int) -> float:
    """Learning coefficient of reduced-rank regression (Aoyagi & Watanabe 2005, doi 10.1016/j.neunet.2005.03.014, theorem 1)."""
    m, h, n, r = inputs, hidden, outputs, rank
    if n + r <= m + h and m + r <= n + h and h + r <= m + n:
        even = (m + h + n + r) % 2 == 0
        return (-((h + r) ** 2) - m**2 - n**2 + 2 * (h + r) * m + 2 * (h + r) * n + 2 * m * n + (0 if even else 1)) / 8
    if m + h < n + r:
        return (h * m - h * r + n * r) / 2
    if n + h < m + r:
        return (h * n - h * r + m * r) / 2
    return m * n / 2


def test_reduced_rank_formula_on_its_known_cases() -> None:
    assert reduced_rank(3, 3, 3, 3) == 4.5  # full rank: regular, half of inputs × outputs
    assert reduced_rank(2, 1, 2, 0) == 1.0  # one hidden unit on zero: (H M) / 2
    assert reduced_rank(4, 9, 3, 0) == 6.0  # hidden layer beyond all need: half of inputs × outputs


@pytest.mark.parametrize(("sizes", "rank"), [((5, 4, 4), 1), ((4, 3, 5), 2)])
def test_a_linear_network_has_its_learning_coefficient(sizes: tuple[int, int, int], rank: int) -> None:
    generator = torch.Generator().manual_seed(rank)
    inputs, hidden, outputs = sizes
    first = torch.randn(hidden, rank, generator=generator) @ torch.randn(rank, inputs, generator=generator) / math.sqrt(rank)
    second = torch.randn(outputs, rank, generator=generator) @ torch.linalg.pinv(
        torch.linalg.svd(first).U[:, :rank]) / math.sqrt(rank)
    x = torch.randn(1024, inputs, generator=generator)
    program = MLPProgram(sizes, linear=True, bias=False)
    module = program.module(torch.cat([first.flatten(), second.flatten()]))
    truth = reduced_rank(*sizes, rank)
    spec = LLCSpec(localization=1.0, step_size=1e-4, burn_in=2000, draws=2000, chains=4, sensitivity_chains=0)
    with torch.no_grad():
        y = module(x)
    row = llc(module, x, y, loss="mse", spec=spec).iloc[0]
    # These settings came out within 15 % on all of 20 random networks; at 1024 points the next term of the free energy
    # accounts for most of it.
    assert row["llc"] == pytest.approx(truth, rel=0.15)
    assert row["llc"] < 0.8 * program.layout.total / 2


def toy_population(seeds: tuple[int, ...] = (0, 1, 2), epochs: int = 30) -> tuple[Population, object]:
    data = ToyImages(train=512, test=30, amplitude=2.0)
    recipe = Recipe(data, MLP((8, 8)), epochs=epochs)
    loaded = data.load()
    return Population(recipe, seeds, train(recipe, loaded, seeds)), loaded


SHORT = LLCSpec(localization=10.0, step_size=5e-4, chains=2, burn_in=50, draws=50)


def test_a_member_does_not_depend_on_who_shares_its_stack() -> None:
    population, data = toy_population()
    measure = LLC(SHORT, ("all", "hidden", "output"), points=256)
    together = measure.run(population, data, "cpu")  # type: ignore[arg-type]
    alone = measure.run(population.select((2,)), data, "cpu")  # type: ignore[arg-type]
    again = together[together["seed"] == 2].reset_index(drop=True)
    assert again.equals(alone)
    assert together.groupby("scope")["llc"].nunique().eq(3).all()


def test_both_engines_give_the_same_table_and_agree() -> None:
    population, data = toy_population((0, 1))
    spec = replace(SHORT, burn_in=100, draws=200, chains=4)
    tables = {
        engine: LLC(spec, ("output",), points=128, engine=engine).run(population, data, "cpu")  # type: ignore[arg-type]
        for engine in ENGINES
    }
    ours, theirs = tables["stacked"], tables["devinterp"]
    assert list(ours.columns) == list(theirs.columns)
    assert ours.dtypes.equals(theirs.dtypes)
    np.testing.assert_allclose(ours["initial_loss"], theirs["initial_loss"], rtol=1e-5)
    np.testing.assert_allclose(ours["gradient_norm"], theirs["gradient_norm"], rtol=1e-3)
    np.testing.assert_allclose(ours["mala_acceptance"], theirs["mala_acceptance"], atol=0.03)
    noise = np.hypot(ours["llc_se"], theirs["llc_se"])
    assert (np.abs(ours["llc"] - theirs["llc"]) < 5 * noise).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_documents_protocol_runs_on_minibatches(engine: str) -> None:
    population, data = toy_population((0, 1))
    table = LLC(document_spec(32), points=512, engine=engine).run(population, data, "cpu")  # type: ignore[arg-type]
    assert table["nbeta"].tolist() == pytest.approx([32 / math.log(32)] * 2)
    assert np.isfinite(table["llc"]).all()
    assert table["mala_acceptance"].isna().all()
    assert not table["trusted"].any()


def test_divergence_is_not_trusted_and_says_so() -> None:
    population, data = toy_population((0,))
    table = LLC(replace(SHORT, step_size=10.0, burn_in=100), points=256).run(population, data, "cpu")  # type: ignore[arg-type]
    assert not table["trusted"].any()
    assert "diverged" in table["distrust"][0] or "step is too large" in table["distrust"][0]
    hopeless = LLC(replace(SHORT, step_size=1e6, burn_in=100), points=256).run(population, data, "cpu")  # type: ignore[arg-type]
    assert hopeless["distrust"][0] == "a chain diverged: its loss is not finite"
    assert not np.isfinite(hopeless["llc"][0])


def test_a_model_far_from_a_minimum_is_not_trusted_and_says_so() -> None:
    population, data = toy_population((0,), epochs=0)
    table = LLC(replace(SHORT, draws=300), points=256).run(population, data, "cpu")  # type: ignore[arg-type]
    assert table["llc"][0] < 0
    assert "not at a minimum of the sampled loss" in table["distrust"][0]


def test_without_re_runs_nothing_is_trusted() -> None:
    model, x, y = regression(4, 1, 256)
    spec = LLCSpec(step_size=1e-3, burn_in=300, draws=300, sensitivity_chains=0)
    assert "was not tried" in llc(model, x, y, loss="mse", spec=spec)["distrust"][0]


def test_a_users_loss_and_targets_of_every_model() -> None:
    model, x, y = regression(4, 2, 256)

    def squared(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (logits - targets).square().sum(2) / 2

    spec = LLCSpec(step_size=1e-3, burn_in=20, draws=20)
    expected = llc([model, model], x, y, loss="mse", spec=spec)
    mine = llc([model, model], x, y, loss=squared, spec=spec)
    np.testing.assert_allclose(mine["llc"], expected["llc"], rtol=1e-3)
    stacked = llc([model, model], torch.stack([x, x]), torch.stack([y, y]), loss="mse", spec=spec)
    np.testing.assert_allclose(stacked["llc"], expected["llc"], rtol=1e-6)


def test_neighbourhoods_give_a_row_for_every_member_epoch_and_sample() -> None:
    data = ToyImages(train=120, test=30)
    recipe = Recipe(data, MLP((4,)), epochs=2, checkpoints=(0, 1))
    loaded = data.load()
    population = Population(recipe, (0, 3), train(recipe, loaded, (0, 3)))
    measure = SampleLLC(SHORT, samples=5, points=8, radius=0.1)
    table = measure.run(population, loaded, "cpu")
    assert len(table) == 2 * 2 * 5
    assert set(table["epoch"]) == {1, 2}
    alone = measure.run(population.select((3,)), loaded, "cpu")
    assert table[table["seed"] == 3]["llc"].tolist() == alone["llc"].tolist()
    inputs, targets = measure._neighbourhoods(loaded)
    centre = torch.from_numpy(loaded.test_x[:5])[..., None]
    assert (inputs - centre).abs().max() <= 0.1 + 1e-6
    assert (targets.argmax(1) == torch.from_numpy(loaded.test_y[:5])[:, None]).all()
    with pytest.raises(ValueError, match=r"samples=99; .* has 30 held-out points"):
        SampleLLC(SHORT, samples=99).run(population, loaded, "cpu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "stan"}, "engine 'stan' is unknown; allowed are 'stacked', 'devinterp'"),
        ({"scope": "hidden"}, "scope 'hidden' is unknown; this network has 'all'"),
        ({"inputs": torch.zeros(3, 8)}, r"inputs of shape \(3, 8\) do not fit targets of shape \(1024, 2\)"),
    ],
)
def test_bad_input_is_named(arguments: dict[str, object], message: str) -> None:
    model, x, y = regression(8, 2)
    with pytest.raises(ValueError, match=message):
        llc(model, **{"inputs": x, "targets": y, "loss": "mse", **arguments})  # type: ignore[arg-type]


def test_impossible_settings_are_named() -> None:
    with pytest.raises(RecipeError, match="LLCSpec has step_size=0; it has to be above 0"):
        LLCSpec(step_size=0)
    with pytest.raises(RecipeError, match="batch_size=1; it has to be None or 2 or more"):
        LLCSpec(batch_size=1)
    model, x, y = regression(2, 1, 10)
    with pytest.raises(ValueError, match="from 1 to the number of points, 10"):
        llc(model, x, y, loss="mse", spec=document_spec(32))
