"""How much a given module holds of a point on a pass back: measured, since the shapes of its parameters do not tell."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from harness.models.layout import Layout


@dataclass(frozen=True)
class MeasuredLayout(Layout):
    """A layout that knows how much a module holds of a point, where the shapes of its parameters do not tell.

    Attributes:
        activations: entries of all tensors that a pass back needs of one point.
        largest: entries of the largest of them.
    """

    activations: int = 1
    largest: int = 1

    @property
    def widest(self) -> int:
        """See :attr:`Layout.widest`."""
        return max(1, self.largest)

    @property
    def units(self) -> int:
        """See :attr:`Layout.units`."""
        return max(1, self.activations)


def activations_of(module: torch.nn.Module, call: Callable[[], torch.Tensor], points: int) -> tuple[int, int]:
    """Entries that a pass back needs of one point: of all tensors, and of the largest.

    Args:
        module: whose parameters are not counted.
        call: runs it on some points, with gradients.
        points: how many.
    """
    own = {value.untyped_storage().data_ptr() for value in module.parameters()}
    seen: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if (place := tensor.untyped_storage().data_ptr()) not in own:
            seen[place] = max(seen.get(place, 0), tensor.numel())
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = call()
    return math.ceil(sum(seen.values()) / points), math.ceil(max([*seen.values(), result.numel()]) / points)
