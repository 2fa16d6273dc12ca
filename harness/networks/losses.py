"""Losses on stacked logits: one loss per point, and its gradient with respect to the logits.

Logits are held as (row, class, point): sums over classes then run along a strided axis, which is several times faster
on a CPU than over a last axis of length three.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch.nn import functional

PointLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Loss = Literal["cross_entropy", "mse"] | PointLoss


def encode(targets: torch.Tensor, classes: int) -> torch.Tensor:
    """Class numbers (…, point) as one-hot columns (…, class, point); float targets (…, point, class) transposed."""
    if targets.is_floating_point():
        return targets.transpose(-1, -2).contiguous()
    return functional.one_hot(targets.long(), classes).to(torch.float32).transpose(-1, -2).contiguous()


def row_loss(logits: torch.Tensor, targets: torch.Tensor, loss: Loss) -> torch.Tensor:
    """Mean loss of one network, for autograd: logits and encoded targets of shape (class, point)."""
    if loss == "mse":
        return (logits - targets).square().sum(0).mean() / 2
    if callable(loss):
        return loss(logits.T[None], targets.T[None])[0].mean()
    return -(torch.log_softmax(logits, 0) * targets).sum(0).mean()


def _require_loss(losses: object, *, written: bool) -> None:
    """A user's loss has to return a tensor that depends on the logits, and must leave its targets unchanged."""
    if written:
        raise ValueError("the loss must not change its targets in place, since the next step is given the same tensor; "
                         "copy them first (targets.clone())")  # fmt: skip
    if not isinstance(losses, torch.Tensor):
        raise ValueError(f"the loss returned {type(losses).__name__}; give one that returns a tensor, one loss per point")
    if not losses.requires_grad:
        raise ValueError("what the loss returned has no gradient (it uses detach, no_grad or integers); give one "
                         "that can be differentiated")  # fmt: skip


def loss_and_pull(
    logits: torch.Tensor, targets: torch.Tensor, loss: Loss = "cross_entropy", *, pull: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss per point and the gradient of each point's loss with respect to its logits.

    Args:
        logits: tensor of shape (row, class, point).  It may be overwritten.
        targets: tensor of shape (row or 1, class, point), as made by :func:`encode`.
        loss: "cross_entropy", "mse" (half the squared distance: the negative log-likelihood of a Gaussian with unit
            variance, so that a regular model has learning coefficient d/2), or a callable of (logits (row, point, class),
            targets (row, point, class)) that returns one loss per point, shape (row, point).
        pull: whether the gradient is wanted; without it the second value is meaningless.

    Returns:
        The losses, shape (row, point), and the gradient, shape (row, class, point).
    """
    if loss == "cross_entropy":
        log_probability = torch.log_softmax(logits, dim=1)
        losses = (log_probability * targets).sum(1).neg_()
        return losses, log_probability.exp_().sub_(targets) if pull else log_probability
    if loss == "mse":
        difference = logits - targets
        return difference.square().sum(1).mul_(0.5), difference
    if callable(loss):
        with torch.enable_grad():
            free = logits.detach().requires_grad_()
            given = targets.transpose(1, 2).expand(len(free), -1, -1)
            version = given._version
            try:
                losses = loss(free.clone().transpose(1, 2), given)  # a copy, which the loss may overwrite
            except Exception as problem:
                raise ValueError(
                    f"the loss raised {type(problem).__name__}: {problem}; it is given logits and targets of shape (row, "
                    "point, class), and must not write into its targets"
                ) from problem
            _require_loss(losses, written=given._version != version)
            if losses.shape != (free.shape[0], free.shape[2]):
                raise ValueError(
                    f"the loss returned shape {tuple(losses.shape)}; one loss per point is "
                    f"(row, point) = {(free.shape[0], free.shape[2])}"
                )
            gradient = torch.autograd.grad(losses.sum(), free)[0] if pull else free
        return losses.detach(), gradient
    raise ValueError(f"loss {loss!r} is unknown: allowed are 'cross_entropy', 'mse' or a callable")
