"""The closed forms of the learning coefficient against each other, and the estimator against them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from learning_coefficients import (
    SLOPES,
    CrossingTruth,
    compared,
    deep_linear,
    half_codimension,
    linear_truth,
    normal_crossing,
    random_truths,
    reduced_rank,
    regular,
    single_layer,
    task,
)
from scipy import stats

from harness.measure.llc.estimate import LLCSpec, estimate, llc

NBETA = 1024 / math.log(1024)
SHAPES = [sizes for layers in (2, 3, 4) for sizes in itertools.product(range(1, 6), repeat=layers + 1)]


def test_two_layers_of_the_deep_formula_are_reduced_rank_regression() -> None:
    for sizes in itertools.product(range(1, 9), repeat=3):
        for rank in range(min(sizes) + 1):
            assert deep_linear(sizes, rank) == pytest.approx(reduced_rank(*sizes, rank), abs=1e-9)


def test_the_deep_formula_is_half_the_codimension_of_the_fibre() -> None:
    for sizes in SHAPES:
        for rank in range(min(sizes) + 1):
            assert deep_linear(sizes, rank) == pytest.approx(half_codimension(sizes, rank), abs=1e-9)


def test_what_is_known_without_the_formulas() -> None:
    assert reduced_rank(3, 3, 3, 3) == regular(9)
    assert reduced_rank(2, 1, 2, 0) == 1.0  # one hidden unit on zero: the hidden layer's inputs or its outputs vanish
    assert reduced_rank(4, 9, 3, 0) == regular(12)  # a hidden layer beyond all need: every matrix can be had
    for sizes in SHAPES:
        smallest = min(sizes)
        assert deep_linear((sizes[0], sizes[-1]), 0) == regular(sizes[0] * sizes[-1])  # one layer: a linear regression
        # Every layer at full rank: the maps of that rank, a manifold of dimension r (N + M − r), and a regular model of it.
        assert deep_linear(sizes, smallest) == regular(smallest * (sizes[0] + sizes[-1] - smallest))
    # A product of scalars that vanishes is a normal crossing.
    assert deep_linear((1, 1, 1, 1), 0) == normal_crossing(1, 1, 1) == 0.5
    assert normal_crossing(1, 2, 3) == 1 / 6


def test_a_normal_crossing_has_the_slope_of_its_free_energy() -> None:
    """−log ∫ exp(−n K) grows by λ log n: K = (a b²)², λ = 1/4, with multiplicity 1, by quadrature over b after a exactly."""
    b = np.geomspace(1e-9, 1.0, 200_001)

    def energy(n: float) -> float:
        scale = math.sqrt(n) * b**2
        inner = torch.erf(torch.from_numpy(scale)).numpy() / scale
        return -math.log(np.trapezoid(inner, b))

    assert (energy(1e12) - energy(1e10)) / math.log(100) == pytest.approx(normal_crossing(1, 2), rel=0.01)


@pytest.mark.parametrize(("sizes", "rank"), [((5, 4, 6), 2), ((4, 6, 3, 5), 3), ((3, 5, 4, 6, 7), 1)])
def test_one_layer_is_a_regression_on_its_jacobian(sizes: tuple[int, ...], rank: int) -> None:
    truth = linear_truth(sizes, rank, seed=1)
    views = {name: value[0].double() for name, value in truth.program.layout.views(truth.theta[None]).items()}
    for layer in range(len(sizes) - 1):

        def outputs(weight: torch.Tensor, layer: int = layer) -> torch.Tensor:
            x = truth.inputs.T.double()
            for number in range(len(sizes) - 1):
                x = (weight if number == layer else views[f"{number}.weight"]) @ x
            return x.flatten()

        weight = views[f"{layer}.weight"]
        jacobian = torch.autograd.functional.jacobian(outputs, weight).reshape(-1, weight.numel())
        assert int(torch.linalg.matrix_rank(jacobian, rtol=1e-5)) / 2 == single_layer(sizes, layer, rank)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_the_random_networks_are_at_a_minimum_with_layers_of_that_rank(noise: float) -> None:
    truth = linear_truth((5, 4, 6, 3), 2, seed=4, noise=noise)
    views = truth.program.layout.views(truth.theta[None])
    assert all(int(torch.linalg.matrix_rank(value[0], rtol=1e-5)) == 2 for value in views.values())
    row = estimate(task([truth], "all"), LLCSpec(draws=1, burn_in=4, chains=2, nbeta=NBETA), "stacked").iloc[0]
    assert row["gradient_norm"] < 1e-6
    # Noise of variance ¼ in three outputs, less what a regression on five inputs takes up; four standard errors of χ².
    assert row["initial_loss"] == pytest.approx(3 * noise**2 / 2, abs=1e-9 + 0.05 * noise**2 * 3)


def test_few_points_with_the_same_second_moments_have_the_same_loss() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = linear_truth((5, 4, 3), 2, seed=9, points=300, noise=0.5)
    theta = torch.randn(3, truth.program.layout.total, generator=generator)
    small = truth.program.loss(truth.program.layout.views(theta), truth.inputs.T[None], truth.targets.T[None], "mse")
    whole = linear_truth((5, 4, 3), 2, seed=9, points=300, noise=0.5, compress=False)
    assert len(whole.inputs) == 300
    assert len(truth.inputs) == 8
    large = whole.program.loss(whole.program.layout.views(theta), whole.inputs.T[None], whole.targets.T[None], "mse")
    torch.testing.assert_close(small, large, rtol=1e-5, atol=0)


def expectation(*exponents: int, slope: float) -> float:
    """nβ E[½ c² Π w_i^(2 k_i)] at w* = 0, n = 1024, γ = 3, by quadrature over log w (both signs are alike)."""
    logs = np.linspace(math.log(1e-7), math.log(6), 4001)
    axes = np.meshgrid(*[logs] * len(exponents), indexing="ij", sparse=True)
    power = sum(2 * k * axis for k, axis in zip(exponents, axes, strict=True))
    potential = NBETA * slope**2 / 2 * np.exp(power)
    density = np.exp(-potential + sum(axis - 1.5 * np.exp(2 * axis) for axis in axes))
    return float((potential * density).sum() / density.sum())


def test_crossings_of_one_coordinate_are_near_their_coefficient_and_of_two_are_not() -> None:
    for exponent, slope in SLOPES.items():
        share = expectation(exponent, slope=slope) / normal_crossing(exponent)
        assert 0.95 <= share <= 1
    for exponents in ((1, 1), (1, 2), (1, 3), (2, 3)):
        share = expectation(*exponents, slope=10.0) / normal_crossing(*exponents)
        assert 0.3 < share < 0.87


def test_the_forty_hold_regular_models_and_normal_crossings() -> None:
    truths = random_truths(1)
    assert sum(len(group) for _, group in truths) == 40
    (scope, regular_ones), (other_scope, crossings) = truths[4], truths[9]
    assert scope == other_scope == "all"
    for one in regular_ones:
        assert one.coefficient("all") == regular(one.sizes[0] * one.sizes[1])
    for one in crossings:
        assert isinstance(one, CrossingTruth)
        assert one.coefficient("all") == pytest.approx(sum(1 / (2 * k) for k in one.exponents))
        theta = one.theta[None].clone()
        one.program.layout.views(theta)["weight"].fill_(-0.5)
        loss = one.program.loss(one.program.layout.views(theta), one.inputs.T[None], one.targets.T[None], "mse")
        by_hand = sum((SLOPES[k] * 0.5**k) ** 2 / 2 for k in one.exponents)
        assert float(loss) == pytest.approx(by_hand, rel=1e-6)


@pytest.fixture(scope="module")
def forty() -> pd.DataFrame:
    """Forty random models, whole and single layers, n = 1024, with the settings that are found at γ = 1."""
    spec = LLCSpec(nbeta=NBETA, precision=0.03)
    return pd.concat([compared(estimate(task(truths, scope), spec, "stacked"), truths, scope)
                      for scope, truths in random_truths(1)], ignore_index=True)  # fmt: skip


def test_automatic_settings_find_forty_learning_coefficients(forty: pd.DataFrame) -> None:
    error = forty["error"].abs()
    assert len(forty) == 40
    assert (forty["scope"] == "all").sum() == 24
    assert error.median() <= 0.03
    assert (error <= 0.10).mean() >= 0.9
    assert (error <= 0.25).all()
    assert forty["trusted"].mean() >= 0.8  # a flag that is never set would miss nothing


def test_unsuitable_settings_are_seen_by_the_flag(forty: pd.DataFrame) -> None:
    """Steps too large, too few, γ too strong: of the estimates that are off by a quarter at most 1 % may be trusted."""
    tables = [forty]
    sgld = partial(LLCSpec, sampler="sgld", nbeta=NBETA, sensitivity_chains=1)
    kinetic = partial(LLCSpec, nbeta=NBETA, sensitivity_chains=1)
    unsuitable = (
        sgld(1.0, 1e-2, burn_in=0, draws=200), sgld(3.0, 1e-3, burn_in=0, draws=200), sgld(10.0, 1e-4, burn_in=0, draws=200),
        sgld(1000.0, 1e-4, burn_in=500, draws=500), kinetic(1.0, 0.3, burn_in=0, draws=100),
        kinetic(3.0, 1e-3, burn_in=10, draws=300), kinetic(1000.0), kinetic(100.0, burn_in=4, draws=50),
    )  # fmt: skip
    for scope, truths in random_truths(1):
        given = task(truths, scope)
        tables += [compared(estimate(given, spec, "stacked"), truths, scope) for spec in unsuitable]
    table = pd.concat(tables)
    bad = ~(table["error"].abs() <= 0.25)
    assert bad.sum() >= 100  # so that one of them would be 1 %
    assert (bad & table["trusted"]).sum() <= 0.01 * bad.sum()


def regression(scales: Sequence[float], seed: int) -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    """Linear regression at its least-squares solution, with inputs of those sizes."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(1024, len(scales), generator=draw, dtype=torch.float64) * torch.tensor(scales, dtype=torch.float64)
    y = torch.randn(1024, 1, generator=draw, dtype=torch.float64)
    model = torch.nn.Linear(len(scales), 1, bias=False)
    model.weight.data = torch.linalg.lstsq(x, y).solution.T.float()
    return model, x.float(), y.float()


@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_coordinates_of_very_different_steepness_are_sampled_alike(scale: float) -> None:
    """Half of the inputs are that much larger: the mass finds it, and λ is half the dimension all the same."""
    row = llc(*regression([scale] * 8 + [1.0] * 8, seed=int(scale)), loss="mse").iloc[0]
    assert row["llc"] == pytest.approx(8, abs=4 * row["llc_se"] + 0.1)
    assert row["trusted"]


def test_directions_that_no_coordinate_follows_are_not_trusted_before_they_have_been_sampled() -> None:
    """The same, turned by a random rotation: no mass of coordinates helps, and a budget that is too small is seen."""
    model, x, y = regression([1000.0] * 8 + [1.0] * 8, seed=3)
    turn = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(4))).Q
    model.weight.data = model.weight.data @ turn
    row = llc(model, x @ turn, y, loss="mse", spec=LLCSpec(budget=3000)).iloc[0]
    assert row["llc"] < 6
    assert not row["trusted"]


@pytest.mark.parametrize("rise", [0.03, 0.1])
def test_a_model_above_its_minimum_says_by_how_much(rise: float) -> None:
    """Off the minimum of a quadratic by a known height, nβ times which the estimate is too low, and descent finds it."""
    model, x, y = regression([1.0] * 16, seed=5)
    with torch.no_grad():
        least = float((model(x) - y).square().mean() / 2)
        direction = torch.randn(1, 16, generator=torch.Generator().manual_seed(6))
        slope = float((x @ direction.T).square().mean() / 2)
        model.weight += direction * math.sqrt(rise * least / slope)
    row = llc(model, x, y, loss="mse").iloc[0]
    height = NBETA * rise * least
    assert row["depth"] == pytest.approx(height, rel=0.03)
    assert row["llc"] == pytest.approx(8 - height, abs=4 * row["llc_se"] + 0.2)
    assert "descent lowers the potential" in row["distrust"]


def test_twenty_networks_agree_with_devinterp_within_the_noise_of_the_seed() -> None:
    spec = LLCSpec(10.0, sampler="sgld", step_size=1e-3, burn_in=100, draws=250, chains=2, nbeta=NBETA)
    sizes = (4, 4, 3)
    truths = [linear_truth(sizes, 1 + number % 3, seed=50 + number, noise=0.5) for number in range(20)]
    given = task(truths, "all")
    ours, theirs = (estimate(given, spec, engine) for engine in ("stacked", "devinterp"))
    # Differences of 20 pairs of means over two independent chains each: their scatter is what the chains' own scatter
    # predicts, an F of 20 and 40 degrees of freedom, and their mean a t of 19; both within 99.9 %.
    difference = (ours["llc"] - theirs["llc"]).to_numpy()
    predicted = (ours["llc_se"] ** 2 + theirs["llc_se"] ** 2).to_numpy()
    assert (difference**2).mean() / predicted.mean() < stats.f.ppf(0.999, 20, 40)
    assert abs(difference.mean()) < stats.t.ppf(0.9995, 19) * difference.std(ddof=1) / math.sqrt(20)
    assert difference.std(ddof=1) / math.sqrt(20) < 0.03 * ours["llc"].mean()  # what the comparison would notice


def test_a_list_of_modules_is_estimated_like_the_stack() -> None:
    truths = [linear_truth((4, 3, 5), 2, seed=seed) for seed in range(2)]
    modules = [truth.program.module(truth.theta) for truth in truths]
    spec = LLCSpec(localization=3.0, nbeta=NBETA)
    inputs, targets = (torch.stack(part) for part in zip(*((truth.inputs, truth.targets) for truth in truths), strict=True))
    table = llc(modules, inputs, targets, loss="mse", spec=spec)
    stacked = estimate(task(truths, "all"), spec, "stacked")
    assert (np.abs(table["llc"] - stacked["llc"]) < 4 * np.hypot(table["llc_se"], stacked["llc_se"])).all()
