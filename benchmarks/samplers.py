"""Gradients, and seconds, that samplers of the LLC take for an error of 5 % on trained networks.

    python -m benchmarks.samplers [--only gradients|seconds] [--steps N] [--before PATH] [--peers PYTHON]

Toy classifiers 9-8-8-3, 9-16-16-16-3 and 9-64-64-64-3, each trained three times by itself, three times adversarially and twice
finetuned adversarially (pilot seeds, from 1000 on), 256 points, nβ = n / ln n, γ = 10 and γ = 1.

Reference: the kinetic sampler with an acceptance of 0.994 in place of 0.95, which halves its step, N steps over eight chains
(default 200,000; a fifth of them for 64 units).  Beside it, as the root mean squared relative error over members:

- gradients: the kinetic sampler as it stands, at a sequence of budgets a chain, and its bias in the mean of every cell, from a
  run as long as the reference; SGLD at ε = 2e-4, the largest step at which it shows no bias at γ = 10, with the best of three
  shares of burn-in at each budget (γ = 10, up to 16 units); and the settings that ``LLCSpec.auto`` of commit 6760b34 finds
  (γ = 10, up to 16 units; with --before, the path of a checkout of that commit).
- seconds: six networks of 16 units at γ = 10 on one core, finding the settings included: the kinetic sampler, LLCSpec.auto,
  devinterp as shipped (extrapolated from its time for a step and the gradients that SGLD takes), and MCLMC and NUTS of blackjax
  without their compilation (with --peers, an interpreter that has blackjax).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch

from benchmarks.instruments import per_call
from fixtures.slt.open import BATCH, Open
from harness.measure.llc import kinetic_course
from harness.measure.llc.engines import Task, run_stacked
from harness.measure.llc.estimate import LLCSpec, estimate
from harness.networks import encode, keep_freed_memory
from harness.recipe import MLP, Recipe
from harness.training.train import train

AIM = 0.05
HIDDEN = ((8, 8), (16, 16, 16), (64, 64, 64))
SEEDS, FINETUNED = (1000, 1001, 1002), 2
POINTS = 256
NBETA = POINTS / math.log(POINTS)
STEPS, CHAINS, SETTLING = 200_000, 8, 1000  # of the reference, and its burn-in
HALVED = 0.994  # acceptance; what is missing from 1 grows as the cube of the step
BUDGETS = (200, 400, 800, 1600, 3200, 6400)
SGLD_BUDGETS = (*BUDGETS, 12_800, 25_600, 51_200)
SGLD_STEP = 2e-4
SHARES = (0.1, 0.25, 0.5)  # of burn-in
FIRST = 6  # networks of a cell that are timed: those trained by themselves and adversarially
REPEATS = 3  # of the kinetic sampler's runs, each with its own noise


@dataclass(frozen=True, eq=False)
class Cell:
    """The networks of one shape.

    Attributes:
        hidden: their hidden layers.
        task: what is sampled.
        regimes: how each was trained.
    """

    hidden: tuple[int, ...]
    task: Task
    regimes: tuple[str, ...]

    @property
    def name(self) -> str:
        """For a table."""
        return "-".join(map(str, (9, *self.hidden, 3)))

    def repeat(self, number: int | str, members: int | None = None) -> Task:
        """The same on other noise, and of the first members alone."""
        theta = self.task.theta[:members]
        return replace(self.task, theta=theta, streams=[("samplers", number, k) for k in range(len(theta))])


def cells() -> list[Cell]:
    """Train the networks."""
    opened, found = Open(), []
    for hidden in HIDDEN:
        base = Recipe(opened.images(3072), MLP(hidden), epochs=100, batch_size=BATCH)
        data = base.data.load()
        standard, robust = (train(recipe, data, SEEDS) for recipe in (base, base.robust(opened.threat)))
        start = standard[max(standard)][:FINETUNED]
        fine = train(base.finetuned(opened.threat, epochs=50), data, SEEDS[:FINETUNED], start=start)
        theta = torch.cat([trained[max(trained)] for trained in (standard, robust, fine)])
        x = torch.from_numpy(data.train_x[:POINTS]).float().movedim(0, -1).contiguous()[None]
        y = encode(torch.from_numpy(data.train_y[:POINTS]), 3)[None]
        task = Task(base.program(), theta, x, y, "cross_entropy", "all", [(k,) for k in range(len(theta))])
        regimes = ("standard",) * len(SEEDS) + ("robust",) * len(SEEDS) + ("finetuned",) * FINETUNED
        found.append(Cell(hidden, task, regimes))
    return found


@cache
def long_run(cell: Cell, gamma: float, steps: int, acceptance: float) -> pd.DataFrame:
    """A run of many steps at the step size that is accepted so often."""
    draws = (steps // 5 if max(cell.hidden) > 16 else steps) // CHAINS
    spec = LLCSpec(gamma, chains=CHAINS, burn_in=SETTLING, draws=draws, descent=0)
    with patch.object(kinetic_course, "AIMED", acceptance):
        return estimate(cell.repeat(f"long {acceptance}"), spec, "stacked")


def rms(errors: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(errors))))


def crossing(sizes: Sequence[float], errors: Sequence[float], aim: float = AIM) -> float:
    """The size from which on the error is below the aim, between sizes by a power law; NaN where it is not reached."""
    above = [place for place, error in enumerate(errors) if not error <= aim]
    if not above:
        return sizes[0]
    last = above[-1]
    if last == len(sizes) - 1:
        return math.nan
    x, y = np.log(sizes[last : last + 2]), np.log(errors[last : last + 2])
    return float(np.exp(x[0] + (x[1] - x[0]) * (y[0] - math.log(aim)) / (y[0] - y[1])))


def course(spent: Sequence[float], errors: Sequence[float]) -> str:
    """Errors by seconds."""
    return ", ".join(f"{second:.2f} s: {error:.1%}" for second, error in zip(spent, errors, strict=True))


def by_budget(cell: Cell, gamma: float, truth: np.ndarray) -> np.ndarray:
    """Relative errors of the kinetic sampler as it stands, shape (budget, repeat, member)."""
    specs = [LLCSpec(gamma, precision=1e-9, budget=budget, descent=0) for budget in BUDGETS]
    return np.array([[timed(cell.repeat(f"{spec.budget}, {number}"), spec)[1] / truth - 1 for number in range(REPEATS)]
                     for spec in specs])  # fmt: skip


@cache
def of_sgld(cell: Cell, gamma: float) -> np.ndarray:
    """Estimates by SGLD, shape (share of burn-in, budget, member); a shorter run is the beginning of a longer."""
    spec = LLCSpec(gamma, sampler="sgld", step_size=SGLD_STEP, burn_in=0, draws=SGLD_BUDGETS[-1])
    task = cell.repeat("sgld")
    trace = run_stacked(task, {"main": spec})["main"]
    excess = NBETA * (trace.losses.double() - trace.initial_loss.double()[:, None])
    own = excess.view(len(task.theta), spec.chains, -1).mean(1).numpy()
    return np.array([[own[:, int(share * budget) : budget].mean(1) for budget in SGLD_BUDGETS] for share in SHARES])


@cache
def before(path: str, cell: Cell, gamma: float, members: int) -> dict[str, Any]:
    """What the search for settings of an earlier commit finds, and what the sampler estimates with them."""
    theta = cell.task.theta[:members]
    with tempfile.TemporaryDirectory() as folder:
        problem = Path(folder) / "problem.pt"
        torch.save({"sizes": [9, *cell.hidden, 3], "theta": theta, "x": cell.task.inputs[0].movedim(-1, 0).contiguous(),
                    "y": cell.task.targets[0].argmax(0), "gamma": gamma}, problem)  # fmt: skip
        command = [sys.executable, str(Path(__file__).with_name("peer_before.py")), str(problem)]
        environment = os.environ | {"PYTHONPATH": path}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=path)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def gradients(found: Sequence[Cell], steps: int, earlier: str | None) -> None:
    """Print what an error of 5 % takes, cell by cell."""
    for gamma in (10.0, 1.0):
        for cell in found:
            began = time.perf_counter()
            reference, usual = (long_run(cell, gamma, steps, acceptance) for acceptance in (HALVED, kinetic_course.AIMED))
            truth = reference["llc"].to_numpy()
            noise, share = rms(reference["llc_se"] / truth), (reference["step_size"] / usual["step_size"]).median()
            print(f"\nγ = {gamma:g}, {cell.name}: reference {CHAINS} × {reference['draws'].iloc[0]:,} draws, standard error "
                  f"{noise:.2%}, its step {share:.2f} of the usual")  # fmt: skip
            biases(cell, reference, usual)
            errors = by_budget(cell, gamma, truth)
            show("kinetic", BUDGETS, errors, cell.regimes)
            if gamma == 10.0 and max(cell.hidden) <= 16:
                shares = of_sgld(cell, gamma) / truth - 1
                best = [int(np.argmin([rms(shares[s, b]) for s in range(len(SHARES))])) for b in range(len(SGLD_BUDGETS))]
                show("SGLD", SGLD_BUDGETS, np.array([shares[s, b] for b, s in enumerate(best)]), cell.regimes)
                if earlier is not None:
                    of_search(earlier, cell, gamma, truth[:FIRST])
            print(f"  {time.perf_counter() - began:.0f} s", flush=True)


def of_search(path: str, cell: Cell, gamma: float, truth: np.ndarray) -> None:
    """Print the gradients of LLCSpec.auto, and its error."""
    told = before(path, cell, gamma, FIRST)
    error = np.array(told["llc"]) / truth - 1
    print(f"  LLCSpec.auto, first {FIRST}: RMSE {rms(error):.1%}, mean {error.mean():+.1%}; gradients of a network: "
          f"{told['search']:,} to find the settings and {told['estimate']:,} to estimate, "
          f"as many as {(told['search'] + told['estimate']) / 4:,.0f} a chain of four; "
          f"{told['shortfall'] or 'all that was asked for holds'}")  # fmt: skip


def biases(cell: Cell, reference: pd.DataFrame, usual: pd.DataFrame) -> None:
    """Print the mean relative difference of every regime at the usual step, and its standard error."""
    truth = reference["llc"].to_numpy()
    difference = usual["llc"].to_numpy() / truth - 1
    error = np.hypot(usual["llc_se"].to_numpy(), reference["llc_se"].to_numpy()) / truth
    parts = []
    for regime in dict.fromkeys(cell.regimes):
        own = np.array([each == regime for each in cell.regimes])
        parts.append(f"{regime} {difference[own].mean():+.2%} ± {rms(error[own]) / math.sqrt(own.sum()):.2%}")
    print(f"  bias at the usual step: {', '.join(parts)}")


def show(name: str, budgets: Sequence[int], errors: np.ndarray, regimes: Sequence[str]) -> None:
    """Print RMSE by budget, and gradients a chain to the aim."""
    over = [rms(each) for each in errors]
    told = ", ".join(f"{budget:,}: {error:.1%}" for budget, error in zip(budgets, over, strict=True))
    print(f"  {name}, RMSE by gradients a chain: {told}")
    reached = [f"all {crossing(budgets, over):,.0f}"]
    for regime in dict.fromkeys(regimes):
        own = np.array([each == regime for each in regimes])
        reached.append(f"{regime} {crossing(budgets, [rms(each[..., own]) for each in errors]):,.0f}")
    print(f"  {name}, gradients a chain to {AIM:.0%}: {', '.join(reached)}", flush=True)


def timed(task: Task, spec: LLCSpec) -> tuple[float, np.ndarray]:
    """Seconds of an estimate, and what it finds."""
    began = time.perf_counter()
    table = estimate(task, spec, "stacked")
    return time.perf_counter() - began, table["llc"].to_numpy(dtype=float)


def seconds(cell: Cell, steps: int, earlier: str | None, peers: str | None, members: int = FIRST, gamma: float = 10.0) -> None:
    """Print the wall time to the aim on one core."""
    reference = long_run(cell, gamma, steps, HALVED)
    truth = reference["llc"].to_numpy()
    aimed, sgld = truth[:members], of_sgld(cell, gamma) / truth - 1
    spent, errors = [], []
    for budget in BUDGETS:
        runs = [timed(cell.repeat(f"{budget}, {number}", members), LLCSpec(gamma, precision=1e-9, budget=budget))
                for number in range(REPEATS)]  # fmt: skip
        spent.append(float(np.median([took for took, _ in runs])))
        errors.append(rms(np.concatenate([found / aimed - 1 for _, found in runs])))
    print(f"\nseconds to {AIM:.0%} for {members} networks {cell.name}, γ = {gamma:g}")
    print(f"  kinetic: {crossing(spent, errors):.2f} s ({course(spent, errors)})", flush=True)
    took, usual = timed(cell.repeat("default", members), LLCSpec(gamma))
    print(f"  LLCSpec({gamma:g}) as it stands: {took:.2f} s, RMSE {rms(usual / aimed - 1):.1%}")
    curve = [min(rms(sgld[s, b, :members]) for s in range(len(SHARES))) for b in range(len(SGLD_BUDGETS))]
    needed = crossing(SGLD_BUDGETS, curve)
    spec = LLCSpec(gamma, sampler="sgld", step_size=SGLD_STEP, chains=1, burn_in=0, draws=300, descent=0)
    step = per_call(lambda: run_shipped(cell.repeat("step", 1), spec)) / 300
    print(f"  devinterp 1.3.2 as shipped: {step * 1e6:,.0f} µs a step × {needed:,.0f} steps × 4 chains × {members} networks = "
          f"{step * needed * 4 * members:,.0f} s (extrapolated)", flush=True)  # fmt: skip
    if earlier is not None:
        told = before(earlier, cell, gamma, members)
        print(f"  LLCSpec.auto: {told['search_seconds']:.1f} s for the settings, {told['estimate_seconds']:.1f} s to "
              f"estimate, RMSE {rms(np.array(told['llc']) / aimed - 1):.1%}", flush=True)  # fmt: skip
    if peers is not None:
        of_blackjax(peers, cell.repeat("blackjax", members), cell.hidden, aimed, gamma)


def run_shipped(task: Task, spec: LLCSpec) -> None:
    """One chain of devinterp with its own DataLoader."""
    import warnings

    from devinterp.optim.sgmcmc import SGMCMC
    from devinterp.slt.sampler import estimate_learning_coeff

    x, y = task.inputs[0].movedim(-1, 0).contiguous(), task.targets[0].argmax(0)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=len(x))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimate_learning_coeff(
            task.program.module(task.theta[0]), loader,
            evaluate=lambda model, batch: (torch.nn.functional.cross_entropy(model(batch[0]), batch[1]), {}),
            sampling_method=SGMCMC.sgld,
            optimizer_kwargs={"lr": spec.step_size, "localization": spec.localization, "nbeta": NBETA},
            num_draws=spec.draws or 1, num_chains=1, init_loss=0.1, verbose=False,
        )  # fmt: skip


def of_blackjax(python: str, task: Task, hidden: Sequence[int], truth: np.ndarray, gamma: float) -> None:
    """Print what its samplers take, four chains of every network at once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.npz"
        np.savez(path, sizes=np.array([9, *hidden, 3]), theta=task.theta.numpy(), x=task.inputs[0].flatten(0, -2).T.numpy(),
                 y=task.targets[0].argmax(0).numpy(), gamma=gamma, nbeta=NBETA)  # fmt: skip
        command = [python, str(Path(__file__).with_name("peer_blackjax.py")), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    for name, own in told["samplers"].items():
        errors = [rms(np.array(values) / truth - 1) for values in own["llc"]]
        spent = [own["tuning"] + own["drawing"] * share for share in told["shares"]]
        reached = crossing(spent, errors)
        kept = f"{reached:.2f} s" if math.isfinite(reached) else "not below it at the end"
        print(f"  {name} of blackjax {told['version']}: {kept}, {own['tuning']:.2f} s for tuning "
              f"({course(spent, errors)}), and {own['compiling']:.0f} s to compile; {own['gradients']:,.0f} gradients a chain "
              "in all", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("gradients", "seconds"), help="one part")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the reference, over all of its chains")
    parser.add_argument("--before", metavar="PATH", help="a checkout of commit 6760b34")
    parser.add_argument("--peers", metavar="PYTHON", help="interpreter that has blackjax")
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    found = cells()
    if given.only in (None, "seconds"):
        seconds(found[1], given.steps, given.before, given.peers)
    if given.only in (None, "gradients"):
        gradients(found, given.steps, given.before)


if __name__ == "__main__":
    main()
