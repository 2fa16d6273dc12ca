"""The search for the smallest perturbation: descent of the norm along the boundary of every likely class.

For each point and each of its likeliest wrong classes two walks are made: one from the clean point, and one from where the
straight line to the nearest point of that class enters the class (so that there is a flip to begin with, even where a ReLU
network is constant around the clean point; the start of Brendel et al. 2018, doi 10.48550/arXiv.1712.04248).  A walk
follows the gradient of the gap between the wrong and the right logit inside a ball whose radius adapts, as in FMN (Pintor
et al. 2021, doi 10.48550/arXiv.2102.12827); the radius moves to the boundary of the linearised network (DeepFool,
Moosavi-Dezfooli et al. 2016, doi 10.48550/arXiv.1511.04599), within a trust region.  A step costs one gradient, and no radius
is tried in vain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from harness.measure.arguments import Norm
from harness.networks import Parameters, Program
from harness.networks.ascent import clip, margin, norms, objective_gradient, over_inputs, project, random_start, steepest
from harness.recipe import require
from harness.spec import is_real, is_whole

Towards = Callable[[torch.Tensor], torch.Tensor]
"""Logits → the weights (row, class, point) under which their sum is the gap that a walk closes."""

OVERSHOOT = 1.0005  # of a linear step, so that rounding does not leave it short of the boundary
SHORTER = 1 - 1e-4  # a walk is for something smaller than what is known
FIRST_STEP, LAST_STEP = 1.0, 0.01  # of a walk, in units of its radius; half of the first from a boundary, which is nearly right
TRUST = (0.3, 0.01)  # how far the radius may change in the first and in the last step, relative to itself


@dataclass(frozen=True)
class PerturbationSpec:
    """How the smallest perturbation is searched for.

    Attributes:
        largest: radius beyond which a point counts as never flipped (its value is infinite: right-censored).
        steps: gradient steps of each walk.
        targets: wrong classes walked towards, those with the largest logits at the clean point.
        halvings: bisection steps on a straight line along which a boundary is looked for.
        neighbours: walks towards each class that start at its boundary, on the line to the nearest point of the class, to the
            second nearest, ….
        references: how many of the given points are considered as such neighbours (the first).
    """

    largest: float = 16.0
    steps: int = 15
    targets: int = 3
    halvings: int = 8
    neighbours: int = 2
    references: int = 256

    def __post_init__(self) -> None:
        require(is_real(self.largest) and self.largest > 0, self, "largest", "above 0")
        for name in ("steps", "targets", "halvings"):
            require(is_whole(value := getattr(self, name)) and value >= 1, self, name, "1 or more, a whole number")
        for name in ("neighbours", "references"):
            require(is_whole(value := getattr(self, name)) and value >= 0, self, name, "0 or more, a whole number")

    def schedule(self, first: float, last: float) -> list[float]:
        """Cosine from ``first`` to ``last`` over the steps."""
        turns = [math.cos(math.pi * step / max(1, self.steps - 1)) for step in range(self.steps)]
        return [last + (first - last) * (1 + turn) / 2 for turn in turns]


@dataclass(frozen=True)
class Problem:
    """A stack of points to flip.

    Attributes:
        program: the stack's program.
        parameters: tensors of shape (row, *shape) by name.
        inputs: clean points, shape (row, *input, point).
        targets: encoded targets, shape (row, class, point).
        norm: "linf" or "l2"; "l1" or "l0" for :mod:`harness.measure.attack.sparse_search`.
        bounds: smallest and largest admissible value of an input, or None.
        aim: the only classes that count, encoded, shape (row, class, point), or None for all wrong ones.
    """

    program: Program
    parameters: Parameters
    inputs: torch.Tensor
    targets: torch.Tensor
    norm: Norm
    bounds: tuple[float, float] | None
    aim: torch.Tensor | None = None

    def logits(self, delta: torch.Tensor) -> torch.Tensor:
        """Outputs under ``delta``, shape (row, class, point)."""
        return self.program.logits(self.parameters, self.inputs + delta)

    def flipped(self, logits: torch.Tensor) -> torch.Tensor:
        """Which points are where the attacker wants them, shape (row, point); a tie counts."""
        return margin(logits, self.targets) <= 0 if self.aim is None else margin(logits, self.aim) >= 0

    def length(self, gradient: torch.Tensor) -> torch.Tensor:
        """Dual norm of a gradient: the largest change that a perturbation of norm 1 can make, shape (row, point)."""
        length: torch.Tensor = torch.linalg.vector_norm(gradient.flatten(1, -2), 1 if self.norm == "linf" else 2, dim=1)
        return length


class Best:
    """The smallest flip found so far of every point.

    Attributes:
        delta: perturbations, shape (row, *input, point).
        size: their norms, shape (row, point): 0 where the clean point is flipped already, infinity where none is known.
    """

    def __init__(self, problem: Problem, clean: torch.Tensor, largest: float) -> None:
        self._problem, self._largest = problem, largest
        self.delta = torch.zeros_like(problem.inputs)
        self.size = torch.where(problem.flipped(clean), 0.0, torch.inf)

    def offer(self, delta: torch.Tensor, size: torch.Tensor, logits: torch.Tensor) -> None:
        """Keep those of the perturbations that flip their point and are smaller than what is known."""
        better = self._problem.flipped(logits) & (size < self.size) & (size <= self._largest)
        self.delta = torch.where(over_inputs(better, delta), delta, self.delta)
        self.size = torch.where(better, size, self.size)

    def shortened(self, halvings: int) -> torch.Tensor:
        """Sizes after each flip has been shortened along its own ray; perturbations of these sizes still flip the point."""
        problem = self._problem
        share = entry(lambda share: problem.flipped(problem.logits(self.delta * over_inputs(share, self.delta))),
                      self.size, halvings)  # fmt: skip
        return torch.where(self.size.isfinite(), self.size * share, self.size)


def entry(inside: Callable[[torch.Tensor], torch.Tensor], like: torch.Tensor, halvings: int) -> torch.Tensor:
    """Share of a ray at which it enters the region around its end, by bisection; shape (row, point), as ``like``."""
    low, high = torch.zeros_like(like), torch.ones_like(like)
    for _ in range(halvings):
        middle = (low + high) / 2
        there = inside(middle)
        high, low = torch.where(there, middle, high), torch.where(there, low, middle)
    return high


@torch.no_grad()
def search(problem: Problem, spec: PerturbationSpec, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """Sizes of the smallest flips found, shape (row, point); see the module.

    Args:
        problem: the points.
        spec: how they are searched.
        generators: one CPU generator a row, for starts where no point of a class is known.
    """
    clean = problem.logits(torch.zeros_like(problem.inputs))
    best = Best(problem, clean, spec.largest)
    references = References(problem, clean, spec, generators)
    for wrong, towards in goals(problem, clean, spec):
        _walk(problem, torch.zeros_like(problem.inputs), towards, best, spec, FIRST_STEP)
        for neighbour in range(spec.neighbours):
            _walk(problem, references.start(neighbour, wrong, towards), towards, best, spec, FIRST_STEP / 2)
    return best.shortened(spec.halvings)


def goals(problem: Problem, clean: torch.Tensor, spec: PerturbationSpec) -> Iterator[tuple[torch.Tensor, Towards]]:
    """The classes that are walked towards, each of shape (row, 1, point), and the gaps to be closed on the way.

    A likely wrong class has to reach the right one, whatever the others do; a class that is aimed at, the largest other one.
    """
    if (aim := problem.aim) is not None:
        yield aim.argmax(1, keepdim=True), lambda logits: objective_gradient(logits, aim, "margin").neg_()
        return
    count = min(spec.targets, problem.program.classes - 1)
    likely = clean.masked_fill(problem.targets > 0, -torch.inf).topk(count, dim=1).indices
    for number in range(count):
        wrong = likely[:, number : number + 1]
        yield wrong, _constant(torch.zeros_like(clean).scatter_(1, wrong, 1.0).sub_(problem.targets))


def _constant(weights: torch.Tensor) -> Towards:
    return lambda logits: weights


def _walk(problem: Problem, delta: torch.Tensor, towards: Towards, best: Best, spec: PerturbationSpec, first: float) -> None:
    """From ``delta`` to ever smaller perturbations towards a class; ``best`` sees each of them."""
    radius = norms(delta, problem.norm)
    arrived = torch.zeros_like(radius, dtype=torch.bool)
    for step, trust in zip(spec.schedule(first, LAST_STEP), spec.schedule(*TRUST), strict=True):
        logits, pull_back = problem.program.pullback(problem.parameters, problem.inputs + delta)
        size = norms(delta, problem.norm)
        best.offer(delta, size, logits)
        direction = towards(logits)
        gap = (direction * logits).sum(1)
        gradient = pull_back(direction)
        arrived |= gap >= 0
        linear = size - gap * OVERSHOOT / problem.length(gradient).clamp_min_(1e-12)
        near = torch.minimum(torch.maximum(linear, radius * (1 - trust)), radius * (1 + trust))
        radius = torch.minimum(torch.where(arrived, near, linear), best.size * SHORTER).clamp_(0, spec.largest)
        delta = delta + steepest(gradient, problem.norm).mul_(over_inputs(radius * step, delta))
        delta = clip(project(delta, radius, problem.norm), problem.inputs, problem.bounds)
    best.offer(delta, norms(delta, problem.norm), problem.logits(delta))


class References:
    """Where each point finds the other classes: at the nearest of the given points that the network assigns to them.

    A walk starts at the k-th nearest of them; if there are fewer, at a random point.

    Args:
        problem: the points.
        clean: outputs at them, shape (row, class, point).
        spec: how many of them are considered.
        generators: one CPU generator a row; a point of which no neighbour in a class is known starts at random.
    """

    def __init__(
        self, problem: Problem, clean: torch.Tensor, spec: PerturbationSpec, generators: Sequence[torch.Generator]
    ) -> None:
        self._problem, self._halvings = problem, spec.halvings
        rows, points = clean.shape[0], clean.shape[2]
        radius = clean.new_full((rows, points), spec.largest)
        self._random = random_start(problem.inputs.shape, radius, problem.norm, generators)
        some = slice(0, spec.references)
        found = clean[..., some].argmax(1)
        kept = min(spec.neighbours, found.shape[1])
        self._nearest = clean.new_full((spec.neighbours, *clean.shape), -1, dtype=torch.long)
        apart = _distances(problem.inputs[0], problem.inputs[0][..., some], problem.norm)
        for wrong in range(clean.shape[1] if kept else 0):
            far = torch.where((found == wrong)[:, None, :], apart, torch.inf)
            distance, place = far.topk(kept, dim=2, largest=False)
            self._nearest[:kept, :, wrong] = torch.where(distance.isinf(), -1, place).movedim(2, 0)

    def start(self, neighbour: int, wrong: torch.Tensor, towards: Towards) -> torch.Tensor:
        """Where the line to the nearest point of a class enters it, shape (row, *input, point).

        Args:
            neighbour: 0 for the nearest, 1 for the second nearest, ….
            wrong: the class of each point, shape (row, 1, point).
            towards: the gap that is closed inside the class.
        """
        problem = self._problem
        place = torch.gather(self._nearest[neighbour], 1, wrong)
        flat = problem.inputs.flatten(1, -2)
        there = torch.gather(flat, 2, place.clamp_min(0).expand(-1, flat.shape[1], -1)).reshape(problem.inputs.shape)
        line = torch.where(over_inputs(place[:, 0] < 0, there), self._random, there - problem.inputs)
        clip(line, problem.inputs, problem.bounds)

        def inside(share: torch.Tensor) -> torch.Tensor:
            logits = problem.logits(line * over_inputs(share, line))
            return (towards(logits) * logits).sum(1) >= 0

        share = entry(inside, problem.inputs.new_ones(place[:, 0].shape), self._halvings)
        return line * over_inputs(share, line)


def _distances(points: torch.Tensor, others: torch.Tensor, norm: Norm) -> torch.Tensor:
    """Between two sets of shape (*input, point): (point, other)."""
    left, right = (each.flatten(0, -2).T.contiguous() for each in (points, others))
    return torch.cdist(left, right, p=math.inf if norm == "linf" else 2.0)
