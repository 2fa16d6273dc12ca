"""Singular values of the weight matrices, the product of the largest ones, and the local slopes that it bounds.

W = U diag(σ) Vᵀ.  "For NNs with high adversarial robustness, the singular values of weight matrices has low variance."
(Towards Understanding the Regularization of Adversarial Robustness on Neural Networks, Theorem 3.1 and Reduced variance of
singular values.)

f = W_L φ(… φ(W_1 x)) with φ applied to every unit and of slope at most 1 has, at every point, the Jacobian
J(x) = W_L D_{L−1} … D_1 W_1 with diagonal ‖D‖ ≤ 1, so that ‖J(x)‖ ≤ Π_l ‖W_l‖ in every operator norm: the product of the
largest singular values for Euclidean perturbations, the product of the largest row sums of |W_l| for L∞ ones.
(Szegedy et al. 2014, arXiv:1312.6199, 4.3; the definition of an L-Lipschitz function is that of Adversarial Robustness
Through Overparameterization.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from harness.measure import walk as stacks
from harness.measure.base import Measurement
from harness.measure.walk import Epochs, Given, by_epoch, per_member, per_point, points_of, random_points
from harness.networks import MLPProgram, ModuleProgram, Parameters, Program
from harness.population import Population
from harness.progress import part
from harness.recipe import Norm, require

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


def weight_matrices(program: Program) -> tuple[str, ...]:
    """Names of the trained parameters with two or more dimensions, in the order of the layout.

    Raises:
        ValueError: there is none.
    """
    shapes = dict(zip(program.layout.names, program.layout.shapes, strict=True))
    names = tuple(name for name in program.scopes["all"] if len(shapes[name]) >= 2)
    if not names:
        raise ValueError(
            f"no trained parameter has two dimensions (there are {', '.join(program.scopes['all']) or 'none'}); "
            "singular values are those of weight matrices"
        )
    return names


def singular_values(program: Program, parameters: Parameters) -> dict[str, torch.Tensor]:
    """Singular values of every weight matrix by name, in falling order, shape (row, min(output, input)).

    A kernel with more than two dimensions counts as the matrix (output, all the rest).

    Args:
        program: whose parameters they are.
        parameters: tensors of shape (row, *shape) by name.
    """
    return {name: stacked_spectrum(parameters[name].flatten(2)) for name in weight_matrices(program)}


def stacked_spectrum(matrices: torch.Tensor) -> torch.Tensor:
    """Singular values in falling order: (row, output, input) → (row, min(output, input)).

    Row by row, each copied into its own memory: LAPACK's rounding depends on a matrix's alignment, so on its place in a stack.
    """
    return torch.stack([torch.linalg.svdvals(matrix.clone()) for matrix in matrices])


@dataclass(frozen=True)
class SingularValues(Measurement):
    """Mean, variance and extremes of every weight matrix's singular values.

    One row per member × epoch × layer: layer (the parameter's name without ".weight"), number (of them), mean, variance
    (divided by their number), max, min.  They are computed in double precision.

    Attributes:
        epochs: "final" or "all".
    """

    epochs: Epochs = "final"

    def __post_init__(self) -> None:
        stacks.require_choices(self, epochs=("final", "all"))

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "singular values"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        import pandas as pd

        def of_epoch(epoch: int) -> pd.DataFrame:
            found = per_member(
                population, epoch, lambda given: singular_values(given.program, given.parameters), device=device, states=3
            )
            return pd.concat([
                pd.DataFrame({
                    "seed": population.seeds, "epoch": epoch, "layer": name.removesuffix(".weight"),
                    "number": spectrum.shape[1], "mean": spectrum.mean(1), "variance": spectrum.var(1),
                    "max": spectrum.max(1), "min": spectrum.min(1),
                }) for name, spectrum in found.items()
            ])  # fmt: skip

        return by_epoch(population, self.epochs, of_epoch)


SLOPE_AT_MOST_ONE = (
    torch.nn.ReLU, torch.nn.Tanh, torch.nn.Sigmoid, torch.nn.Softplus, torch.nn.Identity, torch.nn.Dropout, torch.nn.Flatten,
)  # fmt: skip
# All is computed in double precision: a product of matrices with n terms an entry is off by n · 2⁻⁵² of its size at most
# per factor, below 1e-9 for a million terms in all.
ROUNDING = 1e-9


def chain(program: Program) -> tuple[str, ...]:
    """Names of the weight matrices of a chain of linear layers, from the input to the output.

    Raises:
        ValueError: the network is not such a chain, so the product of its matrices' norms bounds nothing.
    """
    if isinstance(program, MLPProgram):
        return tuple(f"{layer}.weight" for layer in range(program.depth))
    if not isinstance(program, ModuleProgram):
        raise ValueError(f"{type(program).__name__} does not show its layers; give an MLPProgram or a ModuleProgram")
    names = {id(module): name for name, module in program.skeleton.named_modules()}
    weights = tuple(f"{names[id(layer)]}.weight".lstrip(".") for layer in _linear_layers(program.skeleton))
    if hidden := [name for name in weights if name not in program.layout.names]:
        raise ValueError(f"{', '.join(hidden)} is not a parameter but computed from others; its norm cannot be read off")
    return weights


def _linear_layers(module: torch.nn.Module) -> list[torch.nn.Linear]:
    if isinstance(module, torch.nn.Linear):
        return [module]
    if isinstance(module, torch.nn.Sequential):
        return [layer for child in module for layer in _linear_layers(child)]
    if isinstance(module, SLOPE_AT_MOST_ONE):
        return []
    raise ValueError(
        f"{type(module).__name__} is not a chain of linear layers; the product of operator norms is a bound only for a "
        f"torch.nn.Sequential of Linear and {', '.join(kind.__name__ for kind in SLOPE_AT_MOST_ONE)}"
    )


def operator_bound(program: Program, parameters: Parameters, norm: Norm) -> torch.Tensor:
    """Π_l ‖W_l‖, shape (row,): no perturbation of size ε moves the outputs by more than ε times this.

    Args:
        program: a chain of linear layers; see :func:`chain`.
        parameters: tensors of shape (row, *shape) by name.
        norm: of perturbations and outputs: "l2" (largest singular values) or "linf" (largest row sums).
    """
    weights = [parameters[name] for name in chain(program)]
    if norm == "l2":
        return torch.stack([stacked_spectrum(weight)[:, 0] for weight in weights]).prod(0)
    return torch.stack([weight.abs().sum(2).amax(1) for weight in weights]).prod(0)


def jacobian_norms(program: Program, parameters: Parameters, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    """Operator norms of the outputs' Jacobian at every point, "l2" and "linf", shape (row, point).

    The L2 norm is the largest singular value, the L∞ norm the largest ‖∇f_c‖₁.

    Args:
        program: the stack's program.
        parameters: tensors of shape (row, *shape) by name.
        inputs: points, shape (row, *input, point).
    """
    logits, pull_back = program.pullback(parameters, inputs)
    pulls = torch.eye(logits.shape[1], dtype=logits.dtype, device=logits.device)[:, None, :, None]
    jacobian = torch.stack([pull_back(pull.expand(logits.shape).contiguous()).flatten(1, -2) for pull in pulls], 1)
    gram = torch.einsum("rcip,rkip->rpck", jacobian, jacobian)
    # Row by row, as LAPACK rounds by a matrix's place in memory.
    largest = torch.stack([torch.linalg.eigvalsh(row.clone())[..., -1] for row in gram]).clamp_min(0).sqrt()
    return {"l2": largest, "linf": jacobian.abs().sum(2).amax(1)}


@dataclass(frozen=True)
class OperatorBound(Measurement):
    """The product of the layers' operator norms beside the largest local slope, for L2 and for L∞.

    One row per member × epoch: bound_l2, bound_linf, largest_l2 and largest_linf (largest operator norm of the Jacobian over
    the points), ratio_l2 and ratio_linf (largest ÷ bound; 0 where both are 0), within (neither exceeds its bound).

    Attributes:
        at: "random" (z ~ N(0, I/d), the same for every member), "train" or "test".
        points: how many of them (the first ones); None for all points of a split.
        epochs: "final" or "all".
        seed: names the random points.
    """

    at: Literal["random", "train", "test"] = "random"
    points: int | None = 1000
    epochs: Epochs = "final"
    seed: int = 0

    def __post_init__(self) -> None:
        stacks.require_choices(self, at=("random", "train", "test"), epochs=("final", "all"))
        stacks.require_counts(self, "points")
        require(self.at != "random" or self.points is not None, self, "points", "a number where at is 'random'")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "operator norms"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        if self.at == "random":
            inputs = random_points(data.train_x.shape[1:], self.points or 0, None, self.seed)
        else:
            inputs = points_of(data, self.at, self.points)[0]
        return by_epoch(population, self.epochs, lambda epoch: self._epoch(population, epoch, inputs, device))

    def _epoch(self, population: Population, epoch: int, inputs: torch.Tensor, device: str) -> pd.DataFrame:
        import pandas as pd

        norms: tuple[Norm, ...] = ("l2", "linf")

        def products(given: Given) -> dict[str, torch.Tensor]:
            return {norm: operator_bound(given.program, given.parameters, norm) for norm in norms}

        def slopes_of(given: Given) -> dict[str, torch.Tensor]:
            return jacobian_norms(given.program, given.parameters, given.inputs)

        with part(0, 0.1):
            bounds = per_member(population, epoch, products, device=device, states=3)
        with part(0.1, 1):  # slopes at many points take longer than a few decompositions
            slopes = per_point(
                population, epoch, inputs, slopes_of, device=device, dtype=torch.float64, copies=4 * population.program.classes
            )
        table, within = pd.DataFrame({"seed": population.seeds, "epoch": epoch}), np.ones(len(population), dtype=bool)
        for norm, bound in bounds.items():
            largest = slopes[norm].max(1)
            ratio = np.divide(largest, bound, out=np.zeros_like(largest), where=bound > 0)
            table[f"bound_{norm}"], table[f"largest_{norm}"], table[f"ratio_{norm}"] = bound, largest, ratio
            within &= largest <= bound * (1 + ROUNDING)
        return table.assign(within=within)
