"""What ``plan --cost`` says of claims, against what a run of them really took.

    python benchmarks/costs.py STORE [DOCUMENT…] [--scale reduced] [--seconds 60] [--share 1.0]

STORE is the store of such a run: its entries say how long each network and each table took.  The prediction is made for an
empty store, by calibration alone.  Printed by document and by kind of work (training, LLC, attacks, other): predicted and real
seconds, and their ratio; entries that the store lacks, and tables that belong to no network, are in neither.  The prediction is
CPU time; an entry holds seconds on the clock, which go on while other work has the cores.  ``--share`` is the part of them that
the processes of the run were given (their CPU time by the time that they lived), and real seconds are multiplied by it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
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


def compared(scale: str, folder: Path, seconds: float, documents: list[str]) -> dict[tuple[str, str], list[float]]:
    """By document and kind: predicted seconds, real ones, entries that were asked for, entries found."""
    designs: dict[str, list[Any]] = defaultdict(list)

    def look(item: Any, claim: Any) -> None:
        if not documents or claim.document in documents:
            designs[claim.document].append(design_of(item, scale))

    each_claim(ROOT / "claims", look, [])
    real = open_harness(folder, scale=scale, device="cpu").store
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as empty:
        store = open_harness(Path(empty), scale=scale, device="cpu").store
        began = time.process_time()
        rates = Rates(store, Needed.of(design for some in designs.values() for design in some), seconds)
        for document, some in designs.items():
            needed = Needed.of(some)
            for recipe, seeds in needed.members.items():
                took = said([real.member_path(recipe, seed) for seed in sorted(seeds)], files.read_tensors)
                _add(found, (document, "training"), rates.training(recipe, seeds), took, len(seeds))
            for measurement, recipe, seeds in needed.tables.values():
                took = said([*real.table_paths(recipe, sorted(seeds), measurement).values()], files.read_table)
                _add(found, (document, kind_of(measurement)), rates.measuring(measurement, recipe, seeds), took, len(seeds))
        print(f"calibration took {time.process_time() - began:.0f} s of CPU time")
    return found


def _add(
    found: dict[tuple[str, str], list[float]], key: tuple[str, str], each: float | None, took: list[float], asked: int
) -> None:
    held = found.setdefault(key, [0.0, 0.0, 0, 0])
    held[2] += asked
    if each is not None:
        held[0], held[1], held[3] = held[0] + each * len(took), held[1] + sum(took), held[3] + len(took)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("documents", nargs="*")
    parser.add_argument("--scale", default="reduced")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--share", type=float, default=1.0)
    chosen = parser.parse_args()
    print("| document | kind | of entries | predicted, s | real, s | ratio |\n|---|---|---|---|---|---|")
    for (document, kind), (predicted, real, asked, there) in sorted(
        compared(chosen.scale, chosen.store, chosen.seconds, chosen.documents).items()
    ):
        real *= chosen.share
        ratio = f"{predicted / real:.2f}" if real else "-"
        print(f"| {document} | {kind} | {there:.0f}/{asked:.0f} | {predicted:.0f} | {real:.0f} | {ratio} |")


if __name__ == "__main__":
    main()
