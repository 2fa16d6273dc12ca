"""Every block of Python on every page runs, one after another, as a reader would run them."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("sybil")

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
    if "```python" in page.read_text(encoding="utf-8") and "generated" not in page.parts
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_STORE", str(tmp_path / "store"))
    document = Sybil(parsers=[PythonCodeBlockParser(), SkipParser()], path=str(page.parent), pattern=page.name).parse(page)
    examples = list(document.examples())
    assert examples
    for example in examples:
        example.evaluate()
