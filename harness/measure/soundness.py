"""Whether members can be measured at all: the one look at them that every instrument's tables share, own ones included.

Instruments differ in what they make of a NaN: a margin that is NaN is not above 0, so that the accuracy would be 0, and a point
that nothing flips would count as robust.  So a store looks at members before it lets an instrument do so, at their trained
parameters and at what they answer to the points of their data.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch

from harness.measure.walk import Given, Split, per_point, points_of
from harness.networks.finite import OUTPUTS, diverged
from harness.progress import listening

if TYPE_CHECKING:
    from harness.data.base import Dataset
    from harness.measure.base import Measurement
    from harness.population import Population

SPLITS: tuple[Split, ...] = ("train", "test")
NEARLY = 1e-4  # by which probabilities may miss a sum of 1 in single precision


class ProbabilitiesWarning(UserWarning):
    """Outputs that are probabilities stand where logits are taken for granted."""


def epochs_of(measurement: Measurement, population: Population) -> tuple[int, ...]:
    """The kept epochs that a measurement looks at: all, unless it says that it looks at the last one only."""
    inner = measurement
    while (held := getattr(inner, "measurement", None)) is not None:  # of a view
        inner = held
    return population.epochs[-1:] if getattr(inner, "epochs", "all") == "final" else population.epochs


def faults(population: Population, data: Dataset, epochs: tuple[int, ...], device: str) -> dict[int, str]:
    """What keeps members from being measured, by seed; nothing for those that can be.

    Args:
        population: the members.
        data: what they are measured on.
        epochs: the kept epochs that are looked at.
        device: "cpu" or "cuda".
    """
    found = diverged(population.program, population.seeds, population.parameters, epochs)
    whole = tuple(seed for seed in population.seeds if seed not in found)
    if whole and found:
        population = population.select(whole)
    return found | (_endless(population, data, epochs, device) if whole else {})


def _endless(population: Population, data: Dataset, epochs: tuple[int, ...], device: str) -> dict[int, str]:
    """The members with an output that is not finite at a training or test point; none where they cannot be run on these.

    Whoever measures them then says why, if it has to run them.

    Warns:
        ProbabilitiesWarning: the outputs of some are probabilities, which every instrument takes for logits.
    """
    bad: set[int] = set()
    logits: set[int] = set()
    try:
        with torch.random.fork_rng(), warnings.catch_warnings(), listening(lambda share: None):  # no part of what is measured
            warnings.simplefilter("ignore")  # an instrument that does the same gives the same warnings
            for epoch in epochs:
                for split in SPLITS:
                    inputs, _ = points_of(data, split, None)
                    seen = per_point(population, epoch, inputs, _looked, device=device)
                    for seed, finite, shares in zip(population.seeds, seen["finite"], seen["shares"], strict=True):
                        bad.update([] if finite.all() else [seed])
                        logits.update([] if shares.all() else [seed])
    except Exception:
        return {}
    if softmaxed := [seed for seed in population.seeds if seed not in logits | bad]:
        warnings.warn(
            f"the outputs of seeds {softmaxed} are probabilities: they lie between 0 and 1 and add up to 1 at every point.  "
            "Instruments take outputs for logits, so that losses, margins and the LLC are those of a softmax of a softmax: "
            "return the logits, or the logarithms of the probabilities", ProbabilitiesWarning, stacklevel=2,
        )  # fmt: skip
    return {seed: OUTPUTS for seed in population.seeds if seed in bad}


def _looked(given: Given) -> dict[str, torch.Tensor]:
    """Whether all outputs of a block of points are finite, and whether they are probabilities of classes, shape (row, 1)."""
    outputs = given.program.logits(given.parameters, given.inputs)
    flat = outputs.reshape(len(outputs), -1, outputs.shape[-1])  # (row, class, point)
    finite = flat.isfinite().flatten(1).all(1, keepdim=True)
    between = ((flat >= 0) & (flat <= 1)).flatten(1).all(1, keepdim=True)
    whole = (flat.sum(1) - 1).abs().amax(1, keepdim=True) < NEARLY
    return {"finite": finite, "shares": between & whole & (flat.shape[1] > 1)}
