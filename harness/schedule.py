"""How the learning rate changes while a network is trained: the closed forms of torch's schedulers.

A schedule says by its ``per`` what it counts: after every epoch or after every optimiser step, whichever its scheduler would be
told of by ``scheduler.step()``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from harness.spec import is_real, is_whole, require

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
