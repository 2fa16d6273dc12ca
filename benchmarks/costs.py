"""What ``plan --cost`` says of claims, against what they really take.

    python benchmarks/costs.py run CLAIM… [--scale reduced] [--seconds 100] [--members 8]
    python benchmarks/costs.py STORE [DOCUMENT…] [--scale reduced] [--seconds 100] [--share 1.0]

``run`` makes what the claims (or documents) that are named ask for in this process, right after the prediction, on an empty
store: both are CPU time of one process; ``--members`` leaves it at as many seeds of each network.  STORE is the store of an
earlier run: its entries say how long each network and each table took, in seconds on the clock, which go on while other work
has the cores; ``--share`` is the part of them that the processes of the run were given (their CPU time by the time that they
lived), and real seconds are multiplied by it.

Printed by document and by kind of work (training, LLC, attacks, other): predicted and real seconds, and their ratio.  What was
not timed, entries that the store lacks, and tables that belong to no network are in neither.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from harness.cli.fixed import each_claim  # noqa: E402
from harness.pytest_plugin.given import design_of  # noqa: E402
from harness.running.costs import Needed  # noqa: E402
from harness.running.rates import Rates  # noqa: E402
from harness.running.session import open_harness  # noqa: E402
from harness.store import files  # noqa: E402


def kind_of(measurement: Any) -> str:
    """Training, LLC, attacks or other."""
    place = type(measurement).__module__
    return "LLC" if ".llc" in place else "attacks" if ".attack" in place else "other"


def said(paths: list[Path], read: Any) -> list[float]:
    """Seconds that entries say they took."""
    found = []
    for path in paths:
        try:
            about = read(path)[1]
        except (files.Damaged, OSError):
            continue
        if isinstance(about.get("seconds"), float):
            found.append(about["seconds"])
    return found


Counts = dict[tuple[str, str], list[float]]
Took = Callable[[Any, list[int], Any], list[float]]


def asked(scale: str, names: list[str]) -> dict[str, list[Any]]:
    """What the claims of these ids or documents ask for, or all, by document."""
    designs: dict[str, list[Any]] = defaultdict(list)

    def look(item: Any, claim: Any) -> None:
        if not names or claim.document in names or claim.id in names:
            designs[claim.document].append(design_of(item, scale))

    each_claim(ROOT / "claims", look, [])
    return designs


def first(needed: Needed, members: int) -> Needed:
    """The same of the first seeds of each network alone: stacks are smaller then, in the prediction, too."""

    def cut(seeds: set[int]) -> set[int]:
        return set(sorted(seeds)[:members])

    tables = {key: (measurement, recipe, cut(seeds)) for key, (measurement, recipe, seeds) in needed.tables.items()}
    return Needed({recipe: cut(seeds) for recipe, seeds in needed.members.items()}, tables, needed.unknown)


def compared(scale: str, designs: dict[str, list[Any]], seconds: float, took: Took, members: int) -> Counts:
    """By document and kind: predicted seconds, real ones, entries that were asked for, entries of which both are known."""
    found: Counts = {}
    with tempfile.TemporaryDirectory() as empty:
        store = open_harness(Path(empty), scale=scale, device="cpu").store
        began = time.process_time()
        whole = first(Needed.of(design for some in designs.values() for design in some), members)
        rates = Rates(store, whole.without(whole.lacking(store)), seconds)
        rates.time()
        print(f"calibration took {time.process_time() - began:.0f} s of CPU time", flush=True)
        for document, some in designs.items():
            needed = first(Needed.of(some), members)
            for recipe, seeds in needed.members.items():
                each, real = rates.training(recipe, seeds), took(recipe, sorted(seeds), None)
                _add(found, (document, "training"), each, real, len(seeds))
            for measurement, recipe, seeds in needed.tables.values():
                each, real = rates.measuring(measurement, recipe, seeds), took(recipe, sorted(seeds), measurement)
                _add(found, (document, kind_of(measurement)), each, real, len(seeds))
    return found


def from_store(store: Any) -> Took:
    """What the entries of a store say."""

    def took(recipe: Any, seeds: list[int], measurement: Any) -> list[float]:
        if measurement is None:
            return said([store.member_path(recipe, seed) for seed in seeds], files.read_tensors)
        return said([*store.table_paths(recipe, seeds, measurement).values()], files.read_table)

    return took


def made_here(store: Any) -> Took:
    """What it takes to make them now, in CPU time."""

    def took(recipe: Any, seeds: list[int], measurement: Any) -> list[float]:
        population = None if measurement is None else store.population(recipe, seeds)
        began = time.process_time()
        if population is None:
            store.population(recipe, seeds)
        else:
            store.measure([population], measurement)
        return [(time.process_time() - began) / len(seeds)] * len(seeds)

    return took


def _add(found: Counts, key: tuple[str, str], each: Any, took: list[float], asked: int) -> None:
    held = found.setdefault(key, [0.0, 0.0, 0, 0])
    held[2] += asked
    if each is not None:
        held[0], held[1], held[3] = held[0] + each.seconds * len(took), held[1] + sum(took), held[3] + len(took)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("store", type=Path, metavar="run|STORE")
    parser.add_argument("names", nargs="*", help="claims or documents")
    parser.add_argument("--scale", default="reduced")
    parser.add_argument("--seconds", type=float, default=100.0)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--members", type=int, default=8)
    chosen = parser.parse_args()
    designs = asked(chosen.scale, chosen.names)
    with tempfile.TemporaryDirectory() as folder:
        here = str(chosen.store) == "run"
        real = open_harness(Path(folder) if here else chosen.store, scale=chosen.scale, device="cpu").store
        took_by = made_here(real) if here else from_store(real)
        found = compared(chosen.scale, designs, chosen.seconds, took_by, chosen.members if here else sys.maxsize)
    print("| document | kind | of entries | predicted, s | real, s | ratio |\n|---|---|---|---|---|---|")
    for (document, kind), (predicted, took, of, there) in sorted(found.items()):
        took *= chosen.share
        ratio = f"{predicted / took:.2f}" if took else "-"
        print(f"| {document} | {kind} | {there:.0f}/{of:.0f} | {predicted:.0f} | {took:.0f} | {ratio} |")


if __name__ == "__main__":
    main()
