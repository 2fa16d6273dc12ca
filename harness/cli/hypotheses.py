"""``python -m harness export``: a run for machines of others, as hypothesis tests or as a graph of claims."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

FORMATS = ("hypotheses", "graph")


def add(commands: Any) -> None:
    """Add the command."""
    export = commands.add_parser("export", help="write a run as machine-readable hypothesis tests, or as a graph of claims")
    export.add_argument("--format", choices=FORMATS, required=True, dest="form",
                        help="hypotheses: criteria and conclusions, with the graph; graph: the graph alone")  # fmt: skip
    export.add_argument("--from", dest="run", type=Path, metavar="claims.json",
                        help="the run (default: reports/claims.json, else reports/reference/claims.json)")  # fmt: skip
    export.add_argument("--out", type=Path, metavar="FILE", help="file to write (default: print it)")
    export.set_defaults(command=run)


def run(chosen: argparse.Namespace) -> int:
    """Write a run in one of the formats; exit code 2 where its criteria do not give its verdicts."""
    from harness.cli import CommandError, earlier_run
    from harness.report import ReportError
    from harness.report.hypotheses import hypotheses, written
    from harness.report.write import write_whole

    found = earlier_run(chosen.run)
    if not found["rows"]:
        raise CommandError("there is no run to export: run the claims, or name a run's claims.json with --from FILE")
    try:
        whole = hypotheses(found)
        text = written(whole if chosen.form == "hypotheses" else {"graph": whole["graph"]})
        if chosen.out is None:
            print(text, end="")
            return 0
        write_whole({chosen.out.name: text}, chosen.out.parent)
    except ReportError as problem:
        raise CommandError(problem) from None
    print(chosen.out)
    return 0
