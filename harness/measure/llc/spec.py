"""Settings of the samplers of the LLC, and the thresholds of trust."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from harness.recipe import describe, require
from harness.spec import is_real, is_whole

Sampler = Literal["kinetic", "sgld"]
Preconditioner = Literal["none", "rmsprop"]

# Settings that only one of the samplers has, with the values at which they are left alone.
OF_KINETIC: dict[str, Any] = {"friction": 1.0, "mass": None}
OF_SGLD: dict[str, Any] = {"batch_size": None, "preconditioner": "none", "initial_loss": "all"}
SGLD_STEP, SGLD_STEPS = 1e-4, 1000


@dataclass(frozen=True)
class LLCSpec:
    """Settings of the sampler; γ and nβ are part of what is estimated, the rest decides how well.

    As it stands, ``LLCSpec()`` needs no other setting: the kinetic sampler finds its step size, mass and friction in a burn-in
    of the length that γ asks for, and draws until the standard error is ``precision`` of the estimate or the budget is spent.

    Attributes:
        localization: γ, the pull back to w*.
        sampler: "kinetic", Metropolis-adjusted kinetic Langevin dynamics on the full batch
            (:mod:`harness.measure.llc.kinetic`), or "sgld", stochastic-gradient Langevin dynamics
            (:mod:`harness.measure.llc.sgld`), the sampler of devinterp.
        step_size: h of the kinetic sampler; None for one that is found in burn-in.  ε of SGLD; None for 1e-4.
        friction: of the kinetic sampler, in units of what it finds (1/√γ is the time in which a free direction turns around).
        mass: of the kinetic sampler: "adapted", a step for each coordinate, learned in burn-in; "unit"; or None for "adapted"
            if the step size is found and "unit" if it is given.
        chains: independent chains.
        burn_in: steps before the first draw; None for what is needed (kinetic) or 1,000 (SGLD).
        draws: steps whose loss is averaged; None for as many as the precision asks for (kinetic) or 1,000 (SGLD).
        precision: standard error, relative to the estimate, at which the draws end if their number is not given.
        budget: gradients of a chain, burn-in included, at which the draws end at the latest.
        descent: gradients of a descent from w*, on the full batch, that shows how far above a minimum it is; 0 leaves it out.
        batch_size: points of a minibatch (SGLD); None for the full batch.
        nbeta: inverse temperature; None for n / ln n, with n the number of points — of a minibatch where there is one.
        sensitivity_chains: chains of the re-runs that show the effect of the settings, at γ/10 and, with SGLD, at ε/3; 0 leaves
            them out.  Without a re-run at γ/10, ``trusted`` is about the LLC at this γ, not about the learning coefficient.
        preconditioner: of SGLD: "none", or "rmsprop": every coordinate has its own step, frozen at the end of burn-in.
        initial_loss: the data over which L(w*) is taken: "all", or "batch" (SGLD), the first minibatch of each chain, with the
            noise of one minibatch.
    """

    localization: float = 1.0
    step_size: float | None = None
    chains: int = 4
    burn_in: int | None = None
    draws: int | None = None
    batch_size: int | None = None
    nbeta: float | None = None
    sensitivity_chains: int = 0
    preconditioner: Preconditioner = "none"
    initial_loss: Literal["all", "batch"] = "all"
    sampler: Sampler = "kinetic"
    friction: float = 1.0
    mass: Literal["adapted", "unit"] | None = None
    precision: float = 0.05
    budget: int = 20_000
    descent: int = 200

    def __post_init__(self) -> None:
        require(self.sampler in ("kinetic", "sgld"), self, "sampler", "'kinetic' or 'sgld'")
        self._fill()
        lowest = "0 or more" if self.sampler == "sgld" else "above 0 (or any from 0 with sampler='sgld')"
        enough = is_real(self.localization) and (self.localization > 0 or (self.localization == 0 and self.sampler == "sgld"))
        require(enough, self, "localization", lowest)
        for name in ("step_size", "nbeta"):
            value = getattr(self, name)
            require(value is None or (is_real(value) and value > 0), self, name, "None or a number above 0")
        for name in ("friction", "precision"):
            require(is_real(getattr(self, name)) and getattr(self, name) > 0, self, name, "a number above 0")
        for name, least in (
            ("chains", 1),
            ("draws", 1),
            ("budget", 1),
            ("burn_in", 0),
            ("sensitivity_chains", 0),
            ("descent", 0),
        ):
            value = getattr(self, name)
            open_to = "None or a whole number" if name in ("draws", "burn_in") else "a whole number"
            left = value is None and name in ("draws", "burn_in")
            require(left or (is_whole(value) and value >= least), self, name, f"{open_to}, {least} or more")
        if self.sampler == "sgld":
            self._check_sgld()
        else:
            self._check_kinetic()

    def _fill(self) -> None:
        """Settings that follow from others."""
        if self.sampler == "sgld":
            follow: dict[str, Any] = {"step_size": SGLD_STEP, "burn_in": SGLD_STEPS, "draws": SGLD_STEPS}
        else:
            follow = {"mass": "adapted" if self.step_size is None else "unit"}
        for name, value in follow.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)

    def _check_sgld(self) -> None:
        for name, left in OF_KINETIC.items():
            require(getattr(self, name) == left, self, name, f"left out with sampler='sgld', which has no {name}")
        whole = self.batch_size is None or (is_whole(self.batch_size) and self.batch_size >= 2)
        require(whole, self, "batch_size", "None or a whole number, 2 or more")
        require(self.initial_loss in ("all", "batch"), self, "initial_loss", "'all' or 'batch'")
        require(self.preconditioner in ("none", "rmsprop"), self, "preconditioner", "'none' or 'rmsprop'")
        require(
            self.preconditioner == "none" or bool(self.burn_in), self, "burn_in",
            "1 or more with a preconditioner, which is learned in burn-in",
        )  # fmt: skip

    def _check_kinetic(self) -> None:
        for name, left in OF_SGLD.items():
            require(getattr(self, name) == left, self, name, f"left out, or used with sampler='sgld': the sampler 'kinetic', "
                    f"which is exact on the full batch, has no {name}")  # fmt: skip
        require(self.mass in ("adapted", "unit"), self, "mass", "'adapted' or 'unit'")
        require(self.mass == "unit" or self.step_size is None, self, "mass",
                "'unit' where the step size is given, since a step size has a meaning only with its mass")  # fmt: skip
        adapts = self.step_size is None
        require(not adapts or self.burn_in is None or self.burn_in >= 4, self, "burn_in",
                "None, or 4 or more where the step size is found in it")  # fmt: skip

    def describe(self) -> dict[str, Any]:
        """Canonical form of the settings, with only those that the sampler uses."""
        foreign = {*OF_KINETIC, "precision", "budget"} if self.sampler == "sgld" else set(OF_SGLD)
        if self.draws is not None and self.burn_in is not None:
            foreign |= {"precision", "budget"}
        if self.batch_size is not None:  # there is no one potential to descend on
            foreign.add("descent")
        names = [each.name for each in fields(self) if each.name not in foreign]
        return {"type": "LLCSpec"} | {name: describe(getattr(self, name)) for name in names}

    def inverse_temperature(self, points: int) -> float:
        """nβ for a data set of that many points.

        Raises:
            ValueError: there is a single point, for which n / ln n is undefined.
        """
        size = self.batch_size or points
        if self.nbeta is None and size < 2:
            raise ValueError("inputs hold a single point, for which nβ = n / ln n is undefined; give more, or LLCSpec(nbeta=…)")
        return self.nbeta if self.nbeta is not None else size / math.log(size)

    def reruns(self) -> dict[str, LLCSpec]:
        """The re-runs that show what no diagnostic within a run can show; empty if none are wanted."""
        if not self.sensitivity_chains:
            return {}
        again = replace(self, chains=self.sensitivity_chains, sensitivity_chains=0)
        found = {"localization_sensitivity": replace(again, localization=self.localization / 10)}
        if self.sampler == "sgld" and self.step_size is not None:
            found["lr_sensitivity"] = replace(again, step_size=self.step_size / 3)
        return found


def document_spec(batch_size: int) -> LLCSpec:
    """What devinterp did when the document on singular learning theory was written (0.2.2, August 2024).

    SGLD on minibatches of the training batch size b, nβ = b / ln b, 10 chains, 100 draws, no burn-in, the initial loss from
    one batch.  Step size and localization are not in the document; these are the library's examples' of that time.
    """
    return LLCSpec(
        localization=100.0,
        sampler="sgld",
        step_size=1e-4,
        chains=10,
        burn_in=0,
        draws=100,
        batch_size=batch_size,
        initial_loss="batch",
    )
