"""Singular values of the weight matrices.

W = U diag(σ) Vᵀ.  "For NNs with high adversarial robustness, the singular values of weight matrices has low variance."
(Towards Understanding the Regularization of Adversarial Robustness on Neural Networks, Theorem 3.1 and Reduced variance of
singular values.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness.measure import stacks
from harness.measure.base import Measurement
from harness.measure.stacks import Epochs, by_epoch, per_member
from harness.models import Parameters, Program
from harness.population import Population

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

    Row by row, each from its own memory: LAPACK rounds by the alignment of a matrix, and so by its place in a stack.
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
