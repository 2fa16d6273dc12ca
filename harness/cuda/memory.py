"""How much of a card's memory stacked work may hold: most of what is free, instead of a fixed amount."""

from __future__ import annotations

import torch

from harness import device

SHARE = 0.7  # of what is free: data, results, graphs, and gaps between what the allocator has handed out take the rest
_processes = 1


def share_card(processes: int) -> None:
    """Say how many processes share this one's card."""
    global _processes
    _processes = max(1, processes)


def bound_by_card() -> None:
    """Let stacked work hold this process's part of the free memory of its card, unless another amount was asked for.

    Chunks follow from it, and no number does (:func:`harness.device.limit_memory`).
    """
    if device.memory_limit("cuda") == device.MEMORY["cuda"] and torch.cuda.is_available():
        device.limit_memory(max(1, int(SHARE * torch.cuda.mem_get_info()[0] / _processes)))
