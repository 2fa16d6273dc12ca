"""How many rows of a stack are worked on at once.  Rows never meet, so that this decides time and memory and no number."""

from __future__ import annotations

from harness.device import memory_limit
from harness.models.base import Program

CACHE_BYTES = 2**21  # widest activation of a chunk on a CPU; within a few per cent of the best from half to twice this
ACTIVATIONS = 4  # what a pass forward and back holds of them at most: its own, their gradients, and what is being made of them


def rows_at_a_time(
    program: Program, values: int, points: int, *, states: int, device: str, itemsize: int = 4,
    batch: int | None = None,
) -> int:  # fmt: skip
    """Rows that the memory that may be used holds (:func:`harness.device.memory_limit`), and on a CPU its cache.

    One at the least: what a single row needs is not cut.

    Args:
        program: the stack's program.
        values: what is held of one point at a time, beside the activations: its inputs, and whatever has their size.
        points: points that a row holds.
        states: tensors of the size of a row's parameters that are held at a time.
        device: "cpu" or "cuda".
        itemsize: bytes of a value.
        batch: points of a minibatch, the most that are in work at a time; None for all.
    """
    layout = program.layout
    each = itemsize * (points * (values + ACTIVATIONS * layout.units) + states * layout.total)
    rows = memory_limit(device) // each
    if device == "cpu":
        rows = min(rows, CACHE_BYTES // (itemsize * layout.widest * (batch or points)))
    return max(1, rows)
