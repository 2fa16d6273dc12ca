"""Means of one number per unit or pair: differences between regimes, of curves, over ordered levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy.stats import page_trend_test, rankdata

from harness import stats
from harness.predict import AreaDifference, IndependentDifference, NoChange, NoTrend, Ordering, PairedDifference, Prediction

from .cells import ALPHA, MANY, STRICT, Cell, Draw, Kind, Terms
from .draws import Floats, Generator, course, heavy, normal, t_power, tied, tost_power

WHY = "simulated"


def codes_of(sizes: tuple[int, ...]) -> np.ndarray:
    """Stratum of each unit."""
    return np.repeat(np.arange(len(sizes)), sizes)


@dataclass(frozen=True)
class Paired(Kind):
    """Paired differences, shape (study, pair)."""

    strata: tuple[int, ...]

    def confidence(self, data: Floats) -> stats.Confidence:
        return stats.stratified_mean(data, codes_of(self.strata)).confidence

    def table(self, data: Floats) -> pd.DataFrame:
        rows = pd.DataFrame({"seed": np.arange(len(data)), "size": codes_of(self.strata), "llc": 0.0, "regime": "robust"})
        return pd.concat([rows, rows.assign(llc=data, regime="standard")])

    def prediction(self, terms: Terms) -> Prediction:
        return PairedDifference(
            "llc", "regime", "standard", "robust", "seed", "size", margin=terms.margin, margin_reason=WHY, alpha=terms.alpha
        )


class Unchanged(Paired):
    """The same, claimed to be none."""

    def agrees(self, data: Floats, terms: Terms, rng: Generator) -> np.ndarray:
        return stats.scattered_p(data, terms.centre, terms.margin) > terms.alpha

    def prediction(self, terms: Terms) -> Prediction:
        return NoChange(
            "llc", "regime", "robust", "standard", "seed", "size", margin=terms.margin, margin_reason=WHY, alpha=terms.alpha
        )


@dataclass(frozen=True)
class Area(Kind):
    """Differences of two curves, shape (study, pair, point)."""

    x: tuple[float, ...] = (1, 2, 4, 8, 16, 32)

    def confidence(self, data: Floats) -> stats.Confidence:
        return stats.stratified_mean(stats.mean_height(np.log2(self.x), data)).confidence

    def table(self, data: Floats) -> pd.DataFrame:
        seed, point = np.indices(data.shape)
        rows = pd.DataFrame({"seed": seed.ravel(), "width": np.array(self.x)[point.ravel()]})
        return pd.concat([rows.assign(llc=data.ravel(), regime="standard"), rows.assign(llc=0.0, regime="robust")])

    def prediction(self, terms: Terms) -> Prediction:
        return AreaDifference(
            "llc", "width", "regime", "standard", "robust", "seed", log_x=True,
            margin=terms.margin, margin_reason=WHY, alpha=terms.alpha,
        )  # fmt: skip


@dataclass(frozen=True)
class Independent(Kind):
    """Values of different units, shape (study, unit): of every stratum first the lower group, then the higher one."""

    groups: tuple[tuple[int, int], ...]

    @property
    def cells(self) -> np.ndarray:
        """Two for every stratum: the lower group and the higher one."""
        return codes_of(tuple(size for sizes in self.groups for size in sizes))

    def confidence(self, data: Floats) -> stats.Confidence:
        weights = np.tile([-1.0, 1.0], len(self.groups)) / len(self.groups)
        return stats.contrast(data, self.cells, weights).confidence

    def table(self, data: Floats) -> pd.DataFrame:
        regime = np.where(self.cells % 2, "standard", "robust")
        return pd.DataFrame({"seed": np.arange(len(data)), "size": self.cells // 2, "regime": regime, "llc": data})

    def prediction(self, terms: Terms) -> Prediction:
        return IndependentDifference(
            "llc", "regime", "standard", "robust", "seed", "size", margin=terms.margin, margin_reason=WHY, alpha=terms.alpha
        )


@cache
def page_p(rank_sum: float, units: int, levels: int) -> float:
    """P of Page's test, a function of its statistic L alone: that of ranks which have it."""
    return float(page_trend_test(_ranks_with(rank_sum, units, levels), ranked=True).pvalue)


def _ranks_with(rank_sum: float, units: int, levels: int) -> Floats:
    """Ranks (not of any values) with a sum of products L = sum_j j R_j."""
    ordered = np.arange(1.0, levels + 1)
    best, worst = units * (ordered @ ordered), units * (ordered @ ordered[::-1])
    # scipy cuts L down to a whole number: it must not lie just below one
    share = min((rank_sum + 1e-7 - worst) / (best - worst), 1.0)
    return np.tile(share * ordered + (1 - share) * ordered[::-1], (units, 1))


@dataclass(frozen=True)
class Ordered(Kind):
    """Values at ordered levels, shape (study, unit, level)."""

    def confidence(self, data: Floats) -> stats.Confidence:
        return stats.stratified_mean(stats.slope(np.arange(data.shape[-1]), data)).confidence

    def agrees(self, data: Floats, terms: Terms, rng: Generator) -> np.ndarray:
        _, units, levels = data.shape
        rank_sum = rankdata(data, axis=-1).sum(axis=-2) @ np.arange(1.0, levels + 1)
        ranks = np.array([page_p(round(each, 6), units, levels) <= terms.alpha for each in rank_sum], dtype=bool)
        steps = stats.stratified_mean(np.moveaxis(np.diff(data, axis=-1), -1, -2)).confidence
        return ranks & (stats.Skewed(steps).above(0) <= terms.alpha).all(axis=-1)

    def table(self, data: Floats) -> pd.DataFrame:
        seed, level = np.indices(data.shape)
        return pd.DataFrame({"seed": seed.ravel(), "dose": level.ravel(), "llc": data.ravel()})

    def prediction(self, terms: Terms) -> Prediction:
        return Ordering("llc", "dose", (0, 1, 2, 3), "seed", margin=terms.margin, margin_reason=WHY, alpha=terms.alpha)


def straight(lower: Floats, upper: Floats, terms: Terms) -> np.ndarray:
    """Whether lines do not bend, by the slopes of their halves, shape (study, unit)."""
    readings = [stats.stratified_mean(each).confidence for each in (lower, upper, upper - lower)]
    return ~stats.bent(readings[0], readings[1], readings[2], terms.centre, terms.margin, terms.alpha)


@dataclass(frozen=True)
class Flat(Kind):
    """Values along x, shape (study, unit, point)."""

    x: tuple[float, ...] = (1, 2, 4, 8, 16)

    def confidence(self, data: Floats) -> stats.Confidence:
        return stats.stratified_mean(stats.slope(np.log2(self.x), data)).confidence

    def agrees(self, data: Floats, terms: Terms, rng: Generator) -> np.ndarray:
        return straight(*stats.halves(np.log2(self.x), data), terms)

    def table(self, data: Floats) -> pd.DataFrame:
        seed, point = np.indices(data.shape)
        return pd.DataFrame({"seed": seed.ravel(), "width": np.array(self.x)[point.ravel()], "llc": data.ravel()})

    def prediction(self, terms: Terms) -> Prediction:
        return NoTrend("llc", "width", "seed", margin=terms.margin, margin_reason=WHY, alpha=terms.alpha)


def paired(noise: Callable[..., Floats], n: int) -> Draw:
    """N differences around the effect."""
    return lambda effect, studies, rng: effect + noise(rng, studies, n)


def unequal(effect: float, studies: int, rng: Generator) -> Floats:
    """Strata of 3, 5 and 12 pairs with spreads of 5, 1 and 0.2 and means one below, at and one above the effect."""
    codes = codes_of((3, 5, 12))
    return effect + np.array([-1.0, 0, 1])[codes] + np.array([5.0, 1, 0.2])[codes] * normal(rng, studies, 20)


def nested(effect: float, studies: int, rng: Generator) -> Floats:
    """Ten seeds, each the mean of 30 samples; a third of the variance lies between seeds."""
    return effect + (np.sqrt(1 / 3) * normal(rng, studies, 10, 1) + np.sqrt(2 / 3) * normal(rng, studies, 10, 30)).mean(-1)


def groups(noise: Callable[..., Floats], *sides: tuple[int, float]) -> Draw:
    """A lower and a higher group, each with a number of units and a spread, in every stratum."""

    def drawn(effect: float, studies: int, rng: Generator) -> Floats:
        parts = [effect * (i % 2) + spread * noise(rng, studies, n) for i, (n, spread) in enumerate(sides)]
        return np.concatenate(parts, axis=-1)

    return drawn


def over_levels(noise: Callable[..., Floats], n: int, levels: int) -> Draw:
    """N units with their own heights, around a straight line with the effect as its slope."""
    return lambda effect, studies, rng: (
        effect * np.arange(levels) + 2 * normal(rng, studies, n, 1) + noise(rng, studies, n, levels)
    )


def _paired_cells() -> list[Cell]:
    found = [(0.8, 15, 0.05), (1.0, 11, 0.05), (1.5, 6, 0.05), (0.8, 27, STRICT), (1.0, 19, STRICT), (1.5, 11, STRICT),
             (2.0, 8, STRICT)]  # fmt: skip
    return [
        *(Cell(Paired((n,)), f"normal, {size:g} SD to be found", f"{n} pairs", paired(normal, n),
               Terms("above", size / 2, alpha=alpha), (size, t_power(size, n, alpha)), MANY if alpha < ALPHA else 10_000)
          for size, n, alpha in found),
        Cell(Paired((5,)), "normal, 2 SD to be found, fewest admitted", "5 pairs", paired(normal, 5), Terms("above", 1.0),
             (2.0, t_power(2, 5, ALPHA))),
        Cell(Paired((8,)), "heavy tails", "8 pairs", paired(heavy, 8), Terms("above", 0.3)),
        Cell(Paired((20,)), "values in steps of 1 SD", "20 pairs", paired(tied, 20), Terms("above", 0.3)),
        Cell(Paired((3, 5, 12)), "strata of unequal size, mean and variance", "3 + 5 + 12 pairs", unequal, Terms("above", 0.5)),
        Cell(Paired((10,)), "30 samples nested in each seed, averaged", "10 seeds", nested, Terms("above", 0.2)),
    ]  # fmt: skip


def _unchanged_cells() -> list[Cell]:
    found = [(1.0, 13, 0.05), (0.8, 19, 0.05), (0.5, 45, 0.05), (1.0, 22, STRICT), (0.8, 32, STRICT), (0.5, 80, STRICT)]
    return [
        *(Cell(Unchanged((n,)), f"normal, within {margin:g} SD", f"{n} pairs", paired(normal, n),
               Terms("within", margin, alpha=alpha), (0.0, tost_power(margin, n, alpha)), MANY if alpha < ALPHA else 10_000)
          for margin, n, alpha in found),
        Cell(Unchanged((5,)), "normal, within 2 SD, fewest admitted", "5 pairs", paired(normal, 5), Terms("within", 2.0),
             (0.0, tost_power(2.0, 5, ALPHA))),
        Cell(Unchanged((19,)), "heavy tails", "19 pairs", paired(heavy, 19), Terms("within", 0.8)),
    ]  # fmt: skip


def independent_cells() -> list[Cell]:
    """Two groups of different units."""
    # 18 and 9 in each group: fewest with 90 % power by the noncentral t distribution (statsmodels' TTestIndPower).
    return [
        Cell(Independent(((18, 18),)), "normal, 1 SD to be found", "18 + 18 units", groups(normal, (18, 1), (18, 1)),
             Terms("above", 0.5), (1.0, t_power(1.0, 18, ALPHA, 2))),
        Cell(Independent(((9, 9),)), "normal, 1.5 SD to be found", "9 + 9 units", groups(normal, (9, 1), (9, 1)),
             Terms("above", 0.75), (1.5, t_power(1.5, 9, ALPHA, 2))),
        Cell(Independent(((5, 5),)), "normal, fewest admitted", "5 + 5 units", groups(normal, (5, 1), (5, 1)),
             Terms("above", 0.5)),
        Cell(Independent(((6, 18),)), "the smaller group has three times the spread", "6 + 18 units",
             groups(normal, (6, 3), (18, 1)), Terms("above", 1.0)),
        Cell(Independent(((10, 10),)), "heavy tails", "10 + 10 units", groups(heavy, (10, 1), (10, 1)), Terms("above", 0.3)),
        Cell(Independent(((4, 8), (8, 4))), "strata of unequal size and variance", "4 + 8, 8 + 4 units",
             groups(normal, (4, 1), (8, 2), (8, 2), (4, 1)), Terms("above", 0.5)),
    ]  # fmt: skip


def _curve_cells() -> list[Cell]:
    def heights(noise: Callable[..., Floats], n: int) -> Draw:
        return lambda effect, studies, rng: effect + noise(rng, studies, n, len(Area.x))

    return [
        Cell(Area(), "slow courses, AR(0.9)", "11 pairs", heights(course, 11), Terms("above", 0.4)),
        Cell(Area(), "heavy tails, fewest admitted", "5 pairs", heights(heavy, 5), Terms("above", 0.2)),
        Cell(Flat(), "normal, within 1 SD of the slope", "13 units", over_levels(normal, 13, 5),
             Terms("within", np.sqrt(0.1)), (0.0, tost_power(1.0, 13, ALPHA))),
        Cell(Flat(), "normal, within 2 SD, fewest admitted", "5 units", over_levels(normal, 5, 5),
             Terms("within", 2 * np.sqrt(0.1)), (0.0, tost_power(2.0, 5, ALPHA))),
        Cell(Flat(), "slow courses, AR(0.9), with heavy tails", "13 units", over_levels(
            lambda rng, *shape: course(rng, *shape) + 0.5 * heavy(rng, *shape), 13, 5), Terms("within", 0.3)),
    ]  # fmt: skip


def _ordered_cells() -> list[Cell]:
    # A slope over levels 0..3 with noise of variance 1 at each has variance 1/5 between units, and a step variance 2.  Steps
    # are what power hangs on; the plan takes them as independent.
    slope = np.sqrt(1 / 5)
    rounded = over_levels(normal, 11, 4)
    return [
        Cell(Ordered(), "normal, steps of 1 SD to be found", "15 units", over_levels(normal, 15, 4),
             Terms("above", slope / 2), (np.sqrt(2), t_power(1.0, 15, ALPHA) ** 3)),
        Cell(Ordered(), "normal, 1 SD of the slope, of whose steps none is found", "15 units", over_levels(normal, 15, 4),
             Terms("above", slope / 2), (slope, 0.0)),
        Cell(Ordered(), "normal, fewest admitted", "5 units", over_levels(normal, 5, 4), Terms("above", slope / 2)),
        Cell(Ordered(), "heavy tails", "11 units", over_levels(heavy, 11, 4), Terms("above", slope / 2)),
        Cell(Ordered(), "values in steps of 1 SD", "11 units",
             lambda effect, studies, rng: rounded(effect, studies, rng).round(), Terms("above", slope / 2)),
        Cell(Ordered(), "slow courses, AR(0.9)", "11 units", over_levels(course, 11, 4), Terms("above", slope / 4)),
    ]  # fmt: skip


CELLS = [*_paired_cells(), *_unchanged_cells(), *independent_cells(), *_curve_cells(), *_ordered_cells()]
