"""A store of many entries: how long a command takes, and one look-up of a warm run.

    python benchmarks/store.py [entries] [folder]

A synthetic store (half members of 9-16-16-16-3, half tables of a row) is made in the folder, or in a temporary one.  Commands
are timed as a user waits for them, the start of Python included; each is run three times (verify once, since it reads all), of
which the fastest counts.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import pandas as pd  # noqa: E402
import torch  # noqa: E402

from harness import LLC, MLP, Recipe, Store, ToyImages  # noqa: E402
from harness.population import Population  # noqa: E402
from harness.store import files  # noqa: E402

RECIPE = Recipe(ToyImages(train=90, test=30), MLP((16, 16, 16)))
TURNS = 3


def fill(folder: Path, entries: int) -> None:
    """Entries that are as a store writes them, but for the wait until the disk has them."""
    write, files.write = files.write, _written
    theta = torch.zeros(RECIPE.program().layout.total)
    row = pd.DataFrame({"seed": [0], "epoch": [100], "scope": ["all"], "llc": [0.5], "llc_se": [0.1], "trusted": [True]})
    for number in range(entries):
        name = hashlib.sha256(str(number).encode()).hexdigest()[:16]
        about = {"what": "LLC", "recipe": RECIPE.name, "seed": number}
        if number % 2:
            files.write_table(folder / "tables" / name[:2] / f"{name}.json", row, about)
        else:
            files.write_tensors(folder / "members" / name[:2] / f"{name}.safetensors", {"epoch 100": theta}, about)
    files.write = write


def _written(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def fastest(work: Callable[[], object], turns: int = TURNS) -> float:
    """Seconds of the fastest of some turns."""
    found = []
    for _ in range(turns):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def command(folder: Path, *arguments: str) -> float:
    """Seconds of a command of ``python -m harness cache``."""
    line = [sys.executable, "-m", "harness", "cache", *arguments, "--store", str(folder)]
    turns = 1 if "verify" in arguments else TURNS
    return fastest(lambda: subprocess.run(line, cwd=ROOT, check=True, stdout=subprocess.DEVNULL), turns)


def look_ups(folder: Path, count: int) -> None:
    """Microseconds a member: what its table is called and whether it is there; the same, and what it holds."""
    store, seeds = Store(folder / "warm"), tuple(range(count))
    row = pd.DataFrame({"seed": [0], "epoch": [100], "scope": ["all"], "llc": [0.5], "llc_se": [0.1], "trusted": [True]})
    population = Population(RECIPE, seeds, store._members.unread(RECIPE, seeds))
    measurement = LLC(engine="stacked")
    for seed, path in store._names.table_paths(population, measurement).items():
        _written_table(path, row.assign(seed=seed))
    for path in store._names.member_paths(RECIPE, seeds).values():
        _written(path, b"")  # a warm run never reads it
    asked: dict[str, Callable[[], object]] = {
        "a member's name, and whether it is there": lambda: store._shelf.missing(store._names.member_paths(RECIPE, seeds)),
        "a table's": lambda: store._shelf.missing(store._names.table_paths(population, measurement)),
        "a table, read and joined to the others": lambda: store.measure([population], measurement),
    }
    for what, ask in asked.items():
        print(f"{what:<50} {1e6 * fastest(ask) / count:8.1f} µs")


def _written_table(path: Path, table: pd.DataFrame) -> None:
    write, files.write = files.write, _written
    files.write_table(path, table, {"what": "LLC", "recipe": RECIPE.name, "seed": int(table["seed"][0])})
    files.write = write


def main(arguments: Sequence[str]) -> None:
    entries = int(arguments[0]) if arguments else 100_000
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments[1] if len(arguments) > 1 else temporary)
        if not (folder / "tables").exists():
            fill(folder, entries)
        print(f"{entries} entries")
        for what in (["list"], ["ls"], ["ls", "--match", "seed 777"], ["verify"]):
            print(f"{'cache ' + ' '.join(what):<50} {command(folder, *what):8.2f} s", flush=True)
        look_ups(folder, 5000)


if __name__ == "__main__":
    main(sys.argv[1:])
