"""Products of stacks that go into a view of the flat gradient."""

from __future__ import annotations

import torch

LARGE = 2**16  # values of a row's product from which a product a row beats one for all and a copy: 1.3 to 3 times as fast


def product_into(out: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> None:
    """``out`` ← ``left @ right``, row by row where the rows are large.

    A product of all rows straight into a strided view takes four to eight times as long, so that small ones are made beside it
    and copied.  A large one would be made in memory that is fresh from the system at every step.  Both give the same bits.

    Args:
        out: shape (row, n, m), each row contiguous.
        left: shape (row, n, k).
        right: shape (row, k, m).
    """
    if out[0].numel() < LARGE:
        out.copy_(torch.bmm(left, right))
        return
    for own, a, b in zip(out, left, right, strict=True):
        torch.mm(a, b, out=own)
