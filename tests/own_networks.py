"""Networks of a user's own: modules by the functions that build them, and a stacked program with formulas of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn

from harness.networks import Layout, Loss, Parameters, Program, PullBack, loss_and_pull
from harness.recipe import Architecture


def curved(shape: tuple[int, ...], classes: int, width: int = 6) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), width), nn.Tanh(), nn.Linear(width, classes))


def normed(shape: tuple[int, ...], classes: int, width: int = 6) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(math.prod(shape), width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, classes)
    )


class Quadratic(nn.Module):
    """z = A (B x)² + c: what the program below computes for a whole stack."""

    def __init__(self, inputs: int, width: int, classes: int) -> None:
        super().__init__()
        self.inner = nn.Parameter(torch.randn(width, inputs) / math.sqrt(inputs))
        self.outer = nn.Parameter(torch.randn(classes, width) / width)
        self.shift = nn.Parameter(torch.zeros(classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.flatten(1) @ self.inner.T).square() @ self.outer.T + self.shift


class QuadraticProgram(Program):
    """A stack of :class:`Quadratic` networks, its gradients written out."""

    def __init__(self, inputs: int, width: int, classes: int) -> None:
        self.inputs, self.width, self.classes = inputs, width, classes
        self.layout = Layout(("inner", "outer", "shift"), ((width, inputs), (classes, width), (classes,)))
        self.scopes = {"all": ("inner", "outer", "shift"), "outer": ("outer", "shift")}

    def initial(self, generator: torch.Generator) -> torch.Tensor:
        inner = torch.randn(self.width, self.inputs, generator=generator) / math.sqrt(self.inputs)
        outer = torch.randn(self.classes, self.width, generator=generator) / self.width
        return torch.cat([inner.flatten(), outer.flatten(), torch.zeros(self.classes)])

    def module(self, theta: torch.Tensor) -> nn.Module:
        network = Quadratic(self.inputs, self.width, self.classes)
        for name, value in self.layout.views(theta[None]).items():
            getattr(network, name).data.copy_(value[0])
        return network

    def _hidden(self, parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
        inner = parameters["inner"]
        return torch.bmm(inner, inputs.flatten(1, -2).expand(len(inner), -1, -1))

    def _logits(self, parameters: Parameters, hidden: torch.Tensor) -> torch.Tensor:
        return torch.bmm(parameters["outer"], hidden.square()) + parameters["shift"].unsqueeze(2)

    def logits(self, parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
        return self._logits(parameters, self._hidden(parameters, inputs))

    def loss_gradient(
        self, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, out: Parameters, loss: Loss
    ) -> torch.Tensor:
        hidden = self._hidden(parameters, inputs)
        losses, pull = loss_and_pull(self._logits(parameters, hidden), targets, loss)
        pull = pull / losses.shape[1]
        if "shift" in out:
            out["shift"].copy_(pull.sum(2))
        if "outer" in out:
            out["outer"].copy_(torch.bmm(pull, hidden.square().transpose(1, 2)))
        if "inner" in out:
            flat = inputs.flatten(1, -2).expand(len(pull), -1, -1)
            out["inner"].copy_(torch.bmm(self._back(parameters, hidden, pull), flat.transpose(1, 2)))
        return losses.mean(1)

    def _back(self, parameters: Parameters, hidden: torch.Tensor, pull: torch.Tensor) -> torch.Tensor:
        return torch.bmm(parameters["outer"].transpose(1, 2), pull) * hidden * 2

    def pullback(self, parameters: Parameters, inputs: torch.Tensor) -> tuple[torch.Tensor, PullBack]:
        hidden = self._hidden(parameters, inputs)

        def back(gradient: torch.Tensor) -> torch.Tensor:
            flat = torch.bmm(parameters["inner"].transpose(1, 2), self._back(parameters, hidden, gradient))
            return flat.reshape(len(flat), *inputs.shape[1:])

        return self._logits(parameters, hidden), _Back(back)


class _Back(PullBack):
    def __init__(self, back: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.back = back

    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        return self.back(gradient)


@dataclass(frozen=True)
class Quadratics(Architecture):
    """Two layers with squares between them.

    Attributes:
        width: hidden units.
    """

    width: int

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"squares {self.width}"

    def program(self, shape: tuple[int, ...], classes: int) -> Program:
        return _program(math.prod(shape), self.width, classes)


_program = lru_cache(QuadraticProgram)
