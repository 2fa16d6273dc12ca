"""Memory over a long life: thousands of networks in one store, and thousands of claims in one session.

    python benchmarks/soak.py networks [--members 1000] [--parts 20]
    python benchmarks/soak.py claims [--claims 2000]

``networks`` trains and measures one part of the members after the other in one process, and prints its memory after
each; it reads its own resident memory, so that what is freed counts as freed. ``claims`` runs pytest with that many
synthetic claims in a process of its own and prints the memory of the process that collects and reports them, by the
number of rows that have come.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PAGE = 4096
CLAIMS = """
import pandas as pd
from harness.claim import claim
from harness.evidence import Evidence
from harness.source import Source
from harness.predict import PairedDifference

PAPER = Source("paper", "A paper", year=2026)
HIGHER = PairedDifference(
    value="llc", factor="regime", higher="standard", lower="robust", pair=("seed",), margin=0.5, margin_reason="half",
)
ROWS = pd.DataFrame([
    {"regime": regime, "seed": seed, "llc": (1 + 0.01 * (seed % 4)) * (regime == "standard")}
    for seed in range(8) for regime in ("standard", "robust")
])

def declare(number):
    @claim(f"paper/claim-{number}", statement="The LLC is higher.", source=PAPER.at("Intro", "it is higher"), prediction=HIGHER)
    def body():
        return Evidence(ROWS)
    return body

for number in range(COUNT):
    globals()[f"test_{number}"] = declare(number)
"""
PLUGIN = """
import json, resource, sys

class Watch:
    rows = 0
    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            Watch.rows += 1
            if Watch.rows % EVERY == 0:
                self.tell(Watch.rows)
    def pytest_terminal_summary(self):
        self.tell("end")
    def tell(self, what):
        with open("/proc/self/statm") as file:
            print("MEMORY", json.dumps([what, int(file.read().split()[1]) * 4096 / 2**20]), file=sys.__stderr__, flush=True)

def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Watch())
"""


def resident() -> float:
    """Resident memory of this process, MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20


def networks(
    members: int, parts: int, folder: Path, hidden: tuple[int, ...] = (64, 64), epochs: int = 2
) -> Iterator[tuple[int, float]]:
    """Members so far, and memory in MiB, after each part has been trained and measured."""
    import torch

    from harness.data import ToyImages
    from harness.measure.gaps import Accuracy
    from harness.recipe import MLP, Recipe
    from harness.store import Store

    torch.set_num_threads(1)
    recipe = Recipe(ToyImages(train=64, test=32), MLP(hidden), epochs=epochs, batch_size=32)
    store = Store(folder)
    size = members // parts
    for first in range(0, size * parts, size):
        population = store.population(recipe, range(first, first + size))
        store.measure([population], Accuracy())
        yield first + size, resident()


def claims(count: int, workers: str) -> Iterator[tuple[object, float]]:
    """Rows so far, and memory of the controller in MiB."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "claims").mkdir()
        (folder / "claims" / "test_many.py").write_text(CLAIMS.replace("COUNT", str(count)))
        (folder / "conftest.py").write_text(PLUGIN.replace("EVERY", str(max(1, count // 10))))
        (folder / "pytest.ini").write_text("[pytest]\nclaims_folders = claims\n")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "claims", "-q", "-n", workers, "-p", "no:cacheprovider"], cwd=folder, text=True,
            capture_output=True, check=False,
        )  # fmt: skip
        found = [json.loads(line.split(" ", 1)[1]) for line in done.stderr.splitlines() if line.startswith("MEMORY")]
        if done.returncode or not found:
            raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
        size = (folder / "reports" / "claims.html").stat().st_size / 2**20
        yield from ((what, memory) for what, memory in found)
        print(f"page {size:.1f} MiB")


def main() -> None:
    """Print memory over time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("networks", "claims"))
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--parts", type=int, default=20)
    parser.add_argument("--claims", type=int, default=2000)
    parser.add_argument("--workers", default="0")
    chosen = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        told = (
            networks(chosen.members, chosen.parts, Path(temporary))
            if chosen.what == "networks"
            else claims(chosen.claims, chosen.workers)
        )
        for done, memory in told:
            print(f"{done:>8} {memory:8.1f} MiB {time.perf_counter() - began:6.0f} s", flush=True)


if __name__ == "__main__":
    main()
