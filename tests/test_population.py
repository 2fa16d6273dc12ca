"""Members of one recipe, held stacked."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from harness.data import ToyImages
from harness.networks import MLPProgram
from harness.population import Population
from harness.recipe import MLP, Recipe

RECIPE = Recipe(ToyImages(train=30, test=9), MLP((4,)), epochs=10, checkpoints=(0, 2))
SIZE = 9 * 4 + 4 + 4 * 3 + 3
PARAMETERS = {epoch: torch.randn(3, SIZE, generator=torch.Generator().manual_seed(epoch)) for epoch in (10, 0, 2)}


@pytest.fixture
def population() -> Population:
    return Population(RECIPE, (4, 0, 7), PARAMETERS)


def test_epochs_are_in_order_and_the_last_one_is_final(population):
    assert population.epochs == (0, 2, 10)
    assert population.final is PARAMETERS[10]
    assert len(population) == 3


def test_the_program_fits_the_parameters(population):
    assert isinstance(population.program, MLPProgram)
    assert population.program.layout.total == SIZE
    assert population.program is replace(population).program


def test_selected_members_keep_their_parameters_at_every_epoch(population):
    chosen = population.select((7, 4))
    assert chosen.seeds == (7, 4)
    assert chosen.recipe is RECIPE
    for epoch, values in PARAMETERS.items():
        assert torch.equal(chosen.parameters[epoch], values[[2, 0]])
    assert chosen.select((4,)).select((4,)).seeds == (4,)
    assert len(population.select(())) == 0


def test_a_selection_shares_no_memory(population):
    before = population.final.clone()
    population.select((4, 0, 7)).final.zero_()
    assert torch.equal(population.final, before)


def test_an_absent_member_is_named(population):
    with pytest.raises(ValueError, match=r"no member with seeds \[1, 5\]; it has \[4, 0, 7\]"):
        population.select((4, 1, 5))


def test_provenance_is_plain_json(population):
    told = population.provenance()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told == {"name": "1x4 standard", "digest": RECIPE.key, "seeds": [4, 0, 7], "epochs": 10, "data": "ToyImages"}
