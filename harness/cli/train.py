"""The command ``train``: networks that claims ask for, here or on an engine, all of them or one part of several."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.claim import SCALES
from harness.device import DEVICES
from harness.engines import ENGINES

if TYPE_CHECKING:
    import pytest

    from harness.claim import Claim
    from harness.recipe import Recipe


def add(commands: Any) -> None:
    """Add the command to a parser's."""
    train = commands.add_parser("train", help="train the networks that claims ask for, and judge nothing")
    train.add_argument("claims", nargs="*", metavar="claim", help="ids of claims, or documents (default: all)")
    train.add_argument("--scale", choices=SCALES, default="reduced", help="whose networks (default: reduced)")
    train.add_argument("--engine", choices=ENGINES, default="local", help="where (default: local, processes on this machine)")
    train.add_argument(
        "--engine-option", action="append", default=[], metavar="NAME=VALUE",
        help="an option of the engine, repeatable; what SLURM's does not know goes to sbatch",
    )  # fmt: skip
    train.add_argument("--workers", type=int, metavar="N", help="local: processes (default: one a GPU, else one a core)")
    train.add_argument("--shard", metavar="I/N", help="only the I-th of N parts, none of which needs another")
    train.add_argument("--device", choices=DEVICES, default="auto", help="where each process trains (default: auto)")
    train.add_argument("--memory", metavar="SIZE", help="working memory of a process (default: 1GiB, on a GPU 8GiB)")
    train.add_argument("--store", metavar="DIR", help="folder or URL of the store (default: $HARNESS_STORE, else .harness)")
    train.add_argument("--shared-store", action="append", default=[], metavar="DIR",
                       help="folder or URL of a store that is only read, repeatable")  # fmt: skip
    train.add_argument("--folder", type=Path, default=Path("claims"), help="where the claims are (default: claims)")
    train.set_defaults(command=_train)


def _train(chosen: argparse.Namespace) -> int:
    """Train; exit code 1 where something could not be trained."""
    from harness import device
    from harness.cli import CommandError
    from harness.engines import EngineError, engine_of, read_options
    from harness.running.ahead import train_ahead
    from harness.running.session import open_harness, store_place
    from harness.store import StoreError

    number, of = _part(chosen.shard)
    asked = wanted(chosen.claims, chosen.scale, chosen.folder)
    engine = None
    try:
        device.limit_memory(None if chosen.memory is None else device.read_memory(chosen.memory))
        options = read_options(chosen.engine_option)
        if chosen.workers is not None:
            options.setdefault("workers", str(chosen.workers))
        engine = engine_of(chosen.engine, options, choice=chosen.device)
        place = store_place(chosen.store, chosen.shared_store, Path.cwd(), Path.cwd())
        store = open_harness(place, scale=chosen.scale, device=chosen.device, engine=engine).store
        done = train_ahead(store, asked, number=number, of=of, name=f"{chosen.scale} networks")
    except (EngineError, StoreError, device.DeviceError) as problem:
        raise CommandError(problem) from None
    finally:
        if engine is not None:
            engine.close()
        device.limit_memory(None)
    for failure in done.failures:
        print(f"not trained: {failure}", file=sys.stderr)
    share = f", part {number} of {of} of {done.of}" if of > 1 else ""
    print(f"{done.members} members asked for{share}; {store.made} shards made; the store is {place.remote or place.folder}")
    return 1 if done.failures else 0


def _part(text: str | None) -> tuple[int, int]:
    from harness.cli import CommandError

    if text is None:
        return 1, 1
    said = re.fullmatch(r"(\d+)/(\d+)", text)
    number, of = (int(said[1]), int(said[2])) if said else (0, 0)
    if not 1 <= number <= of:
        raise CommandError(f"--shard {text} is no part; write I/N with I from 1 to N, as in 2/8")
    return number, of


def wanted(claims: Sequence[str], scale: str, folder: Path) -> list[tuple[Recipe, tuple[int, ...]]]:
    """Recipes and seeds of the claims of these ids or documents, or of all.

    Raises:
        CommandError: there is no such claim.
    """
    from harness.cli.fixed import each_claim
    from harness.cli.words import asks_for, require_known
    from harness.pytest_plugin.given import design_of

    found: list[tuple[Recipe, tuple[int, ...]]] = []

    def look(item: pytest.Function, claim: Claim) -> None:
        if asks_for(claims, claim.id):
            found.extend(design_of(item, scale).recipes)

    require_known(claims, each_claim(folder, look, list(claims)), folder)
    return found
