"""The two-layer network of the lazy regime.

f(x; a, W) = m^(−1/2) Σ_s a_s relu(w_s · x) with a_s = ±1 fixed and w_s ~ N(0, I_d) at the start.
(Adversarial Robustness is at Odds with Lazy Training, 3. Problem Setup and 4. Lazy Regime.)
"""

from __future__ import annotations

import math

import torch

from harness.models.two_layer import TwoLayer


class LazyNetwork(TwoLayer):
    """Two-layer ReLU network whose second layer is fixed; the logits are (−f/2, f/2).

    With these two logits the cross-entropy is the logistic loss log(1 + exp(−y f)) of the label y = ±1.

    Args:
        inputs: d, the dimension of an input.
        width: m, the number of hidden units.
    """

    def __init__(self, inputs: int, width: int) -> None:
        first = torch.randn(width, inputs)
        signs = torch.randint(0, 2, (width,)) * 2.0 - 1.0
        super().__init__(first, torch.stack([-signs, signs]) / (2 * math.sqrt(width)))


def lazy_network(shape: tuple[int, ...], classes: int, width: int) -> LazyNetwork:
    """Builder for :class:`harness.recipe.Module`."""
    if classes != 2:
        raise ValueError(f"the lazy network separates two classes; this data set has {classes}")
    return LazyNetwork(math.prod(shape), width)
