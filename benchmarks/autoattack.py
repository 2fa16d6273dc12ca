"""AutoAttack beside the code of its authors, on a robustly trained MNIST network and 1,000 points.

    HARNESS_DATA=… python benchmarks/autoattack.py --peers PYTHON

PYTHON is an interpreter of another environment, in which pyautoattack can be imported; see benchmarks/peers.py.  The network is
fully connected, 784-64-64-10, trained on 10,000 points with batches full of adversarial examples of L∞ size 0.1.
"""

from __future__ import annotations

import argparse
import tempfile
import time

import numpy as np
import torch
from instruments import hand_over, peer

from harness.data.mnist import Mnist
from harness.measure.attack.autoattack import autoattack
from harness.networks import keep_freed_memory
from harness.optimiser import Adam
from harness.population import Population
from harness.recipe import MLP, Norm, Recipe, Threat
from harness.training.train import train

RADII: tuple[tuple[Norm, str, float], ...] = (("linf", "Linf", 0.1), ("linf", "Linf", 0.2), ("l2", "L2", 1.5))


def main() -> None:
    """Robust accuracy by both, the points on which they differ, and the seconds that they take."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", metavar="PYTHON", required=True, help="interpreter that has pyautoattack")
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    base = Recipe(Mnist(train=10_000, test=1_000), MLP((64, 64)), optimiser=Adam(0.001), epochs=12, batch_size=64)
    recipe = base.robust(Threat("linf", 0.1), share=1.0)
    data = recipe.data.load()
    population = Population(recipe, (0,), train(recipe, data, (0,)))
    x, y = torch.from_numpy(data.test_x), torch.from_numpy(data.test_y)
    print(f"{'norm':6} {'epsilon':>8} {'ours':>8} {'theirs':>8} {'differ':>7} {'ours, s':>9} {'theirs, s':>10}")
    for norm, their_norm, epsilon in RADII:
        began = time.perf_counter()
        found = autoattack(population, x, y, epsilon=epsilon, norm=norm, bounds=data.bounds)
        seconds = time.perf_counter() - began
        with tempfile.TemporaryDirectory() as folder:
            problem = hand_over(population, (x, y), folder, norm=their_norm, epsilon=epsilon, seed=0)
            told = peer(given.peers, "pyautoattack", problem)
        if told is None:
            raise SystemExit(f"{given.peers} cannot import pyautoattack; install it there (pip install --no-deps pyautoattack)")
        ours, theirs = found.outcome[0] == "robust", np.array(told["robust"][0])
        print(f"{norm:6} {epsilon:8.2f} {ours.mean():8.3f} {theirs.mean():8.3f} {int((ours != theirs).sum()):7d} "
              f"{seconds:9.1f} {told['seconds']:10.1f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
