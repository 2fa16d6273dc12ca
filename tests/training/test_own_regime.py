"""Training regimes that the library does not know: trained stacked, named, measured, judged, finetuned from."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from own_networks import Quadratics
from regimes import Focal, NoisyInputs, SmoothLabels

from harness import Accuracy, PairedDifference, Recipe, Store, Threat, ToyImages, judge
from harness.recipe import MLP, STANDARD, Adversarial, Architecture, Module, RecipeError, Regime, TrainingStep
from harness.spec import describe
from harness.store.names import member_key
from harness.streams import torch_generator
from harness.training.train import initial, train

DATA = ToyImages(train=96, test=30)
BASE = Recipe(DATA, MLP((8, 8)), epochs=3, batch_size=16)
NETWORKS = [MLP((8, 8)), Module("own_networks:curved", "module"), Module("own_networks:normed", "train mode"), Quadratics(5)]
OWN = [NoisyInputs(0.5), SmoothLabels(0.2), Focal(2.0)]
EACH = pytest.mark.parametrize("regime", OWN, ids=lambda regime: regime.name)


def trained(recipe: Recipe, seeds: tuple[int, ...], **more: object) -> torch.Tensor:
    return train(recipe, DATA.load(), seeds, **more)[recipe.epochs]  # type: ignore[arg-type]


def plain_loss(
    regime: Regime, module: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """The same in torch as one would write it for one network."""
    cross_entropy = torch.nn.functional.cross_entropy
    if isinstance(regime, NoisyInputs):
        noise = torch.randn(*x.shape[1:], len(x), generator=generator).movedim(-1, 0)
        return cross_entropy(module(x + regime.sigma * noise), y)
    if isinstance(regime, SmoothLabels):
        return cross_entropy(module(x), y, label_smoothing=regime.share)
    assert isinstance(regime, Focal)
    losses = cross_entropy(module(x), y, reduction="none")
    return ((1 - torch.exp(-losses)) ** regime.gamma * losses).mean()


@EACH
@pytest.mark.parametrize("architecture", NETWORKS, ids=lambda architecture: architecture.name)
def test_equals_a_plain_pytorch_loop(regime: Regime, architecture: Architecture) -> None:
    recipe, data, seeds = replace(BASE, architecture=architecture).under(regime), DATA.load(), (0, 3)
    stacked = train(recipe, data, seeds)[recipe.epochs]
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    for row, seed in enumerate(seeds):
        module = recipe.program().module(initial(recipe, [seed])[0]).train()
        optimiser = torch.optim.SGD(module.parameters(), lr=recipe.optimiser.learning_rate)
        order, own = torch_generator("order", "training", seed), torch_generator("training attack", "training", seed)
        for _ in range(recipe.epochs):
            for batch in torch.randperm(len(x), generator=order).split(16):
                optimiser.zero_grad()
                plain_loss(regime, module, x[batch], y[batch], own).backward()
                optimiser.step()
        state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        flat = torch.cat([state[name].detach().flatten() for name in recipe.program().layout.names])
        torch.testing.assert_close(stacked[row], flat, rtol=1e-4, atol=1e-5)


@EACH
@given(seeds=st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True))
@settings(max_examples=8, deadline=None)
def test_a_member_is_the_same_whoever_shares_its_stack(regime: Regime, seeds: list[int]) -> None:
    recipe = BASE.under(regime)
    assert torch.equal(trained(recipe, tuple(seeds))[0], trained(recipe, (seeds[0],))[0])


@EACH
def test_it_is_another_network_and_a_pair_with_the_standard_one(regime: Regime) -> None:
    recipe = BASE.under(regime)
    assert recipe.key != BASE.key
    assert recipe.name == f"2x8 {regime.name}"
    assert not torch.equal(trained(recipe, (0,)), trained(BASE, (0,)))
    assert torch.equal(trained(replace(recipe, epochs=0), (0,)), trained(replace(BASE, epochs=0), (0,)))


def test_regimes_that_are_there_have_the_names_that_they_had() -> None:
    threat = {"type": "Threat", "norm": "linf", "epsilon": 2.0, "steps": 7, "relative_step": 2.5, "random_start": True}
    robust = describe(BASE.robust(Threat()).regime)
    assert describe(STANDARD) == {"type": "Regime", "name": "standard", "adversarial_share": 0.0, "threat": None}
    assert robust == {"type": "Regime", "name": "robust", "adversarial_share": 0.5, "threat": threat}
    assert describe(BASE.finetuned(Threat(), epochs=2).regime)["adversarial_share"] == 1.0


def test_finetuning_from_it_and_into_it() -> None:
    noisy = BASE.under(NoisyInputs(0.5))
    after = noisy.finetuned(Threat("linf", 0.5, 2), epochs=2)
    into = BASE.finetuned(SmoothLabels(0.1), epochs=2)
    assert (after.parent, after.regime.name, into.parent, into.regime.name) == (noisy, "finetuned", BASE, "smooth")
    for recipe in (after, into):
        start = trained(recipe.parent, (0, 1))  # type: ignore[arg-type]
        assert not torch.equal(trained(recipe, (0, 1), start=start), start)


def test_it_is_trained_measured_and_judged_through_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "kept")
    noisy = BASE.under(NoisyInputs(1.0))
    populations = store.populations([BASE, noisy, noisy.finetuned(Threat("linf", 0.5, 2), epochs=1)], range(6))
    table = store.measure(populations, Accuracy())
    assert set(table["regime"]) == {"standard", "noisy", "finetuned"}
    assert populations[1].provenance()["name"] == "2x8 noisy"
    terms = PairedDifference("loss", "regime", "noisy", "standard", "seed", margin=0.01, margin_reason="a hundredth",
                             where={"regime": ("noisy", "standard")})  # fmt: skip
    assert judge(terms, table).outcome in ("supported", "refuted", "inconclusive")
    made = store.made
    store.populations([noisy], range(6))
    assert store.made == made
    store.populations([BASE.under(NoisyInputs(2.0))], range(1))
    assert store.made == made + 1


def test_the_one_of_the_guide_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "writing-claims.md").read_text(encoding="utf-8")
    block = page.partition("# fixtures/noisy.py\n")[2].partition("```")[0]
    (tmp_path / "noisy_of_the_guide.py").write_text(block, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    its: Any = importlib.import_module("noisy_of_the_guide")
    assert torch.equal(trained(BASE.under(its.NoisyInputs(0.5)), (0,)), trained(BASE.under(NoisyInputs(0.5)), (0,)))


CODE = """
from dataclasses import dataclass
from harness.recipe import Regime

@dataclass(frozen=True)
class Shrunk(Regime):
    by: float
    name: str = "shrunk"

    def examples(self, step, inputs, targets):
        return inputs * {factor}self.by, targets
"""


def test_its_code_is_part_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    codes = []
    for number, factor in enumerate(("", "", "2 * ")):
        (tmp_path / "shrunk_regime.py").write_text(CODE.replace("{factor}", factor) + f"# version {number}\n", encoding="utf-8")
        sys.modules.pop("shrunk_regime", None)
        importlib.invalidate_caches()
        module = importlib.import_module("shrunk_regime")
        codes.append(member_key(BASE.under(module.Shrunk(0.5)), 0, "data", None, "cpu")["code"])
    assert codes[0] == codes[1] != codes[2]
    sys.modules.pop("shrunk_regime", None)


@dataclass(frozen=True)
class Wrong(Regime):
    how: str
    name: str = "wrong"
    CALLS: ClassVar[list[int]] = []

    def examples(self, step: TrainingStep, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        match self.how:
            case "ambient":
                return inputs + torch.randn(inputs.shape), targets
            case "one generator":
                return inputs + torch.randn(inputs.shape, generator=step.generators[0]), targets
            case "ambient, later" if step.epoch:
                return inputs + torch.randn(inputs.shape), targets
            case "mean over members, at the end" if step.epoch == step.epochs - 1:
                return inputs - inputs.mean(0, keepdim=True), targets
            case "counter":
                self.CALLS.append(1)
                return inputs * len(self.CALLS), targets
            case "mean over members":
                return inputs - inputs.mean(0, keepdim=True), targets
            case "shape":
                return inputs[..., :-1], targets
            case "type":
                return inputs.double(), targets
            case "nothing":
                return None  # type: ignore[return-value]
            case "parameters":
                next(iter(step.parameters.values())).mul_(0.9)
        return inputs, targets

    def loss(self, loss: object) -> object:
        losses = {
            "loss": lambda logits, targets: logits.sum(),
            "loss over members": lambda logits, targets: self.plain(logits, targets) * (1 + self.plain(logits, targets).mean()),
            "loss less the members' mean": lambda logits, targets: self.plain(logits - logits.mean(0, keepdim=True), targets),
            "loss with noise": lambda logits, targets: self.plain(logits + 0.1 * torch.randn_like(logits), targets),
        }
        return losses.get(self.how, loss)

    @staticmethod
    def plain(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return -(torch.log_softmax(logits, 2) * targets).sum(2)


@pytest.mark.parametrize(
    ("how", "said"),
    [("ambient", "elsewhere than its generators"), ("one generator", "other members of"),
     ("mean over members", "other members of"),
     ("shape", "same shapes and types"), ("type", "same shapes and types"), ("nothing", "returned NoneType"),
     ("parameters", "changes the parameters"), ("loss", "one loss per point"),
     ("ambient, later", "elsewhere than its generators"), ("mean over members, at the end", "other members of"),
     ("counter", "keeps state from"), ("loss over members", "the loss of a member depends on the other members"),
     ("loss less the members' mean", "the loss of a member depends on"), ("loss with noise", "elsewhere than its generators")],
)  # fmt: skip
def test_a_regime_that_would_spoil_members_is_refused_before_training(how: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        trained(BASE.under(Wrong(how)), (0, 1))


def test_what_is_no_regime_is_refused_when_it_is_declared() -> None:
    class Loose(Regime):
        name = "loose"

    for wrong in ("robust", Loose(), Loose, None):
        with pytest.raises(RecipeError, match="frozen dataclass with a name"):
            BASE.under(wrong)  # type: ignore[arg-type]
    for share in (0, -0.1, 1.5, True):
        with pytest.raises(RecipeError, match="above 0 and at most 1"):
            Adversarial("robust", share, Threat())
