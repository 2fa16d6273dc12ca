"""Every measurement of the harness on a card that is pretended: nothing is mixed, and the numbers are those of the CPU."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import torch
from library import LIBRARY, members, recipes
from pretended_card import CARD, Card, pretended_card

from harness import device
from harness.data import ToyImages
from harness.device import standard_numerics
from harness.measure.answers import answers
from harness.measure.attack.attack import smallest_perturbation
from harness.measure.attack.minimum_norm import PerturbationSpec
from harness.measure.attack.perturbations import direction_attack, fgsm
from harness.population import Population
from harness.recipe import MLP, Recipe
from harness.training.train import initial

SMALL = recipes(points=260, few=80, width=16)
# A factorisation of a matrix that lies otherwise in memory rounds otherwise.
ROUNDED = {"singular values", "operator bound", "operator bound of large weights", "margin bound"}
# They adapt steps, or go on with the points that are left; all others ask for results only.
ASK = {"AutoAttack", "LLC", "LLC of samples", "LLC on points as trained on"}


@pytest.mark.parametrize("name", LIBRARY)
def test_a_measurement(name: str) -> None:
    kind, measurement = LIBRARY[name]
    if name == "single steps":
        measurement = replace(measurement, points=100)
    population, data = members(SMALL[kind], 3), SMALL[kind].data.load()
    device.limit_memory(2**33)
    try:
        with standard_numerics("cpu"):
            here = measurement.run(population, data, "cpu")
        with pytest.MonkeyPatch.context() as patch, pretended_card(patch) as card, standard_numerics("cuda"):
            there = measurement.run(population, data, "cuda")
    finally:
        device.limit_memory(None)
    pd.testing.assert_frame_equal(here, there, check_exact=name not in ROUNDED, **({"rtol": 1e-5} if name in ROUNDED else {}))
    assert name in ASK or sum(card.asked.values()) <= 9  # one for each table, epoch, split and column of it
    assert card.launched or name in ("distances from the start", "feature coefficients")  # of what no card is needed for


RECIPE = Recipe(ToyImages(train=40, test=20), MLP((6, 5)), epochs=0)
FRONT_DOOR = {
    "answers": lambda given, x, y, device: answers(given, x, device=device),
    "FGSM": lambda given, x, y, device: fgsm(given, x, y, epsilon=0.1, device=device),
    "a direction": lambda given, x, y, device: direction_attack(given, x, y, direction=x[0], epsilon=0.1, device=device),
    "smallest perturbations": lambda given, x, y, device: smallest_perturbation(
        given, x, y, spec=PerturbationSpec(steps=3), device=device
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FRONT_DOOR)
def test_an_instrument_by_itself(name: str) -> None:
    data, theta = RECIPE.data.load(), initial(RECIPE, range(2))
    given = Population(RECIPE, (0, 1), {0: theta})
    here = FRONT_DOOR[name](given, data.test_x, data.test_y, "cpu")
    with pytest.MonkeyPatch.context() as patch, pretended_card(patch):
        there = FRONT_DOOR[name](given, data.test_x, data.test_y, "cuda")
        if isinstance(there, torch.Tensor):
            there = there.cpu()
    assert torch.equal(torch.as_tensor(here), torch.as_tensor(there))


@pytest.fixture
def card() -> Card:
    with pytest.MonkeyPatch.context() as patch, pretended_card(patch) as there:
        yield there


def test_the_card_refuses_what_a_card_refuses(card: Card) -> None:
    value = torch.ones(2, 3, device="cuda")
    assert (value + torch.tensor(1.0)).tolist() == [[2.0] * 3] * 2  # a single number may lie anywhere
    assert value.device == CARD
    for wrong in (
        lambda: value + torch.ones(3),
        lambda: torch.stack([value, torch.ones(2, 3)]),
        lambda: value @ torch.ones(3, 1),
    ):
        with pytest.raises(RuntimeError, match="same device"):
            wrong()
    with pytest.raises(TypeError, match="numpy"):
        value.numpy()
    with pytest.raises(RuntimeError, match="device type for generator"):
        value.normal_(generator=torch.Generator().manual_seed(3))
    with pytest.raises(RuntimeError, match="generator of the process"):
        value.normal_()
    before = sum(card.asked.values())
    for asked in (lambda: bool(value.any()), value.tolist, lambda: float(value[0, 0]), value.nonzero, value.cpu,
                  lambda: value[value > 0]):  # fmt: skip
        asked()
        before += 1
        assert sum(card.asked.values()) == before
