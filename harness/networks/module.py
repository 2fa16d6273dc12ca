"""Any ``torch.nn.Module``, stacked through ``torch.func``.

The module is called on one example batch at a time, as in ordinary PyTorch code (points first); ``vmap`` runs it for all
rows of a stack.  Buffers are per-member constants (a fixed second layer, say): they are part of the flat vector but in
no scope, so nothing trains or samples them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.func import functional_call, grad_and_value, vjp, vmap
from torch.nn.modules.batchnorm import _NormBase

from harness.networks.callers import batchable
from harness.networks.itself import INPUTS, POINTS, require_itself
from harness.networks.layout import Layout
from harness.networks.losses import Loss, loss_and_pull, row_loss
from harness.networks.program import Parameters, Program, PullBack
from harness.networks.untouched import Attributes


class ModuleProgram(Program):
    """A stack of one kind of module.

    Args:
        build: makes a freshly initialised module; it is called once for every member, under that member's own seed.
        classes: number of outputs.
    """

    def __init__(self, build: Callable[[], torch.nn.Module], classes: int) -> None:
        self.build = build
        self.classes = classes
        # The skeleton's own numbers are never used, so drawing them must not disturb the caller's random state.
        with torch.random.fork_rng(devices=[]):
            self.skeleton = build().eval()
        named = dict(self.skeleton.named_parameters())
        self.trainable = tuple(name for name, value in named.items() if value.requires_grad)
        state = {**dict(self.skeleton.named_parameters()), **dict(self.skeleton.named_buffers())}
        for name, value in state.items():
            if not value.is_floating_point() and name not in batch_counters(self.skeleton):
                raise ValueError(
                    f"buffer {name!r} of {type(self.skeleton).__name__} holds {value.dtype}: a stack holds floating-point "
                    "numbers only (and the counters of batch norms)"
                )
        self._attributes = Attributes(self.skeleton)
        self._seen, self._written = False, frozenset[str]()
        self.layout = Layout(tuple(state), tuple(tuple(value.shape) for value in state.values()))
        self.scopes: Mapping[str, tuple[str, ...]] = scopes_of(tuple(named), self.trainable)

    def initial(self, generator: torch.Generator) -> torch.Tensor:
        """The module's own initialisation, under a seed drawn from ``generator``."""
        seed = int(torch.randint(2**62, (), generator=generator))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = self.build()
        state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        return torch.cat([state[name].detach().flatten() for name in self.layout.names]).float()

    def module(self, theta: torch.Tensor) -> torch.nn.Module:
        """See :meth:`Program.module`."""
        forget_computed(self.skeleton)
        network = copy.deepcopy(self.skeleton).to(theta.device)
        state = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        with torch.no_grad():
            for name, value in self.layout.views(theta[None]).items():
                state[name].copy_(value[0])
        return network

    def _call(self, parameters: Any, inputs: torch.Tensor) -> torch.Tensor:
        """One row: inputs (*input, point) → logits (class, point)."""
        for name in self._written & set(parameters):  # a stack's own numbers are not to be written into
            parameters = {**parameters, name: parameters[name].clone()}
        inputs = inputs.movedim(-1, 0)
        try:
            output: torch.Tensor = functional_call(
                self.skeleton, parameters, (inputs.clone() if INPUTS in self._written else inputs,)
            )
        finally:
            if not self.skeleton.training:  # what forward has kept is of a stack that is no more
                self._attributes.restore()
        if output.dim() != 2 or output.shape[1] != self.classes:
            raise ValueError(
                f"{type(self.skeleton).__name__} returned shape {tuple(output.shape)}; expected (point, class) with "
                f"{self.classes} classes"
            )
        return output.transpose(0, 1)

    def _look(self, parameters: Parameters, inputs: torch.Tensor) -> None:
        """Check once, on the first points, that the stack computes what the modules made by ``build`` compute."""
        values = [inputs, *parameters.values()]
        if self._seen or len(parameters) < len(self.layout.names) or any(map(is_functorch_wrapped_tensor, values)):
            return
        points = inputs[0, ..., :POINTS].movedim(-1, 0).detach()
        points = points.float() if points.is_floating_point() else points  # members are of single precision
        if not all(bool(value.isfinite().all()) for value in [points, *(parameters[name][0] for name in self.scopes["all"])]):
            return

        def call(state: dict[str, torch.Tensor], some: torch.Tensor) -> torch.Tensor:
            rows = {name: value[None] for name, value in state.items()}
            return vmap(self._call)(rows, some.movedim(0, -1)[None])[0].transpose(0, 1)

        state = {name: value[0].detach().float() for name, value in parameters.items()}
        flat = torch.cat([state[name].flatten() for name in self.layout.names])
        self._written = frozenset((INPUTS, *(name for name, _ in self.skeleton.named_buffers())))  # until it is known
        self._written = require_itself(self.build, self.module(flat), state, self.scopes["all"], points, call)
        self._seen = True

    @batchable()
    def logits(self, parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
        """See :meth:`Program.logits`."""
        self._look(parameters, inputs)
        logits: torch.Tensor = vmap(self._call)(dict(parameters), self._expand(parameters, inputs))
        return logits.detach()

    def _expand(self, parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
        rows = len(next(iter(parameters.values())))
        return inputs.expand(rows, *inputs.shape[1:])

    @batchable()
    def loss_gradient(
        self, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, out: Parameters, loss: Loss
    ) -> torch.Tensor:
        """See :meth:`Program.loss_gradient`."""
        self._look(parameters, inputs)
        if callable(loss):
            return self._vjp_gradient(parameters, inputs, targets, out, loss)
        inputs = self._expand(parameters, inputs)
        targets = targets.expand(len(inputs), *targets.shape[1:])
        free = {name: parameters[name] for name in out}
        fixed = {name: value for name, value in parameters.items() if name not in out}

        def of_row(free: Any, fixed: Any, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return row_loss(self._call({**free, **fixed}, inputs), targets, loss)

        gradients, losses = vmap(grad_and_value(of_row))(free, fixed, inputs, targets)
        for name, gradient in gradients.items():
            out[name].copy_(gradient)
        mean: torch.Tensor = losses.detach()
        return mean

    def _vjp_gradient(
        self, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, out: Parameters, loss: Loss
    ) -> torch.Tensor:
        """The path for a user's loss, which is written for whole stacks and cannot run inside ``vmap``."""
        fixed = {name: value for name, value in parameters.items() if name not in out}
        inputs = self._expand(parameters, inputs)
        free = {name: parameters[name] for name in out}
        logits, back, *_ = vjp(lambda free: vmap(self._call)({**free, **fixed}, inputs), free)
        losses, pull = loss_and_pull(logits.detach(), targets, loss)
        for name, gradient in back(pull / losses.shape[1])[0].items():
            out[name].copy_(gradient)
        return losses.mean(1)

    @batchable()
    def pullback(self, parameters: Parameters, inputs: torch.Tensor) -> tuple[torch.Tensor, PullBack]:
        """See :meth:`Program.pullback`."""
        self._look(parameters, inputs)
        state = dict(parameters)
        logits, back, *_ = vjp(lambda points: vmap(self._call)(state, points), inputs)
        return logits.detach(), _ModulePullBack(back)


def scopes_of(names: Sequence[str], free: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """All free parameters, and one scope for each module that holds parameters of its own; first and last by role.

    Args:
        names: of all parameters, frozen ones too: a scope that names a layer means all of it.
        free: of those that are not frozen.
    """
    own: dict[str, tuple[str, ...]] = {}
    for name in names:
        layer = name.rpartition(".")[0] or name
        own[layer] = (*own.get(layer, ()), name)
    layers = list(own.values())
    roles = {"all": free}
    if layers:
        roles |= {"input": layers[0], "output": layers[-1]}
    if len(layers) > 2:
        roles["hidden"] = tuple(name for names in layers[1:-1] for name in names)
    return {**roles, **own}


def forget_computed(module: torch.nn.Module) -> None:
    """Drop what pre-forward hooks have computed and left in plain attributes, which cannot be copied.

    A ``torch.nn.utils.spectral_norm`` leaves its weight there, which in a stack does not belong to any one network.
    """
    for each in module.modules():
        for name, value in vars(each).items():
            if isinstance(value, torch.Tensor) and (is_functorch_wrapped_tensor(value) or not value.is_leaf):
                vars(each)[name] = torch.zeros(value.shape)


def batch_counters(module: torch.nn.Module) -> set[str]:
    """The names of its norms' ``num_batches_tracked``: whole numbers, which a flat vector holds exactly below 2²⁴."""
    norms = (name for name, each in module.named_modules() if isinstance(each, _NormBase) and each.track_running_stats)
    return {f"{name}.num_batches_tracked".lstrip(".") for name in norms}


class _ModulePullBack(PullBack):
    def __init__(self, back: Callable[..., Any]) -> None:
        self.back = back

    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        pulled: torch.Tensor = self.back(gradient)[0]
        return pulled.detach()
