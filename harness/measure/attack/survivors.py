"""The points that no attack has flipped yet, as stacks of equal blocks.

Members have different points left.  Each member's points are cut into blocks whose size depends on that member alone, and
blocks of one size make a stack, whichever members they belong to: so a member's numbers do not depend on who shares its stack.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from harness.measure.base import Given
from harness.networks import Parameters, Program, rows_at_a_time
from harness.networks.ascent import Bounds, margin, moved, project
from harness.recipe import Norm
from harness.streams import torch_generator

LARGEST, SMALLEST = 256, 8  # points of a block; smaller ones are powers of two, filled up with a point that is there already
COPIES = 24  # tensors of the size of a block's inputs that an attack holds at a time


@dataclass(frozen=True)
class Ball:
    """Where the attacker may move a point.

    Attributes:
        norm: "linf" or "l2".
        epsilon: radius, in the units of the inputs.
        bounds: smallest and largest admissible value of an input, or None.
    """

    norm: Norm
    epsilon: float
    bounds: Bounds


@dataclass(frozen=True)
class Block:
    """A stack of points to flip, and what is needed to move them.

    Attributes:
        program: the stack's program.
        parameters: tensors of shape (block, *shape) by name.
        inputs: clean points, shape (block, *input, point).
        targets: encoded targets, shape (block, class, point).
        ball: where they may go.
        rows: the row of the models of each block.
        points: numbers of the points, shape (block, point); a point that fills up a block occurs twice.
        names: whose random numbers each block uses, and the block's number among its owner's blocks.
    """

    program: Program
    parameters: Parameters
    inputs: torch.Tensor
    targets: torch.Tensor
    ball: Ball
    rows: list[int]
    points: torch.Tensor
    names: list[tuple[int, int]]

    def generators(self, *purpose: int | str) -> list[torch.Generator]:
        """One CPU generator a block, named by the purpose, the norm, the owner and the number of the block."""
        return [torch_generator("autoattack", self.ball.norm, *purpose, *name) for name in self.names]

    def logits(self, points: torch.Tensor) -> torch.Tensor:
        """Outputs at moved points, shape (block, class, point)."""
        return self.program.logits(self.parameters, points)

    def margin(self, logits: torch.Tensor) -> torch.Tensor:
        """Right logit minus the largest wrong one, shape (block, point): a point is flipped where it is 0 or less."""
        return margin(logits, self.targets)

    def inside(self, points: torch.Tensor) -> torch.Tensor:
        """The points moved back into their balls, and then into the bounds of the data."""
        radius = points.new_full((len(points), points.shape[-1]), self.ball.epsilon)
        return moved(self.inputs, project(points - self.inputs, radius, self.ball.norm), self.ball.bounds)

    def likely(self) -> torch.Tensor:
        """The wrong classes in the order of their logits at the clean points, the largest first; (block, class − 1, point)."""
        wrong = self.logits(self.inputs).masked_fill(self.targets > 0, -torch.inf)
        return wrong.argsort(dim=1, descending=True, stable=True)[:, :-1]


def blocks(given: Given, alive: torch.Tensor, ball: Ball) -> Iterator[Block]:
    """The points that are left, a stack of blocks at a time.

    Args:
        given: the models and all their points.
        alive: which points are left, shape (row, point).
        ball: where they may go.
    """
    by_size: dict[int, list[tuple[int, int, torch.Tensor]]] = defaultdict(list)
    for row, left in enumerate(alive):
        for number, points in enumerate(torch.split(left.nonzero()[:, 0], LARGEST)):
            if len(points):
                by_size[_size(len(points))].append((row, number, points))
    for size, those in sorted(by_size.items()):
        held = COPIES * given.inputs[0, ..., 0].numel()
        together = rows_at_a_time(given.program, held, size, states=1, device=given.inputs.device.type)
        for first in range(0, len(those), together):
            yield _stacked(given, those[first : first + together], size, ball)


def _size(points: int) -> int:
    """The smallest power of two, from SMALLEST on, that holds that many points."""
    return max(SMALLEST, 1 << (points - 1).bit_length())


def _stacked(given: Given, those: list[tuple[int, int, torch.Tensor]], size: int, ball: Ball) -> Block:
    rows = [row for row, _, _ in those]
    points = torch.stack([torch.cat([own, own[:1].expand(size - len(own))]) for _, _, own in those])
    return Block(
        given.program, {name: value[rows] for name, value in given.parameters.items()},
        torch.stack([given.inputs[row][..., own] for row, own in zip(rows, points, strict=True)]),
        torch.stack([given.targets[row][..., own] for row, own in zip(rows, points, strict=True)]),
        ball, rows, points, [(given.owners[row], number) for row, number, _ in those],
    )  # fmt: skip


class Flips:
    """The points of a block that have been flipped, and where.

    Attributes:
        found: which, shape (block, point).
        points: where, shape (block, *input, point); the clean points of the others.
    """

    def __init__(self, block: Block) -> None:
        self.found = torch.zeros(block.points.shape, dtype=torch.bool, device=block.points.device)
        self.points = block.inputs

    def add(self, points: torch.Tensor, flipped: torch.Tensor) -> None:
        """Record those of the moved points that are flipped."""
        there = flipped.reshape(len(flipped), *(1,) * (points.dim() - 2), flipped.shape[1])
        self.points = torch.where(there, points, self.points)
        self.found = self.found | flipped
