"""Random starts of attacks in training, drawn ahead of the card.

Every member draws its starts from a generator of its own, on the CPU, so that they are the same numbers on every device.  A
call for each member and step takes longer than the step itself on a card.  So a block of steps is drawn in one call a member,
by another thread, while the card works on the block before.  Uniform numbers come from a generator one after the other,
however many are asked for at a time: those of a block are those of its steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from operator import is_

import torch

from harness.networks.ascent import over_inputs

VALUES = 2**23  # of all members in a block, at most: 32 MiB
STEPS = 64  # in a block, at most

_POOL: ThreadPoolExecutor | None = None


class Ahead:
    """The streams of uniform numbers of some members, a block ahead of what is used.

    Args:
        generators: one CPU generator a member, which nobody else draws from.
        count: values that a member will ask for at a time, as far as is known.
        device: where they are wanted.
    """

    def __init__(self, generators: Sequence[torch.Generator], count: int, device: torch.device) -> None:
        self.generators, self.device = list(generators), device
        self.length = count * max(1, min(STEPS, VALUES // max(1, count * len(self.generators))))
        self.block = torch.empty(len(self.generators), 0, device=device)
        self.coming = self._begin()

    def _begin(self) -> Future[torch.Tensor]:
        global _POOL
        if _POOL is None:
            _POOL = ThreadPoolExecutor(1, "starts of attacks")
        generators, length = self.generators, self.length
        return _POOL.submit(lambda: torch.stack([torch.rand(length, generator=own) for own in generators]))

    def take(self, count: int) -> torch.Tensor:
        """The next values of every member, shape (member, count)."""
        while self.block.shape[1] < count:
            self.block = torch.cat([self.block, self.coming.result().to(self.device)], 1)
            self.coming = self._begin()
        found, self.block = self.block[:, :count], self.block[:, count:]
        return found

    def keep(self, generators: Sequence[torch.Generator]) -> bool:
        """Go on with these members only; False if one of them is not among those drawn for."""
        if len(generators) == len(self.generators) and all(map(is_, generators, self.generators)):
            return True
        places = {id(own): place for place, own in enumerate(self.generators)}
        rows = [places.get(id(own)) for own in generators]
        if None in rows:
            return False
        chosen = torch.tensor(rows)
        drawn = self.coming.result()[chosen]
        self.block, self.generators = self.block[chosen.to(self.device)], list(generators)
        self.coming = Future()
        self.coming.set_result(drawn)
        return True


class Starts:
    """:func:`harness.networks.ascent.random_start` for L∞, from numbers drawn ahead."""

    def __init__(self) -> None:
        self._ahead: Ahead | None = None

    def __call__(self, shape: Sequence[int], radius: torch.Tensor, generators: Sequence[torch.Generator]) -> torch.Tensor:
        """Uniform random points of the balls, shape (member, *input, point)."""
        count = torch.Size(shape[1:]).numel()
        if self._ahead is None or not self._ahead.keep(generators):
            self._ahead = Ahead(generators, count, radius.device)
        unit = self._ahead.take(count).reshape(tuple(shape)).mul(2).sub_(1)
        return unit.mul_(over_inputs(radius, unit))
