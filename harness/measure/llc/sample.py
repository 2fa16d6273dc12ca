"""The LLC around single samples: points drawn near a held-out point, given its label.

"We take an individual sample from a test set, sample random datapoints within a small neighbourhood, provide these samples
with the same label as the test set sample, and then estimate the local learning coefficient using this data."
(Adversarial Robustness Through the Lens of Singular Learning Theory, Sample-Level.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.measure.base import Measurement
from harness.measure.llc.engines import DEFAULT, Engine, Task, able
from harness.measure.llc.estimate import LLCSpec, estimate
from harness.measure.walk import Stack, groups
from harness.networks import encode, rows_at_a_time
from harness.population import Population
from harness.progress import parts
from harness.recipe import require
from harness.streams import numpy_generator

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


@dataclass(frozen=True)
class SampleLLC(Measurement):
    """LLC over a neighbourhood of each of the first held-out points, at every kept epoch but the initialisation.

    One row per member × epoch × sample, with the columns of :func:`harness.measure.llc.estimate.llc`.

    Attributes:
        spec: settings of the sampler; nβ is taken from the number of points of a neighbourhood.
        samples: how many held-out points.
        points: points drawn in each neighbourhood, uniformly from the L∞ ball; the same for every member.
        radius: radius of that ball, in the units of the data.
        engine: "stacked" or "devinterp"; None as for :class:`harness.measure.llc.estimate.LLC`.
        seed: names the random streams.
    """

    spec: LLCSpec = field(default_factory=LLCSpec)
    samples: int = 32
    points: int = 64
    radius: float = 0.1
    engine: Engine | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("samples", "points"):
            require(getattr(self, name) >= 2, self, name, "2 or more")
        require(self.radius > 0, self, "radius", "above 0")

    @property
    def engines(self) -> tuple[Engine, ...]:
        """The engines that its sampler runs on: devinterp has only SGLD."""
        return able(self.spec)

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "LLC of samples"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        import pandas as pd

        inputs, targets = (part.to(device) for part in self._neighbourhoods(data))
        epochs = [epoch for epoch in population.epochs if epoch > 0]
        return pd.concat(
            [self._epoch(population, epoch, inputs, targets, device) for epoch in parts(epochs)], ignore_index=True
        )

    def _neighbourhoods(self, data: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs (sample, *input, point) and encoded targets (sample, class, point)."""
        if self.samples > len(data.test_x):
            raise ValueError(f"SampleLLC has samples={self.samples}; {data.name} has {len(data.test_x)} held-out points")
        centres, labels = data.test_x[: self.samples], data.test_y[: self.samples]
        noise = numpy_generator("neighbourhood", data.digest, self.seed).uniform(
            -self.radius, self.radius, (self.samples, self.points, *centres.shape[1:])
        )
        inputs = torch.from_numpy((centres[:, None] + noise).astype(np.float32)).movedim(1, -1).contiguous()
        return inputs, encode(torch.from_numpy(labels)[:, None].expand(-1, self.points), data.classes)

    def _epoch(
        self, population: Population, epoch: int, inputs: torch.Tensor, targets: torch.Tensor, device: str
    ) -> pd.DataFrame:
        import pandas as pd

        stack = Stack(population.program, population.parameters[epoch], population.seeds)
        held = self.samples * (inputs[0, ..., 0].numel() + targets.shape[1])  # of every point of a neighbourhood
        rows = rows_at_a_time(population.program, held, self.points, states=2 * self.samples, device=device)
        tables = [self._some(stack, some, population.recipe.drawn_key, epoch, inputs, targets, device)
                  for some in groups(len(population), rows)]  # fmt: skip
        return pd.concat(tables, ignore_index=True)

    def _some(
        self, stack: Stack, rows: slice, key: str, epoch: int, inputs: torch.Tensor, targets: torch.Tensor, device: str
    ) -> pd.DataFrame:
        """The table for some of the members."""
        import pandas as pd

        seeds = stack.owners[rows]
        members, samples = np.indices((len(seeds), self.samples)).reshape(2, -1)
        theta = stack.theta[rows].to(device)[torch.from_numpy(members)]
        streams = [(key, epoch, self.seed, seeds[m], int(s)) for m, s in zip(members, samples, strict=True)]
        task = Task(stack.program, theta, inputs[samples], targets[samples], "cross_entropy", "all", streams)
        table = estimate(task, self.spec, self.engine or DEFAULT)
        return pd.DataFrame(table).assign(seed=np.array(seeds)[members], epoch=epoch, sample=samples)
