"""The written-out program of two-layer networks against the module that defines it."""

from __future__ import annotations

import math

import pytest
import torch
from torch.func import functional_call

from fixtures.dynamics.networks import binary_network, cluster_network
from fixtures.lazy.networks import LazyNetwork
from harness.measure.door import enter
from harness.networks import ModuleProgram, TwoLayer, TwoLayerProgram, encode, program_of

ROWS, POINTS, SHAPE = 3, 16, (2, 5)  # whole vector registers: exp rounds otherwise in what is left over
BUILDS = {
    "lazy": (lambda: LazyNetwork(10, 8), 2),
    "binary": (lambda: binary_network(SHAPE, 2, 4), 2),
    "clusters": (lambda: cluster_network(SHAPE, 6), 6),
}


@pytest.fixture(params=BUILDS)
def case(request):
    build, classes = BUILDS[request.param]
    program = program_of(build, classes)
    theta = torch.stack([program.initial(torch.Generator().manual_seed(row)) for row in range(ROWS)])
    x = torch.randn(ROWS, *SHAPE, POINTS, generator=torch.Generator().manual_seed(9))
    y = encode(torch.randint(0, classes, (ROWS, POINTS), generator=torch.Generator().manual_seed(8)), classes)
    return program, ModuleProgram(build, classes), theta, x, y


def test_the_program_is_chosen_by_the_module(case):
    program, plain, theta, _, _ = case
    assert isinstance(program, TwoLayerProgram)
    assert (program.layout, program.scopes) == (plain.layout, plain.scopes)
    assert "second" not in program.scopes["all"]
    entered = enter([program.module(row) for row in theta], torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(1)))
    found, same = entered.program, entered.theta
    assert isinstance(found, TwoLayerProgram)
    assert torch.equal(same, theta)
    assert type(program_of(lambda: torch.nn.Linear(3, 2), 2)) is ModuleProgram


def test_it_computes_what_the_module_does(case):
    program, plain, theta, x, _ = case
    views = program.layout.views(theta)
    expected = plain.logits(views, x)
    torch.testing.assert_close(program.logits(views, x), expected)
    torch.testing.assert_close(program.logits(views, x[:1]), plain.logits(views, x[:1]))
    logits, back = program.pullback(views, x)
    torch.testing.assert_close(logits, expected)
    _, plain_back = plain.pullback(views, x)
    up = torch.randn(logits.shape, generator=torch.Generator().manual_seed(4))
    assert back(up).shape == x.shape
    torch.testing.assert_close(back(up), plain_back(up))


@pytest.mark.parametrize("loss", ["cross_entropy", "mse", lambda z, t: (z - t).abs().sum(-1)], ids=["ce", "mse", "callable"])
@pytest.mark.parametrize("rows", [ROWS, 1], ids=["own points", "shared points"])
def test_its_gradient_is_that_of_autograd(case, loss, rows):
    program, plain, theta, x, y = case
    views, found, expected = program.layout.views(theta), torch.zeros_like(theta), torch.zeros_like(theta)
    names = program.scopes["all"]
    outs = [{name: program.layout.views(flat)[name] for name in names} for flat in (found, expected)]
    losses = program.loss_gradient(views, x[:rows], y[:rows], outs[0], loss)
    torch.testing.assert_close(losses, plain.loss_gradient(views, x[:rows], y[:rows], outs[1], loss))
    torch.testing.assert_close(found, expected)
    assert bool(found.abs().sum(1).gt(0).all())


def test_a_line_is_walked_as_by_adding_the_step(case):
    program, plain, theta, x, _ = case
    views = program.layout.views(theta)
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    step = torch.linspace(-2, 2, ROWS * POINTS).reshape(ROWS, POINTS)
    expected = plain.logits(views, x + direction * step[:, None, None])
    for each in (program, plain):
        torch.testing.assert_close(each.line(views, x, direction)(step), expected, rtol=1e-4, atol=1e-5)


def test_members_do_not_depend_on_who_stands_beside_them(case):
    program, _, theta, x, y = case
    names = program.scopes["all"]
    both = []
    for rows in (slice(None), slice(1, 2)):
        gradient = torch.zeros_like(theta[rows])
        out = {name: program.layout.views(gradient)[name] for name in names}
        program.loss_gradient(program.layout.views(theta[rows].clone()), x[rows], y[rows], out, "cross_entropy")
        both.append(gradient)
    assert torch.equal(both[0][1:2], both[1])


def test_the_binary_network_is_the_documents():
    """Initial deviations 1/√d and 1/d; f is the difference of two means of ReLUs."""
    torch.manual_seed(0)
    network = binary_network((4000,), 2, 50)
    assert float(network.first.detach().std()) == pytest.approx(1 / math.sqrt(4000), rel=0.01)
    assert float(network.bias.detach().std()) == pytest.approx(1 / 4000, rel=0.25)
    x = torch.randn(3, 4000)
    units = torch.relu(x @ network.first.T + network.bias)
    f = units[:, :50].mean(1) - units[:, 50:].mean(1)
    logits = network(x)
    torch.testing.assert_close(logits[:, 1] - logits[:, 0], f)
    with pytest.raises(ValueError, match="separates two classes"):
        binary_network((4,), 3, 2)


def test_the_cluster_network_has_one_unit_an_output():
    network = cluster_network((5,), 3)
    x = torch.randn(4, 5)
    torch.testing.assert_close(network(x), torch.relu(x @ network.first.T))
    assert not hasattr(network, "bias")


def test_the_second_layer_is_no_parameter():
    network = TwoLayer(torch.randn(3, 2), torch.eye(3))
    assert [name for name, _ in network.named_parameters()] == ["first"]
    moved = functional_call(network, {"second": 2 * torch.eye(3)}, (torch.ones(1, 2),))
    torch.testing.assert_close(moved, 2 * network(torch.ones(1, 2)))
