"""Cost against size, one axis at a time: it grows linearly, and memory stays where it is.

    python benchmarks/scaling.py

Networks 9-16-16-16-3, one thread.  Every case runs in a process of its own, whose peak memory is read when it ends;
"relative" is the time per unit of work in units of the smallest case's.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

BASE = {"members": 30, "chains": 2, "points": 500, "draws": 200}
AXES = {
    "members": (10, 30, 100, 300, 1000),
    "chains": (1, 2, 4, 8, 16),
    "points": (125, 250, 500, 1000, 2000),
    "draws": (100, 200, 400, 800, 1600),
}
ATTACK = {"members": (10, 30, 100, 300, 1000), "points": (64, 128, 256, 512, 1024)}


def measured(what: str, members: int, chains: int, points: int, draws: int) -> dict[str, float]:
    """Seconds of the work and peak memory of this process, in MB."""
    import torch

    from harness.data.toy import ToyImages
    from harness.measure.attack import smallest_perturbation
    from harness.measure.llc import LLCSpec, llc
    from harness.models import keep_freed_memory
    from harness.population import Population
    from harness.recipe import MLP, Recipe
    from harness.train import initial

    torch.set_num_threads(1)
    keep_freed_memory()
    recipe = Recipe(ToyImages(train=3072, test=1023), MLP((16, 16, 16)), epochs=0)
    data = recipe.data.load()
    population = Population(recipe, tuple(range(members)), {0: initial(recipe, range(members))})
    began = time.perf_counter()
    if what == "LLC":
        spec = LLCSpec(chains=chains, burn_in=0, draws=draws, sensitivity_chains=0)
        llc(population, data.train_x[:points], data.train_y[:points], spec=spec)
    else:
        smallest_perturbation(population, data.test_x[:points], data.test_y[:points])
    return {"seconds": time.perf_counter() - began, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}


def apart(what: str, sizes: dict[str, int]) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, json.dumps([what, sizes])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Print a table for each instrument and axis."""
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
