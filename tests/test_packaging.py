"""What is shipped: the library whole, its pages and templates, and nothing of the project around it."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = {path.relative_to(ROOT).as_posix() for path in (ROOT / "harness").rglob("*") if path.is_file() and path.suffix != ".pyc"}
SHIPPED = {"README.md", "LICENSE", "pyproject.toml", "CHANGELOG.md", "CITATION.cff", "MANIFEST.in"}
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)$", re.MULTILINE)
BUILD = "import sys; from setuptools import build_meta as b; print(getattr(b, 'build_' + sys.argv[1])(sys.argv[2]))"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdist of a copy of the project, and the wheel that is built from the sdist alone, as by ``python -m build``."""
    there = tmp_path_factory.mktemp("built")
    tools = there / "tools"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--target", tools, "setuptools>=77"], check=True)
    surroundings = {**os.environ, "PYTHONPATH": str(tools)}
    source = there / "source"
    shutil.copytree(ROOT / "harness", source / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    for name in SHIPPED:
        shutil.copy(ROOT / name, source)
    for name in ("claims", "fixtures", "tests"):  # so that they could be taken along by mistake
        (source / name).mkdir()
        (source / name / "__init__.py").write_text("")
        (source / name / "test_one.py").write_text("")

    def build(kind: str, folder: Path) -> Path:
        done = subprocess.run([sys.executable, "-c", BUILD, kind, there], cwd=folder, env=surroundings, capture_output=True,
                              text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return there / done.stdout.splitlines()[-1]

    sdist = build("sdist", source)
    with tarfile.open(sdist) as packed:
        packed.extractall(there / "unpacked", filter="data")
    (unpacked,) = (there / "unpacked").iterdir()
    return {"sdist": sdist, "wheel": build("wheel", unpacked)}


def test_the_wheel_has_the_library_whole_and_nothing_else(built):
    with zipfile.ZipFile(built["wheel"]) as wheel:
        names = set(wheel.namelist())
        (about,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(wheel.read(about))
        entries = wheel.read(about.replace("METADATA", "entry_points.txt")).decode()
    assert {name for name in names if ".dist-info/" not in name} == OURS
    assert "harness/py.typed" in names
    assert "[pytest11]" in entries
    assert "harness.pytest_plugin" in entries
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert {"Framework :: Pytest", "Typing :: Typed"} <= set(metadata.get_all("Classifier"))
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_the_sdist_has_what_builds_the_wheel(built):
    with tarfile.open(built["sdist"]) as packed:
        names = {name.partition("/")[2] for name in packed.getnames() if not packed.getmember(name).isdir()}
    made = {name for name in names if name.startswith("claims_harness.egg-info/") or name in ("PKG-INFO", "setup.cfg")}
    assert names - made == OURS | SHIPPED


def test_pythons_that_are_named_are_those_that_ci_runs_or_that_lie_between():
    named = [int(each.rpartition(".")[2]) for each in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", each)]
    run = re.search(r"python: \[(.*)\]", (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert run is not None
    minors = [int(each) for each in re.findall(r"3\.(\d+)", run[1])]
    assert named == list(range(min(minors), max(minors) + 1))
    assert PROJECT["requires-python"] == f">=3.{min(minors)}"


def test_the_oldest_versions_are_those_that_are_declared():
    floors = dict(re.findall(r"^([a-z0-9-]+)>=([0-9.]+)", "\n".join(PROJECT["dependencies"]), re.MULTILINE))
    pins = dict(PIN.findall((ROOT / "constraints-lowest.txt").read_text(encoding="utf-8")))
    needed = [re.split("[<>=]", each)[0] for each in PROJECT["dependencies"]]
    assert list(pins)[: len(needed)] == needed  # what follows is needed by these
    for name, floor in floors.items():
        wide = floor.split(".")
        assert pins[name].split(".")[: len(wide)] == wide
        assert set(pins[name].split(".")[len(wide) :]) <= {"0"}


def test_every_extra_that_is_tested_is_pinned():
    pins = {name.lower() for name, _ in PIN.findall((ROOT / "constraints.txt").read_text(encoding="utf-8"))}
    for extra in ("dev", "docs", "plugins"):
        names = {re.split(r"[\[<>=]", each)[0].lower() for each in PROJECT["optional-dependencies"][extra]}
        assert names - {PROJECT["name"]} <= pins, extra


def test_the_newest_syntax_is_that_of_the_oldest_python():
    oldest = int(PROJECT["requires-python"].rpartition(".")[2])
    for name in OURS:
        if name.endswith(".py"):
            ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, oldest))
