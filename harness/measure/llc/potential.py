"""The potential that chains of the LLC sample, U(w) = nβ L(w) + ½ γ ‖w − w*‖², and how far a model lies above its minimum."""

from __future__ import annotations

from collections.abc import Callable

import torch

from harness.measure.llc.spec import LLCSpec
from harness.networks import Loss, Program, rows_at_a_time

LONG = 2**13  # parameters from which on a sum of squares in single precision would show in the acceptance


def squared_norm(values: torch.Tensor) -> torch.Tensor:
    """‖·‖² of every row; in double precision if rows are long, since differences of these values matter."""
    dtype = torch.float64 if values.shape[1] > LONG else None
    norm: torch.Tensor = torch.linalg.vector_norm(values, dim=1, dtype=dtype)
    return norm.square()


class Place:
    """A position of every chain, with what is known there.

    Attributes:
        position: w, shape (row, parameter).
        moved: w − w*, likewise.
        gradient: ∇U, likewise.
        kick: h D ∇U, likewise.
        loss: L, shape (row,).
        far: ‖w − w*‖², shape (row,).
        push: ‖h D ∇U‖², shape (row,).
    """

    FIELDS = ("position", "moved", "gradient", "kick", "loss", "far", "push")

    def __init__(self, position: torch.Tensor) -> None:
        self.position = position
        self.moved, self.gradient, self.kick = (torch.zeros_like(position) for _ in range(3))
        self.loss = position.new_zeros(len(position))
        self.far, self.push = squared_norm(self.moved), squared_norm(self.kick)

    def take(self, rows: torch.Tensor) -> None:
        """Keep some of the rows."""
        for name in self.FIELDS:
            setattr(self, name, getattr(self, name)[rows])

    def copy_rows(self, other: Place, rows: torch.Tensor) -> None:
        """Copy those rows from another place."""
        for name in self.FIELDS:
            getattr(self, name)[rows] = getattr(other, name)[rows]


class Potential:
    """The potential U of some models, a row for every chain."""

    def __init__(
        self, program: Program, theta: torch.Tensor, inputs: torch.Tensor, targets: torch.Tensor, scope: str, loss: Loss,
        spec: LLCSpec, size: int,
    ) -> None:  # fmt: skip
        self.program, self.theta, self.inputs, self.targets = program, theta, inputs, targets
        self.names, self.loss, self.chains, self.size = program.scopes[scope], loss, spec.chains, size
        self.gamma, self.nbeta = spec.localization, spec.inverse_temperature(inputs.shape[-1])
        self._build()

    def _build(self) -> None:
        rows = torch.arange(len(self.theta), device=self.theta.device).repeat_interleave(self.chains)
        self.parts = []
        for chosen in torch.split(rows, self.size):
            views = self.program.layout.views(self.theta[chosen])
            x, y = (data if len(data) == 1 else data[chosen] for data in (self.inputs, self.targets))
            self.parts.append((self.program.restricted(views, x, self.names), y))
        self.layout = self.parts[0][0].layout
        self.anchor = self.layout.flatten(self.program.layout.views(self.theta[rows]))

    def take(self, models: torch.Tensor) -> None:
        """Keep some of the models."""
        self.theta = self.theta[models]
        self.inputs, self.targets = (data if len(data) == 1 else data[models] for data in (self.inputs, self.targets))
        self._build()

    def evaluate(self, place: Place) -> None:
        """Loss and gradient of U at a place, in place."""
        for number, (restriction, targets) in enumerate(self.parts):
            rows = slice(number * self.size, (number + 1) * self.size)
            free, out = (self.layout.views(values[rows]) for values in (place.position, place.gradient))
            place.loss[rows] = restriction.loss_gradient(free, targets, out, self.loss)
        torch.sub(place.position, self.anchor, out=place.moved)
        place.gradient.mul_(self.nbeta).add_(place.moved * self.gamma)  # no fused product: see harness.measure.llc.sgld
        place.far = squared_norm(place.moved)


STATES = 8  # tensors of the size of a row's parameters that a descent holds
MOST_MOMENTUM = 0.95
GROWTH = 1.1  # of the step after a step down; it is halved after one up


@torch.no_grad()
def depth(
    program: Program,
    theta: torch.Tensor,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    *,
    scope: str,
    nbeta: float,
    localization: float,
    steps: int,
    loss: Loss = "cross_entropy",
) -> torch.Tensor:
    """By how much descent from w* lowers U(w) = nβ L(w) + ½ γ ‖w − w*‖², shape (model,), on the CPU.

    An LLC takes its loss relative to L(w*).  If w* is not a minimum, the LLC is too low by nβ (L(w*) − L at the minimum) of the
    basin in which γ keeps the chains, and the depth is a lower bound on that.  The descent is Nesterov's accelerated one
    (1983); each model has its own step, which is halved, and its momentum restarted, when the potential rises.

    Args:
        program: the models' program.
        theta: flat parameters w*, shape (model, parameter).
        inputs: data, shape (model or 1, *input, point).
        targets: encoded targets, shape (model or 1, class, point).
        scope: which parameters move.
        nbeta: inverse temperature nβ.
        localization: γ, above 0.
        steps: gradients for each model.
        loss: see :func:`harness.networks.losses.loss_and_pull`.
    """
    size = rows_at_a_time(program, 2 * inputs[0, ..., 0].numel(), inputs.shape[-1], states=STATES, device=theta.device.type)
    found = []
    for first in range(0, len(theta), size):
        chosen = slice(first, first + size)
        x, y = (data if len(data) == 1 else data[chosen] for data in (inputs, targets))
        views = program.layout.views(theta[chosen])
        restriction = program.restricted(views, x, program.scopes[scope])
        anchor = restriction.layout.flatten(views)
        gradient = torch.zeros_like(anchor)
        out = restriction.layout.views(gradient)

        def potential(position: torch.Tensor) -> torch.Tensor:
            value = restriction.loss_gradient(restriction.layout.views(position), y, out, loss)  # noqa: B023 - used at once
            moved = position - anchor  # noqa: B023
            gradient.mul_(nbeta).add_(moved * localization)  # noqa: B023
            return value.double() * nbeta + moved.double().square().sum(1) * (localization / 2)

        found.append(_descend(anchor, gradient, potential, 1 / localization, steps))
    return torch.cat(found).cpu()


def _descend(
    start: torch.Tensor, gradient: torch.Tensor, potential: Callable[[torch.Tensor], torch.Tensor], step: float, steps: int
) -> torch.Tensor:
    """Fall of the potential from ``start``, shape (row,); ``potential`` leaves its slope in ``gradient``."""
    rate = start.new_full((len(start), 1), step)
    age = start.new_zeros(len(start), 1)
    best = ahead = previous = start.clone()
    first = lowest = potential(start.clone())
    slope = gradient.clone()
    for step_number in range(steps):
        value = lowest if step_number == 0 else potential(ahead)
        down = (value <= lowest)[:, None]
        lowest = torch.where(down[:, 0], value, lowest)
        # Down: on from here, with momentum.  Up, or not a number: back to the best, with half the step and none.
        slope = torch.where(down, gradient, slope)
        here = torch.where(down, ahead, best)
        momentum = torch.where(down, (age / (age + 3)).clamp_max(MOST_MOMENTUM), 0)
        rate = torch.where(down, rate * GROWTH, rate / 2)
        age = torch.where(down, age + 1, 0)
        moved = here - rate * slope
        ahead = moved + momentum * (moved - previous)
        previous = torch.where(down, moved, here)
        best = here
    return first - lowest
