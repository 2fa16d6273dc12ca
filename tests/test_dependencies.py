"""The page about dependencies names every one, and nothing that is none."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ROW = re.compile(r"^\| ([a-z0-9, -]+) \|", re.MULTILINE)


def names(requirements: list[str]) -> set[str]:
    found = {re.split(r"[\[<>=!~ ]", each)[0] for each in requirements}
    return found - {PROJECT["name"]}


@pytest.mark.parametrize(
    ("heading", "requirements"),
    [
        ("Needed to run", PROJECT["dependencies"]),
        ("Only if asked for", [each for name in ("ray", "slurm") for each in PROJECT["optional-dependencies"][name]]),
        ("Only to see that other plugins do no harm", PROJECT["optional-dependencies"]["plugins"]),
        ("Only to develop", [each for name in ("dev", "docs") for each in PROJECT["optional-dependencies"][name]]),
    ],
)
def test_every_dependency_has_its_row(heading: str, requirements: list[str]) -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    section = page.split(f"## {heading}\n")[1].split("\n## ")[0]
    told = {name.strip() for row in ROW.findall(section) for name in row.split(",")} - {"package"}
    assert told == names(requirements)
