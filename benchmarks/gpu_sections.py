"""What benchmarks/gpu.py measures on a card: each section is a generator of rows, at one of three sizes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

NETS = {"9-16-16-16-3": (16, 16, 16), "9-64-64-3": (64, 64), "convolutional": None}
AGREE = "test_slt_regimes.py"


@dataclass(frozen=True)
class Sizes:
    """How much is done."""

    members: int
    chains: int
    points: int
    steps: int
    few: int
    reference_steps: int
    scale: str
    grid: str


FULL = Sizes(members=500, chains=4, points=1000, steps=150, few=8, reference_steps=150, scale="reduced", grid="full")
QUICK = Sizes(members=12, chains=2, points=256, steps=30, few=4, reference_steps=10, scale="smoke", grid="smoke")
TINY = Sizes(members=2, chains=2, points=40, steps=6, few=2, reference_steps=4, scale="smoke", grid="smoke")
SIZES = {"full": FULL, "quick": QUICK, "tiny": TINY}
Row = dict[str, Any]


def seconds(work: Callable[[], object], device: str) -> float:
    """Seconds of one call, what the card still has to do included."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def rate(work: Callable[[], object], steps: float, device: str) -> float:
    """Microseconds a step, of a second call."""
    work()
    return seconds(work, device) / steps * 1e6


def capturing(device: str) -> None:
    """Capture steps from now on, where there is a card."""
    if device == "cuda":
        from harness.cuda import bound_by_card, capture_steps

        bound_by_card()
        capture_steps()


def network(name: str) -> Any:
    """A small network of that name, on images of 3 × 3, or of 8 × 8 where it is convolutional."""
    from torch import nn

    hidden = NETS[name]
    if hidden is None:
        return nn.Sequential(
            nn.Unflatten(1, (1, 8)), nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Flatten(),
            nn.Linear(128, 3),
        )  # fmt: skip
    sizes = (9, *hidden, 3)
    layers = [layer for into, out in pairwise(sizes) for layer in (nn.Linear(into, out), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), *layers[:-1])


def problem(name: str, sizes: Sizes) -> tuple[list[Any], Any, Any]:
    """Networks as they begin, inputs and class numbers."""
    import torch

    torch.manual_seed(0)
    side = 8 if NETS[name] is None else 3
    x = torch.randn(sizes.points, side, side)
    y = torch.randint(0, 3, (sizes.points,))
    return [network(name) for _ in range(sizes.members)], x, y


def slope(work: Callable[[int], object], low: int, high: int, device: str) -> float:
    """Microseconds of one more step: what comes before the first, and the recording of a graph, drop out."""
    work(low)
    first, second = (seconds(lambda steps=steps: work(steps), device) for steps in (low, high))  # type: ignore[misc]
    return (second - first) / (high - low) * 1e6


def llc_section(device: str, sizes: Sizes) -> Iterator[Row]:
    """LLC per model × chain × step."""
    import torch

    from harness.measure.llc.engines import run_stacked
    from harness.measure.llc.estimate import LLCSpec, prepare

    kinds = {
        "kinetic": LLCSpec(step_size=1e-2, chains=sizes.chains, burn_in=0, descent=0),
        "SGLD": LLCSpec(sampler="sgld", step_size=1e-4, chains=sizes.chains, burn_in=0, descent=0),
    }
    found: dict[tuple[str, str, str], float] = {}
    tasks: dict[tuple[str, str], Any] = {}

    def ours(name: str, kind: str, where: str, members: int) -> float:
        if (name, where) not in tasks:  # some networks over and over: how they come to lie in a stack is not timed
            models, x, y = problem(name, replace(sizes, members=sizes.few))
            task = prepare(models, x, y, loss="cross_entropy", scope=None, seed=0, device=where)
            chosen = torch.arange(members, device=task.theta.device) % sizes.few
            streams = [("benchmark", member) for member in range(members)]
            tasks[name, where] = replace(task, theta=task.theta[chosen], streams=streams)

        def work(steps: int) -> None:
            with torch.no_grad():
                run_stacked(tasks[name, where], {"estimate": replace(kinds[kind], draws=steps)})

        return slope(work, sizes.steps // 3, sizes.steps, where) / members / sizes.chains

    forms = ("kernel by kernel", "captured") if device == "cuda" else ("as on any CPU",)
    for form in forms:
        if form == "captured":
            capturing(device)
        for name in NETS:
            for kind in kinds:
                found[name, kind, form] = ours(name, kind, device, sizes.members)
                yield row("LLC", f"{name}, {kind}, {form}", found[name, kind, form])
    for name in NETS:
        for kind in kinds:
            what, mine = f"{name}, {kind} beside devinterp 1.3.2", found[name, kind, forms[-1]]
            yield beside("LLC", what, mine, lambda name=name: devinterp(name, device, sizes))  # type: ignore[misc]
        if device == "cuda":
            torch.set_num_threads(2)
            for kind in kinds:
                on_cpu = ours(name, kind, "cpu", sizes.few)
                yield row("LLC", f"{name}, {kind} beside two CPU threads", found[name, kind, "captured"], on_cpu)


def devinterp(name: str, device: str, sizes: Sizes) -> float:
    """Microseconds of a step of devinterp 1.3.2, one chain of one model on the full batch."""
    import torch
    from devinterp.optim.sgmcmc import SGMCMC
    from devinterp.slt.sampler import estimate_learning_coeff

    models, x, y = problem(name, replace(sizes, members=1))
    x, y = x.to(device), y.to(device)

    class Sliced(torch.utils.data.DataLoader):  # type: ignore[type-arg]
        """A loader that hands out the tensors as they are."""

        def __iter__(self):  # type: ignore[no-untyped-def]
            yield x, y

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimate_learning_coeff(
                models[0].to(device), Sliced(torch.utils.data.TensorDataset(x, y), batch_size=len(x)),
                evaluate=lambda model, batch: (torch.nn.functional.cross_entropy(model(batch[0]), batch[1]), {}),
                sampling_method=SGMCMC.sgld, optimizer_kwargs={"lr": 1e-4, "localization": 1.0, "nbeta": 145.0},
                num_draws=sizes.reference_steps, num_chains=1, init_loss=0.1, verbose=False, device=device,
            )  # fmt: skip

    return rate(run, sizes.reference_steps, device)


def training_section(device: str, sizes: Sizes) -> Iterator[Row]:
    """Training per member × step."""
    import torch

    from harness.data.toy import ToyImages
    from harness.recipe import MLP, Recipe, Threat
    from harness.training.train import train

    base = Recipe(ToyImages(train=32 * sizes.steps), MLP((16, 16, 16)), epochs=2)
    recipes = {"standard": base, "robust, 10 steps of PGD": base.robust(Threat(epsilon=2.0, steps=10))}
    data = base.data.load()
    steps = base.epochs * sizes.steps
    found: dict[str, float] = {}
    for form in ("kernel by kernel", "captured") if device == "cuda" else ("as on any CPU",):
        if form == "captured":
            capturing(device)
        for name, recipe in recipes.items():
            found[name] = rate(
                lambda recipe=recipe: train(recipe, data, range(sizes.members), device=device), sizes.members * steps, device
            )  # type: ignore[misc]
            yield row("training", f"9-16-16-16-3, {name}, {form}", found[name])
    x, y = torch.from_numpy(data.train_x).to(device), torch.from_numpy(data.train_y).to(device)

    def loop() -> None:
        module = network("9-16-16-16-3").to(device)
        optimiser = torch.optim.SGD(module.parameters(), lr=0.01)
        for batch in torch.randperm(len(x)).to(device).split(32):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(module(x[batch]), y[batch]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    yield row("training", "standard beside a loop of ordinary PyTorch", found["standard"], rate(loop, sizes.steps, device))
    if device == "cuda":
        torch.set_num_threads(2)
        for name, recipe in recipes.items():
            few = min(64, 4 * sizes.few)
            on_cpu = rate(lambda recipe=recipe, few=few: train(recipe, data, range(few)), few * steps, "cpu")  # type: ignore[misc]
            yield row("training", f"{name} beside two CPU threads", found[name], on_cpu)


def attack_section(device: str, sizes: Sizes) -> Iterator[Row]:
    """PGD per member × point × step, and smallest perturbations per member × point."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import foolbox
    from harness.data.toy import ToyImages
    from harness.measure.attack.attack import pgd, smallest_perturbation
    from harness.population import Population
    from harness.recipe import MLP, Recipe, Threat
    from harness.training.train import initial

    [model, *_], x, y = problem("9-16-16-16-3", replace(sizes, members=1))
    recipe = Recipe(ToyImages(), MLP((16, 16, 16)), epochs=0)
    population = Population(recipe, tuple(range(sizes.members)), {0: initial(recipe, range(sizes.members))})
    steps = 40
    threat = Threat(epsilon=0.5, steps=steps)
    works: dict[str, tuple[Callable[[int, str], object], int]] = {
        "PGD": (lambda members, where: pgd(population.select(tuple(range(members))), x, y, threat, device=where), steps),
        "smallest perturbation": (
            lambda members, where: smallest_perturbation(population.select(tuple(range(members))), x, y, device=where),
            1,
        ),
    }
    found: dict[str, float] = {}
    for form in ("kernel by kernel", "captured") if device == "cuda" else ("as on any CPU",):
        if form == "captured":
            capturing(device)
        for name, (work, each) in works.items():
            if name != "PGD" and form == "captured":
                continue  # its walks decide as they go, and are launched kernel by kernel
            units = sizes.members * sizes.points * each
            found[name] = rate(lambda work=work: work(sizes.members, device), units, device)  # type: ignore[misc]
            yield row("attack", f"{name}, {form}", found[name])
    wrapped = foolbox.PyTorchModel(model.to(device).eval(), bounds=(-50, 50), device=device)
    inputs, labels = x.to(device), y.to(device)
    for name, attack, epsilons, each in (
        ("PGD", foolbox.attacks.LinfPGD(steps=steps), [0.5], steps),
        ("smallest perturbation", foolbox.attacks.LInfFMNAttack(steps=200), None, 1),
    ):

        def theirs(attack: Any = attack, epsilons: Any = epsilons, each: int = each) -> float:
            return rate(lambda: attack(wrapped, inputs, labels, epsilons=epsilons), sizes.points * each, device)

        yield beside("attack", f"{name} beside Foolbox's {type(attack).__name__}", found[name], theirs)
    if device == "cuda":
        torch.set_num_threads(2)
        for name, (work, each) in works.items():
            on_cpu = rate(lambda work=work: work(sizes.few, "cpu"), sizes.few * sizes.points * each, "cpu")  # type: ignore[misc]
            yield row("attack", f"{name} beside two CPU threads", found[name], on_cpu)


def agreement_section(device: str, sizes: Sizes) -> Iterator[Row]:
    """Claims on both devices: the same verdicts?"""
    root = Path(__file__).parents[1]
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for where in (device, "cpu"):
            place = Path(folder) / where
            command = [
                sys.executable, "-m", "pytest", str(root / "claims" / AGREE), "-q", "-p", "no:cacheprovider",
                "-n", "1" if where == "cuda" else str(min(8, os.cpu_count() or 1)), "--claims-scale", sizes.scale,
                "--claims-device", where, "--claims-no-ledger", "--claims-store", str(place / "store"),
                "--claims-report", str(place),
            ]  # fmt: skip
            if where not in rows:
                began = time.perf_counter()
                subprocess.run(command, cwd=root, capture_output=True, check=False)
                took = time.perf_counter() - began
                rows[where] = {each["id"]: each for each in json.loads((place / "claims.json").read_text())["rows"]}
                yield row("agreement", f"{AGREE} at scale {sizes.scale} on {where}, seconds", took)
    here, there = rows["cpu"], rows[device]
    for name, each in here.items():
        same = each["verdict"] == there[name]["verdict"]
        said = {where: f"{of[name]['verdict']}, {of[name]['effect']}" for where, of in rows.items()}
        yield {"section": "agreement", "what": name, **said, "same": same}


def grid_section(device: str, sizes: Sizes) -> Iterator[Row]:
    """The grid of slt from nothing."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from fixtures.slt.grid import slt_grid
    from harness.running.session import open_harness

    with tempfile.TemporaryDirectory() as folder:
        began, parts = time.perf_counter(), {}

        def beat(seen: dict[str, Any]) -> None:
            """Say every part when it is done, so that a run that is cut short says how far it came."""
            part = f"{seen['population']} {seen['what']}"
            if seen["share"] >= 1 and part not in parts:
                parts[part] = seen["seconds"]
                print(json.dumps(row("grid", f"scale {sizes.grid}: {part}, seconds", seen["seconds"])), flush=True)

        slt_grid(open_harness(Path(folder), scale=sizes.grid, device=device, heartbeat=beat))
        yield row("grid", f"scale {sizes.grid}, whole, seconds", time.perf_counter() - began)


def row(section: str, what: str, ours: float, other: float | None = None) -> Row:
    """A row of the table; in microseconds where it does not say otherwise."""
    more = {} if other is None else {"beside": other, "ratio": other / ours}
    return {"section": section, "what": what, "ours": ours, **more}


def beside(section: str, what: str, ours: float, theirs: Callable[[], float]) -> Row:
    """A row with another library; where that fails, with the reason: the rest goes on."""
    try:
        return row(section, what, ours, theirs())
    except Exception as problem:
        return {**row(section, what, ours), "problem": f"{type(problem).__name__}: {problem}"[:200]}


RUN: dict[str, Callable[[str, Sizes], Iterator[Row]]] = {
    "LLC": llc_section, "training": training_section, "attack": attack_section, "agreement": agreement_section,
    "grid": grid_section,
}  # fmt: skip
