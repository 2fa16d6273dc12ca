"""What a module itself computes at a few points, with which every program is compared; and which modules can be measured.

The module is run as it is, in evaluation mode, and left as it was (:func:`harness.networks.untouched.untouched`).  A module is
refused if its parameters have no values or cannot be exchanged, if it is random, or if its output for one point depends on
others.  Nothing is measured under settings of torch that would change what is computed (autocast, inference mode).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
import torch

from harness.measure.arguments import require_finite
from harness.networks.callers import batchable, callers_type
from harness.networks.given import Output, held_type, input_type, outputs_of
from harness.networks.itself import near
from harness.networks.member_streams import ambient_randomness
from harness.networks.untouched import CALLED, untouched

UNCOMPUTED = (torch.float8_e4m3fn, torch.float8_e5m2)


def plain_module(model: torch.nn.Module) -> torch.nn.Module:
    """The plain module inside a compiled or parallel one.

    Raises:
        ValueError: its parameters have no values yet, are not real, or cannot be exchanged.
    """
    inner = getattr(model, "_orig_mod", None)
    plain = inner if isinstance(inner, torch.nn.Module) and type(model).__name__ == "OptimizedModule" else model
    if type(plain) in (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel):
        plain = cast("torch.nn.Module", plain.module)
    kind = type(plain).__name__
    for name, part in plain.named_modules():
        if isinstance(part, torch.jit.ScriptModule) and any(True for _ in [*part.parameters(), *part.buffers()]):
            where = f"{name!r} of {kind}" if name else kind
            raise ValueError(f"{where} is a compiled script: its parameters cannot be exchanged; give the original module")
        if name and isinstance(part, torch.nn.DataParallel):
            raise ValueError(f"{name!r} of {kind} is a DataParallel, whose parameters cannot be exchanged; give its .module")
    for name, value in state_of(plain).items():
        _require_values(value, f"parameter or buffer {name!r} of {kind}")
        try:
            plain.get_submodule(name.rpartition(".")[0])
        except AttributeError:
            raise ValueError(f"{kind} calls a parameter {name!r}, but has no part of that name; give a module whose "
                             "named_parameters are torch's") from None  # fmt: skip
    return plain


def _require_values(value: torch.Tensor, what: str) -> None:
    """Refuse what has no values yet, or values that a flat vector of real numbers cannot hold."""
    if torch.nn.parameter.is_lazy(value):
        raise ValueError(f"{what} has no shape yet; call the model on a batch first")
    if value.is_inference():
        raise ValueError(f"{what} was made inside torch.inference_mode(), where nothing has a gradient; build or load the "
                         "network outside it")  # fmt: skip
    if value.is_meta:
        raise ValueError(f"{what} is on the device 'meta', which holds no values; load them (to_empty, load_state_dict)")
    if value.layout != torch.strided or value.is_complex() or value.is_quantized or value.dtype in UNCOMPUTED:
        stored = value.layout if value.layout != torch.strided else value.dtype
        raise ValueError(f"{what} is stored as {stored}; give a network of dense real parameters (float32, float64, bfloat16 "
                         "or float16); complex ones as torch.view_as_real, sparse ones as to_dense()")  # fmt: skip


def require_ordinary() -> None:
    """Refuse settings of torch under which tensors would be created, or computed with, differently than elsewhere.

    Raises:
        ValueError: inside inference mode or autocast, or with another default type or device than torch's own.
    """
    device = str(torch.get_default_device())
    found = {
        "torch.inference_mode()": torch.is_inference_mode_enabled(),
        "torch.autocast()": torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"),
        f"torch.set_default_dtype({torch.get_default_dtype()})": torch.get_default_dtype() != torch.float32,
        f"torch.set_default_device({device!r})": device != "cpu",
    }
    if inside := [name for name, is_so in found.items() if is_so]:
        raise ValueError(
            f"models are measured inside {' and '.join(inside)}, which would change what is computed; call the instrument "
            "outside it (a network may be of any type, and may use autocast in its own forward)"
        )


def state_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


Need = Literal["inputs", "parameters", "outputs"]

LOOKED_AT = 16  # points that a module is compared on
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 0.05, torch.float16: 0.01}
"""How far outputs may be apart, in units of the largest: rounding accumulated through a deep network."""
MOVED = "an attack moves its inputs, which have to be real numbers: give embeddings for token ids, and the rest of the network"


@dataclass(frozen=True)
class Reference:
    """What a module itself computes at a few points.

    Attributes:
        points: the points, shape (point, *input).
        outputs: shape (point, class).
        weight: of every output in the sum whose gradients are compared, shape (point, class).
        gradients: of the mean over points of Σ weight · output with respect to the free parameters, by name.
        slope: of Σ weight · output with respect to the points, or None for integers.
        looking: whether no hook returned anything, so that hooks only observe.
        tolerance: how far outputs may be apart, in units of the largest.
        drawing: whether random numbers are drawn; they do not affect the outputs.
        written: parameters and buffers into which forward writes in place.
        reasons: why the programs tried so far do not compute what the module does.
    """

    points: torch.Tensor
    outputs: torch.Tensor
    weight: torch.Tensor
    gradients: dict[str, torch.Tensor]
    slope: torch.Tensor | None
    looking: bool
    tolerance: float
    drawing: bool
    written: frozenset[str]
    reasons: list[str] = field(default_factory=list)


def reference_of(model: torch.nn.Module, points: torch.Tensor, output: Output | None, number: int, need: Need) -> Reference:
    """Run a module on the points, and check that its output for each depends on that point alone and never changes."""
    name, kind = f"model {number} ({type(model).__name__})", held_type(model)
    points = points.to(_device(model))

    def run(some: torch.Tensor) -> torch.Tensor:
        return outputs_of(model(some.clone()), output, model, len(some))

    with untouched(model), batchable(), torch.enable_grad(), callers_type():
        free = {key: value for key, value in model.named_parameters() if value.requires_grad}
        x = points.clone().requires_grad_(points.is_floating_point())
        stood, versions = ambient_randomness(), {key: value._version for key, value in state_of(model).items()}
        with _watched(model) as returned:
            try:
                z = run(x)
            except ValueError:
                raise
            except Exception as problem:
                raise ValueError(
                    f"{name} cannot be run on the given inputs, {points.dtype} of shape (point, *input) = "
                    f"{tuple(points.shape)}: {type(problem).__name__}: {problem}{'; ' + MOVED if need == 'inputs' else ''}"
                ) from problem
        drawing = ambient_randomness() != stood
        written = frozenset(key for key, value in state_of(model).items() if value._version != versions[key])
        weight = torch.from_numpy(np.random.default_rng(0).standard_normal(tuple(z.shape))).to(z)
        wanted = [*free.values(), *([x] if x.requires_grad else [])]
        if z.is_complex():
            raise ValueError(f"the outputs of {name} are {z.dtype}; give output=, a function that makes them real numbers, "
                             "such as output=torch.abs")  # fmt: skip
        slopes = _slopes(z, weight, wanted, name)
        tolerance = TOLERANCE[min((value.dtype for value in [z, *free.values()] if value.dtype in TOLERANCE),
                                  key=lambda dtype: torch.finfo(dtype).bits, default=torch.float32)]  # fmt: skip
        require_finite(z.detach().flatten()[:, None], f"outputs of {name}: values")
        with torch.no_grad():
            _require_steady(run, points, z.detach(), tolerance, name)
    if wanted and need != "outputs" and not z.requires_grad:
        raise ValueError(f"the outputs of {name} have no gradient (its forward uses torch.no_grad, detach or integers); "
                         "give a network that can be differentiated")  # fmt: skip
    gradients = {key: (g / len(x)).detach().to(kind) for key, g in zip(free, slopes, strict=False)}
    slope = slopes[-1].detach().to(kind) if x.requires_grad else None
    return Reference(points, z.detach().to(kind), weight.to(kind), gradients, slope, not returned, tolerance, drawing, written)


def _slopes(z: torch.Tensor, weight: torch.Tensor, wanted: list[torch.Tensor], name: str) -> list[torch.Tensor]:
    """Gradients of Σ weight · output."""
    if not z.requires_grad or not wanted:
        return [torch.zeros_like(each) for each in wanted]
    try:
        found = torch.autograd.grad((z * weight).sum(), wanted, allow_unused=True)
    except Exception as problem:
        raise ValueError(
            f"the gradient of {name} cannot be taken ({type(problem).__name__}: {problem}); give a network through which "
            "torch.autograd.grad can be run repeatedly: no graph kept from an earlier call, no reentrant checkpoint"
        ) from problem
    return [torch.zeros_like(each) if g is None else g.to_dense() for each, g in zip(wanted, found, strict=True)]


def _require_steady(
    run: Callable[[torch.Tensor], torch.Tensor], points: torch.Tensor, z: torch.Tensor, tolerance: float, name: str
) -> None:
    """Refuse a module that is random, or whose output for one point depends on others."""
    if not near(run(points), z, tolerance):
        raise ValueError(
            f"{name} gives different outputs for the same points from call to call, even in evaluation mode: something in its "
            "forward is random (functional dropout without training=self.training); make it deterministic"
        )
    remedy = (
        f"in {name} the output for one point depends on the other points of the batch (batch statistics: BatchNorm with "
        "track_running_stats=False, or a mean over the batch); give it running statistics or another norm"
    )
    beside = points if len(points) > 1 else torch.cat([points, _another(points)])
    together = z if len(points) > 1 else None
    try:
        together = run(beside) if together is None else together
        apart = torch.cat([run(part) for part in (beside[:1], beside[1:])])
    except Exception as problem:
        raise ValueError(f"{remedy} ({problem})") from problem
    if not near(apart, together, tolerance):
        raise ValueError(remedy)


def _another(points: torch.Tensor) -> torch.Tensor:
    return points * 0.5 if points.is_floating_point() else points


@contextmanager
def _watched(model: torch.nn.Module) -> Iterator[list[str]]:
    """Names of hooks that return something, or change their module, while it runs; use inside ``untouched``."""
    changed: list[str] = []

    def watch(hook: Callable[..., Any]) -> Callable[..., Any]:
        def watched(part: torch.nn.Module, *arguments: Any, **named: Any) -> Any:
            before = dict(part.__dict__)
            tensors = [each for each in arguments if isinstance(each, torch.Tensor)]
            versions = [each._version for each in tensors]
            result = hook(part, *arguments, **named)
            swapped = any(before.get(name, before) is not value for name, value in part.__dict__.items())
            if result is not None or swapped or versions != [each._version for each in tensors]:
                changed.append(type(part).__name__)
            return result

        return watched

    for part in model.modules():
        for table in CALLED:
            hooks = part.__dict__[table]
            for key, hook in list(hooks.items()):
                hooks[key] = watch(hook)
    yield changed


def some_of(inputs: torch.Tensor) -> torch.Tensor:
    """A few of the points, spread over all of them."""
    number = np.unique(np.linspace(0, len(inputs) - 1, min(LOOKED_AT, len(inputs))).round().astype(np.int64))
    return inputs[torch.from_numpy(number).to(inputs.device)].detach()


def input_kind(model: torch.nn.Module, points: torch.Tensor, need: Need) -> torch.dtype:
    """The type in which a module takes these points: as they are, or integers as real numbers."""
    real = input_type(model)
    if points.is_floating_point():
        return real
    if need != "inputs":
        try:
            with untouched(model), torch.no_grad(), callers_type():
                model(points.clone().to(_device(model)))
            return points.dtype
        except (RuntimeError, TypeError):
            return real
    return real


def _device(model: torch.nn.Module) -> torch.device:
    return next((value.device for value in [*model.parameters(), *model.buffers()]), torch.device("cpu"))
