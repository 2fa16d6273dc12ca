"""Networks that hold or return NaN or infinity: no instrument gives a number for them, and who asks is told which they are."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))

import own_models

import harness
from harness import (
    LLC,
    MLP,
    Accuracy,
    Checkpoints,
    Design,
    Evidence,
    Factors,
    Gaps,
    LLCSpec,
    Measurement,
    PairedDifference,
    Population,
    Recipe,
    Robustness,
    Source,
    Store,
    Threat,
    ToyImages,
    Trained,
    claim,
)
from harness.measure.activations import ActivationNorms
from harness.measure.attack.accuracy_curve import Curve
from harness.measure.margins import Margins
from harness.measure.smoothness import GradientNorms
from harness.measure.soundness import ProbabilitiesWarning
from harness.networks.finite import NotFinite

DATA = ToyImages(train=96, test=24)
PAPER = Source("paper", "A paper").at("1", "q")


@dataclass(frozen=True)
class Own(Measurement):
    """What a user may measure: how many points have a positive first output."""

    @property
    def name(self) -> str:
        return "own"

    def run(self, population, data, device):
        parameters = population.program.layout.views(population.final)
        x = torch.from_numpy(data.test_x).movedim(0, -1)[None].expand(len(population), *data.test_x.shape[1:], -1)
        share = (population.program.logits(parameters, x)[:, 0] > 0).double().mean(1).tolist()
        return pd.DataFrame({"seed": population.seeds, "epoch": population.epochs[-1], "share": share})


INSTRUMENTS = (
    Own(), Accuracy(), Accuracy(epochs="final", split="train"), Margins(), Robustness(thresholds=(1.0,), points=8), Curve(),
    Gaps(Threat(epsilon=0.5)), GradientNorms(points=8), ActivationNorms(points=8),
    LLC(LLCSpec(localization=10.0, chains=2, draws=10, burn_in=10, descent=5), points=16),
)  # fmt: skip


class Sick(nn.Module):
    """Finite weights; its outputs are not finite where the first feature of a point is above a limit."""

    def __init__(self, shape: tuple[int, ...], classes: int, value: str = "nan") -> None:
        super().__init__()
        self.plain, self.value = own_models.plain(shape, classes), float(value)
        self.limit = nn.Parameter(torch.zeros(1), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.plain(x)
        beyond = (x.flatten(1)[:, :1] > self.limit) & (torch.arange(out.shape[1]) == 0)
        return torch.where(beyond, torch.full_like(out, self.value), out)


def sick(limit: float, value: str) -> nn.Module:
    torch.manual_seed(int(abs(limit)))
    made = Sick((3, 3), 3, value)
    made.limit.data.fill_(limit)
    return made


def spoilt(state: dict[str, torch.Tensor], name: str, value: float) -> dict[str, torch.Tensor]:
    found = {key: tensor.clone() for key, tensor in state.items()}
    found[name].flatten()[-1] = value
    return found


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_give_no_number(tmp_path, instrument, value):
    store = Store(tmp_path)
    recipe = Recipe(DATA, MLP((8,)), epochs=1, checkpoints=(0,))
    population = store.population(recipe, range(4))
    broken = {epoch: theta.clone() for epoch, theta in population.parameters.items()}
    for row in (1, 3):
        broken[1][row, 5] = value
    by_hand = Population(recipe, population.seeds, broken)
    said = r"seeds 1, 3 of 1x8 standard have parameters that are not finite: their training diverged"
    for _ in range(2):
        with pytest.raises(NotFinite, match=said):
            store.measure([by_hand], instrument)
    sound = store.measure([by_hand.select((0, 2))], instrument)
    made = store.made
    pd.testing.assert_frame_equal(store.measure([by_hand.select((0, 2))], instrument), sound)
    assert store.made == made  # and they were stored beside those that are not finite
    assert set(sound["seed"]) == {0, 2}


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_outputs_that_are_not_finite_give_no_number(tmp_path, instrument, value):
    data = DATA.load()
    train, test = (np.sort(x.reshape(len(x), -1)[:, 0]) for x in (data.train_x, data.test_x))
    most = train if train[-1] > test[-1] else test
    at_one_point = float(most[-2:].mean())  # the limit lies between the largest value and the next
    members = {seed: sick(limit, value) for seed, limit in {0: 1e6, 4: at_one_point, 7: -1e6, 9: 2e6}.items()}
    population = Checkpoints(members, model=Sick, data=DATA, arguments={"value": value}, name="sick")
    said = r"seeds 4, 7 of Sick sick have outputs that are not finite: look for a division by 0"
    with pytest.raises(NotFinite, match=said):
        Store(tmp_path).measure([population], instrument)
    assert set(Store(tmp_path).measure([population.select((9, 0))], instrument)["seed"]) == {0, 9}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_given_weights_that_are_not_finite_are_refused_as_they_are_read(value):
    states = {seed: own_models.drawn(seed, {"numpy": False}) for seed in range(3)}
    states[2] = spoilt(states[2], "3.bias", value)
    with pytest.raises(NotFinite, match="seed 2 of plain given has parameters that are not finite"):
        Checkpoints(states, model=own_models.plain, data=DATA)


def test_a_mask_in_a_buffer_may_be_infinite(tmp_path):
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.plain = own_models.plain((3, 3), 3)
            self.register_buffer("mask", torch.tensor([-torch.inf, 0.0, 0.0]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.plain(x) + self.mask.clamp(min=-1e4)

    globals()["Masked"] = Masked
    Masked.__qualname__ = "Masked"
    table = Store(tmp_path).measure([Checkpoints([Masked(), Masked()], model=Masked, data=DATA)], Accuracy())
    assert np.isfinite(table["loss"]).all()


def diverging(seed: int, config: dict[str, float]) -> dict[str, torch.Tensor]:
    """A loop whose weights are not finite for every other seed."""
    state = own_models.drawn(seed, {"numpy": False})
    return spoilt(state, "1.weight", np.nan) if seed % 2 and config["lr"] > 1 else state


HIGHER = PairedDifference("accuracy", "lr", "small", "large", "seed", margin=0.05, margin_reason="r")


def test_a_loop_that_diverges_makes_the_claim_invalid_and_names_all_seeds(tmp_path):
    store = Store(tmp_path)

    @claim("p/c", statement="S.", source=PAPER, prediction=HIGHER, population=Factors(random="seed"))
    def body(harness):
        cells = {
            name: Trained(diverging, {"lr": lr}, model=own_models.plain, data=DATA, name=name)
            for name, lr in {"small": 1.0, "large": 2.0}.items()
        }
        populations = harness.store.populations(Design(cells, "lr"), range(6))
        return Evidence(harness.store.measure(populations, Accuracy()))

    verdict = harness.run(body, store=store).verdict
    assert verdict.outcome == "invalid"
    assert "of plain large diverged for seeds [1, 3, 5]: large returned weights that are not finite" in verdict.reason
    kept = sorted(entry.name for entry in store.entries())
    assert [name for name in kept if "large" in name] == [f"recipe plain large, seed {seed}" for seed in (0, 2, 4)]


def test_given_weights_that_are_not_finite_make_the_claim_invalid(tmp_path):
    states = {seed: own_models.drawn(seed, {"numpy": False}) for seed in range(6)}

    @claim("p/c", statement="S.", source=PAPER, prediction=HIGHER, population=Factors(random="seed"))
    def body(harness):
        spoiled = {**states, 4: spoilt(states[4], "1.bias", np.nan)}
        pair = [Checkpoints(each, model=own_models.plain, data=DATA, labels={"lr": lr}) for lr, each in
                (("small", states), ("large", spoiled))]  # fmt: skip
        return Evidence(harness.store.measure(pair, Accuracy()))

    verdict = harness.run(body, store=Store(tmp_path)).verdict
    assert verdict.outcome == "invalid"
    assert "Seed 4 of plain given has parameters that are not finite" in verdict.reason


LAST = {"softmax": nn.Softmax(1), "log": nn.LogSoftmax(1), "sigmoid": nn.Sigmoid(), "logits": nn.Identity()}


def ending(shape: tuple[int, ...], classes: int, last: str) -> nn.Module:
    """A network and what is done to its outputs."""
    return nn.Sequential(own_models.plain(shape, classes), LAST[last])


@pytest.mark.parametrize("last", LAST)
@pytest.mark.parametrize("instrument", [Accuracy(), Own()], ids=lambda each: type(each).__name__)
def test_probabilities_that_stand_where_logits_are_taken_for_granted_are_told(tmp_path, instrument, last):
    members = {seed: ending((3, 3), 3, last) for seed in (2, 5)}
    population = Checkpoints(members, model=ending, data=DATA, arguments={"last": last}, name="answers")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Store(tmp_path).measure([population], instrument)
    told = [str(each.message) for each in caught if each.category is ProbabilitiesWarning]
    assert len(told) == (last == "softmax")
    assert all("outputs of seeds [2, 5] are probabilities" in each for each in told)
