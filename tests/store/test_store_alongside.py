"""Stacks of several recipes in a store: how they are cut, and what becomes of what fails or is there already."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import harness.measure.llc.across
import harness.training.alongside
from harness import LLC, MLP, LLCSpec, Recipe, Robustness, Store, Threat, ToyImages, device
from harness.engines.local import LocalEngine
from harness.recipe import SGD
from harness.store.alongside import _stacks
from harness.store.halving import MemoryExhausted
from harness.store.sharing import MEMBERS_AT_A_TIME
from harness.training.train import Diverged, train

SPEC = LLCSpec(localization=10.0, chains=2, burn_in=10, draws=20)


def recipe(noise: float, **changed) -> Recipe:
    return replace(Recipe(ToyImages(train=96, test=30, noise=noise), MLP((8,)), epochs=1), **changed)


MEASURED = LLC(SPEC, ("all",), 96)
THREE = [(recipe(noise), (0, 1, 2)) for noise in (0.5, 1.0, 1.5)]


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path, heartbeat=lambda beat: None)


def kept(store: Store, members) -> list[torch.Tensor]:
    return [store.population(one, seeds).parameters[one.epochs] for one, seeds in members]


def alone(one: Recipe, seeds) -> torch.Tensor:
    return train(one, one.data.load(), seeds)[one.epochs]


def test_one_stack_makes_what_each_is_alone(store):
    assert store.train_alongside(THREE, name="three") == []
    assert store.made == 1
    assert all(torch.equal(mine, alone(*members)) for mine, members in zip(kept(store, THREE), THREE, strict=True))
    assert store.made == 1


def test_what_is_there_is_not_made_again(store):
    before = store.population(*THREE[1][:1], (0, 2)).parameters[1]
    path = store.member_path(THREE[1][0], 0)
    written = path.stat().st_mtime_ns
    store.train_alongside(THREE, name="three")
    assert path.stat().st_mtime_ns == written
    assert torch.equal(kept(store, THREE)[1][[0, 2]], before)


def test_parents_come_first(store):
    tuned = [
        (one.finetuned(Threat(steps=steps), epochs=1), seeds) for (one, seeds), steps in zip(THREE, (1, 4, 2), strict=True)
    ]
    store.train_alongside(tuned, name="tuned")
    assert store.made == 2
    assert not any(store.lacks(one, seeds) for one, seeds in tuned)


def test_what_fails_is_told_and_stops_no_other(store):
    wild = recipe(1.0, data=ToyImages(train=96, test=30, amplitude=1e30), optimiser=SGD(0.1), loss="mse")
    tame = recipe(1.0, optimiser=SGD(0.1), loss="mse")
    children = [(each.finetuned(Threat(steps=2), epochs=1), (0, 1)) for each in (wild, tame)]
    failures = store.train_alongside(children, name="two")
    assert [type(each) for each in failures] == [Diverged]
    assert store.lacks(wild, (0, 1))
    assert store.lacks(children[0][0], (0, 1))  # it has no parent to begin with
    assert not store.lacks(children[1][0], (0, 1))


def test_recipes_of_other_kinds_are_left_to_whoever_asks_for_them(store):
    other = recipe(1.0, batch_size=12)
    assert store.train_alongside([(other, (0,))], name="other") == []
    assert store.lacks(other, (0,))


def test_a_stack_holds_no_more_data_than_there_is_room_for(store):
    nbytes = THREE[0][0].data.load().train_x.nbytes
    device.limit_memory(int(4 * 2.5 * nbytes))  # a quarter of it holds the data of two recipes
    try:
        store.train_alongside([(one, seeds[:1]) for one, seeds in THREE], name="three")
    finally:
        device.limit_memory(None)
    assert store.made >= 2


def test_llcs_of_several_recipes_are_those_of_each(store, tmp_path):
    measurement = LLC(SPEC, ("all", "output"), 96)
    store.train_alongside(THREE, name="three")
    made = store.made
    assert store.measure_alongside([(THREE, measurement)], name="three") == []
    assert store.made == made + 1
    apart = Store(tmp_path / "apart", heartbeat=lambda beat: None)
    for one, seeds in THREE:
        assert not store.lacks(one, seeds, measurement)
        together = store.measure([store.population(one, seeds)], measurement)
        assert together.equals(apart.measure([apart.population(one, seeds)], measurement))
    assert store.made == made + 1


@pytest.mark.parametrize("working", [True, False])
def test_what_cannot_be_made_beside_others_is_a_piece_of_work_for_an_engine_and_else_left(store, working):
    other, instrument = (recipe(1.0, batch_size=12), (0, 1)), Robustness(thresholds=(2.0,))
    engine = store.engine = LocalEngine(workers=1) if working else None
    try:
        assert store.train_alongside([*THREE, other], name="four") == []
        assert store.measure_alongside([([*THREE, other], instrument), (THREE, MEASURED)], name="four") == []
    finally:
        store.engine = None
        if engine is not None:
            engine.close()
    assert not any(store.lacks(*each) or store.lacks(*each, MEASURED) for each in THREE)
    assert store.lacks(*other) == store.lacks(*THREE[0], instrument) == (not working)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=12), st.integers(1, 20))
def test_stacks_hold_every_member_once_and_no_more_than_fit(counts, most):
    kind = [(recipe(1 + number / 16), tuple(range(count))) for number, count in enumerate(counts)]
    stacks = [*_stacks(kind, lambda one: most, lambda one: 0.0)]
    sizes = [sum(len(seeds) for _, seeds in stack) for stack in stacks]
    assert max(sizes) <= most
    assert len(stacks) <= 2 * math.ceil(sum(counts) / most)
    members = [(one.key, seed) for stack in stacks for one, seeds in stack for seed in seeds]
    assert sorted(members) == sorted((one.key, seed) for one, seeds in kind for seed in seeds)


def test_stacks_are_of_about_one_size():
    kind = [(recipe(1 + number / 16), (0, 1, 2, 3)) for number in range(9)]
    assert [len(stack) for stack in _stacks(kind, lambda one: 32, lambda one: 0.0)] == [5, 4]


def test_where_more_work_at_a_time_than_there_are_kinds_stacks_are_smaller(store, monkeypatch):
    monkeypatch.setitem(MEMBERS_AT_A_TIME, "trained", 3)
    assert [len(store._alongside.trained(THREE, at_once=hands)) for hands in (1, 2)] == [1, 3]


# --- memory that is exhausted ---------------------------------------------------------------------------

PLACES = {
    "training": (harness.training.alongside, "train_alongside", lambda parts, **_: sum(len(part.seeds) for part in parts)),
    "measuring": (harness.measure.llc.across, "measured_across", lambda _, seen, __: sum(len(each) for each, _ in seen)),
}


class Memory:
    """Holds so many networks of a stack of several recipes; those that were tried together are counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
        self.most, self.together = 0, list[int]()
        module, name, size = PLACES[what]
        real: Callable[..., Any] = getattr(module, name)

        def made(*arguments: Any, **rest: Any) -> Any:
            self.together.append(size(*arguments, **rest))
            if self.together[-1] > self.most:
                raise MemoryError
            return real(*arguments, **rest)

        monkeypatch.setattr(module, name, made)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch, what: str) -> Memory:
    return Memory(monkeypatch, what)


def both(store: Store) -> list[Exception]:
    return [*store.train_alongside(THREE, name="three"), *store.measure_alongside([(THREE, MEASURED)], name="three")]


@pytest.mark.parametrize("what", PLACES)
@pytest.mark.parametrize(
    "there", [(), (0,), (1, 2)], ids=str
)  # of the second recipe: halves end within recipes and between them
def test_a_stack_that_does_not_fit_is_halved_and_is_the_same(store, memory, what, there):
    if there:
        store.population(THREE[1][0], there)
        if what == "measuring":
            store.measure([store.population(THREE[1][0], there)], MEASURED)
    memory.most = (9 - len(there) + 1) // 2
    assert both(store) == []
    made, left = store.made, 9 - len(there)
    assert memory.together == [left, (left + 1) // 2, left // 2]
    for one, seeds in THREE:
        population = store.population(one, seeds)
        assert torch.equal(population.final, alone(one, seeds))
        table = store.measure([population], MEASURED).drop(columns=["recipe", "architecture", "regime"])
        assert table.equals(MEASURED.run(population, one.data.load(), "cpu")[table.columns])
    assert store.made == made


@pytest.mark.parametrize("what", PLACES)
def test_a_stack_that_does_not_fit_in_halves_is_told_and_left_to_whoever_asks(store, memory, what):
    failures = store.train_alongside(THREE, name="three")
    if what == "measuring":
        failures += store.measure_alongside([(THREE, MEASURED)], name="three")
    assert memory.together == [9, 5]
    first = [failure for failure in failures if isinstance(failure, MemoryExhausted)]
    assert len(first) == len(failures) == 1
    said = str(first[0])
    assert said.startswith(what)
    assert " beside 2 other recipes" in said
    assert "with 9 networks together, and again with 5 and half the working memory" in said
    assert "give --claims-memory 256MiB" in said
    assert [store.lacks(one, seeds) for one, seeds in THREE] == [what == "training"] * 3
    assert not any(path.exists() for one, seeds in THREE for path in store.table_paths(one, seeds, MEASURED).values())
    populations = [store.population(*members) for members in THREE]  # each by itself
    assert len(store.measure(populations, MEASURED)) == 9


@pytest.mark.parametrize("what", ["training"])
def test_networks_of_a_recipe_that_diverge_in_both_halves_are_all_named(store, memory):
    wild = recipe(1.0, data=ToyImages(train=96, test=30, amplitude=1e30), optimiser=SGD(0.1), loss="mse")
    memory.most = 2
    (failure,) = store.train_alongside([(wild, (0, 1, 2))], name="wild")
    assert isinstance(failure, Diverged)
    assert failure.seeds == (0, 1, 2)
