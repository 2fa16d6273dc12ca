"""``python -m harness search``: where in its scope a claim holds."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness.claim import SCALES


def add(commands: Any) -> None:
    """Add the command."""
    search = commands.add_parser("search", help="say where in its scope a claim holds: shares, edges, what matters")
    search.add_argument("claim", help="the claim's id")
    search.add_argument("--examples", type=int, default=40, metavar="N", help="settings to try (default: 40)")
    search.add_argument("--minutes", type=float, metavar="M", help="stop after so many; what was trained is kept")
    search.add_argument("--scale", choices=SCALES, default="reduced", help="default: reduced")
    search.add_argument("--store", metavar="DIR", help="folder of the store (default: $HARNESS_STORE, else .harness)")
    search.add_argument("--folder", type=Path, default=Path("claims"), help="where the claims are (default: claims)")
    search.add_argument("--out", type=Path, metavar="DIR", help="folder for a report of the search (default: none is written)")
    search.set_defaults(command=run)


def run(chosen: argparse.Namespace) -> int:
    """Search one claim's scope, as ``pytest claims/ --claims-search`` does; exit code 1 where it could not be judged."""
    from harness.cli import CommandError, collected, run_pytest
    from harness.pytest_plugin.collect import claim_id
    from harness.store.place import is_url

    known = [name for item in collected(chosen.folder) if (name := claim_id(item))]
    if chosen.claim not in known:
        raise CommandError(f"there is no claim {chosen.claim}; python -m harness list shows all {len(known)}")
    if chosen.examples < 1:
        raise CommandError(f"--examples {chosen.examples}: a search tries 1 setting or more")
    with tempfile.TemporaryDirectory() as scratch:
        out = chosen.out or Path(scratch)
        asked = [
            "--claims-only", chosen.claim, "--claims-search", str(chosen.examples), "--claims-scale", chosen.scale,
            "--claims-report", str(out.absolute()),
        ]  # fmt: skip
        asked += ["--claims-search-minutes", str(chosen.minutes)] if chosen.minutes is not None else []
        if chosen.store:
            asked += ["--claims-store", chosen.store if is_url(chosen.store) else str(Path(chosen.store).absolute())]
        _, said = run_pytest(str(chosen.folder), *asked)
        try:
            rows = json.loads((out / "claims.json").read_text(encoding="utf-8"))["rows"]
        except (OSError, ValueError):
            print(said.strip(), file=sys.stderr)
            raise CommandError(f"{chosen.claim} could not be run; pytest says why above") from None
    row = next(row for row in rows if row["id"] == chosen.claim)
    print(f"{row['id']}: {row['verdict']} at the defaults. {row['reason']}")
    if row["search"] is None:
        print("It was not searched: it declares no scope, or its body reads no harness.")
        return 1
    print(row["search"]["reason"])
    return 0
