"""Modules that a user gives, as they are: stacked through ``torch.func``, or one row after the other.

Compared with what :class:`ModuleProgram` does for modules that a recipe builds, more is allowed: parameters may be frozen,
float64 or bfloat16, tied, or computed from others; integer and boolean buffers are constants of the copy that is called; inputs
may be integers; and the module may return anything from which a function makes one row of outputs for every point.

Half-precision parameters take part in the computation in their own type, but are held as float32, so that a sampler's small
steps are not rounded away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TypeAlias

import torch
from torch.func import functional_call

from harness.networks.callers import callers_type, unfused
from harness.networks.losses import Loss, loss_and_pull
from harness.networks.memory import MeasuredLayout
from harness.networks.module import ModuleProgram, scopes_of
from harness.networks.program import Parameters, PullBack
from harness.networks.untouched import Attributes, copied, draws_kept

Output: TypeAlias = Callable[[Any], torch.Tensor]
NOTHING = "(no parameter)"  # holds one 0 of each row of a module that has neither parameters nor buffers
ALONE_FROM = 2**18  # values that a row's pass holds: from here on its own operations take longer than calling them


class GivenProgram(ModuleProgram):
    """A stack of copies of one given module.

    Args:
        module: an example; it is copied.
        output: turns what the module returns into the outputs (point, class); None if it returns them itself.
        classes: number of outputs.
        hooks: whether its forward and pre-forward hooks belong to its function.
        stacked: run all rows at once, which not every operation supports.
        drawing: whether forward draws random numbers that do not affect its outputs.
        written: parameters and buffers into which it writes in place; each call is given copies of them.
        activations: entries that a pass holds for one point: in all tensors together, and in the largest.
    """

    def __init__(
        self, module: torch.nn.Module, *, output: Output | None, classes: int, hooks: bool, stacked: bool,
        drawing: bool = False, written: frozenset[str] = frozenset(), activations: tuple[int, int] = (1, 1),
    ) -> None:  # fmt: skip
        self._drawing, self._written, self._seen = drawing, written, True  # it is compared at the door
        self.skeleton, self.classes, self.output, self.stacked = copied(module, hooks=hooks), classes, output, stacked
        named = dict(self.skeleton.named_parameters())
        self.trainable = tuple(name for name, value in named.items() if value.requires_grad)
        state = {**named, **dict(self.skeleton.named_buffers())}
        held = {name: value for name, value in state.items() if value.is_floating_point()}
        if not held:  # nothing that says how many rows there are
            held = {NOTHING: torch.zeros(())}
        self.types = {name: value.dtype for name, value in held.items()}
        self.dtype = held_type(module)
        self.input_type = input_type(module)
        self.layout = MeasuredLayout(tuple(held), tuple(tuple(value.shape) for value in held.values()), *activations)
        self.scopes = {**scopes_of(tuple(named), self.trainable), **{name: (name,) for name in named}}
        self._attributes = Attributes(self.skeleton)
        self._places = _places(self.skeleton, held)

    def initial(self, generator: torch.Generator) -> torch.Tensor:
        """Refused: a given network is trained already.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            f"{type(self.skeleton).__name__} was given as it is and has no initialisation to draw from; to draw networks, "
            "use a Recipe with a Module"
        )

    def flat(self, module: torch.nn.Module) -> torch.Tensor:
        """The flat parameters of a module of this kind, shape (parameter,)."""
        state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        state[NOTHING] = torch.zeros(())
        return torch.cat([state[name].detach().flatten().to(self.dtype) for name in self.layout.names])

    def module(self, theta: torch.Tensor) -> torch.nn.Module:
        """See :meth:`Program.module`; its hooks cast the inputs, and turn what it returns into outputs."""
        network = copied(self.skeleton, hooks=True).to(theta.device)
        state = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        with torch.no_grad():
            for name, value in self.layout.views(theta[None]).items():
                if name != NOTHING:
                    state[name].copy_(value[0])
        for value in network.parameters():
            value.requires_grad_(value.is_floating_point())
        network.register_forward_pre_hook(_Cast(self.input_type))
        network.register_forward_hook(_Outputs(self.output, self.dtype))
        return network

    def _call(self, parameters: Any, inputs: torch.Tensor) -> torch.Tensor:
        """One row: inputs (*input, point) → outputs (class, point)."""
        state = {name: self._own_value(name, value) for name, value in parameters.items() if name != NOTHING}
        return self._made(lambda x: functional_call(self.skeleton, state, (x,)), inputs)

    def _own_value(self, name: str, value: torch.Tensor) -> torch.Tensor:
        """A parameter in the module's type; a copy where forward would otherwise write into the stack's memory."""
        made = value.to(self.types[name])
        return made.clone() if name in self._written else made

    def _put(self, parameters: Any) -> None:
        """Put one row's values where the module finds its own; within ``_restored``."""
        for name, value in parameters.items():
            for table, local in self._places[name]:
                table[local] = self._own_value(name, value)

    def _single(self, parameters: Any, inputs: torch.Tensor) -> torch.Tensor:
        """The same for a single row, without ``vmap``; within ``_restored``, which puts the module's own parameters back."""
        self._put(parameters)
        return self._made(self.skeleton, inputs)

    @contextmanager
    def _restored(self) -> Iterator[None]:
        """Undo what a call has left in the module's attributes: tensors of a stack that no longer exists."""
        with draws_kept() if self._drawing else nullcontext(), callers_type():
            try:
                yield
            finally:
                self._attributes.restore()

    def _made(self, call: Callable[[torch.Tensor], Any], inputs: torch.Tensor) -> torch.Tensor:
        x = _own(inputs.movedim(-1, 0), self.input_type)
        return outputs_of(call(x), self.output, self.skeleton, len(x)).to(self.dtype).transpose(0, 1)

    def _alone(self, parameters: Parameters, inputs: torch.Tensor) -> bool:
        """Whether the rows are taken one by one: for a single one ``vmap`` is a detour, and for large ones there is no gain."""
        rows, large = len(next(iter(parameters.values()))), self.layout.units * inputs.shape[-1] >= ALONE_FROM
        return not self.stacked or rows == 1 or large

    def logits(self, parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
        """See :meth:`Program.logits`."""
        with self._restored():
            if not self._alone(parameters, inputs):
                return super().logits(parameters, inputs)
            with torch.no_grad(), unfused():
                return torch.stack([self._single(own, x) for own, x in _rows(parameters, inputs)])

    def loss_gradient(
        self, parameters: Parameters, inputs: torch.Tensor, targets: torch.Tensor, out: Parameters, loss: Loss
    ) -> torch.Tensor:
        """See :meth:`Program.loss_gradient`."""
        with self._restored():
            if not self._alone(parameters, inputs):
                return super().loss_gradient(parameters, inputs, targets, out, loss)
            losses = []
            for row, (own, x) in enumerate(_rows(parameters, inputs)):
                with torch.enable_grad():
                    free = {name: own[name].detach().requires_grad_() for name in out}
                    logits = self._single({**own, **free}, x)
                target = targets[row % len(targets)][None]
                found, pull = loss_and_pull(logits.detach()[None].clone(), target, loss)
                gradients = _gradients(logits, list(free.values()), pull[0] / x.shape[-1])
                for name, gradient in zip(free, gradients, strict=True):
                    out[name][row].copy_(gradient)
                losses.append(found[0].mean())
            return torch.stack(losses)

    def pullback(self, parameters: Parameters, inputs: torch.Tensor) -> tuple[torch.Tensor, PullBack]:
        """See :meth:`Program.pullback`."""
        with self._restored():
            if not self._alone(parameters, inputs):
                return super().pullback(parameters, inputs)
            owned, points, found = [], [], []
            for own, x in _rows(parameters, inputs):
                with torch.enable_grad():
                    owned.append(own)
                    points.append(x.detach().requires_grad_())
                    found.append(self._single(own, points[-1]))
            return torch.stack([each.detach() for each in found]), _RowsPullBack(self, owned, points, found)


def _places(module: torch.nn.Module, held: Mapping[str, torch.Tensor]) -> dict[str, list[tuple[dict[str, Any], str]]]:
    """Where every parameter and buffer is found in the parts of a module; tied ones are found at several places."""
    names = {id(value): name for name, value in held.items()}
    places: dict[str, list[tuple[dict[str, Any], str]]] = {name: [] for name in held}
    for part in module.modules():
        for table in (part._parameters, part._buffers):
            for local, value in table.items():
                if id(value) in names:
                    places[names[id(value)]].append((table, local))
    return places


class _RowsPullBack(PullBack):
    def __init__(
        self, program: GivenProgram, owned: Sequence[dict[str, torch.Tensor]], points: Sequence[torch.Tensor],
        outputs: Sequence[torch.Tensor],
    ) -> None:  # fmt: skip
        self.program, self.owned, self.points, self.outputs = program, owned, points, outputs

    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        found = []
        with self.program._restored(), unfused():
            for own, x, output, pull in zip(self.owned, self.points, self.outputs, gradient, strict=True):
                self.program._put(own)  # what is computed anew on the way back (a checkpoint) is computed of this row's
                found.append(_gradients(output, [x], pull)[0])
        return torch.stack(found)


class _Cast:
    """A pre-forward hook that hands a module a copy of its inputs, in the type that it computes with."""

    def __init__(self, kind: torch.dtype) -> None:
        self.kind = kind

    def __call__(self, module: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (_own(arguments[0], self.kind), *arguments[1:])


class _Outputs:
    """A forward hook: the outputs of what a module returns."""

    def __init__(self, output: Output | None, kind: torch.dtype) -> None:
        self.output, self.kind = output, kind

    def __call__(self, module: torch.nn.Module, arguments: tuple[torch.Tensor, ...], returned: Any) -> torch.Tensor:
        return outputs_of(returned, self.output, module, len(arguments[0])).to(self.kind)


def outputs_of(returned: Any, output: Output | None, module: torch.nn.Module, points: int) -> torch.Tensor:
    """The outputs of a module, shape (point, class); a single output may come without its dimension.

    Raises:
        ValueError: it did not return such a tensor.
    """
    name = type(module).__name__
    made = returned if output is None else output(returned)
    if not isinstance(made, torch.Tensor):
        teller = f"{name} returned {type(made).__name__}" if output is None else f"output returned {type(made).__name__}"
        keys = f" with {', '.join(map(str, made))}" if isinstance(made, Mapping) else ""
        raise ValueError(f"{teller}{keys}; give output=, a function that turns what the network returns into a tensor of shape "
                         "(point, class), such as output=lambda out: out[0]")  # fmt: skip
    if made.dim() == 1 and len(made) == points:
        return made[:, None]
    if made.dim() != 2 or len(made) != points:
        raise ValueError(
            f"{name} returned shape {tuple(made.shape)} for {points} points; expected (point, class) = ({points}, …): give "
            "output=, a function that brings it into that shape (for the last step of a sequence: output=lambda z: z[:, -1])"
        )
    return made


def held_type(module: torch.nn.Module) -> torch.dtype:
    """The type in which a module's flat parameters are held: float64 if any of them has it, else float32."""
    values = [*module.parameters(), *module.buffers()]
    return torch.float64 if any(value.dtype == torch.float64 for value in values) else torch.float32


def input_type(module: torch.nn.Module) -> torch.dtype:
    """The type in which a module takes its inputs: that of its first parameter."""
    return next((value.dtype for value in module.parameters() if value.is_floating_point()), torch.float32)


def _own(inputs: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    """A copy of the inputs, which an in-place operation may overwrite and ``view`` may reshape."""
    wanted = kind if inputs.is_floating_point() else inputs.dtype
    return inputs.to(wanted).clone(memory_format=torch.contiguous_format)


def _rows(parameters: Parameters, inputs: torch.Tensor) -> list[tuple[dict[str, torch.Tensor], torch.Tensor]]:
    rows = len(next(iter(parameters.values())))
    return [({name: value[row] for name, value in parameters.items()}, inputs[row % len(inputs)]) for row in range(rows)]


def _gradients(value: torch.Tensor, free: Sequence[torch.Tensor], pull: torch.Tensor) -> list[torch.Tensor]:
    """Gradients of a value; zero for what it does not depend on."""
    if not value.requires_grad or not free:
        return [torch.zeros_like(each) for each in free]
    found = torch.autograd.grad(value, free, pull, allow_unused=True, retain_graph=True)
    return [torch.zeros_like(each) if slope is None else slope.to_dense() for each, slope in zip(free, found, strict=True)]
