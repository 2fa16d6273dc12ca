"""Euclidean norms of every layer's activations.

"The reduced variance results in reduced variance of the norms of the activation outputs."  (Towards Understanding the
Regularization of Adversarial Robustness on Neural Networks, Reduced variance of singular values.)
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch.func import functional_call, vmap

from harness.measure import walk as stacks
from harness.measure.base import Measurement
from harness.measure.walk import Epochs, Given, Split, by_epoch, by_split, per_point, points_of
from harness.networks import MLPProgram, ModuleProgram, Parameters, Program
from harness.population import Population

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset

PASSED_ON = (torch.nn.Flatten, torch.nn.Identity, torch.nn.Dropout)  # these make no activations of their own


def activation_norms(program: Program, parameters: Parameters, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    """‖a_l(x)‖₂ for every layer l by name, shape (row, point).

    Args:
        program: the stack's program.
        parameters: tensors of shape (row, *shape) by name.
        inputs: points, shape (row, *input, point).

    Returns:
        For a fully connected network, layers "0", "1", …: the output of each layer after the ReLU, the last being the
        logits.  For a module, the output of every submodule without children, by its name (so a linear layer and its
        activation count separately), or "output" for the module itself if it has no submodules.  What a module computes
        with functions is not seen; a submodule that is called again is numbered, as in "relu (2)".

    Raises:
        ValueError: the program is neither an MLPProgram nor a ModuleProgram.
    """
    if isinstance(program, MLPProgram):
        return _fully_connected(program, parameters, inputs)
    if not isinstance(program, ModuleProgram):
        raise ValueError(f"{type(program).__name__} does not show its layers; give an MLPProgram or a ModuleProgram")
    skeleton = program.skeleton
    leaves = {name: module for name, module in skeleton.named_modules() if not any(True for _ in module.children())}
    names = {id(module): name or "output" for name, module in leaves.items() if not isinstance(module, PASSED_ON)}

    def one(parameters: Any, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = {}
        calls: Counter[str] = Counter()

        def hook(module: torch.nn.Module, _: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                calls[name := names[id(module)]] += 1
                # At once, since an activation may be computed in place of what is seen here.
                found[name if calls[name] == 1 else f"{name} ({calls[name]})"] = output.flatten(1).square().sum(1).sqrt()

        handles = [module.register_forward_hook(hook) for module in skeleton.modules() if id(module) in names]
        try:
            functional_call(skeleton, parameters, (inputs.movedim(-1, 0),))
        finally:
            for handle in handles:
                handle.remove()
        return found

    norms: dict[str, torch.Tensor] = vmap(one)(dict(parameters), inputs)
    return norms


def _fully_connected(program: MLPProgram, parameters: Parameters, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    """Layer by layer, each treated as its own network."""
    found, values = {}, inputs.flatten(1, -2)
    for layer, sizes in enumerate(pairwise(program.sizes)):
        alone = MLPProgram(sizes, bias=program.bias)
        own = {name: parameters[f"{layer}.{name[2:]}"] for name in alone.layout.names}
        values = alone.logits(own, values)
        if layer < program.depth - 1 and not program.linear:
            values = values.relu()
        found[str(layer)] = values.square().sum(1).sqrt()
    return found


@dataclass(frozen=True)
class ActivationNorms(Measurement):
    """Mean and variance, over the points, of the Euclidean norm of every layer's activations.

    One row per member × epoch × split × layer: split, layer (see :func:`activation_norms`), mean, variance (divided by the
    number of points), max, min.

    Attributes:
        splits: "train", "test" or both.
        points: how many of each split (the first); None for all.
        epochs: "final" or "all".
    """

    splits: tuple[Split, ...] = ("test",)
    points: int | None = None
    epochs: Epochs = "final"

    def __post_init__(self) -> None:
        stacks.require_splits(self)
        stacks.require_choices(self, epochs=("final", "all"))
        stacks.require_counts(self, "points")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "activation norms"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""

        def of_split(split: Split) -> pd.DataFrame:
            inputs, _ = points_of(data, split, self.points)
            return by_epoch(population, self.epochs, lambda epoch: self._layers(population, epoch, inputs, device))

        return by_split(self.splits, of_split)

    def _layers(self, population: Population, epoch: int, inputs: torch.Tensor, device: str) -> pd.DataFrame:
        import pandas as pd

        def norms(given: Given) -> dict[str, torch.Tensor]:
            return activation_norms(given.program, given.parameters, given.inputs)

        found = per_point(population, epoch, inputs, norms, device=device)
        return pd.concat([
            pd.DataFrame({
                "seed": population.seeds, "layer": layer, "mean": sizes.mean(1), "variance": sizes.var(1),
                "max": sizes.max(1), "min": sizes.min(1),
            }) for layer, sizes in found.items()
        ], ignore_index=True)  # fmt: skip
