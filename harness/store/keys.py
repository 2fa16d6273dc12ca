"""Names of store entries: digests of everything that changes the numbers, and of nothing else."""

from __future__ import annotations

from typing import Any

from harness.code import code_digest
from harness.recipe import describe

__all__ = ["code_digest", "member_key", "surroundings"]


def surroundings(device: str) -> dict[str, Any]:
    """What decides floating-point results besides recipe and code: library, device class, type, threads."""
    import torch

    version = torch.__version__.split("+")[0]
    return {"torch": version, "device": device, "dtype": "float32", "threads": torch.get_num_threads()}


def member_key(recipe: Any, seed: int, data_digest: str, parent: str | None, device: str) -> dict[str, Any]:
    """What names one trained network."""
    import harness.models.ascent
    import harness.models.base
    import harness.models.descent
    import harness.models.layout
    import harness.models.losses
    import harness.models.mlp
    import harness.models.module
    import harness.models.two_layer
    import harness.streams
    import harness.train

    code = (
        harness.train, harness.streams, harness.models.ascent, harness.models.base, harness.models.descent,
        harness.models.layout, harness.models.losses, harness.models.mlp, harness.models.module,
        harness.models.two_layer,
    )  # fmt: skip
    return {
        "kind": "member", "recipe": describe(recipe), "seed": seed, "data": data_digest, "parent": parent,
        "code": code_digest(code), **surroundings(device),
    }  # fmt: skip
