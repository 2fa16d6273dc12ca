"""Means of units with one long tail, or with rare extremes: what no interval of a mean can hold, and how far it goes astray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .cells import Cell, Draw, Kind, Terms
from .differences import Area, Flat, Independent, Ordered, Paired, Unchanged, paired
from .draws import Floats, Generator, left, rare, right
from .scaling import Exponent, X

ERRORS: dict[str, Any] = {"asked": ("false support", "false refutation")}
LEFT, RIGHT = "lognormal tail to the left", "lognormal tail to the right"
SMALL = {6: 0.12, 8: 0.113, 12: 0.105}
"""Half of what the t interval errs in, and half a point for the noise of the simulation."""
LARGE = 0.09
SEEN = "one in 20 lies 15 SD lower"
"""Of 8, 12 and 24 units none lies there in 66, 54 and 29 % of studies, which look like normal ones of 0.75 SD above zero."""
Noise = Callable[..., Floats]


def limit(n: int) -> float:
    """Of either error, for so many units."""
    return SMALL.get(n, LARGE)


def _pairs() -> list[Cell]:
    tailed = [
        Cell(kind((n,)), situation, f"{n} pairs", paired(noise, n), Terms(rule, 0.1 if rule == "above" else 1.0),
             limit=limit(n), studies=20_000, **ERRORS)
        for kind, rule in ((Paired, "above"), (Unchanged, "within"))
        for situation, noise in ((LEFT, left), (RIGHT, right)) for n in (6, 8, 12, 24, 30)
        if kind is Paired or situation == LEFT
    ]  # fmt: skip
    return tailed + [
        Cell(Paired((n,)), SEEN, f"{n} pairs", paired(rare, n), Terms("above", 0.1), limit=bound, asked=("false support",))
        for n, bound in ((8, 0.33), (12, 0.39), (24, 0.30))
    ]


def along(noise: Noise, n: int) -> Draw:
    """Curves of units with the tail in their slope on log x."""

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        slope = effect + 0.3 * noise(rng, studies, n, 1)
        return np.exp(3 + slope * np.log(X) + 0.02 * rng.standard_normal((studies, n, len(X))))

    return drawn


def sloping(noise: Noise, n: int, x: Floats, noise_of: float = 0.1) -> Draw:
    """The same on x itself."""
    return lambda effect, studies, rng: (
        (effect + noise(rng, studies, n, 1)) * x + noise_of * rng.standard_normal((studies, n, len(x)))
    )


def _others() -> list[Cell]:
    few: dict[str, Any] = {"studies": 10_000, **ERRORS}
    found = []
    for n in (8, 24):
        few["limit"] = limit(n)
        kinds: list[tuple[Kind, str, Any, Terms]] = [
            (Independent(((n, n),)), f"{n} + {n} units",
             lambda effect, studies, rng, n=n: np.concatenate(
                 [0.3 * rng.standard_normal((studies, n)), effect + left(rng, studies, n)], axis=-1), Terms("above", 0.1)),
            (Area(), f"{n} pairs", lambda effect, studies, rng, n=n: (
                effect + left(rng, studies, n, 1) + 0.1 * rng.standard_normal((studies, n, len(Area.x)))), Terms("above", 0.1)),
            (Ordered(), f"{n} units", sloping(left, n, np.arange(4.0), 1.0), Terms("above", 0.1)),
            (Flat(), f"{n} units", sloping(left, n, np.log2(Flat.x)), Terms("within", 1.0)),
            (Exponent(), f"{n} units", along(left, n), Terms("within", 0.3, -0.5)),
        ]  # fmt: skip
        found += [Cell(kind, LEFT, size, draw, terms, **few) for kind, size, draw, terms in kinds]
    return found


CELLS = [*_pairs(), *_others()]
