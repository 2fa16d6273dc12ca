"""The networks of the feature-averaging results: a binary one, and one with an output for every cluster.

(Theoretical Understanding of Adversarial Examples: Expressive Power and Training Dynamics, Learner Model and
Detailed Feature-Level Supervisory Label.)
"""

from __future__ import annotations

import math

import torch

from harness.models.two_layer import TwoLayer


def binary_network(shape: tuple[int, ...], classes: int, units: int) -> TwoLayer:
    """f(x) = (1/m) Σ_r relu(⟨w_{1,r}, x⟩ + b_{1,r}) − (1/m) Σ_r relu(⟨w_{−1,r}, x⟩ + b_{−1,r}), m = ``units``.

    w ~ N(0, I/d) and b ~ N(0, 1/d²) at the start.  The logits are (−f/2, f/2), so that the cross-entropy is the logistic
    loss of the label ±1.  Builder for :class:`harness.recipe.Module`.

    Args:
        shape: of an input.
        classes: has to be 2.
        units: m, the number of units on either side.
    """
    if classes != 2:
        raise ValueError(f"the binary network separates two classes; this data set has {classes}")
    inputs = math.prod(shape)
    signs = torch.cat([torch.ones(units), -torch.ones(units)])
    return TwoLayer(
        torch.randn(2 * units, inputs) / math.sqrt(inputs), torch.stack([-signs, signs]) / (2 * units),
        torch.randn(2 * units) / inputs,
    )  # fmt: skip


def cluster_network(shape: tuple[int, ...], classes: int, units: int = 1, deviation: float | None = None) -> TwoLayer:
    """F(x) = (f_1, …, f_k) with f_i(x) = (1/h) Σ_r relu(⟨w_{i,r}, x⟩), h = ``units``; builder for ``Module``.

    Args:
        shape: of an input.
        classes: k, the number of clusters.
        units: h, the number of units for each output; the document writes one.
        deviation: of the initial weights, in units of 1/√d (that of the binary network); None for 1.
    """
    inputs = math.prod(shape)
    spread = (1.0 if deviation is None else deviation) / math.sqrt(inputs)
    return TwoLayer(spread * torch.randn(units * classes, inputs), torch.eye(classes).repeat_interleave(units, 1) / units)
