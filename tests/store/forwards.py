"""Networks of a user's own that cannot be trained for many members at once, each for another reason."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Own(nn.Module):
    """A linear classifier of 3 × 3 images after some step of its own."""

    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.last = nn.Linear(9, classes)

    def step(self, x: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.step(x.flatten(1)))


class OneHot(Own):
    def step(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.one_hot((x > 0.3).long(), 2).float()[..., 0]


class Item(Own):
    def step(self, x: torch.Tensor) -> torch.Tensor:
        return x / x.abs().max().item()


class Branch(Own):
    def step(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 if x.mean() > 0 else x


class InTraining(Own):
    """The branch is there in train mode only, after a draw."""

    def step(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            x = nn.functional.dropout(x, 0.5)
            return x * 2 if x.mean() > 0 else x
        return x


class Leaves(Own):
    def step(self, x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(x.detach().numpy())


class Masked(Own):
    def step(self, x: torch.Tensor) -> torch.Tensor:
        return x[x.sum(1) > -1e9]


class Back(torch.autograd.Function):
    """Whose derivative looks at values."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return slope * 2 if slope.sum().item() > -1e9 else slope


class Derivative(Own):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return Back.apply(self.last(x.flatten(1)))


class Rnn(Own):
    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        super().__init__(shape, classes)
        self.inner = nn.LSTM(3, 9, batch_first=True)

    def step(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x.reshape(-1, 3, 3))[0][:, -1]


class Faulty(Own):
    """A plain mistake, which shows only in train mode."""

    def step(self, x: torch.Tensor) -> torch.Tensor:
        return x + None if self.training else x  # type: ignore[operator]


class Hungry(Own):
    def step(self, x: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")


UNSTACKABLE = (OneHot, Item, Branch, InTraining, Leaves, Masked, Derivative, Rnn)
