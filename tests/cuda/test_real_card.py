"""On a real card, where there is one: captured steps are the ordinary ones, and the numbers the CPU's up to rounding.

    python -m pytest tests/cuda/test_real_card.py

Everything else in the tests runs on a card that is pretended; only here do CUDA's own kernels run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from test_captured_steps import BASE, DATA, RECIPES, SPECS, asks, chooses, makes

from harness import cuda, device
from harness.cuda import capture, steps
from harness.device import standard_numerics
from harness.measure.attack.attack import pgd
from harness.measure.llc.estimate import LLCSpec, llc
from harness.networks import ascent, encode
from harness.networks.mlp import MLPProgram
from harness.optimiser import Until
from harness.population import Population
from harness.recipe import Recipe, Threat
from harness.training.train import train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA card is here")
Work = Callable[[], Any]
Both = Callable[[Work], tuple[Any, Any]]


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    """What work gives on the card kernel by kernel, and captured."""
    ordinary = [getattr(owner, name) for owner, name in steps.PLACES]

    def run(work: Work) -> tuple[Any, Any]:
        for (owner, name), step in zip(steps.PLACES, ordinary, strict=True):
            monkeypatch.setattr(owner, name, step)
        eager = work()
        cuda.capture_steps()
        return eager, work()

    monkeypatch.setattr(steps, "_FORMS", type(steps._FORMS)())
    device.limit_memory(2**33)
    with standard_numerics("cuda"):
        yield run
    device.limit_memory(None)


@pytest.fixture(scope="module")
def members() -> Population:
    return Population(BASE, (0, 1, 2), train(BASE, DATA.load(), (0, 1, 2)))


@pytest.mark.parametrize("name", RECIPES)
def test_training(both: Both, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    recipe, data = RECIPES[name], DATA.load()
    here = train(recipe, data, (0, 1, 2))
    fused = train_on_card(both, recipe)
    monkeypatch.setattr(steps, "fused", None)
    eager, replayed = both(lambda: train(recipe, data, (0, 1, 2), device="cuda"))
    for epoch, expected in here.items():
        assert torch.equal(eager[epoch], replayed[epoch])
        for found in (replayed[epoch], fused[epoch]):
            assert torch.allclose(expected, found, atol=1e-3), (expected - found).abs().max()


def train_on_card(both: Both, recipe: Recipe) -> dict[int, torch.Tensor]:
    """As a store on a card trains."""
    return both(lambda: train(recipe, DATA.load(), (0, 1, 2), device="cuda"))[1]


@pytest.mark.parametrize("name", SPECS)
def test_chains(both: Both, members: Population, name: str) -> None:
    data = DATA.load()
    given = members, data.train_x, data.train_y
    eager, replayed = both(lambda: llc(*given, spec=SPECS[name], device="cuda", traces=True))
    pd.testing.assert_frame_equal(eager, replayed)
    pd.testing.assert_frame_equal(eager.traces, replayed.traces)


def test_llcs_are_those_of_the_cpu(both: Both) -> None:
    data, recipe = DATA.load(), replace(BASE, epochs=300)
    trained = Population(recipe, (0, 1, 2), train(recipe, data, (0, 1, 2)))
    spec = LLCSpec(localization=10.0, chains=4, precision=0.03)
    here = llc(trained, data.train_x, data.train_y, spec=spec)
    there, again = both(lambda: llc(trained, data.train_x, data.train_y, spec=spec, device="cuda"))
    assert np.allclose(here["initial_loss"], there["initial_loss"], rtol=1e-4)
    for found in (there, again):
        assert (np.abs(here["llc"] - found["llc"]) < 5 * np.hypot(here["llc_se"], found["llc_se"])).all(), (here, found)


@pytest.mark.parametrize("sizes", [(), (8,), (16, 16, 16), (33, 7), (64, 64, 64), (8, 8, 8, 8)])
@pytest.mark.parametrize(("norm", "bounds"), [("linf", None), ("l2", (-2.0, 2.0)), ("l2", None), ("linf", (-1.0, 1.0))])
def test_one_kernel_is_its_steps(both: Both, sizes: tuple[int, ...], norm: Any, bounds: Any) -> None:
    program = MLPProgram((9, *sizes, 3))
    draw = torch.Generator().manual_seed(0)
    parameters = program.layout.views(torch.randn(5, program.layout.total, generator=draw).mul_(0.3).cuda())
    x = torch.randn(5, 3, 3, 70, generator=draw).cuda().clamp_(-1, 1)
    y = encode(torch.randint(0, 3, (5, 70), generator=draw).cuda(), 3)
    radius = torch.rand(5, 70, generator=draw).cuda()
    for aim in (None, y.roll(1, 1)):
        given = {"radius": radius, "step_sizes": [0.2] * 9, "norm": norm, "bounds": bounds, "aim": aim}
        eager, found = both(lambda given=given: ascent.ascend(program, parameters, x, y, delta=torch.zeros_like(x), **given))
        assert steps.fused.takes(program, parameters, given["step_sizes"])
        same = (eager - found).abs().amax((1, 2)) < 1e-4  # a sign that rounding turns moves a point elsewhere
        assert same.double().mean() > 0.98


@pytest.mark.parametrize(("norm", "bounds"), [("linf", None), ("l2", (-2.0, 2.0))])
def test_attacks(both: Both, members: Population, norm: Any, bounds: Any) -> None:
    data, threat = DATA.load(), Threat(norm, epsilon=0.4, steps=12)
    given = members, data.test_x.clip(-2, 2), data.test_y, threat
    here = pgd(*given, bounds=bounds)
    for found in both(lambda: pgd(*given, bounds=bounds, device="cuda").cpu()):
        assert ((here - found).abs().flatten(2).amax(2) < 1e-4).double().mean() > 0.95


@pytest.mark.parametrize("until", [Until("loss", 0.75), Until("accuracy", 0.7)])
def test_what_stops_goes_on_without_those_that_have_stopped(both: Both, until: Until) -> None:
    recipe = replace(RECIPES["robust" if until.quantity == "accuracy" else "standard"], until=until, epochs=20)
    eager, replayed = both(lambda: train(recipe, DATA.load(), (0, 1, 2, 3), device="cuda")[recipe.epochs])
    assert torch.allclose(eager, replayed, atol=1e-3)


@pytest.mark.parametrize("step", [asks, makes, chooses])
def test_what_cannot_be_recorded_is_said_once_and_goes_on(step: Callable[[torch.Tensor], None]) -> None:
    value, expected = torch.zeros(3, device="cuda"), torch.zeros(3)
    found = capture.Captured(lambda: step(value), "this step")
    for number in range(capture.EAGER + 4):
        if number == capture.EAGER:
            with pytest.warns(RuntimeWarning, match="this step cannot be recorded as a CUDA graph"):
                found()
        else:
            found()
        step(expected)
    assert value.tolist() == expected.tolist()
    assert found.replays == 0


def test_a_step_is_replayed() -> None:
    value = torch.zeros(3, device="cuda")
    found = capture.Captured(lambda: value.add_(1.0), "this step")
    for _ in range(10):
        found()
    assert value.tolist() == [10.0] * 3
    assert found.replays == 10 - capture.EAGER
