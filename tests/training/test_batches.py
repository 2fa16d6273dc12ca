"""Augmentation against a plain loop, and what cannot be one."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
import torch

from harness.data.toy import ToyImages
from harness.recipe import MLP, SGD, Recipe, RecipeError, Threat, Until
from harness.spec import definitions
from harness.streams import torch_generator
from harness.training.train import initial, train

DATA = ToyImages(train=90, test=30)
SEEDS = (0, 1, 5)


def mirrored(inputs: torch.Tensor, generator: torch.Generator, share: float = 0.5) -> torch.Tensor:
    """Images turned over with some probability, and noise on all."""
    turned = torch.rand(len(inputs), generator=generator) < share
    inputs[turned] = inputs[turned].flip(-1)
    return inputs + torch.randn(inputs.shape, generator=generator)


@dataclass(frozen=True)
class Shift:
    """Everything moved by one random number a batch."""

    size: float = 1.0

    def __call__(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return inputs + self.size * torch.randn((), generator=generator)


BASE = Recipe(DATA, MLP((8, 8)), optimiser=SGD(0.05, 0.9), epochs=3, batch_size=16, augment=mirrored)
KINDS = {"function": mirrored, "partial": partial(mirrored, share=0.1), "object": Shift(0.3)}


def trained(recipe: Recipe, seeds: tuple[int, ...] = SEEDS) -> torch.Tensor:
    return train(recipe, DATA.load(), seeds)[recipe.epochs]


@pytest.mark.parametrize("kind", KINDS)
def test_augmentation_equals_a_plain_pytorch_loop(kind: str) -> None:
    recipe = replace(BASE, augment=KINDS[kind])
    stacked, data = trained(recipe), DATA.load()
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    for row, seed in enumerate(SEEDS):
        module = recipe.program().module(initial(recipe, [seed])[0])
        optimiser = torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9)
        order, generator = torch_generator("order", "training", seed), torch_generator("augmentation", "training", seed)
        for _ in range(recipe.epochs):
            for batch in torch.randperm(len(x), generator=order).split(16):
                optimiser.zero_grad()
                torch.nn.functional.cross_entropy(module(KINDS[kind](x[batch], generator)), y[batch]).backward()
                optimiser.step()
        flat = torch.cat([p.detach().flatten() for p in module.parameters()])
        torch.testing.assert_close(stacked[row], flat, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("recipe", [
    BASE, BASE.robust(Threat()), replace(BASE, epochs=12, until=Until("loss", 0.9)),
], ids=["standard", "robust", "until"])  # fmt: skip
def test_an_augmented_member_does_not_depend_on_who_shares_its_stack(recipe: Recipe) -> None:
    together = trained(recipe)
    for row, seed in enumerate(SEEDS):
        assert torch.equal(together[row], trained(recipe, (seed,))[0])


def test_an_augmentation_that_changes_nothing_changes_no_bit() -> None:
    assert torch.equal(trained(replace(BASE, augment=same)), trained(replace(BASE, augment=None)))


def test_the_code_of_an_augmentation_counts() -> None:
    assert mirrored in set(definitions(BASE))
    assert mirrored in set(definitions(replace(BASE, augment=KINDS["partial"])))
    assert Shift in set(definitions(replace(BASE, augment=Shift())))
    assert replace(BASE, augment=Shift(1.0)).key != replace(BASE, augment=Shift(2.0)).key


def same(inputs, generator):  # type: ignore[no-untyped-def]
    return inputs


def by_torch(inputs, generator):  # type: ignore[no-untyped-def]
    return inputs + torch.randn(inputs.shape)


def by_numpy(inputs, generator):  # type: ignore[no-untyped-def]
    return inputs * float(np.random.rand())  # noqa: NPY002 - what is to be refused


def by_python(inputs, generator):  # type: ignore[no-untyped-def]
    return inputs * random.random()


def by_the_system(inputs, generator):  # type: ignore[no-untyped-def]
    return inputs * float(np.random.default_rng().random())


def cut(inputs, generator):  # type: ignore[no-untyped-def]
    return inputs[:, :2]


def doubled(inputs, generator):  # type: ignore[no-untyped-def]
    return inputs.double()


def nothing(inputs, generator):  # type: ignore[no-untyped-def]
    inputs.mul_(2)


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        *((each, "draw everything from the generator") for each in (by_torch, by_numpy, by_python, by_the_system)),
        (cut, r"returned shape \(16, 2, 3\) of torch.float32 for inputs of shape \(16, 3, 3\)"),
        (doubled, "of torch.float64 for inputs"),
        (nothing, "returned NoneType for inputs.*return a tensor of the same shape"),
    ],
)
def test_what_is_no_augmentation_is_refused(augment, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RecipeError, match=message):
        trained(replace(BASE, augment=augment))


def test_a_lambda_has_no_name() -> None:
    with pytest.raises(RecipeError, match="a lambda has no name"):
        _ = replace(BASE, augment=lambda inputs, generator: inputs).key
