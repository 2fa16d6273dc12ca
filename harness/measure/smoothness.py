"""How far an attack moves a network's outputs, and its loss.

"The concentration of examples around decision boundaries smoothens sudden changes induced by perturbations."  (Towards
Understanding the Regularization of Adversarial Robustness on Neural Networks, Key results.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness.measure import stacks
from harness.measure.attack import pgd
from harness.measure.base import Measurement
from harness.measure.stacks import POINTS_AT_A_TIME, Epochs, Split, checkpoints, points_of
from harness.models import loss_and_pull
from harness.population import Population
from harness.recipe import Threat, require
from harness.streams import sequence

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


@dataclass(frozen=True)
class ChangeUnderAttack(Measurement):
    """Change of outputs and loss from each point to its adversarial example.

    One row per member × epoch: output_change (mean ‖f(x′) − f(x)‖₂, in logits), loss_change (mean cross-entropy at x′ less that
    at x, nats), flips (share of points whose predicted class changes).

    Attributes:
        threat: the threat model of x′, searched by :func:`harness.measure.attack.pgd`.
        split: "test" or "train".
        points: how many (the first); None for all.
        epochs: "final" or "all".
        seed: names the random starts of the attack.
    """

    threat: Threat
    split: Split = "test"
    points: int | None = None
    epochs: Epochs = "final"
    seed: int = 0

    def __post_init__(self) -> None:
        stacks.require_choices(self, split=("train", "test"), epochs=("final", "all"))
        stacks.require_counts(self, "points")
        same = self.threat.relative_step == 2.5 and self.threat.random_start
        require(same, self, "threat", "a Threat with relative_step=2.5 and random_start=True, which is what pgd does")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "change under attack"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        import pandas as pd

        tables = []
        for epoch in checkpoints(population, self.epochs):
            at = Population(population.recipe, population.seeds, {epoch: population.parameters[epoch]})
            columns = {name: values.double().mean(1).numpy() for name, values in self._changes(at, data, device).items()}
            tables.append(pd.DataFrame({"seed": population.seeds, "epoch": epoch} | columns))
        return pd.concat(tables, ignore_index=True)

    @torch.no_grad()
    def _changes(self, at: Population, data: Dataset, device: str) -> dict[str, torch.Tensor]:
        """Of every member at every point, shape (member, point); every block of points has its own streams."""
        inputs, labels = points_of(data, self.split, self.points)
        program, threat = at.program, self.threat
        parameters = program.layout.views(at.final.to(device))
        blocks: list[dict[str, torch.Tensor]] = []
        for number, begin in enumerate(range(0, len(labels), POINTS_AT_A_TIME)):
            block = slice(begin, begin + POINTS_AT_A_TIME)
            stream = int(sequence("change under attack", self.split, self.seed, number).generate_state(1)[0])
            moved = pgd(
                at, inputs[..., block].movedim(-1, 0), labels[block], epsilon=threat.epsilon, norm=threat.norm,
                steps=threat.steps, bounds=data.bounds, seed=stream, device=device,
            ).movedim(1, -1).contiguous()  # fmt: skip
            clean = inputs[None, ..., block].to(device).expand(moved.shape).contiguous()
            targets = program.encode(labels[block])[None].to(device)
            before, after = (program.logits(parameters, x) for x in (clean, moved))
            found = {
                "output_change": (after - before).square().sum(1).sqrt(),
                "flips": (after.argmax(1) != before.argmax(1)).float(),
            }
            losses = (loss_and_pull(logits, targets, pull=False)[0] for logits in (after, before))
            found["loss_change"] = next(losses) - next(losses)
            blocks.append({name: values.cpu() for name, values in found.items()})
        return {name: torch.cat([part[name] for part in blocks], 1) for name in blocks[0]}
