"""Adversarial attacks on stacks: projected gradient ascent, and the smallest perturbation that flips a point.

The smallest perturbation is searched for, not known: what is returned is the size of a perturbation that was found to flip the
point, so it is an upper bound on the true value (exact for a linear classifier, where one step of steepest ascent solves the
problem).  A targeted attack is given the class that a point has to be taken for (``aim``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch

from harness.measure.arguments import Norm, norm_of, points_of, require_spec, tensor_of
from harness.measure.attack.minimum_norm import PerturbationSpec, Problem, search
from harness.measure.attack.sparse_search import search_sparse
from harness.measure.base import Given, Models, in_chunks, through_door
from harness.measure.walk import POINTS_AT_A_TIME, Numbers, numbers, on_cpu, walk
from harness.networks.ascent import Bounds, ascend, moved
from harness.networks.ascent import random_start as uniform
from harness.networks.callers import instrument
from harness.networks.given import Output
from harness.population import Population
from harness.recipe import Threat
from harness.streams import sequence, torch_generator

Aim: TypeAlias = int | np.ndarray | torch.Tensor | None
SHOWN = 5  # points that a message names at most


def encoded_aim(aim: Aim, given: Given) -> torch.Tensor | None:
    """The classes aimed at, encoded as the targets are, shape (row, class, point); None if any wrong class will do.

    Args:
        aim: one class number, or one for each point, shape (point,), or None.
        given: the models and their points.

    Raises:
        ValueError: it does not hold class numbers, or not as many as there are points, or it holds the right class of a point.
    """
    if aim is None:
        return None
    points, classes = given.inputs.shape[-1], given.program.classes
    wanted = tensor_of(aim, "aim")
    if wanted.is_floating_point() or wanted.is_complex() or wanted.dtype == torch.bool:
        raise ValueError(f"aim is {wanted.dtype}; give class numbers, whole numbers from 0 to {classes - 1}")
    if wanted.dim() and tuple(wanted.shape) != (points,):
        raise ValueError(f"aim has shape {tuple(wanted.shape)}; give one class number, or one for each of the {points} points")
    if bool(((wanted < 0) | (wanted >= classes)).any()):
        raise ValueError(f"aim ranges from {int(wanted.min())} to {int(wanted.max())}; the classes are 0 to {classes - 1}")
    wanted = wanted.long().to(given.targets.device).expand(points)
    if len(same := (wanted == given.targets[0].argmax(0)).nonzero()[:, 0].tolist()):
        named = ", ".join(map(str, same[:SHOWN])) + (", …" if len(same) > SHOWN else "")
        raise ValueError(
            f"aim is the right class of {len(same)} of {points} points ({named}); leave them out, or aim at another class there"
        )
    return torch.zeros_like(given.targets).scatter_(1, wanted.expand(len(given.targets), 1, points), 1.0)


__all__ = ["PerturbationSpec", "pgd", "smallest_perturbation"]

NORMS: tuple[Norm, ...] = ("linf", "l2", "l1", "l0")
COPIES = 16  # tensors of the size of a row's inputs that an attack holds at a time
DISTANCES = 3  # values that are held of every pair of a point and a reference, while the nearest are looked for


@instrument
def smallest_perturbation(
    models: Models,
    inputs: np.ndarray | torch.Tensor,
    targets: np.ndarray | torch.Tensor,
    *,
    norm: Norm = "linf",
    spec: PerturbationSpec | None = None,
    bounds: tuple[float, float] | None = None,
    aim: Aim = None,
    seed: int = 0,
    device: str = "cpu",
    output: Output | None = None,
) -> np.ndarray:
    """Size of the smallest perturbation found that makes each model reclassify each point.

    Args:
        models: one ``nn.Module``, a list of modules of one shape, or a Population (its last epoch).
        inputs: points, shape (point, *input).
        targets: class numbers, shape (point,); for a network with a single output, 0 or 1, where an output above 0 means 1.
        norm: "linf", "l2", "l1", or "l0" (how many values of the input are changed).
        spec: how it is searched for.  Sizes are larger in L1 and L0, so set ``largest`` for the norm.
        bounds: smallest and largest admissible value of an input, or None; L0 makes no sense without them.
        aim: the class that a point has to be taken for, one number or an array of shape (point,); None for any wrong one.
        seed: names the random streams; each model has its own.
        device: "cpu" or "cuda".
        output: turns what a module returns into outputs of shape (point, class); None if it returns them itself.

    Returns:
        Array of shape (model, point) in the units of the inputs: 0 where the clean point is already misclassified (or taken
        for the class that is aimed at), infinity where nothing up to ``spec.largest`` flipped it.

    Raises:
        ValueError: an argument does not fit (the norm "l0" without bounds, an aim that is not possible), or a model cannot be
            run as it is (:mod:`harness.measure.door`).
    """
    chosen, norm, inputs = PerturbationSpec() if spec is None else spec, norm_of(norm, NORMS), points_of(inputs)
    require_spec(chosen, PerturbationSpec)
    if norm == "l0" and bounds is None:
        raise ValueError("norm is 'l0' and bounds is None: a value without bounds could flip nearly every point; give bounds")
    searched = search_sparse if norm in ("l1", "l0") else search

    def smallest(given: Given) -> torch.Tensor:
        problem = Problem(given.program, given.parameters, given.inputs, given.targets, norm, bounds, encoded_aim(aim, given))
        generators = [torch_generator("smallest perturbation", norm, seed, owner) for owner in given.owners]
        return searched(problem, chosen, generators).cpu()

    distances = DISTANCES * min(chosen.references, len(inputs)) if chosen.neighbours else 0
    return in_chunks(
        models, inputs, targets, device, smallest, copies=COPIES, beside=distances, bounds=bounds, output=output
    ).numpy()


@instrument
def pgd(
    models: Models,
    inputs: np.ndarray | torch.Tensor,
    targets: np.ndarray | torch.Tensor,
    threat: Threat,
    *,
    bounds: tuple[float, float] | None = None,
    aim: Aim = None,
    seed: int = 0,
    device: str = "cpu",
    output: Output | None = None,
) -> torch.Tensor:
    """Adversarial examples by projected gradient ascent on the cross-entropy, or descent on that of another class.

    Args:
        models: as in :func:`smallest_perturbation`.
        inputs: points, shape (point, *input).
        targets: class numbers, shape (point,); for a network with a single output, 0 or 1 (with the logistic loss).
        threat: the ball, and how it is searched, as in training.
        bounds: smallest and largest admissible value of an input, or None.
        aim: the class to move towards, one for all points or an array of shape (point,); None to move away from the right one.
        seed: names the random streams; each model has its own.
        device: "cpu" or "cuda".
        output: as in :func:`smallest_perturbation`.

    Returns:
        Perturbed points, shape (model, point, *input), each in the ball around its clean point.

    Raises:
        TypeError: ``threat`` is not a Threat.
        ValueError: an argument does not fit, ``aim`` is not possible, or a model cannot be run as it is
            (:mod:`harness.measure.door`).
    """
    if not isinstance(threat, Threat):
        raise TypeError(f"threat is {type(threat).__name__}; give Threat(norm, epsilon, steps=…)")

    def perturbed(given: Given) -> torch.Tensor:
        streams = [torch_generator("pgd", threat.norm, seed, owner) for owner in given.owners]
        return moved(given.inputs, perturbation(given, threat, streams, bounds, encoded_aim(aim, given)), bounds).movedim(-1, 1)

    return in_chunks(models, inputs, targets, device, perturbed, copies=COPIES, bounds=bounds, output=output)


@torch.no_grad()
def perturbation(
    given: Given, threat: Threat, streams: Sequence[torch.Generator], bounds: Bounds, aim: torch.Tensor | None = None
) -> torch.Tensor:
    """The perturbations found by the threat's ascent, shape (row, *input, point).

    Args:
        given: models and points.
        threat: the balls, and how they are searched.
        streams: one CPU generator a row, for where it starts.
        bounds: smallest and largest admissible value of an input, or None.
        aim: see :func:`harness.networks.ascent.ascend`.
    """
    x = given.inputs
    radius = x.new_full((len(x), x.shape[-1]), threat.epsilon)
    start = uniform(x.shape, radius, threat.norm, streams) if threat.random_start else torch.zeros_like(x)
    return ascend(
        given.program, given.parameters, x, given.targets, delta=start, radius=radius,
        step_sizes=[threat.relative_step / threat.steps] * threat.steps, norm=threat.norm, bounds=bounds, aim=aim,
    )  # fmt: skip


@instrument
@torch.no_grad()
def under_attack(
    population: Population, epoch: int, inputs: torch.Tensor, labels: torch.Tensor,
    work: Callable[[Given, torch.Tensor], Mapping[str, torch.Tensor]], *, threat: Threat, bounds: Bounds,
    stream: tuple[str, str, int], device: str,
) -> dict[str, Numbers]:  # fmt: skip
    """The results of ``work`` for every point and its adversarial example, for every member at an epoch.

    Args:
        population: the members.
        epoch: at which kept epoch.
        inputs: points, shape (*input, point).
        labels: class numbers, shape (point,).
        work: from models and points, and the perturbed points (row, *input, point), to tensors (row, …, point) by name.
        threat: what the attacker may do.
        bounds: smallest and largest admissible value of an input, or None.
        stream: names the random starts; every block of points and every member has its own.
        device: "cpu" or "cuda".

    Returns:
        Arrays of shape (member, …, point) by name.
    """
    at = Population(population.recipe, population.seeds, {epoch: population.parameters[epoch]})

    def of_block(given: Given) -> Mapping[str, torch.Tensor]:
        seed = int(sequence(*stream, given.block.start // POINTS_AT_A_TIME).generate_state(1)[0])
        streams = [torch_generator("pgd", threat.norm, seed, owner) for owner in given.owners]
        return work(given, moved(given.inputs, perturbation(given, threat, streams, bounds), bounds))

    stack = through_door(at, inputs.movedim(-1, 0), labels, bounds=bounds)
    return numbers(walk(stack, on_cpu(of_block), device=device, copies=COPIES, block=POINTS_AT_A_TIME))
