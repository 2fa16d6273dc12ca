"""The command line: reports of runs, their comparison, a look into the store, what data and which claims there are.

Claims themselves are run by pytest (``pytest claims/``).  Every error is one line on stderr and exit code 2.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from harness.claim import SCALES
from harness.cli import cache, fixed, hypotheses, new, search, stories, train
from harness.cli import costs as costing
from harness.cli.words import asks_for, counted, require_known

if TYPE_CHECKING:
    import pytest

    from harness.running.asking import ClaimDesign

_PIPE = 141  # 128 and the number of SIGPIPE
_PAGES = "docs/findings"
_RUNS = (Path("reports/claims.json"), Path("reports/reference/claims.json"))
# Without the last two pytest may warn that harness was imported before it could rewrite its asserts.
_QUIETLY = ("-q", "-n0", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")


class CommandError(Exception):
    """A command that cannot be carried out; the message says why and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command.

    Args:
        arguments: the command line without the program's name; None for that of this process.

    Returns:
        Exit code: 0, 1 where a check found something, 2 where the command could not be carried out, 141 where whoever reads
        what it prints has seen enough (``| head``), as the shell has it of other programs.
    """
    try:
        try:
            return _carried_out(arguments)
        finally:  # also after --help, which ends the program
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
    except BrokenPipeError:
        for stream in (sys.stdout, sys.stderr):
            _closed(stream)
        return _PIPE


def _closed(stream: TextIO) -> None:
    """Let what is left in a stream that nobody reads any more go nowhere, so that nothing is said of it at the end."""
    try:
        stream.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _carried_out(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    chosen, left = parser.parse_known_args(arguments)
    if left:
        _take_up(parser, chosen, left)
    command: Callable[[argparse.Namespace], int] = chosen.command
    try:
        return command(chosen)
    except CommandError as problem:
        return _refused(parser, str(problem))
    except OSError as problem:
        if problem.filename is None:  # of no file that the user could have meant: a broken pipe, or a fault of ours
            raise
        return _refused(parser, f"{problem.filename}: {problem.strerror}")


def _refused(parser: argparse.ArgumentParser, why: str) -> int:
    from harness.report.text import visible

    print(f"{parser.prog}: {visible(why)}", file=sys.stderr)
    return 2


def _take_up(parser: argparse.ArgumentParser, chosen: argparse.Namespace, left: list[str]) -> None:
    """Add names that stand behind an option to those before it: argparse ends a list of names at the first option."""
    name = next((name for name in ("claims", "runs") if isinstance(getattr(chosen, name, None), list)), None)
    if name is None or any(word.startswith("-") for word in left):
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    getattr(chosen, name).extend(map(Path, left) if name == "runs" else left)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m harness", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    report = commands.add_parser("report", help="make the report of one run, or of several merged")
    report.add_argument("runs", nargs="+", type=Path, metavar="claims.json", help="what a run wrote")
    report.add_argument(
        "--out",
        type=Path,
        default=Path("reports"),
        metavar="DIR",
        help="folder for the report (default: reports)",
    )
    report.add_argument(
        "--table",
        choices=("latex", "markdown", "undecided"),
        help="print all verdicts as a table instead of making a report; undecided: open claims, and what would decide them",
    )
    report.add_argument("--preregistration", type=Path, metavar="FILE",
                        help="say for every claim whether it is as python -m harness preregister wrote it down")  # fmt: skip
    report.add_argument("--stories", type=Path, metavar="DIR",
                        help="take what is written about the documents from the files DOCUMENT.md there")  # fmt: skip
    report.set_defaults(command=_report)

    diff = commands.add_parser("diff", help="compare two runs: verdicts that flipped, effects that moved, and why")
    diff.add_argument("old", type=Path, metavar="old.json", help="claims.json of the run before")
    diff.add_argument("new", type=Path, metavar="new.json", help="claims.json of the run after")
    diff.add_argument("--html", nargs="?", type=Path, const=Path("reports/diff.html"), metavar="FILE",
                      help="write the comparison as a page, too (default: reports/diff.html)")  # fmt: skip
    diff.set_defaults(command=_diff)

    cache.add(commands)

    data = commands.add_parser("data", help="say where the data would come from")
    data.set_defaults(command=_data)

    claims = commands.add_parser("list", help="list the claims of a folder")
    claims.add_argument("folder", nargs="?", type=Path, default=Path("claims"), help="where they are (default: claims)")
    claims.set_defaults(command=_list)

    kinds = commands.add_parser("kinds", help="list the kinds of prediction")
    kinds.set_defaults(command=_kinds)

    plan = commands.add_parser("plan", help="say what the configured seeds can find, and how many seeds a margin needs")
    plan.add_argument("claims", nargs="*", metavar="claim", help="ids of claims, or documents (default: all)")
    plan.add_argument("--scale", choices=SCALES, default="reduced", help="whose seeds (default: reduced)")
    plan.add_argument("--from", dest="run", type=Path, metavar="claims.json", help="run to take the spread between units from "
                      "(default: reports/claims.json, else reports/reference/claims.json)")  # fmt: skip
    plan.add_argument("--folder", type=Path, default=Path("claims"), help="where the claims are (default: claims)")
    costing.add(plan)
    plan.set_defaults(command=_plan)
    fixed.add(commands)
    train.add(commands)
    search.add(commands)
    hypotheses.add(commands)
    new.add(commands)
    stories.add(commands)
    return parser


def _report(chosen: argparse.Namespace) -> int:
    from harness.pytest_plugin.registration import RegistrationError, read_registration
    from harness.report import ReportError, merge, prose, read_run, undecided, write_reports
    from harness.report.carried import taken_over
    from harness.report.citing import table

    try:
        runs = [read_run(path) for path in chosen.runs]
        run = taken_over(merge(runs), runs)
        if chosen.preregistration is not None:
            registration = read_registration(chosen.preregistration)
            registration.check_scale(run["scale"])
            run["rows"] = [{**row, "registered": registration.check(row)} for row in run["rows"]]
        if chosen.stories is not None:
            run["stories"] = prose.gathered(chosen.stories, dict.fromkeys(str(row["document"]) for row in run["rows"]))
        if chosen.table is not None:
            documented = {path.stem for path in Path(_PAGES).glob("*.md")}
            told = undecided.table(run, _PAGES, documented) if chosen.table == "undecided" else table(run, chosen.table)
            print(told, end="")
            return 0
        written = write_reports(run, chosen.out)
    except (ReportError, RegistrationError) as problem:
        raise CommandError(problem) from None
    print("\n".join(str(path) for path in written.values()))
    return 0


def _diff(chosen: argparse.Namespace) -> int:
    """Tell how two runs differ; exit code 1 where they demonstrably do."""
    from harness.report import ReportError, compare, read_run
    from harness.report.diff_views import report_beside, to_html, to_text
    from harness.report.write import write_whole

    try:
        found = compare(read_run(chosen.old), read_run(chosen.new))
        print(to_text(found), end="")
        if chosen.html is not None:
            reports = (report_beside(run, chosen.html.parent) for run in (chosen.old, chosen.new))
            write_whole({chosen.html.name: to_html(found, *reports)}, chosen.html.parent)
            print(f"\nas a page: {chosen.html}")
    except ReportError as problem:
        raise CommandError(problem) from None
    return 1 if found.demonstrable else 0


def _data(chosen: argparse.Namespace) -> int:
    run_pytest("--collect-only", "--ignore-glob=*", ".")  # the project's conftest.py says what data it holds
    from harness.data import availability, cifar10_availability

    sources = []
    for dataset, found in (("MNIST", availability()), ("CIFAR-10", cifar10_availability())):
        sources.append(found.pop("source"))
        print(f"{dataset}: {sources[-1] or 'not available'}")
        for name, value in found.items():
            if value != "":
                print(f"  {name:<8} {value}")
    return 0 if all(sources) else 1


def _plan(chosen: argparse.Namespace) -> int:
    if chosen.cost:
        return costing.costs(chosen)
    from harness.claim import Claim
    from harness.pytest_plugin.collect import claim_id
    from harness.pytest_plugin.given import design_of
    from harness.running.planning import statement

    run = earlier_run(chosen.run)
    rows = {row["id"]: row for row in run["rows"]}
    said: dict[str, str] = {}
    families: Counter[str] = Counter()
    plans: list[tuple[Claim, ClaimDesign | None]] = []

    def look(item: pytest.Item) -> None:
        name, declared = claim_id(item), getattr(getattr(item, "function", None), "__claim__", None)
        if isinstance(declared, Claim):
            families[declared.document] += getattr(declared.prediction, "rule", "exact") != "exact"
        if name is None or not asks_for(chosen.claims, name):
            return
        if isinstance(declared, Claim):
            design = None if declared.prediction.rule == "exact" else design_of(item, chosen.scale)  # type: ignore[arg-type]
            design = design if design is not None and design.recipes else None
            plans.append((declared, design))
            said[name] = ""  # what else its document holds is known at the end
        else:
            said[name] = f"not declared correctly: {declared}"

    known = [name for item in collected(chosen.folder, look) if (name := claim_id(item))]
    require_known(chosen.claims, known, chosen.folder)
    for claim, design in plans:
        family = families[claim.document]
        said[claim.id] = statement(claim, design, rows.get(claim.id), chosen.scale, run["scale"], family)
    for name, text in said.items():
        print(f"{name}\n    {text}")
    return 0


def _kinds(chosen: argparse.Namespace) -> int:
    import harness
    from harness.registry import kinds

    wide = max(map(len, kinds()))
    for name in sorted(kinds()):
        print(f"{name:<{wide}}  {(getattr(harness, name).__doc__ or '').splitlines()[0]}")
    return 0


def earlier_run(path: Path | None) -> dict[str, Any]:
    """The run to take the spread between units from: the one named, else the last, else the committed one, else none."""
    from harness.report import ReportError, read_run

    if path is None:
        path = next((each for each in _RUNS if each.is_file()), None)
    try:
        return {"rows": [], "scale": None} if path is None else read_run(path)
    except ReportError as problem:
        raise CommandError(problem) from None


def _list(chosen: argparse.Namespace) -> int:
    from harness.pytest_plugin.outcome import read_row
    from harness.report.text import visible

    rows = [row for item in collected(chosen.folder) if (row := read_row(item))]
    wide = max((len(row["id"]) for row in rows), default=0)
    for row in rows:
        print(visible(f"{row['id']:<{wide}}  {row['statement'] or row['reason']}"))
    print(f"{counted(len(rows), 'claim')} in {chosen.folder}", file=sys.stderr)
    return 0


def collected(folder: Path, look: Callable[[pytest.Item], None] = lambda item: None) -> list[pytest.Item]:
    """What pytest collects in ``folder``; nothing is run.  ``look`` sees each item while the session lasts."""
    import pytest

    if not folder.is_dir():
        raise CommandError(f"there is no folder {folder}; name the folder that has the claims")

    class Catcher:
        def __init__(self) -> None:
            self.items: list[pytest.Item] = []

        def pytest_collection_finish(self, session: pytest.Session) -> None:
            self.items = session.items
            for item in session.items:
                look(item)

    catcher = Catcher()
    code, said = run_pytest("--collect-only", str(folder), plugins=[catcher])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        print(said.strip(), file=sys.stderr)
        raise CommandError(f"the claims in {folder} could not be collected; pytest says why above")
    return catcher.items


def run_pytest(*arguments: str, plugins: Sequence[object] = (), shown: bool = False) -> tuple[int, str]:
    """Exit code of a pytest session in this process, and what it said, where it is not ``shown``; it leaves no files."""
    import pytest

    if shown:
        return int(pytest.main([*_QUIETLY, *arguments], plugins=list(plugins))), ""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main([*_QUIETLY, *arguments], plugins=list(plugins))
    return int(code), said.getvalue()
