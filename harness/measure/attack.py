"""Adversarial attacks on stacks: projected gradient ascent, and the smallest perturbation that flips a point.

The smallest perturbation is searched, not known: what is returned is the size of a perturbation that was found to flip the
point, so it is an upper bound of the true value (exact for a linear classifier, where one step of steepest ascent solves
the problem).
"""

from __future__ import annotations

import numpy as np
import torch

from harness.measure.base import Models, arrange, ensure_classes, stack
from harness.measure.minimum_norm import PerturbationSpec, Problem, search
from harness.models import Program, encode, keep_freed_memory
from harness.models.ascent import ascend, random_start
from harness.population import Population
from harness.recipe import Norm
from harness.streams import torch_generator

__all__ = ["PerturbationSpec", "pgd", "smallest_perturbation"]

VALUES_AT_A_TIME = 2**21  # inputs × rows held at once by one attack
CACHE_BYTES = 2**20  # widest activation of a chunk of rows


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
    rows = rows_at_a_time(program, x)
    found = []
    for i in range(0, len(theta), rows):
        part = theta[i : i + rows].to(device)
        problem = Problem(
            program, program.layout.views(part), x.expand(len(part), *x.shape).contiguous(),
            encode(y, program.classes).expand(len(part), -1, -1).contiguous(), norm, bounds,
        )  # fmt: skip
        own = [torch_generator("smallest perturbation", norm, seed, int(owner)) for owner in owners[i : i + rows]]
        found.append(search(problem, spec, own))
    return torch.cat(found).cpu().numpy()


def rows_at_a_time(program: Program, inputs: torch.Tensor) -> int:
    """How many rows an attack holds at once: on a CPU those whose activations fit its cache, nowhere more than memory allows.

    Args:
        program: the networks.
        inputs: the points that every row is attacked at, shape (*input, point).
    """
    most = VALUES_AT_A_TIME // inputs.numel()
    if not inputs.is_cuda:
        most = min(most, CACHE_BYTES // (4 * program.layout.widest * inputs.shape[-1]))
    return max(1, most)


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
    program, theta, x, y = arrange(models, inputs, targets, device)
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
