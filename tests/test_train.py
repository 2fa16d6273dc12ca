"""Stacked training against a plain loop, and what each regime promises."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from harness.data.toy import ToyImages
from harness.models import encode
from harness.models.ascent import ascend, norms, random_start
from harness.recipe import MLP, SGD, Module, Recipe, RecipeError, Threat
from harness.streams import torch_generator
from harness.train import initial, train

DATA = ToyImages(train=90, test=30)
BASE = Recipe(DATA, MLP((8, 8)), epochs=3, batch_size=16)
SEEDS = (0, 1, 2, 5)


def trained(recipe: Recipe, seeds: tuple[int, ...] = SEEDS, start: torch.Tensor | None = None) -> torch.Tensor:
    return train(recipe, DATA.load(), seeds, start=start)[recipe.epochs]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_equals_a_plain_pytorch_loop(momentum: float) -> None:
    recipe = replace(BASE, optimiser=SGD(0.05, momentum))
    stacked, data = trained(recipe), DATA.load()
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    for row, seed in enumerate(SEEDS):
        module = recipe.program().module(initial(recipe, [seed])[0])
        optimiser = torch.optim.SGD(module.parameters(), lr=0.05, momentum=momentum)
        order = torch_generator("order", "training", seed)
        for _ in range(recipe.epochs):
            for batch in torch.randperm(len(x), generator=order).split(16):
                optimiser.zero_grad()
                torch.nn.functional.cross_entropy(module(x[batch]), y[batch]).backward()
                optimiser.step()
        flat = torch.cat([p.detach().flatten() for p in module.parameters()])
        torch.testing.assert_close(stacked[row], flat, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("recipe", [BASE, BASE.robust(Threat())], ids=["standard", "robust"])
def test_a_member_does_not_depend_on_who_shares_its_stack(recipe: Recipe) -> None:
    together = trained(recipe)
    for row, seed in enumerate(SEEDS):
        assert torch.equal(together[row], trained(recipe, (seed,))[0])
    assert torch.equal(together.flip(0), trained(recipe, SEEDS[::-1]))


def test_regimes_of_one_seed_are_pairs_and_finetuning_continues() -> None:
    start = initial(BASE, SEEDS)
    assert torch.equal(start, initial(BASE.robust(Threat()), SEEDS))
    tuned = BASE.finetuned(Threat(), epochs=1)
    parent = trained(BASE)
    assert not torch.equal(trained(tuned, start=parent), parent)
    untouched = replace(tuned, epochs=0)
    assert torch.equal(trained(untouched, start=parent), parent)


def test_checkpoints_are_what_shorter_training_gives() -> None:
    kept = train(replace(BASE, checkpoints=(0, 2)), DATA.load(), SEEDS)
    assert sorted(kept) == [0, 2, 3]
    assert torch.equal(kept[0], initial(BASE, SEEDS))
    assert torch.equal(kept[2], trained(replace(BASE, epochs=2)))


def test_rows_stay_in_the_lazy_ball_and_the_second_layer_stays_fixed() -> None:
    network = Module("harness.models.lazy:lazy_network", "lazy", {"width": 12})
    data = replace_classes()
    recipe = Recipe(data, network, optimiser=SGD(8.0, row_radius=0.3), epochs=2, batch_size=8)
    start = initial(recipe, SEEDS)
    program, end = recipe.program(), train(recipe, data.load(), SEEDS)[2]
    before, after = program.layout.views(start), program.layout.views(end)
    moved = (after["first"] - before["first"]).norm(dim=2)
    assert moved.max() <= 0.3 * (1 + 1e-5)
    assert moved.max() > 0.29
    assert torch.equal(before["second"], after["second"])


class TwoClasses(ToyImages):
    """The toy images with the third class merged into the second."""

    @property
    def classes(self) -> int:
        return 2

    def load(self):  # type: ignore[no-untyped-def]
        data = super().load()
        return replace(data, train_y=data.train_y.clip(max=1), test_y=data.test_y.clip(max=1), classes=2)


def replace_classes() -> TwoClasses:
    return TwoClasses(train=48, test=12)


def test_divergence_names_the_seeds() -> None:
    with pytest.raises(RuntimeError, match=r"2x8 standard diverged for seeds \[0, 1, 2, 5\].*learning rate"):
        trained(replace(BASE, optimiser=SGD(1e20)))


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("bounds", [None, (-0.5, 1.5)])
def test_ascent_never_leaves_its_ball_nor_the_bounds(norm: str, bounds: tuple[float, float] | None) -> None:
    program, theta = BASE.program(), initial(BASE, SEEDS)
    data = DATA.load()
    x = torch.from_numpy(data.test_x).movedim(0, -1).clamp(-0.5, 1.5).expand(4, -1, -1, -1).contiguous()
    y = encode(torch.from_numpy(data.test_y), 3).expand(4, -1, -1).contiguous()
    radius = torch.linspace(0.1, 3, 30).expand(4, -1)
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    start = random_start(x.shape, radius, norm, generators)
    assert bool((norms(start, norm) <= radius * (1 + 1e-5)).all())
    delta = ascend(program, program.layout.views(theta), x, y, delta=start.clone(), radius=radius,
                   step_sizes=[0.7] * 5, norm=norm, bounds=bounds)
    assert bool((norms(delta, norm) <= radius * (1 + 1e-5)).all())
    views = program.layout.views(theta)
    assert bool((program.loss(views, x + delta, y) > program.loss(views, x, y)).all())
    if bounds is not None:
        # up to one rounding of the sum in single precision
        assert (x + delta).min() >= bounds[0] - 1e-7
        assert (x + delta).max() <= bounds[1] + 2e-7


def test_random_starts_fill_the_ball_uniformly() -> None:
    radius = torch.ones(1, 20000)
    for norm, dimension in (("linf", 2), ("l2", 2)):
        start = random_start((1, dimension, 20000), radius, norm, [torch.Generator().manual_seed(0)])
        share = (norms(start, norm) < 0.5).float().mean().item()
        # P(size < 1/2) = 2^-2 for both balls in two dimensions; four standard errors of a share of 20,000
        assert share == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 20000))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLP(()), r"MLP has hidden=\(\); it has to be one positive whole number"),
        (lambda: MLP((8, 0)), r"hidden=\(8, 0\)"),
        (lambda: Threat(epsilon=-1), "Threat has epsilon=-1; it has to be above 0"),
        (lambda: Threat(norm="l1"), "norm='l1'; it has to be 'linf' or 'l2'"),
        (lambda: SGD(0), "learning_rate=0"),
        (lambda: SGD(row_radius=0), "row_radius=0; it has to be None or above 0"),
        (lambda: replace(BASE, epochs=-1), "epochs=-1; it has to be 0 or more"),
        (lambda: replace(BASE, batch_size=0), "batch_size=0"),
        (lambda: replace(BASE, checkpoints=(9,)), "checkpoints.*from 0 to the last, 3"),
        (lambda: Module("nowhere", "x"), "package.module:function"),
        (lambda: Module("harness.nowhere:f", "x").function(), "cannot be imported"),
        (lambda: replace(BASE, parent=replace(BASE, architecture=MLP((4,)))), "parent"),
    ],
)
def test_impossible_recipes_say_what_is_allowed(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RecipeError, match=message):
        make()


def test_one_changed_line_is_another_recipe_and_a_repeated_one_is_not() -> None:
    assert replace(BASE).key == BASE.key
    changed = [replace(BASE, epochs=4), BASE.robust(Threat()), BASE.robust(Threat(steps=8)), replace(BASE, batch_size=8),
               replace(BASE, data=replace(DATA, noise=2.0)), BASE.finetuned(Threat(), epochs=3)]
    assert len({recipe.key for recipe in [BASE, *changed]}) == 7
