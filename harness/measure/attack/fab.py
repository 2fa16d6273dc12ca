"""FAB-T: the boundary towards a class, approached by projections onto the linearised network.

Croce & Hein 2020, Minimally Distorted Adversarial Examples with a Fast Adaptive Boundary Attack
(doi 10.48550/arXiv.1907.02044), in the targeted form that AutoAttack uses, with the settings of the authors' code.
Each step goes to the boundary of the linearised network inside the bounds of the data: mostly from the current point, and
partly from the clean point.
"""

from __future__ import annotations

import torch

from harness.measure.attack.survivors import Block, Flips
from harness.networks.ascent import moved, norms, over_inputs

FROM_CLEAN = 0.1  # the largest share of the step from the clean point
OVERSHOOT = 1.05
BACK = 0.9  # from a flip towards the clean point


@torch.no_grad()
def fab(block: Block, aim: torch.Tensor, *, steps: int) -> Flips:
    """The points that are flipped within their balls on the way to the boundary of a class.

    Args:
        block: the points.
        aim: encoded classes to go to, shape (block, class, point).
        steps: how many steps.
    """
    flips, norm, bounds, x = Flips(block), block.ball.norm, block.ball.bounds, block.inputs
    towards = aim - block.targets
    at = x
    for _ in range(steps):
        logits, pull_back = block.program.pullback(block.parameters, at)
        gap, normal = (towards * logits).sum(1), pull_back(towards)
        from_clean = gap + (normal * (x - at)).flatten(1, -2).sum(1)
        near, far = to_plane(at, normal, gap, norm, bounds), to_plane(x, normal, from_clean, norm, bounds)
        lengths = [norms(each, norm).clamp_min_(1e-8) for each in (near, far)]
        share = over_inputs((lengths[0] / (lengths[0] + lengths[1])).clamp_max_(FROM_CLEAN), at)
        at = (at + near * OVERSHOOT) * (1 - share) + (x + far * OVERSHOOT) * share
        at = moved(at, torch.zeros_like(at), bounds)
        flipped = block.margin(block.logits(at)) <= 0
        flips.add(at, flipped & (norms(at - x, norm) <= block.ball.epsilon))
        at = torch.where(over_inputs(flipped, at), x + (at - x) * BACK, at)
    return flips


def to_plane(
    points: torch.Tensor, normal: torch.Tensor, value: torch.Tensor, norm: str, bounds: tuple[float, float] | None
) -> torch.Tensor:
    """The shortest step inside the bounds onto the plane {p + d: value + normal · d = 0}, or as near to it as they allow.

    Each coordinate moves by min(λ r, room) against the value's sign, with r = 1 (L∞) or |normal| (L2) and room the distance to
    its bound.  The resulting change of the value is concave and piecewise linear in λ, so Newton's method from λ = 0 rises to
    the solution, and reaches it after a finite number of steps.

    Args:
        points: where to start, shape (block, *input, point).
        normal: gradient of the value, of the same shape.
        value: the value at the points, shape (block, point).
        norm: "linf" or "l2".
        bounds: smallest and largest admissible value of an input, or None.
    """
    slope = normal.abs()
    direction = -normal.sign() * over_inputs(value.sign(), normal)
    rate = slope.sign() if norm == "linf" else slope
    room = torch.full_like(points, torch.inf)
    if bounds is not None:
        room = torch.where(direction > 0, bounds[1] - points, points - bounds[0]).clamp_min_(0)
    wanted = value.abs()
    full = torch.zeros_like(points, dtype=torch.bool)
    while True:
        done = torch.where(full, slope * room, 0.0).flatten(1, -2).sum(1)
        gain = torch.where(full, 0.0, slope * rate).flatten(1, -2).sum(1)
        far = ((wanted - done) / gain.clamp_min_(1e-30)).clamp_(0, 1e30)
        now = full | (rate * over_inputs(far, rate) >= room)
        if torch.equal(now, full):
            return direction * torch.minimum(rate * over_inputs(far, rate), room)
        full = now
