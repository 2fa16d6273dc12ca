"""Names of store entries: digests of everything that changes the numbers, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.code import code_digest
from harness.recipe import describe
from harness.spec import definitions, digest

if TYPE_CHECKING:
    import torch

    from harness.measure.base import Measurement
    from harness.recipe import Recipe


def surroundings(device: str) -> dict[str, Any]:
    """What decides floating-point results besides recipe and code: library, device class, type, threads.

    The rest of what torch can be set to is the same whenever something is computed: see :mod:`harness.numerics`.
    """
    import torch

    version = torch.__version__.split("+")[0]
    return {"torch": version, "device": device, "dtype": "float32", "threads": torch.get_num_threads()}


def member_key(recipe: Recipe, seed: int, data_digest: str, parent: str | None, device: str) -> dict[str, Any]:
    """What names one trained network: its recipe, its data, its parent, and the code that trains what it consists of."""
    return {
        "kind": "member", "recipe": describe(recipe), "seed": seed, "data": data_digest, "parent": parent,
        "code": code_digest(import_module("harness.train"), *definitions(recipe)), **surroundings(device),
    }  # fmt: skip


def weights_key(recipe: Recipe, parameters: dict[int, torch.Tensor], data_digest: str) -> dict[str, Any]:
    """What names a network that no store has trained: its weights, and the code that says what they compute.

    Args:
        recipe: what it is said to be; its program gives the weights their meaning.
        parameters: its flat parameters by epoch.
        data_digest: digest of the recipe's data, which it is measured on.
    """
    return {
        "kind": "weights", "recipe": describe(recipe), "data": data_digest,
        "weights": {str(epoch): describe(theta) for epoch, theta in parameters.items()},
        "code": code_digest(*definitions(recipe)),
    }  # fmt: skip


def table_key(member: str, measurement: Measurement, device: str) -> dict[str, Any]:
    """What names the measurement of one network, given the network's name."""
    return {
        "kind": "measurement", "member": member, "spec": describe(measurement),
        "code": code_digest(*definitions(measurement)), **surroundings(device),
    }  # fmt: skip


def cached_key(name: str, key: Any, compute: Callable[[], Any], values: Sequence[Any], device: str) -> dict[str, Any]:
    """What names a table that belongs to no network: what it is said to depend on, and the code of what computes it.

    Args:
        name: what it is, in words.
        key: what it is said to depend on.
        compute: makes it.
        values: what counts with its state besides; see :func:`harness.code.closure.closure`.
        device: "cpu" or "cuda".
    """
    inner = compute.func if isinstance(compute, partial) else compute
    given = definitions([compute.args, compute.keywords]) if isinstance(compute, partial) else ()
    code = code_digest(inner, *given, taken_along=False)
    held = {"values": code_digest(values=values)} if values else {}
    return {"kind": "cached", "name": name, "key": key, "code": code, **held, **surroundings(device)}


def code_of_data(spec: Any) -> str:
    """What tells two specs of data apart: what they say, and the code that makes data of them."""
    return digest([describe(spec), code_digest(*definitions(spec))])
