"""Correlations across models, within blocks of models, and their differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness import stats
from harness.predict import Correlation, CorrelationDifference, NoCorrelation, Prediction

from .cells import ALPHA, MANY, STRICT, Cell, Draw, Kind, Terms
from .draws import Floats, Generator, heavy, pair, pearson, triple

WHY = "simulated"
Two = tuple[Floats, Floats]


def z_of(x: Floats, y: Floats, sizes: tuple[int, ...]) -> Floats:
    """Fisher's z within blocks, which stand side by side on the last axis: shape (study, block)."""
    ends = np.cumsum(sizes)[:-1]
    parts = zip(np.split(x, ends, axis=-1), np.split(y, ends, axis=-1), strict=True)
    return np.stack([stats.fisher_z(stats.spearman(a, b), a.shape[-1]) for a, b in parts], axis=-1)


@dataclass(frozen=True)
class Across(Kind):
    """X and y of models, each of shape (study, model), blocks side by side.

    Attributes:
        sizes: models in each block.
        shared: all blocks have the same models.
        sign: of the correlation that is claimed.
    """

    sizes: tuple[int, ...]
    shared: bool = False
    sign: int = 1

    def confidence(self, data: Two) -> stats.Confidence:
        cluster = np.zeros(len(self.sizes), dtype=int) if self.shared else None
        return stats.pool(z_of(*data, self.sizes), self.sizes, cluster)

    def table(self, data: Two) -> pd.DataFrame:
        block = np.repeat(np.arange(len(self.sizes)), self.sizes)
        seed = np.concatenate([np.arange(n) for n in self.sizes]) if self.shared else np.arange(len(block))
        return pd.DataFrame({"seed": seed, "regime": block, "llc": data[0], "asr": data[1]})

    def prediction(self, terms: Terms) -> Prediction:
        return Correlation("llc", "asr", "seed", "regime", sign=self.sign, margin=terms.margin, margin_reason=WHY,
                           alpha=terms.alpha)  # fmt: skip


class Unrelated(Across):
    """The same, claimed to be none."""

    def agrees(self, data: Two, terms: Terms, rng: Generator) -> np.ndarray:
        folds = [self.confidence((self.fold(one), other)) for one, other in (data, data[::-1])]
        turns = [stats.turned(each, terms.margin, terms.alpha) for each in folds]
        return ~np.any(turns, axis=0)

    def fold(self, values: Floats) -> Floats:
        """Distance of the rank from the middle of the block."""
        ends = np.cumsum(self.sizes)[:-1]
        return np.concatenate([stats.folded(part) for part in np.split(values, ends, axis=-1)], axis=-1)

    def prediction(self, terms: Terms) -> Prediction:
        return NoCorrelation("llc", "asr", "seed", "regime", margin=terms.margin, margin_reason=WHY, alpha=terms.alpha)


@dataclass(frozen=True)
class Difference(Kind):
    """Y, x here and x there of models, each of shape (study, model), blocks side by side."""

    sizes: tuple[int, ...]

    def confidence(self, data: Any) -> stats.Confidence:
        y, here, there = data
        first, second = (stats.pool(z_of(x, y, self.sizes), self.sizes) for x in (here, there))
        between = np.tanh(z_of(here, there, self.sizes))
        return stats.Overlapping(first, second, np.average(between, axis=-1, weights=np.array(self.sizes) - 3))

    def table(self, data: Any) -> pd.DataFrame:
        y, here, there = data
        block = np.repeat(np.arange(len(self.sizes)), self.sizes)
        rows = pd.DataFrame({"seed": np.arange(len(y)), "regime": block, "asr": y})
        return pd.concat([rows.assign(scope="input", llc=here), rows.assign(scope="hidden", llc=there)])

    def prediction(self, terms: Terms) -> Prediction:
        return CorrelationDifference("asr", "llc", "scope", "input", "hidden", "seed", "regime", margin=terms.margin,
                                     margin_reason=WHY, alpha=terms.alpha)  # fmt: skip


def blocks(*sizes: int) -> Draw:
    """Normal models; the effect is Spearman's correlation."""
    return lambda rho, studies, rng: pair(rng, rho, studies, sum(sizes))


def shifted(rho: float, studies: int, rng: Generator) -> Two:
    """Three blocks of ten whose means of both variables lie one standard deviation apart."""
    shift = np.repeat([0.0, 1.0, 2.0], 10)
    x, y = pair(rng, rho, studies, 30)
    return x + shift, y + shift


def repeated(rho: float, studies: int, rng: Generator) -> Two:
    """The same 20 models at two thresholds, whose success rates correlate at .9 beyond their correlation with x."""
    x, e = rng.standard_normal((2, studies, 20))
    r = pearson(rho)
    other = 0.9 * e + np.sqrt(1 - 0.81) * rng.standard_normal(e.shape)
    return np.concatenate([x, x], axis=-1), np.concatenate([r * x + np.sqrt(1 - r**2) * each for each in (e, other)], axis=-1)


def ranked_ties(rho: float, studies: int, rng: Generator) -> Two:
    """About seven different values each; the correlation before rounding is chosen so that after it there is rho."""
    x, y = pair(rng, rho * TIED, studies, 20)
    return np.round(1.5 * x), np.round(1.5 * y)


TIED = 1.033
"""Rounding to steps of 2/3 SD lowers Spearman correlations (mid-ranks) of .2 to .5 by this factor (4 million draws)."""

HEAVY = {0.0: 0.0, 0.15: 0.1347, 0.3: 0.2826, 0.45: 0.4462, 0.5: 0.5037}
"""Weight w in y = w x + sqrt(1 - w^2) e, all t with 3 degrees of freedom, by Spearman correlation (4 million draws, 0.0005)."""


def heavily(n: int) -> Draw:
    """Y = w x + sqrt(1 - w^2) e with heavy tails: these are not the ranks of normal variables."""

    def drawn(rho: float, studies: int, rng: Generator) -> Two:
        weight = np.sign(rho) * HEAVY[abs(rho)]
        x, e = heavy(rng, studies, n), heavy(rng, studies, n)
        return x, weight * x + np.sqrt(1 - weight**2) * e

    return drawn


def apart(middle: float, between: float, *sizes: int) -> Draw:
    """Correlations of y with both x that lie the effect apart around a middle; both x correlate too."""
    return lambda effect, studies, rng: triple(rng, (middle + effect / 2, middle - effect / 2, between), studies, sum(sizes))


def heavily_apart(effect: float, studies: int, rng: Generator) -> Any:
    """Forty models: both x follow y, with heavy tails and correlations that lie the effect apart around .3."""
    y = heavy(rng, studies, 40)
    weights = [HEAVY[round(0.3 + side * effect / 2, 2)] for side in (1, -1)]
    return y, *(w * y + np.sqrt(1 - w**2) * heavy(rng, studies, 40) for w in weights)


def _across_cells() -> list[Cell]:
    found = [(0.5, 32, ALPHA), (0.6, 21, ALPHA), (0.7, 15, ALPHA), (0.8, 11, ALPHA), (0.5, 53, STRICT), (0.6, 34, STRICT),
             (0.7, 24, STRICT), (0.8, 17, STRICT)]  # fmt: skip
    return [
        *(Cell(Across((n,)), f"normal, {rho:g} to be found", f"{n} models", blocks(n), Terms("above", rho / 2, alpha=alpha),
               (rho, 0.9), MANY if alpha < ALPHA else 10_000) for rho, n, alpha in found),
        Cell(Across((8,), sign=-1), "normal, negative, fewest admitted", "8 models", blocks(8), Terms("below", 0.3)),
        Cell(Across((20,)), "ties: seven different values", "20 models", ranked_ties, Terms("above", 0.3)),
        Cell(Across((40,)), "heavy tails", "40 models", heavily(40), Terms("above", 0.5)),
        Cell(Across((10, 10, 10)), "regimes with shifted means, as blocks", "3 × 10 models", shifted, Terms("above", 0.3)),
        Cell(Across((5,) * 15), "normal, fewest admitted in a block", "15 × 5 models", blocks(*[5] * 15), Terms("above", 0.3)),
        Cell(Across((5, 7, 9, 12, 16)), "normal, blocks of unequal size", "5 + 7 + 9 + 12 + 16 models", blocks(5, 7, 9, 12, 16),
             Terms("above", 0.3)),
        Cell(Across((16,) * 15), "normal, margin 0.8", "15 × 16 models", blocks(*[16] * 15), Terms("above", 0.8),
             studies=5_000),
        Cell(Across((20, 20), shared=True), "the same models at two thresholds", "20 models", repeated, Terms("above", 0.3),
             wide="taken as perfectly dependent"),
    ]  # fmt: skip


def _unrelated_cells() -> list[Cell]:
    found = [(0.5, 42, ALPHA), (0.4, 66, ALPHA), (0.3, 119, ALPHA), (0.5, 67, STRICT), (0.4, 108, STRICT), (0.3, 194, STRICT)]
    return [
        *(Cell(Unrelated((n,)), f"normal, within {margin:g}", f"{n} models", blocks(n), Terms("within", margin, alpha=alpha),
               (0.0, 0.86), 20_000 if alpha < ALPHA else 10_000) for margin, n, alpha in found),
        Cell(Unrelated((8,)), "normal, within 0.8, fewest admitted", "8 models", blocks(8), Terms("within", 0.8)),
        Cell(Unrelated((64,)), "heavy tails, within 0.5", "64 models", heavily(64), Terms("within", 0.5)),
        Cell(Unrelated((20,)), "ties: seven different values, within 0.5", "20 models", ranked_ties, Terms("within", 0.5)),
        Cell(Unrelated((5, 7, 9, 12, 16)), "normal, within 0.5, blocks of unequal size", "5 + 7 + 9 + 12 + 16 models",
             blocks(5, 7, 9, 12, 16), Terms("within", 0.5)),
    ]  # fmt: skip


def _difference_cells() -> list[Cell]:
    return [
        Cell(Difference((39,)), "normal, 0.6 against 0 to be found", "39 models", apart(0.3, 0.3, 39), Terms("above", 0.3),
             (0.6, 0.9)),
        Cell(Difference((65,)), "normal, 0.6 against 0 to be found", "65 models", apart(0.3, 0.3, 65),
             Terms("above", 0.3, alpha=STRICT), (0.6, 0.9), 20_000),
        Cell(Difference((20,)), "normal, the two x correlate at 0.6", "20 models", apart(0.3, 0.6, 20), Terms("above", 0.6)),
        Cell(Difference((40,)), "normal, around 0.65, the two x correlate at 0.6", "40 models", apart(0.65, 0.6, 40),
             Terms("above", 0.3)),
        Cell(Difference((8,)), "normal, fewest admitted", "8 models", apart(0.3, 0.3, 8), Terms("above", 0.6)),
        Cell(Difference((40,)), "heavy tails", "40 models", heavily_apart, Terms("above", 0.3)),
        Cell(Difference((5,) * 15), "normal, fewest admitted in a block", "15 × 5 models", apart(0.3, 0.6, *[5] * 15),
             Terms("above", 0.3), studies=5_000),
        Cell(Difference((5, 7, 9, 12, 16)), "normal, blocks of unequal size", "5 + 7 + 9 + 12 + 16 models",
             apart(0.3, 0.6, 5, 7, 9, 12, 16), Terms("above", 0.3)),
    ]  # fmt: skip


CELLS = [*_across_cells(), *_unrelated_cells(), *_difference_cells()]
