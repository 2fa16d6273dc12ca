"""Stacked training: all members of a recipe as one tensor program.

Every member has its own streams (initialisation, order of the data, random starts of the attack), named by its seed, so
that a fully connected member comes out the same to the last bit whoever shares its stack; a user's module, which runs
through ``torch.func``, comes out the same up to the rounding of its matrix products.  Standard, robust and finetuned members
of one seed share initialisation and data order: they are pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from harness.data.base import Dataset
from harness.models import Program, encode, keep_freed_memory
from harness.models.ascent import ascend, random_start
from harness.recipe import Recipe, Threat, digest
from harness.streams import torch_generator

VALUES_PER_BLOCK = 2**22  # gathered inputs at a time: 16 MiB in single precision
Progress = Callable[[float], None]


@dataclass
class _Streams:
    """The random streams of every member of a stack."""

    order: list[torch.Generator]
    attack: list[torch.Generator]

    @classmethod
    def of(cls, seeds: Sequence[int], stage: str) -> _Streams:
        return cls(
            [torch_generator("order", stage, seed) for seed in seeds],
            [torch_generator("training attack", stage, seed) for seed in seeds],
        )


def initial(recipe: Recipe, seeds: Sequence[int]) -> torch.Tensor:
    """Initialised parameters, shape (member, parameter); equal for recipes of one architecture and one data shape."""
    program = recipe.program()
    name = digest(recipe.architecture)
    return torch.stack([program.initial(torch_generator("initialisation", name, seed)) for seed in seeds])


def train(
    recipe: Recipe,
    data: Dataset,
    seeds: Sequence[int],
    *,
    start: torch.Tensor | None = None,
    device: str = "cpu",
    progress: Progress = lambda share: None,
) -> dict[int, torch.Tensor]:
    """Train one member for each seed, stacked.

    Args:
        recipe: what to train.
        data: the loaded ``recipe.data``.
        seeds: training seeds.
        start: parameters to begin with, shape (member, parameter); None for a fresh initialisation.
        device: "cpu" or "cuda".
        progress: told the share of the work that is done, a few times a second at most.

    Returns:
        For each kept epoch the parameters, shape (member, parameter), on the CPU.

    Raises:
        RuntimeError: training diverged (a parameter is not finite); the message names the seeds.
    """
    keep_freed_memory()
    program = recipe.program()
    theta = (initial(recipe, seeds) if start is None else start.clone()).to(device)
    descent = _Descent(recipe, program, theta)
    streams = _Streams.of(seeds, "finetuning" if recipe.parent else "training")
    inputs = torch.from_numpy(data.train_x).to(device).movedim(0, -1)
    targets = encode(torch.from_numpy(data.train_y).to(device), data.classes)
    kept = {0: theta.cpu().clone()} if 0 in recipe.kept else {}
    for epoch in range(1, recipe.epochs + 1):
        for batch, labels in _batches(inputs, targets, recipe.batch_size, streams.order):
            descent.step(_adversarial(recipe, data, descent, streams, batch, labels), labels)
        if epoch in recipe.kept:
            kept[epoch] = theta.cpu().clone()
        progress(epoch / recipe.epochs)
    _check_finite(recipe, seeds, theta)
    return kept


def _batches(
    inputs: torch.Tensor, targets: torch.Tensor, size: int, generators: Sequence[torch.Generator]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch of batches: inputs (member, *input, batch) and targets (member, class, batch), in each member's order.

    The last batch holds what is left.
    """
    points = inputs.shape[-1]
    order = torch.stack([torch.randperm(points, generator=g) for g in generators]).to(inputs.device)
    per_point = len(generators) * inputs[..., 0].numel()
    block = max(1, VALUES_PER_BLOCK // (per_point * size)) * size
    for first in range(0, points, block):
        chosen = order[:, first : first + block]
        # (…, member, batch) → (member, …, batch), made contiguous once for all batches of the block
        x = inputs[..., chosen].movedim(-2, 0)
        y = targets[..., chosen].movedim(-2, 0)
        for begin in range(0, chosen.shape[1], size):
            yield x[..., begin : begin + size].contiguous(), y[..., begin : begin + size].contiguous()


def _adversarial(
    recipe: Recipe, data: Dataset, descent: _Descent, streams: _Streams, inputs: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """The batch with its first ``adversarial_share`` replaced by adversarial examples for the present parameters."""
    threat = recipe.regime.threat
    count = round(recipe.regime.adversarial_share * inputs.shape[-1])
    if threat is None or count == 0:
        return inputs
    clean, labels = inputs[..., :count].contiguous(), targets[..., :count].contiguous()
    radius = clean.new_full((len(clean), count), threat.epsilon)
    delta = (
        random_start(clean.shape, radius, threat.norm, streams.attack)
        if threat.random_start
        else torch.zeros_like(clean)
    )
    delta = ascend(
        descent.program, descent.parameters, clean, labels, delta=delta, radius=radius,
        step_sizes=_steps(threat), norm=threat.norm, bounds=data.bounds,
    )  # fmt: skip
    inputs[..., :count] += delta
    return inputs


def _steps(threat: Threat) -> list[float]:
    return [threat.relative_step / threat.steps] * threat.steps


class _Descent:
    """SGD on the flat stack, with momentum and the lazy ball where the recipe asks for them."""

    def __init__(self, recipe: Recipe, program: Program, theta: torch.Tensor) -> None:
        self.program, self.rule, self.theta = program, recipe.optimiser, theta
        self.parameters = program.layout.views(theta)
        self.gradient = torch.zeros_like(theta)
        out = program.layout.views(self.gradient)
        self.out = {name: out[name] for name in program.scopes["all"]}
        self.velocity = torch.zeros_like(theta) if self.rule.momentum else None
        self.centre = program.layout.views(theta.clone()) if self.rule.row_radius else None

    def step(self, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        self.program.loss_gradient(self.parameters, inputs, targets, self.out, "cross_entropy")
        update = self.gradient
        if self.velocity is not None:
            update = self.velocity.mul_(self.rule.momentum).add_(self.gradient)
        # Not add with alpha: a fused product rounds otherwise in the last entries of a stack.
        self.theta.sub_(update * self.rule.learning_rate)
        if self.centre is not None and self.rule.row_radius is not None:
            _project_rows(self.parameters, self.centre, self.out, self.rule.row_radius)


def _project_rows(
    parameters: Mapping[str, torch.Tensor], centre: Mapping[str, torch.Tensor], free: Mapping[str, torch.Tensor], radius: float
) -> None:
    """Project the rows of every free weight matrix onto the Euclidean ball around their initial values."""
    for name in free:
        value = parameters[name]
        if value.dim() >= 3:
            moved = value - centre[name]
            length = moved.square().sum(-1, keepdim=True).sqrt_()
            value.copy_(centre[name] + moved * (radius / length.clamp_min_(radius)))


def _check_finite(recipe: Recipe, seeds: Sequence[int], theta: torch.Tensor) -> None:
    broken = [seed for seed, row in zip(seeds, theta, strict=True) if not bool(row.isfinite().all())]
    if broken:
        raise RuntimeError(
            f"training of {recipe.name} diverged for seeds {broken}: a parameter is not finite; "
            f"lower the learning rate ({recipe.optimiser.learning_rate})"
        )
