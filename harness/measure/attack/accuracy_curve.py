"""Accuracy against the size of a perturbation.

"Tested both models against FGSM adversary for twenty equally spaced values of ε ∈ [0, 0.1]", and "against simple Gaussian
white noise attacks for twenty equally spaced values of ε ∈ [0, 0.5]".  (Adversarial Robustness Through
Overparameterization.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from harness.measure import walk as stacks
from harness.measure.attack.perturbations import fgsm_direction, gaussian_noise, unit_direction, worse_side
from harness.measure.base import Measurement
from harness.measure.walk import Epochs, Given, Numbers, Split, by_epoch, per_point, points_of
from harness.networks import Parameters, Program
from harness.networks.ascent import Bounds, margin, moved
from harness.population import Population
from harness.recipe import Norm, require

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset

Mover = Callable[[float], torch.Tensor]  # size → perturbed points


@dataclass(frozen=True)
class Curve(Measurement):
    """Accuracy under perturbations of each of several sizes.

    One row per member × epoch × size with the columns size and accuracy.  A tie counts as misclassified.

    Attributes:
        attack: "fgsm", "noise" (size = standard deviation; the same noise for every member, and at every size up to its
            factor) or "direction"; see :mod:`harness.measure.attack.perturbations`.
        sizes: the sizes, rising, in the units of the data.
        norm: of the size of "fgsm" and "direction": "linf" or "l2".
        direction: for "direction", the direction as one flat tuple of numbers; else None.
        split: "test" or "train".
        points: how many points (the first); None for all.
        epochs: "final" or "all".
        clip: keep perturbed points within the bounds of the data, where it has some.
        seed: names the noise.
    """

    attack: Literal["fgsm", "noise", "direction"] = "fgsm"
    sizes: tuple[float, ...] = tuple(float(size) for size in np.linspace(0, 0.1, 20))
    norm: Norm = "linf"
    direction: tuple[float, ...] | None = None
    split: Split = "test"
    points: int | None = None
    epochs: Epochs = "final"
    clip: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        stacks.require_choices(
            self, attack=("fgsm", "noise", "direction"), norm=("linf", "l2"), split=("train", "test"), epochs=("final", "all")
        )
        stacks.require_counts(self, "points")
        rising = all(one < other for one, other in zip(self.sizes, self.sizes[1:], strict=False))
        sane = bool(self.sizes) and rising and self.sizes[0] >= 0 and np.isfinite(self.sizes[-1])
        require(bool(sane), self, "sizes", "one or more finite sizes from 0, each above the last")
        needed = (self.attack == "direction") == (self.direction is not None)
        require(needed, self, "direction", "given where attack is 'direction', and None elsewhere")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return f"accuracy under {self.attack}"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        return by_epoch(population, self.epochs, lambda epoch: self._epoch(population, epoch, data, device))

    def _epoch(self, population: Population, epoch: int, data: Dataset, device: str) -> pd.DataFrame:
        import pandas as pd

        program, bounds = population.program, data.bounds if self.clip else None
        if program.classes < 2:
            raise ValueError(f"accuracy needs two or more classes; this network has {program.classes}")
        inputs, labels = points_of(data, self.split, self.points)
        noise = None
        if self.attack == "noise":
            noise = gaussian_noise(torch.zeros_like(inputs.movedim(-1, 0)), sigma=1.0, seed=self.seed).movedim(0, -1)

        def right(given: Given) -> dict[str, torch.Tensor]:
            """How many points of a block are classified rightly at every size, shape (row, size, 1)."""
            parameters, y = given.parameters, given.targets
            step = None if noise is None else noise[..., given.block].to(device)[None]
            mover = self._mover(program, parameters, given.inputs, y, step, bounds)
            counts = [(margin(program.logits(parameters, mover(size)), y) > 0).sum(1) for size in self.sizes]
            return {"right": torch.stack(counts, 1)[..., None]}

        found = per_point(population, epoch, inputs, right, labels=labels, device=device, copies=4)
        accuracy: Numbers = found["right"].sum(2) / len(labels)
        member, size = np.indices(accuracy.shape).reshape(2, -1)
        return pd.DataFrame({
            "seed": np.array(population.seeds)[member], "epoch": epoch, "size": np.array(self.sizes)[size],
            "accuracy": accuracy.ravel(),
        })  # fmt: skip

    def _mover(
        self, program: Program, parameters: Parameters, x: torch.Tensor, y: torch.Tensor, noise: torch.Tensor | None,
        bounds: Bounds,
    ) -> Mover:  # fmt: skip
        """The perturbed points as a function of the size; whatever does not depend on the size is computed once."""
        if self.attack == "direction":
            shape = tuple(x.shape[1:-1])
            given = np.array(self.direction)
            if given.size != np.prod(shape):
                raise ValueError(f"direction has {given.size} numbers; an input of shape {shape} has {np.prod(shape)}")
            along = unit_direction(given.reshape(shape), shape, self.norm).to(x.device)[None, ..., None].expand(x.shape)
            return lambda size: worse_side(program, parameters, x, y, along * size, bounds)
        step = fgsm_direction(program, parameters, x, y, self.norm) if noise is None else noise
        return lambda size: moved(x, step * size, bounds)
