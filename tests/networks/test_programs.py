"""Both tensor programs against ordinary PyTorch."""

from __future__ import annotations

import pytest
import torch

from fixtures.lazy.networks import lazy_network
from harness.networks import Loss, MLPProgram, ModuleProgram, Program, encode


class Convolutional(torch.nn.Module):
    """A small net with a convolution, a norm and a constant buffer: nothing that the fully connected program knows."""

    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.GroupNorm(2, 4), torch.nn.ReLU(), torch.nn.Flatten(),
            torch.nn.Linear(36, 3),
        )  # fmt: skip
        self.register_buffer("scale", torch.tensor([1.0, 2.0, 0.5]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.body(x[:, None]) * self.scale
        return output


PROGRAMS: dict[str, Program] = {
    "mlp": MLPProgram((9, 8, 8, 3)),
    "one layer": MLPProgram((9, 3)),
    "linear, no bias": MLPProgram((9, 4, 3), linear=True, bias=False),
    "convolutional": ModuleProgram(Convolutional, 3),
}


def stack_of(program: Program, rows: int = 4) -> torch.Tensor:
    return torch.stack([program.initial(torch.Generator().manual_seed(row)) for row in range(rows)])


def points(seed: int = 0, count: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, 3, count, generator=generator), torch.randint(3, (count,), generator=generator)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("loss", ["cross_entropy", "mse", lambda z, y: ((z - y) ** 4).sum(2)], ids=["ce", "mse", "callable"])
def test_loss_and_gradient_are_those_of_autograd(name: str, loss: Loss) -> None:
    program = PROGRAMS[name]
    theta, (x, y) = stack_of(program), points()
    targets = encode(y, 3)
    gradient = torch.full_like(theta, torch.nan)
    views = program.layout.views(gradient)
    out = {key: views[key] for key in program.scopes["all"]}
    losses = program.loss_gradient(program.layout.views(theta), x[None], targets[None], out, loss)
    for row in range(len(theta)):
        module = program.module(theta[row])
        logits = module(x.movedim(-1, 0))
        if loss == "cross_entropy":
            expected = torch.nn.functional.cross_entropy(logits, y)
        elif loss == "mse":
            expected = (logits - targets.T).square().sum(1).mean() / 2
        else:
            assert callable(loss)
            expected = loss(logits[None], targets.T[None]).mean()
        expected.backward()
        named = dict(module.named_parameters())
        assert losses[row].item() == pytest.approx(expected.item(), rel=1e-5)
        for key in program.scopes["all"]:
            torch.testing.assert_close(views[key][row], named[key].grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", PROGRAMS)
def test_pullback_is_the_gradient_on_the_inputs(name: str) -> None:
    program = PROGRAMS[name]
    theta, (x, _) = stack_of(program), points(1)
    inputs = x.expand(len(theta), *x.shape).contiguous()
    direction = torch.randn(len(theta), 3, x.shape[-1], generator=torch.Generator().manual_seed(5))
    logits, pull_back = program.pullback(program.layout.views(theta), inputs)
    pulled = pull_back(direction)
    for row in range(len(theta)):
        own = x.movedim(-1, 0).clone().requires_grad_()
        result = program.module(theta[row])(own)
        torch.testing.assert_close(logits[row].T, result.detach(), rtol=1e-4, atol=1e-5)
        (expected,) = torch.autograd.grad((result * direction[row].T).sum(), own)
        torch.testing.assert_close(pulled[row].movedim(-1, 0), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["mlp", "convolutional"])
def test_restriction_has_the_same_loss_and_the_gradient_of_its_own_parameters(name: str) -> None:
    program = PROGRAMS[name]
    theta, (x, y) = stack_of(program), points(2)
    targets, views = encode(y, 3)[None], program.layout.views(theta)
    whole = torch.zeros_like(theta)
    everything = {key: value for key, value in program.layout.views(whole).items() if key in program.scopes["all"]}
    expected = program.loss_gradient(views, x[None], targets, everything, "cross_entropy")
    for names in program.scopes.values():
        restriction = program.restricted(views, x[None], names)
        flat = restriction.layout.flatten(views)
        gradient = torch.zeros_like(flat)
        out = restriction.layout.views(gradient)
        losses = restriction.loss_gradient(restriction.layout.views(flat), targets, out, "cross_entropy")
        torch.testing.assert_close(losses, expected)
        for key in names:
            torch.testing.assert_close(out[key], everything[key], rtol=1e-4, atol=1e-6)


def test_scopes_name_the_layers() -> None:
    scopes = MLPProgram((9, 8, 8, 8, 3)).scopes
    assert scopes["input"] == ("0.weight", "0.bias")
    assert scopes["output"] == ("3.weight", "3.bias")
    assert scopes["hidden"] == ("1.weight", "1.bias", "2.weight", "2.bias")
    assert scopes["hidden 1"] == ("1.weight", "1.bias")
    one_hidden = MLPProgram((9, 8, 8, 3)).scopes
    assert one_hidden["hidden"] == ("1.weight", "1.bias")
    assert "hidden 1" not in one_hidden  # the same under another name
    assert "hidden" not in MLPProgram((9, 8, 3)).scopes
    convolutional = PROGRAMS["convolutional"].scopes
    assert "scale" not in convolutional["all"]
    assert convolutional["output"] == ("body.4.weight", "body.4.bias")


def test_a_module_is_initialised_by_its_own_stream_and_leaves_the_callers_alone() -> None:
    program = ModuleProgram(lambda: lazy_network((3, 3), 2, 16), 2)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    first = program.initial(torch.Generator().manual_seed(7))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first, program.initial(torch.Generator().manual_seed(7)))
    assert not torch.equal(first, program.initial(torch.Generator().manual_seed(8)))
    assert set(first[program.layout.sizes[0] :].abs().tolist()) == {1 / 8}  # 1 / (2 √16)


def test_a_stack_holds_the_counters_of_norms() -> None:
    program = ModuleProgram(lambda: torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.InstanceNorm1d(3)), 3)
    theta = program.initial(torch.Generator().manual_seed(0))
    counter = program.layout.views(theta[None])["0.num_batches_tracked"]
    counter.fill_(2**24 - 1)
    held = program.module(theta)[0].num_batches_tracked
    assert (int(held), held.dtype) == (2**24 - 1, torch.int64)
    assert program.scopes["all"] == ("0.weight", "0.bias")


def test_a_loss_of_the_wrong_shape_is_named() -> None:
    program, (x, y) = PROGRAMS["mlp"], points()
    theta = stack_of(program)
    out = program.layout.views(torch.zeros_like(theta))
    with pytest.raises(ValueError, match=r"one loss per point is \(row, point\) = \(4, 20\)"):
        program.loss_gradient(program.layout.views(theta), x[None], encode(y, 3)[None], out, lambda z, t: z.sum())
    with pytest.raises(ValueError, match="'hinge' is unknown: allowed are"):
        program.loss_gradient(program.layout.views(theta), x[None], encode(y, 3)[None], out, "hinge")  # type: ignore[arg-type]


class TestSequential:
    """A user's Sequential of Linear and ReLU layers runs as the hand-written program."""

    @pytest.mark.parametrize("bias", [True, False])
    def test_it_computes_what_the_module_does(self, bias: bool) -> None:
        torch.manual_seed(0)
        network = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(6, 5, bias=bias), torch.nn.ReLU(), torch.nn.Linear(5, 4, bias=bias),
            torch.nn.ReLU(), torch.nn.Linear(4, 3, bias=bias),
        )  # fmt: skip
        program = MLPProgram.of(network)
        assert program is not None
        theta = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])[None]
        x = torch.randn(7, 2, 3)
        found = program.logits(program.layout.views(theta), x.movedim(0, -1)[None])
        torch.testing.assert_close(found[0].T, network(x))
        assert program.scopes["3"] == program.scopes["hidden"]
        assert program.scopes["1"] == program.scopes["input"]

    def test_a_linear_layer_alone_is_one(self) -> None:
        program = MLPProgram.of(torch.nn.Sequential(torch.nn.Linear(4, 2)))
        assert program is not None
        assert program.sizes == (4, 2)

    @pytest.mark.parametrize("network", [
        torch.nn.Linear(4, 2),
        torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.ReLU()),
        torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)),
        torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2)),
        torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False), torch.nn.ReLU(), torch.nn.Linear(4, 2)),
        torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(4, 2)),
        torch.nn.Sequential(),
    ], ids=str)  # fmt: skip
    def test_others_are_not(self, network: torch.nn.Module) -> None:
        assert MLPProgram.of(network) is None
