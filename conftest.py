"""The edge of the project: where the embedded data lie."""

from __future__ import annotations

from pathlib import Path

from harness.data import register_embedded

register_embedded("mnist", Path(__file__).parent / "fixtures" / "mnist-subset.npz")
