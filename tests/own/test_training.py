"""A training loop of somebody else as a recipe: called once a seed, kept at once, named by its code and config."""

from __future__ import annotations

import random
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

import own_models

from harness import Accuracy, Design, Store, ToyImages, Trained
from harness.recipe import RecipeError
from harness.store.names import member_key

DATA = ToyImages(train=96, test=24)


def recipe(**config: float):
    steps = (0, 20, 40) if config.get("steps") else 40
    return Trained(own_models.fitted, {"lr": 0.1, **config}, model=own_models.plain, data=DATA, steps=steps)


def asked(store: Store, made, seeds) -> list[int]:
    own_models.CALLS.clear()
    store.populations([made], seeds)
    return list(own_models.CALLS)


def test_it_is_called_once_for_every_seed_and_kept(tmp_path):
    assert asked(Store(tmp_path), recipe(), range(3)) == [0, 1, 2]
    assert asked(Store(tmp_path), recipe(), range(4)) == [3]
    assert asked(Store(tmp_path), recipe(lr=0.2), [0]) == [0]
    population = Store(tmp_path).population(recipe(), range(4))
    expected = own_models.fitted
    torch.manual_seed(2)
    state = expected(2, {"lr": 0.1})
    module = population.program.module(population.final[2])
    assert all(torch.equal(state[name], value) for name, value in module.state_dict().items())
    table = Store(tmp_path).measure([population], Accuracy())
    assert set(table["regime"]) == {"fitted"}
    assert (table["accuracy"] > 0.8).all()


def test_what_was_trained_before_it_broke_is_kept(tmp_path):
    with pytest.raises(RuntimeError, match="the scratch disk has gone"):
        asked(Store(tmp_path), recipe(breaks=2), range(4))
    done = [seed for seed in own_models.CALLS if seed != 2]
    assert done
    assert set(asked_or_broken(Store(tmp_path), recipe(breaks=2))).isdisjoint(done)


def asked_or_broken(store: Store, made) -> list[int]:
    own_models.CALLS.clear()
    with pytest.raises(RuntimeError):
        store.populations([made], range(4))
    return [seed for seed in own_models.CALLS if seed != 2]


def test_steps_are_kept_and_measured(tmp_path):
    population = Store(tmp_path).population(recipe(steps=1), range(2))
    assert population.epochs == (0, 20, 40)
    table = Store(tmp_path).measure([population], Accuracy(epochs="all"))
    assert list(table.groupby("epoch")["accuracy"].mean()) == sorted(table.groupby("epoch")["accuracy"].mean())
    wrong = Trained(own_models.fitted, {"lr": 0.1, "steps": 1}, model=own_models.plain, data=DATA, steps=(0, 40))
    with pytest.raises(RecipeError, match=r"at steps \[0, 20, 40\], and steps= names \[0, 40\]"):
        Store(tmp_path).population(wrong, [0])


@pytest.mark.parametrize("copied", [0, 1, 4])
def test_steps_that_are_one_memory_are_refused(copied, tmp_path):
    """A state_dict is no copy: all steps would be the last one.  What is frozen may be handed out again and again."""
    made = Trained(own_models.uncopied, {"copied": copied}, model=own_models.plain, data=DATA, steps=(0, 1, 2))
    if not copied:
        with pytest.raises(RecipeError, match=r"for seed 3 at steps 0 and 1 is one and the same memory.*return copies"):
            Store(tmp_path).population(made, [3])
    else:
        assert Store(tmp_path).population(made, [3]).epochs == (0, 1, 2)


@pytest.mark.parametrize("numpy", [0, 1])
def test_seeds_of_more_than_32_bits_are_other_networks(numpy, tmp_path):
    """torch takes the lower half of a seed on a CPU: findings/torch_seeds_are_32_bits_on_a_cpu.sh"""
    seeds = (7, 7 + 2**32, 7 + 2**40, 7 + 2**62)
    made = Trained(own_models.drawn, {"numpy": numpy}, model=own_models.plain, data=DATA, steps=1)
    assert len(torch.unique(Store(tmp_path).population(made, seeds).final, dim=0)) == len(seeds)


def test_recipes_of_own_loops_stand_in_designs(tmp_path):
    design = Design({lr: recipe(lr=lr) for lr in (0.05, 0.1)}, "lr")
    table = Store(tmp_path).measure(Store(tmp_path).populations(design, range(2)), Accuracy())
    assert set(zip(table["lr"], table["seed"], strict=True)) == {(lr, seed) for lr in (0.05, 0.1) for seed in (0, 1)}


def test_the_generators_of_the_process_go_on_as_they_were(tmp_path):
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    asked(Store(tmp_path), recipe(), [0])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    assert random.getstate() == before[2]


def test_the_name_holds_code_and_config():
    def key(made) -> str:
        return str(sorted(member_key(made, 0, "data", None, "cpu").items(), key=str))

    other = Trained(partial(own_models.fitted), {"lr": 0.1}, model=own_models.plain, data=DATA, steps=40)
    names = [key(recipe()), key(recipe(lr=0.2)), key(other)]
    assert len(set(names)) == 3
    assert key(recipe()) == names[0]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"train": lambda seed, config: None}, "a lambda has no name"),
        ({"train": "own_models:fitted"}, "train is str; give a function"),
        ({"config": {"f": object()}}, "cannot be told from others"),
        ({"steps": ()}, "steps="),
        ({"steps": 1.5}, "steps="),
    ],
)  # fmt: skip
def test_what_cannot_be_named_is_refused(how, says):
    given = {"train": own_models.fitted, "config": {}, "model": own_models.plain, "data": DATA, "steps": 1} | how
    with pytest.raises(RecipeError, match=says):
        Trained(given.pop("train"), given.pop("config"), **given)
