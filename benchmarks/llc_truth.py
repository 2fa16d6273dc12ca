"""How well the LLC is estimated where it is known, and whether `trusted` tells.

    python -m benchmarks.llc_truth

Linear networks with closed-form learning coefficients.  First 40 of them, four times over, with the settings that LLCSpec.auto
finds at γ = 3; then the first 40 with every setting of a grid, most of them unsuitable.  docs/method.md has the figures.
"""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pandas as pd
import torch

from harness.measure.llc import estimate
from harness.measure.llc_auto import search
from harness.measure.llc_spec import LLCSpec
from tests.measure.learning_coefficients import compared, random_truths, task

NBETA = 1024 / math.log(1024)
BAD = 0.25


def automatic(seed: int, preconditioner: str) -> pd.DataFrame:
    base = LLCSpec(localization=3.0, nbeta=NBETA, burn_in=1, preconditioner=preconditioner)
    tables = []
    for scope, truths in random_truths(seed):
        given = task(truths, scope)
        spec = search(given, base)
        tables.append(compared(estimate(given, spec, "stacked"), truths, scope).assign(short=bool(spec.search.shortfall)))
    return pd.concat(tables, ignore_index=True)


def grid(seed: int) -> pd.DataFrame:
    tables = []
    for gamma, step, steps in itertools.product((1.0, 3.0, 10.0, 100.0, 1000.0), (1e-2, 1e-3, 3e-4, 1e-4, 1e-5),
                                                ((0, 200), (1000, 1000))):  # fmt: skip
        spec = LLCSpec(gamma, step, burn_in=steps[0], draws=steps[1], nbeta=NBETA)
        for scope, truths in random_truths(seed):
            table = compared(estimate(task(truths, scope), spec, "stacked"), truths, scope)
            tables.append(table.assign(gamma=gamma, step=step, draws=steps[1]))
    return pd.concat(tables, ignore_index=True)


def figures(table: pd.DataFrame) -> str:
    error = table["error"].abs().fillna(np.inf)
    bad = error > BAD
    missed = f"{int((bad & table['trusted']).sum())} of {int(bad.sum())}"
    return (f"median |error| {error.median():.1%}, within 15 % {(error <= 0.15).mean():.1%}, trusted "
            f"{table['trusted'].mean():.0%}, bad and trusted {missed}")  # fmt: skip


def main() -> None:
    torch.set_num_threads(1)
    for preconditioner, seeds in (("none", (1, 2, 3, 4)), ("rmsprop", (1,))):
        for seed in seeds:
            began = time.perf_counter()
            table = automatic(seed, preconditioner)
            print(f"automatic, {preconditioner}, set {seed}: {figures(table)}; short of what was asked: "
                  f"{table['short'].mean():.0%}; {time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip
    began = time.perf_counter()
    table = grid(1)
    print(f"grid: {figures(table)}; {time.perf_counter() - began:.0f} s")
    for gamma, own in table.groupby("gamma"):
        print(f"γ = {gamma:g}: {figures(own)}")


if __name__ == "__main__":
    main()
