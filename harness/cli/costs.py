"""``plan --cost``: hours, memory and disk of claims, by document, before anything is trained."""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.device import DEVICES

if TYPE_CHECKING:
    import pytest

    from harness.claim import Claim
    from harness.running.asking import ClaimDesign
    from harness.running.costs import Cost

NOTE = (
    "Times are of one process on this machine; several share them, each with its memory. Networks and tables that claims share "
    "count once in every line.\nWhat the store has is taken as its entries say. The rest is timed; against a whole run these "
    "were trainings 0.7 to 1.0 of what they took, attacks 0.7 to 1.0, other tables 0.6 to 1.3, LLC 1.8: a sampler that stops "
    "once it is precise counts with its whole budget where its timing was cut short."
)


def add(plan: argparse.ArgumentParser) -> None:
    """Add the options to the command's parser."""
    plan.add_argument("--cost", action="store_true", help="say instead what a run takes: hours, memory and disk by document")
    plan.add_argument("--device", choices=DEVICES, default="auto", help="--cost: where it would run (default: auto)")
    plan.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        metavar="N",
        help="--cost: time for measuring rates, besides training what is measured (default: 60)",
    )
    plan.add_argument("--store", metavar="DIR", help="--cost: the store (default: $HARNESS_STORE, else .harness)")


def costs(chosen: argparse.Namespace) -> int:
    """Print the costs of the claims that were named, or of all."""
    from harness.cli import CommandError
    from harness.cli.fixed import each_claim
    from harness.device import DeviceError
    from harness.pytest_plugin.given import design_of
    from harness.running.costs import Needed, cost_of
    from harness.running.rates import Rates
    from harness.running.session import open_harness, store_folder

    designs: dict[tuple[str, str], ClaimDesign] = {}

    def look(item: pytest.Function, claim: Claim) -> None:
        if not chosen.claims or claim.id in chosen.claims:
            designs[claim.document, claim.id] = design_of(item, chosen.scale)

    known = each_claim(chosen.folder, look, chosen.claims)
    if absent := [claim for claim in chosen.claims if claim not in {name for _, name in designs}]:
        raise CommandError(f"there is no claim {', '.join(absent)}; python -m harness list shows all {len(known)}")
    try:
        folder = store_folder(chosen.store, Path.cwd(), Path.cwd())
        store = open_harness(folder, scale=chosen.scale, device=chosen.device).store
    except DeviceError as problem:
        raise CommandError(problem) from None
    base = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lacking = Needed.of(designs.values()).lacking(store)

    def needed(some: Iterable[ClaimDesign]) -> Needed:
        return Needed.of(some).without(lacking)

    rates = Rates(store, needed(designs.values()), chosen.seconds)
    print(f"scale {chosen.scale}, on {store.device}; the store is {folder}\n")
    print(f"{'':34} {'networks':>8} {'tables':>8} {'time':>9} {'to do':>9} {'memory':>8} {'disk':>8}")
    untimed: dict[str, None] = {}
    at_most = False
    documents = list(dict.fromkeys(document for document, _ in designs))
    for document in documents:
        own = {name: design for (of, name), design in designs.items() if of == document}
        whole = cost_of(needed(own.values()), rates, store, base)
        untimed |= dict.fromkeys(whole.untimed)
        at_most |= whole.at_most
        print(_line(document, whole))
        for name, design in own.items():
            if design.recipes:
                print(_line(f"  {name.removeprefix(document + '/')}", cost_of(needed([design]), rates, store, base)))
    if len(documents) > 1:
        print(_line("all", cost_of(needed(designs.values()), rates, store, base)))
    print(f"\n{NOTE}")
    if at_most:
        print("≤: members may stop before the last epoch, were not seen to within some seconds, and count in full.")
    if untimed:
        print(f"Not timed, and not in the times: {len(untimed)} things, of which {'; '.join([*untimed][:4])}", file=sys.stderr)
    return 0


def _line(name: str, cost: Cost) -> str:
    whole, left = (f"{'≤ ' if cost.at_most else ''}{_time(each)}" for each in (cost.seconds, cost.left))
    return (
        f"{name[:34]:34} {cost.members:8,} {cost.tables:8,} {whole:>9} {left:>9} {cost.memory / 1e9:5.1f} GB "
        f"{cost.disk / 1e6:5,.0f} MB"
    )


def _time(seconds: float) -> str:
    """A time that a person would say, to two digits."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:,.{0 if seconds >= 10 * size else 1}f} {unit}"
    return f"{seconds:.{0 if seconds >= 10 or not seconds else 1}f} s"
