"""The kinetic sampler against plain loops on the same noise, and against distributions that are known in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import device
from harness.measure.llc import kinetic, kinetic_course
from harness.measure.llc.chains import Noise, Trace
from harness.measure.llc.kinetic import sample
from harness.measure.llc.potential import depth
from harness.measure.llc.spec import LLCSpec
from harness.networks import MLPProgram, encode
from harness.recipe import RecipeError

PROGRAM = MLPProgram((3, 5, 4, 2))
INPUTS = torch.randn(1, 3, 40, generator=torch.Generator().manual_seed(1))
LABELS = torch.randint(0, 2, (40,), generator=torch.Generator().manual_seed(2))
TARGETS = encode(LABELS, 2)[None]
THETA = torch.stack([PROGRAM.initial(torch.Generator().manual_seed(seed)) for seed in range(5)])
FIXED = LLCSpec(3.0, step_size=0.08, burn_in=4, draws=30, chains=3, nbeta=12.0)


def streams(models: int, chains: int, first: int = 0) -> list[list[Callable[[], torch.Generator]]]:
    return [[lambda m=m, c=c: torch.Generator().manual_seed(100 * (first + m) + c)  # type: ignore[misc]
             for c in range(chains)] for m in range(models)]  # fmt: skip


def run(spec: LLCSpec = FIXED, scope: str = "all", models: slice = slice(0, 5)) -> Trace:
    theta = THETA[models]
    return sample(PROGRAM, theta, INPUTS, TARGETS, streams(len(theta), spec.chains, models.start or 0), spec, scope=scope)


@pytest.mark.parametrize("scope", ["all", "input", "hidden", "output"])
def test_every_step_is_the_formula(scope: str) -> None:
    """In double precision and with autograd, on the noise that the streams give."""
    trace = run(scope=scope, models=slice(0, 1))
    network = PROGRAM.module(THETA[0]).double()
    named = dict(network.named_parameters())
    free = [named[name] for name in PROGRAM.layout.names if name in PROGRAM.scopes[scope]]
    anchor = torch.cat([part.detach().flatten() for part in free]).clone()
    total, h, gamma, nbeta = len(anchor), 0.08, 3.0, 12.0
    kept = math.exp(-math.sqrt(gamma) * h)

    def potential(position: torch.Tensor) -> tuple[float, torch.Tensor, float]:
        with torch.no_grad():
            for part, value in zip(free, position.split([p.numel() for p in free]), strict=True):
                part.copy_(value.view_as(part))
        loss = torch.nn.functional.cross_entropy(network(INPUTS[0].T.double()), LABELS)
        slope = torch.cat([g.flatten() for g in torch.autograd.grad(loss, free)])
        moved = position - anchor
        return loss.item(), nbeta * slope + gamma * moved, nbeta * loss.item() + gamma * float(moved @ moved) / 2

    for chain in range(3):
        generator = torch.Generator().manual_seed(chain)
        velocity = torch.empty(total).normal_(generator=generator).double()
        block = torch.empty(Noise.steps_of(total), total).normal_(generator=generator).double()
        levels = torch.empty(len(block)).exponential_(generator=generator).double()
        position = anchor.clone()
        loss, gradient, energy = potential(position)
        losses, rates = [], []
        for step in range(34):
            velocity = kept * velocity + math.sqrt(1 - kept**2) * block[step]
            half = velocity - h / 2 * gradient
            after = position + h * half
            new_loss, new_gradient, new_energy = potential(after)
            new_velocity = half - h / 2 * new_gradient
            rise = new_energy - energy + float(new_velocity @ new_velocity - velocity @ velocity) / 2
            rates.append(min(1.0, math.exp(-rise)))
            if -float(levels[step]) < -rise:
                position, velocity, loss, gradient, energy = after, new_velocity, new_loss, new_gradient, new_energy
            else:
                velocity = -velocity
            losses.append(loss)
        assert trace.losses[chain].tolist() == pytest.approx(losses[4:], rel=1e-4)
        assert float(trace.acceptance[chain]) == pytest.approx(np.mean(rates[4:]), abs=1e-3)
    assert float(trace.acceptance.min()) < 0.999  # some are refused


def test_steps_that_are_far_too_long_are_refused_and_not_taken() -> None:
    trace = run(replace(FIXED, step_size=50.0))
    assert float(trace.acceptance.max()) < 1e-3
    assert torch.allclose(trace.losses, trace.initial_loss[:, None].double().expand_as(trace.losses))


@pytest.mark.parametrize("step_size", [0.1, 0.4, 0.55])
def test_the_stationary_variance_is_exact_at_every_step_size(step_size: float) -> None:
    """Quadratic, curvatures from 1 to 12: without refusals the longest step would be off by far more than its error."""
    h = torch.tensor([0.0, 0.1, 1.0, 5.5])
    nbeta, gamma = 2.0, 1.0
    program = MLPProgram((4, 1), linear=True, bias=False)
    x = (4 * h).sqrt().diag()[None]
    spec = LLCSpec(gamma, step_size=step_size, burn_in=200, draws=3000, chains=64, nbeta=nbeta)
    trace = sample(program, torch.zeros(1, 4), x, torch.zeros(1, 1, 4), streams(1, 64), spec, loss="mse")
    curvature = nbeta * h + gamma
    found = trace.losses.mean(1)
    truth = float((h / curvature).sum() / 2)
    error = float(found.std()) / 8
    assert abs(float(found.mean()) - truth) < 4 * error
    assert 4 * error < 0.05 * truth
    strain = trace.strains.mean(1)
    assert abs(float(strain.mean()) - float((gamma / curvature).sum())) < 4 * float(strain.std()) / 8


def test_a_quartic_is_sampled_as_quadrature_says() -> None:
    """Loss w⁴/4 at nβ = 20, γ = 0.5: neither harmonic nor what the adaptation assumes."""
    grid = np.linspace(-4, 4, 8001)
    weight = np.exp(-20 * grid**4 / 4 - 0.5 * grid**2 / 2)
    truth = 20 * float((weight * grid**4 / 4).sum() / weight.sum())
    program = MLPProgram((1, 1), linear=True, bias=False)
    spec = LLCSpec(0.5, chains=64, nbeta=20.0, precision=0.01)
    trace = sample(program, torch.zeros(1, 1), torch.ones(1, 1, 1), torch.zeros(1, 1, 1), streams(1, 64), spec,
                   loss=lambda z, y: (z - y).pow(4).sum(2) / 4)  # fmt: skip
    found = 20 * trace.losses.mean(1)
    assert abs(float(found.mean()) - truth) < 4 * float(found.std()) / 8
    assert 4 * float(found.std()) / 8 < 0.1 * truth


AUTO = LLCSpec(3.0, chains=3, nbeta=12.0, precision=0.1, budget=1500)


@pytest.mark.parametrize("spec", [FIXED, AUTO, replace(AUTO, mass="unit"), replace(AUTO, burn_in=40, draws=20)])
@pytest.mark.parametrize("scope", ["all", "hidden"])
def test_a_model_does_not_depend_on_who_shares_its_stack(monkeypatch: pytest.MonkeyPatch, spec: LLCSpec, scope: str) -> None:
    together = run(spec, scope)
    for model in (0, 3):
        alone = run(spec, scope, slice(model, model + 1))
        rows, draws = slice(3 * model, 3 * model + 3), int(alone.draws[0])
        assert int(together.draws[rows][0]) == draws
        assert torch.equal(together.losses[rows, :draws], alone.losses)
        assert torch.equal(together.step_size[rows], alone.step_size)
    monkeypatch.setattr(kinetic, "rows_at_a_time", lambda *a, **k: 2)  # fewer than a model's chains: parts of two and one
    small = run(spec, scope)
    assert torch.equal(small.losses.nan_to_num(), together.losses.nan_to_num())


@settings(max_examples=15, deadline=None)
@given(
    scales=st.lists(st.floats(0.2, 3.0), min_size=2, max_size=5), gamma=st.floats(0.5, 30.0), nbeta=st.floats(1.0, 200.0),
    least=st.sampled_from([0.85, 0.95, 0.97, 1.0]), mass=st.sampled_from(["adapted", "unit"]),
)  # fmt: skip
def test_nor_does_one_whose_step_is_found_too_long_while_it_draws(
    scales: list[float], gamma: float, nbeta: float, least: float, mass: str
) -> None:
    """Looked at, it goes back to its burn-in, while others are in theirs, draw or are done: what it learns is its own."""
    spec = replace(AUTO, localization=gamma, nbeta=nbeta, mass=mass)
    theta = torch.stack([scale * point for scale, point in zip(scales, THETA, strict=False)])

    def sampled(first: int, count: int) -> Trace:
        return sample(PROGRAM, theta[first : first + count], INPUTS, TARGETS, streams(count, 3, first), spec)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinetic_course, "LEAST_ACCEPTED", least)
        together = sampled(0, len(theta))
        for model in range(len(theta)):
            alone, rows = sampled(model, 1), slice(3 * model, 3 * model + 3)
            draws = alone.losses.shape[1]
            assert together.burn_in[rows].tolist() == alone.burn_in.tolist()
            assert torch.equal(together.step_size[rows], alone.step_size)
            assert torch.equal(together.losses[rows, :draws], alone.losses)
            assert together.losses[rows, draws:].isnan().all()


def test_less_memory_is_more_chunks_of_the_same_numbers() -> None:
    expected = run(AUTO)
    device.limit_memory(1)
    try:
        assert torch.equal(run(AUTO).losses.nan_to_num(), expected.losses.nan_to_num())
    finally:
        device.limit_memory(None)


def test_the_step_that_is_found_is_accepted_as_often_as_was_aimed_at() -> None:
    trace = run(replace(AUTO, burn_in=400, draws=600))
    assert float(trace.acceptance.mean()) == pytest.approx(kinetic_course.AIMED, abs=0.04)


@pytest.mark.parametrize("power", [-4, 0, 4])
def test_a_scale_of_the_weights_is_found_by_the_mass(power: int) -> None:
    """w → 10^p w in one coordinate changes nothing but the coordinate's step."""
    scale = torch.tensor([1.0, 10.0**power])
    program = MLPProgram((2, 1), linear=True, bias=False)
    spec = LLCSpec(0.01 * min(1.0, 10.0 ** (2 * power)), chains=8, nbeta=10.0, precision=0.05)
    trace = sample(program, torch.zeros(1, 2), scale.diag()[None] * 2, torch.zeros(1, 1, 2), streams(1, 8), spec, loss="mse")
    found = 10 * trace.losses.mean(1)
    assert abs(float(found.mean()) - 1) < 4 * float(found.std()) / math.sqrt(8) + 0.02
    assert float(trace.acceptance.mean()) > 0.8


def test_draws_end_when_the_error_is_what_was_asked_for_or_at_the_budget() -> None:
    program = MLPProgram((3, 2), linear=True, bias=False)
    lengths = []
    for precision in (0.05, 0.02, 0.01):
        spec = replace(AUTO, precision=precision, budget=100_000)
        trace = sample(program, torch.zeros(3, 6), INPUTS, torch.zeros(1, 2, 40), streams(3, 3), spec, loss="mse")
        lengths.append(float(trace.draws.double().mean()))
    assert lengths[0] < lengths[1] < lengths[2]
    spent = run(replace(AUTO, precision=1e-4, budget=900))
    whole = spent.draws + spent.burn_in
    negative = spent.losses.nanmean(1) < spent.initial_loss  # these untrained networks: seen early, and no more is spent on it
    assert bool((whole[~negative] == 900).all())
    assert bool((whole <= 900).all())
    assert bool((whole[negative.view(-1, 3).all(1).repeat_interleave(3)] < 900).any())


def test_models_whose_loss_is_not_finite_cost_the_others_nothing() -> None:
    theta = THETA.clone()
    theta[1, 3] = math.nan
    trace = sample(PROGRAM, theta, INPUTS, TARGETS, streams(5, 3), FIXED)
    assert bool(trace.losses[3:6].isnan().all())
    expected = run()
    assert torch.equal(trace.losses[6:], expected.losses[6:])


def test_a_loss_without_any_slope_to_follow_is_refused_by_name() -> None:
    def cliff(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        inside = logits.square().sum(2)
        return torch.where(inside == 0, inside, torch.inf * torch.ones_like(inside))

    program = MLPProgram((1, 1), linear=True, bias=False)
    with pytest.raises(ValueError, match="no step size down to 1e-12 is accepted: the loss or its gradient is not finite near"):
        sample(program, torch.zeros(1, 1), torch.ones(1, 1, 1), torch.zeros(1, 1, 1), streams(1, 3), AUTO, loss=cliff)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 32}, "batch_size=32; it has to be left out, or used with sampler='sgld'"),
        ({"preconditioner": "rmsprop"}, "preconditioner='rmsprop'; it has to be left out, or used with sampler='sgld'"),
        ({"localization": 0.0}, "localization=0.0; it has to be above 0"),
        ({"mass": "adapted", "step_size": 0.1}, "mass='adapted'; it has to be 'unit' where the step size is given"),
        ({"burn_in": 2}, "burn_in=2; it has to be None, or 4 or more where the step size is found in it"),
        ({"sampler": "hmc"}, "sampler='hmc'; it has to be 'kinetic' or 'sgld'"),
        ({"sampler": "sgld", "mass": "unit"}, "mass='unit'; it has to be left out with sampler='sgld', which has no mass"),
        ({"precision": 0.0}, "precision=0.0; it has to be a number above 0"),
    ],
)
def test_settings_that_do_not_fit_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        LLCSpec(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_descent_finds_the_height_above_the_minimum_of_the_potential(scale: float) -> None:
    """Of a quadratic: from w* = a at curvature k the localised minimum is lower by ½ (nβ k a)² / (nβ k + γ)."""
    program = MLPProgram((2, 1), linear=True, bias=False)
    k, a, nbeta, gamma = torch.tensor([1.0, scale]), torch.tensor([0.5, 0.1]), 10.0, 2.0
    x, theta = (2 * k).sqrt().diag()[None], torch.stack([a, torch.zeros(2)])
    targets = torch.zeros(1, 1, 2)
    found = depth(program, theta, x, targets, scope="all", nbeta=nbeta, localization=gamma, steps=1000, loss="mse")
    slope = nbeta * k * a
    truth = float((slope**2 / (nbeta * k + gamma)).sum() / 2)
    assert float(found[0]) == pytest.approx(truth, rel=0.02)
    assert float(found[1]) == 0
    few = depth(program, theta, x, targets, scope="all", nbeta=nbeta, localization=gamma, steps=20, loss="mse")
    assert float(few[0]) <= float(found[0]) * (1 + 1e-9)
