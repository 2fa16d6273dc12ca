"""What a setting of a search costs when a batch of settings is one stack, as a share of what it costs alone.

    python benchmarks/settings.py [settings]

The grid of slt: six architectures, three regimes, 3,072 points; 16 seeds each alone, 3 seeds a setting together (a first look).
Seconds are of CPU time of this process, so that what else the machine does plays no part; training is timed over a few epochs
and counted in all of them, the LLC is timed whole, on networks of these few epochs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1])]

from fixtures.slt.grid import GRID, LAYERS, SINGLE_LAYERS, grid_recipes  # noqa: E402
from fixtures.slt.open import BATCH, Open  # noqa: E402
from harness import LLC, Population, Recipe, one_thread  # noqa: E402
from harness.data.base import Dataset  # noqa: E402
from harness.device import standard_numerics  # noqa: E402
from harness.measure.llc.across import measured_across  # noqa: E402
from harness.training.alongside import Part, train_alongside  # noqa: E402
from harness.training.train import train  # noqa: E402

SIZES, SEEDS, FIRST, EPOCHS = GRID["reduced"], 16, 3, 2
SCOPES = ("all", *LAYERS, *SINGLE_LAYERS)


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def trained(stack: list[Part]) -> None:
    for _ in train_alongside(stack):
        pass


def short(recipe: Recipe) -> Recipe:
    """The recipe with a few epochs and no parent: what a start is made of takes no time."""
    return replace(recipe, epochs=EPOCHS, parent=None)


def settings(count: int) -> list[Open]:
    rng = np.random.default_rng(0)
    return [Open(noise=float(rng.uniform(0.5, 1.5)), amplitude=float(rng.uniform(4, 8)), attack_steps=int(rng.integers(3, 21)))
            for _ in range(count)]  # fmt: skip


def training(opened: list[Open]) -> tuple[float, float]:
    """CPU seconds of training a setting: alone with all seeds, and together with a few."""
    alone, together = 0.0, 0.0
    usual = Open(attack_steps=11)  # about the mean of the scope
    for number, recipe in enumerate(grid_recipes(usual, SIZES)):
        one, data = short(recipe), recipe.data.load()
        alone += seconds(partial(train, one, data, range(SEEDS))) * recipe.epochs / EPOCHS
        every = [short(grid_recipes(each, SIZES)[number]) for each in opened]
        parts = [Part(each, each.data.load(), tuple(range(FIRST))) for each in every]
        stacks = [parts[first : first + 21] for first in range(0, len(parts), 21)]
        took = sum(seconds(partial(trained, stack)) for stack in stacks)
        together += took * recipe.epochs / EPOCHS / len(opened)
    return alone, together


def of(data: Dataset, recipe: Recipe, count: int) -> Population:
    return Population(recipe, tuple(range(count)), train(recipe, data, range(count)))


def measuring(opened: list[Open]) -> tuple[float, float]:
    """The same of the LLC under both protocols, of one architecture of each depth, counted twice."""
    alone, together = 0.0, 0.0
    for recipe in [each for each in grid_recipes(Open(), SIZES) if each.architecture.hidden[0] == 16 and each.parent is None]:
        for spec, points in ((SIZES.llc, SIZES.points), (Open().document(BATCH), SIZES.train)):
            measurement, one, data = LLC(spec, SCOPES, points), short(recipe), recipe.data.load()
            alone += 3 * seconds(partial(measurement.run, of(data, one, SEEDS), data, "cpu"))  # 18 recipes by these 6
            seen = []
            for each in opened:
                own = short(replace(recipe, data=each.images(SIZES.train)))
                seen.append((of(own.data.load(), own, FIRST), own.data.load()))
            together += 3 * seconds(partial(measured_across, measurement, seen, "cpu")) / len(opened)
    return alone, together


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    one_thread()
    total = np.zeros(2)
    with standard_numerics("cpu"):
        for what, work in (("training", training), ("LLC", measuring)):
            alone, together = work(settings(count))
            total += (alone, together)
            print(f"{what:<9} alone {alone:6.1f} s a setting   {count} together {together:6.1f} s   "
                  f"{alone / together:4.1f} times", flush=True)  # fmt: skip
    print(
        f"both      alone {total[0]:6.1f} s a setting   {count} together {total[1]:6.1f} s   {total[0] / total[1]:4.1f} times"
    )


if __name__ == "__main__":
    main()
