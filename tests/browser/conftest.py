"""A real browser, headless, and the pages that it opens from disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Browser, started
from report_samples import PROVENANCE, rows
from selenium import webdriver

from harness.report import assemble, compare, write_reports
from harness.report.diff_views import to_html


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One browser a worker, with a profile of its own; in CI its absence fails instead of skipping."""
    try:
        running = started(tmp_path_factory.mktemp("profile"))
    except LookupError as problem:
        if os.environ.get("CI") == "true":
            pytest.fail(str(problem))
        pytest.skip(str(problem))
    yield running
    running.quit()


@pytest.fixture
def browser(driver: webdriver.Chrome) -> Browser:
    fresh = Browser(driver)
    fresh.look()
    fresh.complaints()
    fresh.requests()
    return fresh


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run of every verdict, kind and figure, with a past."""
    folder = tmp_path_factory.mktemp("reports")
    run = assemble(rows(), scale="reduced", device="cpu", provenance=PROVENANCE)
    bare = [row | {"figure": None, "verdict": "refuted"} for row in run["rows"]]
    write_reports(run | {"rows": bare, "provenance": PROVENANCE | {"started": "2026-02-01T00:00:00+00:00"}}, folder)
    return write_reports(run, folder)["claims.html"]


@pytest.fixture(scope="session")
def comparison(tmp_path_factory: pytest.TempPathFactory, page: Path) -> Path:
    """A comparison of two runs with something to tell, and with the report of the new one."""
    old = assemble(rows(), scale="reduced", device="cpu", provenance=PROVENANCE)
    changed = {"verdict": "refuted", "effect": -0.01, "interval": [-0.02, 0.0]}
    new = old | {"rows": [old["rows"][0] | changed, *old["rows"][1:-1]]}
    path = tmp_path_factory.mktemp("comparison") / "diff.html"
    path.write_text(to_html(compare(old, new), None, page.as_uri()), encoding="utf-8")
    return path
