"""A new folder with a claim that works, and all that lies around it."""

from __future__ import annotations

import argparse
import re
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
TEMPLATE = "template"
PLACES = {
    "pyproject.toml.txt": "pyproject.toml",
    "readme.md.txt": "README.md",
    "gitignore.txt": ".gitignore",
    "conftest.py.txt": "conftest.py",
    "test_first.py.txt": "claims/test_first.py",
    "networks.py.txt": "claims/networks.py",
    "workflow.yml.txt": ".github/workflows/claims.yml",
}
"""Files of the template, and where they go."""


def add(commands: Any) -> None:
    """Add the command ``new``."""
    new = commands.add_parser("new", help="make a folder with a claim that works: claims, pyproject.toml, conftest.py, CI")
    new.add_argument("folder", type=Path, metavar="NAME", help="the new folder; its last part names the document of the claims")
    new.set_defaults(command=_new)


def _new(chosen: argparse.Namespace) -> int:
    from harness.cli import CommandError

    try:
        made = write(chosen.folder)
    except (OSError, ValueError) as problem:
        raise CommandError(problem) from None
    print("\n".join(str(path) for path in made))
    print(f"\nnow: cd {chosen.folder} && pytest claims/", file=sys.stderr)
    return 0


def write(folder: Path) -> list[Path]:
    """Write the files, and say which.

    Args:
        folder: where; it is made, and must not have anything in it.

    Raises:
        ValueError: it has no name that a claim's id can begin with, or holds something.
        OSError: it cannot be written.
    """
    name = folder.absolute().name
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a project; begin with a letter and go on with letters, digits, - and _")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is there already, and nothing in it is to be overwritten: name a new folder")
    document = name.lower().replace("_", "-").rstrip("-")
    made = []
    for file, place in PLACES.items():
        text = files("harness.cli").joinpath(TEMPLATE, file).read_text(encoding="utf-8")
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("NAME", name).replace("DOCUMENT", document), encoding="utf-8")
        made.append(path)
    return made
