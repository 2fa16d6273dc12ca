"""The command ``story``: whether what is written about documents is what a run says, and the stamps that keep both together."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from harness.cli.words import counted


def add(commands: Any) -> None:
    """Add the command to a parser's."""
    story = commands.add_parser("story", help="compare what is written about documents with a run")
    story.add_argument("run", type=Path, metavar="claims.json", help="what a run wrote")
    story.add_argument("--folder", type=Path, default=Path("docs/findings"), metavar="DIR",
                       help="where DOCUMENT.md are (default: docs/findings)")  # fmt: skip
    story.add_argument("--beside", type=Path, nargs="+", default=[], metavar="claims.json",
                       help="other runs whose numbers may be given, too, such as those on fresh seeds")  # fmt: skip
    story.add_argument("--write", action="store_true", help="write the run's verdicts and numbers into the files")
    story.set_defaults(command=_story)


def _story(chosen: argparse.Namespace) -> int:
    from harness.cli import CommandError
    from harness.report import ReportError, prose, read_run
    from harness.report.rows import complete
    from harness.report.text import visible
    from harness.report.write import write_whole

    try:
        run = read_run(chosen.run)
        rows = [complete(row) for row in run["rows"]]
        others = [read_run(path) for path in chosen.beside]
        beside, apart = (
            [complete(row) for other in others if (other["scale"] == run["scale"]) == alike for row in other["rows"]]
            for alike in (True, False)
        )
        documents = list(dict.fromkeys(str(row["document"]) for row in rows))
        stories = prose.gathered(chosen.folder, documents)
        if not stories:
            first = f"{chosen.folder / documents[0]}.md" if documents else "a file for each document"
            raise CommandError(
                f"nothing in {chosen.folder} is about a document of this run; write {first}, or name another --folder"
            )
        wrong = 0
        for key, written in stories.items():
            own = {prose.slug(row): row for row in rows if row["document"] == key}
            if chosen.write:
                stamped = prose.stamped(written, own)
                if stamped != written:
                    write_whole({f"{key}.md": stamped}, chosen.folder)
                    print(f"{chosen.folder / key}.md: written")
                written = stamped
            faults, notes = prose.compared(written, own, beside, apart)
            wrong += len(faults)
            for said in (*faults, *(f"note: {each}" for each in notes)):
                print(visible(f"{key}: {said}"))
    except ReportError as problem:
        raise CommandError(problem) from None
    print(f"{counted(wrong, 'difference')} between what is written and the run")
    return 1 if wrong else 0
