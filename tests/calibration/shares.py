"""Shares of units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from harness import stats
from harness.predict import Prediction, Proportion

from .cells import Cell, Draw, Kind, Terms
from .draws import Floats, Generator


@dataclass(frozen=True)
class Proportions(Kind):
    """Units with the property, shape (study, level)."""

    n: int
    levels: int = 1

    def confidence(self, data: Floats) -> stats.Confidence:
        return stats.Least(tuple(stats.Share(data[..., i], self.n) for i in range(self.levels)))

    def table(self, data: Floats) -> pd.DataFrame:
        return pd.DataFrame([
            {"seed": seed, "threshold": level, "flipped": seed < yes}
            for level, yes in enumerate(data) for seed in range(self.n)
        ])  # fmt: skip

    def prediction(self, terms: Terms) -> Prediction:
        every = "threshold" if self.levels > 1 else ()
        return Proportion("flipped", "seed", terms.centre, every, margin=terms.margin, margin_reason="simulated",
                          alpha=terms.alpha)  # fmt: skip


def lowest(n: int, *others: float) -> Draw:
    """One level has the effect as its share; the others differ from it, and never lie below it."""

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        shares = [effect, *(min(1.0, effect + more) for more in others)]
        return rng.binomial(n, shares, (studies, len(shares)))

    return drawn


def alike(n: int, levels: int) -> Draw:
    """Units whose levels all depend on one hidden number: a unit that has the property at one level nearly has it at all."""

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        hidden = 0.95 * rng.standard_normal((studies, n, 1)) + np.sqrt(1 - 0.95**2) * rng.standard_normal((studies, n, levels))
        return (norm.cdf(hidden) < effect).sum(axis=1)

    return drawn


EXACT = "discrete: a share of n units has n + 1 values"
BOUND = "corrected for the number of levels"
CELLS = [
    Cell(Proportions(40), "more than 0.5; 0.75 to be found", "40 units", lowest(40), Terms("above", 0.2, 0.5), (0.75, 0.9),
         wide=EXACT),
    Cell(Proportions(5), "more than 0.5, fewest admitted", "5 units", lowest(5), Terms("above", 0.3, 0.5), wide=EXACT),
    Cell(Proportions(200), "more than 0.9", "200 units", lowest(200), Terms("above", 0.05, 0.9), wide=EXACT),
    Cell(Proportions(40, 4), "more than 0.5 at every of 4 levels, all alike", "4 × 40 units", lowest(40, 0, 0, 0),
         Terms("above", 0.2, 0.5), wide=BOUND),
    Cell(Proportions(40, 4), "more than 0.5 at every of 4 levels, one the lowest", "4 × 40 units", lowest(40, 0.4, 0.4, 0.4),
         Terms("above", 0.2, 0.5), wide=BOUND),
    Cell(Proportions(40, 4), "more than 0.5 at every of 4 levels, on the same units", "4 × 40 units", alike(40, 4),
         Terms("above", 0.2, 0.5), wide=BOUND),
]  # fmt: skip
