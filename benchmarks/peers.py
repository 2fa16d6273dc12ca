"""One measurement of a library that cannot share this project's environment, run by another Python interpreter.

    OTHER_PYTHON benchmarks/peers.py devinterp2|torchattacks|pyautoattack PROBLEM

PROBLEM is a file written by ``hand_over`` of benchmarks/instruments.py: networks, data, and how much is to be done.  Nothing of
this project is imported.  Prints JSON: version, seconds of the work without imports, and what was found.

- devinterp 2 takes language models only.  Here a "sequence" is the number of a point and a filler, and the loss per token that
  it lets a caller define is the cross-entropy of that point; the sampler, its data loader and its records are its own.
- torchattacks' PGD works on images between 0 and 1, so the networks are given inputs that are scaled back from there.
- pyautoattack is the code of AutoAttack's authors as a package; it takes images of shape (channel, height, width).
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
import warnings
from itertools import pairwise
from typing import Any

import torch


def network(sizes: list[int], state: dict[str, torch.Tensor]) -> torch.nn.Sequential:
    """The fully connected network whose parameters these are, in their order."""
    layers: list[torch.nn.Module] = [torch.nn.Flatten()]
    for fan_in, fan_out in pairwise(sizes):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
    made = torch.nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for parameter, value in zip(made.parameters(), state.values(), strict=True):
            parameter.copy_(value)
    return made


def devinterp2(problem: dict[str, Any]) -> dict[str, Any]:
    """One chain of SGLD on the full batch, as its function ``llc`` runs it."""
    from datasets import Dataset
    from devinterp.slt.llc import llc

    x, y = problem["x"], problem["y"]
    model = network(problem["sizes"], problem["states"][0])
    numbers = Dataset.from_dict({"input_ids": [[point, 0] for point in range(len(x))]}).with_format("torch")

    def loss(model: torch.nn.Module, input_ids: torch.Tensor) -> torch.Tensor:
        chosen = input_ids[:, 0]
        return torch.nn.functional.cross_entropy(model(x[chosen]), y[chosen], reduction="none")[:, None]

    began = time.perf_counter()
    found = llc(
        model, numbers, {}, lr=problem["step_size"], n_beta=problem["nbeta"], localization=problem["localization"],
        num_chains=1, num_draws=problem["draws"], batch_size=len(x), num_init_loss_batches=1, loss_fn=loss, device="cpu",
    )  # fmt: skip
    return {"seconds": time.perf_counter() - began, "llc": float(found["llc_mean"])}


def torchattacks(problem: dict[str, Any]) -> dict[str, Any]:
    """PGD from random starts at every radius; the smallest radius that flips each point."""
    from torchattacks import PGD

    low, high = problem["bounds"]
    x, y = (problem["x"] - low) / (high - low), problem["y"]

    class Scaled(torch.nn.Module):
        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.inner(images * (high - low) + low)

    models = [Scaled(network(problem["sizes"], state)).eval() for state in problem["states"]]
    began, sizes = time.perf_counter(), []
    for model in models:
        size = torch.full((len(x),), torch.inf)
        for radius in problem["radii"]:
            scaled = radius / (high - low)
            moved = PGD(model, eps=scaled, alpha=2.5 * scaled / problem["steps"], steps=problem["steps"])(x, y)
            with torch.no_grad():
                size[model(moved).argmax(1) != y] = radius  # the radii fall
        sizes.append(size.tolist())
    return {"seconds": time.perf_counter() - began, "sizes": sizes}


def pyautoattack(problem: dict[str, Any]) -> dict[str, Any]:
    """AutoAttack, standard version; which points of each network survive."""
    from pyautoattack import AutoAttack

    x, y = problem["x"][:, None], problem["y"]
    models = [network(problem["sizes"], state).eval() for state in problem["states"]]
    began, robust = time.perf_counter(), []
    for model in models:
        attack = AutoAttack(model, norm=problem["norm"], eps=problem["epsilon"], seed=problem["seed"])
        moved = attack.run_standard_evaluation(x, y)[0]
        with torch.no_grad():
            robust.append((model(moved).argmax(1) == y).tolist())
    return {"seconds": time.perf_counter() - began, "robust": robust}


def main() -> None:
    """Run what is asked for."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    peer, path = sys.argv[1:]
    work = {"devinterp2": devinterp2, "torchattacks": torchattacks, "pyautoattack": pyautoattack}[peer]
    version = importlib.metadata.version(peer.removesuffix("2"))
    print(json.dumps({"version": version} | work(torch.load(path))))


if __name__ == "__main__":
    main()
