r"""The local learning coefficient (LLC), estimated by SGLD, with the diagnostics that say whether to believe it.

    λ̂(w*) = nβ (E[L(w)] − L(w*))

with the expectation over the tempered posterior localised at w* (Lau et al. 2023, doi 10.48550/arXiv.2308.12108, eq. 5).
Restricted to a layer, only that layer's parameters move and the loss stays the whole network's.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from harness.measure import training_points
from harness.measure.arguments import loss_targets, require_epochs, require_points, require_scopes, tensor_of
from harness.measure.base import Measurement, Models
from harness.measure.door import enter
from harness.measure.llc_engines import DEFAULT, ENGINES, Engine, Task
from harness.measure.llc_spec import LEAST_ACCEPTANCE, MOST_DRIFT, MOST_SENSITIVITY, LLCSpec, document_spec
from harness.measure.sgld import Trace
from harness.models import Loss, encode
from harness.models.given import Output
from harness.models.mixed import BinaryProgram
from harness.population import Population
from harness.recipe import require

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset
    from harness.measure.llc_table import LLCTable

__all__ = ["ENGINES", "LLC", "LLCSpec", "document_spec", "llc"]


def llc(
    models: Models,
    inputs: np.ndarray | torch.Tensor,
    targets: np.ndarray | torch.Tensor,
    *,
    loss: Loss = "cross_entropy",
    spec: LLCSpec | None = None,
    scope: str | None = None,
    seed: int = 0,
    engine: Engine = DEFAULT,
    device: str = "cpu",
    output: Output | None = None,
    traces: bool = False,
) -> LLCTable:
    """Estimate the local learning coefficient of every model.

    Args:
        models: one ``nn.Module``, a list of modules with the same parameters, or a Population (its last epoch).
        inputs: data, shape (point, *input), or (model, point, *input) where every model has its own; whole numbers stay whole
            for a network that takes them (token ids).
        targets: class numbers, shape (point,) or (model, point), of a network with a single output 0 or 1 (then the
            cross-entropy is the logistic loss); or values (with "cross_entropy" the probabilities of the classes), shape
            (point, output) or (model, point, output), of a single output (point,), too.
        loss: "cross_entropy", "mse" (half the squared distance) or a callable of (logits (row, point, class), targets
            (row, point, class)) that returns one loss per point, shape (row, point).
        spec: settings of the sampler.
        scope: None for all parameters that are not frozen (``requires_grad``), or one of the program's scopes ("input",
            "hidden", "output", a layer, a parameter), which moves what it names, frozen or not.
        seed: names the random streams; every model and chain has its own.
        engine: "stacked" (ours) or "devinterp" (version 1.3.2, the reference).
        device: "cpu" or "cuda".
        output: makes the outputs, shape (point, class), of what a module returns; None where it returns them.
        traces: keep the chains, as the attribute ``traces`` of the table: a table with columns model, chain, draw and loss.

    Returns:
        One row per model, in a table that draws itself (:class:`harness.measure.llc_table.LLCTable`), with columns llc, llc_se
        (standard error over chains), chain_0 … (each chain's estimate),
        mala_acceptance, drift (change from the first to the second half of the draws, relative to the estimate),
        localization_sensitivity and lr_sensitivity (relative change at γ/10 and at ε/3), displacement (of the chain that
        went furthest: γ‖w − w*‖² per parameter, above 1 where the loss falls on the way out), initial_loss, gradient_norm,
        parameters (how many moved), nbeta, clearly_negative (by more than two standard errors), trusted, and distrust (why
        not, in words).

    Raises:
        ValueError: no such scope, loss or engine, inputs and targets that do not fit each other, or a model that cannot be run
            as it is (:mod:`harness.measure.door`).
    """
    if engine not in ENGINES:
        raise ValueError(f"engine {engine!r} is unknown; allowed are {', '.join(map(repr, ENGINES))}")
    task = prepare(models, inputs, targets, loss=loss, scope=scope, seed=seed, device=device, output=output)
    return estimate(task, spec or LLCSpec(), engine, traces=traces)


def prepare(
    models: Models,
    inputs: np.ndarray | torch.Tensor,
    targets: np.ndarray | torch.Tensor,
    *,
    loss: Loss,
    scope: str | None,
    seed: int,
    device: str,
    output: Output | None = None,
) -> Task:
    """What the arguments of :func:`llc` ask to be sampled."""
    x, y = tensor_of(inputs, "inputs"), tensor_of(targets, "targets")
    count = len(models) if isinstance(models, Population | Sequence) else 1
    per_model = y.dim() == (3 if y.is_floating_point() else 2) and y.shape[:2] == x.shape[:2] and len(y) == count
    entered = enter(models, x, output=output, need="parameters", per_model=per_model)
    program, theta = entered.program, entered.theta
    y = loss_targets(y, tuple(x.shape[: 1 + per_model]), program, loss)
    if program.classes == 1 and loss == "cross_entropy":
        program = BinaryProgram(program)
    x, y = (entered.inputs, y) if per_model else (entered.inputs[None], y[None])
    x = x.movedim(1, -1).contiguous().to(device)
    streams: list[tuple[str | int, ...]] = (
        [(models.recipe.key, models.epochs[-1], seed, own) for own in models.seeds]
        if isinstance(models, Population)
        else [("models", seed, number) for number in range(len(theta))]
    )
    scope = scope or "all"
    if scope not in program.scopes:
        raise ValueError(f"scope {scope!r} is unknown; this network has {', '.join(map(repr, program.scopes))}")
    if not program.scopes[scope]:
        named = ", ".join(repr(name) for name, own in program.scopes.items() if own)
        raise ValueError(
            f"scope {scope!r} has no parameter that moves: all are frozen (requires_grad=False); free some, or name one of the "
            f"scopes {named}"
        )
    y = encode(y.to(device), program.classes)
    return Task(program, theta.to(device), x, y.to(theta.dtype), loss, scope, [(scope, *stream) for stream in streams])


def estimate(task: Task, spec: LLCSpec, engine: Engine, *, traces: bool = False) -> LLCTable:
    """Run the chains and their re-runs; the table of :func:`llc`, one row per model of the task."""
    from harness.measure.llc_table import LLCTable, long_traces

    found = ENGINES[engine](task, {"main": spec, **spec.reruns()})
    table = LLCTable(_table(task, spec, found))
    table.traces = long_traces(found["main"].losses, spec.chains) if traces else None
    return table


def _table(task: Task, spec: LLCSpec, traces: dict[str, Trace]) -> pd.DataFrame:
    import pandas as pd

    nbeta = spec.inverse_temperature(task.inputs.shape[-1])
    main = _by_model(traces["main"], spec.chains)
    excess = nbeta * (main.losses.double() - main.initial_loss[:, :1, None].double()).cpu().numpy()
    chains = excess.mean(2)
    estimate = chains.mean(1)
    half = excess.shape[2] // 2
    with np.errstate(all="ignore"):  # a chain that diverged
        drift = (excess[:, :, half:].mean((1, 2)) - excess[:, :, :half].mean((1, 2))) if half else np.full(len(chains), np.nan)
        columns = {
            "llc": estimate,
            "llc_se": chains.std(1, ddof=1) / math.sqrt(spec.chains) if spec.chains > 1 else np.full(len(chains), np.nan),
            **{f"chain_{number}": chains[:, number] for number in range(spec.chains)},
            "mala_acceptance": main.acceptance.mean(1).double().cpu().numpy(),
            "drift": drift / np.abs(estimate),
        }
        for role in ("localization_sensitivity", "lr_sensitivity"):
            columns[role] = np.full(len(chains), np.nan)
            if role in traces:
                again = _by_model(traces[role], spec.sensitivity_chains)
                other = nbeta * (again.losses.double().mean((1, 2)) - again.initial_loss[:, 0].double()).cpu().numpy()
                columns[role] = (other - estimate) / np.abs(estimate)
    table = pd.DataFrame(columns)
    table["displacement"] = main.displacement.amax(1).double().cpu().numpy()
    table["initial_loss"] = main.initial_loss[:, 0].double().cpu().numpy()
    table["gradient_norm"] = main.gradient_norm[:, 0].double().cpu().numpy()
    table["parameters"] = task.program.layout.restrict(task.program.scopes[task.scope]).total
    table["nbeta"] = nbeta
    table["clearly_negative"] = table["llc"] < -2 * table["llc_se"].fillna(0.0)
    table["distrust"] = [_distrust(row) for row in table.to_dict("records")]
    table["trusted"] = table["distrust"] == ""
    return table


def _by_model(trace: Trace, chains: int) -> Trace:
    """Rows (model × chain, …) as (model, chain, …)."""
    return Trace(*(getattr(trace, name).unflatten(0, (-1, chains)) for name in Trace.__dataclass_fields__))


def _distrust(row: Mapping[Hashable, Any]) -> str:
    """Every reason not to believe an estimate, in words; empty where there is none."""
    if not math.isfinite(row["initial_loss"]):
        return f"the loss of the model itself is {row['initial_loss']}: its parameters or its data are not finite"
    chains = [value for name, value in row.items() if str(name).startswith("chain_")]
    if not all(map(math.isfinite, chains)):
        return "a chain diverged: its loss is not finite"
    reasons = []
    if row["clearly_negative"]:
        reasons.append("the estimate is clearly negative: the model is not at a minimum of the sampled loss")
    if row["displacement"] > furthest(row["parameters"]):
        reasons.append(f"a chain left: its squared distance from the model is {row['displacement']:.1f} times what "
                       "localisation alone allows, so that the loss falls on the way out")
    if math.isnan(row["mala_acceptance"]):
        reasons.append("MALA acceptance is not defined for minibatches, nor without a step between draws")
    elif not row["mala_acceptance"] >= LEAST_ACCEPTANCE:
        reasons.append(f"MALA acceptance {row['mala_acceptance']:.2f} is below {LEAST_ACCEPTANCE}: the step is too large")
    if not abs(row["drift"]) < MOST_DRIFT:
        told = f"drifts by {row['drift']:+.0%}: burn-in is too short" if math.isfinite(row["drift"]) else "has a single draw"
        reasons.append(f"the trace {told}")
    for column, change in (("localization_sensitivity", "a tenth of γ"), ("lr_sensitivity", "a third of ε")):
        if not abs(row[column]) < MOST_SENSITIVITY:
            told = f"changes it by {row[column]:+.0%}" if math.isfinite(row[column]) else "was not tried"
            reasons.append(f"{change} {told}")
    return "; ".join(reasons)


def furthest(parameters: int) -> float:
    """Largest γ‖w − w*‖² per parameter of a chain that stays.

    Where the loss does not fall on the way out, its mean is at most 1 (:attr:`Trace.displacement`): that of χ²_d / d, whose
    standard deviation is √(2/d).  Four of them are allowed for, as if all draws were one.
    """
    return 1 + 4 * math.sqrt(2 / parameters)


@dataclass(frozen=True)
class LLC(Measurement):
    """The LLC of every member on the first points of its training data, by scope; one row per member × epoch × scope.

    Attributes:
        spec: settings of the sampler.
        scopes: which of the network's scopes; those that an architecture does not have are left out.
        points: how many training points the loss is taken over (the first of the data set, which is shuffled).
        epochs: "final" or "all".
        engine: "stacked" or "devinterp"; None for the harness's own (``--llc-engine``), and outside of a store "stacked".
        seed: names the random streams.
        distribution: "clean", or "training": the points that each network was trained on, some or all of them replaced by
            adversarial examples; see :func:`harness.measure.training_points.training_points`.
    """

    spec: LLCSpec = field(default_factory=LLCSpec)
    scopes: tuple[str, ...] = ("all",)
    points: int = 1024
    epochs: str = "final"
    engine: Engine | None = None
    seed: int = 0
    distribution: Literal["clean", "training"] = "clean"

    def __post_init__(self) -> None:
        require(self.distribution in ("clean", "training"), self, "distribution", "'clean' or 'training'")
        require_epochs(self)

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "LLC"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        import pandas as pd

        require_points(self.points, len(data.train_x), f"training points of {data.name}")
        scopes = require_scopes(self, population.program.scopes, self.scopes)
        clean = data.train_x[: self.points], data.train_y[: self.points]
        epochs: Sequence[int] = population.epochs if self.epochs == "all" else population.epochs[-1:]
        tables = []
        for epoch in epochs:
            at = Population(population.recipe, population.seeds, {epoch: population.parameters[epoch]})
            x, y = clean if self.distribution == "clean" else training_points.training_points(at, data, self.points, self.seed)
            for scope in scopes:
                engine = self.engine or DEFAULT
                table = llc(at, x, y, spec=self.spec, scope=scope, seed=self.seed, engine=engine, device=device)
                tables.append(pd.DataFrame(table).assign(seed=population.seeds, epoch=epoch, scope=scope))
        return pd.concat(tables, ignore_index=True)
