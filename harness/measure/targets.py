"""Targets as users give them, checked and brought into one form for computation; nothing is broadcast, cut or rounded."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from harness.measure.arguments import require_finite, tensor_of
from harness.networks.losses import Loss


def class_numbers(targets: Any, points: int, classes: int, *, name: str = "targets") -> torch.Tensor:
    """Class numbers, one for each point, as whole numbers of shape (point,).

    Args:
        targets: what was given for them.
        points: how many points there are.
        classes: how many classes; at least 2.
        name: of the argument, for the message.

    Raises:
        ValueError: they have another shape, are not whole numbers, or name a class that does not exist.
    """
    if targets is None:
        raise ValueError(f"{name} is None; give one class number for each of the {points} points")
    y = tensor_of(targets, name)
    if tuple(y.shape) != (points,):
        hint = "; for one-hot or soft labels give targets.argmax(1)" if y.dim() == 2 and len(y) == points else ""
        raise ValueError(f"{name} have shape {tuple(y.shape)}; give one class number for each of the {points} points, shape "
                         f"({points},){hint}")  # fmt: skip
    if y.is_floating_point() or y.is_complex():
        raise ValueError(f"{name} are {y.dtype}; class numbers are whole numbers: give them as integers (targets.long())")
    y = y.long()
    _require_classes(y, classes, name)
    return y


def _require_classes(y: torch.Tensor, classes: int, name: str) -> None:
    if y.numel() and not bool(((y >= 0) & (y < classes)).all()):
        raise ValueError(f"{name} range from {int(y.min())} to {int(y.max())}; this network has classes 0 to {classes - 1}")


class _Outputs(Protocol):
    classes: int


def loss_targets(targets: torch.Tensor, shape: tuple[int, ...], program: _Outputs, loss: Loss) -> torch.Tensor:
    """Targets of a loss, checked, in the form that :func:`harness.networks.losses.encode` takes.

    Args:
        targets: class numbers (point,) or (model, point), or values (point, output) or (model, point, output).
        shape: (point,), or (model, point) where every model has data of its own.
        program: the program with these outputs.
        loss: the loss that they are for.

    Returns:
        Class numbers of shape ``shape``, or float targets of shape (*shape, output).

    Raises:
        ValueError: shape, type or values do not fit the outputs or the loss.
    """
    outputs, floats = program.classes, targets.is_floating_point()
    if loss == "mse" and outputs == 1 and tuple(targets.shape) == shape:
        return targets[..., None].to(targets.dtype if floats else torch.float32)  # the values of a single output
    if not floats:
        if tuple(targets.shape) != shape:
            raise ValueError(
                f"targets of shape {tuple(targets.shape)} do not fit inputs of {_points(shape)}; class numbers have shape "
                f"{shape}: for sequences give the last step's, or flatten outputs and targets with output= and a callable loss"
            )
        _require_classes(targets, max(outputs, 2) if loss == "cross_entropy" else outputs, "targets")
        return targets.long()
    if loss == "cross_entropy" and tuple(targets.shape) == shape:
        raise ValueError(
            f"targets are {targets.dtype}; class numbers are whole numbers: give them as integers (targets.long()), or "
            "loss='mse' for values"
        )
    wanted = (*shape, outputs)
    if targets.dim() != len(wanted) or tuple(targets.shape[:-1]) != shape:
        raise ValueError(
            f"targets of shape {tuple(targets.shape)} do not fit inputs of {_points(shape)} and {outputs} outputs; values have "
            f"shape {wanted}"
        )
    if not callable(loss) and targets.shape[-1] != outputs:
        raise ValueError(f"targets of shape {tuple(targets.shape)} have {targets.shape[-1]} values per point, but the network "
                         f"has {outputs} outputs; give shape {wanted}")  # fmt: skip
    require_finite(targets.flatten(0, -2), "targets of points")
    if loss == "cross_entropy":
        _require_probabilities(targets, outputs)
    return targets


def _require_probabilities(targets: torch.Tensor, outputs: int) -> None:
    sums = targets.sum(-1)
    if outputs < 2 or bool((targets < 0).any()) or not torch.allclose(sums, torch.ones_like(sums), atol=1e-4):
        raise ValueError(
            f"targets of shape {tuple(targets.shape)} are not probabilities of {outputs} classes (at least 0, with sum 1): "
            "give probabilities, class numbers, or loss='mse' for values"
        )


def _points(shape: tuple[int, ...]) -> str:
    return f"{shape[-1]} points" if len(shape) == 1 else f"{shape[0]} models × {shape[1]} points"
