"""The job that make_hydra.sh runs: a configuration with a group, a reference, and results in two forms."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf


@dataclass
class Main:
    """The configuration."""

    defaults: list[Any] = field(default_factory=lambda: ["_self_", {"optimizer": "sgd"}])
    seed: int = 0
    epochs: int = 3
    steps: int = "${epochs}"  # type: ignore[assignment]
    folder: str = "${hydra:runtime.choices.optimizer}"
    layers: list[int] = field(default_factory=lambda: [8, 8])
    optimizer: Any = None


ConfigStore.instance().store("config", Main)
ConfigStore.instance().store("sgd", {"lr": 1e-3, "momentum": None}, group="optimizer")
ConfigStore.instance().store("adam", {"lr": 1e-2, "betas": [0.9, 0.999]}, group="optimizer")


@hydra.main(version_base="1.3", config_name="config")
def main(config: Any) -> None:
    """Leave results, unless the seed is 2, which breaks."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    if config.seed == 2:
        raise SystemExit(1)
    gain = 0.25 if HydraConfig.get().runtime.choices.optimizer == "adam" else 0.0
    rows = [{"epoch": epoch, "val": {"acc": 0.5 + gain + epoch / 8 + config.seed / 64}} for epoch in range(config.epochs)]
    rows[0]["loss"] = float("nan")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "results.json").write_text(json.dumps({"acc": rows[-1]["val"]["acc"], "note": "done"}))
    OmegaConf.resolve(config)


if __name__ == "__main__":
    main()
