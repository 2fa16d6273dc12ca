"""Automatic settings of the LLC sampler: step size, burn-in and draws, at fixed γ and nβ.

A population is sampled with one setting, so that its members are comparable.  The search has two parts, both on pilot models
and on random streams of their own:

1. from the largest step down by √10 each time at most, short chains, until the MALA acceptance is at least 0.9;
2. the whole estimate with its re-runs, at first 250 + 250 steps: twice as long where the trace drifts or is too noisy, and a
   smaller step where acceptance falls as the chains spread out.  Where the re-runs at ε/3 agree on a change, they either have
   not relaxed yet, in a third of the time, or the step is too large: longer first, and a step smaller by √10 if that has not
   brought the change down by a third and the acceptance is below 0.95, as it is where steps are large.

A budget too small for the next trial is used up by a shorter one.

A step that is not accepted shrinks no further than it has to, since smaller steps take longer to spread out: what is missing
from an acceptance of 1 grows as ε^(3/2) (Roberts & Rosenthal 1998, doi 10.1111/1467-9868.00123).

What is asked has to hold for 95 % of the pilot models (all of them where there are fewer than twenty).  A change at γ/10 is
written down and not acted on: γ is part of what is estimated.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.measure.base import Models
from harness.measure.llc import estimate, prepare
from harness.measure.llc_engines import Task
from harness.measure.llc_spec import BUDGET, LEAST_ACCEPTANCE, MOST_DRIFT, MOST_SENSITIVITY, LLCSpec, Search, Trial
from harness.measure.sgld import Preconditioner
from harness.models import Loss

if TYPE_CHECKING:
    import pandas as pd

LARGEST_STEP = 1.0
SHRINK = math.sqrt(10)
AIMED_ACCEPTANCE = 0.975  # of a step that has been shrunk; at 0.95 the estimates of known truths are 3 % higher
STEADY_ACCEPTANCE = 0.95  # from here on a change at ε/3 is put down to re-runs that have not relaxed
SHARE = 0.95  # of the pilot models for which everything has to hold
SHORT = LLCSpec(chains=2, burn_in=100, draws=100, sensitivity_chains=0)
FIRST = 250  # steps of burn-in and draws in the first long trial
SMALLEST_STEP = 1e-12
LEAST_MORE = 1.25  # times the steps of the trial before: below that a last trial would tell little


def automatic(
    models: Models,
    inputs: np.ndarray | torch.Tensor,
    targets: np.ndarray | torch.Tensor,
    *,
    localization: float,
    nbeta: float | None = None,
    precision: float = 0.05,
    budget: int = BUDGET,
    chains: int = 4,
    sensitivity_chains: int = 1,
    preconditioner: Preconditioner = "none",
    loss: Loss = "cross_entropy",
    scope: str | None = None,
    pilots: int = 8,
    seed: int = 0,
    device: str = "cpu",
) -> LLCSpec:
    """Find step size, burn-in and draws for the full batch; equal for equal arguments.

    Args:
        models: see :func:`harness.measure.llc.llc`, as are inputs, targets, loss, scope and device.
        inputs: data.
        targets: targets.
        localization: γ.
        nbeta: inverse temperature nβ; None for n / ln n.
        precision: standard error over chains, relative to the estimate, that is asked for.
        budget: gradients that the search may take for each pilot model.
        chains: chains of a model.
        sensitivity_chains: chains of each re-run, 1 or more.
        preconditioner: "none" or "rmsprop".
        loss: the loss.
        scope: which parameters move.
        pilots: how many of the models the settings are tried on (the first).
        seed: names the random streams, which are not those of the estimate.
        device: "cpu" or "cuda".

    Returns:
        The settings, with the course of the search in ``search``; ``search.shortfall`` says what was not reached.

    Raises:
        ValueError: no step size is accepted, or there is nothing to try or no chain to try it with.
    """
    if pilots < 1 or sensitivity_chains < 1 or chains < 2:
        given = f"pilots={pilots}, sensitivity_chains={sensitivity_chains} and chains={chains}"
        raise ValueError(f"{given} leave nothing to choose by; at least 1, 1 and 2 are needed")
    task = prepare(models, inputs, targets, loss=loss, scope=scope, seed=seed, device=device)
    base = LLCSpec(localization=localization, nbeta=nbeta, chains=chains, sensitivity_chains=sensitivity_chains,
                   preconditioner=preconditioner)
    return search(task, base, precision=precision, budget=budget, pilots=pilots)


def search(task: Task, base: LLCSpec, *, precision: float = 0.05, budget: int = BUDGET, pilots: int = 8) -> LLCSpec:
    """See :func:`automatic`; ``base`` has what is fixed."""
    task = _pilot(task, pilots)
    seen = [_Seen(trial, spec) for trial, spec in _course(task, base, precision, budget)]
    last = seen[-1]
    found = Search(tuple(one.trial for one in seen), len(task.theta), precision, budget, _shortfall(last.trial))
    return replace(last.spec, search=found)


@dataclass(frozen=True)
class _Seen:
    trial: Trial
    spec: LLCSpec


def _pilot(task: Task, pilots: int) -> Task:
    """The first models alone, on random streams that no estimate uses."""
    inputs, targets = (data if len(data) == 1 else data[:pilots] for data in (task.inputs, task.targets))
    streams = [("automatic", *stream) for stream in task.streams[:pilots]]
    return replace(task, theta=task.theta[:pilots], inputs=inputs, targets=targets, streams=streams)


GOOD = "everything that was asked for holds"


def _course(task: Task, base: LLCSpec, precision: float, budget: int) -> Iterator[tuple[Trial, LLCSpec]]:
    """Trial after trial, until everything holds or the next one would exceed the budget."""
    spent, step_size = 0, LARGEST_STEP
    while True:
        spec = replace(base, step_size=step_size, chains=SHORT.chains, burn_in=SHORT.burn_in, draws=SHORT.draws,
                       sensitivity_chains=0)  # fmt: skip
        trial = _try(task, spec, precision)
        spent += trial.evaluations
        yield trial, replace(spec, chains=base.chains, sensitivity_chains=base.sensitivity_chains)
        if trial.acceptance >= LEAST_ACCEPTANCE:
            break
        step_size /= _shrink(trial.acceptance)
        if step_size < SMALLEST_STEP:
            raise ValueError(
                f"no step size down to {SMALLEST_STEP} is accepted: the loss, its gradient or a parameter is not finite, "
                f"or γ = {base.localization} and nβ are far beyond the scale of the loss"
            )
    spec = replace(base, step_size=step_size, burn_in=FIRST, draws=FIRST)
    previous: Trial | None = None
    while (fitting := _within(spec, previous, budget - spent)) is not None:
        previous = trial = _try(task, fitting, precision, previous)
        spent += trial.evaluations
        yield trial, fitting
        if trial.outcome == GOOD:
            return
        spec = _next(fitting, trial)


SMALLER, LONGER_BURN_IN, LONGER = "a smaller step", "longer burn-in and more draws", "more draws"


def _shrink(acceptance: float) -> float:
    """By how much a step with such an acceptance is divided for one of 0.975; √10 where that is not what was wrong with it."""
    if acceptance >= LEAST_ACCEPTANCE or not math.isfinite(acceptance):
        return SHRINK
    return float(min(SHRINK, ((1 - acceptance) / (1 - AIMED_ACCEPTANCE)) ** (2 / 3)))


def _next(spec: LLCSpec, trial: Trial) -> LLCSpec:
    outcome = trial.outcome
    if outcome.endswith(SMALLER):
        return replace(spec, step_size=spec.step_size / _shrink(trial.acceptance))
    longer = 2 if outcome.endswith(LONGER_BURN_IN) else 1
    return replace(spec, burn_in=longer * spec.burn_in, draws=2 * spec.draws)


def _within(spec: LLCSpec, previous: Trial | None, budget: int) -> LLCSpec | None:
    """The settings, shortened to what is left of the budget; None where that is hardly more than was tried before."""
    if _evaluations(spec) <= budget:
        return spec
    share = budget / _evaluations(spec)
    if previous is None or share * (spec.burn_in + spec.draws) < LEAST_MORE * (previous.burn_in + previous.draws):
        return None
    return replace(spec, burn_in=int(spec.burn_in * share), draws=int(spec.draws * share))


def _evaluations(spec: LLCSpec) -> int:
    """Gradients that one estimate takes for each model."""
    return (spec.chains + 2 * spec.sensitivity_chains) * (spec.burn_in + spec.draws)


def _try(task: Task, spec: LLCSpec, precision: float, previous: Trial | None = None) -> Trial:
    began = time.perf_counter()
    table = estimate(task, spec, "stacked")
    seconds = time.perf_counter() - began
    acceptance = _reached(table["mala_acceptance"])
    if not spec.sensitivity_chains:
        outcome = "accepted" if acceptance >= LEAST_ACCEPTANCE else f"acceptance {acceptance:.2f}: {SMALLER}"
        return Trial(spec.step_size, spec.burn_in, spec.draws, acceptance, None, None, None, None, _evaluations(spec),
                     seconds, outcome)  # fmt: skip
    drift, error = -_reached(-table["drift"].abs()), -_reached(-table["llc_se"] / table["llc"].abs())
    lr, localization = (float(table[name].mean()) for name in ("lr_sensitivity", "localization_sensitivity"))
    trial = Trial(spec.step_size, spec.burn_in, spec.draws, acceptance, drift, lr, localization, error, _evaluations(spec),
                  seconds, outcome="")  # fmt: skip
    single = -_reached(-table["lr_sensitivity"].abs())
    return replace(trial, outcome=_outcome(trial, drift, lr, single, error, precision, previous))


def _reached(values: pd.Series[float]) -> float:
    """What 95 % of the models reach; −∞ counts for a model without a value."""
    ordered = np.sort(np.nan_to_num(values.to_numpy(dtype=float), nan=-math.inf))
    return float(ordered[len(ordered) - math.ceil(SHARE * len(ordered))])


def _outcome(
    trial: Trial, drift: float, lr: float, single: float, error: float, precision: float, previous: Trial | None
) -> str:
    """What to change, and why; the first that applies.  ``single`` is the change at ε/3 that 95 % stay within."""
    if not trial.acceptance >= LEAST_ACCEPTANCE:
        return f"acceptance {trial.acceptance:.2f}: {SMALLER}"
    if not drift < MOST_DRIFT:
        return f"drift {drift:.0%}: {LONGER_BURN_IN}"
    if not abs(lr) < MOST_SENSITIVITY:
        before = previous.lr_sensitivity if previous is not None and previous.step_size == trial.step_size else None
        stays = before is not None and abs(lr) > abs(before) * 2 / 3 and trial.acceptance < STEADY_ACCEPTANCE
        return f"mean change of {lr:+.0%} at ε/3: {SMALLER if stays else LONGER_BURN_IN}"
    if not single < MOST_SENSITIVITY:
        return f"single changes of {single:.0%} at ε/3: {LONGER_BURN_IN}"
    if not error < precision:
        return f"standard error {error:.1%}: {LONGER}"
    return GOOD


def _shortfall(trial: Trial) -> str:
    return "" if trial.outcome == GOOD else f"the budget ended the search at: {trial.outcome}"
