"""Settings of the LLC sampler, how they were found where they were searched for, and the thresholds of trust."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from harness.recipe import describe, require

if TYPE_CHECKING:
    import numpy as np
    import torch

    from harness.measure.base import Models
    from harness.measure.sgld import Preconditioner

# Thresholds of trust, found on 2,400 estimates with known truth (docs/method.md): of those that passed, 0.7 % were off by
# more than a quarter.
LEAST_ACCEPTANCE = 0.9
MOST_DRIFT = 0.10
MOST_SENSITIVITY = 0.15
BUDGET = 600_000  # gradients that a search for settings may take for each pilot model


@dataclass(frozen=True)
class Trial:
    """One setting that the automatic search has tried on the pilot models.

    Attributes:
        step_size: ε.
        burn_in: steps before the first draw.
        draws: steps whose loss is averaged.
        acceptance: MALA acceptance that 95 % of the models reach.
        drift: |drift| that 95 % of the models stay within; None where it was not looked at.
        lr_sensitivity: mean change at ε/3, signed; None where it was not looked at.
        localization_sensitivity: mean change at γ/10, signed; None where it was not looked at.
        error: standard error over chains, relative to the estimate, that 95 % of the models stay within; None likewise.
        evaluations: gradients taken, for each model.
        seconds: what it took.
        outcome: what followed from it, in words.
    """

    step_size: float
    burn_in: int
    draws: int
    acceptance: float
    drift: float | None
    lr_sensitivity: float | None
    localization_sensitivity: float | None
    error: float | None
    evaluations: int
    seconds: float = field(compare=False)
    outcome: str


@dataclass(frozen=True)
class Search:
    """How automatic settings were found, and what that cost.

    Attributes:
        trials: what was tried, in order; the last is what was chosen, unless the budget ended the search.
        models: pilot models that it was tried on.
        precision: relative standard error that was asked for.
        budget: gradients a model that the search was allowed.
        shortfall: what was asked for and not reached, in words; empty where everything was.
    """

    trials: tuple[Trial, ...]
    models: int
    precision: float
    budget: int
    shortfall: str

    @property
    def evaluations(self) -> int:
        """Gradients taken, for each pilot model."""
        return sum(trial.evaluations for trial in self.trials)

    @property
    def seconds(self) -> float:
        """What the search took."""
        return sum(trial.seconds for trial in self.trials)


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
        preconditioner: "none", or "rmsprop": every coordinate has its own step, frozen at the end of burn-in; see
            :mod:`harness.measure.sgld`.
        initial_loss: the data over which L(w*) is taken: "all", or "batch", the first minibatch of each chain, which is as
            noisy as one minibatch is.  At "all" it is left out of the canonical form.
        search: how the settings were found, where :meth:`auto` found them; it is no part of what is measured.
    """

    localization: float = 1.0
    step_size: float = 1e-4
    chains: int = 4
    burn_in: int = 1000
    draws: int = 1000
    batch_size: int | None = None
    nbeta: float | None = None
    sensitivity_chains: int = 1
    preconditioner: Preconditioner = "none"
    initial_loss: Literal["all", "batch"] = "all"
    search: Search | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        require(self.localization >= 0, self, "localization", "0 or more")
        require(self.step_size > 0, self, "step_size", "above 0")
        for name in ("chains", "draws"):
            require(getattr(self, name) >= 1, self, name, "1 or more")
        for name in ("burn_in", "sensitivity_chains"):
            require(getattr(self, name) >= 0, self, name, "0 or more")
        require(self.batch_size is None or self.batch_size >= 2, self, "batch_size", "None or 2 or more")
        require(self.nbeta is None or self.nbeta > 0, self, "nbeta", "None or above 0")
        require(self.initial_loss in ("all", "batch"), self, "initial_loss", "'all' or 'batch'")
        require(self.preconditioner in ("none", "rmsprop"), self, "preconditioner", "'none' or 'rmsprop'")
        require(
            self.preconditioner == "none" or self.burn_in >= 1, self, "burn_in",
            "1 or more with a preconditioner, which is learned in burn-in",
        )  # fmt: skip

    def describe(self) -> dict[str, Any]:
        """Canonical form of the settings, without how they were found."""
        left_out = {"search"} | ({"initial_loss"} if self.initial_loss == "all" else set())
        names = [f.name for f in fields(self) if f.name not in left_out]
        return {"type": "LLCSpec"} | {name: describe(getattr(self, name)) for name in names}

    @classmethod
    def auto(
        cls, models: Models, inputs: np.ndarray | torch.Tensor, targets: np.ndarray | torch.Tensor, *,
        localization: float, nbeta: float | None = None, precision: float = 0.05, budget: int = BUDGET, **options: Any,
    ) -> LLCSpec:
        """Find step size, burn-in and draws at this γ and nβ; one setting for all models, so that they are comparable.

        See :func:`harness.measure.llc_auto.automatic`, which takes the same arguments and lists the options.
        """
        from harness.measure.llc_auto import automatic

        return automatic(models, inputs, targets, localization=localization, nbeta=nbeta, precision=precision,
                         budget=budget, **options)

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
                   sensitivity_chains=0, initial_loss="batch")
