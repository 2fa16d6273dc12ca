from __future__ import annotations

from pathlib import Path

import pytest
import store_samples
from store_samples import Trainings, count_trainings

from harness.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    """Grows by (regime, seeds) with every training."""
    return count_trainings(monkeypatch)


@pytest.fixture
def measured() -> Trainings:
    """Grows by (regime, seeds) whenever lengths are measured."""
    store_samples.measured.clear()
    return store_samples.measured
