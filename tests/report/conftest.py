from __future__ import annotations

import copy
from typing import Any

import pytest
from report_samples import PROVENANCE, rows

from harness.report import assemble


@pytest.fixture(scope="session")
def finished_rows() -> list[dict[str, Any]]:
    return rows()


@pytest.fixture
def run(finished_rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A complete run: every verdict, every kind, every figure."""
    return assemble(copy.deepcopy(finished_rows), scale="reduced", device="cpu", provenance=PROVENANCE)


@pytest.fixture
def bare(run: dict[str, Any]) -> dict[str, Any]:
    """The same run without its figures, for what does not depend on them: drawing takes the time."""
    return run | {"rows": [row | {"figure": None} for row in run["rows"]]}
