"""A population as files that plain PyTorch reads: safetensors a member, and a card that says what they are."""

from __future__ import annotations

import json
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.spec import describe
from harness.store import files
from harness.store.sharing import MEMBERS_AT_A_TIME, cut

if TYPE_CHECKING:
    import torch

    from harness.data.base import Dataset
    from harness.population import Population

CARD = "card.json"
FORMAT = 1
_FILE = re.compile(r"seed-[0-9]+(-epoch-[0-9]+)?\.safetensors")
# By what the provenance of a data set begins with; docs/data.md says more.
_LICENCES = {
    "MNIST (": "CC BY-SA 3.0",
    "CIFAR-10 (": "none is named; its author asks to cite his report Learning Multiple Layers of Features from Tiny Images",
    "generated": "none needed, since the points are generated",
}


def export(population: Population, folder: Path | str, *, epochs: Literal["final", "all"] = "final") -> Path:
    """Write the members of a population for plain PyTorch.

    Each member is a state dict in a file ``seed-3.safetensors`` (at an earlier kept epoch ``seed-3-epoch-10.safetensors``),
    with the names of ``torch.nn.Sequential(Flatten, Linear, ReLU, …)`` for an :class:`harness.MLP` and those of the module
    itself for any other architecture.  ``card.json``, which is written last, says what they are: recipe, seeds, identity,
    source and licence of the data, factors, versions, and the accuracy on the held-out points where the data can be loaded.

    Args:
        population: its members; those of a store are read a few at a time.
        folder: new or empty, or that of an earlier export of the same recipe, which is replaced.
        epochs: "final" for the last kept one, or "all".

    Returns:
        The card's path.

    Raises:
        ValueError: the folder holds something else, or a module's state is not all tensors.
        StoreError: the folder cannot be written.
    """
    if epochs not in ("final", "all"):
        raise ValueError(f"epochs is {epochs!r}; give 'final' or 'all'")
    folder, data = Path(folder), _data_of(population)
    _make_room(folder, population)
    chosen = population.epochs if epochs == "all" else population.epochs[-1:]
    members = [
        member
        for some in cut(population.seeds, MEMBERS_AT_A_TIME["measured"])
        for member in _written(population.select(some), folder, chosen, data)
    ]
    card = _card(population, data) | {"members": members}
    files.write(folder / CARD, json.dumps(card, indent=1, ensure_ascii=False).encode())
    return folder / CARD


def _make_room(folder: Path, population: Population) -> None:
    """Take an earlier export of the same recipe away, card first: a card never stands beside other files than its own."""
    try:
        there = sorted(each.name for each in folder.iterdir()) if folder.exists() else []
        if not there:
            return
        ours = json.loads((folder / CARD).read_bytes())["key"] == population.recipe.key
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    if not ours or not all(_FILE.fullmatch(name) for name in there if name != CARD):
        raise ValueError(
            f"{folder} holds something else than an export of {population.recipe.name}; give a new or empty folder"
        )
    try:
        for name in sorted(there, key=lambda name: name != CARD):
            (folder / name).unlink(missing_ok=True)
    except OSError as problem:
        raise files.unwritable(folder, problem, "the export cannot replace what is in") from problem


def _written(population: Population, folder: Path, epochs: tuple[int, ...], data: Dataset | None) -> list[dict[str, Any]]:
    """Write some members; what the card says of each."""
    from safetensors.torch import save

    accuracy = _accuracy(population, data)
    names = getattr(population.parameters, "names", {})
    told = []
    for row, seed in enumerate(population.seeds):
        for epoch in epochs:
            last = epoch == population.epochs[-1]
            file = f"seed-{seed}.safetensors" if last else f"seed-{seed}-epoch-{epoch}.safetensors"
            about = json.dumps({"recipe": population.recipe.key, "seed": seed, "epoch": epoch})
            content = save(state(population, epoch, row), {"card": about})
            files.write(folder / file, content)
            told.append({
                "seed": seed, "epoch": epoch, "file": file, "sha256": files.checksum(content),
                "accuracy": accuracy.get((seed, epoch)), "entry": names.get(seed),
            })  # fmt: skip
    return told


def state(population: Population, epoch: int, row: int) -> dict[str, torch.Tensor]:
    """The state dict of one member, as its module has it in plain PyTorch; no two tensors share memory.

    Raises:
        ValueError: something in it is no tensor.
    """
    import torch

    from harness.recipe import MLP

    module = population.program.module(population.parameters[epoch][row])
    if isinstance(population.recipe.architecture, MLP):
        module = torch.nn.Sequential(*module.children())  # numbered, as anybody would write it
    found = module.state_dict()
    if odd := [name for name, value in found.items() if not isinstance(value, torch.Tensor)]:
        raise ValueError(
            f"{odd[0]} in the state of {population.recipe.architecture.name} is no tensor, so safetensors cannot hold it"
        )
    return {name: value.detach().cpu().clone().contiguous() for name, value in found.items()}


def _data_of(population: Population) -> Dataset | None:
    """The data of the members; None where they are not there."""
    from harness.data import DataError, DataShortfall

    try:
        return population.recipe.data.load()
    except (DataError, DataShortfall):
        return None


def _accuracy(population: Population, data: Dataset | None) -> dict[tuple[int, int], float]:
    """Accuracy on all held-out points by seed and epoch; nothing without data, or where the targets are real numbers."""
    from harness.device import standard_numerics
    from harness.measure.gaps import Accuracy

    if data is None or data.classes < 2:
        return {}
    with standard_numerics("cpu"):
        table = Accuracy().run(population, data, "cpu")
    return {(int(row["seed"]), int(row["epoch"])): float(row["accuracy"]) for row in table.to_dict("records")}


def _card(population: Population, data: Dataset | None) -> dict[str, Any]:
    import torch

    from harness import __version__

    recipe = population.recipe
    source = None if data is None else data.provenance
    return {
        "format": FORMAT, "name": recipe.name, "key": recipe.key, "recipe": describe(recipe), "network": _network(population),
        "seeds": list(population.seeds), "epochs": list(population.epochs), "factors": describe(dict(population.labels)),
        "data": {
            "name": type(recipe.data).__name__ if data is None else data.name, "spec": describe(recipe.data),
            "sha256": None if data is None else data.digest, "source": source, "licence": _licence(source),
        },
        "versions": {"claims-harness": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }  # fmt: skip


def _network(population: Population) -> dict[str, Any]:
    """How the module is built to which the state dicts belong."""
    from harness.recipe import MLP, Module

    architecture, data = population.recipe.architecture, population.recipe.data
    told: dict[str, Any] = {"input": list(data.shape), "outputs": data.classes}
    if isinstance(architecture, MLP):
        sizes = population.program.layout.shapes
        told["sizes"] = [sizes[0][1], *(shape[0] for shape in sizes if len(shape) > 1)]
    elif isinstance(architecture, Module):
        told |= {"build": architecture.build, "arguments": describe(dict(architecture.arguments))}
    told["module"] = str(population.program.module(population.final[0]))
    return told


def _licence(source: str | None) -> str | None:
    return next((licence for start, licence in _LICENCES.items() if (source or "").startswith(start)), None)
