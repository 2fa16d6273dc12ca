"""One step along the input gradient of a two-class network: does it flip the prediction, and how small may it be?

δ = η ∇ₓf with the sign of η opposite to f's (Adversarial Robustness is at Odds with Lazy Training, 5. Main Result).  The
gradient is taken once; only the length of the step is searched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from harness.measure.base import Measurement
from harness.measure.stacks import per_point
from harness.measure.walk import Given
from harness.models import Parameters, Program
from harness.models.ascent import norms, spread
from harness.population import Population
from harness.recipe import require

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset

BRACKETS = 64  # lengths tried between the linear estimate over 16 and the longest step
HALVINGS = 20
COPIES = 6  # tensors of the size of a row's inputs that the search holds at a time
FIRST_BRACKET = 1 / 16  # of the step at which the network's linearisation crosses zero


class Steps(NamedTuple):
    """What a single step does to every point; all tensors have shape (row, point).

    Attributes:
        value: f at the clean point.
        gradient_norm: Euclidean norm of the gradient there.
        step: smallest |η| found that flips the sign, infinite where none up to the longest does.
        relative_size: ‖δ‖ / ‖x‖ of that step.
    """

    value: torch.Tensor
    gradient_norm: torch.Tensor
    step: torch.Tensor
    relative_size: torch.Tensor


@torch.no_grad()
def smallest_steps(program: Program, parameters: Parameters, inputs: torch.Tensor, *, longest: float = 1.0) -> Steps:
    """Smallest flipping step along the gradient, bracketed on a geometric grid and then halved.

    Args:
        program: a program with two classes; f is the second logit minus the first.
        parameters: tensors of shape (row, *shape).
        inputs: points, shape (row, *input, point).
        longest: largest relative size ‖δ‖ / ‖x‖ that is tried.
    """
    if program.classes != 2:
        raise ValueError(f"the single-step attack needs two classes; this network has {program.classes}")
    logits, pull_back = program.pullback(parameters, inputs)
    value = logits[:, 1] - logits[:, 0]
    up = torch.stack([-torch.ones_like(value), torch.ones_like(value)], dim=1)
    gradient = pull_back(up)
    length, clean = norms(gradient, "l2"), norms(inputs, "l2")
    direction = -gradient * spread(value.sign(), gradient)

    along = program.line(parameters, inputs.expand(direction.shape), direction)

    def flips(step: torch.Tensor) -> torch.Tensor:
        out = along(step)
        return (out[:, 1] - out[:, 0]) * value.sign() <= 0

    end = longest * clean / length
    low = torch.minimum(value.abs() / length.square() * FIRST_BRACKET, end)
    found = torch.full_like(value, torch.inf)
    below = torch.zeros_like(value)
    for share in torch.linspace(0, 1, BRACKETS).tolist():
        step = low * (end / low) ** share
        first = flips(step) & found.isinf()
        found = torch.where(first, step, found)
        below = torch.where(found.isinf(), step, below)
    high = found.clone()
    for _ in range(HALVINGS):
        middle = (below + high) / 2
        flipped = flips(torch.where(found.isinf(), end, middle))
        high = torch.where(flipped, middle, high)
        below = torch.where(flipped, below, middle)
    step = torch.where(found.isinf(), found, high)
    # Where no step was needed or none was found, so it is with its size; the product would be 0 ÷ 0 or ∞ × 0 at worst.
    moves = (step > 0) & step.isfinite()
    return Steps(value, length, step, torch.where(moves, step * length / clean, step))


@dataclass(frozen=True)
class SingleStep(Measurement):
    """The single-step attack on held-out points; one row per member.

    Columns: flipped (share of points that a step within both budgets flips), relative_size (median ‖δ‖/‖x‖ of the smallest
    flipping step), step (median |η|), gradient_norm (median), accuracy.

    Attributes:
        longest: largest ‖δ‖ / ‖x‖.
        step_budget: largest |η| that counts as a flip in the column "flipped"; None for any.
        points: held-out points used (the first).
    """

    longest: float = 1.0
    step_budget: float | None = None
    points: int = 256

    def __post_init__(self) -> None:
        for name in ("longest", "points"):
            require(getattr(self, name) > 0, self, name, "above 0")
        require(self.step_budget is None or self.step_budget > 0, self, "step_budget", "None or above 0")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "single steps"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        import pandas as pd

        inputs = torch.from_numpy(data.test_x[: self.points]).movedim(0, -1)
        labels, epoch = data.test_y[: self.points], population.epochs[-1]

        def of_block(given: Given) -> dict[str, torch.Tensor]:
            # The values of a point side by side, as they lie in the data: their sums are rounded in that order.
            inputs = given.inputs.movedim(-1, 1).contiguous().movedim(1, -1)
            return smallest_steps(given.program, given.parameters, inputs, longest=self.longest)._asdict()

        found = per_point(population, epoch, inputs, of_block, device=device, copies=COPIES)
        steps = Steps(**{name: torch.from_numpy(values).float() for name, values in found.items()})  # they were single
        counts = steps.step.isfinite() if self.step_budget is None else steps.step <= self.step_budget
        right = (steps.value > 0) == (torch.from_numpy(labels) == 1)
        columns = {
            "flipped": counts.float().mean(1).numpy(), "relative_size": np.median(steps.relative_size, axis=1),
            "step": np.median(steps.step, axis=1), "gradient_norm": np.median(steps.gradient_norm, axis=1),
            "accuracy": right.float().mean(1).numpy(),
        }  # fmt: skip
        table = {name: values.astype(np.float64) for name, values in columns.items()}
        return pd.DataFrame({"seed": population.seeds} | table).assign(epoch=epoch)
