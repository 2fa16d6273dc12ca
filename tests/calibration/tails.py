"""Means of units with one long tail, or with rare extremes: what no interval of a mean can hold, and how far it goes astray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats as sps

from harness import stats
from harness.predict import Prediction, Superiority

from .cells import Cell, Draw, Kind, Terms
from .curves import POINTS, Peaked, triangle
from .differences import Area, Flat, Independent, Ordered, Paired, Unchanged, paired
from .draws import Floats, Generator, left, rare, right
from .scaling import Exponent, X
from .shares import EXACT

ERRORS: dict[str, Any] = {"asked": ("false support", "false refutation")}
LEFT, RIGHT = "lognormal tail to the left", "lognormal tail to the right"
SMALL = {6: 0.12, 8: 0.12, 12: 0.105}
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


def rising(noise: Noise, n: int) -> Draw:
    """Curves with a peak in the middle whose height, the effect on average, has the tail."""
    return lambda effect, studies, rng: (
        (effect + noise(rng, studies, n, 1)) * triangle(1.0) + 0.1 * rng.standard_normal((studies, n, POINTS))
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
        found += [Cell(Peaked(), f"{LEFT if noise is left else RIGHT}, in the height of the peak", f"{n} units",
                       rising(noise, n), Terms("above", 0.5), **few) for noise in (left, right)]  # fmt: skip
    return found


@dataclass(frozen=True)
class Oftener(Paired):
    """Paired differences, of which those above zero are counted, shape (study, pair)."""

    def confidence(self, data: Floats) -> stats.Confidence:
        return stats.Share((data > 0).sum(axis=-1), data.shape[-1])

    def prediction(self, terms: Terms) -> Prediction:
        return Superiority("llc", "regime", "standard", "robust", "seed", margin=terms.margin, margin_reason="simulated",
                           alpha=terms.alpha)  # fmt: skip


def so_often(n: int) -> Draw:
    """The effect is the share of differences above zero, whose tail is that of a lognormal to the left."""

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        return np.exp(sps.norm.ppf(effect)) - np.exp(rng.standard_normal((studies, n)))

    return drawn


def _shares() -> list[Cell]:
    return [
        Cell(Oftener((n,)), LEFT, f"{n} pairs", so_often(n), Terms("above", 0.2, 0.5), wide=EXACT, power=found)
        for n, found in ((8, None), (12, None), (30, (0.8, 0.93)))
    ]


CELLS = [*_pairs(), *_others(), *_shares()]
