r"""Stacked kinetic Langevin dynamics, Metropolis-adjusted, localised at a point.

The target is the posterior localised at w*, exp(−U(w)), U(w) = nβ L(w) + ½ γ ‖w − w*‖².  A velocity v is added, standard normal
in the coordinates w / D, and every step (Horowitz 1991, doi 10.1016/0370-2693(91)90812-5; Monmarché 2021,
doi 10.1214/21-EJS1888, whose scheme OBABO this is with its two partial refreshments in one)

    v ← e^(−η h) v + √(1 − e^(−2 η h)) ξ,  ξ ~ N(0, I)
    v½ = v − ½ h D ∇U(w),   w' = w + h D v½,   v' = v½ − ½ h D ∇U(w')
    (w, v) ← (w', v') with probability min(1, e^(−ΔH)),  H = U + ½ ‖v‖²;  else (w, −v)

costs one gradient.  The refusals make it exact at any step size: h decides how long the chain takes and nothing else, where
Langevin steps without them estimate another number (docs/decisions/0029).

A direction of curvature k relaxes in 1/k overdamped steps' time and in 1/√k of a kinetic one's; the slowest has γ.  Everything
is found in the burn-in and frozen at its end, for each model by itself, from all of its chains:

- **step size** h, from above, so that :data:`AIMED` of the steps are accepted (stochastic approximation on log h);
- **mass**: D_i² is one over the mean squared gradient E (∂_i U)², which is the mean curvature E ∂_i² U under the target
  (integrate by parts), and at most 1/γ;
- **friction** η = √(γ mean D²), one over the time in which the localisation turns a free direction around; and at last
  1 / √(mean (w_i − w_i*)²/D_i²) where that is more, since the loss may hold all directions tighter than γ does;
- **burn-in**: :data:`RELAXATIONS` such times, then draws; the first half of them is left out as long as they do not agree.

Draws end when the standard error of the estimate is what was asked for, or at the budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from harness.measure.chains import Noise, Trace
from harness.measure.llc_spec import LLCSpec
from harness.measure.potential import Place, Potential, squared_norm
from harness.models import Loss, Program, keep_freed_memory, rows_at_a_time
from harness.progress import parts, tell
from harness.stats.convergence import change, mean_precision, split_rhat

AIMED = 0.95  # acceptance; efficiency is flat from 0.90 to 0.98 (docs/decisions/0029)
LEAST_ACCEPTED = 0.85  # of the draws at a look; below it the last parts of burn-in are gone through again from where chains are
SEARCH = 30  # steps in which the first step size is found
RELAXATIONS = 2.0  # length of each of the other three parts of burn-in, in relaxation times 1/√γ of a free direction
LEAST_WINDOW = 20  # steps of such a part
FIRST_LOOK = 200  # draws a chain before the first look at the error
LEAST_EFFECTIVE = 100  # independent draws without which an error is not believed
AGREED = 1.1  # split R̂ of the losses up to which chains are said to agree
MOST_CHANGE = 3.0  # standard errors between the halves of the draws; beyond, the first counts as burn-in
LEAST_MORE, MOST_MORE = 0.3, 2.0  # share of the draws so far that a look may ask for
LEAST_LOG_STEP = math.log(1e-12)
STATES = 14  # tensors of the size of a row's parameters that are held, beside the block of noise

Streams = Sequence[Sequence[Callable[[], torch.Generator]]]


@torch.no_grad()
def sample(
    program: Program,
    theta: torch.Tensor,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    streams: Streams,
    spec: LLCSpec,
    *,
    scope: str = "all",
    loss: Loss = "cross_entropy",
) -> Trace:
    """Run all chains of all models.

    Args:
        program: the models' program.
        theta: points w* at which the chains are localised and started, flat, shape (model, parameter).
        inputs: data, shape (model or 1, *input, point).
        targets: encoded targets, shape (model or 1, class, point).
        streams: make the random stream of every chain of every model, on the device of ``theta``.
        spec: the settings; None in it is found here.
        scope: which parameters move; one of ``program.scopes``.
        loss: see :func:`harness.models.losses.loss_and_pull`.

    Returns:
        The trace, rows in the order model × chain.
    """
    keep_freed_memory()
    chains = spec.chains
    size = rows_at_a_time(
        program, 2 * inputs[0, ..., 0].numel(), inputs.shape[-1],
        states=STATES + Noise.steps_of(program.layout.total), device=theta.device.type,
    )  # fmt: skip
    together = max(1, size // chains)
    traces = []
    for first in parts(range(0, len(theta), together)):
        chosen = slice(first, first + together)
        x, y = (data if len(data) == 1 else data[chosen] for data in (inputs, targets))
        potential = Potential(program, theta[chosen], x, y, scope, loss, spec, size)
        generators = [make() for own in streams[chosen] for make in own]
        traces.append(_Run(potential, generators, spec).run())
    return Trace.join(traces)


@dataclass
class _Model:
    """Where one model stands in its course.

    Attributes:
        number: of the model among those of the run.
        parts: of the burn-in that are still to come, the present one first; none once it draws.
        log_step: logarithm of h.
        friction: η.
        left: steps until something is to be done about it.
        since: steps since the present part began.
        burnt: steps before the first draw, so far.
        heights: log h after each step of the present part of burn-in.
        losses: of its draws, arrays (draw, chain).
        strains: likewise.
        accepted: acceptance of the steps to them, likewise.
    """

    number: int
    parts: list[str]
    log_step: float
    friction: float
    left: int = 0
    since: int = 0
    burnt: int = 0
    heights: list[float] = field(default_factory=list)
    losses: list[np.ndarray] = field(default_factory=list)
    strains: list[np.ndarray] = field(default_factory=list)
    accepted: list[np.ndarray] = field(default_factory=list)

    def cut(self, draws: int) -> None:
        """Count the first draws as burn-in."""
        for name in ("losses", "strains", "accepted"):
            setattr(self, name, [np.concatenate(getattr(self, name))[draws:]])
        self.burnt += draws

    def adapt(self, acceptance: float) -> None:
        """Move log h after a step with that mean acceptance."""
        gain = (1.0 if self.parts[0] == "search" else 0.5) / math.sqrt(1 + self.since)
        self.log_step += gain * (acceptance - AIMED)
        self.since += 1
        self.heights.append(self.log_step)


class _Run:
    """The chains of some models, from w* to the last draw.  Rows are model × chain."""

    def __init__(self, potential: Potential, generators: Sequence[torch.Generator], spec: LLCSpec) -> None:
        self.potential, self.spec = potential, spec
        self.noise = _Proposals(generators, potential.anchor)
        self.here, self.there = Place(potential.anchor.clone()), Place(potential.anchor.clone())
        self.velocity = torch.stack(
            [torch.empty_like(row).normal_(generator=own) for row, own in zip(potential.anchor, generators, strict=True)]
        )
        self.scale, self.squares, self.spread = (torch.full_like(potential.anchor, value) for value in (1.0, 0.0, 0.0))
        potential.evaluate(self.here)
        self.initial_loss = self.here.loss.clone()
        self.gradient_norm = (self.here.gradient.double() / potential.nbeta).square().sum(1).sqrt()
        root = math.sqrt(spec.localization)
        step = math.log(spec.step_size or 1 / root)
        self.models = [_Model(number, self._parts(), step, spec.friction * root) for number in range(len(potential.theta))]
        for model in self.models:
            model.left = self._length(model)
        self.done: list[_Model] = []

    def _parts(self) -> list[str]:
        if self.spec.burn_in == 0:
            return []
        search = ["search"] if self.spec.step_size is None else []
        return [*search, *(["mass", "mass", "settle"] if self.spec.mass == "adapted" else ["settle"] * 3)]

    def _length(self, model: _Model) -> int:
        """Steps of the part that a model enters."""
        spec = self.spec
        if not model.parts:
            return spec.draws or min(FIRST_LOOK, max(1, spec.budget - model.burnt))
        if spec.burn_in is not None:
            return max(1, (spec.burn_in - model.burnt) // len(model.parts))
        if model.parts[0] == "search":
            return SEARCH
        steps = RELAXATIONS * spec.friction / (model.friction * math.exp(model.log_step))
        return int(min(max(LEAST_WINDOW, math.ceil(steps)), max(LEAST_WINDOW, spec.budget // 8)))

    def run(self) -> Trace:
        """All of it; the trace, rows in their order."""
        self._remove([model for model in self.models if not self._finite(model)])
        self._set_steps()
        while self.models:
            self._advance(min(model.left for model in self.models))
            due = [model for model in self.models if model.left == 0]
            changed = [model for model in due if model.parts]
            for model in changed:
                self._next_part(model)
            self._remove([model for model in due if model not in changed and self._look(model)])
            if changed:
                self._set_steps()
        return self._trace()

    def _rows(self, model: _Model) -> slice:
        first = self.models.index(model) * self.spec.chains
        return slice(first, first + self.spec.chains)

    def _finite(self, model: _Model) -> bool:
        rows = self._rows(model)
        return bool(torch.isfinite(self.here.loss[rows]).all() and torch.isfinite(self.here.gradient[rows]).all())

    def _advance(self, steps: int) -> None:
        """Make so many steps with all chains."""
        seen = torch.empty(3, steps, len(self.velocity), dtype=self.velocity.dtype, device=self.velocity.device)
        burning = [model for model in self.models if model.parts]
        adapting = [model for model in burning if self.spec.step_size is None]
        before, after = self._share_done(0), self._share_done(steps)
        learning = any(model.parts[0] != "search" for model in adapting)
        for step in range(steps):
            seen[2, step] = self._step()
            seen[0, step], seen[1, step] = self.here.loss, self.here.far
            if learning:
                self.squares += self.here.gradient.square()
                self.spread += self.here.moved.square()
            if adapting:
                accepted = seen[2, step].tolist()
                for model in adapting:
                    own = accepted[self._rows(model)]
                    model.adapt(sum(own) / len(own))
                self._set_steps()
            tell(before + (after - before) * (step + 1) / steps)
        losses, strains, accepted_by = seen.double().cpu().numpy()
        for model in self.models:
            rows = self._rows(model)
            model.left -= steps
            if model.parts:
                model.burnt += steps
            else:
                model.losses.append(losses[:, rows])
                model.strains.append(strains[:, rows] * self.spec.localization)
                model.accepted.append(accepted_by[:, rows])

    def _share_done(self, steps: int) -> float:
        """Share of the work that will be done after so many more steps, if every model goes on to its budget."""
        spec, count = self.spec, len(self.models) + len(self.done)
        most = spec.budget if spec.draws is None else spec.draws + (spec.burn_in or 0)
        made = (model.burnt + sum(map(len, model.losses)) + steps for model in self.models)
        return (len(self.done) + sum(min(1.0, each / most) for each in made)) / count

    def _step(self) -> torch.Tensor:
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

    def _set_steps(self) -> None:
        """What follows from h, η and D of every model."""
        chains, like = self.spec.chains, self.velocity
        step = like.new_tensor([math.exp(m.log_step) for m in self.models for _ in range(chains)])[:, None]
        kept = [math.exp(-m.friction * math.exp(m.log_step)) for m in self.models for _ in range(chains)]
        self.kept = like.new_tensor(kept)[:, None]
        self.fresh = like.new_tensor([math.sqrt(1 - value**2) for value in kept])[:, None]
        self.reach = self.scale * step
        self._kick(self.here)

    def _next_part(self, model: _Model) -> None:
        """End a part of burn-in: what was learned in it is taken over."""
        part, since = model.parts[0], max(model.since, 1)
        if part == "search" and self._lost(model):
            model.left, model.since = SEARCH, 0
            return
        if part == "mass":
            self._set_mass(model)
        if self.spec.step_size is None and len(model.parts) == 2:
            self._set_friction(model)
        if self.spec.step_size is None and part == "settle" and len(model.parts) == 1:
            model.log_step = float(np.mean(model.heights[since // 2 :]))
        model.parts.pop(0)
        model.heights, model.since = [], 0
        model.left = self._length(model)
        self.squares[self._rows(model)] = 0.0
        self.spread[self._rows(model)] = 0.0

    def _lost(self, model: _Model) -> bool:
        """Whether no step size has been found yet: h still falls as fast as it can."""
        if model.log_step < LEAST_LOG_STEP:
            raise ValueError(
                f"no step size down to {math.exp(LEAST_LOG_STEP):.0e} is accepted: the loss or its gradient is not finite "
                f"near the model, or γ = {self.spec.localization:g} and nβ = {self.potential.nbeta:g} are far too large"
            )
        return model.heights[-1] - model.heights[len(model.heights) // 2] < -0.5 * len(model.heights) / math.sqrt(2 * SEARCH)

    def _set_mass(self, model: _Model) -> None:
        rows = self._rows(model)
        mean = self.squares[rows].double().mean(0) / max(model.since, 1)
        scale = mean.clamp_min(self.spec.localization).rsqrt()
        before = float(self.scale[rows.start].min())
        self.scale[rows] = scale.to(self.scale.dtype)
        model.friction = self.spec.friction * math.sqrt(self.spec.localization * float(scale.square().mean()))
        # The stiffest coordinate keeps its step; the others are longer, and too long ones are shortened within a few steps.
        model.log_step = min(0.0, model.log_step + math.log(before / float(scale.min())))

    def _set_friction(self, model: _Model) -> None:
        """Where the loss holds all directions, those that γ alone would hold are not the slowest: less time to forget in."""
        rows = self._rows(model)
        spread = self.spread[rows].double().mean(0) / max(model.since, 1)
        slowest = float((spread / self.scale[rows.start].double().square()).mean())
        model.friction = max(model.friction, self.spec.friction / math.sqrt(max(slowest, 1e-300)))

    def _look(self, model: _Model) -> bool:
        """Whether a model is done; if not, how many more draws it gets, and whether some count as burn-in."""
        spec = self.spec
        if spec.draws is not None:
            return True
        seen = np.stack([np.concatenate(values).T for values in (model.losses, model.strains)])
        losses, draws = seen[0], seen.shape[-1]
        initial = float(self.initial_loss[model.number * spec.chains])
        estimate, (effective, error) = self.potential.nbeta * (losses.mean() - initial), mean_precision(losses)
        error *= self.potential.nbeta
        left = spec.budget - model.burnt - draws
        settled = np.abs(change(seen)).max() <= MOST_CHANGE
        exact = error <= spec.precision * abs(estimate) or estimate < -4 * error
        if left <= 0 or (exact and settled and effective >= LEAST_EFFECTIVE and split_rhat(seen).max() <= AGREED):
            return True
        if self._steeper(model) and left > draws:
            model.cut(draws)
            model.parts = self._parts()[-2:]
            model.left = self._length(model)
            return False
        if not settled:
            model.cut(draws // 2)
        wanted = draws * (error / (spec.precision * abs(estimate))) ** 2 if estimate else math.inf
        model.left = int(min(left, max(LEAST_MORE * draws, min(wanted - draws, MOST_MORE * draws))))
        model.left = max(1, model.left)
        return False

    def _steeper(self, model: _Model) -> bool:
        """Whether the chains have met steeper ground than that of the burn-in, where their steps are too long."""
        return self.spec.step_size is None and float(np.concatenate(model.accepted).mean()) < LEAST_ACCEPTED

    def _remove(self, models: Sequence[_Model]) -> None:
        """Take models that are done out."""
        if not models:
            return
        self.done += models
        gone = {id(model) for model in models}
        kept = [place for place, model in enumerate(self.models) if id(model) not in gone]
        self.models = [self.models[place] for place in kept]
        if not kept:
            return
        index = torch.tensor(kept, device=self.velocity.device)
        rows = (index[:, None] * self.spec.chains + torch.arange(self.spec.chains, device=index.device)).flatten()
        self.potential.take(index)
        self.here.take(rows)
        self.there.take(rows)
        self.noise.take(rows)
        for name in ("velocity", "scale", "squares", "spread"):
            setattr(self, name, getattr(self, name)[rows])
        self._set_steps()

    def _trace(self) -> Trace:
        """What was seen, in the order of the models."""
        return Trace.join([self._trace_of(model) for model in sorted(self.done, key=lambda model: model.number)])

    def _trace_of(self, model: _Model) -> Trace:
        chains = self.spec.chains
        rows = slice(model.number * chains, (model.number + 1) * chains)
        nothing = [np.full((1, chains), np.nan)]  # seen of a model whose own loss is not finite
        losses, strains, accepted = (
            torch.from_numpy(np.concatenate(seen or nothing)).T for seen in (model.losses, model.strains, model.accepted)
        )
        draws = sum(map(len, model.losses))
        return Trace(
            losses, strains, torch.full((chains,), draws), torch.full((chains,), model.burnt), accepted.mean(1),
            torch.full((chains,), math.exp(model.log_step)), self.initial_loss[rows].cpu(), self.gradient_norm[rows].cpu(),
        )  # fmt: skip


class _Proposals(Noise):
    """Noise, and for each step the level −E ~ log U(0, 1) below which the rise of H is accepted."""

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
