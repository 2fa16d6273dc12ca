from __future__ import annotations

from pathlib import Path

import pytest
from engine_recipes import DIARY


@pytest.fixture
def diary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where other processes note what they do."""
    folder = tmp_path / "diary"
    folder.mkdir()
    monkeypatch.setenv(DIARY, str(folder))
    return folder
