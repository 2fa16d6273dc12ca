"""Files that were changed, by the thousand: every reader answers with a value or with one clear error.

    python benchmarks/fuzz.py [--inputs 100000] [--seed 0]

The tests read a few hundred; this reads as many as are asked for, a share for each reader, and prints what anything else was
raised, with the input's number, so that it can be made again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "report")]

from mutations import ODD, changed, kinds_of_places, nested, with_words  # noqa: E402
from report_samples import PROVENANCE, rows  # noqa: E402

from harness import ClaimError, Runs  # noqa: E402
from harness.data import DataError, DataShortfall, cifar10_files, mnist_files  # noqa: E402
from harness.pytest_plugin.ledger import Ledger, LedgerError  # noqa: E402
from harness.pytest_plugin.registration import RegistrationError, read_registration  # noqa: E402
from harness.report import ReportError, assemble, compare, prose, read_run  # noqa: E402
from harness.report.arriving import read_rows  # noqa: E402
from harness.report.carried import carried  # noqa: E402
from harness.report.diff_views import to_text  # noqa: E402
from harness.report.flat import to_csv  # noqa: E402
from harness.report.history import read_history, record  # noqa: E402
from harness.report.page import render  # noqa: E402
from harness.store import files  # noqa: E402

CLEAR = (ReportError, LedgerError, RegistrationError, DataError, DataShortfall, files.Damaged, ClaimError)
DRAWN = 20  # of so many runs that can be read one is drawn, which takes a hundred times as long as reading it
RUN = assemble([row | {"figure": None} for row in rows()[:6]], scale="reduced", device="cpu", provenance=PROVENANCE)
SEARCHED = assemble(
    [row | {"figure": None} for row in rows() if row["search"]], scale="reduced", device="cpu", provenance=PROVENANCE
)
OWN = {prose.slug(row): row for row in RUN["rows"]}
DOCUMENT = str(RUN["rows"][0]["document"])
LOGGED = ROOT / "tests" / "runs" / "files"
Reader = Callable[[Path, random.Random], object]


def mangled(value: Any, kinds: list[Any], rng: random.Random) -> bytes:
    """A file of JSON with values exchanged, or bytes of it changed."""
    if rng.random() < 0.05:
        return nested(json.dumps(value).encode(), rng)
    if rng.random() < 0.7:
        for _ in range(rng.choice((1, 1, 2, 3))):
            value = changed(value, rng.choice(rng.choice(kinds)), rng.choice(ODD), remove=rng.random() < 0.15)
        return json.dumps(value).encode()
    return bytes_of(json.dumps(value).encode(), rng)


def bytes_of(content: bytes, rng: random.Random) -> bytes:
    """Bytes cut, flipped, doubled or left out."""
    at, length = rng.randrange(len(content)), rng.randint(1, 64)
    flipped = bytes(byte ^ rng.randint(1, 255) for byte in content[at : at + 3])
    return rng.choice((
        content[:at], content[:at] + flipped + content[at + 3 :], content[: at + length] + content[at:],
        content[:at] + content[at + length :], rng.randbytes(length), nested(content, rng),
    ))  # fmt: skip


def records_of(content: bytes, rng: random.Random) -> bytes:
    """A log of wandb whose records were changed before their checksums were computed, or after."""
    found, place = bytearray(content[:7]), 7
    chosen = rng.random()
    while place < len(content):
        size, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6 : place + 7]
        data = content[place + 7 : place + 7 + size]
        place += 7 + size
        if data and rng.random() < chosen / 3:
            data = bytes_of(data, rng) if rng.random() < 0.5 else with_words(data, rng)
        data = data[:20_000]
        found += zlib.crc32(kind + data).to_bytes(4, "little") + len(data).to_bytes(2, "little") + kind + data
    return bytes(found) if rng.random() < 0.8 else bytes_of(bytes(found), rng)


def a_run(path: Path, rng: random.Random) -> None:
    run = read_run(path)
    text = to_text(compare(RUN, run)) + to_text(compare(run, RUN))
    assert all(each.isprintable() or each in "\n\u202f\u2009\xa0" for each in text), "control characters"
    to_csv(run)
    if rng.randrange(DRAWN) == 0:
        render(run)


def a_ledger(path: Path, rng: random.Random) -> None:
    held = Ledger.read(path)
    for row in RUN["rows"]:
        held.changes("reduced", row, today="2026-01-02", because=None)


def a_registration(path: Path, rng: random.Random) -> None:
    found = read_registration(path)
    for row in RUN["rows"]:
        found.check(row)


def a_history(path: Path, rng: random.Random) -> None:
    past = read_history(path.parent)
    if rng.randrange(DRAWN) == 0:
        render(RUN, past)


def a_search(path: Path, rng: random.Random) -> None:
    """A run that searched: its searches are taken over by the rows of a later one."""
    asking = {row["id"]: {**row, "search": None} for row in SEARCHED["rows"]}
    found = carried(asking, scale="reduced", reports=path.parent, named=[path])
    if rng.randrange(DRAWN) == 0:
        render(assemble([*{**asking, **found}.values()], scale="reduced", device="cpu", provenance=PROVENANCE))


def a_story(path: Path, rng: random.Random) -> None:
    """What is written about a document; stamped with a run, it says of its claims what the run says."""
    written = prose.gathered(path.parent, [DOCUMENT])[DOCUMENT]
    prose.compared(written, OWN)
    stamped = prose.stamped(written, OWN)
    faults, _ = prose.compared(stamped, OWN)
    assert prose.stamped(stamped, OWN) == stamped, "stamped twice is not stamped once"
    assert not [each for each in faults if "no claim of this run" not in each], faults
    if rng.randrange(DRAWN) == 0:
        render({**RUN, "stories": {DOCUMENT: written}})


def logged(read: Callable[[Path], Runs]) -> Reader:
    """A reader of what another tool logged, whose tables are made, too."""

    def made(path: Path, rng: random.Random) -> None:
        found = read(path)
        _ = found.overview, found.points, found.digest
        for metric in found.metrics:
            with contextlib.suppress(ClaimError):  # there is no last point of it, or no number
                found.with_unfinished().last(metric)
            with contextlib.suppress(ClaimError):
                found.with_unfinished().curve(metric)

    return made


def _top(path: Path) -> Path:
    return path.parents[1] if path.parent.name == ".hydra" else path.parent


def readers(folder: Path) -> dict[str, tuple[str, Callable[[random.Random], bytes], Reader]]:
    """By name: what the file is called, what makes it, and what reads it."""
    ledger = json.loads((ROOT / "fixtures" / "ledger.json").read_text(encoding="utf-8"))
    few = dict(list(ledger["reduced"].items())[:5])
    ledger = {"schema": 2, "reduced": few, "designs": ledger["designs"]}
    claims = {claim: {name: entry.get(name) for name in ("digest", "declared", "design")} for claim, entry in few.items()}
    plan = {"preregistration": 1, "date": "2026-01-01", "scale": "reduced", "claims": claims, "designs": ledger["designs"]}
    entry = folder / "abcdef0123456789.json"
    import pandas as pd
    import torch

    files.write_table(entry, pd.DataFrame({"seed": [0, 1], "value": [0.5, None]}), {"what": "x"})
    member = entry.with_suffix(".safetensors")
    files.write_tensors(member, {"epoch 0": torch.ones(3)}, {"recipe": "r"})
    kept = {"table": entry.read_bytes(), "network": member.read_bytes()}
    subset = (ROOT / "fixtures" / "mnist-subset.npz").read_bytes()[:20_000]
    json_of = {
        "run": RUN, "rows": RUN, "ledger": ledger, "preregistration": plan, "history": record(RUN), "searches": SEARCHED,
    }  # fmt: skip
    kinds = {name: kinds_of_places(value) for name, value in json_of.items()}
    kinds["searches"] = [some for some in kinds["searches"] if "search" in some[0]]
    story = prose.stamped("".join(f"## A section\n\n### {slug}\n\nWhy (0.1 to 0.2).\n\n" for slug in OWN), OWN).encode()
    hydra = {name: (LOGGED / "hydra" / "adam" / "0" / name).read_bytes()
             for name in (".hydra/config.yaml", ".hydra/hydra.yaml", "metrics.jsonl")}  # fmt: skip
    fit = {name: (LOGGED / "lightning" / "fits" / "version_0" / name).read_bytes() for name in ("metrics.csv", "hparams.yaml")}
    wandb = (LOGGED / "wandb" / "run-odd.wandb").read_bytes()
    beside = {f"Hydra, {Path(name).name}": hydra for name in hydra} | {f"Lightning, {name}": fit for name in fit}
    job = logged(lambda path: Runs.from_hydra(_top(path), results="metrics.jsonl"))
    for name, held in beside.items():
        for file, content in held.items():
            (folder / name / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / file).write_bytes(content)

    def words(content: bytes) -> Callable[[random.Random], bytes]:
        return lambda rng: bytes_of(content, rng) if rng.random() < 0.3 else with_words(content, rng)

    def of(name: str) -> Callable[[random.Random], bytes]:
        return lambda rng: mangled(json_of[name], kinds[name], rng)

    return {
        "runs": ("claims.json", of("run"), a_run),
        "rows of a run": ("rows.jsonl", of("rows"), lambda path, _: read_rows(path)),
        "ledgers": ("ledger.json", of("ledger"), a_ledger),
        "preregistrations": ("plan.json", of("preregistration"), a_registration),
        "histories": ("history.jsonl", of("history"), a_history),
        "tables of a store": (entry.name, lambda rng: bytes_of(kept["table"], rng), lambda path, _: files.read_table(path)),
        "networks of a store": (member.name, lambda rng: bytes_of(kept["network"], rng),
                                lambda path, _: files.read_tensors(path)),
        "MNIST": ("train-labels-idx1-ubyte.gz", lambda rng: rng.randbytes(rng.randint(0, 200)),
                  lambda path, _: mnist_files.read(path, "train-labels-idx1-ubyte")),
        "searches": ("claims.json", of("searches"), a_search),
        "stories": (f"{DOCUMENT}.md", words(story), a_story),
        "logs of wandb": ("run-odd.wandb", lambda rng: records_of(wandb, rng), logged(Runs.from_wandb)),
        "CSV": ("results.csv", words(fit["metrics.csv"]), logged(lambda path: Runs.from_csv(path, step="step"))),
        **{f"Lightning, {name}": (name, words(content), logged(lambda path: Runs.from_lightning(path.parent)))
           for name, content in fit.items()},
        **{f"Hydra, {Path(name).name}": (name, words(content), job) for name, content in hydra.items()},
        "subsets": ("subset.npz", lambda rng: bytes_of(subset, rng), lambda path, _: cifar10_files._of_subset(path)),
    }  # fmt: skip


def main() -> int:
    """Read them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    found: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        every = readers(Path(temporary))
        for name, (file, make, read) in every.items():
            began, counts = time.perf_counter(), Counter[str]()
            folder = Path(temporary) / name
            folder.mkdir(exist_ok=True)
            for number in range(chosen.inputs // len(every)):
                rng = random.Random(f"{chosen.seed} {name} {number}")
                (folder / file).write_bytes(make(rng))
                try:
                    read(folder / file, rng)
                    counts["read"] += 1
                except CLEAR:
                    counts["refused"] += 1
                except Exception as problem:
                    counts["broken"] += 1
                    place = traceback.extract_tb(problem.__traceback__)[-1]
                    said = " ".join(str(problem).split())[:80]
                    kind = f"{name}: {type(problem).__name__} in {Path(place.filename).name}:{place.lineno}, {said}"
                    found.setdefault(kind, []).append(number)
            seconds = time.perf_counter() - began
            told = " ".join(f"{counts[what]:>7} {what}" for what in ("read", "refused", "broken"))
            print(f"{name:<22} {told} {seconds:6.0f} s", flush=True)
    for kind, numbers in found.items():
        print(f"{kind}: {len(numbers)} times, first for input {numbers[0]}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
