"""Every instrument leaves its caller's things as they were: random generators, torch's default type, modes of layers."""

from __future__ import annotations

import copy
import importlib
import inspect
import pkgutil
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import harness.measure
from harness.measure.answers import answers
from harness.measure.attack.attack import PerturbationSpec, pgd, smallest_perturbation
from harness.measure.attack.autoattack import AutoAttackSpec, autoattack
from harness.measure.attack.exact_perturbation import exact_perturbation
from harness.measure.attack.perturbations import direction_attack, fgsm
from harness.measure.llc.estimate import LLCSpec, llc
from harness.measure.llc.profile import llc_profile
from harness.recipe import Threat

SGLD = LLCSpec(sampler="sgld", burn_in=2, draws=4, chains=2, descent=0)
KINETIC = LLCSpec(burn_in=4, draws=4, chains=2, descent=2)
QUICK = PerturbationSpec(steps=3, targets=1, halvings=2, neighbours=1)
AUTO = AutoAttackSpec(steps=3, aims=2, queries=5)
INSTRUMENTS: dict[str, Callable[..., Any]] = {
    "llc": lambda m, x, y, **named: llc(m, x, y, spec=SGLD, **named),
    "llc, kinetic": lambda m, x, y, **named: llc(m, x, y, spec=KINETIC, **named),
    "llc_profile": lambda m, x, y, **named: llc_profile(m, x, y, spec=SGLD, gammas=(1.0, 10.0, 100.0), **named),
    "smallest_perturbation": lambda m, x, y, **named: smallest_perturbation(m, x, y, spec=QUICK, **named),
    "smallest_perturbation, L1": lambda m, x, y, **named: smallest_perturbation(m, x, y, norm="l1", spec=QUICK, **named),
    "pgd": lambda m, x, y, **named: pgd(m, x, y, Threat(epsilon=0.1, steps=3), **named),
    "fgsm": lambda m, x, y, **named: fgsm(m, x, y, epsilon=0.1, **named),
    "direction_attack": lambda m, x, y, **named: direction_attack(m, x, y, direction=np.ones(4), epsilon=0.1, **named),
    "autoattack": lambda m, x, y, **named: autoattack(m, x, y, epsilon=0.1, spec=AUTO, **named).perturbed,
    "answers": lambda m, x, y, **named: answers(m, x, **named),
    "exact_perturbation": lambda m, x, y, **named: exact_perturbation(m, x[:2], y[:2], within=0.3),
}  # fmt: skip
GENERAL = [name for name in INSTRUMENTS if name != "exact_perturbation"]


def test_every_instrument_is_looked_at() -> None:
    found = set()
    for each in pkgutil.walk_packages(harness.measure.__path__, "harness.measure."):
        module = importlib.import_module(each.name)
        for name, function in vars(module).items():
            if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_"):
                first = next(iter(inspect.signature(function).parameters.values()), None)
                if first is not None and first.name == "models" and first.annotation == "Models":
                    found.add((name, hasattr(function, "__wrapped__")))
    inside = {(name, False) for name in ("enter", "in_chunks", "prepare", "through_door")}  # what instruments are made of
    assert found - inside == {(name.partition(",")[0], True) for name in INSTRUMENTS}


@pytest.fixture
def data() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return torch.rand(12, 4, generator=draw), torch.randint(3, (12,), generator=draw)


def layers(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = nn.Sequential(nn.Linear(4, 6, dtype=torch.float32), nn.ReLU(), nn.Linear(6, 3, dtype=torch.float32))
    return made.to(dtype)


def drawn() -> None:
    torch.rand(3)
    np.random.rand(3)  # noqa: NPY002 - what a user may call
    random.random()


class Draws(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = layers()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        drawn()
        return self.body(x)


def output(z: torch.Tensor) -> torch.Tensor:
    drawn()
    return z


def loss(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    drawn()
    return ((z - y) ** 2).sum(-1)


def broken(z: torch.Tensor) -> torch.Tensor:
    drawn()
    raise KeyError("broken")


def state() -> tuple[Any, ...]:
    return random.getstate(), tuple(np.random.get_state()[1]), torch.get_rng_state().tolist()  # noqa: NPY002


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("instrument", INSTRUMENTS)
@pytest.mark.parametrize("draws", ["nothing", "network", "output", "loss", "an output that fails"])
def test_no_instrument_moves_the_callers_generators(instrument: str, draws: str, data: Any) -> None:
    named: dict[str, Any] = {}
    if draws == "loss":
        if not instrument.startswith("llc"):
            pytest.skip("takes no loss")
        named = {"loss": loss}
    elif "output" in draws:
        named = {"output": output if draws == "output" else broken}
    if instrument == "exact_perturbation" and draws != "nothing":
        pytest.skip("takes plain networks alone")
    drawn()
    before = state()
    try:
        INSTRUMENTS[instrument](Draws() if draws == "network" else layers(), *data, **named)
    except (ValueError, KeyError):
        assert draws == "an output that fails"
    assert state() == before


# --- the modes of a network's layers ------------------------------------------------------------------------


def partly_held(mode: bool) -> nn.Sequential:
    """In the mode, but for its BatchNorm, dropout and head, which are in the other one."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 3)).train(mode)
    for place in (1, 3, 4):
        made[place].train(not mode)
    return made


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("instrument", GENERAL)
def test_every_layer_keeps_its_own_mode_and_its_statistics(instrument: str, mode: bool, data: Any) -> None:
    """Layers held in a network in training are let go by others: findings/torchattacks_unfreezes_what_was_frozen.sh"""
    network = partly_held(mode)
    before = [layer.training for layer in network.modules()], {k: v.clone() for k, v in network.state_dict().items()}
    INSTRUMENTS[instrument](network, *data)
    assert [layer.training for layer in network.modules()] == before[0]
    assert all(torch.equal(value, before[1][name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("instrument", GENERAL)
def test_what_was_measured_stays_when_the_network_is_trained_on(instrument: str, data: Any) -> None:
    """A result that is the network's own memory moves with it: findings/laplace_mean_follows_training_after_a_prediction.sh"""
    network = layers()
    found = INSTRUMENTS[instrument](network, *data)
    kept = copy.deepcopy(found)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    assert same(found, kept)
    untouched = {name: value.clone() for name, value in network.state_dict().items()}
    if isinstance(found, torch.Tensor):
        found.zero_()
    assert all(torch.equal(value, untouched[name]) for name, value in network.state_dict().items())


# --- torch's default type -----------------------------------------------------------------------------------


class Creates(nn.Module):
    """What it creates is of the default type of whoever uses it, or of one that it names."""

    def __init__(self, named: torch.dtype | None) -> None:
        super().__init__()
        self.body, self.named = layers(torch.float64), named

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x @ torch.full((4, 4), 1 / 3, dtype=self.named)) + torch.tensor([0.1, 0.2, 0.3], dtype=self.named)


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and bool(np.array_equal(one, other))
    return bool(one.equals(other))


NETWORKS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "float64": (lambda: layers(torch.float64), lambda: layers(torch.float64)),
    "float32": (layers, layers),
    "list": (lambda: [layers(torch.float64), layers(torch.float64)], lambda: [layers(torch.float64), layers(torch.float64)]),
    "creates tensors": (lambda: Creates(None), lambda: Creates(torch.float64)),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_numbers_are_the_same_with_another_default_type(instrument: str, kind: str, data: Any, double: None) -> None:
    if instrument == "exact_perturbation" and kind == "creates tensors":
        pytest.skip("takes plain networks alone")
    found = INSTRUMENTS[instrument](NETWORKS[kind][0](), *data)
    assert torch.get_default_dtype() == torch.float64
    torch.set_default_dtype(torch.float32)
    assert same(found, INSTRUMENTS[instrument](NETWORKS[kind][1](), *data))


@pytest.mark.parametrize("instrument", ["llc", "llc, kinetic", "llc_profile"])
def test_a_loss_runs_with_the_callers_type(instrument: str, data: Any, double: None) -> None:
    seen = set()

    def squares(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        seen.add(torch.zeros(1).dtype)
        return ((z - y) ** 2).sum(-1)

    INSTRUMENTS[instrument](layers(torch.float64), *data, loss=squares)
    INSTRUMENTS[instrument](layers(), *data, loss=squares)
    assert seen == {torch.float64}


def test_the_type_is_given_back_when_an_instrument_fails(data: Any, double: None) -> None:
    with pytest.raises(TypeError, match="models is NoneType"):
        llc(None, *data)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"devinterp samples in torch\.float32 only"):
        llc(layers(torch.float64), *data, engine="devinterp")
    assert torch.get_default_dtype() == torch.float64


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_exact_perturbations_of_float64_networks_are_those_of_float32(scale: float, data: Any) -> None:
    x, y = data
    single = layers()
    with torch.no_grad():
        single[0].weight.mul_(scale)
    y = single(x).argmax(1)
    found = [exact_perturbation(model, x, y, within=3.0) for model in (single, layers(torch.float64))]
    twin = layers(torch.float64)
    with torch.no_grad():
        twin[0].weight.mul_(scale)
    np.testing.assert_allclose(exact_perturbation(twin, x.double(), y, within=3.0), found[0], rtol=2e-4)
