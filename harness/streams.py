"""Random streams: one for every purpose, member and chain, never "seed + i".

A stream is named by what it is for and by whose it is, so that a member's numbers depend on nothing but its
own name: not on who shares its stack, not on the number of workers, not on the order of the work.
"""

from __future__ import annotations

import hashlib
import operator
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np

if TYPE_CHECKING:
    import torch


def sequence(purpose: str, *owner: int | str) -> np.random.SeedSequence:
    """The seed sequence of a named stream.

    Args:
        purpose: what the numbers are for ("initialisation", "order", "sgld").
        owner: whose they are: text (a digest) and whole numbers from 0 (seed, chain).

    Raises:
        ValueError: a part of the owner is neither.
    """
    texts, numbers = [purpose], []
    for part in owner:
        if isinstance(part, str):
            texts.append(part)
        else:
            numbers.append(_whole(purpose, part))
    entropy = int.from_bytes(hashlib.sha256("\x1f".join(texts).encode()).digest()[:16], "big")
    return np.random.SeedSequence(entropy, spawn_key=tuple(numbers))


def _whole(purpose: str, part: SupportsIndex) -> int:
    try:
        number = operator.index(part)
    except TypeError:
        number = -1
    if number < 0:
        raise ValueError(f"the stream {purpose!r} cannot belong to {part!r}; an owner is text or a whole number from 0")
    return number


def numpy_generator(purpose: str, *owner: int | str) -> np.random.Generator:
    """A numpy generator on the stream of that name."""
    return np.random.default_rng(sequence(purpose, *owner))


def torch_generator(purpose: str, *owner: int | str, device: str = "cpu") -> torch.Generator:
    """A torch generator on the stream of that name.

    The generator lives on ``device``: the same name gives other numbers on a GPU than on a CPU.  Of its seed a CPU takes the
    lower 32 bits: two of n names draw the same there with a probability of about n² / 2³³ (1e-4 for a thousand).
    """
    import torch

    low, high = (int(word) for word in sequence(purpose, *owner).generate_state(2, np.uint32))
    return torch.Generator(device=device).manual_seed((high << 32 | low) & (2**63 - 1))
