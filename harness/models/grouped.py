"""A network of many classes as a classifier of groups of them: the decision stays the network's, the labels are coarser."""

from __future__ import annotations

from collections.abc import Callable

import torch

from harness.models.base import Parameters, Program, PullBack
from harness.models.losses import Loss

Groups = tuple[tuple[int, ...], ...]


class GroupedProgram(Program):
    """The logit of a group is the largest logit of its classes, so that the decision is the group of the decided class.

    It is for instruments; nothing trains through it.

    Args:
        inner: the program of the network.
        groups: the classes of each group; every class is in one group.

    Raises:
        ValueError: a class is in no group, or in two.
    """

    def __init__(self, inner: Program, groups: Groups) -> None:
        classes = sorted(each for group in groups for each in group)
        if classes != list(range(inner.classes)) or len(groups) < 2:
            raise ValueError(
                f"groups={groups!r} do not part the {inner.classes} classes of this network: each belongs to one of two or more"
            )
        self.inner, self.groups = inner, groups
        self.layout, self.scopes, self.classes = inner.layout, inner.scopes, len(groups)

    def initial(self, generator: torch.Generator) -> torch.Tensor:
        """See :meth:`Program.initial`."""
        return self.inner.initial(generator)

    def module(self, theta: torch.Tensor) -> torch.nn.Module:
        """See :meth:`Program.module`."""
        return _GroupedModule(self.inner.module(theta), self.groups)

    def logits(self, parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
        """See :meth:`Program.logits`."""
        return self._grouped(self.inner.logits(parameters, inputs))[0]

    def _grouped(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the groups, and the class that each has its own from; both (row, group, point)."""
        best = [logits[:, list(group)].max(1) for group in self.groups]
        numbers = [torch.tensor(group, device=logits.device) for group in self.groups]
        values = torch.stack([each.values for each in best], 1)
        return values, torch.stack([number[each.indices] for number, each in zip(numbers, best, strict=True)], 1)

    def loss_gradient(
        self, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, out: Parameters, loss: Loss
    ) -> torch.Tensor:
        """Refused: a network is trained on its own classes.

        Raises:
            TypeError: always.
        """
        raise TypeError("a grouped network is measured, not trained: train it on its own classes")

    def pullback(self, parameters: Parameters, inputs: torch.Tensor) -> tuple[torch.Tensor, PullBack]:
        """See :meth:`Program.pullback`."""
        logits, back = self.inner.pullback(parameters, inputs)
        values, source = self._grouped(logits)
        return values, _GroupedPullBack(back, source, logits.shape)

    def line(
        self, parameters: Parameters, inputs: torch.Tensor, direction: torch.Tensor
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """See :meth:`Program.line`."""
        along = self.inner.line(parameters, inputs, direction)
        return lambda step: self._grouped(along(step))[0]


class _GroupedPullBack(PullBack):
    """The gradient on a group's logit is that of the class which it has it from."""

    def __init__(self, back: PullBack, source: torch.Tensor, shape: torch.Size) -> None:
        self.back, self.source, self.shape = back, source, shape

    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        return self.back(gradient.new_zeros(self.shape).scatter_(1, self.source, gradient))


class _GroupedModule(torch.nn.Module):
    def __init__(self, network: torch.nn.Module, groups: Groups) -> None:
        super().__init__()
        self.network, self.groups = network, groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.network(x)
        return torch.stack([logits[:, list(group)].amax(1) for group in self.groups], 1)
