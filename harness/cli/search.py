"""``python -m harness search``: where in its scope a claim holds."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from harness.claim import SCALES
from harness.device import DEVICES
from harness.engines import ENGINES

INTERRUPTED = 2  # pytest's exit code
STALE = "StaleNotes"  # by its name: its module takes a second to import


def add(commands: Any) -> None:
    """Add the command."""
    search = commands.add_parser("search", help="say where in its scope a claim holds: shares, edges, what matters")
    search.add_argument("claim", nargs="?", help="the claim's id")
    search.add_argument(
        "--table", type=Path, metavar="FILE", help="instead, print where each claim of a run's claims.json holds"
    )
    search.add_argument("--examples", type=int, default=40, metavar="N", help="settings to try (default: 40)")
    search.add_argument("--minutes", type=float, metavar="M", help="stop after so many; what was trained is kept")
    search.add_argument("--workers", type=int, default=1, metavar="N", help="processes that share the settings (default: 1)")
    search.add_argument("--engine", choices=ENGINES, default="local",
                        help="where what the settings need is made (default: local, processes on this machine)")  # fmt: skip
    search.add_argument(
        "--engine-option", action="append", default=[], metavar="NAME=VALUE",
        help="an option of the engine, repeatable; what SLURM's does not know goes to sbatch",
    )  # fmt: skip
    search.add_argument("--device", choices=DEVICES, default="auto", help="where that is (default: auto)")
    search.add_argument("--scale", choices=SCALES, default="reduced", help="default: reduced")
    search.add_argument("--store", metavar="DIR", help="folder of the store (default: $HARNESS_STORE, else .harness)")
    search.add_argument("--folder", type=Path, default=Path("claims"), help="where the claims are (default: claims)")
    search.add_argument("--out", type=Path, metavar="DIR", help="folder for a report of the search (default: none is written)")
    search.set_defaults(command=run)


def run(chosen: argparse.Namespace) -> int:
    """Search one claim's scope, as ``pytest claims/ --claims-search`` does; exit code 1 where it could not be judged."""
    from harness.cli import CommandError, collected, run_pytest
    from harness.cli.words import require_known
    from harness.pytest_plugin.collect import claim_id
    from harness.store.place import is_url

    if chosen.table is not None:
        return _table(chosen.table)
    if chosen.claim is None:
        raise CommandError("name a claim to search, or a run's claims.json with --table FILE")
    known = [name for item in collected(chosen.folder) if (name := claim_id(item))]
    require_known([chosen.claim], known, chosen.folder)
    if chosen.claim not in known:
        raise CommandError(f"{chosen.claim} is a document; name one of its claims, which python -m harness list shows")
    if chosen.examples < 1:
        raise CommandError(f"--examples {chosen.examples}: a search tries 1 setting or more")
    if chosen.engine != "local" and chosen.workers != 1:
        raise CommandError(
            f"--workers {chosen.workers} is for processes on this machine; the engine {chosen.engine} shares settings among "
            "its own, as many at a time as --engine-option at_once=N says"
        )
    with tempfile.TemporaryDirectory() as scratch:
        out = chosen.out or Path(scratch)
        asked = [
            "--claims-only", chosen.claim, "--claims-search", str(chosen.examples), "--claims-scale", chosen.scale,
            "--claims-report", str(out.absolute()), "--claims-search-workers", str(chosen.workers),
        ]  # fmt: skip
        asked += ["--claims-search-minutes", str(chosen.minutes)] if chosen.minutes is not None else []
        asked += ["--claims-engine", chosen.engine] if chosen.engine != "local" else []
        asked += [word for option in chosen.engine_option for word in ("--claims-engine-option", option)]
        asked += ["--claims-device", chosen.device] if chosen.device != "auto" else []
        if chosen.store:
            asked += ["--claims-store", chosen.store if is_url(chosen.store) else str(Path(chosen.store).absolute())]
        asked.append("--claims-search-again")  # whoever names a claim wants it searched
        shown, stale = sys.stderr.isatty(), _Stale()  # with the line that says how far it is
        code, said = run_pytest(str(chosen.folder), *asked, shown=shown, plugins=[stale])
        if code == INTERRUPTED:
            raise CommandError(
                f"interrupted: the settings of {chosen.claim} that were judged, and all networks, are kept in the store; the "
                "same command goes on with the others"
            )
        if not shown and stale.said:
            print(*stale.said, sep="\n", file=sys.stderr)
        try:
            rows = json.loads((out / "claims.json").read_text(encoding="utf-8"))["rows"]
        except (OSError, ValueError):
            print(said.strip(), file=sys.stderr)
            raise CommandError(f"{chosen.claim} could not be run; pytest says why above") from None
    row = next(row for row in rows if row["id"] == chosen.claim)
    print(f"{row['id']}: {row['verdict']} at the defaults. {row['reason']}")
    if row["search"] is None and row["verdict"] == "error":
        print("It was not searched: it could not be judged at its defaults. Mend that first.")
        return 1
    if row["search"] is None:
        print(
            "It was not searched: there is nothing to try. Give @claim what its document leaves open, as in "
            "scope={'epochs': st.integers(2, 16)}, and read it in the body with harness.setting('epochs', 8)."
        )
        return 1
    print(row["search"]["reason"])
    return 0


class _Stale:
    """A plugin that keeps what is said of notes that are not true any more."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """See :func:`pytest.hookspec`."""
        if warning_message.category.__name__ == STALE:
            self.said.append(str(warning_message.message))


def _table(path: Path) -> int:
    """Print one line for each claim of a run that was searched; exit code 1 where none was."""
    from harness.cli import CommandError
    from harness.report.searches import line

    try:
        lines = [said for row in json.loads(path.read_text(encoding="utf-8"))["rows"] if (said := line(row))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise CommandError(f"{path} is no claims.json of a run ({problem}); python -m pytest claims/ writes one") from None
    print("\n".join(lines) or f"no claim in {path} was searched; run it with --claims-search N")
    return 0 if lines else 1
