"""Writes lightning/: three fits of Lightning 2.6.6 with its CSVLogger, the last of which was configured with an object.

Run it in an empty folder, in an environment that has lightning.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset


class Line(lightning.LightningModule):
    """A line that is fitted to zeros."""

    def __init__(self, lr: float, seed: int, layers: list[int], place: Any = None) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.line, self.lr = torch.nn.Linear(1, 1), lr

    def training_step(self, batch: Any, number: int) -> torch.Tensor:
        """Log a loss at every step, and NaN as well."""
        loss = self.line(batch[0]).square().mean()
        self.log("loss", loss)
        self.log("odd", float("nan") if number % 2 else float("inf"))
        return loss

    def validation_step(self, batch: Any, number: int) -> None:
        """Log a number that tests can tell in advance."""
        self.log("val/acc", 0.5 + self.current_epoch / 8 + self.hparams["seed"] / 64)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain descent."""
        return torch.optim.SGD(self.parameters(), lr=self.lr)


def main() -> None:
    """Three fits of two epochs of three steps."""
    data = DataLoader(TensorDataset(torch.ones(6, 1)), batch_size=2)
    for seed, place in ((0, None), (1, None), (2, PurePosixPath("x"))):
        torch.manual_seed(seed)
        trainer = lightning.Trainer(
            max_epochs=2, log_every_n_steps=1, logger=CSVLogger("lightning", name="fits"), enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, accelerator="cpu",
        )  # fmt: skip
        trainer.fit(Line(0.1 if seed else 1e-5, seed, [8, 8], place), data, data)


if __name__ == "__main__":
    main()
