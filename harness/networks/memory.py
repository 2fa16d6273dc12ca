"""Memory: how much there is, how much a backward pass holds per point, and how much freed memory the allocator keeps."""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from harness.errors import Shortfall
from harness.networks.layout import Layout

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
KEPT_BYTES = 2**28
LARGEST_FROM_HEAP = 2**25  # the most that glibc allows

MEMINFO = Path("/proc/meminfo")


class MemoryShortfall(Shortfall):
    """Something would not fit into memory; the message says how much it needs and how much there is."""


def available_memory(device: str = "cpu") -> int | None:
    """Bytes available on a device now; None if the system does not say."""
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    try:
        said = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
        return int(said["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):  # another system
        return None


def require_memory(needed: int, what: str, device: str = "cpu") -> None:
    """Refuse what cannot fit, before it starts.

    Args:
        needed: bytes.
        what: what needs them, in words.
        device: "cpu" or "cuda".

    Raises:
        MemoryShortfall: less is available.
    """
    free = available_memory(device)
    if free is not None and needed > free:
        raise MemoryShortfall(
            f"{what} needs {needed / 2**30:.1f} GiB of memory on {device} and {free / 2**30:.1f} GiB are free: use a larger "
            "machine, fewer workers at a time, or a smaller scale"
        )


@cache
def keep_freed_memory() -> bool:
    """Let glibc keep up to 256 MiB of freed memory for the next step; True if that could be set.

    A step of training or sampling allocates its activations anew.  By default glibc hands the top of the heap back to the
    system whenever a step frees it, and the next step pays for fresh, zeroed pages: 203 µs instead of 85 µs for a gradient of
    9-16-16-16-3 on 1,024 points.  It changes no number and nothing on other systems.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(M_TRIM_THRESHOLD, KEPT_BYTES) and mallopt(M_MMAP_THRESHOLD, LARGEST_FROM_HEAP))


@dataclass(frozen=True)
class MeasuredLayout(Layout):
    """A layout that knows how much a module holds per point, where the shapes of its parameters do not show it.

    Attributes:
        activations: entries of all tensors that a backward pass needs for one point.
        largest: entries of the largest of them.
    """

    activations: int = 1
    largest: int = 1

    @property
    def widest(self) -> int:
        """See :attr:`Layout.widest`."""
        return max(1, self.largest)

    @property
    def units(self) -> int:
        """See :attr:`Layout.units`."""
        return max(1, self.activations)


def activations_of(module: torch.nn.Module, call: Callable[[], torch.Tensor], points: int) -> tuple[int, int]:
    """Entries that a backward pass needs for one point: in all tensors together, and in the largest.

    Args:
        module: whose parameters are not counted.
        call: runs it on some points, with gradients.
        points: how many.
    """
    own = {value.untyped_storage().data_ptr() for value in module.parameters()}
    seen: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if (place := tensor.untyped_storage().data_ptr()) not in own:
            seen[place] = max(seen.get(place, 0), tensor.numel())
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = call()
    return math.ceil(sum(seen.values()) / points), math.ceil(max([*seen.values(), result.numel()]) / points)
