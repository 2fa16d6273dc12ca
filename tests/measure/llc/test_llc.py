"""The LLC where it is known, and where it must not be believed."""

from __future__ import annotations

import importlib
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from learning_coefficients import reduced_rank

from harness import device
from harness.claim import Claim
from harness.data.base import Dataset
from harness.data.toy import ToyImages
from harness.evidence import Evidence
from harness.gate import Gate
from harness.judge import Outcome, judge
from harness.measure.base import Measurement
from harness.measure.llc.estimate import ENGINES, LLC, LLCSpec, document_spec, llc
from harness.measure.llc.sample import SampleLLC
from harness.measure.training_points import TrainingPoints, training_points
from harness.measure.views import Viewed
from harness.networks import MLPProgram, encode
from harness.population import Population
from harness.predict import PairedDifference
from harness.recipe import MLP, Recipe, RecipeError, Threat
from harness.source import Source
from harness.training.train import train

MODULE = importlib.import_module("harness.measure.llc.estimate")
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
    spec = LLCSpec(localization=1.0, sampler="sgld", step_size=1e-3, burn_in=100, draws=1200)
    row = llc(model, x, y, loss="mse", spec=spec, engine=engine).iloc[0]  # type: ignore[arg-type]
    # Exactly ½ Σ nβ h / (nβ h + γ) over the eigenvalues h of the Hessian: 18 of them, all near 1.
    augmented = torch.cat([x, torch.ones(len(x), 1)], 1)
    h = torch.linalg.eigvalsh(augmented.T @ augmented / len(x)).repeat(2).double()
    truth = float((NBETA_1024 * h / (NBETA_1024 * h + 1)).sum() / 2)
    assert truth == pytest.approx(9, rel=0.01)
    # Draws decorrelate in 2 / (ε nβ h) = 14 steps: 1200 × 4 chains are 340 draws of a χ²₁₈/2, whose deviation is 3, so that
    # the standard error is 0.16; four of them, and 4 % for the discretisation at ε nβ h = 0.15.
    assert row["llc"] == pytest.approx(truth, abs=4 * 0.16 + 0.04 * truth)
    assert row["acceptance"] > 0.95
    assert row["parameters"] == 18
    assert row["nbeta"] == pytest.approx(NBETA_1024)


@pytest.mark.parametrize("nbeta", [1.0, 100.0, 1e4])
def test_a_regular_model_has_half_its_dimension_at_every_temperature(nbeta: float) -> None:
    """Velocities of another temperature keep the draws at theirs: findings/blackjax_sghmc_temperature_is_drawn_over.sh"""
    model, x, y = regression(8, 2)
    augmented = torch.cat([x, torch.ones(len(x), 1)], 1)
    h = torch.linalg.eigvalsh(augmented.T @ augmented / len(x)).repeat(2).double()
    truth = float((nbeta * h / (nbeta * h + 1)).sum() / 2)
    row = llc(model, x, y, loss="mse", spec=LLCSpec(localization=1.0, nbeta=nbeta, precision=0.02)).iloc[0]
    assert row["llc"] == pytest.approx(truth, abs=4 * row["llc_se"])
    assert row["llc_se"] < 0.04 * truth


class Crossing(torch.nn.Module):
    """f(x) = a b x, whose loss (a b)² / 2 has a normal crossing at the origin."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = torch.nn.Parameter(torch.zeros(1)), torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a * self.b * x


SAMPLERS = {
    "kinetic": partial(LLCSpec, precision=0.02),
    "sgld": partial(LLCSpec, sampler="sgld", step_size=1e-3, burn_in=500, draws=2000),
}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_normal_crossing_matches_quadrature_and_not_half_its_dimension(sampler: str) -> None:
    gamma = 10.0
    grid = np.linspace(-2.5, 2.5, 2001)
    a, b = np.meshgrid(grid, grid)
    loss = (a * b) ** 2 / 2
    density = np.exp(-NBETA_1024 * loss - gamma * (a**2 + b**2) / 2)
    truth = NBETA_1024 * float((loss * density).sum() / density.sum())
    assert 0.1 < truth < 0.5  # far below the two dimensions' 1, and below λ = ½ by the multiplicity's logarithm
    spec = SAMPLERS[sampler](localization=gamma, chains=64, nbeta=NBETA_1024)
    row = llc(Crossing(), torch.ones(4, 1), torch.zeros(4, 1), loss="mse", spec=spec).iloc[0]
    assert row["llc"] == pytest.approx(truth, abs=4 * row["llc_se"])
    assert row["llc_se"] < 0.02


@pytest.mark.parametrize(("sizes", "rank"), [((5, 4, 4), 1), ((4, 3, 5), 2)])
def test_a_linear_network_has_its_learning_coefficient(sizes: tuple[int, int, int], rank: int) -> None:
    generator = torch.Generator().manual_seed(rank)
    inputs, hidden, outputs = sizes
    first = torch.randn(hidden, rank, generator=generator) @ torch.randn(rank, inputs, generator=generator) / math.sqrt(rank)
    second = (
        torch.randn(outputs, rank, generator=generator)
        @ torch.linalg.pinv(torch.linalg.svd(first).U[:, :rank])
        / math.sqrt(rank)
    )
    x = torch.randn(1024, inputs, generator=generator)
    program = MLPProgram(sizes, linear=True, bias=False)
    module = program.module(torch.cat([first.flatten(), second.flatten()]))
    truth = reduced_rank(*sizes, rank)
    spec = LLCSpec(localization=1.0, precision=0.02)
    with torch.no_grad():
        y = module(x)
    row = llc(module, x, y, loss="mse", spec=spec).iloc[0]
    # At 1024 points the next term of the free energy accounts for most of the difference.
    assert row["llc"] == pytest.approx(truth, rel=0.15)
    assert row["llc"] < 0.8 * program.layout.total / 2


def toy_population(seeds: tuple[int, ...] = (0, 1, 2), epochs: int = 30) -> tuple[Population, Dataset]:
    data = ToyImages(train=512, test=30, amplitude=2.0)
    recipe = Recipe(data, MLP((8, 8)), epochs=epochs)
    loaded = data.load()
    return Population(recipe, seeds, train(recipe, loaded, seeds)), loaded


SHORT = LLCSpec(localization=10.0, chains=2, burn_in=60, draws=60, descent=20)
SGLD = LLCSpec(localization=10.0, sampler="sgld", step_size=5e-4, chains=2, burn_in=50, draws=50, sensitivity_chains=1)


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
    spec = replace(SGLD, burn_in=100, draws=200, chains=4)
    tables = {
        engine: LLC(spec, ("output",), points=128, engine=engine).run(population, data, "cpu")  # type: ignore[arg-type]
        for engine in ENGINES
    }
    ours, theirs = tables["stacked"], tables["devinterp"]
    assert list(ours.columns) == list(theirs.columns)
    assert ours.dtypes.equals(theirs.dtypes)
    np.testing.assert_allclose(ours["initial_loss"], theirs["initial_loss"], rtol=1e-5)
    np.testing.assert_allclose(ours["gradient_norm"], theirs["gradient_norm"], rtol=1e-3)
    np.testing.assert_allclose(ours["acceptance"], theirs["acceptance"], atol=0.03)
    noise = np.hypot(ours["llc_se"], theirs["llc_se"])
    assert (np.abs(ours["llc"] - theirs["llc"]) < 5 * noise).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_documents_protocol_runs_on_minibatches(engine: str) -> None:
    population, data = toy_population((0, 1))
    table = LLC(document_spec(32), points=512, engine=engine).run(population, data, "cpu")  # type: ignore[arg-type]
    assert table["nbeta"].tolist() == pytest.approx([32 / math.log(32)] * 2)
    assert np.isfinite(table["llc"]).all()
    assert table["acceptance"].isna().all()
    assert not table["trusted"].any()


@pytest.mark.parametrize("spec", [
    SHORT, LLCSpec(localization=10.0, chains=2, precision=0.2, budget=300, descent=20), replace(SGLD, batch_size=32),
], ids=["kinetic", "kinetic, as long as it needs", "sgld"])  # fmt: skip
@pytest.mark.parametrize("distribution", ["clean", "training"])
def test_an_epoch_does_not_depend_on_the_others(spec: LLCSpec, distribution: str) -> None:
    data = ToyImages(train=512, test=30, amplitude=2.0)
    base = Recipe(data, MLP((8, 8)), epochs=9, checkpoints=(0, 2))
    recipe, loaded = base if distribution == "clean" else base.robust(Threat()), data.load()
    population = Population(recipe, (0, 1, 2), train(recipe, loaded, (0, 1, 2)))
    measure: Measurement = LLC(spec, ("all", "output"), points=128, epochs="all")
    if distribution == "training":
        measure = Viewed(measure, TrainingPoints(128))
    together = measure.run(population, loaded, "cpu")  # type: ignore[arg-type]
    alone = [
        measure.run(Population(recipe, population.seeds, {epoch: values}), loaded, "cpu")  # type: ignore[arg-type]
        for epoch, values in population.parameters.items()
    ]
    assert together.equals(pd.concat(alone, ignore_index=True))


def test_divergence_is_not_trusted_and_says_so() -> None:
    population, data = toy_population((0,))
    table = LLC(replace(SGLD, step_size=10.0, burn_in=100), points=256).run(population, data, "cpu")  # type: ignore[arg-type]
    assert not table["trusted"].any()
    assert "diverged" in table["distrust"][0] or "step is too large" in table["distrust"][0]
    for engine in ENGINES:
        spec = replace(SGLD, step_size=1e6, burn_in=100)
        hopeless = LLC(spec, points=256, engine=engine).run(population, data, "cpu")  # type: ignore[arg-type]
        assert hopeless["distrust"][0] == "a chain diverged: its loss is not finite"
        assert not np.isfinite(hopeless["llc"][0])


def test_a_chain_that_diverges_under_devinterp_costs_neither_its_sisters_nor_the_other_members() -> None:
    population, data = toy_population((0, 1))
    broken = population.final.clone()
    broken[0] *= 1e18
    both = Population(population.recipe, population.seeds, {30: broken})
    spec = replace(SGLD, burn_in=20)
    tables = {
        engine: LLC(spec, points=64, engine=engine).run(both, data, "cpu")  # type: ignore[arg-type]
        for engine in ENGINES
    }
    alone = LLC(spec, points=64, engine="devinterp").run(both.select((1,)), data, "cpu")
    for table in tables.values():
        assert not np.isfinite(table["llc"][0])
        assert np.isfinite(table["llc"][1])
    assert tables["devinterp"]["distrust"][0] == tables["stacked"]["distrust"][0]
    assert tables["devinterp"][1:].reset_index(drop=True).equals(alone)


def test_a_model_far_from_a_minimum_is_not_trusted_and_says_so() -> None:
    population, data = toy_population((0,), epochs=0)
    for spec in (replace(SHORT, draws=300), replace(SGLD, draws=300)):
        table = LLC(spec, points=256).run(population, data, "cpu")  # type: ignore[arg-type]
        assert table["llc"][0] < 0
        assert "not at a minimum of the sampled loss" in table["distrust"][0]
        assert "descent lowers the potential" in table["distrust"][0]


@pytest.mark.parametrize("away", [0.05, 0.3])
def test_twice_the_depth_takes_off_what_a_slope_adds(away: float) -> None:
    """A quadratic off its minimum: λ̂ + 2 depth is that of the loss minus its slope, and the energy at the chains' mean."""
    model, x, y = regression(8, 2)
    with torch.no_grad():
        for each in model.parameters():
            each.add_(away)
    gamma = 20 * NBETA_1024
    row = llc(model, x, y, loss="mse", spec=LLCSpec(gamma, precision=0.1, budget=1000)).iloc[0]
    augmented = torch.cat([x, torch.ones(len(x), 1)], 1).double()
    h, basis = torch.linalg.eigh(NBETA_1024 * augmented.T @ augmented / len(x))
    mean = h / (h + gamma) * (basis.T @ torch.full((9,), away, dtype=torch.float64))  # of the chains, in each direction
    flat, energy = float((h / (h + gamma)).sum()), float((h * mean**2).sum())  # of two outputs, each half
    assert row["llc"] < flat - 4 * row["llc_se"]
    assert row["llc"] + 2 * row["depth"] == pytest.approx(flat + energy, abs=4 * row["llc_se"])
    assert energy < 0.06 * 2 * row["depth"]


def test_what_is_not_finite_is_named() -> None:
    model, x, y = regression(4, 1, 256)
    x[3, 2] = math.nan
    with pytest.raises(ValueError, match=r"inputs of points 3 \(counted from 0\) contain NaN or infinity"):
        llc(model, x, y, loss="mse")
    population, data = toy_population((0, 1))
    population.final[1, 5] = math.nan
    table = LLC(replace(SHORT, burn_in=8, draws=8), points=64).run(population, data, "cpu")  # type: ignore[arg-type]
    assert table["distrust"][1] == "the loss of the model itself is nan: its parameters or its data are not finite"
    assert not table["trusted"][1]
    assert np.isfinite(table["llc"][0])


def test_a_chain_that_leaves_is_not_trusted_and_says_so() -> None:
    """At the top of a hill the loss falls on the way out; at the bottom of a valley of the same shape it does not."""
    model = torch.nn.Linear(4, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    x, y = torch.eye(4) * 2, torch.zeros(4, 1)

    def hill(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return -torch.log1p(logits.square().sum(2))

    for spec in (LLCSpec(nbeta=20.0), LLCSpec(sampler="sgld", step_size=1e-2, burn_in=300, draws=300, nbeta=20.0)):
        row = llc(model, x, y, loss=hill, spec=spec).iloc[0]
        assert "a chain left: its squared distance from the model is" in row["distrust"]
        assert row["displacement"] > 1 + 4 * math.sqrt(2 / 4)
        stays = llc(model, x, y, loss="mse", spec=spec).iloc[0]
        assert stays["displacement"] < 1
        assert "left" not in stays["distrust"]


def test_minibatches_and_single_draws_say_what_is_missing() -> None:
    model, x, y = regression(4, 1, 256)
    row = llc(model, x, y, loss="mse", spec=replace(SGLD, batch_size=32)).iloc[0]
    assert "acceptance is not defined for minibatches" in row["distrust"]
    assert "nan" not in row["distrust"]
    one = llc(model, x, y, loss="mse", spec=replace(SGLD, burn_in=0, draws=1)).iloc[0]
    assert "the trace has a single draw" in one["distrust"]
    assert not one["trusted"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("points", [40, 300])  # within a block of the loss over all the data, and beyond one
def test_the_loss_at_the_model_is_over_all_the_data(engine: str, points: int) -> None:
    model, x, y = regression(4, 2, 1024)
    x, y = x[:points], y[:points]
    with torch.no_grad():
        expected = float((model(x) - y).square().sum(1).mean() / 2)
    spec = LLCSpec(sampler="sgld", batch_size=16, burn_in=3, draws=3, chains=2)
    tables = [llc(model, x, y, loss="mse", spec=spec, seed=seed, engine=engine) for seed in range(3)]  # type: ignore[arg-type]
    assert [table["initial_loss"][0] for table in tables] == pytest.approx([expected] * 3, rel=1e-4)
    slope = torch.cat([g.flatten() for g in torch.autograd.grad((model(x) - y).square().sum(1).mean() / 2, model.parameters())])
    assert tables[0]["gradient_norm"][0] == pytest.approx(float(slope.norm()), rel=1e-3, abs=1e-5)
    first = replace(spec, initial_loss="batch")
    batches = [llc(model, x, y, loss="mse", spec=first, seed=seed)["initial_loss"][0] for seed in range(3)]
    assert len(set(batches)) == 3


def test_a_name_holds_what_its_sampler_uses_and_nothing_else() -> None:
    assert not {"initial_loss", "batch_size", "preconditioner"} & set(LLCSpec().describe())
    assert not {"friction", "mass", "precision", "budget"} & set(SGLD.describe())
    assert not {"precision", "budget"} & set(SHORT.describe())  # burn-in and draws are given
    assert {"precision", "budget"} <= set(replace(SHORT, draws=None).describe())
    assert document_spec(32).describe()["initial_loss"] == "batch"
    with pytest.raises(RecipeError, match="initial_loss='first'; it has to be 'all' or 'batch'"):
        LLCSpec(sampler="sgld", initial_loss="first")  # type: ignore[arg-type]


def test_a_table_keeps_its_chains_and_draws_itself() -> None:
    model, x, y = regression(4, 2, 256)
    spec = LLCSpec(step_size=1e-2, burn_in=20, draws=30, chains=3)
    table = llc([model, model], x, y, loss="mse", spec=spec, traces=True)
    traces = table.traces
    assert traces is not None
    assert len(traces) == 2 * 3 * 30
    excess = traces["loss"] - table["initial_loss"].to_numpy()[traces["model"]]
    by_chain = (table["nbeta"][0] * excess).groupby([traces["model"], traces["chain"]]).mean()
    np.testing.assert_allclose(by_chain.to_numpy(), table[["chain_0", "chain_1", "chain_2"]].to_numpy().ravel(), rtol=1e-5)
    axis = table.draw_traces()
    assert len(axis.get_lines()) == 2 * 3 + 1
    assert table.draw().get_ylabel() == "local learning coefficient"
    plain = llc(model, x, y, loss="mse", spec=spec)
    assert plain.traces is None
    with pytest.raises(ValueError, match=r"call llc\(…, traces=True\)"):
        plain.draw_traces()
    assert type(plain[plain["trusted"]]) is pd.DataFrame


def test_a_claim_that_rests_on_an_untrusted_estimate_is_invalid() -> None:
    """Regressions of three outputs have larger coefficients than those of one: SUPPORTED, unless no estimate is trusted."""
    higher = PairedDifference("llc", "outputs", 3, 1, pair="seed", margin=1.0, margin_reason="small")
    claim = Claim("doc/higher", "Three outputs have the higher LLC.", Source("doc", "A document").at("I", "higher"), higher,
                  gates=(Gate("estimates are trusted", "trusted", at_least=1),))  # fmt: skip
    verdicts = {}
    for name, spec in {
        "sound": LLCSpec(),
        "diverging": replace(SGLD, step_size=10.0),
    }.items():
        tables = []
        for outputs in (1, 3):
            model, x, y = regression(4, outputs)
            table = llc([model] * 6, x, y, loss="mse", spec=spec)
            tables.append(table.assign(seed=range(6), outputs=outputs))
        verdicts[name] = judge(claim, Evidence(pd.concat(tables)))
    assert verdicts["sound"].outcome is Outcome.SUPPORTED
    assert verdicts["diverging"].outcome is Outcome.INVALID
    assert not verdicts["diverging"].gates[0].passed


def test_without_a_re_run_at_a_smaller_step_sgld_is_not_trusted_and_the_exact_sampler_is() -> None:
    model, x, y = regression(4, 1, 256)
    sgld = LLCSpec(sampler="sgld", step_size=1e-3, burn_in=300, draws=3000)
    assert "a third of ε was not tried" in llc(model, x, y, loss="mse", spec=sgld)["distrust"][0]
    assert llc(model, x, y, loss="mse")["trusted"][0]


def test_a_re_run_at_a_tenth_of_gamma_tells_an_lc_from_a_learning_coefficient() -> None:
    """At γ = nβ h a regular direction counts a quarter; at a tenth of that nearly the half that it is worth."""
    model, x, y = regression(8, 2)
    for gamma, trusted in ((1.0, True), (NBETA_1024, False)):
        spec = LLCSpec(gamma, sensitivity_chains=2)
        row = llc(model, x, y, loss="mse", spec=spec).iloc[0]
        assert row["trusted"] == trusted
        assert ("a tenth of γ changes it by +" in row["distrust"]) != trusted
        assert llc(model, x, y, loss="mse", spec=replace(spec, sensitivity_chains=0))["trusted"][0]


def test_a_users_loss_and_targets_of_every_model() -> None:
    model, x, y = regression(4, 2, 256)

    def squared(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (logits - targets).square().sum(2) / 2

    spec = LLCSpec(step_size=1e-2, burn_in=20, draws=20)
    expected = llc([model, model], x, y, loss="mse", spec=spec)
    mine = llc([model, model], x, y, loss=squared, spec=spec)
    np.testing.assert_allclose(mine["llc"], expected["llc"], rtol=1e-3)
    stacked = llc([model, model], torch.stack([x, x]), torch.stack([y, y]), loss="mse", spec=spec)
    np.testing.assert_allclose(stacked["llc"], expected["llc"], rtol=1e-6)


THREAT = Threat("linf", epsilon=0.5, steps=3)


def robust_population(share: float, seeds: tuple[int, ...] = (0, 1, 2)) -> tuple[Population, Dataset]:
    recipe = Recipe(ToyImages(train=256, test=30, amplitude=2.0), MLP((8, 8)), epochs=20).robust(THREAT, share=share)
    loaded = recipe.data.load()
    return Population(recipe, seeds, train(recipe, loaded, seeds)), loaded


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_the_training_distribution_has_its_share_of_adversarial_examples(share: float) -> None:
    population, data = robust_population(share)
    x, y = training_points(population, data, 100).numpy(), np.repeat(data.train_y[None, :100], 3, 0)
    clean = data.train_x[:100]
    assert x.shape == (3, *clean.shape)
    count = round(share * 100)
    moved = np.abs(x - clean).reshape(3, 100, -1).max(2)
    assert (moved[:, count:] == 0).all()
    assert (moved[:, :count] > 0).all()
    assert (moved <= THREAT.epsilon + 1e-6).all()
    # They are made against the member itself: its own loss is higher there, and every member has its own.
    program, views = population.program, population.program.layout.views(population.final)
    attacked, plain = (
        program.loss(views, torch.as_tensor(points).movedim(1, -1), encode(torch.from_numpy(y), data.classes))
        for points in (x, np.repeat(clean[None], 3, 0))
    )
    assert (attacked > plain).all()
    assert (x[0] != x[1]).any()
    alone = training_points(population.select((2,)), data, 100)
    assert np.array_equal(alone[0], x[2])
    assert not np.array_equal(training_points(population, data, 100, seed=1), x)


def test_standard_training_saw_the_data_as_they_are() -> None:
    population, data = toy_population((0, 1))
    measures = [LLC(SHORT, points=64), Viewed(LLC(SHORT, points=64), TrainingPoints(64))]
    clean, training = (measure.run(population, data, "cpu") for measure in measures)  # type: ignore[arg-type]
    np.testing.assert_allclose(training["llc"], clean["llc"], rtol=1e-4)


def test_a_robust_network_is_nearer_to_a_minimum_of_what_it_was_trained_on() -> None:
    population, data = robust_population(1.0)
    measures = [LLC(SHORT, points=256), Viewed(LLC(SHORT, points=256), TrainingPoints(256))]
    clean, training = (measure.run(population, data, "cpu") for measure in measures)
    assert (training["initial_loss"] > clean["initial_loss"]).all()
    assert training["gradient_norm"].mean() < clean["gradient_norm"].mean()
    again = measures[1].run(population.select((1,)), data, "cpu")
    assert training[training["seed"] == 1].reset_index(drop=True).equals(again)
    with pytest.raises(RecipeError, match="TrainingPoints has points=0"):
        TrainingPoints(points=0)
    with pytest.raises(ValueError, match="points=300 are asked for, but there are 256 training points"):
        Viewed(LLC(SHORT, points=256), TrainingPoints(300)).run(population, data, "cpu")


@pytest.mark.parametrize("engine", ["stacked", "devinterp"])
@pytest.mark.parametrize("epochs", ["final", "all"])
def test_members_on_points_of_their_own_are_one_stack_and_the_same_to_the_last_digit(engine, epochs, monkeypatch) -> None:
    """Whoever stands beside a member, and however few of them memory holds together."""
    recipe = Recipe(ToyImages(train=96, test=30), MLP((6,)), epochs=2, checkpoints=(1,)).robust(Threat("linf", 2.0))
    data, stacks = recipe.data.load(), []
    population = Population(recipe, (0, 2, 5), train(recipe, data, (0, 2, 5)))
    spec = LLCSpec(sampler="sgld", chains=2, burn_in=2, draws=4, step_size=1e-4, localization=10.0, descent=0)
    measure = Viewed(LLC(spec, scopes=("all", "output"), points=64, epochs=epochs, engine=engine), TrainingPoints(64))
    estimate = MODULE.estimate

    def counted(task, *rest, **more):
        stacks.append(len(task.theta))
        return estimate(task, *rest, **more)

    monkeypatch.setattr(MODULE, "estimate", counted)
    whole = measure.run(population, data, "cpu")
    looks = 3 * len(whole["epoch"].unique())
    assert stacks == [looks] * 2
    for memory in (1, 4 * 2 * 64 * data.train_x[0].nbytes):
        stacks.clear()
        device.limit_memory(memory)
        try:
            few = measure.run(population, data, "cpu")
        finally:
            device.limit_memory(None)
        assert max(stacks) == (1 if memory == 1 else 2)
        pd.testing.assert_frame_equal(pd.DataFrame(few), pd.DataFrame(whole), check_exact=True)
    for seed in population.seeds:
        alone = measure.run(population.select((seed,)), data, "cpu")
        seen = whole[whole["seed"] == seed].reset_index(drop=True)
        pd.testing.assert_frame_equal(pd.DataFrame(alone), pd.DataFrame(seen), check_exact=True)


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
        ({"scope": ""}, "scope '' is unknown; this network has 'all'"),
        ({"scope": ["all"]}, r"scope \['all'\] is unknown; this network has 'all'"),
        ({"spec": {}}, "spec is {}; it has to be an LLCSpec, or None"),
        ({"device": "gpu"}, "there is no device 'gpu'"),
        ({"inputs": torch.zeros(1, 8), "targets": torch.zeros(1, 2)}, "inputs hold a single point, for which nβ"),
        ({"inputs": torch.zeros(3, 8)}, r"targets of shape \(1024, 2\) do not fit inputs of 3 points and 2 outputs"),
    ],
)
def test_bad_input_is_named(arguments: dict[str, object], message: str) -> None:
    model, x, y = regression(8, 2)
    with pytest.raises(ValueError, match=message):
        llc(model, **{"inputs": x, "targets": y, "loss": "mse", **arguments})  # type: ignore[arg-type]


def test_impossible_settings_are_named() -> None:
    with pytest.raises(RecipeError, match="LLCSpec has step_size=0; it has to be None or a number above 0"):
        LLCSpec(step_size=0)
    with pytest.raises(RecipeError, match="batch_size=1; it has to be None or a whole number, 2 or more"):
        LLCSpec(sampler="sgld", batch_size=1)
    model, x, y = regression(2, 1, 10)
    with pytest.raises(ValueError, match="from 1 to the number of points, 10"):
        llc(model, x, y, loss="mse", spec=document_spec(32))
