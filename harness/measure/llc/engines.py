"""The engines that can run the chains of an LLC estimate: our stacked sampler, and devinterp 1.3.2 as the reference.

Both get the same models, data, settings and scope, and return the same kind of trace; their random numbers differ.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

import numpy as np
import torch

from harness.measure.llc import kinetic
from harness.measure.llc.chains import Trace
from harness.measure.llc.sgld import Chains, langevin_acceptance, sample
from harness.measure.llc.spec import LLCSpec
from harness.networks import Loss, Program, loss_and_pull
from harness.progress import parts
from harness.streams import sequence, torch_generator

Engine = Literal["stacked", "devinterp"]
DEFAULT: Engine = "stacked"


@dataclass(frozen=True)
class Task:
    """What is sampled.

    Attributes:
        program: the models' program.
        theta: their flat parameters w*, shape (model, parameter).
        inputs: data, shape (model or 1, *input, point).
        targets: encoded targets, shape (model or 1, class, point).
        loss: see :func:`harness.networks.losses.loss_and_pull`.
        scope: which parameters move.
        streams: name of each model's random streams.
    """

    program: Program
    theta: torch.Tensor
    inputs: torch.Tensor
    targets: torch.Tensor
    loss: Loss
    scope: str
    streams: Sequence[tuple[str | int, ...]]

    def data(self, model: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs (*input, point) and targets (class, point) of one model."""
        shared = len(self.inputs) == 1
        return self.inputs[0 if shared else model], self.targets[0 if shared else model]


def run_stacked(task: Task, variants: Mapping[str, LLCSpec]) -> dict[str, Trace]:
    """All chains of all models, one role after the other, with the sampler that the settings name."""
    samplers = {"kinetic": _kinetic, "sgld": _sgld}
    return {role: samplers[spec.sampler](task, role, spec) for role, spec in parts([*variants.items()])}


def _streams(task: Task, role: str, spec: LLCSpec) -> list[list[Callable[[], torch.Generator]]]:
    """The random stream of every chain of every model."""
    purpose, device = spec.sampler, task.theta.device.type
    return [[partial(torch_generator, purpose, role, *own, chain, device=device) for chain in range(spec.chains)]
            for own in task.streams]  # fmt: skip


def _kinetic(task: Task, role: str, spec: LLCSpec) -> Trace:
    return kinetic.sample(
        task.program, task.theta, task.inputs, task.targets, _streams(task, role, spec), spec, scope=task.scope, loss=task.loss
    )


def _sgld(task: Task, role: str, spec: LLCSpec) -> Trace:
    step_size, burn_in, draws = (cast("float", value) for value in (spec.step_size, spec.burn_in, spec.draws))
    rows = len(task.theta) * spec.chains
    chains = Chains(
        task.theta, task.theta.new_full((rows,), step_size), task.theta.new_full((rows,), spec.localization),
        [make for own in _streams(task, role, spec) for make in own],
        torch.arange(len(task.theta), device=task.theta.device).repeat_interleave(spec.chains),
    )  # fmt: skip
    return sample(
        task.program, chains, task.inputs, task.targets, scope=task.scope,
        nbeta=spec.inverse_temperature(task.inputs.shape[-1]),
        burn_in=int(burn_in), draws=int(draws), loss=task.loss, batch_size=spec.batch_size,
        preconditioner=spec.preconditioner, initial=spec.initial_loss,
    )  # fmt: skip


class _Loader(torch.utils.data.DataLoader[tuple[torch.Tensor, ...]]):
    """The DataLoader that devinterp asks for, slicing tensors: six times faster than collating point by point."""

    def __init__(self, inputs: torch.Tensor, targets: torch.Tensor, batch_size: int | None, seed: int) -> None:
        super().__init__(torch.utils.data.TensorDataset(inputs, targets), batch_size=batch_size or len(inputs))
        self.tensors = (inputs, targets)
        self.order = None if batch_size is None else torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:  # type: ignore[override]
        inputs, targets = self.tensors
        if self.order is None:
            yield inputs, targets
            return
        size = self.batch_size or len(inputs)
        order = torch.randperm(len(inputs), generator=self.order)
        for first in range(0, len(order) - size + 1, size):
            chosen = order[first : first + size]
            yield inputs[chosen], targets[chosen]


def run_devinterp(task: Task, variants: Mapping[str, LLCSpec]) -> dict[str, Trace]:
    """Every model with devinterp's own sampler, one chain after the other.

    Raises:
        ValueError: the settings ask for the kinetic sampler, which devinterp does not have, or for a preconditioner:
            devinterp's own never stops adapting, which makes it another sampler.
    """
    if variants["main"].sampler != "sgld":
        raise ValueError("the engine 'devinterp' has no sampler 'kinetic'; give LLCSpec(sampler='sgld', …), or use the engine "
                         "'stacked'")  # fmt: skip
    kind = variants["main"].preconditioner
    if kind != "none":
        raise ValueError(f"the engine 'devinterp' has no preconditioner {kind!r}; use the engine 'stacked'")
    return {
        role: Trace.join([
            _devinterp_chain(task, spec, role, model, chain)
            for model in parts(range(len(task.theta))) for chain in range(spec.chains)
        ])
        for role, spec in parts([*variants.items()])
    }  # fmt: skip


class _Diverged(Exception):  # noqa: N818 - a state of a chain, not a fault
    """The loss of a chain is no longer a number."""


def _devinterp_chain(task: Task, spec: LLCSpec, role: str, model: int, chain: int) -> Trace:
    """One chain, with the random numbers that it would have in a call for all chains.

    When a chain diverges, devinterp ends the whole call and with it all its chains; so each chain gets its own call.
    """
    from devinterp.optim.sgmcmc import SGMCMC
    from devinterp.slt.sampler import estimate_learning_coeff_with_summary

    network = _evaluated(task.program.module(task.theta[model]))
    x, y = task.data(model)
    seed = int(sequence("devinterp", role, *task.streams[model]).generate_state(1)[0])
    loader = _Loader(x.movedim(-1, 0).contiguous(), y.movedim(-1, 0).contiguous(), spec.batch_size, seed)
    evaluate = _evaluate(task.loss)
    free = task.program.scopes[task.scope]
    over = (x.movedim(-1, 0), y.movedim(-1, 0)) if spec.initial_loss == "all" else next(iter(loader))
    initial_loss, gradient_norm = _initial(network, _evaluate(task.loss, ends=False), over, free)
    nbeta = spec.inverse_temperature(x.shape[-1])
    acceptance = _Acceptance(spec, nbeta, network, free)
    masks = {name: torch.full_like(value, name in free, dtype=torch.bool) for name, value in network.named_parameters()}
    own = int(np.random.SeedSequence(seed).generate_state(spec.chains)[chain])  # as devinterp splits a seed among chains
    start = torch.tensor([initial_loss]), torch.tensor([gradient_norm])
    draws, burn_in = cast("int", spec.draws), cast("int", spec.burn_in)  # filled in where they were left out
    counts = torch.tensor([draws]), torch.tensor([burn_in])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of every setting that is passed to it on purpose
        try:
            result = estimate_learning_coeff_with_summary(
                network, loader=loader, evaluate=evaluate, sampling_method=SGMCMC.sgld,
                optimizer_kwargs={"lr": spec.step_size, "localization": spec.localization, "nbeta": nbeta},
                num_draws=draws, num_chains=1, num_burnin_steps=burn_in, init_loss=initial_loss,
                seed=[own], device=x.device, cores=1, verbose=False, callbacks=[acceptance],
                optimize_over_per_model_param=masks,
            )  # fmt: skip
        except _Diverged:
            nothing = torch.full((1, draws), torch.nan)
            return Trace(nothing, nothing, *counts, torch.full((1,), torch.nan), acceptance.step_size.cpu(), *start)
    losses = torch.as_tensor(result["loss/trace"], dtype=torch.float32)
    return Trace(losses, acceptance.strains(), *counts, acceptance.mean(), acceptance.step_size.cpu(), *start)


def _evaluated(network: torch.nn.Module) -> torch.nn.Module:
    """The network fixed in evaluation mode: devinterp would put it into training mode, where norms and dropout differ."""
    kind = type(network)
    network.eval()
    network.__class__ = type(kind.__name__, (kind,), {"train": lambda self, mode=True: self, "__module__": kind.__module__})
    return network


class _Acceptance:
    """Callback for one chain of devinterp: MALA acceptance and displacement of each draw, by the formulas of our own sampler.

    devinterp's own callback does not run with its stepper for masked parameters.  It is called after a step, while the
    gradient is still the one from before it.
    """

    def __init__(self, spec: LLCSpec, nbeta: float, network: torch.nn.Module, free: Sequence[str]) -> None:
        self.spec, self.nbeta, self.free = spec, nbeta, free
        self.step_size = next(network.parameters()).new_tensor([spec.step_size])
        self.anchor = self._flat(dict(network.named_parameters()))
        self.accepted: list[torch.Tensor] = []
        self.strained: list[torch.Tensor] = []
        self.before: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None
        self.position: torch.Tensor | None = None

    def _flat(self, named: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return torch.cat([named[name].detach().flatten() for name in self.free])[None].clone()

    def __call__(self, *, loss: torch.Tensor, model: torch.nn.Module, **rest: object) -> None:
        parameters = dict(model.named_parameters())
        after = self._flat(parameters)
        if self.position is not None:
            moved = self.position - self.anchor
            gradient = self._flat({name: parameters[name].grad for name in self.free})  # type: ignore[misc]
            drift = self.step_size / 2 * (self.nbeta * gradient + self.spec.localization * moved)
            strain = self.spec.localization * moved.square().sum(1)
            self.strained.append(strain)
            potential = self.nbeta * loss.detach() + strain / 2
            if self.before is not None:
                self.accepted.append(langevin_acceptance(*self.before, potential, drift, self.step_size))
            self.before = (potential, drift, after - self.position + drift)
        self.position = after

    def mean(self) -> torch.Tensor:
        """Mean acceptance of the chain, shape (1,); NaN for minibatches."""
        if self.spec.batch_size is not None or not self.accepted:
            return torch.full((1,), torch.nan)
        return torch.cat(self.accepted).mean()[None].cpu()

    def strains(self) -> torch.Tensor:
        """See :class:`Trace`; shape (1, draw).  The first draw's position is not shown, so the second's value stands for it."""
        if not self.strained:
            return torch.full((1, cast("int", self.spec.draws)), torch.nan)
        return torch.cat([self.strained[0], *self.strained])[None].cpu()


Evaluate = Callable[[torch.nn.Module, tuple[torch.Tensor, torch.Tensor]], tuple[torch.Tensor, dict[str, torch.Tensor]]]


def _evaluate(loss: Loss, *, ends: bool = True) -> Evaluate:
    """The loss as devinterp asks for it; once it is no longer a number, it ``ends`` the chain."""

    def evaluate(
        network: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        logits = network(batch[0]).T[None]
        if callable(loss):
            losses = loss(logits.transpose(1, 2), batch[1][None])
        else:
            losses = loss_and_pull(logits, batch[1].T[None], loss, pull=False)[0]
        value = losses.mean()
        if ends and bool(value.isnan()):
            raise _Diverged
        return value, {}

    return evaluate


def _initial(
    network: torch.nn.Module, evaluate: Evaluate, batch: tuple[torch.Tensor, ...], free: Sequence[str]
) -> tuple[float, float]:
    """Loss at w* on the first batch, and the norm of its gradient over the free parameters."""
    value = evaluate(network, (batch[0], batch[1]))[0]
    parameters = dict(network.named_parameters())
    gradients = torch.autograd.grad(value, [parameters[name] for name in free])
    return float(value.detach()), float(torch.cat([g.flatten() for g in gradients]).norm())


# What is sampled and the settings by role ("main", and the re-runs, which differ from it in γ, ε and the number of chains
# alone) → the traces by role, row = model × chains + chain.
ENGINES: dict[str, Callable[[Task, Mapping[str, LLCSpec]], dict[str, Trace]]] = {
    "stacked": run_stacked, "devinterp": run_devinterp,
}  # fmt: skip


def able(spec: LLCSpec) -> tuple[Engine, ...]:
    """The engines that have the sampler that the settings name."""
    return ("stacked", "devinterp") if spec.sampler == "sgld" else ("stacked",)
