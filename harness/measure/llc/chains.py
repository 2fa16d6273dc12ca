"""What the samplers of the LLC share: the traces of chains, and their noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch

NOISE_VALUES = 2**16  # noise drawn at a time for one chain

# Split R̂ up to which chains agree: where a sampler stops, and where its estimate is trusted.
MOST_RHAT = 1.1  # of the losses
MOST_DISTANCE_RHAT = 1.2  # Brooks & Gelman (1998, doi 10.1080/10618600.1998.10474787); 1.6 to 3.4 where chains hardly moved


@dataclass(frozen=True)
class Trace:
    """What chains recorded on the way; one row per chain, the chains of a model one after the other.

    Attributes:
        losses: loss at each draw, shape (row, draw); NaN beyond a chain's own draws, and where it diverged.
        strains: γ‖w − w*‖² at each draw, shape (row, draw), likewise.
        draws: how many draws a chain has, shape (row,).
        burn_in: steps before the first draw, shape (row,).
        acceptance: mean Metropolis acceptance of the steps, shape (row,); for a sampler that rejects none, the acceptance that
            they would have had; NaN for minibatches, where the potential changes from step to step.
        step_size: of each chain, shape (row,).
        initial_loss: loss at w*, shape (row,).
        gradient_norm: Euclidean norm of the loss's gradient at w*, shape (row,).
    """

    losses: torch.Tensor
    strains: torch.Tensor
    draws: torch.Tensor
    burn_in: torch.Tensor
    acceptance: torch.Tensor
    step_size: torch.Tensor
    initial_loss: torch.Tensor
    gradient_norm: torch.Tensor

    @staticmethod
    def join(traces: Sequence[Trace]) -> Trace:
        """The rows of several traces, one after the other."""
        longest = max(trace.losses.shape[1] for trace in traces)

        def padded(values: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.pad(values, (0, longest - values.shape[1]), value=torch.nan)

        return Trace(*(
            torch.cat([padded(part) if part.dim() == 2 else part for part in (getattr(t, each.name) for t in traces)])
            for each in fields(Trace)
        ))  # fmt: skip


class Noise:
    """Standard normal noise for every row from its own stream, drawn in blocks (one call a step costs as much as the step)."""

    def __init__(self, generators: Sequence[torch.Generator], like: torch.Tensor) -> None:
        self.generators = generators
        self.block = like.new_empty(len(like), self.steps_of(like.shape[1]), like.shape[1])
        self.used = self.block.shape[1]

    @staticmethod
    def steps_of(parameters: int) -> int:
        """Steps of a block.  They decide the numbers, so they may depend on the number of parameters alone."""
        return max(1, min(256, NOISE_VALUES // parameters))

    def next(self) -> torch.Tensor:
        """The noise of the next step, shape (row, parameter)."""
        if self.used == self.block.shape[1]:
            self.refill()
            self.used = 0
        self.used += 1
        return self.block[:, self.used - 1]

    def refill(self) -> None:
        """Draw the next block."""
        for row, generator in zip(self.block, self.generators, strict=True):
            row.normal_(generator=generator)
