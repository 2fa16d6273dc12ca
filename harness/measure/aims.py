"""The classes that a targeted attack wants points to be taken for."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch

from harness.measure.arguments import tensor_of
from harness.measure.base import Given

Aim: TypeAlias = int | np.ndarray | torch.Tensor | None
SHOWN = 5  # points that a message names at most


def encoded_aim(aim: Aim, given: Given) -> torch.Tensor | None:
    """The classes aimed at, encoded as the targets are, shape (row, class, point); None where every wrong class will do.

    Args:
        aim: one class number, or one for each point, shape (point,), or None.
        given: the models and their points.

    Raises:
        ValueError: it holds no class numbers, or not as many as there are points, or the right class of a point.
    """
    if aim is None:
        return None
    points, classes = given.inputs.shape[-1], given.program.classes
    wanted = tensor_of(aim, "aim")
    if wanted.is_floating_point() or wanted.is_complex() or wanted.dtype == torch.bool:
        raise ValueError(f"aim holds {wanted.dtype}; give class numbers, whole numbers from 0 to {classes - 1}")
    if wanted.dim() and tuple(wanted.shape) != (points,):
        raise ValueError(f"aim has shape {tuple(wanted.shape)}; give one class number, or one for each of the {points} points")
    if bool(((wanted < 0) | (wanted >= classes)).any()):
        raise ValueError(f"aim reaches from {int(wanted.min())} to {int(wanted.max())}; the classes are 0 to {classes - 1}")
    wanted = wanted.long().to(given.targets.device).expand(points)
    if len(same := (wanted == given.targets[0].argmax(0)).nonzero()[:, 0].tolist()):
        named = ", ".join(map(str, same[:SHOWN])) + (", …" if len(same) > SHOWN else "")
        raise ValueError(
            f"aim is the right class of {len(same)} of {points} points ({named}); leave them out, or aim at another class there"
        )
    return torch.zeros_like(given.targets).scatter_(1, wanted.expand(len(given.targets), 1, points), 1.0)
