"""Auto-PGD: projected gradient ascent with momentum whose step halves where it stops rising.

Croce & Hein 2020, Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free Attacks
(doi 10.48550/arXiv.2003.01690), algorithm 1, with the settings of their code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from harness.measure.attack.survivors import Block, Flips
from harness.networks.ascent import norms, over_inputs, steepest
from harness.networks.losses import loss_and_pull

FIRST_STEP = 2.0  # in units of the radius
MOMENTUM = 0.25  # share of the last change in the next one
RISES = 0.75  # share of the steps between two checkpoints that have to rise, else the step is halved
FIRST_CHECK, SOONER, SHORTEST = 0.22, 0.03, 0.06  # checkpoints: first, shorter each time, never below; in units of the steps
TINY = 1e-12

Objective = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""What the attacker raises: logits (block, class, point) → its value (block, point) and its gradient on the logits."""


def cross_entropy(targets: torch.Tensor) -> Objective:
    """The loss of the right class; targets encoded, shape (block, class, point)."""
    return lambda logits: loss_and_pull(logits, targets)


def targeted_dlr(targets: torch.Tensor, aim: torch.Tensor) -> Objective:
    """The difference of logits ratio towards a class, −(z_y − z_t) / (z_π1 − (z_π3 + z_π4) / 2), equation 7 of the paper.

    With fewer than four classes there is no z_π4, and the gap z_t − z_y is not divided; a step then follows the gradient of the
    gap (its length does not depend on the gradient's).

    Args:
        targets: encoded right classes, shape (block, class, point).
        aim: encoded classes to go to, of the same shape.
    """
    towards = aim - targets

    def objective(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        gap = (towards * logits).sum(1)
        if logits.shape[1] < 4:
            return gap, towards
        top = logits.topk(4, dim=1).indices
        share = torch.zeros_like(logits)
        for place, weight in ((0, 1.0), (2, -0.5), (3, -0.5)):
            share.scatter_(1, top[:, place : place + 1], weight)
        scale = ((share * logits).sum(1) + TINY)[:, None]
        ratio = gap[:, None] / scale
        return ratio[:, 0], (towards - ratio * share) / scale

    return objective


def checkpoints(steps: int) -> Iterator[int]:
    """Numbers of steps after which the step size may be halved."""
    length = max(int(FIRST_CHECK * steps), 1)
    while True:
        yield length
        length = max(length - max(int(SOONER * steps), 1), max(int(SHORTEST * steps), 1))


@torch.no_grad()
def apgd(block: Block, objective: Objective, *, steps: int, generators: Sequence[torch.Generator]) -> Flips:
    """The points that the ascent of ``objective`` flips on its way.

    Args:
        block: the points.
        objective: what is increased.
        steps: how many steps.
        generators: one CPU generator a block, for its start on the surface of the ball (L2), or of the cube (L∞).
    """
    flips = Flips(block)
    at = block.inside(block.inputs + _start(block, generators))
    before, step = at, at.new_full(block.points.shape, FIRST_STEP * block.ball.epsilon)
    value, gradient = _look(block, objective, at, flips)
    best = best_checked = last = value
    best_at, best_gradient = at, gradient
    halved, rises = torch.ones_like(flips.found), torch.zeros_like(value)
    lengths = checkpoints(steps)
    length = left = next(lengths)
    for number in range(steps):
        kept = MOMENTUM if number else 0.0
        ahead = block.inside(at + steepest(gradient, block.ball.norm) * over_inputs(step, at))
        ahead = block.inside(at + (ahead - at) * (1 - kept) + (at - before) * kept)
        before, at = at, ahead
        value, gradient = _look(block, objective, at, flips)
        rises, last = rises + (value > last), value
        better = value > best
        best = torch.where(better, value, best)
        best_at, best_gradient = _chosen(better, (at, gradient), (best_at, best_gradient))
        left -= 1
        if not left:
            halved = (rises <= RISES * length) | (~halved & (best_checked >= best))
            step = torch.where(halved, step / 2, step)
            at, gradient = _chosen(halved, (best_at, best_gradient), (at, gradient))
            best_checked, rises = best, torch.zeros_like(rises)
            length = left = next(lengths)
    return flips


def _chosen(which: torch.Tensor, new: Sequence[torch.Tensor], old: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
    """The new tensors where ``which``, shape (block, point), is true, else the old ones."""
    return (torch.where(over_inputs(which, one), one, other) for one, other in zip(new, old, strict=True))


def _start(block: Block, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """Perturbations of length epsilon: a uniform point of the cube, or a normal one, scaled; shape (block, *input, point)."""
    shape, norm = block.inputs.shape[1:], block.ball.norm
    if norm == "linf":
        drawn = torch.stack([torch.rand(shape, generator=g) for g in generators]).mul_(2).sub_(1)
    else:
        drawn = torch.stack([torch.randn(shape, generator=g) for g in generators])
    drawn = drawn.to(block.inputs.device)
    return drawn * over_inputs(block.ball.epsilon / norms(drawn, norm).clamp_min_(TINY), drawn)


def _look(block: Block, objective: Objective, at: torch.Tensor, flips: Flips) -> tuple[torch.Tensor, torch.Tensor]:
    """Value of the objective and its gradient at some points; ``flips`` sees which of them are flipped."""
    logits, pull_back = block.program.pullback(block.parameters, at)
    flips.add(at, block.margin(logits) <= 0)
    value, gradient = objective(logits)
    return value, pull_back(gradient)
