"""Failures of form that a mean, a slope or a correlation hides: none of them may be called support."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cells import Cell, Draw, Terms
from .correlations import Unrelated
from .curves import POINTS, Marked
from .differences import Flat, Ordered, Unchanged
from .draws import Floats, Generator, course, normal
from .scaling import Exponent, X
from .within import Courses

HIDDEN: dict[str, Any] = {"asked": ("false support",), "studies": 4_000}


def levels(means: tuple[float, ...], n: int, noise: float) -> Draw:
    """Means of ordered levels, whatever the effect."""
    return lambda effect, studies, rng: (
        np.array(means) + 2 * normal(rng, studies, n, 1) + noise * normal(rng, studies, n, len(means))
    )


def floor(n: int) -> Draw:
    """Powers of -1 above a floor, whose straight line on logarithms has the slope -1/2: y = 4 / x + 0.7 for x from 1 to 16."""
    return lambda effect, studies, rng: (4 / X + 0.7) * np.exp(0.05 * normal(rng, studies, n, len(X)))


def hump(n: int) -> Draw:
    """Values that rise and fall again along x."""
    away = np.log2(Flat.x) - np.log2(Flat.x).mean()
    return lambda effect, studies, rng: -0.5 * away**2 + normal(rng, studies, n, 1) + 0.5 * normal(rng, studies, n, len(away))


def folds(n: int) -> Draw:
    """Y = |x| and noise; nothing that is straight."""

    def drawn(effect: float, studies: int, rng: Generator) -> tuple[Floats, Floats]:
        x = normal(rng, studies, n)
        return x, np.abs(x) + 0.3 * normal(rng, studies, n)

    return drawn


def apart(n: int) -> Draw:
    """Half of the units one up, half one down."""

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        return np.where(np.arange(n) % 2, 1.0, -1.0) + 0.1 * normal(rng, studies, n)

    return drawn


def two_places(n: int) -> Draw:
    """Curves that change early in half of the units, and late in the others."""

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        place = Marked.value + np.where(np.arange(n) % 2, 2.2, -2.2)[:, None]
        return np.tanh(4 * (np.arange(POINTS) - place)) + 0.1 * normal(rng, studies, n, POINTS)

    return drawn


def transitions(n: int, epochs: int = 20, width: float = 0.7) -> Draw:
    """Courses that share when each unit goes over into another state, and nothing else."""

    def drawn(effect: float, studies: int, rng: Generator) -> tuple[Floats, Floats]:
        when = rng.uniform(3, epochs - 4, (studies, n, 1))
        over = 1 / (1 + np.exp((when - np.arange(epochs)) / width))
        return tuple(over + 0.05 * course(rng, studies, n, epochs) for _ in range(2))

    return drawn


CELLS = [
    *(Cell(Ordered(), f"means {', '.join(f'{each:g}' for each in means)}, noise of {noise:g}", f"{n} units",
           levels(means, n, noise), Terms("above", 0.2), **HIDDEN)
      for means in ((0, 1.5, 3, 2), (0, 0, 0, 2), (0, 0, 2, 2)) for n, noise in ((8, 1.0), (30, 0.3))),
    *(Cell(Exponent(), "4 / x above a floor, for a power of -1/2", f"{n} units", floor(n), Terms("within", 0.2, -0.5),
           **HIDDEN) for n in (6, 12)),
    *(Cell(Flat(), "a rise and a fall", f"{n} units", hump(n), Terms("within", 0.3), **HIDDEN) for n in (6, 12)),
    *(Cell(Unrelated((n,)), "y the size of x", f"{n} models", folds(n), Terms("within", 0.5), **HIDDEN) for n in (42, 96)),
    *(Cell(Unchanged((n,)), "half of them one up, half one down", f"{n} pairs", apart(n), Terms("within", 0.8), **HIDDEN)
      for n in (12, 30)),
    Cell(Marked("change"), "half of them early, half late", "30 units", two_places(30), Terms("within", 1.5, Marked.value),
         **HIDDEN),
    *(Cell(Courses(), "each model's transition, and nothing else", f"{n} models", transitions(n), Terms("above", 0.01),
           **(HIDDEN | {"studies": 2_000})) for n in (8, 16)),
]  # fmt: skip
