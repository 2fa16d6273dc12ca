"""How a network descends, how its learning rate changes on the way, and when it stops.

The ``per`` of a schedule says what it counts, epochs or optimiser steps: whichever would be followed by ``scheduler.step()`` in
ordinary PyTorch code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from harness.spec import LATER, is_real, is_whole, require


def _require_rate(owner: SGD | Adam) -> None:
    require(is_real(owner.learning_rate) and owner.learning_rate > 0, owner, "learning_rate", "a number above 0")
    require(is_real(owner.weight_decay) and owner.weight_decay >= 0, owner, "weight_decay", "a number from 0")


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent.

    Attributes:
        learning_rate: step size.
        momentum: heavy-ball momentum, as in ``torch.optim.SGD``.
        row_radius: None, or the radius of the Euclidean ball around its initial value onto which each row of each weight
            matrix is projected after every step (the lazy regime's B_{2,∞}(W₀, C₀/√m)).
        weight_decay: λ of the L2 penalty; λ θ is added to the gradient, as in ``torch.optim.SGD``.
        nesterov: whether the momentum is Nesterov's, as in ``torch.optim.SGD``.
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    row_radius: float | None = None
    weight_decay: float = field(default=0.0, metadata=LATER)
    nesterov: bool = field(default=False, metadata=LATER)

    def __post_init__(self) -> None:
        _require_rate(self)
        require(is_real(self.momentum) and 0 <= self.momentum < 1, self, "momentum", "at least 0 and below 1")
        inside = self.row_radius is None or (is_real(self.row_radius) and self.row_radius > 0)
        require(inside, self, "row_radius", "None or above 0")
        require(isinstance(self.nesterov, bool), self, "nesterov", "True or False")
        require(not self.nesterov or self.momentum > 0, self, "nesterov", "False where momentum is 0")


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1), as in ``torch.optim.Adam``.

    Attributes:
        learning_rate: step size α.
        beta1: decay of the mean of the gradients.
        beta2: decay of the mean of their squares.
        epsilon: added to the square root of the latter.
        weight_decay: λ of the L2 penalty; λ θ is added to the gradient, as in ``torch.optim.Adam``.  The decay that does not
            pass through the moments is that of :class:`AdamW`.
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = field(default=0.0, metadata=LATER)

    def __post_init__(self) -> None:
        _require_rate(self)
        require(is_real(self.beta1) and 0 <= self.beta1 < 1, self, "beta1", "at least 0 and below 1")
        require(is_real(self.beta2) and 0 <= self.beta2 < 1, self, "beta2", "at least 0 and below 1")
        require(is_real(self.epsilon) and self.epsilon > 0, self, "epsilon", "above 0")


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2), as in ``torch.optim.AdamW``.

    Attributes:
        weight_decay: λ; before each step θ is multiplied by 1 − (learning rate) · λ.
    """

    weight_decay: float = 0.01


@dataclass(frozen=True)
class Until:
    """When a member has trained enough; the recipe's epochs are then the most that it may take.

    A member that has reached it is left as it is while the others go on.  What is read is the training set, clean, in
    evaluation after whole epochs.

    Attributes:
        quantity: "residual": every |f(x) − y| lies below the threshold; "loss": the mean loss does; "accuracy": the share of
            points that are classified rightly is the threshold or more.
        threshold: of that quantity.
        every: epochs from one look to the next.
    """

    quantity: Literal["residual", "loss", "accuracy"]
    threshold: float
    every: int = 1

    def __post_init__(self) -> None:
        allowed = ("residual", "loss", "accuracy")
        require(self.quantity in allowed, self, "quantity", "'residual', 'loss' or 'accuracy'")
        require(is_real(self.threshold) and self.threshold > 0, self, "threshold", "above 0")
        require(self.quantity != "accuracy" or self.threshold <= 1, self, "threshold", "at most 1 for an accuracy")
        require(is_whole(self.every) and self.every >= 1, self, "every", "a whole number, 1 or more")


Per: TypeAlias = Literal["epoch", "step"]


def _require_per(owner: Schedule) -> None:
    require(owner.per in ("epoch", "step"), owner, "per", "'epoch' or 'step'")


@dataclass(frozen=True)
class StepDecay:
    """Multiplied by a factor now and then, as by ``torch.optim.lr_scheduler.StepLR``, or ``MultiStepLR`` for a list of times.

    Attributes:
        every: how long from one decay to the next; or after how many epochs or steps each comes, in rising order.
        factor: what the learning rate is multiplied by (torch's gamma).
        per: "epoch" or "step".
    """

    every: int | tuple[int, ...]
    factor: float = 0.1
    per: Per = "epoch"

    def __post_init__(self) -> None:
        times = self.every if isinstance(self.every, tuple) else (self.every,)
        sane = bool(times) and all(is_whole(time) and time >= 1 for time in times) and list(times) == sorted(times)
        require(sane, self, "every", "a whole number from 1, or a tuple of them in rising order")
        require(is_real(self.factor) and self.factor > 0, self, "factor", "a number above 0")
        _require_per(self)

    def rate(self, base: float, time: int, length: int) -> float:
        """The learning rate after ``time`` epochs or steps of ``length``, for an optimiser with the learning rate ``base``."""
        past = time // self.every if isinstance(self.every, int) else sum(time >= each for each in self.every)
        return base * self.factor**past


@dataclass(frozen=True)
class Cosine:
    """Half a period of a cosine, as by ``torch.optim.lr_scheduler.CosineAnnealingLR``.

    From Loshchilov & Hutter 2017 (arXiv:1608.03983), eq. 5, without restarts.

    Attributes:
        over: how long it takes to the lowest (torch's T_max); None for what is left of the training.  A cosine that is over
            before the training is rises again, as torch's does.
        lowest: the learning rate at the end (torch's eta_min).
        per: "epoch" or "step".
    """

    over: int | None = None
    lowest: float = 0.0
    per: Per = "epoch"

    def __post_init__(self) -> None:
        require(self.over is None or (is_whole(self.over) and self.over >= 1), self, "over", "None or a whole number from 1")
        require(is_real(self.lowest) and self.lowest >= 0, self, "lowest", "a number from 0")
        _require_per(self)

    def rate(self, base: float, time: int, length: int) -> float:
        """See :meth:`StepDecay.rate`."""
        return self.lowest + (base - self.lowest) * (1 + math.cos(math.pi * time / (self.over or max(1, length)))) / 2


@dataclass(frozen=True)
class WarmUp:
    """A straight line up to the learning rate, as by ``torch.optim.lr_scheduler.LinearLR``, and then another schedule.

    With ``then`` it is ``SequentialLR([LinearLR(…), then], milestones=[over])``: the other begins when the warm-up is over.

    Attributes:
        over: how long it takes (torch's total_iters).
        start: the first share of the learning rate (torch's start_factor).
        then: the schedule after it, which counts what this one counts; None for a constant learning rate.
        per: "epoch" or "step".
    """

    over: int
    start: float = 1 / 3
    then: StepDecay | Cosine | None = None
    per: Per = "epoch"

    def __post_init__(self) -> None:
        require(is_whole(self.over) and self.over >= 1, self, "over", "a whole number from 1")
        require(is_real(self.start) and 0 < self.start <= 1, self, "start", "above 0 and at most 1")
        _require_per(self)
        require(self.then is None or isinstance(self.then, StepDecay | Cosine), self, "then", "None, a StepDecay or a Cosine")
        same = self.then is None or self.then.per == self.per
        require(same, self, "then", f"a schedule per {self.per}, as the warm-up counts: write per={self.per!r} in both")

    def rate(self, base: float, time: int, length: int) -> float:
        """See :meth:`StepDecay.rate`."""
        if time < self.over:
            return base * (self.start + (1 - self.start) * time / self.over)
        return base if self.then is None else self.then.rate(base, time - self.over, length - self.over)


Schedule: TypeAlias = StepDecay | Cosine | WarmUp
