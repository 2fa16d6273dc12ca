"""How many rows share a chunk: no more than memory and cache hold, one at the least."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness import device
from harness.networks import MLPProgram, rows_at_a_time
from harness.networks import program as chunks

PROGRAM = MLPProgram((3, 5, 2))  # 7 units, 32 parameters
EACH = 4 * (100 * (2 * 3 + chunks.ACTIVATIONS * 7) + 10 * 32)  # bytes of a row


@pytest.fixture(autouse=True)
def _default() -> Iterator[None]:
    yield
    device.limit_memory(None)


def rows(kind: str = "cuda", **more: int) -> int:
    return rows_at_a_time(PROGRAM, 2 * 3, 100, states=10, device=kind, **more)


def test_the_rows_that_memory_holds() -> None:
    device.limit_memory(12 * EACH)
    assert rows() == 12
    assert rows(itemsize=8) == 6
    device.limit_memory(12 * EACH - 1)
    assert rows() == 11
    device.limit_memory(1)
    assert rows() == rows("cpu") == 1
    device.limit_memory(None)
    assert rows() == 2**33 // EACH


def test_a_processor_s_cache_holds_the_widest_activation() -> None:
    assert rows("cpu") == chunks.CACHE_BYTES // (4 * 5 * 100)
    assert rows("cpu", batch=20) == chunks.CACHE_BYTES // (4 * 5 * 20)
    device.limit_memory(EACH)
    assert rows("cpu", batch=20) == 1  # the row holds all of its points
