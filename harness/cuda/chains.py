"""The steps of both samplers in the form that a card can record: in place, and without asking what happened.

The formulas are those of :mod:`harness.measure.llc.kinetic_step` and :mod:`harness.measure.llc.sgld`, operation by operation;
tests hold the two forms equal to the last bit.
"""

from __future__ import annotations

import torch

from harness.cuda.capture import Captured, on_card
from harness.measure.llc import kinetic_step as kinetic
from harness.measure.llc import sgld
from harness.measure.llc.chains import Trace
from harness.measure.llc.potential import Place
from harness.networks import take_points
from harness.progress import tell

_ORIGINAL_STEP = kinetic.Walk.step
_ORIGINAL_RUN = sgld._Walk.run
SET = ("kept", "fresh", "reach")  # what step size, friction and mass decide


def kinetic_step(walk: kinetic.Walk) -> torch.Tensor:
    """:meth:`harness.measure.llc.kinetic_step.Walk.step`, captured on a card."""
    if not on_card(walk.velocity) or callable(walk.potential.loss):
        return _ORIGINAL_STEP(walk)
    form: Kinetic | None = vars(walk).get("_form")
    if form is None or form.velocity is not walk.velocity:  # the first step, or that after models have been taken out
        form = vars(walk)["_form"] = Kinetic(walk)
    return form.take()


class Kinetic:
    """One step of kinetic Langevin chains that lie where they are; what is refused is put back by a choice in every entry."""

    def __init__(self, walk: kinetic.Walk) -> None:
        like = walk.velocity
        self.walk, self.velocity = walk, like
        self.noise, self.level, self.accepted = torch.empty_like(like), like.new_empty(len(like)), like.new_empty(len(like))
        self.set = {name: getattr(walk, name).clone() for name in SET}
        self.at = {name: getattr(walk.here, name).clone() for name in Place.FIELDS}
        self.step = Captured(self._step, "a step of the kinetic sampler")

    def take(self) -> torch.Tensor:
        """One step; the acceptance of every chain, until the next step."""
        noise, level = self.walk.noise.pair()
        self.noise.copy_(noise)
        self.level.copy_(level)
        for owner, own in ((self.walk, self.set), (self.walk.here, self.at)):
            for name, value in own.items():
                if (now := getattr(owner, name)) is not value:  # set anew since the last step
                    value.copy_(now)
                    setattr(owner, name, value)
        self.step()
        return self.accepted

    def _step(self) -> None:
        walk, here, there = self.walk, self.walk.here, self.walk.there
        velocity = self.velocity.mul_(self.set["kept"]).add_(self.noise * self.set["fresh"])
        half = velocity.sub(here.kick, alpha=0.5)
        shift = self.set["reach"] * half
        torch.add(here.position, shift, out=there.position)
        walk.potential.evaluate(there)
        walk._kick(there)
        work = (here.gradient + there.gradient).mul_(shift).sum(1)
        rise = (
            (there.loss - here.loss) * walk.potential.nbeta
            + (there.far - here.far) * (walk.potential.gamma / 2) - work / 2 + (there.push - here.push) / 8
        )  # fmt: skip
        after = half.sub_(there.kick, alpha=0.5)
        refused = ~(self.level < -rise)
        for name, value in self.at.items():
            moved = getattr(there, name)
            value.copy_(torch.where(refused if value.dim() == 1 else refused[:, None], value, moved))
        velocity.copy_(torch.where(refused[:, None], -velocity, after))
        self.accepted.copy_(rise.neg_().clamp_max_(0.0).exp_().nan_to_num_(0.0))


def sgld_run(walk: sgld._Walk, burn_in: int, draws: int) -> Trace:
    """:meth:`harness.measure.llc.sgld._Walk.run`, with its step captured on a card.

    Without a preconditioner: what that one follows is decided from step to step.
    """
    if not on_card(walk.anchor) or walk.scaling is not None or callable(walk.loss):
        return _ORIGINAL_RUN(walk, burn_in, draws)
    over_all = walk.batches is not None and walk.initial == "all"
    at_start = walk.at_start() if over_all else None
    form = SGLD(walk)
    losses, strains = walk.anchor.new_empty(draws, len(walk.anchor)), walk.anchor.new_empty(draws, len(walk.anchor))
    accepted = walk.anchor.new_zeros(len(walk.anchor))
    for step in range(burn_in + draws):
        form.take()
        if at_start is None:
            at_start = form.loss.clone(), walk.gradient.double().square().sum(1).sqrt()
        if step >= burn_in:
            losses[step - burn_in], strains[step - burn_in] = form.loss, form.strain
            if step > 0:
                accepted += form.accepted
        tell((step + 1) / (burn_in + draws))
    assert at_start is not None
    compared = draws - (burn_in == 0)
    acceptance = accepted / compared if walk.batches is None and compared else torch.full_like(accepted, torch.nan)
    count = torch.full((len(accepted),), draws, device=losses.device)
    return Trace(
        losses.T.contiguous(), strains.T.contiguous(), count, torch.full_like(count, burn_in), acceptance,
        walk.step_size[:, 0], *at_start,
    )  # fmt: skip


class SGLD:
    """One step of SGLD with chains that lie where they are, and what is recorded of it until the next step."""

    def __init__(self, walk: sgld._Walk) -> None:
        like = walk.anchor
        rows = len(like)
        self.walk, self.noise = walk, torch.empty_like(like)
        self.loss, self.strain, self.accepted = like.new_empty(rows), like.new_empty(rows), like.new_empty(rows)
        self.before = like.new_zeros(rows), torch.zeros_like(like), torch.zeros_like(like)
        self.points: torch.Tensor | None = None
        if walk.batches is not None:
            self.points = torch.empty(rows, walk.batches.size, dtype=torch.long, device=like.device)
        self.step = Captured(self._step, "a step of SGLD")

    def take(self) -> None:
        """One step."""
        if self.points is not None and self.walk.batches is not None:
            self.points.copy_(self.walk.batches.next())
        self.noise.copy_(self.walk.noise.next())
        self.step()

    def _step(self) -> None:
        walk = self.walk
        self.loss.copy_(self._gradient())
        moved = walk.position - walk.anchor
        drift = walk.drift(moved)
        self.strain.copy_(moved.square_().sum(1) * walk.localization[:, 0])
        potential = self.loss * walk.nbeta + self.strain / 2
        self.accepted.copy_(sgld.langevin_acceptance(*self.before, potential, drift, walk.step_size[:, 0]))
        kick = self.noise * walk.root
        for held, value in zip(self.before, (potential, drift, kick), strict=True):
            held.copy_(value)
        walk.move(drift, kick)

    def _gradient(self) -> torch.Tensor:
        walk = self.walk
        if self.points is None:
            return walk.loss_gradient()
        targets = take_points(walk.targets, self.points)
        return walk.restriction.loss_gradient(walk.free, targets, walk.out, walk.loss, self.points)
