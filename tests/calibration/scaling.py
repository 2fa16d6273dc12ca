"""Exponents: one fit a unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness import stats
from harness.predict import Prediction, ScalingExponent

from .cells import Cell, Draw, Kind, Terms
from .differences import straight
from .draws import Floats, Generator, course, heavy, normal, tost_power

X = np.array([1.0, 2, 4, 8, 16])
ERROR = 1 / np.sqrt(((np.log(X) - np.log(X).mean()) ** 2).sum())
"""Standard deviation of a slope whose log y has noise of standard deviation 1."""


@dataclass(frozen=True)
class Exponent(Kind):
    """Y along x, shape (study, unit, point)."""

    def confidence(self, data: Floats) -> stats.Confidence:
        return stats.stratified_mean(stats.slope(np.log(X), np.log(data))).confidence

    def agrees(self, data: Floats, terms: Terms, rng: Generator) -> np.ndarray:
        return straight(*stats.halves(np.log(X), np.log(data)), terms)

    def table(self, data: Floats) -> pd.DataFrame:
        seed, point = (each.ravel() for each in np.indices(data.shape))
        return pd.DataFrame({"seed": seed, "d": X[point], "size": data.ravel()})

    def prediction(self, terms: Terms) -> Prediction:
        return ScalingExponent("size", "d", "seed", terms.centre, terms.margin, margin_reason="simulated", alpha=terms.alpha)


def powers(units: int, own: float = 0.0, slow: float = 0.0, tails: float = 0.0, noise: float = 0.0) -> Draw:
    """Units with an exponent of their own (spread ``own``) and noise on log y: normal, slow along x, or with heavy tails."""

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        shape = (studies, units, len(X))
        exponent = effect + own * normal(rng, studies, units, 1)
        log_y = 3 + exponent * np.log(X) + noise * normal(rng, *shape)
        if slow:
            log_y = log_y + slow * course(rng, *shape)
        return np.exp(log_y + tails * heavy(rng, *shape) if tails else log_y)

    return drawn


CELLS = [
    Cell(Exponent(), "normal, within 1 SD of the exponents", "13 units", powers(13, noise=0.1),
         Terms("within", 0.1 * ERROR, -0.5), (-0.5, tost_power(1.0, 13, 0.05))),
    Cell(Exponent(), "normal, within 2 SD, fewest admitted", "5 units", powers(5, noise=0.1),
         Terms("within", 0.2 * ERROR, -0.5), (-0.5, tost_power(2.0, 5, 0.05))),
    Cell(Exponent(), "every unit has its own exponent, slow residuals with heavy tails", "10 units",
         powers(10, own=0.1, slow=0.1, tails=0.1), Terms("within", 0.12, -0.5)),
]  # fmt: skip
