"""The edge of the project: which fixtures the claims have, and where the embedded data lie."""

from __future__ import annotations

from pathlib import Path

from harness.data import register_embedded

pytest_plugins = (
    "fixtures.slt", "fixtures.slt_samples", "fixtures.slt_training", "fixtures.slt_long",
    "fixtures.lazy", "fixtures.lazy_adversarial",
    "fixtures.dynamics_clusters", "fixtures.dynamics_cubes", "fixtures.dynamics_images",
    "fixtures.overparam_random", "fixtures.overparam_mnist", "fixtures.regularization",
)  # fmt: skip

register_embedded("mnist", Path(__file__).parent / "fixtures" / "mnist-subset.npz")
