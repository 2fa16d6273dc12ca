"""A small convolutional network whose convolutions do not overlap.

A kernel as wide as its stride sees every input once.  So the layer is one matrix product over patches, which is fast in a
stack, and its operator is block-diagonal, made of copies of the kernel's matrix: the layer's smallest and largest singular
values are those of the weight matrix.  With overlapping kernels they are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch


class PatchConvolution(torch.nn.Module):
    """``torch.nn.Conv2d(inputs, outputs, size, stride=size)``, as one product over patches.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        size: width of the kernel, and its stride; the images' sides are multiples of it.
    """

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__()
        self.size = size
        fresh = torch.nn.Conv2d(inputs, outputs, size)  # for its initialisation
        assert fresh.bias is not None
        self.weight, self.bias = fresh.weight, fresh.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (point, channel, row, column) to images with rows and columns divided by the size."""
        points, channels, rows, columns = x.shape
        k = self.size
        # Points last, as stacks hold them: the copy into patches then moves whole runs, and one product does the rest.
        cut = x.movedim(0, -1).reshape(channels, rows // k, k, columns // k, k, points).permute(0, 2, 4, 1, 3, 5)
        patches = cut.reshape(channels * k * k, rows // k * (columns // k) * points)
        values = self.weight.flatten(1) @ patches + self.bias[:, None]
        return values.reshape(-1, rows // k, columns // k, points).movedim(-1, 0)


class PatchNetwork(torch.nn.Sequential):
    """Patch convolutions with ReLUs, and a linear layer on all that is left.

    Args:
        shape: (channel, row, column) or (row, column) of an image.
        classes: outputs.
        channels: of each convolution.
        sizes: kernel and stride of each.
    """

    def __init__(self, shape: Sequence[int], classes: int, channels: Sequence[int], sizes: Sequence[int]) -> None:
        incoming, rows, columns = (1, *shape)[-3:]
        layers: list[torch.nn.Module] = []
        for outgoing, size in zip(channels, sizes, strict=True):
            if rows % size or columns % size:
                raise ValueError(f"images of {rows} × {columns} pixels cannot be cut into whole patches of {size}")
            layers += [PatchConvolution(incoming, outgoing, size), torch.nn.ReLU()]
            incoming, rows, columns = outgoing, rows // size, columns // size
        super().__init__(*layers, torch.nn.Flatten(), torch.nn.Linear(incoming * rows * columns, classes))
        self.shape = (1, *shape)[-3:]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (point, *shape) to logits (point, class)."""
        x = x.reshape(len(x), *self.shape)
        for layer in self:
            x = layer(x)
        return x


def patch_network(
    shape: tuple[int, ...], classes: int, channels: Sequence[int] = (24, 48), sizes: Sequence[int] = (4, 2)
) -> PatchNetwork:
    """Builder for :class:`harness.recipe.Module`."""
    if len(shape) not in (2, 3) or not math.prod(shape):
        raise ValueError(f"inputs of shape {tuple(shape)} are not images; give (row, column) or (channel, row, column)")
    return PatchNetwork(shape, classes, channels, sizes)
