"""The search for the smallest sparse perturbation: in L1, and in the number of changed inputs (L0).

Balls of these norms have corners, where steps of steepest ascent would change one input at a time.  So a walk does not take
steps but solves the linearised network: for a linear network the smallest perturbation inside bounds is known.  Inputs go to
their bounds one after the other until the gap is closed, first those that change the gap most for what they cost: in order of
the slope in L1, where the last input goes only as far as is needed, and of slope times room in L0.  The network is then
linearised there, and averaged with the earlier linearisations, with a weight that falls as the steps of FMN do (Pintor et al.
2021, doi 10.48550/arXiv.2102.12827).

In L1 two walks with FMN's own steps follow, projected onto a ball whose radius adapts (Duchi et al. 2008): one from the clean
point, and one from the smallest flip into the class found so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from harness.measure.attack.minimum_norm import OVERSHOOT, SHORTER, Best, PerturbationSpec, Problem, References, Towards, goals
from harness.networks.ascent import clip, over_inputs

WEIGHT = (1.0, 0.1)  # of the first and of the last linearisation in the average
DESCENT = 2  # steps of a walk inside balls, in steps of one by linearisations
STEP = (1.0, 0.01)  # the first and the last of them, in units of the radius
TRUST = (0.3, 0.001)  # how far the radius may change in them, relative to itself
TINY = 1e-30


def sizes(delta: torch.Tensor, norm: str) -> torch.Tensor:
    """L1 norm, or number of changed inputs, of every perturbation: (row, *input, point) → (row, point)."""
    flat = delta.flatten(1, -2)
    return flat.abs().sum(1) if norm == "l1" else (flat != 0).sum(1).to(delta.dtype)


@torch.no_grad()
def search_sparse(problem: Problem, spec: PerturbationSpec, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """Sizes of the smallest flips found, shape (row, point); see the module.

    Args:
        problem: the points, with the norm "l1" or "l0".
        spec: how they are searched.
        generators: one CPU generator a row, for starts where no point of a class is known.
    """
    clean = problem.logits(torch.zeros_like(problem.inputs))
    smallest = Best(problem, clean, spec.largest).size
    references = References(problem, clean, spec, generators)
    for wrong, towards in goals(problem, clean, spec):
        best = Best(problem, clean, spec.largest)
        _walk(problem, torch.zeros_like(problem.inputs), towards, best, spec)
        for neighbour in range(spec.neighbours):
            _walk(problem, references.start(neighbour, wrong, towards), towards, best, spec)
        if problem.norm == "l1":
            for start in (torch.zeros_like(problem.inputs), best.delta):
                _descend(problem, start, towards, best, replace(spec, steps=DESCENT * spec.steps))
        smallest = torch.minimum(smallest, best.size)
    return smallest


def _walk(problem: Problem, delta: torch.Tensor, towards: Towards, best: Best, spec: PerturbationSpec) -> None:
    """Go from ``delta`` towards a class by solving averaged linearisations; ``best`` sees each solution."""
    slope = torch.zeros_like(delta)
    at_clean = delta.new_zeros(best.size.shape)
    for weight in spec.schedule(*WEIGHT):
        logits, pull_back = problem.program.pullback(problem.parameters, problem.inputs + delta)
        best.offer(delta, sizes(delta, problem.norm), logits)
        direction = towards(logits)
        gradient = pull_back(direction)
        linear = (direction * logits).sum(1) - (gradient * delta).flatten(1, -2).sum(1)
        slope = slope * (1 - weight) + gradient * weight
        at_clean = at_clean * (1 - weight) + linear * weight
        delta = cheapest(slope, _room(problem, slope, spec.largest), -at_clean * OVERSHOOT, problem.norm)
    best.offer(delta, sizes(delta, problem.norm), problem.logits(delta))


def _room(problem: Problem, slope: torch.Tensor, largest: float) -> torch.Tensor:
    """How far every input can go along the slope; in L1, no farther than the largest perturbation that counts."""
    room = torch.full_like(slope, largest)
    if problem.bounds is None:
        return room
    low, high = problem.bounds
    inside = torch.where(slope > 0, high - problem.inputs, problem.inputs - low).clamp_min_(0)
    return torch.minimum(inside, room) if problem.norm == "l1" else inside


def cheapest(slope: torch.Tensor, room: torch.Tensor, gap: torch.Tensor, norm: str) -> torch.Tensor:
    """The smallest perturbation that closes the gap of a linear network, or the largest that there is room for.

    Args:
        slope: how much of the gap a unit of each input closes, shape (row, *input, point).
        room: how far each may go along its slope, of the same shape.
        gap: the gap to be closed, shape (row, point).
        norm: "l1" or "l0".
    """
    flat = slope.flatten(1, -2).abs()
    gain = flat * room.flatten(1, -2)
    order = (flat if norm == "l1" else gain).argsort(dim=1, descending=True, stable=True)
    ordered = gain.gather(1, order)
    left = gap[:, None] - (ordered.cumsum(1) - ordered)
    share = (left / ordered.clamp_min(TINY)).clamp_(0, 1) if norm == "l1" else (left > 0).to(slope.dtype)
    moved = torch.zeros_like(flat).scatter_(1, order, torch.where(ordered > 0, share, 0.0))
    return slope.sign() * room * moved.reshape(slope.shape)


def _descend(problem: Problem, delta: torch.Tensor, towards: Towards, best: Best, spec: PerturbationSpec) -> None:
    """From ``delta`` along the gradient, inside L1 balls whose radius adapts; ``best`` sees each step."""
    radius = sizes(delta, problem.norm)
    arrived = torch.zeros_like(radius, dtype=torch.bool)
    for step, trust in zip(spec.schedule(*STEP), spec.schedule(*TRUST), strict=True):
        logits, pull_back = problem.program.pullback(problem.parameters, problem.inputs + delta)
        size = sizes(delta, problem.norm)
        best.offer(delta, size, logits)
        direction = towards(logits)
        gradient = _free(problem, delta, pull_back(direction))
        gap = (direction * logits).sum(1)
        arrived = arrived | (gap >= 0)
        linear = size - gap * OVERSHOOT / gradient.flatten(1, -2).abs().amax(1).clamp_min(1e-12)
        near = torch.minimum(torch.maximum(linear, radius * (1 - trust)), radius * (1 + trust))
        radius = torch.minimum(torch.where(arrived, near, linear), best.size * SHORTER).clamp_(0, spec.largest)
        length = gradient.flatten(1, -2).square().sum(1).sqrt().clamp_min_(TINY)
        delta = project_l1(delta + gradient / over_inputs(length, gradient) * over_inputs(radius * step, delta), radius)
        clip(delta, problem.inputs, problem.bounds)
    best.offer(delta, sizes(delta, problem.norm), problem.logits(delta))


def _free(problem: Problem, delta: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """The gradient for the inputs that can still follow it; 0 for those at their bound."""
    if problem.bounds is None:
        return gradient
    low, high = problem.bounds
    at = problem.inputs + delta
    return torch.where(((gradient > 0) & (at >= high)) | ((gradient < 0) & (at <= low)), 0.0, gradient)


def project_l1(delta: torch.Tensor, radius: torch.Tensor) -> torch.Tensor:
    """The nearest perturbation in the L1 ball (Duchi et al. 2008, Efficient Projections onto the l1-Ball, figure 1).

    Args:
        delta: perturbations, shape (row, *input, point).
        radius: radius of each point's ball, shape (row, point).
    """
    size = delta.flatten(1, -2).abs()
    excess = size.sort(dim=1, descending=True).values.cumsum(1) - radius[:, None]
    count = torch.arange(1, size.shape[1] + 1, device=size.device, dtype=size.dtype)[:, None]
    shorter = (excess / count).amax(1).clamp_min_(0)  # by how much every entry is shortened
    return delta.sign() * (delta.abs() - over_inputs(shorter, delta)).clamp_min_(0)
