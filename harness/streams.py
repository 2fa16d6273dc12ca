"""Random streams: one for every purpose, member and chain, never "seed + i".

A stream is named by what it is for and by whose it is, so that a member's numbers depend on nothing but its own name:
not on who shares its stack, not on the number of workers, not on the order of the work.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def sequence(purpose: str, *owner: int | str) -> np.random.SeedSequence:
    """The seed sequence of a named stream.

    Args:
        purpose: what the numbers are for ("initialisation", "order", "sgld").
        owner: whose they are: text (a digest) and non-negative whole numbers (seed, chain).
    """
    text = "\x1f".join([purpose, *(part for part in owner if isinstance(part, str))])
    entropy = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    spawn_key = tuple(part for part in owner if isinstance(part, int))
    return np.random.SeedSequence(entropy, spawn_key=spawn_key)


def numpy_generator(purpose: str, *owner: int | str) -> np.random.Generator:
    """A numpy generator on the stream of that name."""
    return np.random.default_rng(sequence(purpose, *owner))


def torch_generator(purpose: str, *owner: int | str, device: str = "cpu") -> torch.Generator:
    """A torch generator on the stream of that name.

    The generator lives on ``device``: the same name gives other numbers on a GPU than on a CPU.
    """
    import torch

    low, high = (int(word) for word in sequence(purpose, *owner).generate_state(2, np.uint32))
    return torch.Generator(device=device).manual_seed((high << 32 | low) & (2**63 - 1))
