"""How far above the nearest minimum a model is: descent without noise on the potential that the chains sample."""

from __future__ import annotations

from collections.abc import Callable

import torch

from harness.models import Loss, Program, rows_at_a_time

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

    An LLC takes its loss relative to L(w*).  Where w* is no minimum, it is too low by nβ (L(w*) − L at the minimum) of the
    basin that γ keeps the chains in, and this is a lower bound of that.  Nesterov's accelerated descent (1983), each model with
    its own step, halved and begun again without momentum where the potential rises.

    Args:
        program: the models' program.
        theta: flat parameters w*, shape (model, parameter).
        inputs: data, shape (model or 1, *input, point).
        targets: encoded targets, shape (model or 1, class, point).
        scope: which parameters move.
        nbeta: inverse temperature nβ.
        localization: γ, above 0.
        steps: gradients for each model.
        loss: see :func:`harness.models.losses.loss_and_pull`.
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
