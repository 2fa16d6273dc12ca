"""How well the LLC is estimated where it is known, and whether `trusted` tells.

    python -m benchmarks.llc_truth [--only truths|grid|scaled|above]

Linear networks and normal crossings with closed-form learning coefficients.

- truths: forty of them, four times over, with the settings that the kinetic sampler finds at γ = 1;
- grid: the first forty with every setting of a grid of both samplers, most of them unsuitable;
- scaled: regressions with inputs 30 and 1,000 times larger than the others, along the coordinates and across them, and linear
  networks with one large singular value;
- above: regressions and linear networks that are not at their minimum.

Of the estimates of the last three that are off by more than 25 % at most 0.2 % should be trusted; those that are, are printed.
docs/method/llc.md has the figures.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from harness.measure.llc.estimate import LLCSpec, estimate
from tests.measure.llc.learning_coefficients import (
    LinearTruth,
    Truth,
    compared,
    linear_truth,
    random_truths,
    second_moments,
    task,
)

NBETA = 1024 / math.log(1024)
BAD = 0.25
AIM = 0.002  # of the bad ones, that may be trusted
MEMBERS = 8
BUDGETS = (200, 1000, 5000, 20_000)
SHOWN = ["llc", "llc_se", "truth", "error", "rhat", "effective_draws", "drift", "growth", "displacement", "depth", "acceptance",
         "localization_sensitivity", "lr_sensitivity", "step_size", "burn_in", "draws"]  # fmt: skip

Group = tuple[str, Sequence[Truth]]  # the scope, and models of one shape
Setting = tuple[str, LLCSpec]


def measured(groups: Sequence[Group], settings: Sequence[Setting], kind: str) -> pd.DataFrame:
    """Every group with every setting."""
    tables = []
    for name, spec in settings:
        for scope, truths in groups:
            table = compared(estimate(task(truths, scope), spec, "stacked"), truths, scope)
            tables.append(table.assign(kind=kind, setting=name, sampler=spec.sampler, gamma=spec.localization))
    return pd.concat(tables, ignore_index=True)


def kinetic_settings(gamma: float) -> Iterator[Setting]:
    """Settings that are found within budgets from far too small to ample, and given step sizes from too small to too large."""
    base = LLCSpec(gamma, nbeta=NBETA, sensitivity_chains=1)
    yield f"kinetic γ {gamma:g}, 4 + 46 steps", replace(base, burn_in=4, draws=46)
    for budget in (200, 1000, 5000):
        yield f"kinetic γ {gamma:g}, budget {budget}", replace(base, budget=budget)
    for step in (None, 1e-3, 0.1, 1.0):
        name = f"kinetic γ {gamma:g}, step {step or 'found'}, mass unit, budget 1000"
        yield name, replace(base, step_size=step, mass="unit", budget=1000)


def sgld_settings(gamma: float, sizes: Sequence[float] = (1e-2, 1e-3, 3e-4, 1e-4, 1e-5)) -> Iterator[Setting]:
    """Step sizes from too large to too small, with few steps and with more."""
    for step, (burn_in, draws) in itertools.product(sizes, ((0, 200), (1000, 1000))):
        spec = LLCSpec(gamma, sampler="sgld", step_size=step, burn_in=burn_in, draws=draws, nbeta=NBETA, sensitivity_chains=1)
        yield f"sgld γ {gamma:g}, step {step:g}, {burn_in} + {draws} steps", spec


def grid() -> pd.DataFrame:
    """Unsuitable settings on forty random models."""
    tables = []
    for gamma in (1000.0, 1.0, 10.0, 100.0, 3.0):
        for settings in (kinetic_settings(gamma), sgld_settings(gamma)):
            tables.append(measured(random_truths(1), list(settings), "grid"))
            print(f"γ = {gamma:g}, {tables[-1]['sampler'].iloc[0]}: {figures(tables[-1])}", flush=True)
    return pd.concat(tables, ignore_index=True)


def regression(scales: Sequence[float], seed: int, *, turned: bool = False) -> LinearTruth:
    """Linear regression at its least-squares solution, with inputs of those sizes, in a random rotation where ``turned``."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(1024, len(scales), generator=draw, dtype=torch.float64) * torch.tensor(scales, dtype=torch.float64)
    if turned:
        x = x @ torch.linalg.qr(torch.randn(len(scales), len(scales), generator=draw, dtype=torch.float64)).Q
    y = torch.randn(1024, 1, generator=draw, dtype=torch.float64)
    theta = torch.linalg.lstsq(x, y).solution
    return LinearTruth((len(scales), 1), 1, theta.flatten().float(), *second_moments(x, y))


def steep_network(values: Sequence[float], seed: int) -> LinearTruth:
    """A linear network 6-3-6 whose map has those singular values, shared evenly by its layers."""
    draw = torch.Generator().manual_seed(seed)
    frames = [torch.linalg.qr(torch.randn(size, size, generator=draw, dtype=torch.float64)).Q[:, :3] for size in (6, 3, 6)]
    roots = torch.diag(torch.tensor(values, dtype=torch.float64).sqrt())
    below, above = (frames[place + 1] @ roots @ frames[place].T for place in (0, 1))
    x = torch.randn(1024, 6, generator=draw, dtype=torch.float64)
    theta = torch.cat([below.flatten(), above.flatten()]).float()
    return LinearTruth((6, 3, 6), 3, theta, *second_moments(x, x @ (above @ below).T))


def scaled() -> pd.DataFrame:
    """Directions of very different steepness."""
    kinds: dict[str, Sequence[Truth]] = {
        f"8 of 16 inputs {scale:g} times larger, {'turned' if turned else 'along the coordinates'}":
        [regression([scale] * 8 + [1.0] * 8, seed, turned=turned) for seed in range(MEMBERS)]
        for scale in (30.0, 1000.0) for turned in (False, True)
    }  # fmt: skip
    for largest in (30.0, 300.0):
        kinds[f"6-3-6 with singular values {largest:g}, 1, 1"] = [steep_network((largest, 1.0, 1.0), s) for s in range(MEMBERS)]
    budgets = [(f"kinetic γ {gamma:g}, budget {budget}", LLCSpec(gamma, nbeta=NBETA, sensitivity_chains=1, budget=budget))
               for gamma in (1.0, 10.0) for budget in BUDGETS]  # fmt: skip
    settings = [*budgets, *sgld_settings(1.0, (1e-3, 1e-5, 1e-7))]
    tables = []
    for kind, truths in kinds.items():
        tables.append(measured([("all", truths)], settings, kind))
        print(f"{kind}: {figures(tables[-1])}", flush=True)
    return pd.concat(tables, ignore_index=True)


def raised(truth: LinearTruth, rise: float, seed: int) -> LinearTruth:
    """The same network, moved in a random direction until its loss is higher by that share."""
    direction = torch.randn(len(truth.theta), generator=torch.Generator().manual_seed(seed))

    def loss(size: float) -> float:
        views = truth.program.layout.views((truth.theta + size * direction)[None].double())
        return float(truth.program.loss(views, truth.inputs.T[None].double(), truth.targets.T[None].double(), "mse"))

    low, high, aim = 0.0, 1.0, (1 + rise) * loss(0.0)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if loss(middle) < aim else (low, middle)
    return replace(truth, theta=truth.theta + low * direction)


def above() -> pd.DataFrame:
    """Models off their minimum by a share of the loss, whose estimate is too low by nβ times what that share is worth."""
    groups: list[tuple[str, list[LinearTruth]]] = [("all", [regression([1.0] * 16, seed) for seed in range(MEMBERS)])]
    for number, sizes in enumerate(((5, 4, 6), (4, 6, 3, 5), (3, 5, 4, 6, 7))):
        groups.append(("all", [linear_truth(sizes, 1 + seed % 3, seed=700 + 10 * number + seed, noise=0.5)
                               for seed in range(MEMBERS)]))  # fmt: skip
    settings = [(f"kinetic γ {gamma:g}, budget {budget}", LLCSpec(gamma, nbeta=NBETA, sensitivity_chains=1, budget=budget))
                for gamma in (1.0, 10.0) for budget in BUDGETS[:-1]]  # fmt: skip
    settings += list(sgld_settings(1.0, (1e-3, 1e-4)))
    tables = []
    for rise in (0.01, 0.03, 0.04, 0.10):
        moved = [(scope, [raised(truth, rise, seed) for seed, truth in enumerate(truths)]) for scope, truths in groups]
        tables.append(measured(moved, settings, f"{rise:.0%} above the minimum"))
        print(f"{rise:.0%} above the minimum: {figures(tables[-1])}", flush=True)
    return pd.concat(tables, ignore_index=True)


def off(table: pd.DataFrame) -> pd.Series[float]:
    """|error|, infinite where there is no estimate."""
    return table["error"].abs().fillna(np.inf)


def missed(table: pd.DataFrame) -> pd.DataFrame:
    """The estimates that are bad and trusted."""
    return table[(off(table) > BAD) & table["trusted"]]


def figures(table: pd.DataFrame) -> str:
    error = off(table)
    within = ", ".join(f"within {share:.0%} {(error <= share).mean():.1%}" for share in (0.10, 0.15))
    return (f"median |error| {error.median():.1%}, {within}, trusted {table['trusted'].mean():.1%}, off by more than 25 % "
            f"{int((error > BAD).sum())} of {len(table)}, {len(missed(table))} of them trusted")  # fmt: skip


def truths() -> None:
    """The settings that are found, on four sets of forty."""
    spec = LLCSpec(localization=1.0, nbeta=NBETA, precision=0.015)  # chosen on the sets 11 to 14
    tables = []
    for seed in (1, 2, 3, 4):
        began = time.perf_counter()
        table = measured(random_truths(seed), [("found", spec)], f"set {seed}")
        gradients = table["burn_in"] + table["draws"]
        print(f"set {seed}: {figures(table)}; gradients a chain: median {gradients.median():,.0f}, most {gradients.max():,}; "
              f"{time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip
        tables.append(table)
    print(f"all sets: {figures(pd.concat(tables, ignore_index=True))}")


def judged(table: pd.DataFrame) -> None:
    """Print a line for each kind, and every estimate that is bad and trusted."""
    for (kind, sampler), own in table.groupby(["kind", "sampler"], sort=False):
        print(f"{kind}, {sampler}: {figures(own)}")
    for (sampler, gamma), own in table.groupby(["sampler", "gamma"]):
        print(f"  {sampler}, γ = {gamma:g}: {figures(own)}")
    wrong, bad = missed(table), int((off(table) > BAD).sum())
    print(f"trusted of those off by more than 25 %: {len(wrong)} of {bad}, {len(wrong) / max(bad, 1):.2%} (aim: {AIM:.1%})")
    for row in wrong.to_dict("records"):
        seen = ", ".join(f"{name} {row[name]:.3g}" for name in SHOWN)
        print(f"  {row['kind']}; {row['setting']}; {row['sizes']} rank {row['rank']} scope {row['scope']}: {seen}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("truths", "grid", "scaled", "above"), help="one part")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    if only in (None, "truths"):
        truths()
    for name, part in {"above": above, "scaled": scaled, "grid": grid}.items():
        if only in (None, name):
            began = time.perf_counter()
            table = part()
            judged(table)
            print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
