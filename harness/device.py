"""Where models are trained and measured, how much memory that may take, and the state of torch in which it is computed.

Torch keeps settings for a whole process, and a claim, a fixture or a notebook cell may leave them on: other default types or
matrix products of less precision give other weights, which would be stored under the same name.  So while the harness trains or
measures, they are what this module says, and afterwards what they were.

Nothing here imports torch before a question needs it, so that a session that never trains never pays for it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
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


DEVICES = ("auto", "cpu", "cuda")
VISIBLE = "CUDA_VISIBLE_DEVICES"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
MEMORY = {"cpu": 2**30, "cuda": 2**33}  # working memory of a process where nobody says otherwise, bytes
UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_DRIVERS = ("nvidia[0-9]*", "nvidia-caps/nvidia-cap*", "dxg", "kfd")  # NVIDIA, its MIG slices, WSL, ROCm


class DeviceError(ValueError):
    """A device that was asked for and is not there; the message says what there is and what to do."""


def resolve(choice: str) -> str:
    """The device that ``choice`` means on this machine.

    Args:
        choice: "auto" (CUDA where there is one, else the CPU), "cpu" or "cuda".

    Returns:
        "cpu" or "cuda".

    Raises:
        DeviceError: ``choice`` is no device, or it is "cuda" and torch finds none.
    """
    if choice not in DEVICES:
        raise DeviceError(f"there is no device {choice!r}; choose one of {', '.join(DEVICES)}")
    if choice == "cpu" or (choice == "auto" and not may_have_cuda()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if choice == "auto":
        return "cpu"
    raise DeviceError(
        f"no CUDA device was found ({_why_none(torch.version.cuda or torch.version.hip)}); "
        "use --claims-device cpu, or --claims-device auto to take a GPU only where there is one"
    )


def may_have_cuda(folder: Path = Path("/dev"), environment: Mapping[str, str] = os.environ) -> bool:
    """False where it is certain without torch that no CUDA device can be used; costs a directory listing."""
    if environment.get(VISIBLE) in ("", "-1"):
        return False
    if sys.platform == "darwin":
        return False
    if sys.platform != "linux":
        return True
    return any(next(folder.glob(pattern), None) is not None for pattern in _DRIVERS)


def gpus(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The CUDA devices of this process, named as ``CUDA_VISIBLE_DEVICES`` names them; empty without any."""
    if not may_have_cuda(environment=environment):
        return ()
    import torch

    return named(torch.cuda.device_count(), environment)


def named(count: int, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Names of the first ``count`` devices: the caller's own list where it gave one, else 0, 1, 2."""
    given = environment.get(VISIBLE)
    if given is None:
        return tuple(str(index) for index in range(count))
    return tuple(name.strip() for name in given.split(",") if name.strip())[:count]


def pin(names: tuple[str, ...], worker: int, environment: MutableMapping[str, str] = os.environ) -> None:
    """Let this process see one of ``names`` only, worker after worker in turn; call it before CUDA starts."""
    environment[VISIBLE] = names[worker % len(names)]


def one_thread() -> None:
    """Let torch, where it is loaded, compute with one thread.

    The workers are the parallelism, and a sum over one thread has one order, on every machine.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


_memory: int | None = None


def limit_memory(size: int | None) -> None:
    """Let stacked work of this process hold so many bytes at a time, beside its data and results; None for the default.

    It is worked on in chunks that fit, of one row at the least: less memory takes longer and changes no number.
    """
    global _memory
    _memory = size


def memory_limit(device: str) -> int:
    """Bytes that stacked work may hold on a device at a time."""
    return MEMORY[device] if _memory is None else _memory


def read_memory(text: str) -> int:
    """Bytes of a size such as "2GiB" or "512 MiB".

    Raises:
        DeviceError: it is none.
    """
    said = re.fullmatch(rf"(\d+(?:\.\d+)?)\s*({'|'.join(UNITS)})", text.strip())
    size = int(float(said[1]) * UNITS[said[2]]) if said else 0
    if size < 1:
        raise DeviceError(f"{text!r} is no amount of memory; write a number above 0 and one of {', '.join(UNITS)}, as in 2GiB")
    return size


def _why_none(built_for: str | None) -> str:
    if built_for is None:
        return "this torch is built for the CPU only"
    if os.environ.get(VISIBLE) in ("", "-1"):
        return f"{VISIBLE}={os.environ[VISIBLE]!r} hides every device"
    return f"this torch is built for CUDA {built_for} and sees no device: is the driver installed?"
