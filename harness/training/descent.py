"""One step of descent for a whole stack of members: SGD with momentum and the lazy ball, Adam and AdamW.

Nothing here adds a product in one operation (``add`` with alpha, ``addcmul``, ``lerp``): whether a fused product rounds once or
twice depends on where in a stack an entry lies, so a member would depend on who shares its stack.

A stack is updated a block at a time.  What a step needs besides the stack then stays in the cache; for a large stack it would
otherwise be fresh memory from the system at every step.  SGD is four times as fast on 10⁷ values, Adam twice.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

import torch

from harness.networks.losses import Loss
from harness.networks.program import Program
from harness.networks.training_mode import TrainingMode
from harness.optimiser import SGD, Adam, AdamW

BLOCK = 2**18  # values of a stack that are moved at a time; from half to four times as many take the same time


def descent(
    rule: SGD | Adam, program: Program, theta: torch.Tensor, loss: Loss = "cross_entropy", mode: TrainingMode | None = None
) -> Descent:
    """An optimiser on a stack.

    Args:
        rule: which one.
        program: the stack's program.
        theta: parameters to begin with, shape (member, parameter); they are moved in place.
        loss: what is descended.
        mode: how gradients are computed where train mode differs from eval mode; see :mod:`harness.networks.training_mode`.
    """
    stack = _Adam(rule, program, theta, loss) if isinstance(rule, Adam) else _SGD(rule, program, theta, loss)
    stack.mode = mode
    return stack


class Descent(ABC):
    """A stack of parameters and what its optimiser remembers.

    Attributes:
        theta: flat parameters, shape (member, parameter).
        parameters: the same by name.
        taken: steps so far.
        rate: the present learning rate.
        mode: how gradients are computed in train mode, or None if it computes what eval mode does.
    """

    mode: TrainingMode | None = None

    def __init__(self, rule: SGD | Adam, program: Program, theta: torch.Tensor, loss: Loss) -> None:
        self.program, self.loss, self.taken = program, loss, 0
        self.rate, self.decay, self.decoupled = rule.learning_rate, rule.weight_decay, isinstance(rule, AdamW)
        self._lay_out(theta)

    def _lay_out(self, theta: torch.Tensor) -> None:
        self.theta, self.gradient = theta, torch.zeros_like(theta)
        self.parameters = self.program.layout.views(theta)
        out = self.program.layout.views(self.gradient)
        self.out = {name: out[name] for name in self.program.scopes["all"]}

    def step(self, inputs: torch.Tensor, targets: torch.Tensor, generators: Sequence[torch.Generator] = ()) -> None:
        """One step on a batch.

        Args:
            inputs: tensor of shape (member, *input, batch).
            targets: encoded targets, shape (member, class, batch).
            generators: each member's own, for what its network draws in train mode.
        """
        if self.mode is None:
            self.program.loss_gradient(self.parameters, inputs, targets, self.out, self.loss)
        else:
            self.mode.loss_gradient(self.parameters, inputs, targets, self.out, self.loss, generators)
        self.taken += 1
        if self.decay:
            self._decay()
        for block in _blocks(self.theta):
            self._move(block)

    def _decay(self) -> None:
        """Weight decay of what is trained: applied to the parameters directly if decoupled, else through the gradient."""
        for name, gradient in self.out.items():
            value = self.parameters[name]
            if self.decoupled:
                value.mul_(1 - self.rate * self.decay)
            else:
                gradient.add_(value * self.decay)

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these members only.

        Args:
            rows: which of the stack, booleans of shape (member,).
        """
        self._lay_out(self.theta[rows].clone())

    @abstractmethod
    def _move(self, block: slice) -> None:
        """Move some of every member's parameters by the gradient that has just been computed."""


class _SGD(Descent):
    """θ ← θ − η g, with momentum (heavy-ball or Nesterov's) and the lazy ball where the recipe asks for them."""

    def __init__(self, rule: SGD, program: Program, theta: torch.Tensor, loss: Loss) -> None:
        super().__init__(rule, program, theta, loss)
        self.rule = rule
        self.velocity = torch.zeros_like(theta) if rule.momentum else None
        self.start = theta.clone() if rule.row_radius else None

    def step(self, inputs: torch.Tensor, targets: torch.Tensor, generators: Sequence[torch.Generator] = ()) -> None:
        super().step(inputs, targets, generators)
        if self.start is not None and self.rule.row_radius is not None:
            _project_rows(self.parameters, self.program.layout.views(self.start), self.out, self.rule.row_radius)

    def keep(self, rows: torch.Tensor) -> None:
        super().keep(rows)
        self.velocity = None if self.velocity is None else self.velocity[rows].clone()
        self.start = None if self.start is None else self.start[rows].clone()

    def _move(self, block: slice) -> None:
        update = self.gradient[:, block]
        if self.velocity is not None:
            velocity = self.velocity[:, block].mul_(self.rule.momentum).add_(update)
            update = update.add_(velocity * self.rule.momentum) if self.rule.nesterov else velocity
        self.theta[:, block].sub_(update * self.rate)


class _Adam(Descent):
    """Kingma & Ba 2015 (arXiv:1412.6980), algorithm 1, in the order of operations of ``torch.optim.Adam``."""

    def __init__(self, rule: Adam, program: Program, theta: torch.Tensor, loss: Loss) -> None:
        super().__init__(rule, program, theta, loss)
        self.rule = rule
        self.mean, self.square = torch.zeros_like(theta), torch.zeros_like(theta)

    def keep(self, rows: torch.Tensor) -> None:
        super().keep(rows)
        self.mean, self.square = self.mean[rows].clone(), self.square[rows].clone()

    def _move(self, block: slice) -> None:
        rule = self.rule
        mean, square, gradient = self.mean[:, block], self.square[:, block], self.gradient[:, block]
        first, second = 1 - rule.beta1**self.taken, 1 - rule.beta2**self.taken
        mean.mul_(rule.beta1).add_(gradient * (1 - rule.beta1))
        square.mul_(rule.beta2).add_(gradient.square_().mul_(1 - rule.beta2))
        size = torch.sqrt(square, out=gradient).div_(math.sqrt(second)).add_(rule.epsilon)
        self.theta[:, block].sub_(torch.div(mean, size, out=size).mul_(self.rate / first))


def _blocks(values: torch.Tensor) -> Iterator[slice]:
    """Slices that cut the second dimension into parts of about :data:`BLOCK` values."""
    length = values.shape[1]
    step = max(1, BLOCK * length // max(1, values.numel()))
    return (slice(begin, min(begin + step, length)) for begin in range(0, length, step))


def _project_rows(
    parameters: Mapping[str, torch.Tensor], centre: Mapping[str, torch.Tensor], free: Mapping[str, torch.Tensor], radius: float
) -> None:
    """Project the rows of every free weight matrix onto the Euclidean ball around their initial values."""
    for name in free:
        value = parameters[name]
        if value.dim() >= 3:
            for block in _blocks(value):
                start = centre[name][:, block]
                moved = value[:, block] - start
                length = moved.square().sum(-1, keepdim=True).sqrt_()
                value[:, block] = moved.mul_(radius / length.clamp_min_(radius)).add_(start)
