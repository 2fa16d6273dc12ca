"""The potential that chains of the LLC sample: U(w) = nβ L(w) + ½ γ ‖w − w*‖², a row for every chain."""

from __future__ import annotations

import torch

from harness.measure.llc_spec import LLCSpec
from harness.models import Loss, Program

LONG = 2**13  # parameters from which on a sum of squares in single precision would show in the acceptance


def squared_norm(values: torch.Tensor) -> torch.Tensor:
    """‖·‖² of every row; in double precision where rows are long, since it is differences of these that count."""
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
        """Put those rows of another place here."""
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
        place.gradient.mul_(self.nbeta).add_(place.moved * self.gamma)  # no fused product: see harness.measure.sgld
        place.far = squared_norm(place.moved)
