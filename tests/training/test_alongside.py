"""Several recipes as one stack: every member comes out as it does alone, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.toy import ToyImages
from harness.recipe import MLP, SGD, Adam, Module, Recipe, Threat, Until
from harness.training.alongside import Part, kind_of, train_alongside
from harness.training.train import Diverged, train

BASE = Recipe(ToyImages(train=96, test=30), MLP((8, 8)), epochs=2, batch_size=16)
seeds = st.lists(st.integers(0, 40), min_size=1, max_size=5, unique=True).map(tuple)


def part(recipe: Recipe, own: tuple[int, ...], start: torch.Tensor | None = None) -> Part:
    return Part(recipe, recipe.data.load(), own, start)


def alone(each: Part) -> dict[int, torch.Tensor]:
    return train(each.recipe, each.data, each.seeds, start=each.start)


HARD, GENTLE = Threat("linf", 1.7, 3), Threat("linf", 0.9, 3, random_start=False)


@st.composite
def stacks(draw: st.DrawFn) -> list[Part]:
    """Recipes of one kind: any data of one size and any bounds, any attack, any rule and batch."""
    rule = draw(st.sampled_from([SGD(0.05), SGD(0.05, 0.9), Adam(0.01)]))
    hidden = draw(st.sampled_from([(8,), (8, 8), (16, 16, 16)]))  # small enough that their attacks may differ
    bounds = draw(st.sampled_from([None, (-0.5, 1.5)]))
    batch = draw(st.sampled_from([16, 32, 40]))
    threats = draw(st.sampled_from([(None,), (HARD,), (GENTLE,), (None, HARD, GENTLE)]))
    found = []
    for _ in range(draw(st.integers(1, 4))):
        data = ToyImages(train=96, test=9, amplitude=draw(st.floats(1, 8)), noise=draw(st.floats(0.3, 2)))
        recipe = replace(BASE, data=data, architecture=MLP(hidden), optimiser=rule, checkpoints=(0, 1), batch_size=batch)
        threat, steps, share = draw(st.sampled_from(threats)), draw(st.integers(1, 9)), draw(st.sampled_from([0.5, 0.75, 1.0]))
        recipe = recipe if threat is None else recipe.robust(replace(threat, steps=steps), share=share)
        found.append(Part(recipe, replace(data.load(), bounds=bounds), draw(seeds)))
    return found


@settings(max_examples=60, deadline=None)
@given(stacks())
def test_every_member_is_as_it_is_alone(parts: list[Part]) -> None:
    for each, (kept, diverged) in zip(parts, train_alongside(parts), strict=True):
        expected = alone(each)
        assert diverged is None
        assert kept.keys() == expected.keys()
        assert all(torch.equal(kept[epoch], expected[epoch]) for epoch in expected)


def test_finetuning_begins_where_each_was_left() -> None:
    threat = Threat(steps=4)
    bases = [replace(BASE, data=ToyImages(train=96, test=9, noise=noise)) for noise in (0.5, 1.5)]
    parents = [part(base, (1, 4)) for base in bases]
    tuned = [
        part(base.finetuned(replace(threat, steps=steps), epochs=1), (1, 4), start=alone(parent)[2])
        for base, parent, steps in zip(bases, parents, (2, 6), strict=True)
    ]
    for each, (kept, _) in zip(tuned, train_alongside(tuned), strict=True):
        assert torch.equal(kept[1], alone(each)[1])


def test_one_that_diverges_harms_no_other() -> None:
    wild = replace(BASE, data=ToyImages(train=96, test=9, amplitude=1e30), optimiser=SGD(0.1), loss="mse")
    tame = replace(wild, data=ToyImages(train=96, test=9, amplitude=0.0, noise=0.0))
    (_, first), (kept, second) = train_alongside([part(wild, (0, 1)), part(tame, (0, 1))])
    assert isinstance(first, Diverged)
    assert first.seeds == (0, 1)
    assert second is None
    assert torch.equal(kept[2], alone(part(tame, (0, 1)))[2])


@pytest.mark.parametrize("other", [
    replace(BASE, batch_size=12), replace(BASE, data=ToyImages(train=90, test=30)), replace(BASE, until=Until("loss", 0.1)),
    replace(BASE, augment=lambda inputs, generator: inputs), BASE.robust(Threat("l2")),
    replace(BASE, architecture=Module("own_networks:quadratic", "other")),
])  # fmt: skip
def test_what_could_differ_in_the_last_bit_is_trained_by_itself(other: Recipe) -> None:
    assert kind_of(other, other.data.load()) is None


@pytest.mark.parametrize("other", [
    replace(BASE, epochs=3), replace(BASE, optimiser=SGD(0.1)), replace(BASE, architecture=MLP((8,))),
    replace(BASE, checkpoints=(1,)), replace(BASE, data=ToyImages(train=192, test=30)),
    replace(BASE, loss="mse"), BASE.finetuned(Threat(), epochs=2),
])  # fmt: skip
def test_recipes_of_other_kinds_are_not_one_stack(other: Recipe) -> None:
    assert kind_of(other, other.data.load()) != kind_of(BASE, BASE.data.load())


@pytest.mark.parametrize("hidden", [(8, 8), (64, 64)])
def test_recipes_that_differ_in_data_and_attack_alone_are_of_one_kind_where_they_are_small(hidden: tuple[int, ...]) -> None:
    def kind(noise: float, threat: Threat | None):
        recipe = replace(BASE, data=ToyImages(train=96, test=30, noise=noise), architecture=MLP(hidden))
        recipe = recipe if threat is None else recipe.robust(threat)
        return kind_of(recipe, recipe.data.load())

    assert kind(0.5, Threat(steps=3)) == kind(1.5, Threat(steps=20)) is not None
    others = [kind(0.5, None), kind(0.7, Threat(epsilon=1.0, random_start=False))]
    assert [other == kind(0.5, Threat()) for other in others] == [hidden == (8, 8)] * 2
