"""Every block of Python on every page runs, one after another, as a reader would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sybil")

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from harness import one_thread

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
    if "```python" in page.read_text(encoding="utf-8") and "generated" not in page.parts
]
FILE = re.compile(r"# (?P<path>[\w/]+\.py)\n")  # the first line of a block that is a file of the reader's project


def of(page: Path) -> list:
    """The blocks of a page."""
    document = Sybil(parsers=[PythonCodeBlockParser(), SkipParser()], path=str(page.parent), pattern=page.name).parse(page)
    return list(document.examples())


def files(page: Path) -> dict[str, str]:
    """The blocks of a page that are files, by their path."""
    blocks = (str(example.parsed) for example in of(page))
    return {found["path"]: block for block in blocks if (found := FILE.match(block.lstrip()))}


@pytest.mark.filterwarnings("default:Please import:DeprecationWarning")  # Foolbox 3.3.4 uses names that SciPy will remove
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_STORE", str(tmp_path / "store"))
    one_thread()
    examples = [example for example in of(page) if not FILE.match(str(example.parsed).lstrip())]
    assert examples
    for example in examples:
        example.evaluate()


@pytest.mark.parametrize("page", [page for page in PAGES if files(page)], ids=lambda page: str(page.relative_to(ROOT)))
def test_the_files_of_a_page_are_a_project_that_runs(page, tmp_path):
    for path, text in files(page).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\nclaims_folders = ["claims"]\n')
    library = tmp_path / "library"  # the package alone: the repository has a folder fixtures of its own
    library.mkdir()
    (library / "harness").symlink_to(ROOT / "harness")
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [each for each in given if each and Path(each).resolve() != ROOT]
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(library), *paths])}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "claims", "-q", "--claims-scale", "smoke"],
        cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 inconclusive" in done.stdout
