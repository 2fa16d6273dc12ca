"""Networks that compute something different while they are trained: dropout, batch statistics, spectral norms.

A stack of modules in train mode runs through ``torch.func`` like one in eval mode.  Each member has its own random numbers
(:mod:`harness.networks.member_streams`), whatever draws them, and its own buffers: what a step writes into them (running
statistics, the vectors of a power iteration) goes into its flat vector, where torch would leave it in the module.

Whether a network needs this is found out before training by comparing both modes; a network that computes the same in both is
trained in eval mode.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.overrides import TorchFunctionMode

from harness.networks.callers import batchable
from harness.networks.itself import INPUTS
from harness.networks.losses import Loss, row_loss
from harness.networks.member_streams import MemberStreams, ambient_randomness
from harness.networks.module import ModuleProgram
from harness.networks.program import Parameters, Program
from harness.networks.untouched import Attributes
from harness.spec import RecipeError
from harness.streams import torch_generator

TOLERANCE = 1e-3  # of the largest logit: far above the rounding of single precision, far below what batch statistics do


class TrainingMode:
    """The gradients of a stack of modules in train mode.

    Args:
        program: the stack's program, whose networks are in eval mode.
    """

    def __init__(self, program: ModuleProgram) -> None:
        self.twin = copy.copy(program)  # the same program around a network in train mode
        with torch.random.fork_rng(devices=[]):
            self.twin.skeleton = program.build().train()
        self.twin._written = frozenset((INPUTS,))  # what is written into the buffers is wanted here
        self.buffers = tuple(name for name, _ in self.twin.skeleton.named_buffers())
        self.draws = True  # until a first step has shown that nothing is drawn

    def loss_gradient(
        self,
        parameters: Parameters,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        out: Parameters,
        loss: Loss,
        generators: Sequence[torch.Generator],
    ) -> torch.Tensor:
        """As :meth:`Program.loss_gradient`; what the networks write into their buffers goes into ``parameters``.

        Call it under :func:`harness.networks.callers.batchable`, as all training is where there is a train mode.

        Args:
            parameters: tensors of shape (row, *shape) by name; the buffers among them are overwritten.
            inputs: tensor of shape (row, *input, point).
            targets: encoded targets, shape (row, class, point).
            out: where the gradients of the free parameters go.
            loss: see :func:`harness.networks.losses.loss_and_pull`.
            generators: each row's own, on the device of the inputs.
        """
        free = {name: parameters[name] for name in out}
        written = {name: parameters[name] for name in self.buffers if name in parameters}
        fixed = {name: value for name, value in parameters.items() if name not in free and name not in written}

        def of_row(free: Any, fixed: Any, written: Any, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
            state = {**free, **fixed, **{name: value.clone() for name, value in written.items()}}
            logits = self.twin._call(state, inputs)  # puts into the state what forward has assigned
            return row_loss(logits, targets, loss), {name: state[name] for name in written}

        step = vmap(grad_and_value(of_row, has_aux=True), randomness="different" if self.draws else "error")
        with _WithoutOut(), MemberStreams(generators, listen=self.draws) as streams:
            gradients, (losses, written_now) = step(free, fixed, written, inputs, targets)
        self.draws = self.draws and streams.drawn
        for name, gradient in gradients.items():
            out[name].copy_(gradient)
        for name, value in written_now.items():
            written[name].copy_(value.detach())
        mean: torch.Tensor = losses.detach()
        return mean


class _WithoutOut(TorchFunctionMode):
    """``vmap`` cannot write into ``out=``, as the power iteration of a spectral norm does: compute first, then copy."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = kwargs.get("out")
        if not isinstance(out, torch.Tensor):
            return func(*args, **kwargs)
        return out.copy_(func(*args, **{name: value for name, value in kwargs.items() if name != "out"}))


def training_mode(
    program: Program, inputs: torch.Tensor, targets: torch.Tensor, sizes: Sequence[int], loss: Loss
) -> TrainingMode | None:
    """How the networks of a program are trained; None if train mode computes what eval mode does.

    Args:
        program: the stack's program.
        inputs: the data, shape (*input, point).
        targets: encoded targets, shape (class, point).
        sizes: how many points the batches of training have.
        loss: what is descended.

    Raises:
        RecipeError: the networks cannot be trained in a stack, or in eval mode the output for one point depends on others.
    """
    if not isinstance(program, ModuleProgram) or not sizes:
        return None
    inputs, targets = inputs.cpu(), targets.cpu()
    check = _Check(program, inputs[..., : max(sizes)], targets[..., : max(sizes)], loss)
    with batchable():
        check.points_stand_alone()
        if check.modes_agree():
            return None
        for size in sorted(set(sizes)):
            check.trains(size)
    mode = TrainingMode(program)
    mode.draws = check.mode.draws
    return mode


class _Check:
    """The checks before training, on two networks of the program and one batch."""

    def __init__(self, program: ModuleProgram, inputs: torch.Tensor, targets: torch.Tensor, loss: Loss) -> None:
        self.program, self.inputs, self.targets, self.loss = program, inputs, targets, loss
        self.mode = TrainingMode(program)
        self.theta = torch.stack([program.initial(torch_generator("training mode", row)) for row in range(2)])
        self.name = type(program.skeleton).__name__

    def points_stand_alone(self) -> None:
        """In eval mode a point's output must not depend on the other points; with statistics of the current batch it does."""
        views, half = self.program.layout.views(self.theta), max(1, self.inputs.shape[-1] // 2)
        with self._refusing(self.program.skeleton, self.inputs.shape[-1]):
            whole = self.program.logits(views, self.inputs[None])[..., :half]
            part = self.program.logits(views, self.inputs[None, ..., :half])
        if float((part - whole).abs().max()) > TOLERANCE * float(whole.abs().max()):
            raise RecipeError(
                f"in {self.name} the output for one point depends on the other points of the batch, even in eval mode"
                f"{self._batch_statistics()}: no attack or measurement could look at a single point; keep running statistics, "
                "or use a norm of single points (GroupNorm, LayerNorm)"
            )

    def _batch_statistics(self) -> str:
        norms = ((name, each) for name, each in self.program.skeleton.named_modules() if isinstance(each, _BatchNorm))
        found = [f"{name}, a {type(each).__name__}" for name, each in norms if each.running_mean is None]
        return f" (without running statistics: {'; '.join(found)})" if found else ""

    def modes_agree(self) -> bool:
        """Whether both modes give the same outputs and gradients to the last bit, draw nothing and leave the buffers alone."""
        results = []
        with torch.random.fork_rng(devices=[]):
            for skeleton in (self.program.skeleton, self.mode.twin.skeleton):
                views = {name: value[0].clone() for name, value in self.program.layout.views(self.theta).items()}
                before = {name: views[name].clone() for name in self.mode.buffers if name in views}
                stood = ambient_randomness()
                results.append(self._outputs(skeleton, views))
                if stood != ambient_randomness() or any(not torch.equal(views[name], old) for name, old in before.items()):
                    return False
        return all(torch.equal(one, other) for one, other in zip(*results, strict=True))

    def _outputs(self, skeleton: torch.nn.Module, views: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        """Logits of one plain network, and the gradients with respect to everything that is trained."""
        free = [views[name].requires_grad_() for name in self.program.scopes["all"]]
        points = self.inputs.movedim(-1, 0).clone().requires_grad_(self.inputs.is_floating_point())
        with self._refusing(skeleton, len(points)):
            attributes = Attributes(skeleton)
            logits = functional_call(skeleton, views, (points * 1,))  # which forward may write into
            attributes.restore()
            weights = torch.linspace(-1, 1, logits.numel()).reshape(logits.shape)
            gradients = torch.autograd.grad((logits * weights).sum(), [*free, points], allow_unused=True)
        return [logits.detach(), *(torch.zeros(()) if each is None else each for each in gradients)]

    def trains(self, size: int) -> None:
        """A step in train mode works on batches of that many points, and gives the same result when repeated."""
        stood = ambient_randomness()
        once, again = self._step(size), self._step(size)
        if stood != ambient_randomness() or any(not torch.equal(*pair) for pair in zip(once, again, strict=True)):
            raise RecipeError(
                f"{self.name} draws random numbers in forward from numpy, Python or the system instead of torch, so a member "
                "could not be trained again; draw with torch (torch.rand, torch.nn.Dropout), and each member gets its own"
            )

    def _step(self, size: int) -> list[torch.Tensor]:
        theta = self.theta.clone()
        views, out = self.program.layout.views(theta), self.program.layout.views(torch.zeros_like(theta))
        out = {name: out[name] for name in self.program.scopes["all"]}
        x, y = (each[..., :size].expand(2, *each.shape[:-1], size) for each in (self.inputs, self.targets))
        generators = [torch_generator("training mode", "draws", row) for row in range(2)]
        with self._refusing(self.mode.twin.skeleton, size):
            losses = self.mode.loss_gradient(views, x, y, out, self.loss, generators)
        return [losses, theta, *out.values()]

    @contextmanager
    def _refusing(self, skeleton: torch.nn.Module, size: int) -> Iterator[None]:
        """Report what goes wrong in a network with the name of the module in which it went wrong."""
        with _followed(skeleton) as inside:
            try:
                yield
            except RecipeError as problem:
                raise RecipeError(f"{self._where(inside)} cannot be trained in a stack: {problem}") from None
            except (RuntimeError, ValueError, NotImplementedError) as problem:
                kind = skeleton.get_submodule(inside[-1]) if inside else skeleton
                said = str(problem).partition("\n")[0]
                raise RecipeError(
                    f"{self._where(inside)}, a {type(kind).__name__}, cannot be trained in a stack on batches of {size} "
                    f"points: {_remedy(kind, size, said)} ({said})"
                ) from problem

    def _where(self, inside: Sequence[str]) -> str:
        return f"{inside[-1]} of {self.name}" if inside and inside[-1] else self.name


def _remedy(kind: torch.nn.Module, size: int, said: str) -> str:
    """What to do about a module that cannot be trained."""
    if isinstance(kind, _NormBase) and kind.track_running_stats and kind.momentum is None:
        return "give it a momentum (torch's usual one is 0.1); an average over all batches cannot be kept for a stack"
    if isinstance(kind, _BatchNorm) and size == 1:
        return "a single point has no batch statistics; choose a batch_size that leaves no single point over"
    if "randomness error mode" in said:
        return "it draws random numbers even in eval mode; draw only where self.training is True"
    return "use layers that torch.func can run for many networks at once, without control flow that depends on the data"


@contextmanager
def _followed(module: torch.nn.Module) -> Iterator[list[str]]:
    """The names of the modules whose forward is running, outermost first."""
    inside: list[str] = []
    handles = []

    def enter(name: str) -> Callable[..., None]:
        return lambda *_: inside.append(name)

    def leave(*_: object) -> None:
        inside.pop()

    for name, each in module.named_modules():
        handles += [each.register_forward_pre_hook(enter(name)), each.register_forward_hook(leave)]
    try:
        yield inside
    finally:
        for handle in handles:
            handle.remove()
