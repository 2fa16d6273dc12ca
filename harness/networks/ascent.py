"""Projected gradient ascent inside norm balls, for a whole stack of networks and points at once.

The kernel under adversarial training and PGD: Madry et al. 2018 (doi 10.48550/arXiv.1706.06083), eq. 2.1
with projected gradient descent on the negative loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from harness.networks.program import Parameters, Program

Bounds = tuple[float, float] | None  # smallest and largest admissible value of an input
Objective = Literal["cross_entropy", "margin"]
_TINY = 1e-30


def norms(delta: torch.Tensor, norm: str) -> torch.Tensor:
    """Norm of every perturbation: (row, *input, point) → (row, point)."""
    flat = delta.flatten(1, -2)
    return flat.abs().amax(1) if norm == "linf" else flat.square().sum(1).sqrt_()


def over_inputs(per_point: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Shape a (row, point) tensor so that it multiplies perturbations of shape (row, *input, point)."""
    return per_point.reshape(per_point.shape[0], *(1,) * (like.dim() - 2), per_point.shape[1])


def project(delta: torch.Tensor, radius: torch.Tensor, norm: str) -> torch.Tensor:
    """The nearest perturbation in the ball (Euclidean projection), in place.

    Args:
        delta: perturbations, shape (row, *input, point).
        radius: radius of each point's ball, shape (row, point).
        norm: "linf" or "l2".
    """
    if norm == "linf":
        limit = over_inputs(radius, delta)
        return torch.minimum(torch.maximum(delta, -limit, out=delta), limit, out=delta)
    factor = (radius / norms(delta, norm).clamp_min_(_TINY)).clamp_max_(1.0)
    return delta.mul_(over_inputs(factor, delta))


def steepest(gradient: torch.Tensor, norm: str) -> torch.Tensor:
    """Direction of steepest ascent with unit norm: the sign for L∞, the normalised gradient for L2."""
    if norm == "linf":
        return gradient.sign()
    return gradient / over_inputs(norms(gradient, norm).clamp_min_(_TINY), gradient)


def random_start(shape: Sequence[int], radius: torch.Tensor, norm: str, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """Uniform random points of the balls; row r is drawn from ``generators[r]`` alone.

    Args:
        shape: (row, *input, point).
        radius: radius of each point's ball, shape (row, point).
        norm: "linf" or "l2".
        generators: one CPU generator a row.
    """
    inner = shape[1:]
    if norm == "linf":
        unit = torch.stack([torch.rand(inner, generator=g) for g in generators]).mul_(2).sub_(1)
        return unit.to(radius).mul_(over_inputs(radius, unit))
    normal = torch.stack([torch.randn(inner, generator=g) for g in generators]).to(radius)
    dimension = normal[0, ..., 0].numel()
    uniform = torch.stack([torch.rand(inner[-1], generator=g) for g in generators]).to(radius)
    return steepest(normal, norm).mul_(over_inputs(radius * uniform ** (1 / dimension), normal))


def objective_gradient(logits: torch.Tensor, targets: torch.Tensor, objective: Objective) -> torch.Tensor:
    """Gradient on the logits of what the attacker raises, shape (row, class, point).

    "cross_entropy" is the loss; "margin" is the largest wrong logit minus the right one, which keeps its slope on
    confidently classified points where the loss is flat in single precision (Carlini & Wagner 2017).
    """
    if objective == "cross_entropy":
        return torch.softmax(logits, 1).sub_(targets)
    wrong = logits.masked_fill(targets > 0, float("-inf")).argmax(1, keepdim=True)
    return torch.zeros_like(logits).scatter_(1, wrong, 1.0).sub_(targets)


def margin(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Right logit minus the largest wrong one, shape (row, point): positive where the point is classified rightly."""
    right = (logits * targets).sum(1)
    return right - logits.masked_fill(targets > 0, float("-inf")).amax(1)


def ascend(
    program: Program,
    parameters: Parameters,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    *,
    delta: torch.Tensor,
    radius: torch.Tensor,
    step_sizes: Sequence[float],
    norm: str,
    bounds: Bounds = None,
    aim: torch.Tensor | None = None,
) -> torch.Tensor:
    """Projected gradient ascent on the cross-entropy, or descent on that of another class.

    It starts from ``delta`` and never leaves the balls, nor the bounds of the data.

    Args:
        program: the stack's program.
        parameters: tensors of shape (row, *shape) by name.
        inputs: clean points, shape (row, *input, point).
        targets: encoded targets, shape (row, class, point).
        delta: start, shape (row, *input, point), inside the balls.
        radius: radius of each point's ball, shape (row, point).
        step_sizes: size of each step in units of the radius.
        norm: "linf" or "l2".
        bounds: smallest and largest admissible value of an input, or None.
        aim: encoded classes whose loss is descended, of the shape of ``targets``; None to ascend that of ``targets``.

    Returns:
        The last perturbation, shape (row, *input, point).
    """
    clip(delta, inputs, bounds)
    for size in step_sizes:
        logits, pull_back = program.pullback(parameters, inputs + delta)
        pull = objective_gradient(logits, targets if aim is None else aim, "cross_entropy")
        gradient = pull_back(pull if aim is None else pull.neg_())
        # No addcmul: whether it rounds once or twice depends on where in a stack an entry lies.
        delta = delta + steepest(gradient, norm).mul_(over_inputs(radius * size, delta))
        clip(project(delta, radius, norm), inputs, bounds)
    return delta


def moved(inputs: torch.Tensor, step: torch.Tensor, bounds: Bounds) -> torch.Tensor:
    """``inputs + step``, kept within the bounds of the data."""
    return inputs + step if bounds is None else (inputs + step).clamp_(*bounds)


def clip(delta: torch.Tensor, inputs: torch.Tensor, bounds: Bounds) -> torch.Tensor:
    """Keep ``inputs + delta`` within the bounds of the data, in place; it can only shorten a perturbation."""
    if bounds is not None:
        torch.clamp(inputs + delta, *bounds, out=delta).sub_(inputs)
    return delta
