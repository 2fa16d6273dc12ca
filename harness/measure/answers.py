"""The classes that networks predict: those with the largest logit."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from harness.measure.arguments import points_of
from harness.measure.base import Given, Models, in_chunks
from harness.networks.callers import instrument
from harness.networks.given import Output


@instrument
def answers(
    models: Models, inputs: np.ndarray | torch.Tensor, *, device: str = "cpu", output: Output | None = None
) -> NDArray[np.int64]:
    """The class that every model predicts at every point.

    Args:
        models: one ``nn.Module``, a list of modules of one shape, or a Population (its last epoch).
        inputs: points, shape (point, *input).
        device: "cpu" or "cuda".
        output: turns what a module returns into outputs of shape (point, class); None if it returns them itself.

    Returns:
        Class numbers, shape (model, point); of several equal logits the first counts.
    """

    def largest(given: Given) -> torch.Tensor:
        return given.program.logits(given.parameters, given.inputs).argmax(1)

    inputs = points_of(inputs)
    found: NDArray[np.int64] = (
        in_chunks(models, inputs, np.zeros(len(inputs), dtype=np.int64), device, largest, output=output, need="outputs")
        .cpu()
        .numpy()
    )  # the points' own classes have no part in it
    return found
