"""Random numbers that belong to the whole process, and that nothing reproducible may draw."""

from __future__ import annotations

import random

import numpy as np
import torch


def ambient_randomness() -> tuple[object, ...]:
    """Where the process-wide generators of torch (on the CPU), numpy and Python stand: another value once one has moved on."""
    numpys = np.random.get_state(legacy=False)["state"]  # noqa: NPY002 - it is read, not drawn from
    return torch.get_rng_state().numpy().tobytes(), numpys["key"].tobytes(), numpys["pos"], random.getstate()
