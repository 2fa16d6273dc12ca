"""Training regimes: how a batch is changed before a step, and which loss the step minimises.

A regime is a frozen dataclass derived from :class:`Regime`: :class:`Standard`, :class:`Adversarial`, or one of your own.  Torch
is imported only when a step is made, so that declaring a recipe stays cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.spec import describe, is_real, is_whole, require

if TYPE_CHECKING:
    import torch

    from harness.networks import Parameters, Program

Norm = Literal["linf", "l2"]


@dataclass(frozen=True)
class Threat:
    """What the attacker may do: the set of perturbations around a point, and how it is searched in training.

    Attributes:
        norm: "linf" or "l2".
        epsilon: radius of the ball, in the units of the data.
        steps: steps of projected gradient ascent (Madry et al. 2018).
        relative_step: size of a step in units of ``epsilon / steps``.
        random_start: start at a uniformly random point of the ball, else at its centre.
    """

    norm: Norm = "linf"
    epsilon: float = 2.0
    steps: int = 7
    relative_step: float = 2.5
    random_start: bool = True

    def __post_init__(self) -> None:
        require(self.norm in ("linf", "l2"), self, "norm", "'linf' or 'l2'")
        require(is_real(self.epsilon) and self.epsilon > 0, self, "epsilon", "above 0")
        require(is_whole(self.steps) and self.steps >= 1, self, "steps", "a whole number, 1 or more")
        require(is_real(self.relative_step) and self.relative_step > 0, self, "relative_step", "above 0")


@dataclass(frozen=True)
class TrainingStep:
    """What a regime may use when a step is made.

    Attributes:
        program: the stack's program.
        parameters: the members' current parameters by name, tensors of shape (member, *shape); they must not be written into.
        bounds: smallest and largest admissible value of an input, or None.
        generators: one per member, on the CPU, for everything random in the regime.
        epoch: whole epochs before this one.
        epochs: all epochs of the recipe.
    """

    program: Program
    parameters: Parameters
    bounds: tuple[float, float] | None
    generators: Sequence[torch.Generator]
    epoch: int
    epochs: int

    def normal(self, like: torch.Tensor) -> torch.Tensor:
        """Standard normal numbers of the shape of ``like`` (member, …), each member's from its own generator."""
        import torch

        return torch.stack([torch.randn(like.shape[1:], generator=each) for each in self.generators]).to(like)

    def uniform(self, like: torch.Tensor) -> torch.Tensor:
        """Numbers from 0 to 1 of the shape of ``like`` (member, …), each member's from its own generator."""
        import torch

        return torch.stack([torch.rand(like.shape[1:], generator=each) for each in self.generators]).to(like)


class Regime:
    """How a batch becomes a step; a regime of your own is a frozen dataclass derived from it that overrides what differs.

    Its type and fields are part of the name of every network that is trained under it, and so is its code.  Its random numbers
    come from the generators of the step, and what it does for one member depends on no other: both are checked before training.

    Attributes:
        name: for tables and figures; give regimes of one class different names if they appear in the same table.
        adversarial_share: share of each batch that is replaced by adversarial examples; 0 unless it is :class:`Adversarial`.
        threat: how they are made, or None.
    """

    name: str
    adversarial_share: float = 0.0
    threat: Threat | None = None

    def examples(self, step: TrainingStep, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The points that the step is computed on; by default the batch as it is.

        Args:
            step: what may be used, and where random numbers come from.
            inputs: the batch, shape (member, *input, point); it may be overwritten.
            targets: encoded targets, shape (member, class, point), one-hot for classes; likewise.

        Returns:
            Inputs and targets of the same shapes and types.
        """
        return inputs, targets

    def loss(self, loss: Any) -> Any:
        """The loss that is minimised; by default the recipe's.

        Args:
            loss: "cross_entropy" or "mse".

        Returns:
            The same, or a function of logits and targets, both of shape (member, point, class), that returns one loss per
            point, shape (member, point).
        """
        return loss

    @property
    def passes(self) -> float:
        """Passes through the network that a step takes, where a plain step takes 1; work is shared out accordingly."""
        return 1.0


@dataclass(frozen=True)
class Standard(Regime):
    """Training on the batches as they are."""

    name: str = "standard"

    def describe(self) -> dict[str, Any]:
        """The form that recipes have had from the beginning, so that old names stay."""
        return _as_ever(self)


@dataclass(frozen=True)
class Adversarial(Regime):
    """Training on batches in which a share is replaced by adversarial examples for the current parameters.

    Attributes:
        name: for tables and figures.
        adversarial_share: share of each batch, its first points.
        threat: how they are made.
    """

    name: str
    adversarial_share: float
    threat: Threat

    def __post_init__(self) -> None:
        share = self.adversarial_share
        require(is_real(share) and 0 < share <= 1, self, "adversarial_share", "above 0 and at most 1")
        require(isinstance(self.threat, Threat), self, "threat", "a Threat(…)")

    def describe(self) -> dict[str, Any]:
        """The form that recipes have had from the beginning, so that old names stay."""
        return _as_ever(self)

    @property
    def passes(self) -> float:
        """One for the plain step, and the steps of the attack."""
        return 1 + self.adversarial_share * self.threat.steps

    def examples(self, step: TrainingStep, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch with its first points moved by projected gradient ascent."""
        import torch

        from harness.networks.ascent import ascend, random_start

        threat, count = self.threat, round(self.adversarial_share * inputs.shape[-1])
        if count == 0:
            return inputs, targets
        clean, labels = inputs[..., :count].contiguous(), targets[..., :count].contiguous()
        radius = clean.new_full((len(clean), count), threat.epsilon)
        delta = (
            random_start(clean.shape, radius, threat.norm, step.generators) if threat.random_start else torch.zeros_like(clean)
        )
        inputs[..., :count] += ascend(
            step.program, step.parameters, clean, labels, delta=delta, radius=radius,
            step_sizes=[threat.relative_step / threat.steps] * threat.steps, norm=threat.norm, bounds=step.bounds,
        )  # fmt: skip
        return inputs, targets


STANDARD = Standard()


def _as_ever(regime: Regime) -> dict[str, Any]:
    said = {name: describe(getattr(regime, name)) for name in ("name", "adversarial_share", "threat")}
    return {"type": "Regime", **said}
