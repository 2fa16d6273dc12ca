"""Stacked instruments beside the ordinary way, as ratios within one run on one thread.

    python benchmarks/instruments.py [--only LLC|modules|training|attack] [--peers PYTHON]

PYTHON is an interpreter of another environment, in which devinterp 2 or torchattacks can be imported; see benchmarks/peers.py.
LLC: 15 networks 9-16-16-16-3 and 9-64-64-3, 4 chains, full batch of 1,000 points.  SGLD, which is what devinterp has, beside
devinterp 1.3.2 with its DataLoader as shipped and with a loader that slices tensors; the kinetic sampler beside SGLD; both
beside the bare matrix products of a step.  All take one gradient a step.  LLC of modules that have no
program of their own: a transformer and a small ResNet with BatchNorm, on minibatches, beside devinterp as shipped.
Training: 60 networks 9-16-16-16-3, batch 32, beside a loop of ordinary PyTorch training.  Smallest perturbations: 60 such
networks × 256 points, beside Foolbox and torchattacks.
Both sides of a ratio are measured in turns, so that a machine whose speed drifts bends neither.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from harness.data.toy import ToyImages
from harness.measure.attack.attack import smallest_perturbation
from harness.measure.llc.estimate import LLCSpec, llc
from harness.networks import MLPProgram, keep_freed_memory
from harness.networks.program import CACHE_BYTES
from harness.population import Population
from harness.recipe import MLP, Recipe
from harness.training.train import initial, train

TURNS = 5
Work = Callable[[], float | None]  # returns its seconds where it has taken them itself


def per_call(work: Work) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    told = work()
    return time.perf_counter() - began if told is None else told


def ratio(ours: Work, theirs: Work, our_steps: int, their_steps: int) -> tuple[float, float, float]:
    """Microseconds a step of ours and of theirs, and the median of the ratios turn by turn."""
    pairs = [(per_call(ours) / our_steps, per_call(theirs) / their_steps) for _ in range(TURNS)]
    mine, other = (statistics.median(side) * 1e6 for side in zip(*pairs, strict=True))
    return mine, other, statistics.median(b / a for a, b in pairs)


def hand_over(population: Population, data: tuple[torch.Tensor, torch.Tensor], folder: str, **more: object) -> Path:
    """Write what another interpreter needs in order to do the same work."""
    assert isinstance(population.program, MLPProgram)
    states = [population.program.module(theta).state_dict() for theta in population.final]
    path = Path(folder) / "problem.pt"
    torch.save({"sizes": list(population.program.sizes), "states": states, "x": data[0], "y": data[1]} | more, path)
    return path


def peer(python: str, name: str, problem: Path) -> dict[str, Any] | None:
    """What benchmarks/peers.py says under another interpreter; None where that cannot import the library."""
    command = [python, str(Path(__file__).with_name("peers.py")), name, str(problem)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "ModuleNotFoundError" in done.stderr:
        return None
    done.check_returncode()
    return dict(json.loads(done.stdout.splitlines()[-1]))


def products(hidden: tuple[int, ...], rows: int, points: int) -> Callable[[int], None]:
    """Only the matrix products of a step, in the shapes and order of our sampler: the bound that it cannot beat."""
    sizes = (9, *hidden, 3)
    chunk = max(1, CACHE_BYTES // 2 // (4 * max(sizes) * points))  # where the products alone are fastest
    weights = [torch.randn(chunk, out, into) for into, out in pairwise(sizes)]
    values = [torch.randn(chunk, size, points) for size in sizes]

    def run(steps: int) -> None:
        for _ in range(steps * -(-rows // chunk)):
            for layer, weight in enumerate(weights):
                torch.bmm(weight, values[layer])  # forward
                below, pull = values[layer], values[layer + 1]
                if below.shape[1] < pull.shape[1]:  # gradient of the weights
                    torch.bmm(below, pull.transpose(1, 2))
                else:
                    torch.bmm(pull, below.transpose(1, 2))
                if layer:
                    torch.bmm(weight.transpose(1, 2), values[layer + 1])  # gradient of the values below

    return run


def llc_rows(
    hidden: tuple[int, ...] = (16, 16, 16), points: int = 1000, models: int = 15, chains: int = 4, peers: str | None = None
) -> list[tuple[str, float, float, float]]:
    """Our samplers against devinterp's and against their own matrix products, per model × chain × step."""
    from devinterp.optim.sgmcmc import SGMCMC
    from devinterp.slt.sampler import estimate_learning_coeff

    recipe = Recipe(ToyImages(train=points), MLP(hidden), epochs=5)
    data = recipe.data.load()
    population = Population(recipe, tuple(range(models)), train(recipe, data, range(models)))
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    steps = 200

    def sampled(spec: LLCSpec) -> None:
        llc(population, x, y, spec=replace(spec, chains=chains, burn_in=0, draws=steps, descent=0))

    def ours() -> None:
        sampled(LLCSpec(sampler="sgld", step_size=1e-4))

    def kinetic() -> None:
        sampled(LLCSpec(step_size=1e-2))

    class Sliced(torch.utils.data.DataLoader):  # type: ignore[type-arg]
        """A loader that hands out the tensors as they are."""

        def __iter__(self):  # type: ignore[no-untyped-def]
            yield x, y

    def theirs(loader: torch.utils.data.DataLoader, draws: int) -> Callable[[], None]:  # type: ignore[type-arg]
        def run() -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                estimate_learning_coeff(
                    population.program.module(population.final[0]), loader,
                    evaluate=lambda model, batch: (torch.nn.functional.cross_entropy(model(batch[0]), batch[1]), {}),
                    sampling_method=SGMCMC.sgld, optimizer_kwargs={"lr": 1e-4, "localization": 1.0, "nbeta": 145.0},
                    num_draws=draws, num_chains=1, init_loss=0.1, verbose=False,
                )  # fmt: skip

        return run

    dataset = torch.utils.data.TensorDataset(x, y)
    shipped, sliced = (kind(dataset, batch_size=points) for kind in (torch.utils.data.DataLoader, Sliced))
    work = models * chains * steps
    bare, name = products(hidden, models * chains, points), f"LLC of 9-{'-'.join(map(str, hidden))}-3"
    rows = [
        (f"{name}, devinterp 1.3.2 as shipped", *ratio(ours, theirs(shipped, 100), work, 100)),
        (f"{name}, devinterp 1.3.2, slicing loader", *ratio(ours, theirs(sliced, 300), work, 300)),
        (f"{name}, its bare matrix products", *ratio(ours, lambda: bare(steps), work, work)),
        (f"{name}, the kinetic sampler (ours) and SGLD (theirs)", *ratio(kinetic, ours, work, work)),
        (f"{name}, kinetic, its bare matrix products", *ratio(kinetic, lambda: bare(steps), work, work)),
    ]
    if peers is not None:
        with tempfile.TemporaryDirectory() as folder:
            problem = hand_over(population, (x, y), folder, step_size=1e-4, localization=1.0, nbeta=145.0, draws=200)
            if (tried := peer(peers, "devinterp2", problem)) is not None:
                beside = ratio(ours, lambda: float((peer(peers, "devinterp2", problem) or {})["seconds"]), work, 200)
                rows.append((f"{name}, devinterp {tried['version']}", *beside))
    return rows


class Block(torch.nn.Module):
    """Two convolutions with BatchNorm and a way around them (He et al. 2016)."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        conv, norm = torch.nn.Conv2d, torch.nn.BatchNorm2d
        self.body = torch.nn.Sequential(
            conv(into, out, 3, stride, 1, bias=False), norm(out), torch.nn.ReLU(),
            conv(out, out, 3, 1, 1, bias=False), norm(out),
        )  # fmt: skip
        self.around = torch.nn.Sequential()
        if stride > 1:
            self.around = torch.nn.Sequential(conv(into, out, 1, stride, bias=False), norm(out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return torch.relu(self.body(x) + self.around(x))


class ResNet(torch.nn.Module):
    """Three blocks of 8, 16 and 32 channels on 28 × 28 values: 20,000 parameters."""

    def __init__(self) -> None:
        super().__init__()
        stem = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3, 1, 1, bias=False), torch.nn.BatchNorm2d(8), torch.nn.ReLU())
        self.body = torch.nn.Sequential(stem, Block(8, 8, 1), Block(8, 16, 2), Block(16, 32, 2))
        self.out = torch.nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        made: torch.Tensor = self.out(self.body(x).mean((2, 3)))
        return made


class Transformer(torch.nn.Module):
    """Two encoder layers of width 64 over 16 of 64 tokens: 106,000 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.place = torch.nn.Embedding(64, 64), torch.nn.Parameter(torch.randn(16, 64) / 10)
        self.encode = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(64, 4, 256, batch_first=True), 2)
        self.out = torch.nn.Linear(64, 10)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:  # noqa: D102
        made: torch.Tensor = self.out(self.encode(self.embed(tokens) + self.place).mean(1))
        return made


def module_rows(
    batches: Sequence[int] = (16, 64), points: int = 1024, chains: int = 2
) -> list[tuple[str, float, float, float]]:
    """Our sampler on networks without a program of their own against devinterp's as shipped, per chain × step.

    Both on minibatches, which is how networks of this size are sampled; devinterp samples in training mode.
    """
    from devinterp.optim.sgmcmc import SGMCMC
    from devinterp.slt.sampler import estimate_learning_coeff

    torch.manual_seed(0)
    y = torch.randint(0, 10, (points,))
    rows = []
    for name, model, x in (("transformer", Transformer(), torch.randint(0, 64, (points, 16))),
                           ("ResNet", ResNet(), torch.randn(points, 1, 28, 28))):  # fmt: skip
        for batch in batches:
            steps = 3200 // batch

            def ours(model: torch.nn.Module = model, x: torch.Tensor = x, batch: int = batch, steps: int = steps) -> None:
                spec = LLCSpec(
                    sampler="sgld",
                    step_size=1e-6,
                    chains=chains,
                    burn_in=0,
                    draws=steps,
                    batch_size=batch,
                    initial_loss="batch",
                )
                llc(model, x, y, spec=spec)

            dataset = torch.utils.data.TensorDataset(x, y)
            loader = torch.utils.data.DataLoader(dataset, batch_size=batch, shuffle=True)

            def theirs(model: torch.nn.Module = model, steps: int = steps,
                       loader: torch.utils.data.DataLoader = loader) -> None:  # type: ignore[type-arg]  # fmt: skip
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    estimate_learning_coeff(
                        model, loader,
                        evaluate=lambda network, some: (torch.nn.functional.cross_entropy(network(some[0]), some[1]), {}),
                        sampling_method=SGMCMC.sgld, optimizer_kwargs={"lr": 1e-6, "localization": 1.0, "nbeta": 10.0},
                        num_draws=steps, num_chains=chains, init_loss=0.1, verbose=False,
                    )  # fmt: skip

            rows.append((f"LLC of a {name}, minibatches of {batch}, devinterp 1.3.2 as shipped",
                         *ratio(ours, theirs, chains * steps, chains * steps)))  # fmt: skip
    return rows


def training_row(members: int = 60, epochs: int = 2) -> tuple[str, float, float, float]:
    """Our training against a loop of ordinary PyTorch, per member × step."""
    recipe = Recipe(ToyImages(), MLP((16, 16, 16)), epochs=epochs)
    data = recipe.data.load()
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    steps = epochs * len(x) // 32

    def loop() -> None:
        module = recipe.program().module(initial(recipe, [0])[0])
        optimiser = torch.optim.SGD(module.parameters(), lr=0.01)
        for _ in range(epochs):
            for batch in torch.randperm(len(x)).split(32):
                optimiser.zero_grad()
                torch.nn.functional.cross_entropy(module(x[batch]), y[batch]).backward()  # type: ignore[no-untyped-call]
                optimiser.step()

    mine, other, times = ratio(lambda: train(recipe, data, range(members)) and None, loop, members * steps, steps)
    return "training, a loop of ordinary PyTorch", mine, other, times


def attack_rows(members: int = 60, theirs_on: int = 3, peers: str | None = None) -> list[tuple[str, float, float, float]]:
    """Our smallest perturbations beside Foolbox's, per member × point, with the median of ours over theirs in the name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import foolbox
    recipe = Recipe(ToyImages(), MLP((16, 16, 16)), epochs=30)
    data = recipe.data.load()
    population = Population(recipe, tuple(range(members)), train(recipe, data, range(members)))
    x, y = torch.from_numpy(data.test_x), torch.from_numpy(data.test_y)
    networks = [population.program.module(theta).eval() for theta in population.final[:theirs_on]]
    wrapped = [foolbox.PyTorchModel(network, bounds=(-50, 50)) for network in networks]
    radii = [16 * 0.75**k for k in range(15)]  # as many as a bisection would try
    found: dict[str, torch.Tensor] = {}

    def ours() -> None:
        found["ours"] = torch.from_numpy(smallest_perturbation(population, data.test_x, data.test_y))[:theirs_on]

    def fmn() -> None:
        attack, sizes = foolbox.attacks.LInfFMNAttack(steps=200), []
        for network in wrapped:
            _, moved, flipped = attack(network, x, y, epsilons=None)
            sizes.append(torch.where(flipped, (moved - x).flatten(1).abs().amax(1), torch.inf))
        found["Foolbox's FMN, 200 steps"] = torch.stack(sizes)

    def pgd() -> None:
        attack, sizes = foolbox.attacks.LinfPGD(steps=40), []
        for network in wrapped:
            flipped = attack(network, x, y, epsilons=radii)[2]
            sizes.append(torch.where(flipped, torch.tensor(radii)[:, None], torch.inf).amin(0))
        found["Foolbox's PGD, 15 radii of 40 steps"] = torch.stack(sizes)

    def other_pgd(python: str, problem: Path) -> float:
        told = peer(python, "torchattacks", problem) or {}
        found["torchattacks' PGD, 15 radii of 40 steps"] = torch.tensor(told["sizes"])
        return float(told["seconds"])

    rows, points = [], len(x)
    work: list[tuple[str, Work]] = [("Foolbox's FMN, 200 steps", fmn), ("Foolbox's PGD, 15 radii of 40 steps", pgd)]
    with tempfile.TemporaryDirectory() as folder:
        if peers is not None:
            few = population.select(population.seeds[:theirs_on])
            problem = hand_over(few, (x, y), folder, radii=radii, steps=40, bounds=(-50.0, 50.0))
            if peer(peers, "torchattacks", problem) is not None:
                work.append(("torchattacks' PGD, 15 radii of 40 steps", lambda: other_pgd(peers, problem)))
        for name, theirs in work:
            mine, other, times = ratio(ours, theirs, members * points, theirs_on * points)
            both = (found["ours"] > 0) & found[name].isfinite()
            rows.append((f"attack, {name} ({float((found['ours'] / found[name])[both].median()):.4f})", mine, other, times))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("LLC", "modules", "training", "attack"), help="measure one instrument")
    parser.add_argument("--peers", metavar="PYTHON", help="interpreter that has devinterp 2 or torchattacks")
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    kinds: dict[str, list[Callable[[], list[tuple[str, float, float, float]]]]] = {
        "LLC": [lambda: llc_rows(peers=given.peers), lambda: llc_rows((64, 64), peers=given.peers)],
        "modules": [module_rows],
        "training": [lambda: [training_row()]],
        "attack": [lambda: attack_rows(peers=given.peers)],
    }
    print(f"{'against (size of ours over theirs, median)':60} {'ours, µs':>10} {'theirs, µs':>12} {'ratio':>8}")
    for measure in [one for kind, those in kinds.items() if given.only in (None, kind) for one in those]:
        for name, mine, other, times in measure():
            print(f"{name:60} {mine:10.1f} {other:12.1f} {times:7.2f}×", flush=True)


if __name__ == "__main__":
    main()
