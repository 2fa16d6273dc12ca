"""From chains to rows: the estimate, its diagnostics, and the reasons not to trust it, if there are any."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from harness.measure.llc.chains import MOST_DISTANCE_RHAT, MOST_RHAT, Trace
from harness.measure.llc.engines import ENGINES, Engine, Task
from harness.measure.llc.potential import depth
from harness.measure.llc.spec import LLCSpec
from harness.measure.llc.table import LLCTable, long_traces
from harness.stats.convergence import growth, mean_precision, split_rhat

COLUMNS = {
    "llc": "the estimate, mean over chains and draws of nβ (L(w) − L(w*))",
    "llc_se": "its standard error, by the effective number of draws; over chains where there are too few draws",
    "rhat": "rank-normalised split R̂ of the losses, 1 where chains agree",
    "distance_rhat": "the same of the squared distances from w*, in which the slowest directions have the largest part",
    "effective_draws": "independent draws that those of all chains are worth, for the mean",
    "drift": "change from the first to the second half of the draws, relative to the estimate",
    "growth": "the same of the squared distances",
    "growth_se": "standard error of that",
    "displacement": "γ‖w − w*‖² per parameter of the chain that went furthest; above 1 the loss falls on the way out",
    "depth": "by how much descent from w* lowers nβ L + ½ γ ‖w − w*‖²: so much too low is the estimate where w* is no minimum",
    "acceptance": "mean Metropolis acceptance of the steps (SGLD: that they would have had)",
    "localization_sensitivity": "relative change at γ/10, where that was tried",
    "lr_sensitivity": "relative change at ε/3, where that was tried (SGLD)",
    "step_size": "h or ε, the mean over chains",
    "burn_in": "steps before the first draw",
    "draws": "draws of a chain",
    "initial_loss": "L(w*)",
    "gradient_norm": "‖∇L(w*)‖",
    "parameters": "how many moved",
    "nbeta": "nβ",
    "clearly_negative": "below 0 by more than two standard errors",
    "trusted": "nothing speaks against it, as the LLC at this γ; as the learning coefficient where γ/10 was tried",
    "distrust": "what does, in words",
}

# Thresholds of trust (docs/method/llc.md has what they let through among estimates whose truth is known).
LEAST_ACCEPTANCE = {"sgld": 0.9, "kinetic": 0.6}
LEAST_EFFECTIVE = 50
MOST_DRIFT, FAR_DRIFT = 0.10, 0.50  # up to the second, what chance makes is allowed for
CHANCE = 3.0  # standard errors
MOST_DEPTH = 0.10
MOST_SENSITIVITY = 0.15
MOST_ERROR = 0.10
TOGETHER = 2**19  # draws that are looked at together


def estimate(task: Task, spec: LLCSpec, engine: Engine, *, traces: bool = False) -> LLCTable:
    """Run the chains and their re-runs.

    Args:
        task: what is sampled.
        spec: the settings.
        engine: which engine runs the chains.
        traces: keep the chains; see :func:`harness.measure.llc.estimate.llc`.

    Returns:
        The table of :func:`harness.measure.llc.estimate.llc`, one row per model of the task.
    """
    found = ENGINES[engine](task, {"main": spec, **spec.reruns()})
    nbeta = spec.inverse_temperature(task.inputs.shape[-1])
    table = _rows(found["main"], spec.chains, nbeta)
    for role in ("localization_sensitivity", "lr_sensitivity"):
        table[role] = math.nan
        if role in found:
            again = _rows(found[role], spec.sensitivity_chains, nbeta)
            others = again["llc"].mask(np.array([_unsettled(row, spec) for row in again.to_dict("records")]))
            table[role] = (others - table["llc"]) / table["llc"].abs()
    table["parameters"] = task.program.layout.restrict(task.program.scopes[task.scope]).total
    table["displacement"] /= table["parameters"]
    table["depth"] = _depth(task, spec, nbeta)
    table["nbeta"] = nbeta
    table["clearly_negative"] = table["llc"] < -2 * table["llc_se"].fillna(0.0)
    table["distrust"] = [distrust(row, spec) for row in table.to_dict("records")]
    table["trusted"] = table["distrust"] == ""
    chains = [name for name in table.columns if str(name).startswith("chain_")]
    kept = LLCTable(table[["llc", "llc_se", *chains, *(name for name in COLUMNS if name not in ("llc", "llc_se"))]])
    kept.traces = long_traces(found["main"].losses, spec.chains) if traces else None
    return kept


def _rows(trace: Trace, chains: int, nbeta: float) -> pd.DataFrame:
    """A row for each model.  Models with equally many draws are evaluated together, as many at a time as memory allows."""
    values = {name: getattr(trace, name).double().cpu().numpy() for name in Trace.__dataclass_fields__}
    values = {name: value.reshape(-1, chains, *value.shape[1:]) for name, value in values.items()}
    draws = values["draws"][:, 0].astype(int)
    tables = []
    for count in np.unique(draws):
        alike, seen = np.flatnonzero(draws == count), max(int(count), 1)
        size = max(1, TOGETHER // (chains * seen))
        for models in (alike[first : first + size] for first in range(0, len(alike), size)):
            own = {name: value[models, :, :seen] if value.ndim == 3 else value[models] for name, value in values.items()}
            tables.append(_seen(own, nbeta).set_index(models))
    return pd.concat(tables).sort_index()


def _seen(own: Mapping[str, np.ndarray], nbeta: float) -> pd.DataFrame:
    """Diagnostics of models with equally many draws, from arrays of shape (model, chain) or (model, chain, draw)."""
    excess = nbeta * (own["losses"] - own["initial_loss"][:, :1, None])
    means, strains = excess.mean(2), own["strains"]
    with np.errstate(all="ignore"):  # chains that diverged
        effective, error = mean_precision(excess)
        distances, distances_se = growth(strains)
        return pd.DataFrame({
            "llc": means.mean(1), "llc_se": np.where(np.isnan(error), _between(means), error),
            **{f"chain_{number}": means[:, number] for number in range(means.shape[1])},
            "rhat": split_rhat(excess), "distance_rhat": split_rhat(strains), "effective_draws": effective,
            "drift": growth(excess)[0], "growth": distances, "growth_se": distances_se,
            "displacement": strains.mean(2).max(1),
            "acceptance": own["acceptance"].mean(1), "step_size": own["step_size"].mean(1),
            "burn_in": own["burn_in"][:, 0].astype(int), "draws": own["draws"][:, 0].astype(int),
            "initial_loss": own["initial_loss"][:, 0], "gradient_norm": own["gradient_norm"][:, 0],
        })  # fmt: skip


def _between(means: np.ndarray) -> np.ndarray:
    """Standard error from the differences between chains, where there are too few draws to tell it from those."""
    return means.std(1, ddof=1) / math.sqrt(means.shape[1]) if means.shape[1] > 1 else np.full(len(means), np.nan)


def _depth(task: Task, spec: LLCSpec, nbeta: float) -> np.ndarray:
    """See :func:`harness.measure.llc.potential.depth`; NaN with minibatches or γ = 0, where there is no one potential."""
    if not spec.descent or spec.batch_size is not None or spec.localization == 0:
        return np.full(len(task.theta), np.nan)
    return depth(
        task.program, task.theta, task.inputs, task.targets, scope=task.scope, nbeta=nbeta,
        localization=spec.localization, steps=spec.descent, loss=task.loss,
    ).numpy()  # fmt: skip


def distrust(row: Mapping[Hashable, Any], spec: LLCSpec) -> str:
    """Every reason not to believe an estimate, in words; empty if there is none."""
    if not math.isfinite(row["initial_loss"]):
        return f"the loss of the model itself is {row['initial_loss']}: its parameters or its data are not finite"
    chains = [value for name, value in row.items() if str(name).startswith("chain_")]
    if not all(map(math.isfinite, chains)):
        return "a chain diverged: its loss is not finite"
    if spec.sampler == "kinetic" and row["acceptance"] == 0:
        return "no step was accepted, so that the chains stayed where they began: the step size is too large"
    return "; ".join([*_of_the_place(row), *_of_the_chains(row), *_of_the_settings(row, spec)])


def _of_the_place(row: Mapping[Hashable, Any]) -> list[str]:
    """Whether there is an LLC at w*."""
    reasons = []
    if row["clearly_negative"]:
        reasons.append("the estimate is clearly negative: the model is not at a minimum of the sampled loss")
    if row["depth"] > MOST_DEPTH * abs(row["llc"]):
        share = row["depth"] / abs(row["llc"]) if row["llc"] else math.inf
        compared = f"{share:.0%} of the estimate" if share < 1 else "no less than the estimate"
        reasons.append(f"the model is not at a minimum: descent lowers the potential by {row['depth']:.2g}, {compared}, "
                       "which is too low by that")  # fmt: skip
    if row["displacement"] > furthest(row["parameters"]):
        reasons.append(f"a chain left: its squared distance from the model is {row['displacement']:.1f} times what "
                       "localisation alone allows, so that the loss falls on the way out")  # fmt: skip
    return reasons


def _of_the_chains(row: Mapping[Hashable, Any]) -> list[str]:
    """Whether the chains have settled, agree, and are long enough."""
    if not math.isfinite(row["drift"]):
        return ["the trace has a single draw, or the estimate is 0 to the last digit, so that no drift can be told"]
    reasons = []
    if not row["rhat"] <= MOST_RHAT:
        reasons.append(f"chains do not agree: R̂ is {row['rhat']:.2f}")
    if not row["distance_rhat"] <= MOST_DISTANCE_RHAT:
        reasons.append(f"chains have not been everywhere: R̂ of their distances from the model is {row['distance_rhat']:.2f}")
    if not row["effective_draws"] >= LEAST_EFFECTIVE:
        reasons.append(f"the draws are worth {row['effective_draws']:.0f} independent ones, fewer than {LEAST_EFFECTIVE}")
    relative = row["llc_se"] / abs(row["llc"]) if row["llc"] else math.inf
    if not relative <= MOST_ERROR:
        reasons.append(f"the standard error is {relative:.0%} of the estimate")
    errors = {"drift": 2 * relative, "growth": row["growth_se"]}
    for column, told in (("drift", "the trace"), ("growth", "the distance from the model")):
        if not abs(row[column]) < min(FAR_DRIFT, max(MOST_DRIFT, CHANCE * errors[column])):
            reasons.append(f"{told} drifts by {row[column]:+.0%}: burn-in is too short")
    return reasons


def _unsettled(row: Mapping[Hashable, Any], spec: LLCSpec) -> bool:
    """Whether a re-run is too short to tell anything; those of SGLD, whose trace is slow, are taken as they are."""
    return spec.sampler == "kinetic" and bool(_of_the_chains(row))


def _of_the_settings(row: Mapping[Hashable, Any], spec: LLCSpec) -> list[str]:
    """Whether other settings would have given the same."""
    least, reasons = LEAST_ACCEPTANCE[spec.sampler], []
    untried = "tells nothing: the re-run has not settled" if spec.sensitivity_chains else "was not tried"
    if math.isnan(row["acceptance"]):
        reasons.append("acceptance is not defined for minibatches, nor without a step between draws")
    elif not row["acceptance"] >= least:
        reasons.append(f"acceptance {row['acceptance']:.2f} is below {least}: the step is too large")
    tried = [("localization_sensitivity", "a tenth of γ", spec.sensitivity_chains > 0)]
    if spec.sampler == "sgld":
        tried.append(("lr_sensitivity", "a third of ε", True))
    for column, change, asked in tried:
        if asked and not abs(row[column]) < MOST_SENSITIVITY:
            told = f"changes it by {row[column]:+.0%}" if math.isfinite(row[column]) else untried
            reasons.append(f"{change} {told}")
    return reasons


def furthest(parameters: int) -> float:
    """Largest γ‖w − w*‖² per parameter of a chain that stays.

    Integrating by parts shows that in the stationary state its mean is 1 − nβ E[(w − w*)·∇L] / d, at most 1 if the loss does
    not fall on the way out.  That is the mean of χ²_d / d, whose standard deviation is √(2/d).  Four of them are allowed for,
    as if all draws were one.
    """
    return 1 + 4 * math.sqrt(2 / parameters)
