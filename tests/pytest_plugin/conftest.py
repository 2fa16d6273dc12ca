from __future__ import annotations

from collections.abc import Callable

import pytest
from papers import Project


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("HARNESS_STORE", raising=False)
    return Project(pytester)


@pytest.fixture
def told() -> Callable[[pytest.RunResult], str]:
    """All that a session printed."""
    return lambda result: f"{result.stdout.str()}\n{result.stderr.str()}"
