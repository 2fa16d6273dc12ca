"""Steps of kinetic Langevin chains with Metropolis acceptance; :mod:`harness.measure.llc.kinetic` has scheme and course."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from harness.measure.llc.chains import Noise
from harness.measure.llc.potential import Place, Potential, squared_norm

STATES = 14  # tensors of the size of a row's parameters that are held, beside the block of noise


class Walk:
    """The current state of all chains of some models, and how they move.  Rows are model × chain.

    Attributes:
        here: where they are.
        scale: D, shape (row, parameter); :meth:`set_steps` has to follow a change.
    """

    def __init__(self, potential: Potential, generators: Sequence[torch.Generator]) -> None:
        self.potential = potential
        self.noise = _Proposals(generators, potential.anchor)
        self.here, self.there = Place(potential.anchor.clone()), Place(potential.anchor.clone())
        self.velocity = torch.stack(
            [torch.empty_like(row).normal_(generator=own) for row, own in zip(potential.anchor, generators, strict=True)]
        )
        self.scale = torch.ones_like(potential.anchor)
        potential.evaluate(self.here)

    def set_steps(self, steps: Sequence[float], frictions: Sequence[float]) -> None:
        """Use the step size h and the friction η of every model from now on."""
        chains, like = self.potential.chains, self.velocity
        kept = [math.exp(-friction * step) for step, friction in zip(steps, frictions, strict=True) for _ in range(chains)]
        self.kept = like.new_tensor(kept)[:, None]
        self.fresh = like.new_tensor([math.sqrt(1 - value**2) for value in kept])[:, None]
        self.reach = self.scale * like.new_tensor([step for step in steps for _ in range(chains)])[:, None]
        self._kick(self.here)

    def step(self) -> torch.Tensor:
        """One step of every chain; the acceptance of each, shape (row,).

        With k = h D ∇U at both ends and the shift s = w' − w, the kinetic energy rises by
        ½ (‖v'‖² − ‖v‖²) = −½ s·(∇U + ∇U') + ⅛ (‖k'‖² − ‖k‖²).
        """
        here, there = self.here, self.there
        noise, level = self.noise.pair()
        velocity = self.velocity.mul_(self.kept).add_(noise * self.fresh)
        half = velocity.sub(here.kick, alpha=0.5)  # times ½ is exact: no rounding to be fused away
        shift = self.reach * half
        torch.add(here.position, shift, out=there.position)
        self.potential.evaluate(there)
        self._kick(there)
        work = (here.gradient + there.gradient).mul_(shift).sum(1)
        rise = (
            (there.loss - here.loss) * self.potential.nbeta
            + (there.far - here.far) * (self.potential.gamma / 2) - work / 2 + (there.push - here.push) / 8
        )  # fmt: skip
        after = half.sub_(there.kick, alpha=0.5)
        refused = ~(level < -rise)  # also where the rise is not a number
        if bool(refused.any()):
            rows = refused.nonzero()[:, 0]
            there.copy_rows(here, rows)
            after[rows] = -velocity[rows]
        self.here, self.there, self.velocity = there, here, after
        return rise.neg_().clamp_max_(0.0).exp_().nan_to_num_(0.0)

    def _kick(self, place: Place) -> None:
        torch.mul(self.reach, place.gradient, out=place.kick)
        place.push = squared_norm(place.kick)

    def take(self, models: torch.Tensor) -> torch.Tensor:
        """Keep the chains of some models, and return their rows; :meth:`set_steps` has to follow."""
        rows = (models[:, None] * self.potential.chains + torch.arange(self.potential.chains, device=models.device)).flatten()
        self.potential.take(models)
        for part in (self.here, self.there, self.noise):
            part.take(rows)
        self.velocity, self.scale = self.velocity[rows], self.scale[rows]
        return rows


class _Proposals(Noise):
    """Noise, and for each step the level −E ~ log U(0, 1) against which the rise of H is accepted."""

    def __init__(self, generators: Sequence[torch.Generator], like: torch.Tensor) -> None:
        super().__init__(generators, like)
        self.levels = like.new_empty(self.block.shape[:2])

    def pair(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Noise (row, parameter) and level (row,) of the next step."""
        noise = self.next()
        return noise, self.levels[:, self.used - 1]

    def refill(self) -> None:
        """See :meth:`Noise.refill`."""
        super().refill()
        for row, generator in zip(self.levels, self.generators, strict=True):
            row.exponential_(generator=generator).neg_()

    def take(self, rows: torch.Tensor) -> None:
        """Keep some of the rows."""
        self.block, self.levels = self.block[rows], self.levels[rows]
        self.generators = [self.generators[row] for row in rows.tolist()]
