"""The device of jobs that run on other machines, which this one cannot look at."""

from __future__ import annotations

from harness import device


def asked_device(choice: str, gpus: float) -> str:
    """The device of jobs on other machines: what is asked for, and else what their GPUs say.

    Raises:
        DeviceError: it is no device, or the jobs are to use GPUs that they do not ask for, or the reverse.
    """
    if choice not in device.DEVICES:
        raise device.DeviceError(f"there is no device {choice!r}; choose one of {', '.join(device.DEVICES)}")
    if choice == "cuda" and not gpus:
        raise device.DeviceError("jobs that ask for gpus=0 have no CUDA device; leave the engine's option gpus out, or give 1")
    return choice if choice != "auto" else "cuda" if gpus else "cpu"
