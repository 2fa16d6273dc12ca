"""Cost against size, one axis at a time: it grows linearly, and memory stays where it is.

    python benchmarks/scaling.py

Networks 9-16-16-16-3 and, for what --memory bounds, 9-64-64-3; one thread.  Every case runs in a process of its own, whose peak
memory is read before the work and when it ends; "relative" is the time per unit of work in units of the smallest case's.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping

BASE = {"members": 30, "chains": 2, "points": 500, "draws": 200}
AXES = {
    "members": (10, 30, 100, 300, 1000),
    "chains": (1, 2, 4, 8, 16),
    "points": (125, 250, 500, 1000, 2000),
    "draws": (100, 200, 400, 800, 1600),
}
ATTACK = {"members": (10, 30, 100, 300, 1000), "points": (64, 128, 256, 512, 1024)}
BOUNDS = ("8MiB", "32MiB", "128MiB", "512MiB", None)  # None: the default
MANY = {"members": 1000, "chains": 2, "draws": 50, "hidden": (64, 64)}
POINTS = {"LLC": 64, "smallest perturbation": 256}  # few for an LLC: many rows would fit the cache, each with its noise


def measured(
    what: str, members: int, chains: int, points: int, draws: int, hidden: tuple[int, ...] = (16, 16, 16),
    memory: str | None = None,
) -> dict[str, float]:  # fmt: skip
    """Seconds of the work, peak memory of this process, and how far that is above the peak before the work; in MB."""
    import torch

    from harness.data.toy import ToyImages
    from harness.device import limit_memory, read_memory
    from harness.measure.attack.attack import smallest_perturbation
    from harness.measure.llc.estimate import LLCSpec, llc
    from harness.networks import keep_freed_memory
    from harness.population import Population
    from harness.recipe import MLP, Recipe
    from harness.training.train import initial

    torch.set_num_threads(1)
    keep_freed_memory()
    recipe = Recipe(ToyImages(train=3072, test=1023), MLP(tuple(hidden)), epochs=0)
    data = recipe.data.load()
    population = Population(recipe, tuple(range(members)), {0: initial(recipe, range(members))})
    spec = LLCSpec(step_size=1e-2, chains=chains, burn_in=0, draws=draws, descent=0)

    def work(some: Population) -> None:
        if what == "LLC":
            llc(some, data.train_x[:points], data.train_y[:points], spec=spec)
        else:
            smallest_perturbation(some, data.test_x[:points], data.test_y[:points])

    limit_memory(None if memory is None else read_memory(memory))
    work(population.select((0, 1)))  # imports, and what libraries keep for themselves
    before, began = peak(), time.perf_counter()
    work(population)
    return {"seconds": time.perf_counter() - began, "peak": peak(), "above": peak() - before}


def peak() -> float:
    """Largest memory that this process has had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def apart(what: str, sizes: Mapping[str, object]) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, json.dumps([what, sizes])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Print a table for each instrument and axis."""
    for what in ("LLC", "smallest perturbation"):
        print(f"\n{what}, {MANY['members']:,} members 9-64-64-3 × {POINTS[what]} points, by --memory"
              f"\n{'':>10} {'seconds':>9} {'peak above that before, MB':>27}")  # fmt: skip
        for bound in BOUNDS:
            seen = apart(what, MANY | {"points": POINTS[what], "memory": bound})
            print(f"{bound or 'default':>10} {seen['seconds']:9.2f} {seen['above']:27.0f}", flush=True)
    for what, axes in (("LLC", AXES), ("smallest perturbation", ATTACK)):
        for axis, values in axes.items():
            print(f"\n{what}, by {axis}\n{axis:>10} {'seconds':>9} {'relative':>9} {'peak, MB':>9}")
            first = None
            for value in values:
                seen = apart(what, BASE | {axis: value})
                each = seen["seconds"] / value
                first = first or each
                print(f"{value:10} {seen['seconds']:9.2f} {each / first:9.2f} {seen['peak']:9.0f}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        what, sizes = json.loads(sys.argv[1])
        print(json.dumps(measured(what, **sizes)))
    else:
        main()
