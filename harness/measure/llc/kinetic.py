r"""Stacked kinetic Langevin dynamics, Metropolis-adjusted, localised at a point.

The target is the posterior localised at w*, exp(−U(w)), U(w) = nβ L(w) + ½ γ ‖w − w*‖².  A velocity v is added, standard normal
in the coordinates w / D, and every step (Horowitz 1991, doi 10.1016/0370-2693(91)90812-5; Monmarché 2021,
doi 10.1214/21-EJS1888, whose scheme OBABO this is with its two partial refreshments in one)

    v ← e^(−η h) v + √(1 − e^(−2 η h)) ξ,  ξ ~ N(0, I)
    v½ = v − ½ h D ∇U(w),   w' = w + h D v½,   v' = v½ − ½ h D ∇U(w')
    (w, v) ← (w', v') with probability min(1, e^(−ΔH)),  H = U + ½ ‖v‖²;  else (w, −v)

costs one gradient.  The rejections make it exact at any step size: h decides how long the chain takes and nothing else, whereas
Langevin steps without rejections estimate a different number (docs/decisions/0029).

A direction of curvature k relaxes in a time of 1/k with overdamped steps and of 1/√k with kinetic ones; the slowest directions
have curvature γ.  Everything is found in the burn-in and frozen at its end, for each model separately, from all its chains:

- **step size** h, from above, so that 0.95 of the steps are accepted (stochastic approximation on log h);
- **mass**: D_i² is one over the mean squared gradient E (∂_i U)², which is the mean curvature E ∂_i² U under the target
  (integrate by parts), and at most 1/γ;
- **friction** η = √(γ mean D²), one over the time in which the localisation turns a free direction around; and at the end
  1 / √(mean (w_i − w_i*)²/D_i²) if that is larger, since the loss may hold all directions more tightly than γ does;
- **burn-in**: two such times for each of these, then draws; the first half of the draws is discarded as long as they disagree.

Draws end when the standard error of the estimate is as small as was asked for, or at the budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from harness.measure.llc.chains import Noise, Trace
from harness.measure.llc.kinetic_course import Course
from harness.measure.llc.kinetic_step import STATES, Walk
from harness.measure.llc.potential import Potential
from harness.measure.llc.spec import LLCSpec
from harness.measure.walk import groups
from harness.networks import Loss, Program, keep_freed_memory, rows_at_a_time
from harness.progress import tell

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
        loss: see :func:`harness.networks.losses.loss_and_pull`.

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
    for chosen in groups(len(theta), together):
        x, y = (data if len(data) == 1 else data[chosen] for data in (inputs, targets))
        potential = Potential(program, theta[chosen], x, y, scope, loss, spec, size)
        generators = [make() for own in streams[chosen] for make in own]
        traces.append(_Run(potential, generators, spec).run())
    return Trace.join(traces)


class _Run:
    """The chains of some models, from w* to the last draw.  Rows are model × chain."""

    def __init__(self, potential: Potential, generators: Sequence[torch.Generator], spec: LLCSpec) -> None:
        self.spec = spec
        self.walk = Walk(potential, generators)
        self.squares, self.spread = torch.zeros_like(potential.anchor), torch.zeros_like(potential.anchor)
        here = self.walk.here
        losses = here.loss.tolist()
        norms = (here.gradient.double() / potential.nbeta).square().sum(1).sqrt().tolist()
        self.models = [Course(number, spec, potential.nbeta, losses[first], norms[first])
                       for number, first in enumerate(range(0, len(losses), spec.chains))]  # fmt: skip
        self.done: list[Course] = []

    def run(self) -> Trace:
        """Run to the end; the trace, with its rows in order."""
        self._remove([model for model in self.models if not self._finite(model)])
        self._set_steps()
        while self.models:
            self._advance(min(model.left for model in self.models))
            due = [model for model in self.models if model.left == 0]
            burning = [model for model in due if model.parts]
            for model in burning:
                self._learn(model)
                model.next_part()
            self._forget(due)
            self._remove([model for model in due if model not in burning and model.look()])
            self._set_steps()
        return Trace.join([model.trace() for model in sorted(self.done, key=lambda model: model.number)])

    def _rows(self, model: Course) -> slice:
        first = self.models.index(model) * self.spec.chains
        return slice(first, first + self.spec.chains)

    def _finite(self, model: Course) -> bool:
        rows, here = self._rows(model), self.walk.here
        return bool(torch.isfinite(here.loss[rows]).all() and torch.isfinite(here.gradient[rows]).all())

    def _advance(self, steps: int) -> None:
        """Make that many steps with all chains."""
        walk = self.walk
        seen = torch.empty(3, steps, len(walk.velocity), dtype=walk.velocity.dtype, device=walk.velocity.device)
        adapting = [(model, self._rows(model)) for model in self.models if model.adapting]
        learning = any(model.learning for model in self.models)
        before, after = self._share_done(0), self._share_done(steps)
        for step in range(steps):
            seen[2, step] = walk.step()
            seen[0, step], seen[1, step] = walk.here.loss, walk.here.far
            if learning:
                self.squares += walk.here.gradient.square()
                self.spread += walk.here.moved.square()
            if adapting:
                accepted = seen[2, step].tolist()
                for model, rows in adapting:
                    model.adapt(sum(accepted[rows]) / self.spec.chains)
                self._set_steps()
            tell(before + (after - before) * (step + 1) / steps)
        seen[1] *= self.spec.localization
        values = seen.double().cpu().numpy()
        for model in self.models:
            model.went(values[:, :, self._rows(model)])

    def _share_done(self, steps: int) -> float:
        """Share of the work that will be done after that many more steps."""
        return (len(self.done) + sum(model.share_done(steps) for model in self.models)) / (len(self.done) + len(self.models))

    def _set_steps(self) -> None:
        """What follows from h, η and D of every model."""
        if self.models:
            self.walk.set_steps([model.step_size for model in self.models], [model.friction for model in self.models])

    def _learn(self, model: Course) -> None:
        """Take over what a part of burn-in showed: the mass after each of its two parts, the friction before the last part."""
        rows = self._rows(model)
        if model.learning:
            curvature, spread = (each[rows].double().mean(0) / model.lasted for each in (self.squares, self.spread))
            if model.parts[0] == "mass":
                self._set_mass(model, curvature)
            if len(model.parts) == 2 and model.adapting:
                slowest = float((spread / self.walk.scale[rows.start].double().square()).mean())
                model.friction = max(model.friction, self.spec.friction / math.sqrt(max(slowest, 1e-300)))

    def _forget(self, due: Sequence[Course]) -> None:
        """Begin the sums of a part from zero: those of all rows go on while any model learns, also of one that draws."""
        for model in due:
            rows = self._rows(model)
            self.squares[rows] = self.spread[rows] = 0.0

    def _set_mass(self, model: Course, curvature: torch.Tensor) -> None:
        rows, gamma = self._rows(model), self.spec.localization
        scale = curvature.clamp_min(gamma).rsqrt()
        before = float(self.walk.scale[rows.start].min())
        self.walk.scale[rows] = scale.to(self.walk.scale.dtype)
        model.friction = self.spec.friction * math.sqrt(gamma * float(scale.square().mean()))
        if self.spec.step_size is None:
            # The stiffest coordinate keeps its step; the others are longer, and too long ones are shortened within a few steps.
            model.log_step = min(0.0, model.log_step + math.log(before / float(scale.min())))

    def _remove(self, models: Sequence[Course]) -> None:
        """Remove models that are done."""
        if not models:
            return
        self.done += models
        gone = {id(model) for model in models}
        kept = [place for place, model in enumerate(self.models) if id(model) not in gone]
        self.models = [self.models[place] for place in kept]
        if kept:
            rows = self.walk.take(torch.tensor(kept, device=self.squares.device))
            self.squares, self.spread = self.squares[rows], self.spread[rows]
