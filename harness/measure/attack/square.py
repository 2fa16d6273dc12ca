"""Square attack: random search by patches of one colour, which needs no gradient.

Andriushchenko et al. 2020, Square Attack: a Query-efficient Black-box Adversarial Attack via Random Search
(doi 10.48550/arXiv.1912.00049), algorithms 1 to 3, as AutoAttack runs it: the margin is the loss, and the schedule of the patch
size is that of 10,000 queries, however many are made.

An input of shape (channel, height, width) is an image; one of shape (height, width) has one channel; any other is taken as a
line of numbers, and its patches are stretches of that line.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from harness.measure.attack.survivors import Block, Flips
from harness.networks.ascent import over_inputs

FIRST_SHARE = 0.8  # of an image that is changed at first
HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # queries
TINY = 1e-12


@dataclass(frozen=True)
class _Shape:
    """How an input is seen: as (channel, height, width)."""

    channels: int
    height: int
    width: int

    @classmethod
    def of(cls, shape: Sequence[int]) -> _Shape:
        if len(shape) in (2, 3):
            return cls(*(1, *shape)[-3:])
        return cls(1, 1, math.prod(shape))

    def window(self, query: int, smallest: int) -> tuple[int, int]:
        """Height and width of the patch of a query; the L2 attack takes odd sizes from 3 on."""
        share = FIRST_SHARE / 2 ** sum(query > turn for turn in HALVED_AFTER)
        side = round(share * self.width) if self.height == 1 else round(math.sqrt(share * self.height * self.width))
        side = max(side, smallest)
        side += smallest > 1 and side % 2 == 0
        side = min(side, self.width if self.height == 1 else min(self.height, self.width))
        return min(side, self.height), side


@torch.no_grad()
def square(block: Block, *, queries: int, generators: Sequence[torch.Generator]) -> Flips:
    """The points that random patches flip.

    Args:
        block: the points.
        queries: patches that are tried at most.
        generators: one CPU generator a block; its points share the places of the patches.
    """
    shape = _Shape.of(block.inputs.shape[1:-1])
    draws = _Draws(block, shape, generators)
    propose = _Stripes(block, shape, draws) if block.ball.norm == "linf" else _Bumps(block, shape, draws)
    flips, best = Flips(block), propose.start()
    least = block.margin(block.logits(best))
    flips.add(best, least <= 0)
    for query in range(queries):
        if bool(flips.found.all()):
            break
        tried = propose.next(best, query)
        margin = block.margin(block.logits(tried))
        better = (margin < least) & ~flips.found
        flips.add(tried, better & (margin <= 0))
        best = torch.where(over_inputs(better, best), tried, best)
        least = torch.where(better, margin, least)
    return flips


class _Draws:
    """Random numbers, each block's from its own generator."""

    def __init__(self, block: Block, shape: _Shape, generators: Sequence[torch.Generator]) -> None:
        self._shape, self._generators = shape, generators
        self._device = block.inputs.device

    def uniform(self, *size: int) -> torch.Tensor:
        """From 0 to 1, shape (block, *size)."""
        return torch.stack([torch.rand(size, generator=g) for g in self._generators]).to(self._device)

    def signs(self, *size: int) -> torch.Tensor:
        """−1 or 1, shape (block, *size)."""
        return (self.uniform(*size) < 0.5).float().mul_(2).sub_(1)

    def corner(self, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Where a window of that size lies: its first row and column in every block, uniform over all positions.

        The authors' code never takes the last position, so some pixels of a small image would never change.
        """
        drawn = self.uniform(2)
        return tuple(  # type: ignore[return-value]
            (drawn[:, axis] * (size - window + 1)).long()
            for axis, (size, window) in enumerate(((self._shape.height, height), (self._shape.width, width)))
        )

    def mask(self, corner: tuple[torch.Tensor, torch.Tensor], height: int, width: int) -> torch.Tensor:
        """1 inside a window, shape (block, 1, height, width, 1)."""
        inside = [
            (torch.arange(size, device=self._device) >= first[:, None])
            & (torch.arange(size, device=self._device) < first[:, None] + window)
            for size, first, window in zip((self._shape.height, self._shape.width), corner, (height, width), strict=True)
        ]  # fmt: skip
        return (inside[0][:, :, None] & inside[1][:, None, :])[:, None, :, :, None].float()


class _Proposals(ABC):
    """The perturbations that are tried."""

    def __init__(self, block: Block, shape: _Shape, draws: _Draws) -> None:
        self.block, self.shape, self.draws = block, shape, draws

    @abstractmethod
    def start(self) -> torch.Tensor:
        """The first points that are tried, shape (block, *input, point)."""

    @abstractmethod
    def next(self, best: torch.Tensor, query: int) -> torch.Tensor:
        """The points that are tried next, given the best so far."""

    def _seen(self, values: torch.Tensor) -> torch.Tensor:
        """(block, *input, point) → (block, channel, height, width, point)."""
        shape = self.shape
        return values.reshape(len(values), shape.channels, shape.height, shape.width, values.shape[-1])

    def _moved(self, delta: torch.Tensor) -> torch.Tensor:
        return self.block.inside(self.block.inputs + delta.reshape(self.block.inputs.shape))


class _Stripes(_Proposals):
    """L∞: vertical stripes at first, then patches, every channel at one end of its interval."""

    def start(self) -> torch.Tensor:
        shape, points = self.shape, self.block.inputs.shape[-1]
        stripes = self.draws.signs(shape.channels, 1, shape.width, points) * self.block.ball.epsilon
        return self._moved(stripes.expand(-1, -1, shape.height, -1, -1))

    def next(self, best: torch.Tensor, query: int) -> torch.Tensor:
        height, width = self.shape.window(query, 1)
        mask = self.draws.mask(self.draws.corner(height, width), height, width)
        colour = self.draws.signs(self.shape.channels, 1, 1, 1)
        return self._moved(self._seen(best - self.block.inputs) + 2 * self.block.ball.epsilon * colour * mask)


class _Bumps(_Proposals):
    """L2: the perturbation's mass moves from one window to another, where it takes the form of two opposite bumps."""

    def start(self) -> torch.Tensor:
        shape, points = self.shape, self.block.inputs.shape[-1]
        high = wide = max(1, min(shape.height, shape.width) // 5)
        if shape.height == 1:
            high, wide = 1, max(1, shape.width // 5)
        delta = torch.zeros_like(self._seen(self.block.inputs))
        for top in range((shape.height - shape.height // high * high) // 2, shape.height - high + 1, high):
            for left in range((shape.width - shape.width // wide * wide) // 2, shape.width - wide + 1, wide):
                signs = self.draws.signs(shape.channels, 1, 1, points)
                delta[:, :, top : top + high, left : left + wide] = self._bumps(high, wide) * signs
        return self._moved(self._full(delta))

    def next(self, best: torch.Tensor, query: int) -> torch.Tensor:
        shape, draws, epsilon = self.shape, self.draws, self.block.ball.epsilon
        height, width = shape.window(query, 3)
        delta = self._seen(best - self.block.inputs)
        into, out = draws.corner(height, width), draws.corner(height, width)
        window, other = draws.mask(into, height, width), draws.mask(out, height, width)
        old = delta * window
        old = old / (TINY + _length(old))
        new = self._placed(self._bumps(height, width), into) * draws.signs(shape.channels, 1, 1, best.shape[-1]) + old
        free = (epsilon**2 - delta.square().sum((1, 2, 3), keepdim=True)).clamp_min_(0) / shape.channels
        mass = (free + _length(delta * torch.maximum(window, other)).square()).sqrt()
        new = new / (TINY + _length(new)) * mass
        return self._moved(self._full(delta * (1 - torch.maximum(window, other)) + new * window))

    def _bumps(self, height: int, width: int) -> torch.Tensor:
        """Two opposite bumps side by side, or one above the other, of length 1; shape (block, 1, height, width, 1)."""
        across = _pair(height, width, 1)
        down = across if height == 1 else _pair(height, width, 0)
        turned = self.draws.uniform(1)[:, :, None] > 0.5
        return torch.where(turned, across, down)[:, None, :, :, None].to(self.block.inputs.device)

    def _placed(self, bumps: torch.Tensor, corner: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """The bumps at their places in an image of zeros."""
        high, wide = bumps.shape[2:4]
        placed = bumps.new_zeros(len(bumps), 1, self.shape.height, self.shape.width, 1)
        for own, bump, top, left in zip(placed, bumps, *corner, strict=True):
            own[:, top : top + high, left : left + wide] = bump
        return placed

    def _full(self, delta: torch.Tensor) -> torch.Tensor:
        """The perturbation scaled to the full radius of the ball."""
        return delta * (self.block.ball.epsilon / (TINY + delta.square().sum((1, 2, 3), keepdim=True).sqrt()))


def _length(delta: torch.Tensor) -> torch.Tensor:
    """Euclidean length of every channel."""
    return delta.square().sum((2, 3), keepdim=True).sqrt()


def _pair(height: int, width: int, axis: int) -> torch.Tensor:
    """A bump and its opposite along one axis, of Euclidean length 1; shape (height, width)."""
    size = (height, width)[axis]
    halves = [(part, width) if axis == 0 else (height, part) for part in (size // 2, size - size // 2)]
    both = torch.cat([_bump(*halves[0]), -_bump(*halves[1])], axis)
    return both / both.square().sum().sqrt()


def _bump(height: int, width: int) -> torch.Tensor:
    """Concentric rectangles around the middle, the k-th adding 1/k² (the paper's equation 2), of Euclidean length 1."""
    found = torch.zeros(height, width)
    middle = (height // 2, width // 2)
    for ring in range(max(middle) + 1):
        rows, columns = (slice(max(centre - ring, 0), centre + ring + 1) for centre in middle)
        found[rows, columns] += 1 / (ring + 1) ** 2
    return found / found.square().sum().sqrt() if found.numel() else found
