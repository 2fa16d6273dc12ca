"""Writes tensorboard/: event files of torch's SummaryWriter with tensorboard 2.21.0.

Run it in an empty folder, in an environment that has both.  The host, which stands in the names of the files, is taken out.
"""

from __future__ import annotations

from pathlib import Path

from torch.utils.tensorboard import SummaryWriter


def main() -> None:
    """Two runs with hyperparameters, one with curves of one tag, one that was resumed."""
    for seed in range(2):
        with SummaryWriter(f"tensorboard/adam-{seed}") as writer:
            for step in range(3):
                writer.add_scalar("val/acc", 0.5 + step / 8 + seed / 64, 10 * step)
                writer.add_scalar("tensor", step / 4, step, new_style=True)
            writer.add_hparams(
                {"lr": 0.25, "seed": seed, "name": "adam", "warmup": True}, {"hparam/acc": 0.75}, run_name="hparams"
            )
    with SummaryWriter("tensorboard/odd") as writer:
        for step, value in enumerate((float("nan"), float("inf"), 0.5)):
            writer.add_scalars("loss", {"train": value, "val": 2.0}, step)
    for value in (1.0, 2.0):  # resumed without purge_step
        with SummaryWriter("tensorboard/resumed") as writer:
            writer.add_scalar("loss", value, 0)
    for number, file in enumerate(sorted(Path("tensorboard").rglob("events.*"), key=lambda path: path.stat().st_mtime_ns)):
        file.rename(file.with_name(f"events.out.tfevents.{number}"))


if __name__ == "__main__":
    main()
