"""Training regimes of a user's own: noise on the inputs, smooth labels, a loss with a focus."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from harness.recipe import Regime, TrainingStep


@dataclass(frozen=True)
class NoisyInputs(Regime):
    """Gaussian noise on every input, anew in every step.

    Attributes:
        sigma: its standard deviation.
        name: for tables and figures.
    """

    sigma: float
    name: str = "noisy"

    def examples(self, step: TrainingStep, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return inputs + self.sigma * step.normal(inputs), targets


@dataclass(frozen=True)
class SmoothLabels(Regime):
    """A share of every label is spread over all classes (Szegedy et al. 2016)."""

    share: float
    name: str = "smooth"

    def examples(self, step: TrainingStep, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return inputs, targets * (1 - self.share) + self.share / targets.shape[1]


@dataclass(frozen=True)
class Focal(Regime):
    """The cross-entropy, less of it where a point is right already (Lin et al. 2017)."""

    gamma: float
    name: str = "focal"

    def loss(self, loss: object) -> object:
        return self._focal

    def _focal(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        log_right = (torch.log_softmax(logits, 2) * targets).sum(2)
        return -((1 - log_right.exp()) ** self.gamma) * log_right
