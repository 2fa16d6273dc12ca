"""The course of one model's chains: through the parts of burn-in to the draws, until their error is small enough.

:mod:`harness.measure.llc.kinetic` says what is found in which part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch

from harness.measure.llc.chains import MOST_DISTANCE_RHAT, MOST_RHAT, Trace
from harness.measure.llc.spec import LLCSpec
from harness.stats.convergence import change, mean_precision, split_rhat

AIMED = 0.95  # acceptance; efficiency is flat from 0.90 to 0.98 (docs/decisions/0029)
LEAST_ACCEPTED = 0.85  # of the draws at a look; below it the last parts of burn-in are gone through again from where chains are
SEARCH = 30  # steps in which the first step size is found
RELAXATIONS = 2.0  # length of each of the other three parts of burn-in, in relaxation times 1/√γ of a free direction
LEAST_WINDOW = 20  # steps of such a part
FIRST_LOOK = 200  # draws a chain before the first look at the error
LEAST_EFFECTIVE = 100  # independent draws without which an error is not believed
AGREED = np.array([MOST_RHAT, MOST_DISTANCE_RHAT])  # of the losses and of the distances
MOST_CHANGE = 3.0  # standard errors between the halves of the draws; beyond, the first counts as burn-in
LEAST_MORE, MOST_MORE = 0.3, 2.0  # share of the draws so far that a look may ask for
LEAST_LOG_STEP = math.log(1e-12)


@dataclass
class Course:
    """Where one model stands.

    Attributes:
        number: of the model among those of the run.
        spec: the settings.
        nbeta: nβ.
        initial_loss: L(w*).
        gradient_norm: ‖∇L(w*)‖.
        log_step: logarithm of h.
        friction: η.
        parts: of the burn-in that are still to come, the present one first; none once it draws.
        left: steps until something is to be decided.
        lasted: steps of the present part so far.
        burnt: steps before the first draw, so far.
        heights: log h after each step of the present part of burn-in.
        seen: losses, γ‖w − w*‖² and acceptance of its draws, arrays (3, draw, chain).
    """

    number: int
    spec: LLCSpec
    nbeta: float
    initial_loss: float
    gradient_norm: float
    log_step: float = field(init=False)
    friction: float = field(init=False)
    parts: list[str] = field(init=False)
    left: int = field(init=False)
    lasted: int = 0
    burnt: int = 0
    heights: list[float] = field(default_factory=list)
    seen: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        root = math.sqrt(self.spec.localization)
        self.log_step, self.friction = math.log(self.spec.step_size or 1 / root), self.spec.friction * root
        self.parts = self._burn_in() if self.spec.burn_in != 0 else []
        self.left = self._length()

    @property
    def step_size(self) -> float:
        """Step size h."""
        return math.exp(self.log_step)

    @property
    def adapting(self) -> bool:
        """Whether h is being adapted."""
        return bool(self.parts) and self.spec.step_size is None

    @property
    def learning(self) -> bool:
        """Whether mass or friction are learned."""
        return bool(self.parts) and self.parts[0] != "search"

    def adapt(self, acceptance: float) -> None:
        """Adapt log h after a step with that mean acceptance."""
        gain = (1.0 if self.parts[0] == "search" else 0.5) / math.sqrt(1 + len(self.heights))
        self.log_step += gain * (acceptance - AIMED)
        self.heights.append(self.log_step)

    def went(self, seen: np.ndarray) -> None:
        """Take note of some steps: losses, γ‖w − w*‖² and acceptance, shape (3, step, chain)."""
        steps = seen.shape[1]
        self.left -= steps
        if self.parts:
            self.burnt += steps
            self.lasted += steps
        else:
            self.seen.append(seen)

    def share_done(self, steps: int) -> float:
        """Share of the work that is done after so many more steps, if it goes on to its budget."""
        most = self.spec.budget if self.spec.draws is None else self.spec.draws + (self.spec.burn_in or 0)
        return min(1.0, (self.burnt + self._draws() + steps) / most)

    def next_part(self) -> None:
        """Enter the next part, once what this one learned is set; the search for a step size goes on until one is found."""
        if self.parts[0] == "search" and self._falls():
            self.left, self.heights = SEARCH, []
            return
        if len(self.parts) == 1 and self.spec.step_size is None:
            self.log_step = float(np.mean(self.heights[len(self.heights) // 2 :]))
        self.parts.pop(0)
        self.heights, self.lasted = [], 0
        self.left = self._length()

    def look(self) -> bool:
        """Whether it is done; if not, decide how many more draws it gets, and whether some count as burn-in."""
        spec, draws = self.spec, self._draws()
        if spec.draws is not None:
            return True
        seen = np.concatenate(self.seen, axis=1).swapaxes(1, 2)
        estimate = self.nbeta * float(seen[0].mean() - self.initial_loss)
        effective, error = mean_precision(seen[0])
        error *= self.nbeta
        left = spec.budget - self.burnt - draws
        settled = np.abs(change(seen[:2])).max() <= MOST_CHANGE
        exact = error <= spec.precision * abs(estimate) or estimate < -4 * error
        if left <= 0 or (exact and settled and effective >= LEAST_EFFECTIVE and (split_rhat(seen[:2]) <= AGREED).all()):
            return True
        # Where the chains have met steeper ground than that of the burn-in, their steps are too long.
        if spec.step_size is None and seen[2].mean() < LEAST_ACCEPTED and left > draws:
            self._cut(draws)
            self.parts = self._burn_in()[-2:]
            self.left = self._length()
            return False
        if not settled:
            self._cut(draws // 2)
        wanted = draws * (error / (spec.precision * abs(estimate))) ** 2 if estimate else math.inf
        self.left = max(1, int(min(left, max(LEAST_MORE * draws, min(wanted - draws, MOST_MORE * draws)))))
        return False

    def trace(self) -> Trace:
        """What was seen."""
        chains = self.spec.chains
        nothing = [np.full((3, 1, chains), np.nan)]  # of a model whose own loss is not finite
        losses, strains, accepted = torch.from_numpy(np.concatenate(self.seen or nothing, axis=1)).swapaxes(1, 2)

        def same(value: float) -> torch.Tensor:
            return torch.full((chains,), value, dtype=torch.float64)

        return Trace(
            losses, strains, torch.full((chains,), self._draws()), torch.full((chains,), self.burnt), accepted.mean(1),
            same(self.step_size), same(self.initial_loss), same(self.gradient_norm),
        )  # fmt: skip

    def _draws(self) -> int:
        return sum(seen.shape[1] for seen in self.seen)

    def _cut(self, draws: int) -> None:
        """Count the first draws as burn-in."""
        self.seen = [np.concatenate(self.seen, axis=1)[:, draws:]]
        self.burnt += draws

    def _burn_in(self) -> list[str]:
        search = ["search"] if self.spec.step_size is None else []
        return [*search, *(["mass", "mass", "settle"] if self.spec.mass == "adapted" else ["settle"] * 3)]

    def _length(self) -> int:
        """Steps of the part that is entered."""
        spec = self.spec
        if not self.parts:
            return spec.draws or min(FIRST_LOOK, max(1, spec.budget - self.burnt))
        if spec.burn_in is not None:
            return max(1, (spec.burn_in - self.burnt) // len(self.parts))
        if self.parts[0] == "search":
            return SEARCH
        steps = RELAXATIONS * spec.friction / (self.friction * self.step_size)
        return int(min(max(LEAST_WINDOW, math.ceil(steps)), max(LEAST_WINDOW, spec.budget // 8)))

    def _falls(self) -> bool:
        """Whether no step size has been found yet, because h is still falling as fast as it can."""
        if self.log_step < LEAST_LOG_STEP:
            raise ValueError(
                f"no step size down to {math.exp(LEAST_LOG_STEP):.0e} is accepted: the loss or its gradient is not finite "
                f"near the model, or γ = {self.spec.localization:g} or nβ = {self.nbeta:g} is far too large"
            )
        return self.heights[-1] - self.heights[len(self.heights) // 2] < -0.5 * len(self.heights) / math.sqrt(2 * SEARCH)
