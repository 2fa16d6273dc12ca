"""Networks in train mode, stacked, against plain loops of torch with one member at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from harness.data.toy import ToyImages
from harness.networks import ModuleProgram, Program
from harness.networks.callers import batchable
from harness.recipe import SGD, AdamW, Architecture, Recipe, RecipeError, Threat, Until
from harness.streams import torch_generator
from harness.training.train import initial, train

DATA = ToyImages(train=90, test=30)
SEEDS = (0, 1, 5)
Build = Callable[[], nn.Module]


@dataclass(frozen=True)
class Network(Architecture):
    """A network by the function that builds it."""

    build: Build = field(compare=False)
    name: str = "network"

    def describe(self) -> str:
        return self.name

    def program(self, shape: tuple[int, ...], classes: int) -> Program:
        return ModuleProgram(self.build, classes)


def recipe_of(build: Build, **changed: Any) -> Recipe:
    return Recipe(DATA, Network(build), **({"optimiser": SGD(0.05, 0.9), "epochs": 3, "batch_size": 20} | changed))


def trained(recipe: Recipe, seeds: tuple[int, ...] = SEEDS) -> torch.Tensor:
    return train(recipe, DATA.load(), seeds)[recipe.epochs]


class AsWritten(TorchDispatchMode):
    """Torch fills the mask of a transposed tensor in the order of the memory; here every mask is filled as it is read."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if func is torch.ops.aten.bernoulli_.float and not args[0].is_contiguous():
            return args[0].copy_(torch.empty(args[0].shape).bernoulli_(args[1]))
        return func(*args, **(kwargs or {}))


def loop(recipe: Recipe, seed: int) -> dict[str, torch.Tensor]:
    """One member by an ordinary loop, dropout drawn from the global generator in the state of the member's stream."""
    data = DATA.load()
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    program = recipe.program()
    module = program.module(initial(recipe, [seed])[0]).train()
    free = [value for value in module.parameters() if value.requires_grad]
    rule = recipe.optimiser
    optimiser = (
        torch.optim.AdamW(free, lr=rule.learning_rate, weight_decay=rule.weight_decay, eps=rule.epsilon)
        if isinstance(rule, AdamW) else torch.optim.SGD(free, lr=rule.learning_rate, momentum=rule.momentum)
    )  # fmt: skip
    order = torch_generator("order", "training", seed)
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(torch_generator("dropout", "training", seed).get_state())
        for _ in range(recipe.epochs):
            for batch in torch.randperm(len(x), generator=order).split(recipe.batch_size):
                optimiser.zero_grad()
                with AsWritten():
                    nn.functional.cross_entropy(module(x[batch]), y[batch]).backward()
                optimiser.step()
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def assert_equals_a_plain_loop(recipe: Recipe, seeds: tuple[int, ...] = SEEDS) -> None:
    views = recipe.program().layout.views(trained(recipe, seeds))
    for row, seed in enumerate(seeds):
        for name, expected in loop(recipe, seed).items():
            torch.testing.assert_close(views[name][row], expected.detach().float(), rtol=2e-3, atol=2e-5)


class Depth(nn.Module):
    """Stochastic depth and noise, written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.block, self.last = nn.Linear(9, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x.flatten(1))
        if self.training:
            x = x + 0.1 * torch.randn_like(x)
            kept = (torch.rand(len(x), 1) < 0.7).float()
            x = x + torch.relu(self.block(x)) * kept / 0.7
            x = nn.functional.dropout(x, 0.2)
        else:
            x = x + torch.relu(self.block(x))
        return self.last(x)


class Average(nn.Module):
    """A buffer that forward assigns anew, and another that it changes in place."""

    centre: torch.Tensor
    count: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(9, 3)
        self.register_buffer("centre", torch.zeros(9))
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        if self.training:
            self.centre = 0.9 * self.centre + 0.1 * x.mean(0)
            self.count += 1
        return self.last(x - self.centre)


def flat(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), *layers)


def images(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Unflatten(1, (1, 3)), nn.Conv2d(1, 4, 3, padding=1), *layers, nn.Flatten(), nn.Linear(36, 3))


def frozen() -> nn.Module:
    network = flat(nn.Linear(9, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    for value in network[2].parameters():
        value.requires_grad_(False)
    return network


new_spectral, old_spectral = nn.utils.parametrizations.spectral_norm, nn.utils.spectral_norm
NETWORKS: dict[str, Build] = {
    "dropout": lambda: flat(nn.Dropout(0.1), nn.Linear(9, 12), nn.ReLU(), nn.Dropout(0.5), nn.Linear(12, 3)),
    "dropout in place": lambda: flat(nn.Linear(9, 12), nn.Dropout(0.5, inplace=True), nn.Tanh(), nn.Linear(12, 3)),
    "dropout of everything": lambda: flat(nn.Linear(9, 12), nn.ReLU(), nn.Dropout(1.0), nn.Linear(12, 3)),
    "dropout of channels": lambda: images(nn.Dropout2d(0.4), nn.ReLU()),
    "alpha dropout": lambda: flat(nn.Linear(9, 12), nn.SELU(), nn.AlphaDropout(0.3), nn.Linear(12, 3)),
    "batch norm": lambda: flat(nn.Linear(9, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 3)),
    "batch norm, other settings": lambda: images(nn.BatchNorm2d(4, eps=1e-3, momentum=0.3, affine=False), nn.ReLU()),
    "batch norm and dropout": lambda: images(nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2)),
    "layer norm and dropout": lambda: flat(nn.Linear(9, 12), nn.LayerNorm(12), nn.ReLU(), nn.Dropout(0.2), nn.Linear(12, 3)),
    "group norm and dropout": lambda: images(nn.GroupNorm(2, 4), nn.ReLU(), nn.Dropout(0.2)),
    "instance norm": lambda: images(nn.InstanceNorm2d(4, affine=True, track_running_stats=True), nn.ReLU()),
    "spectral norm": lambda: flat(new_spectral(nn.Linear(9, 12), n_power_iterations=2), nn.ReLU(), nn.Linear(12, 3)),
    "spectral norm by hooks": lambda: flat(old_spectral(nn.Linear(9, 12)), nn.ReLU(), nn.Linear(12, 3)),
    "transformer": lambda: nn.Sequential(
        nn.Linear(3, 4), nn.TransformerEncoderLayer(4, 2, 8, dropout=0.1, batch_first=True), nn.Flatten(), nn.Linear(12, 3)
    ),
    "stochastic depth": Depth,
    "buffers": Average,
    "frozen": frozen,
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_equals_a_plain_pytorch_loop(name: str) -> None:
    assert_equals_a_plain_loop(recipe_of(NETWORKS[name]))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_member_does_not_depend_on_who_shares_its_stack(name: str) -> None:
    recipe = recipe_of(NETWORKS[name])
    together = trained(recipe)
    for row, seed in enumerate(SEEDS):
        torch.testing.assert_close(together[row], trained(recipe, (seed,))[0], rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("name", ["transformer", "spectral norm by hooks", "batch norm and dropout"])
def test_robust_members_do_not_depend_on_who_shares_their_stack(name: str) -> None:
    recipe = recipe_of(NETWORKS[name], epochs=1).robust(Threat(steps=2))
    together = trained(recipe)
    for row, seed in enumerate(SEEDS):
        torch.testing.assert_close(together[row], trained(recipe, (seed,))[0], rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_instruments_look_at_trained_networks_in_eval_mode(name: str) -> None:
    recipe = recipe_of(NETWORKS[name])
    program, theta = recipe.program(), trained(recipe)
    x = torch.from_numpy(DATA.load().test_x)
    with batchable():
        logits = program.logits(program.layout.views(theta), x.movedim(0, -1)[None])
    for row in range(len(SEEDS)):
        module = program.module(theta[row])
        assert not module.training
        torch.testing.assert_close(logits[row].T, module(x).detach(), rtol=1e-3, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from(["dropout", "batch", "layer", "spectral", "group"]), min_size=1, max_size=4),
    st.floats(0.05, 0.9), st.floats(0.01, 1.0), st.integers(6, 16), st.sampled_from([15, 16, 45, 90]), st.booleans(),
)  # fmt: skip
def test_small_networks_of_all_kinds_equal_a_plain_loop(
    kinds: list[str], share: float, momentum: float, width: int, batch_size: int, decay: bool
) -> None:
    def build() -> nn.Module:
        layers: list[nn.Module] = []
        for number, kind in enumerate(kinds):
            linear: nn.Module = nn.Linear(9 if number == 0 else width, width)
            layers += [new_spectral(linear) if kind == "spectral" else linear, nn.Tanh()]
            layers += {
                "dropout": [nn.Dropout(share)], "batch": [nn.BatchNorm1d(width, momentum=momentum)], "spectral": [],
                "layer": [nn.LayerNorm(width)], "group": [nn.GroupNorm(1, width)],
            }[kind]  # fmt: skip
        return flat(*layers, nn.Linear(width, 3))

    rule = AdamW(0.003, weight_decay=0.1, epsilon=1e-4) if decay else SGD(0.02)
    assert_equals_a_plain_loop(recipe_of(build, batch_size=batch_size, epochs=1, optimiser=rule), (0, 7))


SAME_IN_BOTH: dict[str, Build] = {
    "layer norm": lambda: flat(nn.Linear(9, 12), nn.LayerNorm(12), nn.ReLU(), nn.Linear(12, 3)),
    "group norm": lambda: images(nn.GroupNorm(2, 4), nn.ReLU()),
    "dropout of nothing": lambda: flat(nn.Linear(9, 12), nn.Dropout(0.0), nn.ReLU(), nn.Linear(12, 3)),
    "constant buffer": lambda: flat(nn.Linear(9, 12), Scaled(), nn.Linear(12, 3)),
}


class Scaled(nn.Module):
    """A layer with a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x * self.scale)


@pytest.mark.parametrize("name", SAME_IN_BOTH)
def test_networks_without_such_layers_come_out_as_before_to_the_last_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop that trained them before there was a train mode."""
    recipe = recipe_of(SAME_IN_BOTH[name], optimiser=SGD(0.05))
    monkeypatch.setattr("harness.networks.training_mode.TrainingMode.loss_gradient", None)  # is not called
    program, theta, data = recipe.program(), initial(recipe, SEEDS), DATA.load()
    gradient = torch.zeros_like(theta)
    x, y = torch.from_numpy(data.train_x).movedim(0, -1), program.encode(torch.from_numpy(data.train_y))
    orders = [torch_generator("order", "training", seed) for seed in SEEDS]
    out = {key: value for key, value in program.layout.views(gradient).items() if key in program.scopes["all"]}
    for _ in range(recipe.epochs):
        order = torch.stack([torch.randperm(90, generator=each) for each in orders])
        for batch in order.split(20, dim=1):
            inputs, targets = (each[..., batch].movedim(-2, 0).contiguous() for each in (x, y))
            program.loss_gradient(program.layout.views(theta), inputs, targets, out, "cross_entropy")
            theta.sub_(gradient * 0.05)
    assert torch.equal(trained(recipe), theta)


def test_frozen_parameters_stay_and_the_others_move() -> None:
    for rule in (SGD(0.05, 0.9, weight_decay=0.1), AdamW(0.01, weight_decay=1.0)):
        recipe = recipe_of(frozen, optimiser=rule)
        layout = recipe.program().layout
        before, after = layout.views(initial(recipe, SEEDS)), layout.views(trained(recipe))
        for name in ("2.weight", "2.bias"):
            assert torch.equal(before[name], after[name])
        for name in ("1.weight", "1.bias", "4.weight", "4.bias", "2.running_mean"):
            assert not torch.equal(before[name], after[name])


def test_a_network_of_which_everything_is_frozen_is_refused() -> None:
    with pytest.raises(RecipeError, match="no parameter of network can be trained: all have requires_grad=False"):
        trained(recipe_of(lambda: flat(nn.Linear(9, 3)).requires_grad_(False)))


def test_dropout_acts() -> None:
    """Almost nothing gets through it, so that nothing is learnt; in eval mode it would be learnt in three epochs."""
    data = DATA.load()
    x, y = torch.from_numpy(data.test_x).movedim(0, -1), torch.from_numpy(data.test_y)

    def accuracy(share: float) -> float:
        recipe = recipe_of(lambda: flat(nn.Linear(9, 12), nn.ReLU(), nn.Dropout(share), nn.Linear(12, 3)), epochs=6)
        program = recipe.program()
        logits = program.logits(program.layout.views(trained(recipe)), x[None])
        return float((logits.argmax(1) == y).float().mean())

    assert accuracy(0.999) < 0.6 < 0.9 < accuracy(0.0)


def test_dropout_of_finetuning_is_another_stream_and_its_start_the_parents_end() -> None:
    recipe = recipe_of(NETWORKS["batch norm and dropout"])
    tuned = recipe.finetuned(Threat(), epochs=1)
    start = trained(recipe)
    after = train(tuned, DATA.load(), SEEDS, start=start)[1]
    counter = recipe.program().layout.views(after)["2.num_batches_tracked"]
    assert counter.tolist() == [20, 20, 20]  # 3 epochs of 5 batches, and one more


def test_members_that_stop_keep_their_statistics_and_the_others_theirs() -> None:
    recipe = recipe_of(NETWORKS["batch norm and dropout"], epochs=12, until=Until("loss", 0.35), optimiser=SGD(0.05))
    together = trained(recipe)
    counts = recipe.program().layout.views(together)["2.num_batches_tracked"]
    assert len(set(counts.tolist())) > 1, "all members stopped at once, so that nothing was seen"
    for row, seed in enumerate(SEEDS):
        torch.testing.assert_close(together[row], trained(recipe, (seed,))[0], rtol=2e-3, atol=2e-5)


def test_the_attack_in_training_looks_at_the_network_in_eval_mode() -> None:
    """One batch an epoch, all of it adversarial: the attack by hand on a module in eval mode, the step in train mode."""
    threat = Threat("linf", 1.0, steps=2, random_start=False)
    recipe = replace(recipe_of(NETWORKS["batch norm"], optimiser=SGD(0.1), batch_size=90, epochs=2).robust(threat, share=1.0))
    data, views = DATA.load(), recipe.program().layout.views(trained(recipe))
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    for row, seed in enumerate(SEEDS):
        module = recipe.program().module(initial(recipe, [seed])[0])
        optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
        for _ in range(recipe.epochs):
            module.eval()
            delta = torch.zeros_like(x)
            for _ in range(2):
                moved = (x + delta).requires_grad_()
                (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(module(moved), y), moved)
                delta = (delta + 1.25 * gradient.sign()).clamp(-1, 1)
            module.train()
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(x + delta), y).backward()
            optimiser.step()
        for name, expected in {**dict(module.named_parameters()), **dict(module.named_buffers())}.items():
            torch.testing.assert_close(views[name][row], expected.detach().float(), rtol=2e-3, atol=2e-5)


class Noisy(nn.Module):
    """Draws in forward, by a function."""

    def __init__(self, draw: Callable[[torch.Tensor], Any], *, always: bool = False) -> None:
        super().__init__()
        self.last, self.draw, self.always = nn.Linear(9, 3), draw, always

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        return self.last(x * self.draw(x) if self.training or self.always else x)


OWN = torch.Generator()
REFUSED: dict[str, tuple[Build, str]] = {
    "no running statistics": (
        lambda: flat(nn.Linear(9, 8), nn.BatchNorm1d(8, track_running_stats=False), nn.Linear(8, 3)),
        "for one point depends on the other points of the batch.*2, a BatchNorm1d",
    ),
    "average over all batches": (
        lambda: flat(nn.Linear(9, 8), nn.BatchNorm1d(8, momentum=None), nn.Linear(8, 3)),
        "2 of Sequential, a BatchNorm1d, cannot be trained.*give it a momentum",
    ),
    "no rule for a stack": (
        lambda: flat(nn.Linear(9, 8), nn.RReLU(), nn.Linear(8, 3)), "2 of Sequential, a RReLU, cannot be trained in a stack",
    ),
    "numpy": (
        lambda: Noisy(lambda x: float(np.random.rand())),  # noqa: NPY002 - what is to be refused
        "Noisy draws random numbers in forward from numpy, Python or the system",
    ),
    "the system": (lambda: Noisy(lambda x: float(np.random.default_rng().random())), "from numpy, Python or the system"),
    "its own generator": (
        lambda: Noisy(lambda x: torch.rand(x.shape, generator=OWN)), "Noisy cannot be trained.*leave the generator out"
    ),
    "a permutation": (lambda: Noisy(lambda x: x[torch.randperm(len(x))]), "Noisy.*randperm.*use torch.rand"),
    "in eval mode, too": (lambda: Noisy(torch.rand_like, always=True), "Noisy cannot.*only where self.training"),
    "a coin": (lambda: Noisy(lambda x: 1.0 if torch.rand(()) < 0.5 else 2.0), "Noisy, a Noisy, cannot.*control flow"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trained_is_refused_with_its_name(name: str) -> None:
    build, message = REFUSED[name]
    with pytest.raises(RecipeError, match=message):
        trained(recipe_of(build))


def test_a_single_point_left_over_is_refused_before_training() -> None:
    recipe = recipe_of(NETWORKS["batch norm"], batch_size=89)
    with pytest.raises(RecipeError, match=r"2 of Sequential, a BatchNorm1d, .*on batches of 1 points: a single point has no"):
        trained(recipe)


def test_training_leaves_the_random_numbers_of_the_process_alone() -> None:
    before = torch.get_rng_state()
    trained(recipe_of(NETWORKS["stochastic depth"]))
    assert torch.equal(torch.get_rng_state(), before)
