"""A stack is moved a block at a time, which changes no bit."""

from __future__ import annotations

import pytest
import torch

from harness.networks import MLPProgram, encode
from harness.networks import layout as products
from harness.optimiser import SGD, Adam
from harness.recipe import Module
from harness.training import descent
from harness.training.descent import _blocks

PROGRAM = MLPProgram((6, 9, 5, 3))
RULES = {
    "sgd": SGD(0.1), "momentum": SGD(0.1, momentum=0.9), "ball": SGD(2.0, row_radius=0.05), "adam": Adam(0.05),
}  # fmt: skip


def moved(rule: SGD | Adam, steps: int = 5) -> torch.Tensor:
    """Three members after a few steps; the second alone goes on after the first three."""
    draw = torch.Generator().manual_seed(3)
    stack = descent.descent(rule, PROGRAM, torch.stack([PROGRAM.initial(draw) for _ in range(3)]))
    x = torch.randn(3, 6, 16, generator=draw)
    y = encode(torch.randint(0, 3, (16,), generator=draw), 3).expand(3, 3, 16).contiguous()
    for step in range(steps):
        if step == 3:
            stack.keep(torch.tensor([False, True, False]))
            x, y = x[1:2], y[1:2]
        stack.step(x, y)
    assert stack.taken == steps
    return stack.theta


@pytest.mark.parametrize("block", [1, 7, 100])
@pytest.mark.parametrize("name", RULES)
def test_the_size_of_a_block_changes_no_bit(name, block, monkeypatch):
    whole = moved(RULES[name])
    monkeypatch.setattr(descent, "BLOCK", block)
    assert torch.equal(moved(RULES[name]), whole)


@pytest.mark.parametrize("shape", [(3, 10), (1, 1), (4, 7, 5), (50, 3)])
def test_blocks_cover_everything_once(shape, monkeypatch):
    monkeypatch.setattr(descent, "BLOCK", 12)
    values = torch.zeros(shape)
    blocks = list(_blocks(values))
    for block in blocks:
        values[:, block] += 1
    assert bool((values == 1).all())
    largest = max(values[:, block].numel() for block in blocks)
    assert largest <= max(12, values[:, :1].numel())


def test_large_rows_are_multiplied_where_they_belong_with_the_same_bits(monkeypatch):
    left, right = torch.randn(3, 20, 8), torch.randn(3, 8, 30)
    flat = torch.zeros(3, 1 + 20 * 30)
    out = flat[:, 1:].view(3, 20, 30)
    products.product_into(out, left, right)
    torch.testing.assert_close(out, left @ right)
    small, flat[:] = out.clone(), 0.0
    monkeypatch.setattr(products, "LARGE", 600)
    products.product_into(out, left, right)
    assert torch.equal(out, small)
    assert bool((flat[:, 0] == 0).all())


@pytest.mark.parametrize(
    "program", [MLPProgram((4, 20, 3)), Module("fixtures.lazy.networks:lazy_network", "lazy", {"width": 20})]
)
def test_a_network_with_large_layers_has_the_gradient_of_one_with_small(program, monkeypatch):
    if isinstance(program, Module):
        program = program.program((4,), 2)
    draw = torch.Generator().manual_seed(0)
    theta = torch.stack([program.initial(draw) for _ in range(2)])
    x, y = torch.randn(2, 4, 8, generator=draw), encode(torch.arange(8) % 2, program.classes).expand(2, -1, 8).contiguous()

    def gradient() -> torch.Tensor:
        found = torch.zeros_like(theta)
        views = program.layout.views(found)
        out = {name: views[name] for name in program.scopes["all"]}
        program.loss_gradient(program.layout.views(theta), x, y, out, "cross_entropy")
        return found

    small = gradient()
    monkeypatch.setattr(products, "LARGE", 1)
    assert torch.equal(gradient(), small)
