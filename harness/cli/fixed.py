"""Commands about what is fixed before anything runs: ``preregister`` writes it down, ``ledger`` checks it for changes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.claim import SCALES
from harness.cli.words import asks_for, require_known

if TYPE_CHECKING:
    import pytest

    from harness.claim import Claim


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    register = commands.add_parser("preregister", help="write down what is fixed for claims, before anything runs")
    register.add_argument("claims", nargs="*", metavar="claim", help="ids of claims (default: all)")
    register.add_argument("--out", type=Path, required=True, metavar="FILE",
                          help="file to write, as JSON; FILE.md beside it is for readers")  # fmt: skip
    register.add_argument("--scale", choices=SCALES, default="reduced", help="whose seeds and sizes (default: reduced)")
    register.add_argument("--from", dest="run", type=Path, metavar="claims.json",
                          help="run of pilot members to take the spread between units from, for the planned power")  # fmt: skip
    register.add_argument("--note", default="", metavar="TEXT",
                          help="what readers have to know of it, such as runs seen before; stands on every card")  # fmt: skip
    register.add_argument("--folder", type=Path, default=Path("claims"), help="where the claims are (default: claims)")
    register.set_defaults(command=_preregister)

    fresh = commands.add_parser("fresh", help="plan how many fresh seeds open claims are judged on again, before they run")
    fresh.add_argument("run", type=Path, metavar="claims.json", help="run that left them open")
    fresh.add_argument("claims", nargs="*", metavar="claim", help="ids of claims (default: all that the rule plans)")
    fresh.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write, for --claims-fresh")
    fresh.set_defaults(command=_fresh)

    ledger = commands.add_parser("ledger", help="say which claims have changed since their verdict became known")
    ledger.add_argument(
        "action", nargs="?", choices=("check", "upgrade"), default="check",
        help="check: compare declarations and designs with the ledger's (default); upgrade: add them to entries that lack them",
    )  # fmt: skip
    ledger.add_argument("--folder", type=Path, default=Path("claims"), help="where the claims are (default: claims)")
    ledger.set_defaults(command=_ledger)


def _preregister(chosen: argparse.Namespace) -> int:
    from harness.cli import CommandError, earlier_run
    from harness.pytest_plugin.given import design_of
    from harness.pytest_plugin.registering import register, registered
    from harness.pytest_plugin.registration import RegistrationError
    from harness.running.provenance import revision

    readable = chosen.out.with_name(chosen.out.name + ".md")
    if taken := [path for path in (chosen.out, readable) if path.exists()]:
        raise CommandError(f"{taken[0]} already exists, and a preregistration is never replaced; name another file with --out")
    run = {"rows": [], "scale": None} if chosen.run is None else earlier_run(chosen.run)
    rows = {row["id"]: row for row in run["rows"]}
    found: dict[str, dict[str, Any]] = {}
    recipes: dict[str, Any] = {}
    commit: list[Any] = []

    def look(item: pytest.Function, claim: Claim) -> None:
        if not commit:
            commit.extend(revision(item.config.rootpath))
        if asks_for(chosen.claims, claim.id):
            design = design_of(item, chosen.scale)
            recipes.update({recipe.key: recipe.describe() for recipe, _ in design.recipes})
            found[claim.id] = registered(claim, design, rows.get(claim.id), chosen.scale, run["scale"])

    require_known(chosen.claims, each_claim(chosen.folder, look, chosen.claims), chosen.folder)
    try:
        register(chosen.out, readable, found, recipes, scale=chosen.scale, commit=commit[0], dirty=commit[1], note=chosen.note)
    except RegistrationError as problem:
        raise CommandError(problem) from None
    print(f"{chosen.out}\n{readable}")
    return 0


def _fresh(chosen: argparse.Namespace) -> int:
    """Write down which claims are judged again on how many fresh seeds."""
    from harness.cli import CommandError
    from harness.report import ReportError, read_run
    from harness.report.write import write_whole
    from harness.running.fresh import FreshError, planned

    if chosen.out.exists():
        raise CommandError(f"{chosen.out} already exists, and a plan is never replaced; name another file with --out")
    try:
        found = planned(read_run(chosen.run), chosen.claims)
        write_whole({chosen.out.name: json.dumps(found, ensure_ascii=False, indent=1) + "\n"}, chosen.out.parent)
    except (FreshError, ReportError) as problem:
        raise CommandError(problem) from None
    for name, each in found["claims"].items():
        print(f"{name}: {each['blocks']} blocks of fresh seeds")
    return 0


def _ledger(chosen: argparse.Namespace) -> int:
    """Compare claims with the ledger, or upgrade it; exit code 1 if a claim has changed, or an entry has no claim."""
    from harness.cli import CommandError
    from harness.pytest_plugin.ledger import Ledger, LedgerError, orphans, sentences
    from harness.pytest_plugin.registering import state_of

    held: list[Ledger] = []
    states: dict[str, list[dict[str, Any]]] = {}
    new: dict[str, list[dict[str, Any]]] = {}  # claims without an entry, where an entry is without a claim
    everything: list[str] = []  # ids of all claims; none where some may not have been collected

    def look(item: pytest.Function, claim: Claim) -> None:
        if not held:
            named = item.config.getini("claims_ledger")
            if not named:
                raise LedgerError('this project has no ledger; name one in the configuration: claims_ledger = "…"')
            held.append(Ledger.read(item.config.rootpath / named))
            everything.extend(_all_ids(item.config))
        for scale in held[0].entries:
            if held[0].entry(scale, claim.id) is not None:
                states.setdefault(scale, []).append(state_of(item, claim, scale))
            elif everything and orphans(held[0], scale, everything):
                new.setdefault(scale, []).append(state_of(item, claim, scale))

    try:
        each_claim(chosen.folder, look, None)
        if not held:
            raise CommandError(f"there are no claims in {chosen.folder}")
        if chosen.action == "upgrade":
            added = {scale: held[0].upgrade(scale, own) for scale, own in states.items()}
            said = ", ".join(f"{count} at scale {scale}" for scale, count in added.items() if count)
            print(f"{held[0].path}: what is fixed was added to {said or 'no entry, since all have it'}")
            return 0
    except LedgerError as problem:
        raise CommandError(problem) from None
    orphaned = [
        sentence for scale in held[0].entries if everything
        for sentence in sentences(held[0], scale, everything, new.get(scale, ()), str(held[0].path))
    ]  # fmt: skip
    for sentence in orphaned:
        print(sentence)
    return max(_checked(held[0], states), bool(orphaned))


def _all_ids(config: pytest.Config) -> list[str]:
    """Ids of all claims of a project; none if the session was not asked for all, or could not collect all."""
    from harness.pytest_plugin.collect import Collector
    from harness.pytest_plugin.options import leaves_out_unseen

    collector = config.pluginmanager.get_plugin("claims-collector")
    assert isinstance(collector, Collector)
    found = collector.collected
    whole = not found.partial and not leaves_out_unseen(config) and len(found.rows) == len(found.known)
    return found.known if whole else []


def _checked(ledger: Any, states: dict[str, list[dict[str, Any]]]) -> int:
    """Say what differs from the ledger."""
    from harness.pytest_plugin.ledger import UPGRADE

    changed, unknown, compared = 0, 0, 0
    for scale, own in states.items():
        for state in own:
            entry = ledger.entry(scale, state["id"])
            unknown += entry.declared is None and entry.design is None
            compared += 1
            if found := ledger.pending(scale, state):
                changed += 1
                when = f"the verdict of {entry.since}" if entry.since else "its verdict"
                print(f"{state['id']} (scale {scale}) was changed: {', '.join(found)}, after {when} was known")
    print(f"{compared - changed - unknown} of {compared} known verdicts are for the claims as they are now")
    if unknown:
        print(f"for {unknown} the ledger does not know what was fixed; {UPGRADE} adds what is fixed now")
    return 1 if changed else 0


def each_claim(folder: Path, look: Callable[[pytest.Function, Claim], None], wanted: list[str] | None) -> list[str]:
    """Let ``look`` see every claim while its session lasts; the ids of all.

    Raises:
        CommandError: a claim that is wanted (all, where ``wanted`` is empty) is not declared correctly.
        Exception: what ``look`` raised.
    """
    from harness.claim import Claim
    from harness.cli import CommandError, collected
    from harness.pytest_plugin.collect import claim_id

    known: list[str] = []
    failed: list[Exception] = []

    def each(item: pytest.Item) -> None:
        name = claim_id(item)
        if name is None or failed:
            return
        known.append(name)
        declared = item.function.__claim__  # type: ignore[attr-defined]
        try:
            if isinstance(declared, Claim):
                look(item, declared)  # type: ignore[arg-type]
            elif wanted is not None and asks_for(wanted, name):
                raise CommandError(f"{name} is not declared correctly, and so fixes nothing: {declared}")
        except Exception as problem:  # pytest would print a traceback of its own insides
            failed.append(problem)

    collected(folder, each)
    if failed:
        raise failed[0]
    return known
