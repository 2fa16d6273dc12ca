"""How a network descends, and when it stops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from harness.spec import LATER, is_real, is_whole, require


def _require_rate(owner: SGD | Adam) -> None:
    require(is_real(owner.learning_rate) and owner.learning_rate > 0, owner, "learning_rate", "a number above 0")
    require(is_real(owner.weight_decay) and owner.weight_decay >= 0, owner, "weight_decay", "a number from 0")


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent.

    Attributes:
        learning_rate: step size.
        momentum: heavy-ball momentum, as in ``torch.optim.SGD``.
        row_radius: None, or the radius of the Euclidean ball around its initial value onto which each row of each weight
            matrix is projected after every step (the lazy regime's B_{2,∞}(W₀, C₀/√m)).
        weight_decay: λ of the L2 penalty; λ θ is added to the gradient, as in ``torch.optim.SGD``.
        nesterov: whether the momentum is Nesterov's, as in ``torch.optim.SGD``.
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    row_radius: float | None = None
    weight_decay: float = field(default=0.0, metadata=LATER)
    nesterov: bool = field(default=False, metadata=LATER)

    def __post_init__(self) -> None:
        _require_rate(self)
        require(is_real(self.momentum) and 0 <= self.momentum < 1, self, "momentum", "at least 0 and below 1")
        inside = self.row_radius is None or (is_real(self.row_radius) and self.row_radius > 0)
        require(inside, self, "row_radius", "None or above 0")
        require(isinstance(self.nesterov, bool), self, "nesterov", "True or False")
        require(not self.nesterov or self.momentum > 0, self, "nesterov", "False where momentum is 0")


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1), as in ``torch.optim.Adam``.

    Attributes:
        learning_rate: step size α.
        beta1: decay of the mean of the gradients.
        beta2: decay of the mean of their squares.
        epsilon: added to the square root of the latter.
        weight_decay: λ of the L2 penalty; λ θ is added to the gradient, as in ``torch.optim.Adam``.  The decay that does not
            pass through the moments is that of :class:`AdamW`.
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = field(default=0.0, metadata=LATER)

    def __post_init__(self) -> None:
        _require_rate(self)
        require(is_real(self.beta1) and 0 <= self.beta1 < 1, self, "beta1", "at least 0 and below 1")
        require(is_real(self.beta2) and 0 <= self.beta2 < 1, self, "beta2", "at least 0 and below 1")
        require(is_real(self.epsilon) and self.epsilon > 0, self, "epsilon", "above 0")


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2), as in ``torch.optim.AdamW``.

    Attributes:
        weight_decay: λ; before each step θ is multiplied by 1 − (learning rate) · λ.
    """

    weight_decay: float = 0.01


@dataclass(frozen=True)
class Until:
    """When a member has trained enough; the recipe's epochs are then the most that it may take.

    A member that has reached it is left as it is while the others go on.  What is read is the training set, clean, in
    evaluation after whole epochs.

    Attributes:
        quantity: "residual": every |f(x) − y| lies below the threshold; "loss": the mean loss does; "accuracy": the share of
            points that are classified rightly is the threshold or more.
        threshold: of that quantity.
        every: epochs from one look to the next.
    """

    quantity: Literal["residual", "loss", "accuracy"]
    threshold: float
    every: int = 1

    def __post_init__(self) -> None:
        allowed = ("residual", "loss", "accuracy")
        require(self.quantity in allowed, self, "quantity", "'residual', 'loss' or 'accuracy'")
        require(is_real(self.threshold) and self.threshold > 0, self, "threshold", "above 0")
        require(self.quantity != "accuracy" or self.threshold <= 1, self, "threshold", "at most 1 for an accuracy")
        require(is_whole(self.every) and self.every >= 1, self, "every", "a whole number, 1 or more")
