"""What the entries of a store are called (digests of everything that changes their numbers), and where they lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.code import CodeError, code_digest
from harness.recipe import describe, digest
from harness.spec import definitions
from harness.store.shelf import Shelf

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from harness.data.base import Dataset, DataSpec
    from harness.measure.base import Measurement
    from harness.population import Population
    from harness.recipe import Recipe


def surroundings(device: str) -> dict[str, Any]:
    """What decides floating-point results besides recipe and code: library, device class, type, threads.

    Torch's other settings are the same whenever something is computed: see :mod:`harness.device`.
    """
    import torch

    version = torch.__version__.split("+")[0]
    said = {"torch": version, "device": device, "dtype": "float32", "threads": torch.get_num_threads()}
    if device == "cuda":
        from harness.cuda import steps_digest

        said["steps"] = steps_digest()
    return said


def member_key(recipe: Recipe, seed: int, data_digest: str, parent: str | None, device: str) -> dict[str, Any]:
    """What names one trained network: its recipe, its data, its parent, and the code that builds and trains it."""
    return {
        "kind": "member", "recipe": describe(recipe), "seed": seed, "data": data_digest, "parent": parent,
        "code": code_digest(import_module("harness.training.train"), *definitions(recipe)), **surroundings(device),
    }  # fmt: skip


def weights_key(recipe: Recipe, seed: int, parameters: dict[int, torch.Tensor], data_digest: str) -> dict[str, Any]:
    """What names a network that was not trained by a store: its weights, its seed, and the code that says what they compute.

    The seed counts as it does in :func:`member_key`: it stands in tables, and names the random streams of instruments.

    Args:
        recipe: its declared recipe, whose program gives the weights their meaning.
        seed: what whoever gave the weights calls it.
        parameters: its flat parameters by epoch.
        data_digest: digest of the recipe's data, which it is measured on.
    """
    return {
        "kind": "weights", "recipe": describe(recipe), "seed": seed, "data": data_digest,
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
    """What names a table that belongs to no network: its declared key, and the code that computes it.

    Args:
        name: what it is, in words.
        key: everything that it is declared to depend on.
        compute: makes it.
        values: further objects whose state counts; see :func:`harness.code.closure.closure`.
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


class Names:
    """Names and paths of members and tables.

    Args:
        shelf: where they lie.
        device: "cpu" or "cuda"; what makes them.
        data: loads the data of a spec, whose content is part of a name.
    """

    def __init__(self, shelf: Shelf, device: str, data: Callable[[DataSpec], Dataset]) -> None:
        self._shelf, self._device, self._data = shelf, device, data

    def members(self, recipe: Recipe, seeds: Sequence[int]) -> dict[int, str]:
        """What the members of a recipe are called, by seed."""
        parents = self.members(recipe.parent, seeds) if recipe.parent else {}
        data = self._data(recipe.data).digest
        of_all = digest(member_key(recipe, 0, data, None, self._device))  # what differs is put beside it: a fifth of the time
        return {seed: digest([of_all, seed, parents.get(seed)]) for seed in seeds}

    def member_paths(self, recipe: Recipe, seeds: Sequence[int]) -> dict[int, Path]:
        """Where the members of a recipe lie, or would lie, by seed."""
        return {seed: self._shelf.path("member", name) for seed, name in self.members(recipe, seeds).items()}

    def table_paths(self, population: Population, measurement: Measurement) -> dict[int, Path]:
        """Where the measurements of a population's members lie, or would lie, by seed."""
        of_all = digest(table_key("", measurement, self._device))
        return {seed: self._shelf.path("table", digest([of_all, name])) for seed, name in self._of(population).items()}

    def cached(
        self, name: str, key: Mapping[str, Any], compute: Callable[[], pd.DataFrame], values: Sequence[Any] = ()
    ) -> Path:
        """Where a table that belongs to no member lies, or would lie; see :meth:`harness.store.Store.cached`."""
        return self._shelf.path("table", digest(cached_key(name, key, compute, values, self._device)))

    def _of(self, population: Population) -> dict[int, str]:
        """What the members of a population are called: as a store trained them, else by their weights."""
        own: Any = population.parameters
        if stored(population):
            return {seed: own.names[seed] for seed in population.seeds}
        recipe, data = population.recipe, self._data(population.recipe.data).digest
        return {
            seed: digest(weights_key(recipe, seed, {epoch: own[epoch][row] for epoch in population.epochs}, data))
            for row, seed in enumerate(population.seeds)
        }


def stored(population: Population) -> bool:
    """Whether its members are as a store has them, and nobody has written into them."""
    from harness.population import Unread

    return isinstance(population.parameters, Unread) and not population.parameters.changed


def check_unmoved(what: str, asked: Any, now: Any) -> None:
    """Raise unless entries are still called what they were called when the work on them began.

    Raises:
        CodeError: they are not, so it is unknown which code they came from.
    """
    if asked != now:
        raise CodeError(
            f"the code behind {what} was imported in another version while the work was under way, so it is unknown which "
            "code its numbers came from; nothing was stored: run it again"
        )
