r"""The local learning coefficient (LLC), with the diagnostics that say whether to believe it.

    λ̂(w*) = nβ (E[L(w)] − L(w*))

with the expectation over the tempered posterior localised at w* (Lau et al. 2023, doi 10.48550/arXiv.2308.12108, eq. 5).
Restricted to a layer, only that layer's parameters move and the loss stays the whole network's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.device import memory_limit
from harness.measure.arguments import require_epochs, require_points, require_scopes, tensor_of
from harness.measure.base import Measurement, Models, resolved
from harness.measure.door import enter
from harness.measure.llc.engines import DEFAULT, ENGINES, Engine, Task, able
from harness.measure.llc.rows import estimate
from harness.measure.llc.spec import LLCSpec, document_spec
from harness.measure.targets import loss_targets
from harness.networks import Loss, encode
from harness.networks.callers import as_called, instrument, own_type
from harness.networks.combined import BinaryProgram
from harness.networks.given import Output
from harness.population import Population
from harness.progress import part, parts, under_way

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset
    from harness.measure.llc.table import LLCTable

_COPIES = 4  # of a population's points while its stack is put together: the data's, two of its own task, and the stack's

__all__ = ["ENGINES", "LLC", "LLCSpec", "document_spec", "estimate", "llc"]


@instrument
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
        inputs: data, shape (point, *input), or (model, point, *input) if every model has its own; integers stay integers for a
            network that takes them (token ids).
        targets: class numbers, shape (point,) or (model, point), 0 or 1 for a network with a single output (where the
            cross-entropy is the logistic loss); or values (with "cross_entropy", the probabilities of the classes), shape
            (point, output) or (model, point, output), for a single output also (point,).
        loss: "cross_entropy", "mse" (half the squared distance) or a callable of (logits (row, point, class), targets
            (row, point, class)) that returns one loss per point, shape (row, point).
        spec: settings of the sampler.
        scope: None for all parameters that are not frozen (``requires_grad``), or one of the program's scopes ("input",
            "hidden", "output", a layer, a parameter), which moves what it names, frozen or not.
        seed: names the random streams; every model and chain has its own.
        engine: "stacked" (ours) or "devinterp" (version 1.3.2, the reference).
        device: "cpu" or "cuda".
        output: turns what a module returns into outputs of shape (point, class); None if it returns them itself.
        traces: keep the chains, as the attribute ``traces`` of the table: a table with columns model, chain, draw and loss.

    Returns:
        One row per model, in a table that draws itself (:class:`harness.measure.llc.table.LLCTable`), with the columns of
        :data:`harness.measure.llc.rows.COLUMNS`, and chain_0 … (each chain's estimate).

    Raises:
        ValueError: there is no such scope, loss or engine, inputs and targets do not fit each other, or a model cannot be run
            as it is (:mod:`harness.measure.door`).
    """
    _require_engine(engine)
    chosen = spec_of(spec)
    task = prepare(models, inputs, targets, loss=loss, scope=scope, seed=seed, device=device, output=output)
    with under_way("LLC", len(task.theta), "models"):
        return estimate(task, chosen, engine, traces=traces)


def _require_engine(engine: str) -> None:
    if engine not in ENGINES:
        raise ValueError(f"engine {engine!r} is unknown; allowed are {', '.join(map(repr, ENGINES))}")
    if engine == "devinterp" and (own := own_type()) is not None:
        raise ValueError(f"torch's default type is {own}, but devinterp samples in torch.float32 only: set it back with "
                         "torch.set_default_dtype(torch.float32), or use engine='stacked'")  # fmt: skip


def spec_of(spec: LLCSpec | None) -> LLCSpec:
    """The settings that are given, or the default ones.

    Raises:
        ValueError: they are not an LLCSpec.
    """
    if not isinstance(spec := LLCSpec() if spec is None else spec, LLCSpec):
        raise ValueError(f"spec is {spec!r}; it has to be an LLCSpec, or None for LLCSpec()")
    return spec


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
    """The sampling task that the arguments of :func:`llc` describe."""
    device, loss = resolved(device), as_called(loss) if callable(loss) else loss
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
        [(models.recipe.drawn_key, models.epochs[-1], seed, own) for own in models.seeds]
        if isinstance(models, Population)
        else [("models", seed, number) for number in range(len(theta))]
    )
    scope = "all" if scope is None else scope
    if not isinstance(scope, str) or scope not in program.scopes:
        raise ValueError(f"scope {scope!r} is unknown; this network has {', '.join(map(repr, program.scopes))}")
    if not program.scopes[scope]:
        named = ", ".join(repr(name) for name, own in program.scopes.items() if own)
        raise ValueError(
            f"scope {scope!r} has no parameter to sample: all are frozen (requires_grad=False); free some, or name one of the "
            f"scopes {named}"
        )
    y = encode(y.to(device), program.classes)
    return Task(program, theta.to(device), x, y.to(theta.dtype), loss, scope, [(scope, *stream) for stream in streams])


@dataclass(frozen=True)
class LLC(Measurement):
    """The LLC of every member on the first points of its training data, by scope; one row per member × epoch × scope.

    Attributes:
        spec: settings of the sampler.
        scopes: which of the network's scopes; those that an architecture does not have are left out.
        points: how many training points the loss is taken over (the first of the data set, which is shuffled).
        epochs: "final" or "all".
        engine: "stacked" or "devinterp"; None for the harness's own (``--claims-llc-engine``), or outside a store "stacked".
        seed: names the random streams.
    """

    spec: LLCSpec = field(default_factory=LLCSpec)
    scopes: tuple[str, ...] = ("all",)
    points: int = 1024
    epochs: str = "final"
    engine: Engine | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        require_epochs(self)

    @property
    def engines(self) -> tuple[Engine, ...]:
        """The engines that its sampler runs on: devinterp has only SGLD."""
        return able(self.spec)

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "LLC"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        return self._together([(population, data)], device)

    def run_each(self, seen: Sequence[Callable[[], tuple[Population, Dataset]]], device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run_each`; as many populations as memory holds the points of are one stack."""
        import pandas as pd

        tables: list[pd.DataFrame] = []
        some: list[tuple[Population, Dataset]] = []

        def measured(end: int) -> None:
            with part((end - len(some)) / len(seen), end / len(seen)):
                tables.append(self._together(some, device))

        for number, make in enumerate(seen):
            with part((number - len(some)) / len(seen), (number - len(some)) / len(seen)):  # points take little, chains all
                population, data = make()
            x = data.train_x[: self.points]
            fits = (len(some) + 1) * _COPIES * x.nbytes <= memory_limit(device)
            alike = some and population.recipe == some[0][0].recipe and x.shape == some[0][1].train_x[: self.points].shape
            if some and not (fits and alike):
                measured(number)
                some.clear()
            some.append((population, data))
        measured(len(seen))
        return pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]

    def _together(self, seen: Sequence[tuple[Population, Dataset]], device: str) -> pd.DataFrame:
        """Populations of one recipe, each on data of its own, at all epochs that are asked for."""
        import pandas as pd

        for _, data in seen:
            require_points(self.points, len(data.train_x), f"training points of {data.name}")
        scopes = require_scopes(self, seen[0][0].program.scopes, self.scopes)
        at = [
            (Population(each.recipe, each.seeds, {epoch: each.parameters[epoch]}), data)
            for each, data in seen for epoch in (each.epochs if self.epochs == "all" else each.epochs[-1:])
        ]  # fmt: skip
        found: dict[tuple[int, str], pd.DataFrame] = {}
        for scope in parts(scopes):
            # All epochs are one stack: short chains of small networks spend their time on calls, not in them.
            table, begin = pd.DataFrame(self._of(at, scope, device)), 0
            for place, (each, _) in enumerate(at):
                own = table.iloc[begin : begin + len(each)]
                found[place, scope] = own.assign(seed=each.seeds, epoch=each.epochs[-1], scope=scope)
                begin += len(each)
        return pd.concat([found[place, scope] for place in range(len(at)) for scope in scopes], ignore_index=True)

    @instrument
    def _of(self, at: Sequence[tuple[Population, Dataset]], scope: str, device: str) -> LLCTable:
        """:func:`llc` of several populations of one recipe in one stack, one after the other."""
        engine = self.engine or DEFAULT
        _require_engine(engine)
        tasks = [
            prepare(
                each, data.train_x[: self.points], data.train_y[: self.points], loss="cross_entropy", scope=scope,
                seed=self.seed, device=device,
            )
            for each, data in at
        ]  # fmt: skip
        task = replace(
            tasks[0], theta=torch.cat([each.theta for each in tasks]), streams=[own for each in tasks for own in each.streams]
        )
        if any(data is not at[0][1] for _, data in at):
            task = replace(
                task, inputs=torch.cat([each.inputs.expand(len(each.theta), *each.inputs.shape[1:]) for each in tasks]),
                targets=torch.cat([each.targets.expand(len(each.theta), *each.targets.shape[1:]) for each in tasks]),
            )  # fmt: skip
        with under_way("LLC", len(task.theta), "models"):
            return estimate(task, spec_of(self.spec), engine)
