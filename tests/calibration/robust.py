"""What rare units cannot sway: trimmed means, and how often one of two unpaired groups is higher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats as sps

from harness import stats
from harness.judge.power import Terms as Against
from harness.judge.power import power
from harness.predict import IndependentSuperiority, IndependentTrimmedDifference, Prediction, TrimmedDifference
from harness.predict.differences.robust import FEWEST
from harness.stats import TRIM

from .cells import ALPHA, Cell, Draw, Terms
from .differences import WHY, Independent, Paired, codes_of
from .draws import Floats, Generator, left, normal, rare, right
from .grids import Grid, Groups, Pairs
from .populations import in_groups, numbers

Noise = Callable[..., Floats]
WITHIN = 0.06
"""Of either error: one point above alpha."""


@dataclass(frozen=True)
class Trimmed(Paired):
    """Paired differences, shape (study, pair), of which the middle counts."""

    def confidence(self, data: Floats) -> stats.Confidence:
        return stats.stratified_mean(data, codes_of(self.strata), TRIM).confidence

    def prediction(self, terms: Terms) -> Prediction:
        return TrimmedDifference("llc", "regime", "standard", "robust", "seed", "size", margin=terms.margin, margin_reason=WHY,
                                 alpha=terms.alpha)  # fmt: skip


@dataclass(frozen=True)
class TrimmedApart(Independent):
    """Values of different units, likewise."""

    def confidence(self, data: Floats) -> stats.Confidence:
        weights = np.tile([-1.0, 1.0], len(self.groups)) / len(self.groups)
        return stats.contrast(data, self.cells, weights, TRIM).confidence

    def prediction(self, terms: Terms) -> Prediction:
        return IndependentTrimmedDifference("llc", "regime", "standard", "robust", "seed", "size", margin=terms.margin,
                                            margin_reason=WHY, alpha=terms.alpha)  # fmt: skip


@dataclass(frozen=True)
class Placed(Independent):
    """Values of different units, shape (study, unit), the lower group first, of which it counts how often which is higher."""

    def confidence(self, data: Floats) -> stats.Confidence:
        return stats.placed_share(data[..., self.cells == 1], data[..., self.cells == 0])

    def prediction(self, terms: Terms) -> Prediction:
        return IndependentSuperiority("llc", "regime", "standard", "robust", "seed", margin=terms.margin, margin_reason=WHY,
                                      alpha=terms.alpha)  # fmt: skip


def t2(rng: Generator, *shape: int) -> Floats:
    """T with two degrees of freedom, which has no variance."""
    return rng.standard_t(2, shape)


def _middle_of_lognormal() -> float:
    """Trimmed mean of exp(z): e^(1/2) (Phi(b - 1) - Phi(a - 1)) / (1 - 2 trim), between its quantiles a and b of z."""
    low, high = sps.norm.ppf([TRIM, 1 - TRIM])
    return float(np.exp(0.5) * (sps.norm.cdf(high - 1) - sps.norm.cdf(low - 1)) / (1 - 2 * TRIM))


def _middle_of_rare() -> float:
    """Trimmed mean of normal units of which one in twenty lies 15 lower, so that it is cut away with 15 % of the others."""
    low, high = sps.norm.ppf([(TRIM - 0.05) / 0.95, (1 - TRIM - 0.05) / 0.95])
    return float(0.75 + 0.95 * (sps.norm.pdf(low) - sps.norm.pdf(high)) / (1 - 2 * TRIM))


_TAIL = (np.exp(0.5) - _middle_of_lognormal()) / np.sqrt(np.e * (np.e - 1))
MIDDLE: dict[Noise, float] = {normal: 0.0, t2: 0.0, left: float(_TAIL), right: -float(_TAIL), rare: _middle_of_rare()}
"""Trimmed mean of each distribution: what is estimated is the effect that is planted."""
NAMES: dict[Noise, str] = {
    left: "lognormal tail to the left", right: "lognormal tail to the right", rare: "one in 20 lies 15 SD lower",
    t2: "t with 2 degrees of freedom",
}  # fmt: skip


def centred(noise: Noise, n: int) -> Draw:
    """N differences whose trimmed mean is the effect."""
    return lambda effect, studies, rng: effect - MIDDLE[noise] + noise(rng, studies, n)


def planned(size: float, n: int, groups: int = 1) -> float:
    """Power that the plan promises for normal units of a trimmed mean, whose error is 6 % larger than a mean's."""
    left_of = n - 2 * int(TRIM * n + 1e-9)
    error, freedom = np.array(1.06 * np.sqrt(groups / n)), np.array(groups * (left_of - 1.0))
    study = stats.Mean(np.zeros(()), error, freedom, np.array(1.06), np.zeros(()), TRIM).confidence
    return power(study, Against("above", 0.0, size / 2, ALPHA), size)


def one_tailed(noise: Noise, low: int, high: int) -> Draw:
    """A narrow normal lower group and a higher one with the tail."""
    return lambda effect, studies, rng: np.concatenate(
        [0.3 * normal(rng, studies, low), effect - MIDDLE[noise] + noise(rng, studies, high)], axis=-1
    )


def _trimmed_cells() -> list[Cell]:
    found = [
        Cell(Trimmed((n,)), f"normal, {size:g} SD to be found", f"{n} pairs", centred(normal, n), Terms("above", size / 2),
             (size, planned(size, n)), wide=None)
        for size, n in ((1.5, 8), (1.0, 15), (0.8, 24))
    ]  # fmt: skip
    found.append(Cell(Trimmed((8, 16)), "normal, strata of unequal size and mean", "8 + 16 pairs", lambda effect, studies, rng:
                      effect + np.repeat([-1.0, 1.0], [8, 16]) + normal(rng, studies, 24), Terms("above", 0.5)))  # fmt: skip
    return found + [
        Cell(Trimmed((n,)), NAMES[noise], f"{n} pairs", centred(noise, n), Terms("above", 0.1), studies=20_000, limit=WITHIN,
             asked=("false support", "false refutation"))
        for noise in NAMES for n in (FEWEST, 12, 24, 30)
    ]  # fmt: skip


def _apart_cells() -> list[Cell]:
    return [
        Cell(TrimmedApart(((18, 18),)), "normal, 1.2 SD to be found", "18 + 18 units",
             lambda effect, studies, rng: one_tailed_equal(effect, studies, rng, 18), Terms("above", 0.6),
             (1.2, planned(1.2, 18, 2))),
        Cell(TrimmedApart(((8, 20),)), "the smaller group has three times the spread", "8 + 20 units",
             lambda effect, studies, rng: np.concatenate(
                 [3 * normal(rng, studies, 8), effect + normal(rng, studies, 20)], axis=-1), Terms("above", 1.0)),
        *(Cell(TrimmedApart(((n, n),)), f"{NAMES[noise]}, in one group", f"{n} + {n} units", one_tailed(noise, n, n),
               Terms("above", 0.1), limit=WITHIN, asked=("false support", "false refutation"))
          for noise in NAMES for n in (FEWEST, 12, 24)),
    ]  # fmt: skip


def one_tailed_equal(effect: float, studies: int, rng: Generator, n: int) -> Floats:
    """Two normal groups of equal spread."""
    return np.concatenate([normal(rng, studies, n), effect + normal(rng, studies, n)], axis=-1)


def so_often(low: int, high: int, spread: float) -> Draw:
    """Two normal groups, the higher one with another spread; the effect is how often it is higher."""

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        shift = np.hypot(1, spread) * sps.norm.ppf(effect)
        return np.concatenate([normal(rng, studies, low), shift + spread * normal(rng, studies, high)], axis=-1)

    return drawn


def beside_a_tail(low: int, high: int) -> Draw:
    """A lower group that hardly varies beside a lognormal one."""

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        values = np.exp(normal(rng, studies, high)) - np.exp(sps.norm.ppf(1 - effect))
        return np.concatenate([0.001 * normal(rng, studies, low), values], axis=-1)

    return drawn


def in_steps(effect: float, studies: int, rng: Generator) -> Floats:
    """Twelve units a group with the values 0, 1 and 2, of which the higher group has 2 oftener, and 0 as much less often."""
    lower = rng.choice(3, size=(studies, 12), p=[0.4, 0.2, 0.4])
    more = (effect - 0.5) / 0.6
    higher = rng.choice(3, size=(studies, 12), p=[0.4 - more, 0.2, 0.4 + more])
    return np.concatenate([lower, higher], axis=-1).astype(float)


def _placed_cells() -> list[Cell]:
    terms, why = Terms("above", 0.2, 0.5), "a share of as many units as the groups are worth at least"
    same = [
        Cell(Placed(((n, n),)), f"normal, {share:g} to be found", f"{n} + {n} units", so_often(n, n, 1.0), terms, (share, 0.9),
             wide=why, limit=WITHIN)
        for n, share in ((6, 0.95), (8, 0.92), (12, 0.85), (24, 0.75), (30, 0.72))
    ]  # fmt: skip
    return [
        *same,
        *(Cell(Placed(((low, high),)), "one group has three times the spread", f"{low} + {high} units",
               so_often(low, high, spread), terms, wide=why, limit=WITHIN)
          for low, high, spread in ((8, 8, 3.0), (24, 24, 3.0), (6, 18, 3.0), (18, 6, 3.0))),
        *(Cell(Placed(((n, n),)), "lognormal tail beside a group that hardly varies", f"{n} + {n} units", beside_a_tail(n, n),
               terms, wide=why, limit=WITHIN) for n in (6, 8, 12, 24, 30)),
        Cell(Placed(((12, 12),)), "values in three steps", "12 + 12 units", in_steps, terms, wide=why, limit=WITHIN),
    ]  # fmt: skip


class TrimmedPairs(Pairs):
    """Paired differences on a grid of sizes and seeds, both random, of which the middle of each size counts."""

    def confidence(self, data: Floats) -> stats.Confidence:
        sizes = self.grid.outer
        return stats.drawn_contrast(data, self.grid.size, np.full(sizes, 1 / sizes), self.grid.drawn, TRIM).confidence

    def declared(self, terms: Terms, **shared: object) -> Prediction:
        return TrimmedDifference("llc", "regime", "standard", "robust", ("size", "seed"), "size", **shared)


class PlacedOnGrid(Groups):
    """Values of units, every second seed in the higher group, of which it counts how often which is higher."""

    def confidence(self, data: Floats) -> stats.Confidence:
        higher = self.grid.seed % 2 == 1

        def again(kept: np.ndarray) -> Floats:
            return stats.superiority(data[..., kept & higher], data[..., kept & ~higher])

        plain = stats.placed_share(data[..., higher], data[..., ~higher])
        return stats.drawn_placed_share(plain, again, self.grid.drawn, ALPHA)

    def declared(self, terms: Terms, **shared: object) -> Prediction:
        return IndependentSuperiority("llc", "regime", "standard", "robust", ("size", "seed"), **shared)


def _drawn_cells() -> list[Cell]:
    five, six = Grid(5, 8), Grid(6, 16, ("size",))

    def unswayed(effect: float, studies: int, rng: Generator) -> Floats:
        return in_groups(six, 0.5, 0.5)(0.0, studies, rng)

    return [
        Cell(TrimmedPairs(five), "half of the variance between 5 sizes, random, seeds too", "5 sizes × 8 seeds",
             numbers(five, 0.5), Terms("above", 0.5), asked=("false support", "false refutation", "coverage"), studies=4_000),
        Cell(PlacedOnGrid(six), "what is gained differs by size, random", "6 sizes × 16 seeds", unswayed,
             Terms("above", 0.2, 0.5), asked=("false support",), studies=4_000),
    ]  # fmt: skip


CELLS = [*_trimmed_cells(), *_apart_cells(), *_placed_cells(), *_drawn_cells()]
