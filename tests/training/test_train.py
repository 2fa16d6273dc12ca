"""Stacked training against a plain loop, and what each regime promises."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.optim import lr_scheduler

from harness.data import RandomLabels
from harness.data.toy import ToyImages
from harness.networks import MLPProgram, encode, memory
from harness.networks.ascent import ascend, norms, random_start
from harness.networks.memory import MemoryShortfall
from harness.recipe import MLP, SGD, Adam, AdamW, Cosine, Module, Recipe, RecipeError, StepDecay, Threat, Until, WarmUp
from harness.spec import digest
from harness.streams import torch_generator
from harness.training.train import initial, memory_needed, train

DATA = ToyImages(train=90, test=30)
BASE = Recipe(DATA, MLP((8, 8)), epochs=3, batch_size=16)
SEEDS = (0, 1, 2, 5)


def trained(recipe: Recipe, seeds: tuple[int, ...] = SEEDS, start: torch.Tensor | None = None) -> torch.Tensor:
    return train(recipe, DATA.load(), seeds, start=start)[recipe.epochs]


RULES = {
    "sgd": (SGD(0.05), torch.optim.SGD, {"lr": 0.05}),
    "momentum": (SGD(0.05, 0.9), torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    "adam": (Adam(0.01), torch.optim.Adam, {"lr": 0.01}),
    "adam, other settings": (Adam(0.02, 0.8, 0.95, 1e-4), torch.optim.Adam, {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-4}),
    "sgd, decay": (SGD(0.05, weight_decay=0.2), torch.optim.SGD, {"lr": 0.05, "weight_decay": 0.2}),
    "nesterov, decay": (
        SGD(0.05, 0.9, weight_decay=0.1, nesterov=True), torch.optim.SGD,
        {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True},
    ),
    "adam, decay": (Adam(0.01, weight_decay=0.3), torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.3}),
    "adamw": (AdamW(0.01), torch.optim.AdamW, {"lr": 0.01}),
    "adamw, other decay": (AdamW(0.01, weight_decay=2.0), torch.optim.AdamW, {"lr": 0.01, "weight_decay": 2.0}),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_equals_a_plain_pytorch_loop(rule: str) -> None:
    ours, theirs, settings = RULES[rule]
    recipe = replace(BASE, optimiser=ours)
    stacked, data = trained(recipe), DATA.load()
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    for row, seed in enumerate(SEEDS):
        module = recipe.program().module(initial(recipe, [seed])[0])
        optimiser = theirs(module.parameters(), **settings)
        order = torch_generator("order", "training", seed)
        for _ in range(recipe.epochs):
            for batch in torch.randperm(len(x), generator=order).split(16):
                optimiser.zero_grad()
                torch.nn.functional.cross_entropy(module(x[batch]), y[batch]).backward()
                optimiser.step()
        flat = torch.cat([p.detach().flatten() for p in module.parameters()])
        torch.testing.assert_close(stacked[row], flat, rtol=1e-4, atol=1e-6)


SCHEDULES = {
    "step": (StepDecay(1, 0.5), lambda optimiser: lr_scheduler.StepLR(optimiser, 1, 0.5)),
    "cosine": (Cosine(), lambda optimiser: lr_scheduler.CosineAnnealingLR(optimiser, 3)),
    "cosine by steps": (Cosine(per="step"), lambda optimiser: lr_scheduler.CosineAnnealingLR(optimiser, 18)),
    "warm-up by steps": (WarmUp(7, 0.1, per="step"), lambda optimiser: lr_scheduler.LinearLR(optimiser, 0.1, 1.0, 7)),
}


@pytest.mark.parametrize("rule", ["momentum", "adamw"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_equals_a_plain_pytorch_loop(name: str, rule: str) -> None:
    (ours, theirs, settings), (schedule, scheduler_of) = RULES[rule], SCHEDULES[name]
    recipe = replace(BASE, optimiser=ours, schedule=schedule)
    stacked, data = trained(recipe), DATA.load()
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    for row, seed in enumerate(SEEDS):
        module = recipe.program().module(initial(recipe, [seed])[0])
        optimiser = theirs(module.parameters(), **settings)
        scheduler, order = scheduler_of(optimiser), torch_generator("order", "training", seed)
        for _ in range(recipe.epochs):
            for batch in torch.randperm(len(x), generator=order).split(16):
                optimiser.zero_grad()
                torch.nn.functional.cross_entropy(module(x[batch]), y[batch]).backward()
                optimiser.step()
                if schedule.per == "step":
                    scheduler.step()
            if schedule.per == "epoch":
                scheduler.step()
        flat = torch.cat([p.detach().flatten() for p in module.parameters()])
        torch.testing.assert_close(stacked[row], flat, rtol=1e-4, atol=1e-6)


def test_weight_decay_leaves_constants_and_what_is_frozen() -> None:
    network = Module("fixtures.lazy.networks:lazy_network", "lazy", {"width": 12})
    data = replace_classes()
    for rule in (SGD(0.1, weight_decay=0.5), Adam(0.1, weight_decay=0.5), AdamW(0.1, weight_decay=0.5)):
        recipe = Recipe(data, network, optimiser=rule, epochs=2, batch_size=8)
        program, end = recipe.program(), train(recipe, data.load(), SEEDS)[2]
        before, after = program.layout.views(initial(recipe, SEEDS)), program.layout.views(end)
        assert torch.equal(before["second"], after["second"])
        assert not torch.equal(before["first"], after["first"])


def test_sgd_is_this_loop_to_the_last_bit() -> None:
    """Other optimisers and stopping rules change nothing of what a recipe without them gives."""
    program, theta, data = BASE.program(), initial(BASE, SEEDS), DATA.load()
    gradient = torch.zeros_like(theta)
    x, y = torch.from_numpy(data.train_x).movedim(0, -1), encode(torch.from_numpy(data.train_y), 3)
    orders = [torch_generator("order", "training", seed) for seed in SEEDS]
    for _ in range(BASE.epochs):
        order = torch.stack([torch.randperm(90, generator=each) for each in orders])
        for batch in order.split(16, dim=1):
            inputs = x[..., batch].movedim(-2, 0).contiguous()
            targets = y[..., batch].movedim(-2, 0).contiguous()
            program.loss_gradient(program.layout.views(theta), inputs, targets, program.layout.views(gradient), "cross_entropy")
            theta.sub_(gradient * BASE.optimiser.learning_rate)
    assert torch.equal(trained(BASE), theta)


REAL = Recipe(RandomLabels(40, 6), MLP((30,)), optimiser=Adam(0.02), epochs=6, batch_size=16, loss="mse")


def test_least_squares_on_real_targets_equals_a_plain_pytorch_loop() -> None:
    data = REAL.data.load()
    stacked = train(REAL, data, SEEDS)[6]
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    assert y.shape == (40, 1)
    for row, seed in enumerate(SEEDS):
        module = REAL.program().module(initial(REAL, [seed])[0])
        optimiser = torch.optim.Adam(module.parameters(), lr=0.02)
        order = torch_generator("order", "training", seed)
        for _ in range(REAL.epochs):
            for batch in torch.randperm(40, generator=order).split(16):
                optimiser.zero_grad()
                (torch.nn.functional.mse_loss(module(x[batch]), y[batch]) / 2).backward()
                optimiser.step()
        flat = torch.cat([p.detach().flatten() for p in module.parameters()])
        torch.testing.assert_close(stacked[row], flat, rtol=1e-3, atol=1e-5)


def value_of(recipe: Recipe, theta: torch.Tensor) -> torch.Tensor:
    """What the recipe trains until, member by member."""
    data, program, until = recipe.data.load(), recipe.program(), recipe.until
    assert until is not None
    x, y = torch.from_numpy(data.train_x).movedim(0, -1), program.encode(torch.from_numpy(data.train_y))
    views = program.layout.views(theta)
    logits = program.logits(views, x.expand(len(theta), *x.shape))
    if until.quantity == "residual":
        return (logits - y).abs().amax((1, 2))
    if until.quantity == "loss":
        return program.loss(views, x[None], y[None], recipe.loss)
    return (logits.argmax(1) == y.argmax(0)).float().mean(1)


STOPPING = {
    "residual": replace(REAL, epochs=400, batch_size=40, until=Until("residual", 0.3)),
    "loss": replace(BASE, optimiser=Adam(0.01), epochs=40, until=Until("loss", 0.2)),
    "accuracy": replace(BASE, optimiser=Adam(0.01), epochs=40, until=Until("accuracy", 0.9, every=2)),
}


@pytest.mark.parametrize("quantity", STOPPING)
def test_a_member_that_has_reached_it_is_frozen_and_the_others_go_on(quantity: str) -> None:
    recipe = STOPPING[quantity]
    every = recipe.until.every
    looks = tuple(range(every, recipe.epochs, every))
    followed = replace(recipe, checkpoints=looks)
    kept = train(followed, recipe.data.load(), SEEDS)
    free = train(replace(followed, until=None), recipe.data.load(), SEEDS)
    ended = []
    for row in range(len(SEEDS)):
        values = [float(value_of(recipe, free[epoch])[row]) for epoch in looks]
        met = [value >= 0.9 if quantity == "accuracy" else value < recipe.until.threshold for value in values]
        end = looks[met.index(True)]
        ended.append(end)
        for epoch in (*looks, recipe.epochs):
            assert torch.equal(kept[epoch][row], free[min(epoch, end)][row])
    assert len(set(ended)) > 1, "all members stopped at once, so that nothing was seen"
    assert max(ended) < recipe.epochs


@pytest.mark.parametrize("quantity", STOPPING)
def test_stopping_does_not_depend_on_who_shares_the_stack(quantity: str) -> None:
    recipe = STOPPING[quantity]
    together = train(recipe, recipe.data.load(), SEEDS)[recipe.epochs]
    for row, seed in enumerate(SEEDS):
        assert torch.equal(together[row], train(recipe, recipe.data.load(), (seed,))[recipe.epochs][0])


@pytest.mark.parametrize("quantity", STOPPING)
@pytest.mark.parametrize("points", [1, 16, 100])
def test_a_look_at_some_points_at_a_time_decides_as_one_at_all_of_them(quantity: str, points: int, monkeypatch) -> None:
    recipe = STOPPING[quantity]
    whole = train(recipe, recipe.data.load(), SEEDS)[recipe.epochs]
    monkeypatch.setattr("harness.training.train.POINTS_PER_LOOK", points)
    assert torch.equal(train(recipe, recipe.data.load(), SEEDS)[recipe.epochs], whole)


def test_a_look_ends_where_no_member_can_have_reached_it(monkeypatch) -> None:
    recipe, seen = replace(BASE, epochs=2, until=Until("loss", 1e-9)), []
    monkeypatch.setattr("harness.training.train.POINTS_PER_LOOK", 8)
    forward = MLPProgram.logits
    monkeypatch.setattr(MLPProgram, "logits", lambda *given: seen.append(given[2].shape[-1]) or forward(*given))
    train(recipe, recipe.data.load(), SEEDS)
    assert seen == [8]


def test_a_member_that_never_reaches_it_takes_all_epochs() -> None:
    never = replace(BASE, until=Until("loss", 1e-9))
    assert torch.equal(trained(never), trained(BASE))


def test_a_stack_that_does_not_fit_says_so_before_it_starts(monkeypatch, tmp_path) -> None:
    needed = memory_needed(REAL, REAL.data.load(), 4)
    assert needed == 4 * 4 * (6 * REAL.program().layout.total + 16 * (3 * 31 + 2 * 6))
    monkeypatch.setattr(memory, "available_memory", lambda device: needed)
    assert 6 in train(REAL, REAL.data.load(), SEEDS)
    monkeypatch.setattr(memory, "available_memory", lambda device: 2**10)
    with pytest.raises(MemoryShortfall, match=r"training 4 × 1x30 standard needs 0\.0 GiB of memory on cpu and"):
        train(REAL, REAL.data.load(), SEEDS)
    monkeypatch.undo()
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "absent")
    assert memory.available_memory() is None
    memory.require_memory(2**60, "anything")  # a system that does not say refuses nothing
    (tmp_path / "absent").write_text("MemTotal: 9 kB\nMemAvailable:     2048 kB\n")
    assert memory.available_memory() == 2**21


@pytest.mark.parametrize(
    "recipe", [BASE, BASE.robust(Threat()), replace(BASE, optimiser=Adam())], ids=["standard", "robust", "adam"]
)
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
    network = Module("fixtures.lazy.networks:lazy_network", "lazy", {"width": 12})
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
    delta = ascend(
        program,
        program.layout.views(theta),
        x,
        y,
        delta=start.clone(),
        radius=radius,
        step_sizes=[0.7] * 5,
        norm=norm,
        bounds=bounds,
    )
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
        (lambda: Adam(0), "learning_rate=0"),
        (lambda: Adam(beta1=1), "beta1=1; it has to be at least 0 and below 1"),
        (lambda: Adam(beta2=-0.1), "beta2=-0.1"),
        (lambda: Adam(epsilon=0), "Adam has epsilon=0; it has to be above 0"),
        (lambda: Until("gradient", 1), "quantity='gradient'; it has to be 'residual', 'loss' or 'accuracy'"),
        (lambda: Until("loss", 0), "threshold=0; it has to be above 0"),
        (lambda: Until("accuracy", 1.1), "threshold=1.1; it has to be at most 1 for an accuracy"),
        (lambda: Until("loss", 1, every=0), "every=0"),
        (lambda: replace(BASE, loss="hinge"), "loss='hinge'; it has to be 'cross_entropy' or 'mse'"),
        (lambda: replace(REAL, loss="cross_entropy"), "it has to be 'mse' for data with real targets"),
        (lambda: REAL.robust(Threat()), "it has to be standard for data with real targets"),
        (lambda: replace(REAL, until=Until("accuracy", 1)), "until=.*for data with real targets"),
        (lambda: replace(BASE, epochs=-1), "epochs=-1; it has to be a whole number, 0 or more"),
        (lambda: replace(BASE, batch_size=0), "batch_size=0"),
        (lambda: replace(BASE, batch_size=True), "batch_size=True; it has to be a whole number, 1 or more"),
        (lambda: replace(BASE, epochs="10"), "epochs='10'; it has to be a whole number"),
        (lambda: replace(BASE, epochs=2.5), "epochs=2.5; it has to be a whole number"),
        (lambda: replace(BASE, checkpoints=[0]), r"checkpoints=\[0\]; it has to be a tuple of epochs"),
        (lambda: replace(BASE, checkpoints=(0.5,)), r"checkpoints=\(0.5,\)"),
        (lambda: replace(BASE, optimiser="adam"), r"optimiser='adam'.*of harness.recipe: write optimiser=Adam\(0.001\)"),
        (lambda: replace(BASE, optimiser="AdamW"), r"write optimiser=AdamW\(0.001\)"),
        (lambda: replace(BASE, optimiser=torch.optim.SGD), r"write optimiser=SGD\(0.01\)"),
        (lambda: replace(BASE, data="mnist"), "data='mnist'; it has to be a DataSpec"),
        (lambda: replace(BASE, architecture=torch.nn.Linear(2, 2)), "architecture=.*; it has to be an Architecture"),
        (lambda: replace(BASE, regime="robust"), r"regime='robust'.*write recipe.robust\(Threat"),
        (lambda: replace(BASE, until=0.1), "until=0.1"),
        (lambda: replace(BASE, parent="standard"), "parent='standard'; it has to be None or a Recipe"),
        (lambda: replace(BASE, schedule="cosine"), r"schedule='cosine'.*Cosine\(…\)"),
        (lambda: replace(BASE, augment="flip"), "augment='flip'; it has to be None or a function of"),
        (lambda: SGD(learning_rate="0.1"), "learning_rate='0.1'; it has to be a number above 0"),
        (lambda: SGD(math.nan), "learning_rate=nan"),
        (lambda: SGD(weight_decay=-0.1), "weight_decay=-0.1; it has to be a number from 0"),
        (lambda: SGD(nesterov=True), "nesterov=True; it has to be False where momentum is 0"),
        (lambda: AdamW(weight_decay=None), "AdamW has weight_decay=None"),
        (lambda: Threat(steps=2.5), "steps=2.5"),
        (lambda: MLP([8]), r"hidden=\[8\]"),
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
    changed = [
        replace(BASE, epochs=4),
        BASE.robust(Threat()),
        BASE.robust(Threat(steps=8)),
        replace(BASE, batch_size=8),
        replace(BASE, data=replace(DATA, noise=2.0)),
        BASE.finetuned(Threat(), epochs=3),
    ]
    assert len({recipe.key for recipe in [BASE, *changed]}) == 7
    later = [
        replace(BASE, optimiser=Adam()),
        replace(BASE, loss="mse"),
        replace(BASE, until=Until("loss", 0.1)),
        replace(BASE, until=Until("loss", 0.2)),
        replace(BASE, until=Until("accuracy", 0.1)),
        replace(BASE, optimiser=AdamW()),
        replace(BASE, optimiser=AdamW(weight_decay=0.0)),
        replace(BASE, optimiser=SGD(weight_decay=0.1)),
        replace(BASE, schedule=Cosine()),
        replace(BASE, augment=mirrored),
    ]
    assert len({recipe.key for recipe in [BASE, *changed, *later]}) == 17


def test_recipes_keep_the_names_that_they_had_before_losses_and_stopping_rules() -> None:
    assert [recipe.key for recipe in (BASE, BASE.robust(Threat()), BASE.finetuned(Threat(), epochs=2))] == [
        "70591875303c84cd", "45fff5bb15fc4c80", "164f0f1533fc4c32"
    ]  # fmt: skip


def mirrored(inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return inputs.flip(-1)


def test_a_batch_may_be_larger_than_the_data_and_is_all_of_it() -> None:
    """As with torch's DataLoader."""
    whole, larger = (trained(replace(BASE, batch_size=size, epochs=2)) for size in (90, 91))
    torch.testing.assert_close(larger[2], whole[2], rtol=0, atol=0)


def test_moving_the_function_of_a_module_draws_no_other_networks():
    """Where code stands is no part of what is drawn: initial values, and whatever a recipe's streams are named after."""
    here = Module("own_networks:quadratic_module", "net")
    moved = Module("elsewhere:quadratic_module", "net", moved_from="own_networks:quadratic_module")
    assert digest(moved.drawn()) == digest(here.drawn()) == digest(here)
    assert digest(moved) != digest(here)
    one, two = (Recipe(ToyImages(train=24), architecture) for architecture in (here, moved))
    assert one.key != two.key
    assert one.drawn_key == two.drawn_key == one.key
    child, other = (each.robust(Threat(epsilon=0.5, steps=1)) for each in (one, two))
    assert child.drawn_key == other.drawn_key
    with pytest.raises(RecipeError, match="moved_from"):
        Module("own_networks:quadratic_module", "net", moved_from="nowhere")
