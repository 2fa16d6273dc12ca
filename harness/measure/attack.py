"""Adversarial attacks on stacks: projected gradient ascent, and the smallest perturbation that flips a point.

The smallest perturbation is searched, not known: what is returned is the size of a perturbation that was found to flip the
point, so it is an upper bound of the true value (exact for a linear classifier, where one step of steepest ascent solves
the problem).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from harness.measure.base import Models, ensure_classes, stack
from harness.models import Parameters, Program, encode, keep_freed_memory
from harness.models.ascent import ascend, clip, margin, norms, random_start, spread, steepest
from harness.population import Population
from harness.recipe import Norm, require
from harness.streams import torch_generator

OVERSHOOT = 1.0005  # of an exact step, so that rounding does not leave it short of the boundary
VALUES_AT_A_TIME = 2**21  # inputs × rows held at once by one attack


@dataclass(frozen=True)
class PerturbationSpec:
    """How the smallest perturbation is searched.

    Attributes:
        largest: radius beyond which a point counts as never flipped (its value is infinite: right-censored).
        rounds: radii tried for each point; the bracket around its smallest radius is halved in each.
        steps: steps of ascent at each radius.
        restarts: random starts in the first rounds, besides the start at the clean point.
        shrinks: halvings along the segment from the clean to the flipped point after each success.
        linear_steps: steps of the search that comes first, towards each class in turn: each solves the network's
            linearisation exactly (Moosavi-Dezfooli et al. 2016, DeepFool), so that a linear network is solved by one.
    """

    largest: float = 16.0
    rounds: int = 15
    steps: int = 20
    restarts: int = 4
    shrinks: int = 10
    linear_steps: int = 4

    def __post_init__(self) -> None:
        require(self.largest > 0, self, "largest", "above 0")
        for name in ("rounds", "steps", "shrinks", "linear_steps"):
            require(getattr(self, name) >= 1, self, name, "1 or more")
        require(self.restarts >= 0, self, "restarts", "0 or more")

    @property
    def step_sizes(self) -> list[float]:
        """From the radius of the ball geometrically down to a fiftieth of it."""
        return [float(size) for size in np.geomspace(1.0, 0.02, self.steps)]


@dataclass
class _Problem:
    """A stack of points to flip."""

    program: Program
    parameters: Parameters
    inputs: torch.Tensor
    targets: torch.Tensor
    norm: Norm
    bounds: tuple[float, float] | None

    def flipped(self, delta: torch.Tensor) -> torch.Tensor:
        """Which points are classified as another class under ``delta``, shape (row, point)."""
        return margin(self.program.logits(self.parameters, self.inputs + delta), self.targets) <= 0


def smallest_perturbation(
    models: Models,
    inputs: np.ndarray | torch.Tensor,
    targets: np.ndarray | torch.Tensor,
    *,
    norm: Norm = "linf",
    spec: PerturbationSpec | None = None,
    bounds: tuple[float, float] | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> np.ndarray:
    """Size of the smallest perturbation found that makes each model reclassify each point.

    Args:
        models: one ``nn.Module``, a list of modules of one shape, or a Population (its last epoch).
        inputs: points, shape (point, *input).
        targets: class numbers, shape (point,).
        norm: "linf" or "l2".
        spec: how it is searched.
        bounds: smallest and largest admissible value of an input, or None.
        seed: names the random streams; each model has its own.
        device: "cpu" or "cuda".

    Returns:
        Array of shape (model, point) in the units of the inputs: 0 where the clean point is misclassified already,
        infinity where nothing up to ``spec.largest`` flipped it.
    """
    keep_freed_memory()
    program, theta = stack(models)
    spec = spec or PerturbationSpec()
    x = torch.as_tensor(inputs, dtype=torch.float32).to(device).movedim(0, -1)
    y = torch.as_tensor(targets).to(device)
    ensure_classes(program, theta, x)
    owners = models.seeds if isinstance(models, Population) else range(len(theta))
    rows = max(1, VALUES_AT_A_TIME // x.numel())
    found = [
        _search(program, theta[i : i + rows].to(device), x, encode(y, program.classes), norm, spec, bounds,
                [torch_generator("smallest perturbation", norm, seed, int(owner)) for owner in owners[i : i + rows]])
        for i in range(0, len(theta), rows)
    ]  # fmt: skip
    return torch.cat(found).cpu().numpy()


@torch.no_grad()
def _search(
    program: Program,
    theta: torch.Tensor,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    norm: Norm,
    spec: PerturbationSpec,
    bounds: tuple[float, float] | None,
    generators: list[torch.Generator],
) -> torch.Tensor:
    """Halve each point's bracket (not flipped at low, flipped at high), shrinking every success along its own ray."""
    rows = len(theta)
    problem = _Problem(
        program, program.layout.views(theta), inputs.expand(rows, *inputs.shape).contiguous(),
        targets.expand(rows, *targets.shape).contiguous(), norm, bounds,
    )  # fmt: skip
    best = torch.zeros_like(problem.inputs)
    low = best.new_zeros(rows, inputs.shape[-1])
    high = torch.where(problem.flipped(best), 0.0, torch.inf)
    for delta in _linear_attempts(problem, spec.linear_steps):
        best, high = _keep(problem, delta, best, high, spec)
    radius = torch.where(high.isinf(), spec.largest, high / 2)
    for round_ in range(spec.rounds):
        for delta in _attempts(problem, best, high, radius, spec, generators, random=round_ < 3):
            best, high = _keep(problem, delta, best, high, spec)
        low = torch.where(high > radius, radius, low)
        radius = torch.where(high.isinf(), radius, (low + high) / 2)
    return high


def _keep(
    problem: _Problem, delta: torch.Tensor, best: torch.Tensor, high: torch.Tensor, spec: PerturbationSpec
) -> tuple[torch.Tensor, torch.Tensor]:
    """The smaller of the best flips so far and of ``delta`` after shrinking; perturbations and their sizes."""
    success = problem.flipped(delta) & (norms(delta, problem.norm) < high.clamp_max(spec.largest))
    delta = _shrink(problem, delta, success, spec.shrinks)
    return torch.where(spread(success, delta), delta, best), torch.where(success, norms(delta, problem.norm), high)


def _linear_attempts(problem: _Problem, steps: int) -> Iterator[torch.Tensor]:
    """For each class a perturbation towards it: repeated exact steps onto the boundary of the linearised network.

    The nearest point at which a linear gap g·δ = c closes is c / ‖g‖_dual in the direction of steepest descent.
    """
    dual = 1 if problem.norm == "linf" else 2
    for wrong in range(problem.program.classes):
        towards = -problem.targets.clone()
        towards[:, wrong] += 1
        delta = torch.zeros_like(problem.inputs)
        for _ in range(steps):
            logits, pull_back = problem.program.pullback(problem.parameters, problem.inputs + delta)
            gap = -(logits * towards).sum(1)
            gradient = pull_back(towards)
            length = torch.linalg.vector_norm(gradient.flatten(1, -2), dual, dim=1)
            step = (gap * OVERSHOOT + 1e-6).clamp_min_(0) / length.clamp_min_(1e-12)
            delta = delta + steepest(gradient, problem.norm).mul_(spread(step, delta))
            clip(delta, problem.inputs, problem.bounds)
        yield delta


def _attempts(
    problem: _Problem, best: torch.Tensor, high: torch.Tensor, radius: torch.Tensor, spec: PerturbationSpec,
    generators: list[torch.Generator], *, random: bool,
) -> list[torch.Tensor]:  # fmt: skip
    """Perturbations inside the balls of ``radius``: from the clean point, from the best flip so far, from random points."""
    scale = (radius / high.clamp_min(1e-12)).clamp_max(1.0)
    starts = [torch.zeros_like(best), best * spread(scale, best)]
    if random:
        starts += [random_start(best.shape, radius, problem.norm, generators) for _ in range(spec.restarts)]
    attempts = []
    for start in starts:
        flips = _Smallest(problem)
        last = ascend(
            problem.program, problem.parameters, problem.inputs, problem.targets, delta=start, radius=radius,
            step_sizes=spec.step_sizes, norm=problem.norm, objective="margin", bounds=problem.bounds, watch=flips,
        )  # fmt: skip
        attempts.append(torch.where(spread(flips.size.isinf(), last), last, flips.delta))
    return attempts


class _Smallest:
    """Remembers the smallest flip on the way of an ascent.

    The last point of an ascent need not be the best: it may have run into a region where the network is constant.
    """

    def __init__(self, problem: _Problem) -> None:
        self.problem = problem
        self.delta = torch.zeros_like(problem.inputs)
        self.size = problem.inputs.new_full((len(problem.inputs), problem.inputs.shape[-1]), torch.inf)

    def __call__(self, delta: torch.Tensor, logits: torch.Tensor) -> None:
        size = norms(delta, self.problem.norm)
        better = (margin(logits, self.problem.targets) <= 0) & (size < self.size)
        self.delta = torch.where(spread(better, delta), delta, self.delta)
        self.size = torch.where(better, size, self.size)


def _shrink(problem: _Problem, delta: torch.Tensor, success: torch.Tensor, halvings: int) -> torch.Tensor:
    """Shorten each successful perturbation along its ray by bisection; what is returned flips the point."""
    inside, outside = torch.zeros_like(success, dtype=delta.dtype), torch.ones_like(success, dtype=delta.dtype)
    for _ in range(halvings):
        middle = (inside + outside) / 2
        flips = problem.flipped(delta * spread(middle, delta))
        outside = torch.where(flips, middle, outside)
        inside = torch.where(flips, inside, middle)
    return delta * spread(torch.where(success, outside, 1.0), delta)


def pgd(
    models: Models,
    inputs: np.ndarray | torch.Tensor,
    targets: np.ndarray | torch.Tensor,
    *,
    epsilon: float,
    norm: Norm = "linf",
    steps: int = 20,
    bounds: tuple[float, float] | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> torch.Tensor:
    """Adversarial examples by projected gradient ascent on the cross-entropy from a random start.

    Args:
        models: as in :func:`smallest_perturbation`.
        inputs: points, shape (point, *input).
        targets: class numbers, shape (point,).
        epsilon: radius of the ball.
        norm: "linf" or "l2".
        steps: steps of size 2.5 epsilon / steps.
        bounds: smallest and largest admissible value of an input, or None.
        seed: names the random streams; each model has its own.
        device: "cpu" or "cuda".

    Returns:
        Perturbed points, shape (model, point, *input), each within ``epsilon`` of its clean point.
    """
    program, theta = stack(models)
    theta = theta.to(device)
    x = torch.as_tensor(inputs, dtype=torch.float32).to(device).movedim(0, -1)
    ensure_classes(program, theta, x)
    x = x.expand(len(theta), *x.shape).contiguous()
    y = encode(torch.as_tensor(targets).to(device), program.classes).expand(len(theta), -1, -1).contiguous()
    owners = models.seeds if isinstance(models, Population) else range(len(theta))
    generators = [torch_generator("pgd", norm, seed, int(owner)) for owner in owners]
    radius = x.new_full((len(theta), x.shape[-1]), epsilon)
    with torch.no_grad():
        delta = ascend(
            program, program.layout.views(theta), x, y, delta=random_start(x.shape, radius, norm, generators),
            radius=radius, step_sizes=[2.5 / steps] * steps, norm=norm, bounds=bounds,
        )  # fmt: skip
        perturbed = x + delta
        return (perturbed if bounds is None else perturbed.clamp_(*bounds)).movedim(-1, 1)
