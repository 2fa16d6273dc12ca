"""The kernels of attention that can be run for a stack, with gradients.

In evaluation mode torch takes a fused path through a whole encoder layer, which has no derivative and no rule for ``vmap``; its
fused attention has the one and not the other.  The plain formula has both, to the same rounding.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def unfused() -> Iterator[None]:
    """Encoder layers operation by operation, as they run in training."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


@contextmanager
def batchable() -> Iterator[None]:
    """Attention by its plain formula; operations without a rule for ``vmap`` run row by row without a warning."""
    with unfused(), sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop because we have not yet implemented")
        yield
