"""The state of torch in which every stored number is computed, whoever has set what before.

Torch keeps settings for a whole process, and a claim, a fixture or a notebook cell may leave them on: other default types or
matrix products of less precision give other weights, which would be stored under the same name.  So while the harness trains or
measures, they are what this module says, and afterwards what they were.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def standard_numerics(device: str) -> Iterator[None]:
    """Single precision, exact matrix products, no autocasting, nondeterministic kernels allowed, gradients on.

    Args:
        device: "cpu" or "cuda"; TF32 and the search for fast kernels are switched off on a GPU, too.
    """
    with contextlib.ExitStack() as restored:
        for read, write, standard in _settings(device):
            before = read()
            if before != standard:
                write(standard)
                restored.callback(write, before)
        _leave_modes(restored)
        yield


def _settings(device: str) -> list[tuple[Callable[[], Any], Callable[[Any], Any], Any]]:
    """How each setting is read, how it is written, and what it is while the harness computes."""
    import torch

    def attribute(owner: Any, name: str, standard: Any) -> tuple[Callable[[], Any], Callable[[Any], Any], Any]:
        return (lambda: getattr(owner, name)), (lambda value: setattr(owner, name, value)), standard

    # Precision by the settings of each library: torch.get_float32_matmul_precision raises where somebody has used these.
    backends: Any = torch.backends
    libraries = [backends.mkldnn.matmul, backends.mkldnn.conv, backends.mkldnn.rnn]
    found: list[tuple[Callable[[], Any], Callable[[Any], Any], Any]] = [
        (torch.get_default_dtype, torch.set_default_dtype, torch.float32),
        (torch.get_default_device, torch.set_default_device, torch.device("cpu")),
        (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, False),
        (_denormals_are_flushed, torch.set_flush_denormal, False),
        attribute(backends.mkldnn, "enabled", True),
    ]
    if device == "cuda":
        libraries += [backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn]
        found.append(attribute(backends.cudnn, "benchmark", False))
    return found + [attribute(library, "fp32_precision", "ieee") for library in libraries]


def _denormals_are_flushed() -> bool:
    """Torch does not say; a number below the smallest normal one does."""
    import torch

    return bool(torch.tensor(1e-40, dtype=torch.float32, device="cpu") * 1 == 0)


def _leave_modes(restored: contextlib.ExitStack) -> None:
    """Leave the modes of whoever called: inference, no gradients, autocasting."""
    import torch

    if torch.is_inference_mode_enabled():
        restored.enter_context(torch.inference_mode(False))
    if not torch.is_grad_enabled():
        restored.enter_context(torch.enable_grad())
    for kind in ("cpu", "cuda"):
        if torch.is_autocast_enabled(kind):
            restored.enter_context(torch.autocast(kind, enabled=False))
