"""Models come in as what they are: the numbers of plain torch, or a refusal, and nothing changed about them."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from types import MethodType, SimpleNamespace
from typing import Any

import door_networks
import hypothesis
import numpy as np
import pytest
import torch
from door_networks import KINDS, VECTORS, layers, network, points
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.checkpoint import checkpoint

from fixtures.lazy.networks import LazyNetwork
from harness.data.toy import ToyImages
from harness.measure.answers import answers
from harness.measure.attack.attack import PerturbationSpec, pgd, smallest_perturbation
from harness.measure.attack.exact_perturbation import exact_perturbation
from harness.measure.attack.robustness import Robustness
from harness.measure.door import enter
from harness.measure.llc.estimate import LLC, LLCSpec, llc
from harness.measure.smoothness import GradientNorms
from harness.networks import MLPProgram, Program, TwoLayerProgram
from harness.networks.combined import MixedProgram
from harness.networks.given import GivenProgram
from harness.population import Population
from harness.recipe import Module, Recipe, Threat
from harness.training.train import train

ONE = LLCSpec(sampler="sgld", burn_in=0, draws=1, chains=1, descent=0)
QUICK = PerturbationSpec(steps=2, targets=1, halvings=2, neighbours=1)
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 0.05}


def state_of(model: nn.Module) -> dict[str, Any]:
    """Everything about a module that a call may change, and the random generators."""
    plain = getattr(model, "_orig_mod", model)
    return {
        "values": {key: value.clone() for key, value in plain.state_dict().items()},
        "versions": {key: value._version for key, value in plain.named_parameters()},
        "attributes": [{key: id(value) for key, value in part.__dict__.items()} for part in plain.modules()],
        "hooks": [[*part._forward_hooks.values(), *part._forward_pre_hooks.values()] for part in plain.modules()],
        "free": [value.requires_grad for value in plain.parameters()],
        "gradients": [value.grad for value in plain.parameters()],
        "random": (random.getstate(), tuple(np.random.get_state()[1]), torch.get_rng_state().tolist()),  # noqa: NPY002
    }


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    before = state_of(model)
    yield
    after = state_of(model)
    values, others = before.pop("values"), after.pop("values")
    assert all(torch.equal(values[key], others[key]) for key in values)
    assert before == after


def plain_loss(model: nn.Module, x: torch.Tensor, y: torch.Tensor, output: Any = None) -> float:
    """The loss that a user computes, in evaluation mode, where it stays."""
    with torch.no_grad():
        kind = next(model.parameters()).dtype
        z = model.eval()(x.to(kind) if x.is_floating_point() else x)
        z = z if output is None else output(z)
        if z.shape[1] == 1:
            return float(nn.functional.binary_cross_entropy_with_logits(z[:, 0].double(), y.double()))
        return float(nn.functional.cross_entropy(z.double(), y))


def path_of(program: Program) -> str:
    if isinstance(program, GivenProgram):
        return "general path" if program.stacked else "one by one"
    assert isinstance(program, MLPProgram | TwoLayerProgram)
    return "stacked program"


NO_STATE = ("lazy, never called", "TorchScript")  # nothing that could be compared
INSTRUMENTS = {"llc": "parameters", "attacks": "inputs", "answers": "outputs", "exact_perturbation": "inputs"}


def run(kind: str, instrument: str) -> str:
    """Run an instrument on a network of a kind, see that its numbers are torch's, and say by which path it went."""
    model, (x, y), output = network(kind), points(kind), KINDS[kind][2]
    try:
        with nullcontext() if kind in NO_STATE else unchanged(model):
            program = enter(model, x, output=output, need=INSTRUMENTS[instrument]).program  # type: ignore[arg-type]
            if instrument == "llc":
                found = llc(model, x, y, spec=ONE, output=output)
            elif instrument == "attacks":
                sizes = smallest_perturbation(model, x, y, spec=QUICK, output=output)
                pgd(model, x, y, Threat(epsilon=0.1, steps=2), output=output)
            elif instrument == "answers":
                said = answers(model, x, output=output)
            else:
                exact = exact_perturbation(model, x[:2], y[:2], within=0.05)
    except (ValueError, TypeError) as problem:
        return "refused" if len(str(problem)) > 40 else "refused without a word"
    if instrument == "llc":
        expected = plain_loss(getattr(model, "_orig_mod", model), x, y, output)
        assert found["initial_loss"][0] == pytest.approx(expected, rel=TOLERANCE[next(model.parameters()).dtype])
    z = model.eval()(x.to(next(model.parameters()).dtype) if x.is_floating_point() else x)
    z = z if output is None else output(z)
    right = (z[:, 0] > 0).long() == y if z.shape[1] == 1 else z.argmax(1) == y
    if instrument == "attacks":
        assert ((sizes[0] > 0) == right.numpy()).all()
    elif instrument == "answers" and z.shape[1] > 1:
        assert (said[0] == z.argmax(1).numpy()).all()
    elif instrument == "exact_perturbation":
        assert ((exact[0] > 0) == right[:2].numpy()).all()
    return path_of(program)


def documented() -> list[tuple[str, str, str]]:
    """The table of docs/models.md: kind, instrument, path."""
    text = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]
    head = [re.sub("`", "", cell) for cell in rows[0]]
    cells = [(row[0], instrument, path) for row in rows[1:] for instrument, path in zip(head[1:], row[1:], strict=True)]
    return [(re.sub("`", "", kind), instrument, path) for kind, instrument, path in cells]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "instrument", "path"), documented())
def test_the_table_of_networks_is_true(kind: str, instrument: str, path: str) -> None:
    assert run(kind, instrument) == path


def test_the_table_names_every_kind() -> None:
    assert {kind for kind, _, _ in documented()} == set(KINDS)
    assert {instrument for _, instrument, _ in documented()} == set(INSTRUMENTS)


CHANGES = [kind for kind in KINDS if kind.startswith("…") and "one output" not in kind and "compiled" not in kind]


@st.composite
def networks(draw: st.DrawFn) -> nn.Module:
    """Fully connected networks of many shapes, with whatever people do to them."""
    torch.manual_seed(draw(st.integers(0, 2**31)))
    sizes = [5, *draw(st.lists(st.integers(1, 9), max_size=3)), draw(st.integers(2, 4))]
    acts = [nn.ReLU, nn.ReLU, nn.Tanh, nn.GELU, lambda: nn.ReLU(inplace=True), lambda: nn.Dropout(0.5), nn.Identity]
    parts: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        parts.append(nn.Linear(fan_in, fan_out, bias=draw(st.booleans())))
        if draw(st.booleans()):
            parts.append(draw(st.sampled_from([nn.LayerNorm, nn.BatchNorm1d]))(fan_out))
        parts.append(draw(st.sampled_from(acts))())
    made = draw(st.sampled_from([nn.Sequential, door_networks.Scaled]))(*parts[:-1])
    door_networks.trained_norm(made, VECTORS)
    first = made[0]
    change = draw(st.sampled_from(["none", "none", "prune", "removed", "old", "new", "hook", "look", "frozen", "double"]))
    if change in ("prune", "removed"):
        nn.utils.prune.random_unstructured(first, "weight", 0.4)
        if change == "removed":
            nn.utils.prune.remove(first, "weight")
    elif change == "old":
        nn.utils.weight_norm(first)
    elif change == "new":
        nn.utils.parametrizations.spectral_norm(first)
    elif change == "hook":
        first.register_forward_hook(lambda module, x, z: z.clamp(-1, 1))
    elif change == "look":
        first.register_forward_hook(lambda module, x, z: None)
    elif change == "frozen":
        first.weight.requires_grad_(False)
    for part in made.modules():  # any mixture of modes
        part.training = draw(st.booleans())
    return made.double() if change == "double" else made


@pytest.mark.filterwarnings("ignore")
@hypothesis.settings(max_examples=40, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@given(networks(), st.integers(1, 12), st.integers(0, 99))
def test_any_networks_program_has_its_loss_and_its_gradient(model: nn.Module, count: int, seed: int) -> None:
    hypothesis.assume(any(value.requires_grad for value in model.parameters()))  # else there is no gradient to compare
    draw = torch.Generator().manual_seed(seed)
    kind = next(model.parameters()).dtype
    x = torch.randn(count, 5, generator=draw, dtype=kind)
    with unchanged(model):
        entered = enter(model, x, need="parameters")
    program, views = entered.program, entered.program.layout.views(entered.theta)
    y = torch.randint(program.classes, (count,), generator=draw)
    gradient = torch.zeros_like(entered.theta)
    named = program.layout.views(gradient)
    out = {name: named[name] for name in program.scopes["all"]}
    loss = program.loss_gradient(views, entered.inputs.movedim(0, -1)[None], program.encode(y)[None], out, "cross_entropy")
    twin = model.eval()
    expected = nn.functional.cross_entropy(twin(x), y)
    free = [value for value in twin.parameters() if value.requires_grad]
    slopes = torch.autograd.grad(expected, free, allow_unused=True)
    assert float(loss[0]) == pytest.approx(float(expected), rel=1e-4)
    assert sum(value.numel() for value in free) == program.layout.restrict(program.scopes["all"]).total
    norm = torch.stack([slope.norm() for slope in slopes if slope is not None]).norm()
    found = torch.stack([value[0].norm() for value in out.values()]).norm()
    assert float(found) == pytest.approx(float(norm), rel=1e-3, abs=1e-6)


@pytest.mark.filterwarnings("ignore")
@hypothesis.settings(max_examples=15, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@given(st.lists(st.sampled_from([nn.ReLU, nn.Tanh, nn.GELU]), min_size=1, max_size=4), st.integers(0, 9))
def test_a_list_is_run_each_with_its_own_function(kinds: list[type[nn.Module]], seed: int) -> None:
    torch.manual_seed(seed)
    models = [nn.Sequential(nn.Linear(5, 6), kind(), nn.Linear(6, 3)) for kind in kinds]
    x, y = points("trained BatchNorm", seed)
    program = enter(models, x, need="parameters").program
    assert isinstance(program, MixedProgram) == (len(set(kinds)) > 1)
    found = llc(models, x, y, spec=ONE)
    assert found["initial_loss"].tolist() == pytest.approx([plain_loss(model, x, y) for model in models], rel=1e-4)
    assert (found["parameters"] == 57).all()
    moved = pgd(models, x, y, Threat(epsilon=0.2, steps=3, random_start=False))
    for model, own in zip(models, moved, strict=True):
        alone = pgd(model, x, y, Threat(epsilon=0.2, steps=3, random_start=False))[0]
        torch.testing.assert_close(own, alone, rtol=1e-4, atol=1e-5)


def test_a_hook_that_looks_on_is_not_called_by_a_sampler() -> None:
    model, seen = layers(), []
    model[0].register_forward_hook(lambda module, x, z: seen.append(z.detach()))
    x, y = points("trained BatchNorm")
    llc(model, x, y, spec=LLCSpec(sampler="sgld", burn_in=5, draws=5))
    assert len(seen) < 6  # the calls by which the door got to know the module
    assert all(type(each) is torch.Tensor for each in seen)


def test_only_free_parameters_move_and_a_scope_names_any() -> None:
    model = layers()
    model[0].requires_grad_(False)
    x, y = points("trained BatchNorm")
    count = {scope: llc(model, x, y, spec=ONE, scope=scope)["parameters"][0] for scope in (None, "0", "0.weight", "2", "all")}
    assert count == {None: 99, "0": 48, "0.weight": 40, "2": 72, "all": 99}
    for part in model.parameters():
        part.requires_grad_(False)
    with pytest.raises(ValueError, match="'all' has no parameter to sample: all are frozen"):
        llc(model, x, y, spec=ONE)
    assert llc(model, x, y, spec=ONE, scope="4")["parameters"][0] == 27
    other = layers()
    with pytest.raises(ValueError, match="model 1 has different frozen parameters from model 0"):
        llc([model, other], x, y, spec=ONE)


def test_a_two_layer_network_with_a_forward_of_its_own_is_not_the_written_out_one() -> None:
    class Doubled(LazyNetwork):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(x)

    torch.manual_seed(0)
    x = torch.randn(6, 5)
    assert isinstance(enter(LazyNetwork(5, 4), x).program, TwoLayerProgram)
    assert isinstance(enter(Doubled(5, 4), x).program, GivenProgram)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(broken: float) -> None:
    x, y = points("trained BatchNorm")
    model = layers()
    dirty = x.clone()
    dirty[3, 2] = broken
    for instrument in (llc, smallest_perturbation):
        with pytest.raises(ValueError, match=r"inputs of points 3 \(counted from 0\) contain NaN or infinity"):
            instrument(model, dirty, y)  # type: ignore[operator]
    with torch.no_grad():
        model[2].weight[1, 1] = broken
    for instrument in (llc, smallest_perturbation):
        with pytest.raises(ValueError, match=r"model 1: values of '2.weight' 9 .* contain NaN or infinity"):
            instrument([layers(), model], x, y)  # type: ignore[operator]


def test_what_is_no_model_is_named() -> None:
    x, _ = points("trained BatchNorm")
    for wrong in ([], "model", [layers(), 3]):
        with pytest.raises(TypeError, match=r"give one torch\.nn\.Module, a non-empty list"):
            enter(wrong, x)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="model 1 has different parameters from model 0"):
        enter([layers(), layers(outputs=2)], x)
    with pytest.raises(ValueError, match="which holds no point"):
        enter(layers(), x[:0])
    with pytest.raises(ValueError, match=r"cannot be run on the given inputs, torch.float32 of shape .* = \(12, 4\)"):
        enter(layers(), x[:, :4])
    with pytest.raises(ValueError, match="give embeddings for token ids"):
        enter(network("TransformerEncoder over token ids"), points("TransformerEncoder over token ids")[0])


def recurrent(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Builder for :class:`harness.recipe.Module`."""
    cell = door_networks.Recurrent(nn.GRU)
    cell.cell, cell.out = nn.GRU(shape[1], 4, batch_first=True), nn.Linear(4, classes)
    return cell


def encoder(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Builder for :class:`harness.recipe.Module`."""
    layer = nn.TransformerEncoderLayer(shape[1], 1, 8, batch_first=True)
    return nn.Sequential(layer, nn.Flatten(), nn.Linear(shape[0] * shape[1], classes))


@pytest.mark.parametrize("build", [recurrent, encoder])
def test_members_of_a_recipe_are_run_as_their_modules_where_they_cannot_be_stacked(build: Any) -> None:
    recipe = Recipe(ToyImages(train=64, test=10), Module(f"{__name__}:{build.__name__}", build.__name__), epochs=0)
    data, program = recipe.data.load(), recipe.program()
    theta = torch.stack([program.initial(torch.Generator().manual_seed(seed)) for seed in range(2)])
    members = Population(recipe, (0, 1), {0: theta})
    table = LLC(ONE, points=32).run(members, data, "cpu")
    for row, own in zip(table["initial_loss"], theta, strict=True):
        expected = plain_loss(program.module(own), torch.from_numpy(data.train_x[:32]), torch.from_numpy(data.train_y[:32]))
        assert row == pytest.approx(expected, rel=1e-4)
    assert (Robustness(points=4, spec=QUICK).run(members, data, "cpu")["seed"] == [0, 1]).all()


def small(change: Callable[[nn.Module], Any] = lambda model: None, forward: Callable[..., Any] | None = None) -> nn.Module:
    """A body of three layers with a forward of its own, after something has been done to it."""
    torch.manual_seed(0)
    made = door_networks.Wrapped(nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)), lambda body, x: body(x))
    change(made)
    if forward is not None:
        made.forward = MethodType(forward, made)  # type: ignore[method-assign]
    return made


def listing(self: Any, x: torch.Tensor) -> torch.Tensor:
    z: torch.Tensor = self.body(x)
    self.log.append(z)
    self.seen[len(self.log)] = z
    self.note.last = z
    return z


def counting(self: Any, x: torch.Tensor) -> torch.Tensor:
    self.count.add_(1)
    self.array += 1
    torch.randn(3, generator=self.draw)
    output: torch.Tensor = self.body(x)
    return output + 1e-9 * torch.rand(3)


def with_log(model: Any) -> None:
    model.log, model.seen, model.note = [], {}, SimpleNamespace(last=None)


def with_counts(model: Any) -> None:
    model.count, model.array, model.draw = torch.zeros(2), np.zeros(2), torch.Generator().manual_seed(1)


def with_buffer(model: Any) -> None:
    model.register_buffer("count", torch.zeros(8))


def into_buffer(self: Any, x: torch.Tensor) -> torch.Tensor:
    self.count.add_(1)
    output: torch.Tensor = self.body(x)
    return output


def checkpointed(self: Any, x: torch.Tensor) -> torch.Tensor:
    return checkpoint(self.body, x, use_reentrant=False)  # type: ignore[no-any-return]


def masked(self: Any, x: torch.Tensor) -> torch.Tensor:
    output: torch.Tensor = self.body(x)
    return output + self.mask.softmax(0)[:1]


WRITES = {
    "lists, dicts and objects": (with_log, listing), "tensors, arrays and generators": (with_counts, counting),
    "buffers in place": (with_buffer, into_buffer), "a checkpoint": (lambda model: None, checkpointed),
    "a mask of infinities": (lambda model: model.register_buffer("mask", torch.tensor([0.0, -torch.inf])), masked),
}  # fmt: skip


@pytest.mark.parametrize("what", WRITES)
def test_what_a_forward_writes_is_put_back_and_changes_no_number(what: str) -> None:
    models = [small(*WRITES[what]) for _ in range(2)]
    with torch.no_grad():
        models[1].body[0].weight.add_(0.3)
    x, y = points("trained BatchNorm")
    kept = {key: copy.copy(value) for key, value in vars(models[0]).items() if isinstance(value, list | dict | SimpleNamespace)}
    with unchanged(models[0]), unchanged(models[1]):
        found = llc(models, x, y, spec=LLCSpec(sampler="sgld", burn_in=1, draws=2, chains=2, sensitivity_chains=0))
        moved = pgd(models, x, y, Threat(epsilon=0.1, steps=1, relative_step=1.0, random_start=False))
    assert {key: vars(models[0])[key] for key in kept} == kept
    assert all(float(vars(models[0])[key].sum()) == 0 for key in ("count", "array") if key in vars(models[0]))
    assert found["initial_loss"].tolist() == pytest.approx([plain_loss(model, x, y) for model in models], rel=1e-4)
    for model, own in zip(models, moved, strict=True):
        at = x.clone().requires_grad_()
        nn.functional.cross_entropy(model(at), y).backward(inputs=[at])
        torch.testing.assert_close(own, x + 0.1 * at.grad.sign(), rtol=0, atol=1e-5)  # type: ignore[union-attr]


def test_sparse_gradients_and_modules_without_parameters_are_measured() -> None:
    torch.manual_seed(0)
    words = nn.Sequential(nn.EmbeddingBag(11, 6, mode="sum", sparse=True), nn.Linear(6, 3))
    tokens, y = torch.randint(11, (12, 7)), torch.randint(3, (12,))
    assert llc(words, tokens, y, spec=ONE)["initial_loss"][0] == pytest.approx(plain_loss(words, tokens, y), rel=1e-4)
    x = torch.randn(12, 3)
    still = nn.Sequential(nn.Flatten(), nn.Softmax(1))
    assert (answers(still, x)[0] == x.argmax(1).numpy()).all()
    right = x.argmax(1) == y
    assert ((smallest_perturbation(still, x, y, spec=QUICK)[0] > 0) == right.numpy()).all()
    with pytest.raises(ValueError, match="has no parameters, so there is nothing to sample"):
        llc(still, x, y, spec=ONE)


class CopiesItself(nn.Linear):
    def __deepcopy__(self, memo: Any) -> CopiesItself:
        return self


class Redraws(nn.Linear):
    def __deepcopy__(self, memo: Any) -> Redraws:
        twin = Redraws(5, 3)
        twin.load_state_dict(self.state_dict())
        return twin


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("make", "said"), [
    (lambda: CopiesItself(5, 3), "shares parts or parameters with it"),
    (lambda: nn.Linear(5, 3).to("meta"), "on the device 'meta', which holds no values"),
    (torch.inference_mode()(lambda: nn.Linear(5, 3)), r"made inside torch.inference_mode\(\)"),
    (lambda: nn.Linear(5, 3, dtype=torch.complex64), "is stored as torch.complex64"),
    (lambda: nn.Sequential(torch.jit.script(nn.Linear(5, 3))), "'0' of Sequential is a compiled script"),
    (lambda: nn.Sequential(nn.DataParallel(nn.Linear(5, 3))), "'0' of Sequential is a DataParallel"),
    (lambda: small(forward=lambda self, x: checkpoint(self.body, x, use_reentrant=True)), "gradient of model 0 .* cannot be t"),
])  # fmt: skip
def test_modules_that_cannot_be_measured_are_refused_and_left(make: Callable[[], nn.Module], said: str) -> None:
    model, (x, y) = make(), points("trained BatchNorm")
    training = [part.training for part in model.modules()]
    for instrument in (llc, smallest_perturbation):
        with pytest.raises((ValueError, TypeError), match=said):
            instrument(model, x, y)  # type: ignore[operator]
    assert [part.training for part in model.modules()] == training


@pytest.mark.parametrize("wrapped", [Redraws(5, 3), nn.DataParallel(nn.Linear(5, 3))])
def test_modules_in_unusual_clothes_are_measured(wrapped: nn.Module) -> None:
    x, y = points("trained BatchNorm")
    plain = getattr(wrapped, "module", wrapped)
    with unchanged(plain):
        found = llc(wrapped, x, y, spec=ONE)
    assert found["initial_loss"][0] == pytest.approx(plain_loss(plain, x, y), rel=1e-4)


@pytest.mark.parametrize(("setting", "said"), [
    (torch.inference_mode, r"torch\.inference_mode\(\)"), (lambda: torch.autocast("cpu"), r"torch\.autocast\(\)"),
    (lambda: torch.device("meta"), r"torch\.set_default_device\('meta'\)"),
])  # fmt: skip
def test_another_torch_than_the_usual_is_refused(setting: Any, said: str) -> None:
    x, y = points("trained BatchNorm")
    for instrument in (llc, smallest_perturbation):
        with setting(), pytest.raises(ValueError, match=f"inside {said}.*; call the instrument outside it"):
            instrument(layers(), x, y)  # type: ignore[operator]


class Member(nn.Module):
    """Of a recipe: what its build draws is, or is not, all in its parameters and buffers."""

    def __init__(self, shape: tuple[int, ...], classes: int, kind: str) -> None:
        super().__init__()
        self.a, self.b, self.kind = nn.Linear(shape[0] * shape[1], 6), nn.Linear(6, classes), kind
        self.order, self.hidden = torch.randperm(shape[0] * shape[1]), [nn.Linear(6, 6)]
        self.register_buffer("count", torch.tensor([0.0, -torch.inf]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.mul_(2).flatten(1)
        if self.kind == "writes":
            self.count[0].add_(1)
            self.kept = self.a.weight * 1
            return self.b(torch.tanh(x @ self.kept.T))  # type: ignore[no-any-return]
        if self.kind == "draws in forward":
            return self.b(torch.tanh(self.a(x + torch.rand(1))))  # type: ignore[no-any-return]
        h = torch.tanh(self.a(x[:, self.order] if self.kind == "an order" else x))
        return self.b(self.hidden[0](h))  # type: ignore[no-any-return]


def member(shape: tuple[int, ...], classes: int, kind: str) -> nn.Module:
    """Builder for :class:`harness.recipe.Module`."""
    return Member(shape, classes, kind)


def test_measurements_of_a_recipe_are_of_the_modules_that_it_builds() -> None:
    data = ToyImages(train=64, test=10).load()
    measurements = (LLC(ONE, points=32), Robustness(points=4, spec=QUICK), GradientNorms(at="train", points=16))
    for kind in ("an order", "a layer in a list", "draws in forward", "writes"):
        recipe = Recipe(ToyImages(train=64, test=10), Module(f"{__name__}:member", kind, {"kind": kind}), epochs=1)
        program = recipe.program()
        theta = torch.stack([program.initial(torch.Generator().manual_seed(seed)) for seed in range(2)])
        members = Population(recipe, (0, 1), {0: theta.clone()})
        if kind != "writes":
            for measurement in measurements:
                said = "from call to call" if "draws" in kind else "something different each time it is built"
                with pytest.raises(ValueError, match=said):
                    measurement.run(members, data, "cpu")
            with pytest.raises(ValueError, match="cannot be trained in a stack"):
                train(recipe, data, [0, 1])
            continue
        loss, _, norms = (measurement.run(members, data, "cpu") for measurement in measurements)
        assert torch.equal(members.final, theta)
        for row, own in enumerate(theta):
            model = program.module(own)
            x = torch.from_numpy(data.train_x[:32])
            expected = plain_loss(model, x.clone(), torch.from_numpy(data.train_y[:32]))
            assert loss["initial_loss"][row] == pytest.approx(expected, rel=1e-4)
            at = x[:16].clone().requires_grad_()
            top = model(at * 1).topk(2, 1).values
            slope = torch.autograd.grad((top[:, 0] - top[:, 1]).sum(), at)[0].flatten(1).norm(dim=1)
            assert norms["l2_max"][row] == pytest.approx(float(slope.max()), rel=1e-3)
        assert all(bool(each[:, program.layout.total - 2 :].isneginf().any()) for each in train(recipe, data, [0]).values())
