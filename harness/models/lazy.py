"""The two-layer network of the lazy regime.

f(x; a, W) = m^(−1/2) Σ_s a_s relu(w_s · x) with a_s = ±1 fixed and w_s ~ N(0, I_d) at the start.
(Adversarial Robustness is at Odds with Lazy Training, 3. Problem Setup and 4. Lazy Regime.)
"""

from __future__ import annotations

import math

import torch


class LazyNetwork(torch.nn.Module):
    """Two-layer ReLU network whose second layer is fixed; the logits are (−f/2, f/2).

    With these two logits the cross-entropy is the logistic loss log(1 + exp(−y f)) of the label y = ±1.

    Args:
        inputs: d, the dimension of an input.
        width: m, the number of hidden units.
    """

    second: torch.Tensor

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.first = torch.nn.Parameter(torch.randn(width, inputs))
        self.register_buffer("second", torch.randint(0, 2, (width,)) * 2.0 - 1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Inputs (point, …) to logits (point, 2)."""
        f = torch.relu(x.flatten(1) @ self.first.T) @ self.second / math.sqrt(len(self.second))
        return torch.stack([-f / 2, f / 2], dim=1)


def lazy_network(shape: tuple[int, ...], classes: int, width: int) -> LazyNetwork:
    """Builder for :class:`harness.recipe.Module`."""
    if classes != 2:
        raise ValueError(f"the lazy network separates two classes; this data set has {classes}")
    return LazyNetwork(math.prod(shape), width)
