"""``plan --cost``: hours, memory and disk of claims, by document, before anything is trained."""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.device import DEVICES

if TYPE_CHECKING:
    import pytest

    from harness.claim import Claim
    from harness.running.asking import ClaimDesign
    from harness.running.costs import Cost
    from harness.running.rates import Source

NOTE = (
    "Times are of one process on this machine; several share them, each with its memory. Networks and tables that claims share "
    "count once in every line.\nPlanned by what a claim of the harness then took: LLC 1.1, trainings 1.0, attacks 1.3."
)
SECONDS = 100.0
GOT: dict[Source, str] = {
    "stored": "as entries of the store say",
    "timed": "timed here on a few steps and members",
    "scaled": "by work, from others of the same kind that were timed",
    "guessed": "from other kinds, since the time for timing was over; between a third and three times of it",
}


def add(plan: argparse.ArgumentParser) -> None:
    """Add the options to the command's parser."""
    plan.add_argument("--cost", action="store_true", help="say instead what a run takes: hours, memory and disk by document")
    plan.add_argument("--device", choices=DEVICES, default="auto", help="--cost: where it would run (default: auto)")
    plan.add_argument("--seconds", type=float, default=SECONDS, metavar="N",
                      help=f"--cost: CPU time for timing (default: {SECONDS:g}); with less, more is guessed")  # fmt: skip
    plan.add_argument("--store", metavar="DIR", help="--cost: the store (default: $HARNESS_STORE, else .harness)")


def costs(chosen: argparse.Namespace) -> int:
    """Print the costs of the claims that were named, or of all: first by document, then by claim."""
    from harness.cli import CommandError
    from harness.device import DeviceError
    from harness.progress import under_way
    from harness.running.costs import Needed, Prices
    from harness.running.rates import Rates
    from harness.running.session import open_harness, store_folder

    if not chosen.seconds > 0:
        raise CommandError(f"--seconds {chosen.seconds:g} is no time to time anything in; give a number above 0")
    designs = _designs(chosen)
    try:
        folder = store_folder(chosen.store, Path.cwd(), Path.cwd())
        store = open_harness(folder, scale=chosen.scale, device=chosen.device).store
    except DeviceError as problem:
        raise CommandError(problem) from None
    base = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    whole = Needed.of(designs.values())
    lacking = whole.lacking(store)
    print(f"timing what the store does not know, for about {chosen.seconds:g} s", file=sys.stderr, flush=True)
    with under_way("timing", 100, "%") as hear:
        rates = Rates(store, whole.without(lacking), chosen.seconds, lambda done, of: hear(done / of))
        rates.time()
    prices = Prices(whole, rates, store, base, lacking)
    documents = list(dict.fromkeys(document for document, _ in designs))
    own = {each: {name: design for (of, name), design in designs.items() if of == each} for each in documents}
    lines = {each: prices.cost(Needed.of(own[each].values())) for each in documents}
    if len(documents) > 1:
        lines["all"] = prices.cost(whole)
    print(f"scale {chosen.scale}, on {store.device}; the store is {folder}\n")
    print(f"{'':34} {'networks':>8} {'tables':>8} {'time':>13} {'to do':>13} {'memory':>8} {'disk':>8}  how the time was got")
    for name, cost in lines.items():
        print(_line(name, cost))
    for each in documents:
        print()
        for name, design in own[each].items():
            short = f"  {name.removeprefix(each + '/')}"
            print(_line(short, prices.cost(Needed.of([design]))) if design.recipes else f"{short[:34]:34} (no networks)")
    _explain([*lines.values()])
    return 0


def _designs(chosen: argparse.Namespace) -> dict[tuple[str, str], ClaimDesign]:
    """What the claims that were named ask for, or all, by document and id.

    Raises:
        CommandError: there is no such claim or document.
    """
    from harness.cli.fixed import each_claim
    from harness.cli.words import asks_for, require_known
    from harness.pytest_plugin.given import design_of

    designs: dict[tuple[str, str], ClaimDesign] = {}

    def look(item: pytest.Function, claim: Claim) -> None:
        if asks_for(chosen.claims, claim.id):
            designs[claim.document, claim.id] = design_of(item, chosen.scale)

    require_known(chosen.claims, each_claim(chosen.folder, look, chosen.claims), chosen.folder)
    return designs


def _explain(costs: Sequence[Cost]) -> None:
    """What the columns mean, as far as it occurs."""
    print(f"\n{NOTE}")
    for source in (each for each in GOT if any(cost.sources.get(each) for cost in costs)):
        print(f"{source}: {GOT[source]}")
    if any(cost.at_most for cost in costs):
        print("≤: trainings and samplers may end early, were not seen to within some seconds, and count in full.")
    untimed = {name: why for cost in costs for name, why in cost.untimed.items()}
    if untimed:
        print("?: not timed, and in no figure of time, memory or disk:")
    for why in dict.fromkeys(untimed.values()):
        things = [name for name, of in untimed.items() if of == why]
        print(f"  {things[0]}{f' and {len(things) - 1:,} more kinds' if len(things) > 1 else ''}: {why}")


def _line(name: str, cost: Cost) -> str:
    """A row of the table; a question mark stands for what was not timed, so that nothing unknown reads as a nought."""
    counts = f"{name[:34]:34} {cost.members:8,} {cost.tables:8,}"
    if cost.untimed and not cost.sources:
        return f"{counts} {'?':>13} {'?':>13} {'?':>8} {'?':>8}  not timed"
    whole, left = (
        f"{'≤ ' if cost.at_most else ''}{_time(each)}{' + ?' if cost.untimed else ''}" for each in (cost.seconds, cost.left)
    )
    return f"{counts} {whole:>13} {left:>13} {cost.memory / 1e9:5.1f} GB {cost.disk / 1e6:5,.0f} MB  {_got(cost)}"


def _got(cost: Cost) -> str:
    """How the time was got, by its shares; and between what it lies where a part of it is a guess."""
    shares = {source: cost.sources.get(source, 0.0) / cost.seconds for source in GOT} if cost.seconds else {}
    said = ", ".join(f"{source} {share:.0%}" for source, share in shares.items() if share >= 0.005)
    return said if shares.get("guessed", 0.0) < 0.005 else f"{said} ({' to '.join(map(_time, cost.bounds))})"


def _time(seconds: float) -> str:
    """A time that a person would say, to two digits."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:,.{0 if seconds >= 10 * size else 1}f} {unit}"
    return f"{seconds:.{0 if seconds >= 10 or not seconds else 1}f} s"
