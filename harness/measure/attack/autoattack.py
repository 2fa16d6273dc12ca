"""AutoAttack: four attacks, one after the other, each on the points that those before it have not flipped.

Croce & Hein 2020, Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free Attacks
(doi 10.48550/arXiv.2003.01690), version "standard": APGD on the cross-entropy, APGD-T on the targeted difference of logits
ratio, FAB-T, and Square.  The share of points left is an upper bound on the robust accuracy; :class:`AutoAttack` measures it at
several radii.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from harness.measure import walk as stacks
from harness.measure.arguments import ball_norm, require_norm, require_size, require_spec
from harness.measure.attack.apgd import apgd, cross_entropy, targeted_dlr
from harness.measure.attack.fab import fab
from harness.measure.attack.square import square
from harness.measure.attack.survivors import Ball, Block, Flips, blocks
from harness.measure.base import Given, Measurement, Models, in_chunks
from harness.measure.walk import Epochs, Split, by_epoch, points_of
from harness.networks.ascent import margin
from harness.networks.callers import instrument
from harness.networks.given import Output
from harness.population import Population
from harness.progress import parts
from harness.recipe import Norm, require
from harness.spec import is_whole

if TYPE_CHECKING:
    import pandas as pd

    from harness.data.base import Dataset


ATTACKS = ("apgd-ce", "apgd-t", "fab-t", "square")
"""The attacks in their order."""
OUTCOMES = ("robust", "clean", *ATTACKS)
"""What can be said of a point: nothing flipped it, it was misclassified before, or the attack that flipped it."""

COPIES = 8  # tensors of the size of a row's inputs that are held besides those of the blocks
Attack = Callable[[Block], Flips]


@dataclass(frozen=True)
class AutoAttackSpec:
    """The settings of AutoAttack; the defaults are those of its version "standard" for L∞ and L2.

    Attributes:
        steps: steps of APGD and FAB-T.
        aims: wrong classes that APGD-T and FAB-T move towards, those with the largest logits at the clean point.
        queries: queries of Square.
    """

    steps: int = 100
    aims: int = 9
    queries: int = 5000

    def __post_init__(self) -> None:
        for name in ("steps", "aims", "queries"):
            require(is_whole(value := getattr(self, name)) and value >= 1, self, name, "1 or more, a whole number")


class Attacked(NamedTuple):
    """The outcome of AutoAttack.

    Attributes:
        outcome: one of OUTCOMES for every model and point, shape (model, point).
        perturbed: a point in the ball that is misclassified, or the clean point where none was found; (model, point, *input).
    """

    outcome: NDArray[np.str_]
    perturbed: torch.Tensor

    @property
    def robust_accuracy(self) -> NDArray[np.float64]:
        """Share of the points that nothing flipped, shape (model,)."""
        share: NDArray[np.float64] = (self.outcome == "robust").mean(1)
        return share


@instrument
def autoattack(
    models: Models,
    inputs: np.ndarray | torch.Tensor,
    targets: np.ndarray | torch.Tensor,
    *,
    epsilon: float,
    norm: Norm = "linf",
    spec: AutoAttackSpec | None = None,
    bounds: tuple[float, float] | None = None,
    seed: int = 0,
    device: str = "cpu",
    output: Output | None = None,
) -> Attacked:
    """Attack every point of every model with all four attacks, until one has flipped it.

    Args:
        models: one ``nn.Module``, a list of modules of one shape, or a Population (its last epoch).
        inputs: points, shape (point, *input).
        targets: class numbers, shape (point,); for a network with a single output, 0 or 1.
        epsilon: radius of the ball, in the units of the inputs.
        norm: "linf" or "l2".
        spec: the attacks' settings.
        bounds: smallest and largest admissible value of an input, or None.
        seed: names the random streams; each model has its own for each attack.
        device: "cpu" or "cuda".
        output: turns what a module returns into outputs of shape (point, class); None if it returns them itself.

    Raises:
        ValueError: an argument does not fit, or a model cannot be run as it is (:mod:`harness.measure.door`).
    """
    norm = ball_norm(norm)
    require_size(epsilon, "epsilon")
    ball, chosen, moved = Ball(norm, float(epsilon), bounds), AutoAttackSpec() if spec is None else spec, []
    require_spec(chosen, AutoAttackSpec)

    def attacked(given: Given) -> torch.Tensor:
        outcome, points = _attacked(given, ball, chosen, seed)
        moved.append(points.movedim(-1, 1))
        return outcome

    outcome = in_chunks(models, inputs, targets, device, attacked, copies=COPIES, bounds=bounds, output=output).cpu().numpy()
    return Attacked(np.array(OUTCOMES)[outcome], torch.cat(moved))


@instrument
def outcomes(
    members: Population, inputs: torch.Tensor, targets: torch.Tensor, ball: Ball, spec: AutoAttackSpec, *, seed: int,
    device: str,
) -> NDArray[np.str_]:  # fmt: skip
    """As :attr:`Attacked.outcome`, without the perturbed points, which take as much memory as the data for every member."""

    def attacked(given: Given) -> torch.Tensor:
        return _attacked(given, ball, spec, seed)[0]

    found = in_chunks(members, inputs, targets, device, attacked, copies=COPIES, bounds=ball.bounds).cpu().numpy()
    named: NDArray[np.str_] = np.array(OUTCOMES)[found]
    return named


@torch.no_grad()
def _attacked(given: Given, ball: Ball, spec: AutoAttackSpec, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Numbers of the outcomes, shape (row, point), and the perturbed points, shape (row, *input, point)."""
    perturbed = given.inputs.clone()
    right = margin(given.program.logits(given.parameters, given.inputs), given.targets) > 0
    outcome = torch.where(right, OUTCOMES.index("robust"), OUTCOMES.index("clean"))
    if ball.epsilon == 0:  # there is nothing else in the ball
        return outcome, perturbed
    for name, attack in parts([*_attacks(spec, given.program.classes, seed)]):
        for block in blocks(given, outcome == OUTCOMES.index("robust"), ball):
            flips = attack(block)
            for row, points, found, there in zip(block.rows, block.points, flips.found, flips.points, strict=True):
                outcome[row, points[found]] = OUTCOMES.index(name)
                perturbed[row][..., points[found]] = there[..., found]
    return outcome, perturbed


def _attacks(spec: AutoAttackSpec, classes: int, seed: int) -> Iterator[tuple[str, Attack]]:
    """The attacks in order; those with aims once per aim, so that only the points still left are attacked again."""
    aims = range(min(spec.aims, classes - 1))

    def towards(number: int, block: Block) -> torch.Tensor:
        return torch.zeros_like(block.targets).scatter_(1, block.likely()[:, number : number + 1], 1.0)

    def apgd_t(number: int) -> Attack:
        return lambda block: apgd(
            block, targeted_dlr(block.targets, towards(number, block)), steps=spec.steps,
            generators=block.generators("apgd-t", seed, number),
        )  # fmt: skip

    def fab_t(number: int) -> Attack:
        return lambda block: fab(block, towards(number, block), steps=spec.steps)

    yield (
        "apgd-ce",
        lambda block: apgd(block, cross_entropy(block.targets), steps=spec.steps, generators=block.generators("apgd-ce", seed)),
    )
    yield from (("apgd-t", apgd_t(number)) for number in aims)
    yield from (("fab-t", fab_t(number)) for number in aims)
    yield "square", lambda block: square(block, queries=spec.queries, generators=block.generators("square", seed))


@dataclass(frozen=True)
class AutoAttack(Measurement):
    """Robust accuracy under AutoAttack (:func:`harness.measure.attack.autoattack.autoattack`), at one or all epochs.

    One row per member × epoch × radius with the columns epsilon, accuracy (clean), robust_accuracy (after all four attacks) and
    the accuracy after each of the attacks up to there: apgd_ce, apgd_t, fab_t, square (the same as robust_accuracy).

    Attributes:
        epsilons: radii, rising, in the units of the data.
        norm: "linf" or "l2".
        spec: the attacks' settings; AutoAttack's own by default.
        split: "test" or "train".
        points: how many points (the first); None for all.
        epochs: "final" or "all".
        seed: names the random streams.
    """

    epsilons: tuple[float, ...] = (2.0,)
    norm: Norm = "linf"
    spec: AutoAttackSpec = field(default_factory=AutoAttackSpec)
    split: Split = "test"
    points: int | None = None
    epochs: Epochs = "final"
    seed: int = 0

    def __post_init__(self) -> None:
        require_norm(self)
        stacks.require_choices(self, split=("train", "test"), epochs=("final", "all"))
        stacks.require_counts(self, "points")
        rising = all(one < other for one, other in zip(self.epsilons, self.epsilons[1:], strict=False))
        sane = bool(self.epsilons) and rising and self.epsilons[0] >= 0 and math.isfinite(self.epsilons[-1])
        require(sane, self, "epsilons", "one or more finite radii from 0, each above the last")

    @property
    def name(self) -> str:
        """See :attr:`Measurement.name`."""
        return "accuracy under AutoAttack"

    def run(self, population: Population, data: Dataset, device: str) -> pd.DataFrame:
        """See :meth:`Measurement.run`."""
        return by_epoch(population, self.epochs, lambda epoch: self._epoch(population, epoch, data, device))

    def _epoch(self, population: Population, epoch: int, data: Dataset, device: str) -> pd.DataFrame:
        import pandas as pd

        inputs, labels = points_of(data, self.split, self.points)
        at = Population(population.recipe, population.seeds, {epoch: population.parameters[epoch]})
        tables = []
        for epsilon in parts(self.epsilons):
            ball = Ball(self.norm, float(epsilon), data.bounds)
            outcome = outcomes(at, inputs.movedim(-1, 0), labels, ball, self.spec, seed=self.seed, device=device)
            accuracy = {"accuracy": (outcome != "clean").mean(1), "robust_accuracy": (outcome == "robust").mean(1)}
            for number, attack in enumerate(ATTACKS):
                standing = np.isin(outcome, ["robust", *ATTACKS[number + 1 :]])
                accuracy[attack.replace("-", "_")] = standing.mean(1)
            tables.append(pd.DataFrame({"seed": population.seeds, "epsilon": epsilon} | accuracy))
        return pd.concat(tables, ignore_index=True)
