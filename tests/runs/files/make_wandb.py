"""Writes wandb/: runs of wandb 0.31.0 in offline mode.  Run it in an empty folder, in an environment that has wandb.

The settings leave out what tells about a person or a machine.  Only the files run-ID.wandb are kept.
"""

from __future__ import annotations

import os

os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_DISABLE_CODE": "true", "WANDB_DISABLE_GIT": "true"}
import wandb

QUIET = {"x_disable_stats": True, "x_disable_meta": True, "console": "off", "save_code": False, "host": "host",
         "username": "user", "email": "", "disable_job_creation": True}  # fmt: skip


def one(name: str, seed: int, rows: list[dict[str, object]], code: int = 0) -> None:
    settings = wandb.Settings(**QUIET)
    optimizer = {"name": "adam" if "adam" in name else "sgd", "lr": 0.1}
    config = {"optimizer": optimizer, "seed": seed, "layers": [8, 8], "note": None}
    run = wandb.init(project="claims", id=name, name=name, dir=".", settings=settings, config=config)
    run.config.update({"warmup": True})
    for row in rows:
        row = dict(row)
        run.log({key: value for key, value in row.items() if key != "at"}, step=row.get("at"))
    run.finish(exit_code=code)


def main() -> None:
    for seed in range(2):
        for name, gain in (("sgd", 0.0), ("adam", 0.25)):
            rows = [{"at": 10 * n, "val/acc": 0.5 + gain + n / 8 + seed / 64, "loss": 1.0 / (n + 1)} for n in range(3)]
            one(f"{name}-{seed}", seed, rows)
    one(
        "odd",
        9,
        [{"val/acc": float("nan")}, {"val/acc": float("inf"), "nested": {"a": 1, "b": 2.5}}, {"loss": 2}, {"loss": 3.5}],
    )
    one("failed", 8, [{"val/acc": 0.125}], code=1)


if __name__ == "__main__":
    main()
