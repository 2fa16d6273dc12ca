r"""Stacked stochastic-gradient Langevin dynamics, localised at a point.

    Δw = −½ ε (nβ ∇L(w) + γ (w − w*)) + √ε ξ,   ξ ~ N(0, I),   started at w*

(Lau et al. 2023, doi 10.48550/arXiv.2308.12108, algorithm 1.)  Every row of a stack is one chain of one member, with its own
ε, γ and random stream.  Rows never interact, so they can be run in chunks that fit the processor's cache.

With the preconditioner "rmsprop" every coordinate has its step (Li et al. 2016, doi 10.48550/arXiv.1512.07666, algorithm 1):

    Δw = −½ ε G (nβ ∇L(w) + γ (w − w*)) + √(ε G) ξ,   G ∝ 1 / (√V + δ mean √V),   V ← α V + (1 − α) (∇L)²

with G scaled to mean 1, so that ε is the mean step.  G follows the chain in burn-in and is frozen at its end: a fixed G is a
change of coordinates, which leaves the stationary distribution unchanged.  (If G went on changing, the target would be wrong
without the term Γ = ∂G/∂w, which Li et al. drop, as does devinterp.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from harness.measure.llc.chains import Noise, Trace
from harness.measure.llc.spec import Preconditioner
from harness.measure.walk import groups
from harness.networks import Loss, Program, Restriction, keep_freed_memory, rows_at_a_time, take_points
from harness.progress import tell

STATES = 12  # tensors of the size of a row's parameters that a walk holds, beside its block of noise
BLOCK = 256  # points at a time of the loss over all the data, where a step takes a minibatch
MEMORY = 0.99  # α of RMSprop, its customary value
DAMPING = 0.1  # δ of RMSprop: no coordinate's step is more than 11 times that of one with the mean slope


@dataclass(frozen=True)
class Chains:
    """What the chains are started with, one entry a row.

    Attributes:
        theta: points w* at which they are localised and started, flat, shape (model, parameter).
        step_size: ε of each row, shape (row,).
        localization: γ of each row, shape (row,).
        streams: make the random stream of each row, on the device of ``theta``, when its turn comes (a generator has 5 kB).
        owner: the model of each row, shape (row,), on the device of ``theta``; None where every row has a model of its own.
    """

    theta: torch.Tensor
    step_size: torch.Tensor
    localization: torch.Tensor
    streams: Sequence[Callable[[], torch.Generator]]
    owner: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.streams)

    def models(self, chosen: slice) -> slice | torch.Tensor:
        """The models to which some of the rows belong."""
        return chosen if self.owner is None else self.owner[chosen]

    def rows(self, chosen: slice) -> Chains:
        """Some of the rows, each with a w* of its own."""
        theta = self.theta[self.models(chosen)]
        return Chains(theta, self.step_size[chosen], self.localization[chosen], self.streams[chosen])


@torch.no_grad()
def sample(
    program: Program,
    chains: Chains,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    *,
    scope: str,
    nbeta: float,
    burn_in: int,
    draws: int,
    loss: Loss = "cross_entropy",
    batch_size: int | None = None,
    preconditioner: Preconditioner = "none",
    initial: Literal["all", "batch"] = "all",
) -> Trace:
    """Run all chains.

    Args:
        program: the stack's program.
        chains: where they start, with which settings.
        inputs: data, shape (model or 1, *input, point).
        targets: encoded targets, shape (model or 1, class, point).
        scope: which parameters move; one of ``program.scopes``.
        nbeta: inverse temperature nβ.
        burn_in: steps before the first draw.
        draws: steps whose loss is kept.
        loss: see :func:`harness.networks.losses.loss_and_pull`.
        batch_size: points of a minibatch, drawn without replacement within an epoch; None for the full batch.
        preconditioner: "none", or "rmsprop" as described in the module's docstring.
        initial: the data over which the loss and the gradient at w* are taken: "all", or "batch", each chain's first minibatch.

    Raises:
        ValueError: the program has no such scope.
    """
    if scope not in program.scopes:
        raise ValueError(f"scope {scope!r} is unknown; this network has {', '.join(map(repr, program.scopes))}")
    keep_freed_memory()
    size = rows_at_a_time(
        program, 2 * inputs[0, ..., 0].numel(), inputs.shape[-1], batch=batch_size,
        states=STATES + Noise.steps_of(program.layout.total), device=chains.theta.device.type,
    )  # fmt: skip
    traces = []
    for chosen in groups(len(chains), size):
        part = chains.rows(chosen)
        x, y = (data if len(data) == 1 else data[chains.models(chosen)] for data in (inputs, targets))
        restriction = program.restricted(program.layout.views(part.theta), x, program.scopes[scope])
        traces.append(_Walk(restriction, part, y, nbeta, loss, batch_size, preconditioner, initial).run(burn_in, draws))
    return Trace.join(traces)


class _Walk:
    """One chunk of chains, walking together."""

    def __init__(
        self, restriction: Restriction, chains: Chains, targets: torch.Tensor, nbeta: float, loss: Loss,
        batch_size: int | None, preconditioner: Preconditioner = "none", initial: Literal["all", "batch"] = "all",
    ) -> None:  # fmt: skip
        self.initial = initial
        self.restriction, self.targets, self.nbeta, self.loss = restriction, targets, nbeta, loss
        views = restriction.program.layout.views(chains.theta)
        self.anchor = restriction.layout.flatten(views)
        self.position = self.anchor.clone()
        self.gradient = torch.zeros_like(self.anchor)
        self.free = restriction.layout.views(self.position)
        self.out = restriction.layout.views(self.gradient)
        self.step_size = chains.step_size[:, None]
        self.localization = chains.localization[:, None]
        self.root, half_step = self.step_size.sqrt(), self.step_size / 2
        self.slope_share, self.spring_share = half_step * nbeta, half_step * self.localization
        self.scaling = _Scaling(self.anchor) if preconditioner == "rmsprop" else None
        generators = [make() for make in chains.streams]
        self.noise = Noise(generators, self.anchor)
        self.batches = None if batch_size is None else _Batches(generators, restriction.inputs.shape[-1], batch_size)

    def loss_gradient(self) -> torch.Tensor:
        if self.batches is None:
            return self.restriction.loss_gradient(self.free, self.targets, self.out, self.loss)
        points = self.batches.next().to(self.anchor.device)
        return self.restriction.loss_gradient(self.free, take_points(self.targets, points), self.out, self.loss, points)

    def at_start(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss at w* over all the data, and the norm of its gradient, each of shape (row,); some points at a time."""
        points = self.restriction.inputs.shape[-1]
        size = points if self.batches is None else max(self.batches.size, BLOCK)
        total, slope = self.anchor.new_zeros(len(self.anchor)), torch.zeros_like(self.gradient)
        for block in torch.split(torch.arange(points, device=self.anchor.device), size):
            some = block.expand(len(self.anchor), -1)
            share = len(block) / points
            total += share * self.restriction.loss_gradient(
                self.free, take_points(self.targets, some), self.out, self.loss, some
            )
            slope += share * self.gradient
        return total, slope.double().square().sum(1).sqrt()

    def run(self, burn_in: int, draws: int) -> Trace:
        rows = len(self.anchor)
        losses = self.anchor.new_empty(draws, rows)
        strains = self.anchor.new_empty(draws, rows)
        accepted = self.anchor.new_zeros(rows)
        over_all = self.batches is not None and self.initial == "all"
        initial_loss, gradient_norm = self.at_start() if over_all else (accepted, accepted)
        before: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None
        for step in range(burn_in + draws):
            loss = self.loss_gradient()
            if step == 0 and not over_all:
                initial_loss, gradient_norm = loss.clone(), self.gradient.double().square().sum(1).sqrt()
            if self.scaling is not None and step < burn_in:
                self.scaling.follow(self.gradient)
            moved = self.position - self.anchor
            drift = self.drift(moved)
            if step >= burn_in - 1:  # what a draw, or the step that leads to the first, is compared by
                strain = moved.square_().sum(1) * self.localization[:, 0]
                potential = loss * self.nbeta + strain / 2
                if step >= burn_in:
                    losses[step - burn_in] = loss
                    strains[step - burn_in] = strain
                    if before is not None:
                        accepted += langevin_acceptance(*before, potential, drift, self.step_size[:, 0])
            kick = self.noise.next() * self.root
            if step >= burn_in - 1:
                before = (potential, drift, kick)
            self.move(drift, kick)
            tell((step + 1) / (burn_in + draws))
        compared = draws - (burn_in == 0)
        acceptance = accepted / compared if self.batches is None and compared else torch.full_like(accepted, torch.nan)
        count = torch.full((rows,), draws, device=losses.device)
        return Trace(
            losses.T.contiguous(), strains.T.contiguous(), count, torch.full_like(count, burn_in), acceptance,
            self.step_size[:, 0], initial_loss, gradient_norm,
        )  # fmt: skip

    def drift(self, moved: torch.Tensor) -> torch.Tensor:
        """½ ε (nβ ∇L + γ (w − w*)), in the coordinates w / √G if there is a G, in which the step is an ordinary one."""
        drift = (self.gradient * self.slope_share).add_(moved * self.spring_share)
        return drift if self.scaling is None else drift.mul_(self.scaling.root)

    def move(self, drift: torch.Tensor, kick: torch.Tensor) -> None:
        # No addcmul: whether it rounds once or twice depends on where in a stack an entry lies.
        if self.scaling is None:
            self.position.sub_(drift).add_(kick)
        else:
            self.position.sub_(drift * self.scaling.root).add_(kick * self.scaling.root)


class _Scaling:
    """The square root of RMSprop's G, shape (row, parameter), row by row."""

    def __init__(self, like: torch.Tensor) -> None:
        self.square = torch.zeros_like(like)
        self.root = torch.ones_like(like)

    def follow(self, gradient: torch.Tensor) -> None:
        """Take in one more gradient of the loss."""
        self.square.mul_(MEMORY).add_(gradient.square() * (1 - MEMORY))
        slope = self.square.sqrt()
        # At an exact minimum the first gradient is zero in every coordinate: then all are alike.
        inverse = 1 / (slope + DAMPING * slope.mean(1, keepdim=True)).clamp_min_(1e-20)
        self.root = (inverse / inverse.mean(1, keepdim=True)).sqrt_()


def langevin_acceptance(
    potential: torch.Tensor, drift: torch.Tensor, kick: torch.Tensor,
    new_potential: torch.Tensor, new_drift: torch.Tensor, step_size: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """Metropolis acceptance of a step −π + η just made, with drift π = ½ ε G and kick η = √ε ξ, shape (row,).

    With σ = π + π', the proposal densities of the step and of its way back differ by (σ·η − ½‖σ‖²) / ε, so that
    log α = U − U' + σ·(η − ½σ) / ε.
    """
    both = drift + new_drift
    log_ratio = potential - new_potential + (kick - both / 2).mul_(both).sum(1) / step_size
    return log_ratio.clamp_max_(0.0).exp_()


class _Batches:
    """Minibatches without replacement, in a fresh order each epoch, for every row from its own stream."""

    def __init__(self, generators: Sequence[torch.Generator], points: int, size: int) -> None:
        if not 1 <= size <= points:
            raise ValueError(f"batch_size is {size}; it has to be from 1 to the number of points, {points}")
        self.generators, self.points, self.size = generators, points, size
        self.order = torch.empty(len(generators), 0, dtype=torch.long)

    def next(self) -> torch.Tensor:
        if self.order.shape[1] < self.size:
            self.order = torch.stack([torch.randperm(self.points, generator=g, device=g.device) for g in self.generators])
        chosen, self.order = self.order[:, : self.size], self.order[:, self.size :]
        return chosen
