"""The site builds without a warning, and its reference has every name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import harness

pytest.importorskip("sphinx")
pytest.importorskip("furo")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    there = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", there / "trees", ROOT / "docs", there],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return there


def test_every_name_has_an_entry(site):
    chapters = "".join(page.read_text(encoding="utf-8") for page in (site / "generated").glob("*.html"))
    assert [name for name in harness.__all__ if f'.{name}"' not in chapters] == []


def test_no_link_leaves_the_site_for_a_file(site):
    """Pages of the repository that are no pages of the site are named, not linked."""
    import re

    for page in site.rglob("*.html"):
        links = re.findall(r'(?:href|src)="([^"#?]+)', page.read_text(encoding="utf-8"))
        local = [link for link in links if "://" not in link and not link.startswith(("data:", "mailto:"))]
        assert [link for link in local if not (page.parent / link).exists()] == [], page
