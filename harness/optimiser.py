"""How a network descends, and when it stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.spec import require


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent.

    Attributes:
        learning_rate: step size.
        momentum: heavy-ball momentum, as in ``torch.optim.SGD``.
        row_radius: None, or the radius of the Euclidean ball around its initial value onto which each row of each weight
            matrix is projected after every step (the lazy regime's B_{2,∞}(W₀, C₀/√m)).
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    row_radius: float | None = None

    def __post_init__(self) -> None:
        require(self.learning_rate > 0, self, "learning_rate", "above 0")
        require(0 <= self.momentum < 1, self, "momentum", "at least 0 and below 1")
        require(self.row_radius is None or self.row_radius > 0, self, "row_radius", "None or above 0")


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1), as in ``torch.optim.Adam``.

    Attributes:
        learning_rate: step size α.
        beta1: decay of the mean of the gradients.
        beta2: decay of the mean of their squares.
        epsilon: added to the square root of the latter.
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        require(self.learning_rate > 0, self, "learning_rate", "above 0")
        require(0 <= self.beta1 < 1, self, "beta1", "at least 0 and below 1")
        require(0 <= self.beta2 < 1, self, "beta2", "at least 0 and below 1")
        require(self.epsilon > 0, self, "epsilon", "above 0")


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
        require(self.threshold > 0, self, "threshold", "above 0")
        require(self.quantity != "accuracy" or self.threshold <= 1, self, "threshold", "at most 1 for an accuracy")
        require(self.every >= 1, self, "every", "1 or more")
