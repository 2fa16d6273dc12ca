"""Which modules can be measured at all, and under which settings of torch."""

from __future__ import annotations

from typing import cast

import torch

UNCOMPUTED = (torch.float8_e4m3fn, torch.float8_e5m2)


def plain_module(model: torch.nn.Module) -> torch.nn.Module:
    """The module inside a compiled or parallel one, whose function it is.

    Raises:
        ValueError: its parameters have no values yet, no real ones, or cannot be exchanged.
    """
    inner = getattr(model, "_orig_mod", None)
    plain = inner if isinstance(inner, torch.nn.Module) and type(model).__name__ == "OptimizedModule" else model
    if type(plain) in (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel):
        plain = cast("torch.nn.Module", plain.module)
    kind = type(plain).__name__
    for name, part in plain.named_modules():
        if isinstance(part, torch.jit.ScriptModule) and any(True for _ in [*part.parameters(), *part.buffers()]):
            where = f"{name!r} of {kind}" if name else kind
            raise ValueError(f"{where} is a compiled script: its parameters cannot be exchanged; give the module it is made of")
        if name and isinstance(part, torch.nn.DataParallel):
            raise ValueError(f"{name!r} of {kind} is a DataParallel, whose parameters cannot be exchanged; give its .module")
    for name, value in state_of(plain).items():
        _require_values(value, f"parameter or buffer {name!r} of {kind}")
        try:
            plain.get_submodule(name.rpartition(".")[0])
        except AttributeError:
            raise ValueError(f"{kind} names its parameter {name!r} so that it cannot be found there; give a module whose "
                             "named_parameters are torch's") from None  # fmt: skip
    return plain


def _require_values(value: torch.Tensor, what: str) -> None:
    """Refuse what has no values yet, or values that no flat vector of real numbers holds."""
    if torch.nn.parameter.is_lazy(value):
        raise ValueError(f"{what} has no shape yet; call the model on a batch first")
    if value.is_inference():
        raise ValueError(f"{what} was made inside of torch.inference_mode(), where nothing has a gradient; build or load the "
                         "network outside of it")  # fmt: skip
    if value.is_meta:
        raise ValueError(f"{what} is on the device 'meta', where there are no values; load them (to_empty, load_state_dict)")
    if value.layout != torch.strided or value.is_complex() or value.is_quantized or value.dtype in UNCOMPUTED:
        stored = value.layout if value.layout != torch.strided else value.dtype
        raise ValueError(f"{what} is stored as {stored}; give a network of dense real parameters (float32, float64, bfloat16 "
                         "or float16); complex ones as torch.view_as_real, sparse ones as to_dense()")  # fmt: skip


def require_ordinary() -> None:
    """Refuse a torch in which nothing that is created or computed would be what it is elsewhere.

    Raises:
        ValueError: inside of inference mode or autocast, or with another default type or device than torch's own.
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
            f"models are measured inside of {' and '.join(inside)}, which would change what is computed; call the instrument "
            "outside of it (a network may be of any type, and may use autocast in its own forward)"
        )


def state_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
