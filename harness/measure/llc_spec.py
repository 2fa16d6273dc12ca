"""Settings of the LLC sampler, and the thresholds of trust."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from harness.recipe import require

# Thresholds of trust, found on 2,400 estimates with known truth (docs/method.md): of those that passed, 0.7 % were off by
# more than a quarter.
LEAST_ACCEPTANCE = 0.9
MOST_DRIFT = 0.10
MOST_SENSITIVITY = 0.15


@dataclass(frozen=True)
class LLCSpec:
    """Settings of the sampler; γ and nβ are part of what is estimated, the rest decides how well.

    Attributes:
        localization: γ, the pull back to w*.
        step_size: ε.
        chains: independent chains.
        burn_in: steps before the first draw.
        draws: steps whose loss is averaged.
        batch_size: points of a minibatch; None for the full batch.
        nbeta: inverse temperature; None for n / ln n, with n the number of points — of a minibatch where there is one.
        sensitivity_chains: chains of the two re-runs, at γ/10 and at ε/3; 0 leaves them out, and nothing is trusted then.
    """

    localization: float = 1.0
    step_size: float = 1e-4
    chains: int = 4
    burn_in: int = 1000
    draws: int = 1000
    batch_size: int | None = None
    nbeta: float | None = None
    sensitivity_chains: int = 1

    def __post_init__(self) -> None:
        require(self.localization >= 0, self, "localization", "0 or more")
        require(self.step_size > 0, self, "step_size", "above 0")
        for name in ("chains", "draws"):
            require(getattr(self, name) >= 1, self, name, "1 or more")
        for name in ("burn_in", "sensitivity_chains"):
            require(getattr(self, name) >= 0, self, name, "0 or more")
        require(self.batch_size is None or self.batch_size >= 2, self, "batch_size", "None or 2 or more")
        require(self.nbeta is None or self.nbeta > 0, self, "nbeta", "None or above 0")

    def inverse_temperature(self, points: int) -> float:
        """nβ for a data set of that many points."""
        size = self.batch_size or points
        return self.nbeta if self.nbeta is not None else size / math.log(size)

    def reruns(self) -> dict[str, LLCSpec]:
        """The two re-runs that show a bias which no diagnostic within a run shows; empty where none are wanted."""
        if not self.sensitivity_chains:
            return {}
        again = replace(self, chains=self.sensitivity_chains)
        return {
            "localization_sensitivity": replace(again, localization=self.localization / 10),
            "lr_sensitivity": replace(again, step_size=self.step_size / 3),
        }


def document_spec(batch_size: int) -> LLCSpec:
    """What devinterp did when the document on singular learning theory was written (0.2.2, August 2024).

    SGLD on minibatches of the training batch size b, nβ = b / ln b, 10 chains, 100 draws, no burn-in, the initial loss from
    one batch.  Step size and localization are not in the document; these are the library's examples' of that time.
    """
    return LLCSpec(localization=100.0, step_size=1e-4, chains=10, burn_in=0, draws=100, batch_size=batch_size,
                   sensitivity_chains=0)
